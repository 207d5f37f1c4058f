"""Batches by the number of their step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..data.augment import augment
from ..data.packed_views import PackedViews
from ..predictor import Batch
from .lazy_views import LazyViews
from .sampler import draw_step, generator_of, rows_of

if TYPE_CHECKING:
    from .options import TrainOptions

AHEAD = 4  # batches that each worker prepares before they are asked for


class StepBatches(Dataset[Batch]):
    """The batch of each step, or what falls to one of several processes of it.

    Each row has random numbers of its own for the augmentation, so that it looks the same in whichever
    process it falls to.

    Args:
        source: pictures.
        options: of the training.
        rank: number of the process.
        processes: how many there are.

    Raises:
        InputError: the processes do not divide the batch, or objects have fewer views than a step needs.
    """

    def __init__(
        self, source: PackedViews | LazyViews, options: TrainOptions, *, rank: int = 0, processes: int = 1
    ) -> None:
        self.source = source
        self.options = options
        self.rows = rows_of(options.batch_size, rank, processes)
        self.draw(0)

    def draw(self, step: int) -> tuple[Tensor, Tensor]:
        """Objects (B,) and views (B, K) of this process in a step."""
        options = self.options
        objects, views = draw_step(
            options.seed,
            step,
            objects=len(self.source),
            views=self.source.views,
            batch_size=options.batch_size,
            views_each=options.views,
        )
        here = slice(self.rows.start, self.rows.stop)
        return objects[here], views[here]

    def __len__(self) -> int:
        return self.options.steps

    def __getitem__(self, step: int) -> Batch:
        batch = self.source.batch(*self.draw(step))
        change = self.options.augment
        if change is None:
            return batch
        changed = [
            augment(batch[i : i + 1], change, generator_of(self.options.seed, "augment", step, row))
            for i, row in enumerate(self.rows)
        ]
        return Batch.join(changed)


class TimedLoader:
    """Batches from a step on, and the time that was spent waiting for them.

    Args:
        batches: by step.
        start: the first step.
        workers: processes that prepare batches ahead.

    Attributes:
        waited: seconds, over the ``count`` batches so far.
    """

    def __init__(self, batches: StepBatches, *, start: int, workers: int) -> None:
        ahead: dict[str, Any] = {}
        if workers:
            # spawned, because a forked process inherits the locks of Warp's and torch's threads
            ahead = {"prefetch_factor": AHEAD, "multiprocessing_context": "spawn"}
        steps = range(start, len(batches))
        self.loader = DataLoader(batches, batch_size=None, sampler=steps, num_workers=workers, **ahead)
        self.waited = 0.0
        self.count = 0

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        batches = iter(self.loader)
        while True:
            begin = time.perf_counter()
            batch = next(batches, None)
            if batch is None:
                return
            self.waited += time.perf_counter() - begin
            self.count += 1
            yield batch
