"""The ShapeNet renderings and voxels of 3D-R2N2 (Choy et al. 2016).

::

    <root>/ShapeNetRendering/<synset>/<model>/rendering/00.png ... 23.png         RGBA, 137 x 137 pixels
                                                        rendering_metadata.txt    a row a picture
    <root>/ShapeNetVox32/<synset>/<model>/model.binvox

A row holds azimuth, elevation, in-plane rotation [degrees], distance over 1.75, and field of view.

The field of view is not that of the pictures: Blender kept its lens of 35 mm before a sensor of 32 mm. The
camera stands in the frame of the ShapeNet mesh, +Y up and front +X, whose bounding box is the cube that the
header of the ``.binvox`` gives. We turn the front to +Z and make that cube [-1/2, 1/2]^3; a camera at azimuth
a is then ``Camera.orbit`` at azimuth -a, as in the data of N3MR. binvox fills the whole grid, where the N3MR
protocol leaves half a cell on either side. As in 3D-R2N2, the first 80 % of the names of a category, sorted,
are ``train`` and the rest ``test``.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from ....errors import InputError
from ....io.view_pictures import read_pictures
from ....render import Camera
from ..object_views import ObjectViews
from .binvox import Binvox, read_binvox
from .reading import pack_rgba, reading

DISTANCE = 1.75  # the metadata give distances as parts of it [ShapeNet units]
FOCAL = 35 / 32  # focal length over the width of the picture
TRAIN = 0.8


def matches(root: Path) -> bool:
    """Whether the folder holds such renderings."""
    return (root / "ShapeNetRendering").is_dir()


class ChoyRenderings:
    """Objects of one split.

    Args:
        path: the folder.
        split: train or test.

    Raises:
        InputError: the split is another one.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train") -> None:
        if split not in ("train", "test"):
            raise InputError(f"the renderings of Choy et al. have the splits train and test, got {split!r}")
        self._root = Path(path)
        self.names: list[str] = []
        self.categories: list[str] = []
        for synset in _folders(self._root / "ShapeNetRendering"):
            models = [folder.name for folder in _folders(synset)]
            border = int(len(models) * TRAIN)
            chosen = models[:border] if split == "train" else models[border:]
            self.names += chosen
            self.categories += [synset.name] * len(chosen)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> ObjectViews:
        """Read an object.

        Raises:
            InputError: a file is missing or broken.
        """
        category, name = self.categories[index], self.names[index]
        grid = read_binvox(self._root / "ShapeNetVox32" / category / name / "model.binvox")
        folder = self._root / "ShapeNetRendering" / category / name / "rendering"
        table = folder / "rendering_metadata.txt"
        with reading(table):
            rows = torch.from_numpy(np.loadtxt(table, ndmin=2))
            if rows.shape[1] != 5 or len(rows) == 0:
                raise InputError(f"{table} must have rows of 5 numbers, got shape {tuple(rows.shape)}")
        files = [folder / f"{i:02d}.png" for i in range(len(rows))]
        with reading(folder):
            pictures, masks = read_pictures(files, [None] * len(files), advice="they come as RGBA")
        height, width = masks.shape[1:]
        with reading(table):
            cameras = _cameras(rows, grid, width, height)
        filled = np.flip(grid.filled.transpose(2, 1, 0), axis=0)  # our x is ShapeNet's -z, our z its x
        return ObjectViews(
            name, category, pack_rgba(pictures, masks), cameras, voxels=torch.from_numpy(filled.copy())
        )


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir())


def _cameras(rows: torch.Tensor, grid: Binvox, width: int, height: int) -> Camera:
    """Cameras in the frame of the grid's cube, batch shape (V,)."""
    azimuth, elevation, roll, distance, _ = rows.unbind(-1)
    orbit = Camera.orbit(
        DISTANCE * distance, elevation, -azimuth, fov_y=30.0, width=width, height=height
    )  # for its pose only
    cos, sin = torch.deg2rad(roll).cos(), torch.deg2rad(roll).sin()
    turn = torch.eye(4, dtype=torch.float64).repeat(len(rows), 1, 1)
    turn[:, 0, 0], turn[:, 0, 1], turn[:, 1, 0], turn[:, 1, 1] = cos, sin, -sin, cos
    pose = turn @ orbit.world_to_camera
    # a point p of the object's frame is scale p + middle in ShapeNet's turned frame
    x, y, z = (grid.translate + grid.scale / 2).tolist()
    middle = torch.tensor([-z, y, x], dtype=torch.float64)
    pose[:, :3, 3] = (pose[:, :3, :3] @ middle + pose[:, :3, 3]) / grid.scale
    focal = FOCAL * width
    intrinsics = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    return Camera(pose.float(), intrinsics, width, height)
