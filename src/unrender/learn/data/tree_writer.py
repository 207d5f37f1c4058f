"""Writing training sets as folders: the ``NMR_Dataset`` layout of DVR, and more truth beside it.

::

    <root>/metadata.yaml                                {<category>: {id: <category>, name: <category>}}
    <root>/<category>/softras_{train,val,test}.lst      names, one a line
    <root>/<category>/<name>/image/0000.png             RGB, white where nothing is
                             mask/0000.png              grey: alpha
                             cameras.npz                world_mat_i, camera_mat_i and their inverses
                             pointcloud.npz             points, normals (float16), loc = 0, scale = 1
                             depth.npz                  depth, float16, (V, H, W): camera z, 0 is nothing
                             normals.npz                normals, int8, (V, H, W, 3): world normals times 127
                             voxels.npz                 voxels: packed bits; size
                             lights.npz                 kind, and the fields of LightRecord
                             done.json                  split, source, credits; written last
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...io.files import write_file
from ...render.conventions import to_dvr
from .blocks import Block, Captured
from .capture import CaptureOptions
from .light_arrays import light_arrays
from .object_views import ObjectViews
from .sources import SPLITS, MeshSource


class TreeWriter:
    """Writes each object into a folder of its own.

    Args:
        root: of the data set.
        options: recorded with every object.
    """

    block_size = 1
    one_category = False
    fixed = False

    def __init__(self, root: Path, options: CaptureOptions) -> None:
        self.root = root
        self.options = options

    def problems(self, block: Block) -> dict[str, str] | None:
        """None until the object is there; a broken mesh is tried again whenever the job is resumed."""
        return {} if (self._folder(block.sources[0]) / "done.json").is_file() else None

    def write(self, block: Block, captured: Iterable[Captured]) -> None:
        """Write the object's folder, in place of what an interrupted job left."""
        for source, views in captured:
            if isinstance(views, str):
                continue
            folder = self._folder(source)
            if folder.exists():
                shutil.rmtree(folder)
            write_object(views, folder)
            record = {
                "split": source.split,
                "source": source.origin,
                **source.credits,
                "options": dataclasses.asdict(self.options),
            }
            write_file(folder / "done.json", json.dumps(record, indent=1, ensure_ascii=False).encode())

    def finish(self, blocks: Sequence[Block]) -> None:
        """List what is there, also of earlier jobs, by category and split."""
        names: dict[str, dict[str, list[str]]] = defaultdict(lambda: {split: [] for split in SPLITS})
        for file in sorted(self.root.glob("*/*/done.json")):
            category, name = file.parts[-3:-1]
            names[category][json.loads(file.read_text(encoding="utf-8"))["split"]].append(name)
        for category, splits in names.items():
            for split, members in splits.items():
                lines = "".join(f"{name}\n" for name in members)
                write_file(self.root / category / f"softras_{split}.lst", lines.encode())
        # JSON strings are YAML strings, and stay strings where a category is a number
        quoted = [json.dumps(category, ensure_ascii=False) for category in sorted(names)]
        text = "".join(f"{word}:\n  id: {word}\n  name: {word}\n" for word in quoted)
        write_file(self.root / "metadata.yaml", text.encode())

    def _folder(self, source: MeshSource) -> Path:
        return self.root / source.category / source.name


def write_object(views: ObjectViews, folder: Path) -> None:
    """Write all that is known of one object but ``done.json``."""
    from PIL import Image

    for name in ("image", "mask"):
        (folder / name).mkdir(parents=True)
    for index, rgba in enumerate(views.pictures.numpy()):
        rgb = np.where(rgba[..., 3:] > 0, rgba[..., :3], np.uint8(255))
        Image.fromarray(rgb).save(folder / "image" / f"{index:04d}.png")
        Image.fromarray(rgba[..., 3]).save(folder / "mask" / f"{index:04d}.png")
    if views.cameras is not None:
        np.savez(folder / "cameras.npz", **_matrices(views))
    if views.points is not None and views.point_normals is not None:
        np.savez(
            folder / "pointcloud.npz",
            points=views.points.numpy().astype(np.float16),
            normals=views.point_normals.numpy().astype(np.float16),
            loc=np.zeros(3, np.float32),
            scale=np.float32(1),
        )
    if views.depth is not None:
        np.savez_compressed(folder / "depth.npz", depth=views.depth.numpy().astype(np.float16))
    if views.normals is not None:
        normals = (views.normals * 127).round().to(torch.int8)
        np.savez_compressed(folder / "normals.npz", normals=normals.numpy())
    if views.voxels is not None:
        voxels = views.voxels.numpy()
        np.savez(folder / "voxels.npz", voxels=np.packbits(voxels), size=np.int64(len(voxels)))
    if views.lights is not None:
        np.savez(folder / "lights.npz", **light_arrays(views.lights))


def _matrices(views: ObjectViews) -> dict[str, Any]:
    assert views.cameras is not None
    matrices = {}
    for name, stack in zip(("world_mat", "camera_mat"), to_dvr(views.cameras), strict=True):
        inverse = torch.linalg.inv(stack.double()).to(stack.dtype)
        for index in range(len(stack)):
            matrices[f"{name}_{index}"] = stack[index].numpy()
            matrices[f"{name}_inv_{index}"] = inverse[index].numpy()
    return matrices
