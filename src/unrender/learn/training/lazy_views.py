"""A data set's pictures, read when a batch needs them: for data sets larger than memory."""

from __future__ import annotations

import dataclasses
import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import InputError
from ..data.packed_views import PackedViews, pack
from ..predictor import Batch

if TYPE_CHECKING:
    from ..data.dataset import ObjectDataset


class LazyViews:
    """What training asks of :class:`~unrender.learn.data.packed_views.PackedViews`, without the memory.

    An object that cannot be read gives its place to the next one of the data set that can, with a warning;
    ``Batch.index`` says which objects a batch really has.

    Args:
        dataset: objects with cameras, all with pictures of one number and size.
        crop: sides of crops round the objects [pixels]; the whole pictures when None.
        depth: with depth, which every object must have.
        light: leave out objects whose light is not recorded, or of kind none.

    Attributes:
        names: of the objects.
        skipped: the objects that could not be read, as far as they were asked for.

    Raises:
        InputError: no object can be read.
    """

    def __init__(
        self, dataset: ObjectDataset, *, crop: int | None = None, depth: bool = False, light: bool = False
    ) -> None:
        self.dataset = dataset
        self.crop = crop
        self.depth = depth
        self.light = light
        self.names = list(dataset.names)
        self.skipped: list[str] = []
        self._warned: set[int] = set()
        _, first = self._readable(0)
        self.views = first.views

    def __len__(self) -> int:
        return len(self.dataset)

    def batch(self, objects: Tensor, views: Tensor) -> Batch:
        """Some pictures of some objects; see :meth:`PackedViews.batch`.

        Raises:
            InputError: objects have pictures of different number or size, or none can be read.
        """
        places, items = zip(*[self._readable(place) for place in objects.tolist()], strict=True)
        packed = PackedViews.join(list(items))
        if packed.views != self.views:
            raise InputError(f"all objects must have {self.views} pictures, got {packed.views}")
        batch = packed.batch(torch.arange(len(items)), views)
        return dataclasses.replace(batch, index=torch.tensor(places))

    def note_replaced(self, asked: Tensor, got: Tensor) -> None:
        """Count objects that a batch, maybe read by another process, has others in place of.

        Args:
            asked: the objects asked for, shape (B,).
            got: ``Batch.index``.
        """
        for place in asked[asked != got.cpu()].tolist():
            reason = f"{self.dataset.names[place]} cannot be read"
            if reason not in self.skipped:
                self.skipped.append(reason)

    def _readable(self, place: int) -> tuple[int, PackedViews]:
        """The first object from ``place`` on that can be read and cut out, and its place."""
        reason = "it is empty"
        for step in range(len(self.dataset)):
            here = (place + step) % len(self.dataset)
            try:
                return here, pack(self.dataset[here], crop=self.crop, depth=self.depth, light=self.light)
            except InputError as error:
                reason = str(error)
                if here not in self._warned:
                    self._warned.add(here)
                    warnings.warn(f"left out: {reason}", UserWarning, stacklevel=2)
        raise InputError(f"no object of the data set can be read: {reason}")
