"""Photographs with the annotations of Category-Specific Mesh Reconstruction (CMR, Kanazawa et al. 2018).

One ``.mat`` file holds ``images``, a struct for each object: ``rel_path`` of its photograph, ``mask`` (H, W),
``bbox`` with x1, y1, x2, y2, and ``parts`` (3, K): x, y and visibility of K keypoints. Another holds
``sfm_anno``, a struct for each object with the camera that structure from motion found, ``scale``, ``trans``
(2,) and ``rot`` (3, 3), and ``S`` (3, K), the keypoints of the mean shape. A point X of that shape's frame is
seen at ``scale (rot X)_xy + trans``. Positions count pixels from 1, so the centre of the first is 1.

The mean shape has x to its left, y backward and z up (``alignSfmModel.m``). In our object frame it is turned
to stand on +Y and face +Z, and moved and scaled so that the box round its keypoints is centred and its
longest side is 1. That holds for the mean shape: one object may be larger or smaller.

Each photograph is cut to a square round the object's box, 10 % larger than its longest side as in CMR.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....errors import InputError
from ....render import Camera
from ..capture import N3MR_DISTANCE
from ..object_views import ObjectViews
from .reading import reading

TO_OURS = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
PADDING = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Keypoints:
    """Named points of an object, in its pictures and on the mean shape of its category.

    Attributes:
        positions: x and y in the picture [pixels], 0 where not visible, shape (V, K, 2).
        visible: whether a point was marked, bool, shape (V, K).
        names: of the points, K of them.
        mirrored: the point that stands at each place when picture and object are mirrored, int64, shape (K,).
        shape: the points of the mean shape in the object's frame, shape (K, 3).
    """

    positions: Tensor
    visible: Tensor
    names: list[str]
    mirrored: Tensor
    shape: Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class KeypointViews(ObjectViews):
    """An object whose pictures have keypoints.

    Attributes:
        keypoints: see :class:`Keypoints`.
    """

    keypoints: Keypoints | None = None


class CMRAnnotations:
    """Photographs of one category and split; the cameras are orthographic.

    Args:
        images: the ``.mat`` file with ``images``.
        sfm: the ``.mat`` file with ``sfm_anno`` and ``S``.
        pictures: the folder that ``rel_path`` starts from.
        category: of all objects.
        keypoint_names: K names.
        mirrored: see :class:`Keypoints`, counted from 0, K of them.
        size: sides of the cut pictures [pixels].

    Raises:
        InputError: a file is missing, broken, or does not fit the other.
    """

    def __init__(
        self,
        images: Path,
        sfm: Path,
        pictures: Path,
        *,
        category: str,
        keypoint_names: Sequence[str],
        mirrored: Sequence[int],
        size: int,
    ) -> None:
        self._images_file, self._sfm_file, self._pictures = images, sfm, pictures
        self._images = np.atleast_1d(read_mat(images, "images"))
        self._poses = np.atleast_1d(read_mat(sfm, "sfm_anno"))
        if len(self._images) != len(self._poses):
            raise InputError(
                f"{sfm} must have a camera for each of the {len(self._images)} objects of {images}, "
                f"got {len(self._poses)}"
            )
        self._category, self._size = category, size
        self._keypoint_names, self._mirrored = list(keypoint_names), torch.tensor(mirrored)
        shape = np.asarray(read_mat(sfm, "S"), dtype=np.float64)
        if shape.shape != (3, len(keypoint_names)) or not np.isfinite(shape).all():
            raise InputError(f"{sfm} must hold S of shape (3, {len(keypoint_names)}), got {shape.shape}")
        turned = (TO_OURS @ shape).T
        low, high = turned.min(axis=0), turned.max(axis=0)
        self._middle, self._side = (low + high) / 2, float((high - low).max())
        self._shape = torch.from_numpy((turned - self._middle) / self._side).float()
        with reading(images):
            self.names = [_name(image) for image in self._images]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> KeypointViews:
        """Read a photograph.

        Raises:
            InputError: it is missing or broken, or an annotation is not of the form above.
        """
        image, pose = self._images[index], self._poses[index]
        file = self._pictures / str(image.rel_path)
        with reading(self._images_file):
            box = [float(getattr(image.bbox, name)) for name in ("x1", "y1", "x2", "y2")]
            crop = Crop.around(box, self._size)
            mask = np.asarray(image.mask) > 0
            parts = np.asarray(image.parts, dtype=np.float64)
            if parts.shape != (3, len(self._keypoint_names)):
                raise InputError(
                    f"parts of {image.rel_path} must have shape (3, {len(self._keypoint_names)}), "
                    f"got {parts.shape}"
                )
        with reading(file):
            picture = _cut(file, mask, crop)
        with reading(self._sfm_file):
            camera = self._camera(pose, crop, f"the camera of {image.rel_path}")
        visible = parts[2] > 0
        positions = np.where(visible[:, None], crop.to_picture(parts[:2].T - 0.5), 0.0)
        keypoints = Keypoints(
            torch.from_numpy(positions).float()[None],
            torch.from_numpy(visible)[None],
            self._keypoint_names,
            self._mirrored,
            self._shape,
        )
        return KeypointViews(self.names[index], self._category, picture, camera, keypoints=keypoints)

    def _camera(self, pose: Any, crop: Crop, what: str) -> Camera:
        """The orthographic camera of the cut picture, batch shape (1,)."""
        scale, trans = float(pose.scale), np.asarray(pose.trans, dtype=np.float64).reshape(2)
        rotation = np.asarray(pose.rot, dtype=np.float64)
        orthonormal = rotation.shape == (3, 3) and np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-3)
        if not (orthonormal and np.linalg.det(rotation) > 0 and scale > 0 and np.isfinite(trans).all()):
            raise InputError(f"{what} must have a scale, a translation and a rotation matrix")
        rotation = rotation @ TO_OURS.T
        middle = crop.to_picture(scale * (rotation @ self._middle)[:2] + trans - 0.5)
        world_to_camera = torch.eye(4)
        world_to_camera[:3, :3] = torch.from_numpy(rotation)
        world_to_camera[2, 3] = N3MR_DISTANCE  # any distance gives the same picture
        focal = scale * self._side * crop.zoom
        intrinsics = torch.tensor([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1]]).float()
        return Camera(world_to_camera[None], intrinsics, crop.size, crop.size, orthographic=True)


@dataclasses.dataclass(frozen=True)
class Crop:
    """A square of a photograph that becomes a picture.

    Attributes:
        left: first column.
        top: first row.
        side: columns and rows [pixels of the photograph].
        size: the same in the picture.
    """

    left: int
    top: int
    side: int
    size: int

    @staticmethod
    def around(box: Sequence[float], size: int) -> Crop:
        """The square round a box x1, y1, x2, y2 whose border pixels, counted from 1, belong to it."""
        x1, y1, x2, y2 = box
        if not (x2 >= x1 and y2 >= y1):
            raise InputError(f"bbox must have x1 <= x2 and y1 <= y2, got {list(box)}")
        side = round((1 + PADDING) * max(x2 - x1 + 1, y2 - y1 + 1))
        return Crop(round((x1 - 1 + x2 - side) / 2), round((y1 - 1 + y2 - side) / 2), side, size)

    @property
    def zoom(self) -> float:
        """Pixels of the picture in one of the photograph."""
        return self.size / self.side

    def to_picture(self, positions: np.ndarray) -> np.ndarray:
        """Pixel positions (..., 2) of the photograph, in the picture."""
        return (positions - [self.left, self.top]) * self.zoom


def read_mat(file: Path, name: str) -> Any:
    """A variable of a MATLAB file, structs as objects, sizes of 1 left out.

    Raises:
        InputError: the file is missing or broken, or has no such variable.
        ImportError: SciPy is not installed.
    """
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise ImportError("annotations of CMR need SciPy: pip install 'unrender[eval]'") from error
    with reading(file):
        try:
            content = loadmat(file, variable_names=[name], struct_as_record=False, squeeze_me=True)
        except (MatReadError, TypeError) as error:
            raise InputError(f"{file} is no MATLAB file before version 7.3: {error}") from error
        if name not in content:
            raise InputError(f"{file} has no variable {name}")
        return content[name]


def _name(image: Any) -> str:
    """The path of the photograph, and which of its objects where it may have several."""
    stem = Path(str(image.rel_path)).with_suffix("").as_posix()
    return f"{stem}_{image.voc_rec_id}" if hasattr(image, "voc_rec_id") else stem


def _cut(file: Path, mask: np.ndarray, crop: Crop) -> Tensor:
    """Bytes (1, S, S, 4) of the square; the object does not reach beyond the photograph."""
    from PIL import Image

    with Image.open(file) as image:
        photograph = np.asarray(image.convert("RGB"))
    if photograph.shape[:2] != mask.shape:
        raise InputError(
            f"{file} must have the size of its mask, {mask.shape}, got {photograph.shape[:2]} (rows, columns)"
        )
    rgba = Image.fromarray(np.dstack([photograph, np.where(mask, np.uint8(255), np.uint8(0))]))
    square = rgba.crop((crop.left, crop.top, crop.left + crop.side, crop.top + crop.side))
    channels = [
        np.asarray(channel.resize((crop.size, crop.size), Image.Resampling.BILINEAR))
        for channel in square.split()  # one by one: Pillow would multiply colours by alpha
    ]
    picture = torch.from_numpy(np.stack(channels, axis=-1))
    return (picture * (picture[..., 3:] > 0))[None]
