"""View sets: pictures of one object with masks and cameras, and the folders they are read from."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import InputError
from ..render.camera import Camera
from .view_depth import splat_points


@dataclasses.dataclass(frozen=True, eq=False)
class Views:
    """Pictures of one object from N known cameras.

    Attributes:
        pictures: red, green, blue in [0, 1], row 0 at the top, shape (N, H, W, 3). What lies outside the mask
            is the background as it was photographed or stored.
        masks: share of each pixel that the object covers, in [0, 1], shape (N, H, W).
        cameras: the cameras, batch shape (N,), of the pictures' width and height.
        names: one name a view.
        depth: camera z of what each pixel shows [world units], 0 where it is not known, shape (N, H, W); None
            where no depth is known.

    Raises:
        InputError: a field has the wrong shape, kind or range, or the fields do not fit together.
    """

    pictures: Tensor
    masks: Tensor
    cameras: Camera
    names: list[str]
    depth: Tensor | None = None

    def __post_init__(self) -> None:
        if self.pictures.ndim != 4 or self.pictures.shape[-1] != 3:
            raise InputError(f"pictures must have shape (N, H, W, 3), got {tuple(self.pictures.shape)}")
        count, height, width, _ = self.pictures.shape
        if count == 0:
            raise InputError("a view set needs at least one view")
        if self.masks.shape != self.pictures.shape[:-1]:
            raise InputError(f"masks must have shape {(count, height, width)}, got {tuple(self.masks.shape)}")
        for name, values in (("pictures", self.pictures), ("masks", self.masks)):
            if not values.is_floating_point():
                raise InputError(f"{name} must be floating point in [0, 1], got {values.dtype}")
            low, high = (float(v) for v in torch.aminmax(values.detach()))
            if not (low >= 0 and high <= 1):
                raise InputError(f"{name} must lie in [0, 1], got values from {low:g} to {high:g}")
        if self.cameras.batch_shape != (count,):
            raise InputError(
                f"cameras must have batch shape ({count},), got {tuple(self.cameras.batch_shape)}"
            )
        if (self.cameras.width, self.cameras.height) != (width, height):
            raise InputError(
                f"cameras are for pictures of {self.cameras.width} x {self.cameras.height} pixels "
                f"(width x height), got pictures of {width} x {height}"
            )
        if len(self.names) != count:
            raise InputError(f"names must have one entry a view, {count}, got {len(self.names)}")
        if self.depth is None:
            return
        if self.depth.shape != self.masks.shape or not self.depth.is_floating_point():
            raise InputError(
                f"depth must be floating point of shape {(count, height, width)}, "
                f"got {self.depth.dtype} {tuple(self.depth.shape)}"
            )
        low, high = (float(v) for v in torch.aminmax(self.depth.detach()))
        if not 0 <= low <= high < torch.inf:
            raise InputError(f"depth must be finite and not negative, got values from {low:g} to {high:g}")

    def __len__(self) -> int:
        return self.pictures.shape[0]

    def __getitem__(self, index: Any) -> Views:
        """The views that an integer, a slice, a list of integers, or an index or boolean tensor picks out."""
        chosen = torch.arange(len(self))[index.cpu() if isinstance(index, Tensor) else index].reshape(-1)
        rows = chosen.to(self.pictures.device)
        return Views(
            self.pictures[rows],
            self.masks[rows],
            self.cameras[rows],
            [self.names[i] for i in chosen.tolist()],
            None if self.depth is None else self.depth[rows],
        )

    @property
    def height(self) -> int:
        """Rows of every picture."""
        return self.pictures.shape[1]

    @property
    def width(self) -> int:
        """Columns of every picture."""
        return self.pictures.shape[2]

    def to(self, target: torch.device | torch.dtype | str) -> Views:
        """A copy on another device or with another floating-point type."""
        return Views(
            self.pictures.to(target),
            self.masks.to(target),
            self.cameras.to(target),
            self.names,
            None if self.depth is None else self.depth.to(target),
        )

    def split(self, held_out: int | Sequence[int]) -> tuple[Views, Views]:
        """Divide into views to train on and views held out.

        Args:
            held_out: n holds out every n-th view (the n-th, 2n-th, ...); a sequence holds out these indices.

        Returns:
            The views to train on, and those held out, both in their order.

        Raises:
            InputError: an index is not there, or one of the two parts would be empty.
        """
        if isinstance(held_out, int):
            if not 2 <= held_out <= len(self):
                raise InputError(
                    f"held_out must be a number from 2 to {len(self)}, that of views, got {held_out}"
                )
            held_out = range(held_out - 1, len(self), held_out)
        aside = sorted({i + len(self) if i < 0 else i for i in held_out})
        if aside and not 0 <= aside[0] <= aside[-1] < len(self):
            raise InputError(f"held_out must index {len(self)} views, got {list(held_out)}")
        rest = sorted(set(range(len(self))) - set(aside))
        if not aside or not rest:
            raise InputError(
                f"held_out must leave views on both sides, got {len(aside)} of {len(self)} held out"
            )
        return self[rest], self[aside]

    def resized(self, width: int, height: int) -> Views:
        """The views with pictures of another size: averaged when smaller, blended linearly when larger.

        Colours count by the share of their pixels that the object covers, so that none of the background
        comes into the object's. Depth is that of the nearest pixel, since the mean of two depths is on
        neither surface; where that is not known, a smaller picture has the least that is known of the object
        in the pixel, if the object covers most of it, so that sparse depth stays.
        """
        masks = self.masks[..., None]
        planes = torch.cat([self.pictures, self.pictures * masks, masks], -1).permute(0, 3, 1, 2)
        mode = "bilinear" if width > self.width or height > self.height else "area"
        planes = interpolate(planes, (height, width), mode=mode).permute(0, 2, 3, 1)
        planes = planes.clamp(0, 1)  # rounding
        plain, weighted, masks = planes.split((3, 3, 1), -1)
        covered = masks > 0
        colors = torch.where(covered, weighted / torch.where(covered, masks, 1), plain).clamp(max=1)
        depth = self.depth
        if depth is not None:
            depth = interpolate(depth[:, None], (height, width), mode="nearest-exact")[:, 0]
            if mode == "area":
                least = torch.stack([self._least_depth(i, width, height) for i in range(len(self))])
                depth = torch.where((depth == 0) & (masks[..., 0] > 0.5), least, depth)
        return Views(colors, masks[..., 0], self.cameras.resized(width, height), self.names, depth)

    def _least_depth(self, index: int, width: int, height: int) -> Tensor:
        """Of the object in a view, in the pixels of a smaller picture, shape (height, width)."""
        assert self.depth is not None
        row, column = ((self.depth[index] > 0) & (self.masks[index] > 0.5)).nonzero().unbind(-1)
        x, y = (column + 0.5) * (width / self.width), (row + 0.5) * (height / self.height)
        least = splat_points(torch.stack([x, y, self.depth[index, row, column]], -1), width, height)
        return least.to(self.depth.dtype)

    def bounds(self) -> tuple[Tensor, float]:
        """The ball that all cameras look at.

        Its centre is the point nearest, in least squares, to the lines of sight through the middles of the
        pictures; its radius is that of the largest ball about the centre that every picture shows whole.

        Returns:
            The centre [world units], shape (3,), and the radius [world units].

        Raises:
            InputError: all lines of sight are parallel (as with one view), or a camera does not see the
                centre.
        """
        cameras = self.cameras.detach().to("cpu").to(torch.float64)
        k, rotation = cameras.intrinsics, cameras.world_to_camera[:, :3, :3]
        fx, skew, cx, fy, cy = k[:, 0, 0], k[:, 0, 1], k[:, 0, 2], k[:, 1, 1], k[:, 1, 2]
        y = (self.height / 2 - cy) / fy
        x = (self.width / 2 - cx - skew * y) / fx
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        # A line of sight: origin and direction, in camera space and then in the world.
        origin = torch.stack((x, y, zero) if cameras.orthographic else (zero, zero, zero), dim=-1)
        direction = torch.stack((zero, zero, one) if cameras.orthographic else (x, y, one), dim=-1)
        origin = cameras.center + (origin[:, None] @ rotation)[:, 0]
        direction = torch.nn.functional.normalize((direction[:, None] @ rotation)[:, 0], dim=-1)
        across = torch.eye(3, dtype=torch.float64) - direction[:, :, None] * direction[:, None, :]
        if float(torch.linalg.eigvalsh(across.mean(dim=0))[0]) < 1e-6:
            raise InputError(
                "all views look in one direction, so they do not say how far away the object is; "
                "add views from other sides"
            )
        centre = torch.linalg.solve(across.sum(dim=0), (across @ origin[:, :, None]).sum(dim=0))[:, 0]
        # Signed distances to the planes through the left, right, upper and lower borders of each picture.
        x, y, z = cameras.to_camera(centre[None])[:, 0].unbind(dim=-1)
        depth = one if cameras.orthographic else z
        slope = zero if cameras.orthographic else one
        inside = [
            (sign * (fx * x + skew * y) + reach * depth) / torch.sqrt(fx**2 + skew**2 + slope * reach**2)
            for sign, reach in ((1, cx), (-1, self.width - cx))
        ]
        inside += [
            (sign * fy * y + reach * depth) / torch.sqrt(fy**2 + slope * reach**2)
            for sign, reach in ((1, cy), (-1, self.height - cy))
        ]
        room, worst = torch.stack(inside).amin(dim=0).min(dim=0)
        if not float(room) > 0:
            raise InputError(
                f"view {self.names[int(worst)]} does not show the point that the other views look at"
            )
        return centre.to(self.cameras.device, self.cameras.dtype), float(room)


def load_views(path: str | os.PathLike[str]) -> Views:
    """Read a view set in whichever of the known forms the folder holds.

    Tried in this order:

    1. NeRF or Blender: ``transforms.json``, or else ``transforms_train.json``; such a file can also be given
       itself (:mod:`unrender.io.nerf`);
    2. COLMAP: a model in ``sparse/0``, ``sparse`` or the folder itself, pictures in ``images``
       (:mod:`unrender.io.colmap`);
    3. DVR: ``cameras.npz``, ``image``, ``mask`` (:mod:`unrender.io.dvr`);
    4. SoftRas: ``source.npy`` and ``camera.npy`` (:mod:`unrender.io.softras_pair`).

    Masks come from mask files where there are some, else from the pictures' alpha channel. Forms 1 and 3 may
    have depth.

    Args:
        path: the folder, or a ``.json`` file of form 1.

    Returns:
        The views in float32 on the CPU, in the order of the files.

    Raises:
        InputError: the path is not there, holds none of the forms, or a file breaks its form's rules; the
            message names the file.
    """
    from . import colmap, dvr, nerf, softras_pair  # they import this module for Views

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    for form in (nerf, colmap, dvr, softras_pair):
        if form.matches(path):
            return form.read(path)
    raise InputError(
        f"{path} is not a view set: expected transforms.json, a COLMAP model in sparse/0, DVR's cameras.npz "
        "and image, or SoftRas's source.npy and camera.npy"
    )


def save_views(views: Views, folder: str | os.PathLike[str]) -> None:
    """Write a view set as ``transforms.json`` with RGBA pictures (8 bits a channel) in ``images``.

    :func:`load_views` gives the same cameras back, to the precision of float32. Depth goes to ``depth``, a
    NumPy file a view.

    Args:
        views: what to write; its names become file names.
        folder: where to; made if need be.

    Raises:
        InputError: the cameras are orthographic or have skew, or the names are not distinct relative paths.
    """
    from . import nerf

    nerf.write(views, Path(folder))
