"""What comes before and after rasterisation: projected corners, texture lookup, light."""

import torch
from torch import Tensor
from torch.nn import functional

from .....errors import InputError
from ...ops.mesh import face_normals, index_vertices_by_faces
from ..camera import perspective_camera, rotate_translate_points

__all__ = ["prepare_vertices", "spherical_harmonic_lighting", "texture_mapping"]


def texture_mapping(texture_coordinates: Tensor, texture_maps: Tensor, mode: str = "nearest") -> Tensor:
    """Look textures up at coordinates; beyond [0, 1] the border colour continues.

    With ``mode="nearest"``, Kaolin's default, no gradient reaches the coordinates.

    Args:
        texture_coordinates: (0, 0) is the lower left corner and v points up, shape (B, H, W, 2) or (B, N, 2).
        texture_maps: row 0 at the top, shape (B, C, h, w).
        mode: ``"nearest"``, ``"bilinear"`` or ``"bicubic"``, as in :func:`torch.nn.functional.grid_sample`.

    Returns:
        The sampled values, shape (B, H, W, C) or (B, N, C).
    """
    batch, channels = texture_coordinates.shape[0], texture_maps.shape[1]
    flip = torch.tensor([1.0, -1.0], dtype=texture_coordinates.dtype, device=texture_coordinates.device)
    grid = (texture_coordinates.clamp(0.0, 1.0) * 2.0 - 1.0) * flip
    values = functional.grid_sample(
        texture_maps, grid.reshape(batch, -1, 1, 2), mode=mode, padding_mode="border", align_corners=False
    )
    return values.movedim(1, -1).reshape(*texture_coordinates.shape[:-1], channels)


def spherical_harmonic_lighting(imnormal: Tensor, lights: Tensor) -> Tensor:
    """Light arriving along normals, in the nine functions that Kaolin uses.

    Two of Kaolin's constants are wrong (0.7725 xz for 1.0925 xz and 0.3863 (x^2 - y^2) for
    0.5463 (x^2 - y^2)) and its second to fourth functions are x, z, y rather than y, z, x. They are kept
    here because stored lights depend on them; Kaolin deprecated the function in 0.13. The lights of
    :mod:`unrender.render` have the right ones.

    Args:
        imnormal: unit normals, shape (B, H, W, 3).
        lights: coefficients, shape (B, 9).

    Returns:
        Brightness, shape (B, H, W).
    """
    x, y, z = imnormal.unbind(-1)
    basis = [
        torch.full_like(x, 0.28209479177),
        0.4886025119 * x,
        0.4886025119 * z,
        0.4886025119 * y,
        1.09254843059 * x * y,
        1.09254843059 * y * z,
        0.94617469575 * z**2 - 0.31539156525,
        0.77254840404 * x * z,
        0.38627420202 * (x**2 - y**2),
    ]
    return (torch.stack(basis, dim=-1) * lights.reshape(-1, 1, 1, 9)).sum(-1)


def prepare_vertices(
    vertices: Tensor,
    faces: Tensor,
    camera_proj: Tensor,
    camera_rot: Tensor | None = None,
    camera_trans: Tensor | None = None,
    camera_transform: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Move vertices into camera space, project them and gather them by face.

    The camera is either ``camera_rot`` with ``camera_trans``, or ``camera_transform``.

    Args:
        vertices: shape (B, V, 3).
        faces: shape (F, 3).
        camera_proj: from :func:`~unrender.compat.kaolin.render.camera.generate_perspective_projection`, shape
            (3, 1).
        camera_rot: rotation from world to camera, shape (B, 3, 3).
        camera_trans: camera position, shape (B, 3).
        camera_transform: from :func:`~unrender.compat.kaolin.render.camera.generate_transformation_matrix`,
            shape (B, 4, 3).

    Returns:
        Corners in camera space (B, F, 3, 3), corners on the image plane (B, F, 3, 2) and unit face normals in
        camera space (B, F, 3).

    Raises:
        InputError: neither or both of the two ways to give the camera are used.
    """
    if camera_transform is not None and camera_rot is None and camera_trans is None:
        vertices_camera = functional.pad(vertices, (0, 1), value=1.0) @ camera_transform
    elif camera_transform is None and camera_rot is not None and camera_trans is not None:
        vertices_camera = rotate_translate_points(vertices, camera_rot, camera_trans)
    else:
        raise InputError(
            "the camera must be given as camera_rot and camera_trans, or as camera_transform alone"
        )
    vertices_image = perspective_camera(vertices_camera, camera_proj)
    face_vertices_camera = index_vertices_by_faces(vertices_camera, faces)
    face_vertices_image = index_vertices_by_faces(vertices_image, faces)
    return face_vertices_camera, face_vertices_image, face_normals(face_vertices_camera, unit=True)
