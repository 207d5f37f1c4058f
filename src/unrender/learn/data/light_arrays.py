"""Lights as named arrays: what ``lights.npz`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .light_record import FIELDS, LightRecord


def light_arrays(lights: LightRecord) -> dict[str, Any]:
    """``kind``, a word, and the fields that this kind of light has, float32, shape (V, ...)."""
    fields = {name: getattr(lights, name).numpy() for name in FIELDS[lights.kind]}
    return {"kind": np.array(lights.kind), **fields}


def lights_from_arrays(arrays: Mapping[str, NDArray]) -> LightRecord:
    """The inverse of :func:`light_arrays`.

    Raises:
        InputError: ``kind`` is missing or unknown, or a field that it needs is missing or of another shape.
    """
    kind = str(arrays["kind"]) if "kind" in arrays else "missing"
    fields = {name: torch.from_numpy(arrays[name]) for name in FIELDS.get(kind, ()) if name in arrays}
    return LightRecord(kind, **fields)  # type: ignore[arg-type]  # which checks the kind
