"""Cutting objects out of pictures as networks want them, and cameras to match."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..render import Camera

MARGIN = 0.1  # room on each side of an object in crops for networks [longer sides of its box]
NEAR = 0.1  # near plane of placed cameras [world units]


def bounding_box(alpha: Tensor) -> Tensor:
    """The smallest box of whole pixels that holds every pixel above one half.

    Args:
        alpha: in [0, 1], shape (..., H, W).

    Returns:
        Left, top, right and bottom [pixel positions], float32, shape (..., 4).

    Raises:
        InputError: a picture has no such pixel.
    """
    inside = alpha > 0.5
    columns, rows = inside.any(-2), inside.any(-1)
    found = columns.any(-1)
    if not bool(found.all()):
        missing = (~found).flatten().nonzero().flatten().tolist()
        raise InputError(f"a picture must show an object with alpha above 1/2, got none in picture {missing}")
    left, top = columns.int().argmax(-1), rows.int().argmax(-1)
    right = columns.shape[-1] - columns.flip(-1).int().argmax(-1)
    bottom = rows.shape[-1] - rows.flip(-1).int().argmax(-1)
    return torch.stack([left, top, right, bottom], -1).to(torch.float32)


@torch.no_grad()
def crop_to_object(pictures: Tensor, *, size: int, margin: float = MARGIN) -> tuple[Tensor, Tensor]:
    """Cut out squares in the middle of which stand the objects, all of one size.

    The square is centred on the bounding box of alpha > 1/2 (:func:`bounding_box`) and ``1 + 2 margin`` times
    as wide as its longer side; what lies outside the picture is transparent. Colours are averaged with a
    triangle as wide as two pixels of the crop (or of the picture, if those are larger), which smooths and
    leaves no fringes since colours come multiplied by alpha.

    Args:
        pictures: colours multiplied by alpha, and alpha, in [0, 1], shape (..., H, W, 4).
        size: sides of the crops [pixels].
        margin: room on each side of the object [longer sides of its box].

    Returns:
        Crops, shape (..., size, size, 4), and the transforms from pixel positions (x, y, 1) of a picture to
        those of its crop, shape (..., 3, 3): a camera of the picture becomes that of the crop by
        ``camera.replace(intrinsics=transforms @ camera.intrinsics, width=size, height=size)``. No gradients.

    Raises:
        InputError: the shape is another one, a picture shows no object, or a number is out of range.
    """
    if pictures.ndim < 3 or pictures.shape[-1] != 4:
        raise InputError(f"pictures must have shape (..., H, W, 4), got {tuple(pictures.shape)}")
    if size < 1:
        raise InputError(f"size must be at least 1, got {size}")
    if not margin >= 0:
        raise InputError(f"margin must not be negative, got {margin}")
    batch, (height, width) = pictures.shape[:-3], pictures.shape[-3:-1]
    flat = pictures.reshape(-1, height, width, 4)
    box = bounding_box(flat[..., 3]).to(pictures.dtype)
    low, high = box[:, :2], box[:, 2:]
    side = (high - low).amax(-1) * (1 + 2 * margin)
    corner = (low + high - side[:, None]) / 2
    step = side / size  # of one pixel of the crop [pixels of the picture]

    # only what the squares reach is read
    reach = torch.maximum(step, torch.ones_like(step))[:, None]
    first = (corner - reach).amin(0).floor().clamp(min=0).int().tolist()
    last = (corner + side[:, None] + reach).amax(0).ceil().int().tolist()
    part = flat[:, first[1] : last[1], first[0] : last[0]]
    across = _weights(corner[:, 0] - first[0], step, size, part.shape[2])
    down = _weights(corner[:, 1] - first[1], step, size, part.shape[1])
    rows = down @ part.flatten(2)
    crops = (across[:, None] @ rows.unflatten(2, part.shape[2:])).clamp(0, 1)  # rounding

    zero, one = torch.zeros_like(step), torch.ones_like(step)
    scale, (x, y) = 1 / step, (-corner / step[:, None]).unbind(-1)
    transforms = torch.stack([scale, zero, x, zero, scale, y, zero, zero, one], -1)
    return crops.reshape(*batch, size, size, 4), transforms.reshape(*batch, 3, 3)


def _weights(corner: Tensor, step: Tensor, size: int, count: int) -> Tensor:
    """Shares of the picture's pixels in those of the crop, along one side, shape (B, size, count)."""
    at = corner[:, None] + (torch.arange(size, device=step.device) + 0.5) * step[:, None]
    reach = step.clamp(min=1)[:, None, None]

    def triangle(positions: Tensor) -> Tensor:
        return (1 - (positions - at[..., None]).abs() / reach).clamp(min=0)

    # all pixels count, also those that the picture lacks
    around = int(reach.max()) + 2
    near = torch.arange(-around, around + 1, device=step.device) + 0.5
    total = triangle(at.floor()[..., None] + near).sum(-1, keepdim=True)
    return triangle(torch.arange(count, device=step.device) + 0.5) / total


def place_camera(vertices: Tensor, world_to_camera: Tensor, alpha: Tensor) -> Camera:
    """The camera of a known pose from which an object fills the box of its mask.

    One focal length for both axes and the principal point are chosen so that the sides of the projected
    vertices' bounding box come as near as possible, in least squares, to those of the mask's box
    (:func:`bounding_box`): four sides for three unknowns. Differentiable in vertices and pose.

    Args:
        vertices: of the object, shape (..., V, 3); all before the camera.
        world_to_camera: pose of the camera, shape (..., 4, 4); N3MR's stand 2.732 away.
        alpha: the masks, in [0, 1], shape (..., H, W).

    Returns:
        Cameras of the pictures that the masks belong to.

    Raises:
        InputError: a shape is wrong, a mask is empty, or a vertex is not before the camera.
    """
    height, width = alpha.shape[-2:]
    left, top, right, bottom = bounding_box(alpha).to(vertices.dtype).unbind(-1)
    unit = torch.eye(3, dtype=vertices.dtype, device=vertices.device)
    camera = Camera(world_to_camera, unit, width, height, near=NEAR)
    points = camera.to_camera(vertices)
    if not bool((points[..., 2] > NEAR).all()):
        raise InputError(f"vertices must lie before the camera, got depth {float(points[..., 2].min()):g}")
    flat = points[..., :2] / points[..., 2:]
    low, high = flat.amin(-2), flat.amax(-2)
    extent = high - low
    wanted = torch.stack([right - left, bottom - top], -1)
    focal = (extent * wanted).sum(-1) / extent.square().sum(-1).clamp(min=torch.finfo(flat.dtype).tiny)
    middle = torch.stack([left + right, top + bottom], -1) / 2
    principal = middle - focal[..., None] * (low + high) / 2
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    x, y = principal.unbind(-1)
    intrinsics = torch.stack([focal, zero, x, zero, focal, y, zero, zero, one], -1).unflatten(-1, (3, 3))
    return camera.replace(intrinsics=intrinsics)
