"""The pieces in which a training set is rendered and stored."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol

from .object_views import ObjectViews
from .sources import MeshSource

Captured = tuple[MeshSource, ObjectViews | str]
"""A mesh and its pictures, or what is wrong with it."""


@dataclasses.dataclass(frozen=True)
class Block:
    """Objects of one split that are rendered by one process and stored together.

    Attributes:
        index: number of the block in the whole set.
        sources: its meshes.
    """

    index: int
    sources: tuple[MeshSource, ...]


class Writer(Protocol):
    """Stores blocks, each whole or not at all, so that an interrupted job can be resumed.

    Attributes:
        block_size: objects of a block, at most.
        one_category: whether a block holds objects of one category only.
        fixed: whether blocks are parts of a whole to which no mesh can be added.
    """

    block_size: int
    one_category: bool
    fixed: bool

    def problems(self, block: Block) -> dict[str, str] | None:
        """Why meshes of a stored block were left out, by label; None if the block is not stored."""
        ...

    def write(self, block: Block, captured: Iterable[Captured]) -> None:
        """Store a block, leaving out broken meshes."""
        ...

    def finish(self, blocks: Sequence[Block]) -> None:
        """Do what is left to do when all blocks are stored."""
        ...


def split_into_blocks(sources: Sequence[MeshSource], writer: Writer) -> list[Block]:
    """Divide meshes, which are sorted by split and category, into the blocks of a writer."""
    blocks: list[Block] = []

    def together(source: MeshSource) -> tuple[str, str]:
        return source.split, source.category if writer.one_category else ""

    for _, group in itertools.groupby(sources, together):
        members = tuple(group)
        for start in range(0, len(members), writer.block_size):
            blocks.append(Block(len(blocks), members[start : start + writer.block_size]))
    return blocks
