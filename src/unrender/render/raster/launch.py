"""Launches Warp kernels on torch tensors: CPU threads, or torch's current CUDA stream.

Warp runs a CPU launch on one thread but releases the GIL while it does, so a launch is cut into chunks
over a thread pool. Kernels therefore take the chunk's first index as their first argument, and gather:
no two threads write the same place (Warp's CPU atomics are not atomic).
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
import warp as wp

_NO_DRIVER = b"Could not find or load the NVIDIA CUDA driver"


def _start_warp() -> None:
    """Start Warp without its line about a missing driver, which its native code always writes."""
    wp.config.log_level = wp.LOG_WARNING  # no banner
    if torch.cuda.is_available() or sys.stderr is None:  # then that line would be news, or not be seen
        wp.init()
        return
    with tempfile.TemporaryFile() as caught:
        stderr = os.dup(2)
        os.dup2(caught.fileno(), 2)
        try:
            wp.init()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            caught.seek(0)
            for line in caught:
                if _NO_DRIVER not in line:
                    os.write(2, line)


_start_warp()

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _pool(workers: int) -> ThreadPoolExecutor:
    key = (os.getpid(), workers)  # a forked child must not use its parent's threads
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(workers, thread_name_prefix="unrender")
    return _pools[key]


def as_warp(tensor: torch.Tensor, dtype: Any) -> Any:
    """A zero-copy view of a contiguous tensor as a kernel argument."""
    return wp.from_torch(tensor.detach(), dtype=dtype, return_ctype=True)


def launch(kernel: Any, count: int, inputs: Sequence[Any], device: torch.device, *, grain: int) -> None:
    """Run ``kernel(first, *inputs)`` for ``count`` indices.

    Args:
        kernel: a Warp kernel whose index is ``first + wp.tid()``.
        count: number of indices.
        inputs: the kernel's other arguments, from :func:`as_warp` or plain values.
        device: where the tensors are.
        grain: least number of indices worth a thread of their own on the CPU.
    """
    if count == 0:
        return
    if device.type == "cuda":
        stream = wp.stream_from_torch(torch.cuda.current_stream(device))
        wp.launch(kernel, dim=count, inputs=[0, *inputs], device=stream.device, stream=stream)
        return
    workers = torch.get_num_threads()
    chunks = min(4 * workers, count // grain) if workers > 1 else 1
    if chunks <= 1:
        wp.launch(kernel, dim=count, inputs=[0, *inputs], device="cpu")
        return
    kernel.module.load("cpu")  # once, before several threads would ask for it
    bounds = [count * i // chunks for i in range(chunks + 1)]

    def run(first: int, last: int) -> None:
        wp.launch(kernel, dim=last - first, inputs=[first, *inputs], device="cpu")

    futures = [_pool(workers).submit(run, a, b) for a, b in itertools.pairwise(bounds)]
    for future in futures:
        future.result()
