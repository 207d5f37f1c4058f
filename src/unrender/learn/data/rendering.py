"""Rendering a training set: the job, in parallel processes, resumable, spread over machines."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any, Literal

import torch

from ...errors import InputError
from ...io.files import write_file
from .blocks import Block, Captured, Writer, split_into_blocks
from .capture import CaptureOptions, capture
from .npz_writer import NpzWriter
from .object_views import ObjectViews
from .shards import ShardWriter
from .sources import MeshSource
from .tree_writer import TreeWriter

RECORD = "render.json"
Format = Literal["tree", "npz", "shards"]


@dataclasses.dataclass(frozen=True)
class RenderingProgress:
    """How far a job is.

    Attributes:
        objects: objects of this machine that are dealt with.
        total: objects of this machine.
        skipped: broken ones among them.
    """

    objects: int
    total: int
    skipped: int


@dataclasses.dataclass(frozen=True)
class RenderingReport:
    """What a job did.

    Attributes:
        rendered: objects that were written now.
        kept: objects that were there already.
        skipped: why meshes were left out, by ``category/name``.
    """

    rendered: int
    kept: int
    skipped: dict[str, str]


def render_dataset(
    sources: Sequence[MeshSource],
    root: str | os.PathLike[str],
    options: CaptureOptions,
    *,
    format: Format = "tree",
    workers: int = 1,
    machine: tuple[int, int] = (0, 1),
    progress: Callable[[RenderingProgress], None] | None = None,
) -> RenderingReport:
    """Picture meshes and store them as a training set.

    What a former call with the same arguments has stored is kept, also when it was killed. With several
    machines, each renders its share into the same folder (or into folders that are then put together), and a
    last call without ``machine`` completes the set: lists of names, joined archives. Broken meshes are left
    out and named in the report; the files are the same for any number of workers and machines.

    Args:
        sources: from :func:`~unrender.learn.data.sources.find_meshes`.
        root: folder to write.
        options: how each object is pictured.
        format: folders (:mod:`.tree_writer`), archives of N3MR and SoftRas (:mod:`.npz_writer`), or
            WebDataset shards (:mod:`.shards`).
        workers: processes; 1 renders in this one.
        machine: number of this machine, from 0, and how many there are.
        progress: called after each block of objects.

    Raises:
        InputError: an argument is out of range, the format cannot hold such pictures, ``root`` holds a set
            made with other options or, where the format cannot be extended, of other meshes; or a worker
            process died.
    """
    index, machines = machine
    if workers < 1:
        raise InputError(f"workers must be at least 1, got {workers}")
    if not 0 <= index < machines:
        raise InputError(f"the machine must be 0 to N - 1 of N, got {index} of {machines}")
    root = Path(root)
    writer = make_writer(format, root, options)
    blocks = split_into_blocks(sources, writer)
    _require_same_job(root, format, options, sources if writer.fixed else None)

    mine = blocks[index::machines]
    total = sum(len(block.sources) for block in mine)
    skipped: dict[str, str] = {}
    missing, kept, done = [], 0, 0
    for block in mine:
        problems = writer.problems(block)
        if problems is None:
            missing.append(block)
        else:
            skipped |= problems
            kept += len(block.sources) - len(problems)
            done += len(block.sources)

    def show() -> None:
        if progress is not None:
            progress(RenderingProgress(done, total, len(skipped)))

    show()
    with contextlib.closing(_render(missing, writer, options, workers)) as results:
        for block, problems in results:
            skipped |= problems
            done += len(block.sources)
            show()
    if machines == 1:
        writer.finish(blocks)
    return RenderingReport(total - kept - len(skipped), kept, dict(sorted(skipped.items())))


def make_writer(format: Format, root: Path, options: CaptureOptions) -> Writer:
    """The writer of a format.

    Raises:
        InputError: the format cannot hold such pictures.
    """
    if format == "npz":
        return NpzWriter(root, options)
    return ShardWriter(root) if format == "shards" else TreeWriter(root, options)


def _render(
    blocks: Sequence[Block], writer: Writer, options: CaptureOptions, workers: int
) -> Generator[tuple[Block, dict[str, str]]]:
    """Blocks as they are stored, and why meshes were left out."""
    if workers == 1:
        for block in blocks:
            yield block, _render_block(block, writer, options)
        return
    pool = concurrent.futures.ProcessPoolExecutor(
        min(workers, max(1, len(blocks))), multiprocessing.get_context("spawn"), _start_worker
    )
    try:
        futures = {pool.submit(_render_block, block, writer, options): block for block in blocks}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise InputError(
            "a worker process died, perhaps for want of memory; the same command with fewer workers goes on"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Compute with one thread, leave Ctrl-C to the parent process, and end when that is gone."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _render_block(block: Block, writer: Writer, options: CaptureOptions) -> dict[str, str]:
    problems: dict[str, str] = {}

    def captured() -> Iterator[Captured]:
        for source in block.sources:
            views = _capture(source, options)
            if isinstance(views, str):
                problems[source.label] = views
            yield source, views

    writer.write(block, captured())
    return problems


def _capture(source: MeshSource, options: CaptureOptions) -> ObjectViews | str:
    try:
        return capture(source.load(), source.name, source.category, options)
    except InputError as error:
        return str(error)


def _require_same_job(
    root: Path, format: Format, options: CaptureOptions, sources: Sequence[MeshSource] | None
) -> None:
    """Record what ``root`` is to hold, or compare it with the record."""
    job: dict[str, Any] = {"format": format, **dataclasses.asdict(options)}
    if sources is not None:
        labels = "\n".join(f"{source.split}/{source.label}" for source in sources)
        job["meshes"] = hashlib.sha256(labels.encode()).hexdigest()
    file = root / RECORD
    if not file.is_file():
        write_file(file, json.dumps(job, indent=1).encode())
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not readable JSON: {error}") from error
    for name, value in job.items():
        if before.get(name) != value:
            what = "meshes" if name == "meshes" else f"{name} {before.get(name)}, not {value}"
            raise InputError(f"{root} was begun with other {what}; finish that, or give another folder")
