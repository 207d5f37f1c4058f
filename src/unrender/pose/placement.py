"""Poses as the search moves them: rotation, place and size in the picture, focal length."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from ..render import Camera
from ..render.quaternion import rotation_from_quaternion

ROTATION, CENTRE, SIZE, FOCAL = slice(0, 3), slice(3, 5), 5, 6  # what the seven numbers of a move are
NEAR = 0.01  # radii of the object


def free_motions(device: torch.device, *, focal: bool, translation: bool = True) -> Tensor:
    """Which of the seven numbers of a move may differ from 0: 1 or 0, shape (7,).

    Args:
        device: where to put it.
        focal: let the focal length change.
        translation: let place and size in the picture change.
    """
    free = torch.ones(7, device=device)
    free[FOCAL] = float(focal)
    free[CENTRE] = free[SIZE] = float(translation)
    return free


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """A square window of the picture, around the object.

    Attributes:
        left: column at which it starts; may be negative.
        top: row at which it starts; may be negative.
        side: its length [pixels].
        intrinsics: of the whole picture, shape (3, 3); with free focal length, for a guess of it.
        width: columns of the whole picture.
        height: rows of the whole picture.
    """

    left: int
    top: int
    side: int
    intrinsics: Tensor
    width: int
    height: int

    @property
    def focal(self) -> Tensor:
        """Vertical focal length of ``intrinsics`` [sides]."""
        return self.intrinsics[1, 1] / self.side

    def intrinsics_for(self, focal: Tensor) -> Tensor:
        """Intrinsics of the whole picture, shape (N, 3, 3), for vertical focal lengths (N,) [sides]."""
        scale = (focal / self.focal)[:, None, None]
        k = self.intrinsics.expand(len(focal), 3, 3)
        return torch.cat([torch.cat([k[:, :2, :2] * scale, k[:, :2, 2:]], -1), k[:, 2:]], -2)


@dataclasses.dataclass(frozen=True, eq=False)
class Placements:
    """N poses of an object whose bounding ball is the unit ball about the origin.

    Size and place in the picture are what a mask shows, and a change of one leaves the others as they are,
    which is not so with the coordinates of a translation. The distance follows: focal / size.

    Attributes:
        rotation: from the object to the camera, shape (N, 3, 3).
        centre: where the middle of the object falls in the frame, from 0 to 1, shape (N, 2).
        size: radius of the object in the picture, about [sides of the frame], shape (N,).
        focal: vertical focal length [sides of the frame], shape (N,).
    """

    rotation: Tensor
    centre: Tensor
    size: Tensor
    focal: Tensor

    def __len__(self) -> int:
        return len(self.size)

    def __getitem__(self, index: Any) -> Placements:
        return Placements(self.rotation[index], self.centre[index], self.size[index], self.focal[index])

    def moved(self, move: Tensor) -> Placements:
        """Poses a step away: turned about the middle of the object, shifted, scaled.

        The turn is the rotation of the quaternion (1, w / 2), which is that of the vector w to first order:
        a chart of SO(3) around the present estimate, without a seam.

        Args:
            move: turn about the camera's axes [radians], shift [radii of the object in the picture], and
                logarithms of the change in size and focal length: shape (N, 7).
        """
        turn = torch.cat([torch.ones_like(move[:, :1]), move[:, ROTATION] / 2], -1)
        size = self.size * move[:, SIZE].exp()
        return Placements(
            rotation_from_quaternion(turn) @ self.rotation,
            self.centre + size[:, None] * move[:, CENTRE],
            size,
            self.focal * move[:, FOCAL].exp(),
        )

    def camera(self, frame: Frame, size: int) -> Camera:
        """Cameras of the frame, drawn with ``size`` pixels a side, that see the unit ball."""
        intrinsics = frame.intrinsics_for(self.focal)
        offset = intrinsics.new_tensor([[0, 0, frame.left], [0, 0, frame.top], [0, 0, 0]])
        scale = intrinsics.new_tensor([size / frame.side, size / frame.side, 1.0])
        intrinsics = (intrinsics - offset) * scale[:, None]
        at = torch.cat([self.centre * size, torch.ones_like(self.centre[:, :1])], -1)
        ray = torch.linalg.solve_triangular(intrinsics, at[..., None], upper=True)
        translation = ray * (self.focal / self.size)[:, None, None]
        top = torch.cat([self.rotation, translation], -1)
        bottom = top.new_tensor([[0.0, 0.0, 0.0, 1.0]]).expand(len(self), 1, 4)
        return Camera(torch.cat([top, bottom], -2), intrinsics, size, size, near=NEAR)

    def whole_camera(self, frame: Frame, middle: Tensor, radius: float) -> Camera:
        """Cameras of the whole picture that see the object itself.

        Args:
            frame: the window.
            middle: of the object's bounding ball, shape (3,).
            radius: of that ball.
        """
        unit = self.camera(frame, frame.side)
        rotation, translation = unit.world_to_camera[:, :3, :3], unit.world_to_camera[:, :3, 3:]
        moved = translation * radius - rotation @ middle[:, None]
        pose = torch.cat([torch.cat([rotation, moved], -1), unit.world_to_camera[:, 3:]], -2)
        intrinsics = frame.intrinsics_for(self.focal)
        return Camera(pose, intrinsics, frame.width, frame.height, near=NEAR * radius)
