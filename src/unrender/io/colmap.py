"""COLMAP models, text and binary: view sets and points.

The world is COLMAP's: its scale, its origin and its up direction are arbitrary, and stay as they are.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import torch
from torch import Tensor

from ..errors import InputError
from ..render.camera import Camera
from ..render.conventions import from_colmap
from .view_pictures import read_pictures, require_same_size, view_names
from .views import Views

# Name and number of parameters, in the order of COLMAP's model numbers.
_MODELS = (
    *(("SIMPLE_PINHOLE", 3), ("PINHOLE", 4), ("SIMPLE_RADIAL", 4), ("RADIAL", 5), ("OPENCV", 8)),
    *(("OPENCV_FISHEYE", 8), ("FULL_OPENCV", 12), ("FOV", 5), ("SIMPLE_RADIAL_FISHEYE", 4)),
    *(("RADIAL_FISHEYE", 5), ("THIN_PRISM_FISHEYE", 12)),
)


_T = TypeVar("_T")


@dataclasses.dataclass(frozen=True)
class _Lens:
    model: str
    width: int
    height: int
    params: list[float]


@dataclasses.dataclass(frozen=True)
class _Image:
    name: str
    lens: int
    quaternion: list[float]
    translation: list[float]


def matches(path: Path) -> bool:
    """Whether this is a folder with a COLMAP model in ``sparse/0``, ``sparse`` or itself."""
    return _find_model(path) is not None


def read(path: Path) -> Views:
    """Read the views of a COLMAP folder: a model, ``images`` and, unless the pictures have alpha, ``masks``.

    The mask of ``images/NAME`` is ``masks/NAME.png`` (as COLMAP has it) or ``masks/STEM.png``. Only pictures
    that COLMAP has placed are read, in the order of their names. Lenses must be free of distortion: run
    ``colmap image_undistorter`` first.

    Raises:
        InputError: the model is damaged, a lens distorts, or a picture breaks a rule; the message names the
            file.
    """
    model = _model(path)
    lenses, images = _read_model(model)
    images = sorted(images, key=lambda image: image.name)
    if not images:
        raise InputError(f"{model} has no placed picture")
    files = [path / "images" / image.name for image in images]
    pictures, alpha = read_pictures(
        files,
        [_mask(path / "masks", image.name) for image in images],
        advice=f"put its mask into {path / 'masks'} as NAME.png",
    )
    height, width = alpha.shape[1:]
    cameras = []
    for file, image in zip(files, images, strict=True):
        if image.lens not in lenses:
            raise InputError(f"{model}: picture {image.name} names camera {image.lens}, which is not there")
        lens = lenses[image.lens]
        require_same_size(
            f"{model}: camera {image.lens}", (lens.width, lens.height), str(file), (width, height)
        )
        rows = (
            torch.tensor(v, dtype=torch.float64) for v in (image.quaternion, image.translation, lens.params)
        )
        try:
            cameras.append(from_colmap(*rows, model=lens.model, width=width, height=height))
        except InputError as error:
            raise InputError(f"{model}: camera {image.lens}: {error}") from error
    pose = torch.stack([camera.world_to_camera for camera in cameras])
    intrinsics = torch.stack([camera.intrinsics for camera in cameras])
    camera = Camera(pose, intrinsics, width, height).to(torch.float32)
    return Views(pictures, alpha, camera, view_names(files))


def read_points(path: Path) -> tuple[Tensor, Tensor]:
    """Read the sparse points of a COLMAP folder.

    Returns:
        Positions (P, 3) in the world of :func:`read` and colours (P, 3) in [0, 1], float32.

    Raises:
        InputError: there is no model with ``points3D.bin`` or ``points3D.txt``, or it is damaged.
    """
    model = _model(path)
    if (file := model / "points3D.bin").is_file():
        rows = _parse_binary(file, _binary_point)
    elif (file := model / "points3D.txt").is_file():
        rows = _parse_text(file, _text_points)
    else:
        raise InputError(f"{model} has neither points3D.bin nor points3D.txt")
    points = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6).to(torch.float32)
    return points[:, :3].contiguous(), points[:, 3:] / 255


def _model(path: Path) -> Path:
    model = _find_model(path)
    if model is None:
        raise InputError(
            f"{path} holds no COLMAP model: expected cameras and images, .bin or .txt, in sparse/0"
        )
    return model


def _find_model(path: Path) -> Path | None:
    for folder in (path / "sparse" / "0", path / "sparse", path):
        for suffix in (".bin", ".txt"):
            if (folder / f"cameras{suffix}").is_file() and (folder / f"images{suffix}").is_file():
                return folder
    return None


def _mask(folder: Path, name: str) -> Path | None:
    candidates = (folder / f"{name}.png", (folder / name).with_suffix(".png"))
    return next((file for file in candidates if file.is_file()), None)


def _read_model(model: Path) -> tuple[dict[int, _Lens], list[_Image]]:
    if (model / "cameras.bin").is_file() and (model / "images.bin").is_file():
        lenses = dict(_parse_binary(model / "cameras.bin", _binary_lens))
        return lenses, _parse_binary(model / "images.bin", _binary_image)
    lenses = dict(_parse_text(model / "cameras.txt", _text_lenses))
    return lenses, _parse_text(model / "images.txt", _text_images)


def _parse_text(file: Path, parse: Callable[[Iterator[str]], Iterator[_T]]) -> list[_T]:
    lines = (line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    try:
        return list(parse(lines))
    except ValueError as error:
        raise InputError(f"{file} is damaged or not a COLMAP file: {error}") from error


def _text_lenses(lines: Iterator[str]) -> Iterator[tuple[int, _Lens]]:
    for line in filter(str.strip, lines):
        number, model, width, height, *params = line.split()
        yield int(number), _Lens(model, int(width), int(height), [float(p) for p in params])


def _text_images(lines: Iterator[str]) -> Iterator[_Image]:
    for line in filter(str.strip, lines):
        _, *pose, lens, name = line.split(maxsplit=9)
        yield _Image(name.strip(), int(lens), [float(p) for p in pose[:4]], [float(p) for p in pose[4:]])
        keypoints = next(lines, "")  # the second line of each picture; empty where it has none
        if len(keypoints.split()) % 3:
            raise ValueError(
                f"expected x, y and point number of keypoints after {name}, got {keypoints[:60]!r}"
            )


def _text_points(lines: Iterator[str]) -> Iterator[list[float]]:
    for line in filter(str.strip, lines):
        _, x, y, z, red, green, blue, *_ = line.split()
        yield [float(x), float(y), float(z), float(red), float(green), float(blue)]


def _parse_binary(file: Path, parse_one: Callable[[BinaryIO], _T]) -> list[_T]:
    """The records of a binary file, which starts with their number."""
    try:
        with file.open("rb") as stream:
            (count,) = _unpack(stream, "<Q")
            return [parse_one(stream) for _ in range(count)]
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise InputError(f"{file} is damaged or not a COLMAP file: {error}") from error


def _unpack(stream: BinaryIO, form: str) -> tuple:
    return struct.unpack(form, stream.read(struct.calcsize(form)))


def _binary_lens(stream: BinaryIO) -> tuple[int, _Lens]:
    number, model, width, height = _unpack(stream, "<iiQQ")
    name, count = _MODELS[model]
    return number, _Lens(name, width, height, list(_unpack(stream, f"<{count}d")))


def _binary_image(stream: BinaryIO) -> _Image:
    _, *pose, lens = _unpack(stream, "<i7di")
    name = bytearray()
    while (byte := _unpack(stream, "<c")[0]) != b"\0":
        name += byte
    (keypoints,) = _unpack(stream, "<Q")
    stream.seek(24 * keypoints, 1)
    return _Image(name.decode(), lens, pose[:4], pose[4:])


def _binary_point(stream: BinaryIO) -> list[float]:
    _, *position_color, _, track = _unpack(stream, "<Q3d3BdQ")
    stream.seek(8 * track, 1)
    return position_color
