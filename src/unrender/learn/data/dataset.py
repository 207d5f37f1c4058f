"""Data sets of objects: what each of them offers, and opening one in whichever format it is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ...errors import InputError
from .object_views import ObjectViews


class ObjectDataset(Protocol):
    """Objects that are read one by one.

    Attributes:
        names: one an object.
        categories: one an object.
    """

    names: list[str]
    categories: list[str]

    def __len__(self) -> int:
        """Number of objects."""
        ...

    def __getitem__(self, index: int) -> ObjectViews:
        """Read an object.

        Raises:
            InputError: its files are missing or broken; the message names the file.
        """
        ...


class OfCategories:
    """The objects of a data set that are of some categories.

    Args:
        dataset: the whole.
        categories: those to keep.

    Raises:
        InputError: the data set has no object of one of them.
    """

    def __init__(self, dataset: ObjectDataset, categories: Sequence[str]) -> None:
        unknown = sorted(set(categories) - set(dataset.categories))
        if unknown:
            raise InputError(
                f"categories must be some of {sorted(set(dataset.categories))}, got {unknown[0]!r}"
            )
        self._dataset = dataset
        self._places = [i for i, category in enumerate(dataset.categories) if category in categories]
        self.names = [dataset.names[i] for i in self._places]
        self.categories = [dataset.categories[i] for i in self._places]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> ObjectViews:
        return self._dataset[self._places[index]]


def open_dataset(
    path: str | os.PathLike[str], split: str = "train", categories: Sequence[str] | None = None
) -> ObjectDataset:
    """Open a data set in whichever of the known formats the folder holds.

    Tried in this order:

    1. WebDataset shards: ``dataset.json`` and ``shard-000000.tar`` (:mod:`unrender.learn.data.shards`);
    2. N3MR and SoftRas: ``CATEGORY_SPLIT_images.npz`` (:mod:`.loaders.n3mr_npz`);
    3. CUB-200-2011 with the annotations of CMR: ``cachedir/cub`` (:mod:`.loaders.cub`);
    4. PASCAL3D+ with the annotations of CMR: ``cachedir/p3d`` (:mod:`.loaders.pascal3d`);
    5. the ShapeNet renderings of Choy et al.: ``ShapeNetRendering`` (:mod:`.loaders.choy`);
    6. DVR's ``NMR_Dataset``: ``CATEGORY/softras_SPLIT.lst`` or ``CATEGORY/SPLIT.lst``
       (:mod:`.loaders.nmr_tree`);
    7. pictures, or view sets, in the folder or in one folder a category (:mod:`.loaders.picture_folder`).

    The classes behind them have options that this function leaves at their defaults.

    Args:
        path: the folder.
        split: train, val or test, as far as the data set has them.
        categories: read only objects of these; None reads all.

    Returns:
        The objects. Opening reads lists of names; pictures are read when an object is asked for.

    Raises:
        InputError: the folder is not there, holds none of the formats, or has no such split or category.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"{root} is not a folder")
    dataset = _open(root, split)
    return dataset if categories is None else OfCategories(dataset, categories)


def _open(root: Path, split: str) -> ObjectDataset:
    from .loaders import choy, cub, n3mr_npz, nmr_tree, pascal3d, picture_folder

    if (root / "dataset.json").is_file():
        from .shards import Shards

        return Shards(root, split=split)
    if n3mr_npz.matches(root):
        return n3mr_npz.N3MRArchives(root, split=split)
    if cub.matches(root):
        return cub.CUB(root, split=split)
    if pascal3d.matches(root):
        return pascal3d.Pascal3D(root, split=split)
    if choy.matches(root):
        return choy.ChoyRenderings(root, split=split)
    if nmr_tree.matches(root):
        return nmr_tree.NMRTree(root, split=split)
    if picture_folder.matches(root):
        return picture_folder.PictureFolder(root, split=split)
    raise InputError(
        f"{root} is not a data set: expected shards (dataset.json), CATEGORY_SPLIT_images.npz, "
        "CMR's cachedir/cub or cachedir/p3d, ShapeNetRendering, CATEGORY/softras_SPLIT.lst or "
        "CATEGORY/SPLIT.lst, or pictures or view sets in the folder or its sub-folders"
    )
