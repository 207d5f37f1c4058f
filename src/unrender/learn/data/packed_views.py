"""A data set's pictures in memory, as bytes, ready for batches."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...errors import InputError
from ...render import Camera
from ..predictor import Batch
from .light_record import LightRecord
from .object_views import ObjectViews

if TYPE_CHECKING:
    from .dataset import ObjectDataset


@dataclasses.dataclass(frozen=True, eq=False)
class PackedViews:
    """N objects of V pictures each.

    Attributes:
        names: one an object.
        categories: one an object.
        pictures: colours multiplied by alpha, and alpha, uint8, shape (N, V, H, W, 4).
        world_to_camera: shape (N, V, 4, 4).
        intrinsics: shape (N, V, 3, 3) [pixels].
        voxels: bool, shape (N, S, S, S), where all objects have them.
        lights: of V pictures each, None where unknown.
        orthographic: whether all cameras are.
        skipped: what is wrong with each object that could not be read.
        depth: camera z, 0 where nothing is, float16, shape (N, V, H, W), where it was asked for.
    """

    names: list[str]
    categories: list[str]
    pictures: Tensor
    world_to_camera: Tensor
    intrinsics: Tensor
    voxels: Tensor | None
    lights: list[LightRecord | None]
    orthographic: bool = False
    skipped: list[str] = dataclasses.field(default_factory=list)
    depth: Tensor | None = None

    @staticmethod
    def load(
        dataset: ObjectDataset,
        *,
        crop: int | None = None,
        depth: bool = False,
        light: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> PackedViews:
        """Read a data set; objects that cannot be read or cut out are left out and named in ``skipped``.

        Args:
            dataset: objects with cameras, all with the same number and size of pictures.
            crop: cut every picture round its object, to squares of so many pixels (:meth:`cropped`).
            depth: with depth, which every object must have.
            light: leave out objects whose light is not recorded, or of kind none.
            progress: called with the number of objects done and in all.

        Raises:
            InputError: no object can be read, or pictures differ in number or size.
        """
        found: list[PackedViews] = []
        skipped: list[str] = []
        for i in range(len(dataset)):
            try:
                found.append(pack(dataset[i], crop=crop, depth=depth, light=light))
            except InputError as error:
                skipped.append(str(error))
            if progress is not None:
                progress(i + 1, len(dataset))
        if not found:
            raise InputError(f"no object of the data set can be read: {'; '.join(skipped) or 'it is empty'}")
        return dataclasses.replace(PackedViews.join(found), skipped=skipped)

    @staticmethod
    def join(parts: list[PackedViews]) -> PackedViews:
        """Several sets as one.

        Raises:
            InputError: their pictures differ in number or size, their cameras in kind, or their voxels in
                number.

        Warns:
            UserWarning: some have voxels and some have none, so that the whole has none.
        """
        for part in parts:
            if part.orthographic != parts[0].orthographic:
                raise InputError("all objects must have perspective cameras, or all orthographic ones")
            if part.pictures.shape[1:] != parts[0].pictures.shape[1:]:
                raise InputError(
                    "all objects must have pictures of one number and size (V, H, W, 4), got "
                    f"{tuple(parts[0].pictures.shape[1:])} and {tuple(part.pictures.shape[1:])}"
                )
        voxels = [part.voxels for part in parts if part.voxels is not None]
        sizes = sorted({part.shape[-1] for part in voxels})
        if len(sizes) > 1:
            raise InputError(f"all objects must have voxels of one number a side, got {sizes}")
        if 0 < len(voxels) < len(parts):
            missing = sum(len(part) for part in parts if part.voxels is None)
            warnings.warn(
                f"{missing} objects have no voxels, so those of the others are not used", stacklevel=2
            )
        depth = [part.depth for part in parts if part.depth is not None]
        return PackedViews(
            [name for part in parts for name in part.names],
            [category for part in parts for category in part.categories],
            torch.cat([part.pictures for part in parts]),
            torch.cat([part.world_to_camera for part in parts]),
            torch.cat([part.intrinsics for part in parts]),
            torch.cat(voxels) if len(voxels) == len(parts) else None,
            [light for part in parts for light in part.lights],
            parts[0].orthographic,
            [reason for part in parts for reason in part.skipped],
            torch.cat(depth) if len(depth) == len(parts) else None,
        )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, rows: list[int]) -> PackedViews:
        """Some of the objects."""
        return PackedViews(
            [self.names[i] for i in rows],
            [self.categories[i] for i in rows],
            self.pictures[rows],
            self.world_to_camera[rows],
            self.intrinsics[rows],
            None if self.voxels is None else self.voxels[rows],
            [self.lights[i] for i in rows],
            self.orthographic,
            depth=None if self.depth is None else self.depth[rows],
        )

    @property
    def views(self) -> int:
        """V."""
        return self.pictures.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures [pixels]."""
        return self.pictures.shape[2], self.pictures.shape[3]

    def mean_colors(self, rows: Tensor) -> Tensor:
        """Mean colours of some objects (B,) over all their pictures, inside the masks, shape (B, 3).

        Black for an object that no picture shows.
        """
        total = torch.stack([self.pictures[row].sum((0, 1, 2), dtype=torch.float64) for row in rows.tolist()])
        return (total[:, :3] / total[:, 3:].clamp(min=1)).float()

    def batch(self, objects: Tensor, views: Tensor) -> Batch:
        """Some pictures of some objects.

        Args:
            objects: places in the set, shape (B,).
            views: which pictures of each, shape (B, K).
        """
        rows = objects[:, None]
        height, width = self.size
        cameras = Camera(
            self.world_to_camera[rows, views],
            self.intrinsics[rows, views],
            width,
            height,
            orthographic=self.orthographic,
        )
        depth = None if self.depth is None else self.depth[rows, views].float()
        return Batch(
            self.pictures[rows, views].float() / 255,
            cameras,
            objects,
            views,
            depth=depth,
            lights=self._lights(objects, views),
        )

    def _lights(self, objects: Tensor, views: Tensor) -> LightRecord | None:
        found: list[LightRecord] = []
        for place, chosen in zip(objects.tolist(), views, strict=True):
            record = self.lights[place]
            if record is None or (found and record.kind != found[0].kind):
                return None
            found.append(record[chosen][None])
        return LightRecord.join(found) if found else None

    def cropped(self, size: int) -> PackedViews:
        """The same with every picture cut round its object; see :func:`~unrender.learn.crop.crop_to_object`.

        Args:
            size: sides of the crops [pixels].

        Raises:
            InputError: a picture shows nothing, or there is depth, which is not cut.
        """
        if self.depth is not None:
            raise InputError("depth is not cut round objects: use whole pictures, without crop")
        from ..crop import crop_to_object

        pictures, intrinsics = [], []
        for name, one, matrix in zip(self.names, self.pictures, self.intrinsics, strict=True):
            try:
                crops, transforms = crop_to_object(one.float() / 255, size=size)
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
            pictures.append((crops * 255).round().to(torch.uint8))
            intrinsics.append(transforms @ matrix)
        return dataclasses.replace(self, pictures=torch.stack(pictures), intrinsics=torch.stack(intrinsics))


def pack(
    item: ObjectViews, *, crop: int | None = None, depth: bool = False, light: bool = False
) -> PackedViews:
    """One object as a set.

    Args:
        item: the object.
        crop: cut every picture round it, to squares of so many pixels.
        depth: with depth.
        light: only if light is recorded.

    Raises:
        InputError: it has no cameras, or no depth or light when that is asked for, or cannot be cut out of a
            picture.
    """
    if light and (item.lights is None or item.lights.kind == "none"):
        raise InputError(f"{item.name} has no recorded light, which light_weight asks for")
    if depth and item.depth is None:
        raise InputError(f"{item.name} has no depth, which depth_weight asks for")
    if item.cameras is None:
        raise InputError(f"{item.name} has no cameras, which training needs")
    pictures = item.pictures.float()
    pictures[..., :3] *= pictures[..., 3:] / 255
    packed = PackedViews(
        [item.name],
        [item.category],
        pictures.round().to(torch.uint8)[None],
        item.cameras.world_to_camera[None],
        item.cameras.intrinsics[None],
        None if item.voxels is None else item.voxels[None],
        [item.lights],
        item.cameras.orthographic,
        depth=item.depth.half()[None] if depth and item.depth is not None else None,
    )
    return packed if crop is None else packed.cropped(crop)
