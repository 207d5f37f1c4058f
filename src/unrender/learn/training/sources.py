"""The data of a training: several data sets as one, and the objects that are validated on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...errors import InputError
from ..data.object_views import ObjectViews
from ..data.packed_views import PackedViews
from .lazy_views import LazyViews
from .sampler import generator_of

if TYPE_CHECKING:
    from ..data.dataset import ObjectDataset
    from .options import TrainOptions


class ChosenObjects:
    """Some objects of some data sets, in a given order; an :class:`ObjectDataset` itself.

    Args:
        items: a data set and a place in it, for each object.
    """

    def __init__(self, items: Sequence[tuple[ObjectDataset, int]]) -> None:
        self.items = list(items)
        self.names = [dataset.names[place] for dataset, place in self.items]
        self.categories = [dataset.categories[place] for dataset, place in self.items]

    @staticmethod
    def all_of(datasets: Sequence[ObjectDataset]) -> ChosenObjects:
        """Every object of several data sets, one set after the other."""
        return ChosenObjects([(dataset, place) for dataset in datasets for place in range(len(dataset))])

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> ObjectViews:
        dataset, place = self.items[index]
        return dataset[place]


def training_views(
    options: TrainOptions, progress: Callable[[int, int], None] | None = None
) -> PackedViews | LazyViews:
    """The objects that a training learns from.

    Args:
        options: of the training.
        progress: called with the number of objects read and in all.

    Raises:
        InputError: a data set cannot be read, or they do not fit together.
    """
    objects = _opened(options, options.data, "train")
    crop = options.config.size if options.config.crop else None
    depth = getattr(options.config, "depth_weight", 0.0) > 0
    light = getattr(options.config, "light_weight", 0.0) > 0
    if options.lazy:
        return LazyViews(objects, crop=crop, depth=depth, light=light)
    return PackedViews.load(objects, crop=crop, depth=depth, light=light, progress=progress)


def validation_views(options: TrainOptions) -> PackedViews | None:
    """The objects that a training validates on: a choice at random that depends on the data alone.

    None for a training that never validates.

    Raises:
        InputError: a data set cannot be read, or they do not fit together.
    """
    if options.validate_every == 0:
        return None
    paths, split = options.validation_data or options.data, options.validation_split
    objects = _opened(options, paths, split)
    if len(objects) == 0:
        raise InputError(
            f"the split {split} of {', '.join(map(str, paths))} is empty: give --validation-data and "
            "--validation-split, or --validate-every 0"
        )
    order = torch.randperm(len(objects), generator=generator_of("validation", len(objects)))
    chosen = sorted(order[: options.validation_objects].tolist())
    crop = options.config.size if options.config.crop else None
    return PackedViews.load(ChosenObjects([objects.items[place] for place in chosen]), crop=crop)


def _opened(options: TrainOptions, paths: Sequence[Path], split: str) -> ChosenObjects:
    from ..data.dataset import open_dataset

    categories = options.categories or None
    return ChosenObjects.all_of([open_dataset(path, split, categories) for path in paths])
