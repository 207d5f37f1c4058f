"""Progress on stderr: bars on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..progress import Progress

LINE_EVERY = 10.0  # seconds, where there is no terminal

Count = Callable[[int, int], None]


@contextmanager
def progress_display(first: str) -> Iterator[Callable[[Progress], None]]:
    """Shows the progress of an optimisation, whose first stage is called ``first``."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield StepLines()
        return
    from rich.progress import (
        BarColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:11}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Bars(*columns, console=console, transient=True) as bar:
        task = bar.add_task(first, total=1.0, loss="-")

        reading = False

        def show(progress: Progress) -> None:
            nonlocal reading
            if reading and progress.loss is not None:
                bar.reset(task)
            reading = progress.loss is None
            bar.update(task, completed=progress.done, description=progress.stage, loss=loss_text(progress))

        yield show


class StepLines:
    """Progress of an optimisation as lines of text."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()
        self.begun: float | None = (
            None  # share that was done at the first step, where a checkpoint was resumed
        )

    def __call__(self, progress: Progress) -> None:  # noqa: D102
        now = time.monotonic()
        if progress.loss is None:  # what comes before the first step says nothing of the time they take
            self.start, self.begun = now, None
            if now - self.last >= LINE_EVERY:
                self.last = now
                sys.stderr.write(f"{progress.stage}: {progress.done:.0%}\n")
            return
        self.begun = progress.done if self.begun is None else self.begun
        if now - self.last < LINE_EVERY or progress.done == self.begun:
            return
        self.last = now
        left = (now - self.start) * (1 - progress.done) / (progress.done - self.begun)
        sys.stderr.write(
            f"{progress.stage}: {progress.done:.0%}, loss {loss_text(progress)}, "
            f"{clock(now - self.start)} elapsed, {clock(left)} left\n"
        )


def loss_text(progress: Progress) -> str:
    """The loss, or a dash where there is none."""
    return "-" if progress.loss is None else f"{progress.loss:.4f}"


def clock(seconds: float) -> str:
    """Minutes and seconds, as ``1:05``."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


@contextmanager
def counting() -> Iterator[Callable[[str], Count]]:
    """Gives a display for each named stretch of work, which takes numbers of objects: done, and in all."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _CountLines
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:16}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Bars(*columns, console=console, transient=True) as bar:

        def begin(name: str) -> Count:
            task = bar.add_task(name, total=None)
            return lambda done, total: bar.update(task, completed=done, total=total)

        yield begin


class _CountLines:
    """Progress of one stretch of work as lines of text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if time.monotonic() - self.last >= LINE_EVERY:
            self.last = time.monotonic()
            sys.stderr.write(f"{self.name}: {done} of {total} objects\n")
