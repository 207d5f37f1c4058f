"""``.binvox`` files: solids on a grid of cells, with run lengths."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from ....errors import InputError
from .reading import reading


@dataclasses.dataclass(frozen=True)
class Binvox:
    """A grid of cells and where it stands.

    Attributes:
        filled: cell [i, j, k] is the i-th along x, j-th along y and k-th along z, bool, shape (S, S, S).
        translate: corner of the grid that has the smallest coordinates, shape (3,).
        scale: length of the grid's sides.
    """

    filled: np.ndarray
    translate: np.ndarray
    scale: float


def read_binvox(file: Path) -> Binvox:
    """Read a grid.

    A header of text, ``#binvox``, ``dim S S S``, ``translate X Y Z``, ``scale L``, ``data``, stands before
    pairs of bytes: a value and how many cells have it, y fastest, then z, then x.

    Raises:
        InputError: the file is missing, broken, or not of this form.
    """
    with reading(file):
        content = file.read_bytes()
        header, mark, runs = content.partition(b"\ndata\n")
        if not header.startswith(b"#binvox") or not mark:
            raise InputError("it must start with #binvox and have a line that says data")
        rows = [line.split() for line in header.decode("ascii").splitlines()[1:]]
        fields = {row[0]: [float(number) for number in row[1:]] for row in rows if row}
        dim, translate, scale = fields["dim"], fields["translate"], fields["scale"]
        if len(dim) != 3 or len(set(dim)) != 1 or len(translate) != 3 or len(scale) != 1 or scale[0] <= 0:
            raise InputError(
                f"dim must be three equal sizes, translate three numbers, scale one, got {fields}"
            )
        size = int(dim[0])
        values, counts = np.frombuffer(runs, dtype=np.uint8).reshape(-1, 2).T
        if int(counts.sum()) != size**3:
            raise InputError(f"it must have {size}^3 = {size**3} cells, got {int(counts.sum())}")
        cells = np.repeat(values > 0, counts).reshape(size, size, size)
        return Binvox(cells.transpose(0, 2, 1), np.array(translate), scale[0])
