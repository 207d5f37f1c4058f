"""The ``--device`` option."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError

if TYPE_CHECKING:
    import torch


def pick_device(name: str) -> torch.device:
    """The device that an option names.

    Args:
        name: ``auto`` (the first CUDA device, or else the CPU), ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        InputError: there is no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or name.endswith(":"):
        raise InputError(f"--device must be auto, cpu, cuda or cuda:NUMBER, got {name}")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(f"--device must name one of {torch.cuda.device_count()} CUDA devices, got {name}")
    return torch.device(name)
