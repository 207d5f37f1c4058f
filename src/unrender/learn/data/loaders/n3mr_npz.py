"""The ``mesh_reconstruction`` archives of Neural 3D Mesh Renderer, which SoftRas trains on as well.

::

    <root>/<category>_<split>_images.npz    one array, bytes (N, 24, 4, S, S): RGBA of N objects, 24 views
    <root>/<category>_<split>_voxels.npz    one array, bool (N, 32, 32, 32)
    <root>/<category>_<split>_names.json    N names; only ``unrender data render`` writes them

Colours are stored multiplied by alpha.

View i looks from elevation 30 and azimuth -15 i degrees (``n3mr_cameras``). The pictures stay as they are, so
the left-handed world of these data sets becomes ours with z negated
(:func:`~unrender.render.conventions.from_softras`). A grid is stored in the order (y, x, -z) of that world,
which is (y, x, z) of ours.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import torch

from ....errors import InputError
from ..capture import n3mr_cameras
from ..object_views import ObjectViews
from .reading import reading

VIEWS = 24


def matches(root: Path) -> bool:
    """Whether the folder holds such archives."""
    return any(root.glob("*_images.npz"))


class N3MRArchives:
    """Objects of the archives of one split.

    One category is held in memory at a time: read objects in order, or pack them
    (:class:`~unrender.learn.data.packed_views.PackedViews`).

    Args:
        path: the folder.
        split: train, val or test.
        inverted: colours are stored as 1 - colour, as N3MR's published script does before it multiplies
            them by alpha.

    Raises:
        InputError: there is no archive of this split, or one of them is broken at its start.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train", inverted: bool = False) -> None:
        self._ending = f"_{split}_images.npz"
        self._files = sorted(Path(path).glob(f"*{self._ending}"))
        if not self._files:
            raise InputError(f"{path} has no CATEGORY{self._ending}")
        self._inverted = inverted
        self._held: tuple[Path, np.ndarray, np.ndarray] | None = None
        self._broken: dict[Path, InputError] = {}
        self._places: list[tuple[Path, int]] = []
        self.names: list[str] = []
        self.categories: list[str] = []
        for file in self._files:
            with reading(file):
                count = _number_of_objects(file)
            category = file.name.removesuffix(self._ending)
            self._places += [(file, i) for i in range(count)]
            self.names += self._read_names(file, count)
            self.categories += [category] * count

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> ObjectViews:
        """Read an object.

        Raises:
            InputError: an archive of its category is missing, broken, or of another shape.
        """
        file, place = self._places[index]
        images, voxels = self._arrays(file)
        stored = torch.from_numpy(images[place]).permute(0, 2, 3, 1)
        alpha = stored[..., 3:]
        straight = (stored[..., :3] * (255 / alpha.clamp(min=1))).round().clamp(max=255).to(torch.uint8)
        if self._inverted:
            straight = 255 - straight
        return ObjectViews(
            self.names[index],
            self.categories[index],
            torch.cat([straight, alpha], dim=-1) * (alpha > 0),
            n3mr_cameras(VIEWS, stored.shape[2]),
            voxels=torch.from_numpy(voxels[place].transpose(1, 0, 2).copy()),
        )

    def _read_names(self, file: Path, count: int) -> list[str]:
        listed = file.with_name(file.name.removesuffix("images.npz") + "names.json")
        if not listed.is_file():
            return [f"{i:06d}" for i in range(count)]
        with reading(listed):
            names = json.loads(listed.read_text(encoding="utf-8"))
        if not isinstance(names, list) or len(names) != count:
            raise InputError(f"{listed} must list the names of the {count} objects of {file}")
        return [str(name) for name in names]

    def _arrays(self, file: Path) -> tuple[np.ndarray, np.ndarray]:
        """Images and voxels of a category; a broken archive is unpacked only once."""
        if file in self._broken:
            raise self._broken[file]
        if self._held is None or self._held[0] != file:
            self._held = None
            try:
                images = _first_array(file)
                voxels = _first_array(file.with_name(file.name.removesuffix("images.npz") + "voxels.npz"))
                _check(file, images, voxels)
            except InputError as error:
                self._broken[file] = error
                raise
            self._held = (file, images, voxels)
        return self._held[1:]


def _number_of_objects(file: Path) -> int:
    """The first size of the array, which stands before the compressed data."""
    with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as stream:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0
        shape, _, _ = (header if version == (1, 0) else np.lib.format.read_array_header_2_0)(stream)
    if len(shape) != 5:
        raise InputError(f"{file} must hold an array of shape (N, {VIEWS}, 4, S, S), got {shape}")
    return shape[0]


def _first_array(file: Path) -> np.ndarray:
    with reading(file), file.open("rb") as stream, np.load(stream) as stored:
        return stored[stored.files[0]]


def _check(file: Path, images: np.ndarray, voxels: np.ndarray) -> None:
    shape = images.shape
    if images.dtype != np.uint8 or shape[1:3] != (VIEWS, 4) or shape[3] != shape[4]:
        raise InputError(f"{file} must hold bytes (N, {VIEWS}, 4, S, S), got {images.dtype} {shape}")
    if voxels.dtype != np.bool_ or voxels.ndim != 4 or len(voxels) != len(images):
        raise InputError(
            f"the voxels beside {file} must be bool of shape ({len(images)}, S, S, S), "
            f"got {voxels.dtype} {voxels.shape}"
        )
