"""Which objects, views and random numbers belong to a step: pure functions of the seed and the step.

So a training that goes on after an interruption, and one that is shared by several processes, see what an
uninterrupted one in one process would have seen.
"""

from __future__ import annotations

import functools
import hashlib

import torch
from torch import Tensor

from ...errors import InputError


def mixed_seed(*parts: int | str) -> int:
    """A seed from several numbers and names; unlike sums, different parts give unrelated seeds."""
    digest = hashlib.sha256("/".join(str(part) for part in parts).encode()).digest()
    return int.from_bytes(digest[:7], "little")


def generator_of(*parts: int | str) -> torch.Generator:
    """A generator that :func:`mixed_seed` seeds."""
    return torch.Generator().manual_seed(mixed_seed(*parts))


def draw_step(
    seed: int, step: int, *, objects: int, views: int, batch_size: int, views_each: int
) -> tuple[Tensor, Tensor]:
    """The objects of a step, and the views of each.

    Every object comes once in a round of ``objects`` draws; each round has an order of its own, and rounds
    follow each other without regard to where steps begin. The views of an object differ from each other.

    Args:
        seed: of the training.
        step: counted from 0.
        objects: size of the data set.
        views: pictures that each object has.
        batch_size: B, over all processes.
        views_each: K, pictures of an object.

    Returns:
        Objects (B,) and views (B, K), int64.

    Raises:
        InputError: there are no objects, or fewer views than are asked for.
    """
    if objects < 1:
        raise InputError("the data set must have at least one object, got none")
    if views_each > views:
        raise InputError(f"views must be at most {views}, the pictures that an object has, got {views_each}")
    draws = [divmod(step * batch_size + row, objects) for row in range(batch_size)]
    chosen = torch.stack([_round(seed, number, objects)[place] for number, place in draws])
    scores = torch.rand(batch_size, views, generator=generator_of(seed, "views", step))
    return chosen, scores.argsort(1)[:, :views_each]


def rows_of(batch_size: int, rank: int, processes: int) -> range:
    """The rows of a step's batch that fall to one of several processes.

    Raises:
        InputError: the processes do not divide the batch.
    """
    if batch_size % processes:
        raise InputError(
            f"batch_size must be a multiple of {processes}, the number of processes, got {batch_size}"
        )
    share = batch_size // processes
    return range(rank * share, (rank + 1) * share)


@functools.lru_cache(maxsize=4)
def _round(seed: int, number: int, objects: int) -> Tensor:
    return torch.randperm(objects, generator=generator_of(seed, "round", number))
