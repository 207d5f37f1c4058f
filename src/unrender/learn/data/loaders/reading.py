"""Reading files that may be broken: every failure names the file."""

from __future__ import annotations

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ....errors import InputError

# what Pillow, NumPy and zipfile raise on files that are cut off or have wrong bytes
BROKEN = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    KeyError,
    NotImplementedError,  # a compression that zipfile does not know
    zipfile.BadZipFile,
    zlib.error,
)


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside into an InputError that names ``path``.

    Raises:
        InputError: something went wrong.
    """
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
    except BROKEN as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a NumPy archive.

    Raises:
        InputError: the file is missing or broken.
    """
    with reading(file), file.open("rb") as stream, np.load(stream) as stored:
        return {name: stored[name] for name in stored.files}


def read_names(file: Path) -> list[str]:
    """The names that a list holds, one a line.

    Raises:
        InputError: the file is missing or not text.
    """
    with reading(file):
        lines = file.read_text(encoding="utf-8").splitlines()
        return [line.strip() for line in lines if line.strip()]


def pack_rgba(pictures: Tensor, masks: Tensor) -> Tensor:
    """Pictures as :class:`~unrender.learn.data.object_views.ObjectViews` holds them.

    Args:
        pictures: colours in [0, 1], shape (V, H, W, 3).
        masks: alpha in [0, 1], shape (V, H, W).

    Returns:
        Bytes, black where alpha is 0, shape (V, H, W, 4).
    """
    rgba = (torch.cat([pictures, masks[..., None]], dim=-1) * 255).round().to(torch.uint8)
    return rgba * (rgba[..., 3:] > 0)
