"""What ``unrender render`` can draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from ..render import MeshPicture

Output = Literal["rgb", "albedo", "alpha", "depth", "normals", "world-normals", "uv"]


def output_colors(picture: MeshPicture, name: Output, *, near: float, far: float) -> Tensor:
    """One quantity of a picture as colours.

    Args:
        picture: what the camera sees.
        name: the quantity.
        near: depth that is white [world units].
        far: depth that is dark grey [world units].

    Returns:
        Colours in [0, 1], shape (..., H, W, 3); they mean nothing outside ``picture.mask``.
    """
    import torch

    from ..io.pictures import normals_to_picture

    if name == "alpha":
        return picture.mask[..., None].to(picture.depth.dtype).expand(*picture.mask.shape, 3)
    if name == "depth":
        grey = 1 - 0.8 * (picture.depth - near) / (far - near)
        return grey.clamp(0, 1)[..., None].expand(*grey.shape, 3)
    if name == "normals":
        return normals_to_picture(picture.camera_normals * picture.depth.new_tensor([1, -1, -1]))
    if name == "world-normals":
        return normals_to_picture(picture.world_normals)
    if name == "uv":
        return torch.cat([picture.uv.remainder(1), torch.zeros_like(picture.uv[..., :1])], -1)
    return (picture.rgb if name == "rgb" else picture.albedo).clamp(0, 1)
