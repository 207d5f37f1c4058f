"""New texture coordinates for a mesh."""

from __future__ import annotations

import numpy as np
import torch

from ..errors import InputError
from ..geometry.mesh import Mesh


def unwrap(mesh: Mesh, *, resolution: int = 1024) -> Mesh:
    """Give a mesh texture coordinates in [0, 1] under which no two faces overlap, with xatlas.

    Args:
        mesh: one mesh, not a batch; its own coordinates and texture are left out.
        resolution: side of the texture that the coordinates are for [texels]: islands stay two texels apart.

    Returns:
        The mesh with new ``uvs`` and ``uv_faces``; positions and faces are the same.

    Raises:
        InputError: the mesh has batch dimensions, or the resolution is not positive.
        ImportError: xatlas is not installed.
    """
    try:
        import xatlas
    except ImportError as error:
        raise ImportError("unwrap needs xatlas: pip install 'unrender[mesh]'") from error
    if mesh.batch_shape:
        raise InputError(f"unwrap takes one mesh, got a batch of shape {tuple(mesh.batch_shape)}")
    if resolution < 1:
        raise InputError(f"resolution must be positive, got {resolution}")
    atlas = xatlas.Atlas()
    atlas.add_mesh(mesh.vertices.detach().float().cpu().numpy(), mesh.faces.cpu().numpy().astype(np.uint32))
    options = xatlas.PackOptions()
    options.resolution = resolution
    options.padding = 2
    options.bilinear = True
    atlas.generate(pack_options=options)
    _, uv_faces, uvs = atlas.get_mesh(0)
    return mesh.replace(
        texture=None,
        uvs=torch.from_numpy(uvs).to(device=mesh.device, dtype=mesh.dtype),
        uv_faces=torch.from_numpy(uv_faces.astype(np.int64)).to(mesh.device),
    )
