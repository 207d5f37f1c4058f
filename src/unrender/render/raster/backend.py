"""Which implementation of an operation runs: Warp kernels or the PyTorch reference."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ...errors import InputError

Backend = Literal["auto", "warp", "torch"]


def use_warp(backend: Backend, tensor: Tensor) -> bool:
    """Whether ``tensor`` goes to the Warp kernels.

    ``"auto"`` takes Warp for float32 on CPU and CUDA, and the reference for float64 and for devices
    that Warp does not know (Apple MPS, AMD).

    Raises:
        InputError: unknown backend, or Warp asked for a tensor it cannot take.
    """
    if backend not in ("auto", "warp", "torch"):
        raise InputError(f"backend must be 'auto', 'warp' or 'torch', got {backend!r}")
    able = (
        tensor.dtype == torch.float32 and tensor.device.type in ("cpu", "cuda") and torch.version.hip is None
    )
    if backend == "warp" and not able:
        raise InputError(
            f"backend 'warp' takes float32 on CPU or CUDA, got {tensor.dtype} on {tensor.device}; "
            "use backend 'torch'"
        )
    return able and backend != "torch"
