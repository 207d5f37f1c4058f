"""The camera: where it stands, where it looks and how points become pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..errors import InputError

Floats = float | Sequence[float] | Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole or orthographic camera, or a batch of cameras with one picture size.

    Camera space has OpenCV's axes: x right, y down, z forward. A point (X, Y, Z) of camera space falls on
    the pixel position ``x = (fx X + s Y) / Z + cx``, ``y = fy Y / Z + cy`` (pinhole), or the same without
    the division by Z (orthographic; ``fx`` and ``fy`` are then pixels per world unit). Pixel positions run
    from (0, 0), the upper left corner of the picture, to (width, height); the pixel in row r and column c
    has its centre at (c + 0.5, r + 0.5).

    Gradients flow to the points, to the pose and to the intrinsics. The batch dimensions ``...`` of the
    two matrices are broadcast against each other on construction.

    Attributes:
        world_to_camera: rigid transform from world to camera space, shape (..., 4, 4).
        intrinsics: [[fx, s, cx], [0, fy, cy], [0, 0, 1]] in pixels, shape (..., 3, 3).
        width: columns of the picture.
        height: rows of the picture.
        orthographic: parallel instead of perspective projection.
        near: distance of the near plane [world units]; nothing nearer is drawn.

    Raises:
        InputError: a matrix has the wrong shape or kind, or a size or ``near`` is not positive.
    """

    world_to_camera: Tensor
    intrinsics: Tensor
    width: int
    height: int
    orthographic: bool = False
    near: float = 1e-2

    def __post_init__(self) -> None:
        pose, intrinsics = self.world_to_camera, self.intrinsics
        for name, matrix, size in (("world_to_camera", pose, 4), ("intrinsics", intrinsics, 3)):
            if matrix.ndim < 2 or tuple(matrix.shape[-2:]) != (size, size):
                raise InputError(f"{name} must have shape (..., {size}, {size}), got {tuple(matrix.shape)}")
            if not matrix.is_floating_point():
                raise InputError(f"{name} must be floating point, got {matrix.dtype}")
        if pose.dtype != intrinsics.dtype or pose.device != intrinsics.device:
            raise InputError(
                "world_to_camera and intrinsics must have one dtype and device, "
                f"got {pose.dtype} on {pose.device} and {intrinsics.dtype} on {intrinsics.device}"
            )
        if self.width < 1 or self.height < 1:
            raise InputError(f"width and height must be at least 1, got {self.width} x {self.height}")
        if not self.near > 0:
            raise InputError(f"near must be positive, got {self.near}")
        try:
            batch = torch.broadcast_shapes(pose.shape[:-2], intrinsics.shape[:-2])
        except RuntimeError as error:
            raise InputError(
                "the batch dimensions of world_to_camera and intrinsics must broadcast, "
                f"got {tuple(pose.shape)} and {tuple(intrinsics.shape)}"
            ) from error
        object.__setattr__(self, "world_to_camera", pose.expand(*batch, 4, 4))
        object.__setattr__(self, "intrinsics", intrinsics.expand(*batch, 3, 3))

    @classmethod
    def look_at(
        cls,
        eye: Floats,
        target: Floats = (0.0, 0.0, 0.0),
        up: Floats = (0.0, 1.0, 0.0),
        *,
        fov_y: float | Tensor,
        width: int,
        height: int,
        orthographic: bool = False,
        near: float = 1e-2,
    ) -> Camera:
        """The camera at ``eye`` that has ``target`` in the middle of its picture.

        Args:
            eye: position of the camera [world units], shape (..., 3).
            target: point to look at [world units], shape (..., 3).
            up: direction that points upward in the picture, shape (..., 3).
            fov_y: full vertical angle of view [degrees], shape (...). An orthographic camera shows the
                part of the target's plane that the pinhole camera with this angle would show.
            width: columns of the picture.
            height: rows of the picture.
            orthographic: parallel instead of perspective projection.
            near: distance of the near plane [world units].

        Raises:
            InputError: a shape is wrong, ``eye`` is ``target``, ``up`` lies along the line of sight, or
                ``fov_y`` is not between 0 and 180 degrees.
        """
        eye_, target_, up_, fov = _tensors(eye=(eye, 1), target=(target, 1), up=(up, 1), fov_y=(fov_y, 0))
        eye_, target_, up_ = torch.broadcast_tensors(eye_, target_, up_)
        sight = target_ - eye_
        distance = torch.linalg.vector_norm(sight, dim=-1)
        if not bool((distance > 0).all()):
            raise InputError("eye and target must be different points")
        forward = normalize(sight, dim=-1)
        sideways = torch.linalg.cross(forward, normalize(up_, dim=-1))
        if not bool((torch.linalg.vector_norm(sideways, dim=-1) > 1e-6).all()):
            raise InputError("up must not lie along the line from eye to target; give another up direction")
        right = normalize(sideways, dim=-1)
        pose = _pose(right, torch.linalg.cross(forward, right), forward, eye_)
        intrinsics = _centred_intrinsics(fov, width, height, distance if orthographic else None)
        return cls(pose, intrinsics, width, height, orthographic, near)

    @classmethod
    def orbit(
        cls,
        distance: Floats,
        elevation: Floats,
        azimuth: Floats,
        *,
        fov_y: float | Tensor,
        width: int,
        height: int,
        target: Floats = (0.0, 0.0, 0.0),
        orthographic: bool = False,
        near: float = 1e-2,
    ) -> Camera:
        """The camera on a sphere around ``target``, looking at it, +Y upward.

        Azimuth 0 looks from +Z, azimuth 90 from +X; a positive elevation looks from above. Straight from
        above or below (elevation 90 or -90) azimuth still says which way the picture is turned.

        Args:
            distance: from the camera to ``target`` [world units], shape (...).
            elevation: angle above the horizontal plane [degrees], shape (...).
            azimuth: angle about +Y [degrees], shape (...).
            fov_y: full vertical angle of view [degrees], shape (...). An orthographic camera shows the
                part of the target's plane that the pinhole camera with this angle would show.
            width: columns of the picture.
            height: rows of the picture.
            target: point to look at [world units], shape (..., 3).
            orthographic: parallel instead of perspective projection.
            near: distance of the near plane [world units].

        Raises:
            InputError: a shape is wrong, ``distance`` is not positive, or ``fov_y`` is not between 0 and
                180 degrees.
        """
        distance_, elevation_, azimuth_, target_, fov = _tensors(
            distance=(distance, 0),
            elevation=(elevation, 0),
            azimuth=(azimuth, 0),
            target=(target, 1),
            fov_y=(fov_y, 0),
        )
        if not bool((distance_ > 0).all()):
            raise InputError(f"distance must be positive, got {distance_.detach().min()}")
        elevation_, azimuth_ = torch.broadcast_tensors(torch.deg2rad(elevation_), torch.deg2rad(azimuth_))
        sin_e, cos_e, sin_a, cos_a = elevation_.sin(), elevation_.cos(), azimuth_.sin(), azimuth_.cos()
        right = torch.stack((cos_a, torch.zeros_like(cos_a), -sin_a), dim=-1)
        down = torch.stack((sin_e * sin_a, -cos_e, sin_e * cos_a), dim=-1)
        forward = -torch.stack((cos_e * sin_a, sin_e, cos_e * cos_a), dim=-1)
        pose = _pose(right, down, forward, target_ - distance_[..., None] * forward)
        intrinsics = _centred_intrinsics(fov, width, height, distance_ if orthographic else None)
        return cls(pose, intrinsics, width, height, orthographic, near)

    @property
    def batch_shape(self) -> torch.Size:
        """The batch dimensions ``...``."""
        return self.world_to_camera.shape[:-2]

    @property
    def device(self) -> torch.device:
        """Where the matrices are."""
        return self.world_to_camera.device

    @property
    def dtype(self) -> torch.dtype:
        """Floating-point type of the matrices."""
        return self.world_to_camera.dtype

    @property
    def center(self) -> Tensor:
        """Position of the camera [world units], shape (..., 3)."""
        rotation, translation = self.world_to_camera[..., :3, :3], self.world_to_camera[..., :3, 3]
        return -(rotation * translation[..., None]).sum(dim=-2)

    def to_camera(self, points: Tensor) -> Tensor:
        """Move points from world to camera space.

        Args:
            points: world points, shape (..., P, 3). Their batch dimensions broadcast against those of the
                camera: one set of points (P, 3) under N cameras gives (N, P, 3).

        Returns:
            The points in camera space, shape (..., P, 3).

        Raises:
            InputError: ``points`` has another shape, or does not broadcast.
        """
        self._require_points(points)
        # Written out because a matrix product may run in TF32 or bfloat16, which moves points by pixels.
        x, y, z, translation = self.world_to_camera[..., None, :3, :].unbind(dim=-1)
        return points[..., 0:1] * x + points[..., 1:2] * y + points[..., 2:3] * z + translation

    def project_camera(self, points_camera: Tensor) -> Tensor:
        """Project points of camera space onto the picture.

        Points nearer than the near plane, or behind it, have no pixel; a pinhole camera projects them as
        if they were on that plane, so that values and gradients stay finite.

        Args:
            points_camera: points in camera space, shape (..., P, 3).

        Returns:
            Pixel positions x (right) and y (down), shape (..., P, 2).

        Raises:
            InputError: ``points_camera`` has another shape, or does not broadcast.
        """
        self._require_points(points_camera)
        x, y, z = points_camera.unbind(dim=-1)
        if not self.orthographic:
            depth = z.clamp(min=self.near)
            x, y = x / depth, y / depth
        k = self.intrinsics[..., None, :, :]
        return torch.stack(
            (k[..., 0, 0] * x + k[..., 0, 1] * y + k[..., 0, 2], k[..., 1, 1] * y + k[..., 1, 2]), -1
        )

    def project(self, points: Tensor) -> Tensor:
        """Project world points onto the picture; see :meth:`to_camera` and :meth:`project_camera`.

        Args:
            points: world points, shape (..., P, 3), broadcast against the camera.

        Returns:
            Pixel position x (right), pixel position y (down) and depth (camera z, negative behind the
            camera), shape (..., P, 3).

        Raises:
            InputError: ``points`` has another shape, or does not broadcast.
        """
        points_camera = self.to_camera(points)
        return torch.cat((self.project_camera(points_camera), points_camera[..., 2:]), dim=-1)

    def resized(self, width: int, height: int) -> Camera:
        """The same view in a picture of another size; pixels stop being square if the aspect changes."""
        scale = self.intrinsics.new_tensor([width / self.width, height / self.height, 1.0])
        return self.replace(intrinsics=self.intrinsics * scale[:, None], width=width, height=height)

    def replace(self, **fields: Any) -> Camera:
        """A copy with some fields replaced."""
        return dataclasses.replace(self, **fields)

    def to(self, target: torch.device | torch.dtype | str) -> Camera:
        """A copy on another device or with another floating-point type."""
        return self.replace(
            world_to_camera=self.world_to_camera.to(target), intrinsics=self.intrinsics.to(target)
        )

    def detach(self) -> Camera:
        """A copy cut off from the autograd graph."""
        return self.replace(
            world_to_camera=self.world_to_camera.detach(), intrinsics=self.intrinsics.detach()
        )

    def __getitem__(self, index: Any) -> Camera:
        """Index the batch dimensions."""
        if not self.batch_shape:
            raise InputError("cannot index a camera that has no batch dimensions")
        return self.replace(world_to_camera=self.world_to_camera[index], intrinsics=self.intrinsics[index])

    def _require_points(self, points: Tensor) -> None:
        if points.ndim < 2 or points.shape[-1] != 3:
            raise InputError(f"points must have shape (..., P, 3), got {tuple(points.shape)}")
        try:
            torch.broadcast_shapes(points.shape[:-2], self.batch_shape)
        except RuntimeError as error:
            raise InputError(
                "the batch dimensions of points must broadcast against those of the camera "
                f"{tuple(self.batch_shape)}, got {tuple(points.shape)}"
            ) from error


def _tensors(**values: tuple[Any, int]) -> list[Tensor]:
    """Tensors of one floating-point type and device from ``name=(value, 1 for a 3-vector or 0)``."""
    given = [v for v, _ in values.values() if isinstance(v, Tensor)]
    device = given[0].device if given else None
    floating = [v.dtype for v in given if v.is_floating_point()]
    dtype = floating[0] if floating else torch.get_default_dtype()
    result = []
    for name, (value, is_vector) in values.items():
        tensor = torch.as_tensor(value, dtype=dtype, device=device)
        if is_vector and (tensor.ndim == 0 or tensor.shape[-1] != 3):
            raise InputError(f"{name} must have shape (..., 3), got {tuple(tensor.shape)}")
        result.append(tensor)
    return result


def _pose(right: Tensor, down: Tensor, forward: Tensor, eye: Tensor) -> Tensor:
    """World-to-camera matrix (..., 4, 4) of a camera with these axes (..., 3) at ``eye`` (..., 3)."""
    right, down, forward, eye = torch.broadcast_tensors(right, down, forward, eye)
    rotation = torch.stack((right, down, forward), dim=-2)
    translation = -(rotation * eye[..., None, :]).sum(dim=-1, keepdim=True)
    bottom = rotation.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*rotation.shape[:-2], 1, 4)
    return torch.cat((torch.cat((rotation, translation), dim=-1), bottom), dim=-2)


def _centred_intrinsics(fov_y: Tensor, width: int, height: int, distance: Tensor | None) -> Tensor:
    """Intrinsics (..., 3, 3) with square pixels; ``distance`` makes them orthographic."""
    if not bool(((fov_y > 0) & (fov_y < 180)).all()):
        raise InputError(f"fov_y must lie between 0 and 180 degrees, got {fov_y.detach().tolist()}")
    focal = 0.5 * height / torch.tan(torch.deg2rad(fov_y) / 2)
    if distance is not None:
        focal = focal / distance
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    rows = ((focal, zero, 0.5 * width * one), (zero, focal, 0.5 * height * one), (zero, zero, one))
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
