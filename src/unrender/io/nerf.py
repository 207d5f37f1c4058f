"""View sets of NeRF and Blender: ``transforms.json``.

The file holds a camera-to-world matrix for each picture, with x right, y up, looking along -z, in a world
with +Z up. We turn that world to have +Y up: Blender's (x, y, z) is our (x, z, -y). That is the turn which
glTF exporters and importers make, so an object fitted here and opened in Blender as GLB stands where the
cameras of the file saw it.
"""

from __future__ import annotations

import io
import json
import math
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..render.conventions import from_opengl, to_opengl
from .files import write_file
from .view_depth import read_depth
from .view_pictures import PICTURE_SUFFIXES, read_pictures, require_same_size, view_names
from .views import Views

_TO_Y_UP = torch.tensor([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], dtype=torch.float64)
_PINHOLES = ("PINHOLE", "SIMPLE_PINHOLE", "OPENCV", "PERSPECTIVE")
_DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
_DEPTH_UNIT = 0.001
_ADVICE = "save it as RGBA with the object's mask as alpha, or give its frame a mask_path"


def matches(path: Path) -> bool:
    """Whether this is a transforms file or a folder with one."""
    return path.suffix == ".json" or _file(path) is not None


def read(path: Path) -> Views:
    """Read a transforms file, or the one in a folder (``transforms.json``, else ``transforms_train.json``).

    A frame's camera comes from ``fl_x``, ``fl_y``, ``cx``, ``cy`` [pixels], or from ``camera_angle_x`` and
    ``camera_angle_y`` [radians], of the frame or else of the file. A missing fy is fx, a missing principal
    point the picture's centre. ``file_path`` is relative to the file and may lack its suffix. A ``mask_path``
    replaces the alpha channel. A ``depth_file_path`` names a depth map (camera z) in NumPy's format, OpenEXR
    or PNG of 16 bits, in units of ``depth_unit_scale_factor``; of 0.001 when that is not given, as in
    Nerfstudio.

    Raises:
        InputError: the file is not a transforms file, a lens is not a pinhole, or a picture or depth map
            breaks a rule.
        ImportError: depth maps in OpenEXR need OpenCV.
    """
    file = path if path.suffix == ".json" else _file(path)
    if file is None:
        raise InputError(f"{path} holds neither transforms.json nor transforms_train.json")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{file} is not readable JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("frames"), list) or not data["frames"]:
        raise InputError(f"{file} must hold an object with a list of frames")
    if not all(isinstance(frame, dict) for frame in data["frames"]):
        raise InputError(f"{file}: each frame must be an object")
    common = {key: value for key, value in data.items() if key != "frames"}
    frames = [{**common, **frame} for frame in data["frames"]]
    for index, frame in enumerate(frames):
        missing = [key for key in ("file_path", "transform_matrix") if key not in frame]
        if missing:
            raise InputError(f"{file}: frame {index} has no {missing[0]}")
        _require_pinhole(frame, f"{file}: frame {index}")
    files = [_picture(file.parent / frame["file_path"]) for frame in frames]
    masks = [file.parent / frame["mask_path"] if "mask_path" in frame else None for frame in frames]
    pictures, alpha = read_pictures(files, masks, advice=_ADVICE)
    height, width = alpha.shape[1:]
    intrinsics = [_intrinsics(frame, width, height, f"{file}: frame {i}") for i, frame in enumerate(frames)]
    try:
        poses = torch.tensor([frame["transform_matrix"] for frame in frames], dtype=torch.float64)
        cameras = from_opengl(_TO_Y_UP @ poses, torch.stack(intrinsics), width=width, height=height)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InputError(f"{file}: transform_matrix: {error}") from error
    depth = None
    if any("depth_file_path" in frame for frame in frames):
        names = [frame.get("depth_file_path") for frame in frames]
        units = [float(frame.get("depth_unit_scale_factor", _DEPTH_UNIT)) for frame in frames]
        maps = [None if name is None else file.parent / name for name in names]
        depth = read_depth(maps, units, width=width, height=height)
    return Views(pictures, alpha, cameras.to(torch.float32), view_names(files), depth)


def write(views: Views, folder: Path) -> None:
    """Write ``transforms.json``, ``images`` and ``depth``; see :func:`unrender.io.views.save_views`."""
    from PIL import Image

    cameras = views.cameras.detach().to("cpu").to(torch.float64)
    if cameras.orthographic or bool((cameras.intrinsics[:, 0, 1] != 0).any()):
        raise InputError(
            "transforms.json holds pinhole cameras without skew, got orthographic or skewed ones"
        )
    paths = [PurePosixPath(name) for name in views.names]
    unfit = [str(path) for path in paths if path.is_absolute() or ".." in path.parts or not path.name]
    if unfit or len(set(paths)) != len(paths):
        raise InputError(
            f"names must be distinct relative paths to be file names, got {unfit or views.names}"
        )
    rgba = torch.cat((views.pictures, views.masks[..., None]), dim=-1).detach()
    pixels = (rgba * 255).round().to(torch.uint8).cpu().numpy()
    frames = []
    poses = _TO_Y_UP.mT @ to_opengl(cameras)
    for i, (path, picture, pose, k) in enumerate(zip(paths, pixels, poses, cameras.intrinsics, strict=True)):
        name = f"images/{path}.png"
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(buffer, format="PNG")
        write_file(folder / name, buffer.getvalue())
        frames.append(
            {
                "file_path": name,
                **{
                    "fl_x": float(k[0, 0]),
                    "fl_y": float(k[1, 1]),
                    "cx": float(k[0, 2]),
                    "cy": float(k[1, 2]),
                },
                **{"w": views.width, "h": views.height},
                "transform_matrix": pose.tolist(),
            }
        )
        if views.depth is not None:
            buffer = io.BytesIO()
            np.save(buffer, views.depth[i].detach().cpu().numpy())
            write_file(folder / f"depth/{path}.npy", buffer.getvalue())
            frames[-1] |= {"depth_file_path": f"depth/{path}.npy", "depth_unit_scale_factor": 1.0}
    text = json.dumps({"camera_model": "PINHOLE", "frames": frames}, indent=2)
    write_file(folder / "transforms.json", text.encode())


def _file(folder: Path) -> Path | None:
    candidates = (folder / "transforms.json", folder / "transforms_train.json")
    return next((file for file in candidates if file.is_file()), None)


def _picture(path: Path) -> Path:
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in PICTURE_SUFFIXES)]
    found = next((file for file in candidates if file.is_file()), None)
    if found is None:
        raise InputError(f"{path} does not exist, with or without a suffix such as .png")
    return found


def _require_pinhole(frame: dict[str, Any], where: str) -> None:
    model = frame.get("camera_model", "PINHOLE")
    distorted = [key for key in _DISTORTION if frame.get(key, 0) != 0]
    if model not in _PINHOLES or distorted:
        raise InputError(
            f"{where} must have a pinhole camera without distortion, got {model} "
            f"with {', '.join(distorted) or 'no distortion'}; undistort the pictures first"
        )


def _intrinsics(frame: dict[str, Any], width: int, height: int, where: str) -> torch.Tensor:
    said = (int(frame.get("w", width)), int(frame.get("h", height)))
    require_same_size(where, said, frame["file_path"], (width, height))

    def focal(name: str, angle: str, size: int) -> float | None:
        if name in frame:
            return float(frame[name])
        return 0.5 * size / math.tan(0.5 * frame[angle]) if angle in frame else None

    fx, fy = focal("fl_x", "camera_angle_x", width), focal("fl_y", "camera_angle_y", height)
    if fx is None:
        raise InputError(f"{where} has neither fl_x nor camera_angle_x")
    cx, cy = float(frame.get("cx", width / 2)), float(frame.get("cy", height / 2))
    return torch.tensor([[fx, 0, cx], [0, fx if fy is None else fy, cy], [0, 0, 1]], dtype=torch.float64)
