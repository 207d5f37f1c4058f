"""The camera pose of a known object from one picture or mask."""

from .job import PoseCandidate, PoseResult, estimate_pose
from .options import PoseOptions
from .symmetry import rotation_error, symmetry_rotations

__all__ = [
    "PoseCandidate",
    "PoseOptions",
    "PoseResult",
    "estimate_pose",
    "rotation_error",
    "symmetry_rotations",
]
