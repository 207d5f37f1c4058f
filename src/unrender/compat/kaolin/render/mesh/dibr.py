"""DIB-R as Kaolin offers it: the z-buffer and the soft mask around it."""

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor

from .....errors import InputError
from .....render.raster.dibr import soft_mask
from .....render.raster.grid import Grid
from .rasterization import rasterize

__all__ = ["dibr_rasterization", "dibr_soft_mask"]

Features = TypeVar("Features", Tensor, Sequence[Tensor])


def dibr_soft_mask(
    face_vertices_image: Tensor,
    selected_face_idx: Tensor,
    sigmainv: float = 7000,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float = 1000.0,
) -> Tensor:
    """The silhouette with soft edges of DIB-R (Chen et al. 2019, equations 5 and 6).

    1 where a face was drawn; elsewhere 1 - prod(1 - exp(-sigmainv d^2)) over the first ``knum`` faces whose
    bounding box, enlarged by ``boxlen`` on every side, holds the pixel; d is the distance to the nearest edge
    or corner of the face on the image plane. No gradient comes from pixels inside the silhouette.

    Args:
        face_vertices_image: corners on the image plane, in [-1, 1] inside the picture, y up, shape
            (B, F, 3, 2).
        selected_face_idx: the face each pixel sees, negative where there is none, shape (B, H, W); from
            :func:`~unrender.compat.kaolin.render.mesh.rasterize`.
        sigmainv: sharpness, per squared unit of the image plane.
        boxlen: reach of a face, in units of the image plane.
        knum: the most faces that act on one pixel, in the order in which they are stored.
        multiplier: factor on the image plane during the computation; the result does not depend on it but for
            rounding.

    Returns:
        The mask in [0, 1], shape (B, H, W).

    Raises:
        InputError: wrong shapes.
    """
    if face_vertices_image.ndim != 4 or face_vertices_image.shape[-2:] != (3, 2):
        raise InputError(
            f"face_vertices_image must have shape (B, F, 3, 2), got {tuple(face_vertices_image.shape)}"
        )
    batch, faces = face_vertices_image.shape[:2]
    if selected_face_idx.ndim != 3 or selected_face_idx.shape[0] != batch:
        raise InputError(
            f"selected_face_idx must have shape ({batch}, H, W), got {tuple(selected_face_idx.shape)}"
        )
    height, width = selected_face_idx.shape[1:]
    scaled = face_vertices_image * multiplier
    triangles = torch.cat([scaled, torch.zeros_like(scaled[..., :1])], dim=-1)
    return soft_mask(
        triangles.reshape(-1, 3, 3),
        torch.arange(batch + 1, device=scaled.device) * faces,
        selected_face_idx.int(),
        Grid(batch, height, width, multiplier / width, -multiplier / height),
        sigma=multiplier**2 / sigmainv,
        reach=boxlen * multiplier,
        max_faces=knum,
    )


def dibr_rasterization(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Features,
    face_normals_z: Tensor,
    sigmainv: float = 7000,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float | None = None,
    eps: float | None = None,
    rast_backend: str = "cuda",
) -> tuple[Features, Tensor, Tensor]:
    """Features and soft mask of DIB-R; only faces with ``face_normals_z >= 0`` are drawn.

    The soft mask is taken over all faces, those turned away included. Arguments that are not listed are those
    of :func:`~unrender.compat.kaolin.render.mesh.rasterize` and :func:`dibr_soft_mask`.

    Args:
        height: H.
        width: W.
        face_vertices_z: depth of the corners in camera space, shape (B, F, 3).
        face_vertices_image: corners on the image plane, shape (B, F, 3, 2).
        face_features: values at the corners, shape (B, F, 3, D), or a list of such tensors.
        face_normals_z: z of the face normals in camera space, shape (B, F).
        sigmainv: sharpness of the mask.
        boxlen: reach of a face.
        knum: the most faces that act on one pixel.
        multiplier: factor on the image plane; 1000 if None.
        eps: added to twice the area of a face; 1e-8 if None.
        rast_backend: as ``backend`` of ``rasterize``.

    Returns:
        Features (B, H, W, D), a tuple if ``face_features`` is a list; the soft mask (B, H, W); the face index
        (B, H, W), int64, -1 where there is none.

    Raises:
        InputError: wrong shapes, or an unknown backend.
    """
    features, face_idx = rasterize(
        height,
        width,
        face_vertices_z,
        face_vertices_image,
        face_features,
        face_normals_z >= 0,
        multiplier,
        eps,
        rast_backend,
    )
    scale = 1000.0 if multiplier is None else multiplier
    mask = dibr_soft_mask(face_vertices_image, face_idx, sigmainv, boxlen, knum, scale)
    return features, mask, face_idx
