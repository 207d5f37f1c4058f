"""A pose as a file."""

from __future__ import annotations

import json
import os
from typing import Any

from ..io.files import write_file
from .job import PoseCandidate, PoseResult

CONVENTION = (
    "A world point p, in the coordinates of the mesh file, is c = R p + t in camera space, with R and t the "
    "upper rows of world_to_camera; axes are OpenCV's: x right, y down, z forward. It falls on the pixel "
    "position (x, y) with intrinsics @ c = z (x, y, 1), from (0, 0) at the upper left corner of the picture "
    "to (width, height); pixel centres lie at + 0.5."
)


def save_pose(result: PoseResult, path: str | os.PathLike[str], **more: Any) -> None:
    """Write a pose and its runners-up as JSON.

    The file holds ``world_to_camera`` (4, 4), ``intrinsics`` (3, 3) [pixels], ``width``, ``height``,
    ``mask_iou``, ``color_error`` (null without colours), ``discrepancy``, ``runners_up`` (a list of the same,
    each with ``degrees_from_best``), ``seconds`` and ``convention``.

    Args:
        result: what :func:`unrender.pose.estimate_pose` returned.
        path: the file.
        **more: further entries, as JSON takes them.
    """
    best, *others = result.candidates
    entries = {
        "convention": CONVENTION,
        "width": best.camera.width,
        "height": best.camera.height,
        **_entries(best),
        "runners_up": [{**_entries(other), "degrees_from_best": other.turned} for other in others],
        "seconds": result.seconds,
        **more,
    }
    write_file(path, (json.dumps(entries, indent=1) + "\n").encode())


def _entries(candidate: PoseCandidate) -> dict[str, Any]:
    return {
        "world_to_camera": candidate.camera.world_to_camera.tolist(),
        "intrinsics": candidate.camera.intrinsics.tolist(),
        "mask_iou": candidate.mask_iou,
        "color_error": candidate.color_error,
        "discrepancy": candidate.discrepancy,
    }
