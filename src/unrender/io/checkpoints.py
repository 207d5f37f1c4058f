"""Files that interrupted work goes on from."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from .files import write_file

_FORMAT = 1


def save_checkpoint(path: Path, state: Mapping[str, Any], fingerprint: Mapping[str, Any]) -> None:
    """Write a state so that an interrupted write leaves the last one whole.

    Args:
        path: the file.
        state: tensors and plain values by name.
        fingerprint: what has to be the same for the work to go on.
    """
    stream = io.BytesIO()
    saved = {"format": _FORMAT, "fingerprint": dict(fingerprint), "state": dict(state)}
    torch.save(saved, stream)
    write_file(path, stream.getvalue())


def load_checkpoint(
    path: Path, fingerprint: Mapping[str, Any], *, work: str, device: str | None = None
) -> dict[str, Any]:
    """Read what :func:`save_checkpoint` wrote.

    Args:
        path: the file.
        fingerprint: of the work that is to go on.
        work: what it is called in messages, such as ``fit``.
        device: where tensors go; where they were when None.

    Raises:
        InputError: the file is missing or broken, of another version, or of other work.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint to resume from at {path}; leave --resume out to start anew")
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise InputError(f"{path} is not a readable checkpoint: {error}") from error
    if saved.get("format") != _FORMAT:
        raise InputError(f"{path} has checkpoint format {saved.get('format')}, this version reads {_FORMAT}")
    for name, value in fingerprint.items():
        before = saved["fingerprint"].get(name)
        if before != value:
            raise InputError(
                f"{path} belongs to another {work}: {name} was {before}, now {value}; "
                "leave --resume out to start anew"
            )
    return saved["state"]
