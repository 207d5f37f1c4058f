"""Lights and cameras as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..fit.report import SH_CONVENTION, SH_ORDER
from ..io import load_views
from ..learn.data.light_record import FIELDS, LightRecord
from ..render import Camera

CAMERA_CONVENTION = (
    "A point p of the object, which stands upright along +Y with its front towards +Z and has sides of up to "
    "about 1, is c = R p + t in camera space, with R and t the upper rows of world_to_camera; axes are "
    "OpenCV's: x right, y down, z forward. It falls on the pixel position (x, y) with intrinsics @ c = "
    "z (x, y, 1), from (0, 0) at the upper left corner of the picture to (width, height)."
)
BEAM_CONVENTION = (
    "direction points from the object (front +Z, up +Y) towards the light; a surface of normal n shows "
    "texture * (ambient + diffuse max(n . direction, 0)) + specular max(r . v, 0)^shininess, r the mirrored "
    "direction of the light and v that of the eye"
)


def camera_entries(camera: Camera) -> dict[str, Any]:
    """What a camera's file holds: convention, width, height, world_to_camera, intrinsics and near.

    Args:
        camera: without batch dimensions.
    """
    return {
        "convention": CAMERA_CONVENTION,
        "width": camera.width,
        "height": camera.height,
        "world_to_camera": camera.world_to_camera.tolist(),
        "intrinsics": camera.intrinsics.tolist(),
        "near": camera.near,
    }


def light_entries(light: LightRecord) -> dict[str, Any]:
    """What a light's file holds: its kind, its fields, and what they mean.

    Args:
        light: without batch dimensions.
    """
    entries: dict[str, Any] = {"kind": light.kind}
    if light.kind == "harmonics":
        entries |= {"order": SH_ORDER, "convention": SH_CONVENTION}
    elif light.kind != "none":
        entries["convention"] = BEAM_CONVENTION
    return entries | {name: getattr(light, name).tolist() for name in FIELDS[light.kind]}


def load_lights(paths: list[Path]) -> LightRecord:
    """Read files of :func:`light_entries`, all of one kind, as a record of batch shape (N,).

    Raises:
        InputError: a file is missing, is no light, or is of another kind than the first.
    """
    lights: list[LightRecord] = []
    for path in paths:
        entries = _read(path)
        kind = entries.get("kind")
        if kind not in FIELDS:
            raise InputError(f"{path} holds no light of kind {', '.join(FIELDS)}, got {kind!r}")
        if lights and kind != lights[0].kind:
            raise InputError(f"lights must be of one kind: {paths[0]} is {lights[0].kind}, {path} is {kind}")
        try:
            fields = {name: torch.tensor(entries[name], dtype=torch.float32) for name in FIELDS[kind]}
            lights.append(LightRecord(kind, **fields))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a light of kind {kind}: {error}") from error
    kind = lights[0].kind
    return LightRecord(
        kind, **{name: torch.stack([getattr(light, name) for light in lights]) for name in FIELDS[kind]}
    )


def load_cameras(path: str | os.PathLike[str]) -> Camera:
    """Read cameras: a file of :func:`camera_entries`, or any view set (:func:`unrender.io.load_views`).

    Returns:
        Batch shape (N,), float32.

    Raises:
        InputError: the path is neither.
    """
    path = Path(path)
    entries = _read(path) if path.suffix == ".json" else {}
    if "world_to_camera" not in entries:
        return load_views(path).cameras
    try:
        pose, intrinsics = (
            torch.tensor(entries[name], dtype=torch.float32)[None]
            for name in ("world_to_camera", "intrinsics")
        )
        return Camera(pose, intrinsics, entries["width"], entries["height"], near=entries.get("near", 1e-2))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a camera: {error!r}") from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"{path} does not exist")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(entries, dict):
        raise InputError(f"{path} must hold an object, got {type(entries).__name__}")
    return entries
