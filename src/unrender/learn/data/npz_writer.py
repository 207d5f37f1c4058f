"""Writing training sets as the archives of N3MR and Soft Rasterizer (``mesh_reconstruction``).

::

    <root>/<category>_<split>_images.npz    arr_0: bytes (N, 24, 4, S, S), RGB times alpha, and alpha
    <root>/<category>_<split>_voxels.npz    arr_0: bool (N, 32, 32, 32)
    <root>/<category>_<split>_names.json    N names
    <root>/skipped.json                     why meshes were left out, by category/name

Picture i looks from elevation 30 and azimuth -15 i in their left-handed frame, which shows what our frame, z
negated, shows. Their grid has its first two axes exchanged and its last one reversed: cell (j, i, S - 1 - k)
is cell (i, j, k) of :func:`~unrender.geometry.voxelize` in their frame, and so (j, i, k) is cell (i, j, k) in
ours.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import InputError
from ...io.files import write_file
from .blocks import Block, Captured
from .capture import CaptureOptions
from .object_views import ObjectViews

VIEWS = 24


class NpzWriter:
    """Writes blocks of a category into a folder ``parts``, and joins them when all are there.

    Args:
        root: of the data set.
        options: must be those of N3MR's cameras, 24 views.

    Raises:
        InputError: they are not; the files could not say so.
    """

    block_size = 32
    one_category = True
    fixed = True

    def __init__(self, root: Path, options: CaptureOptions) -> None:
        if options.cameras != "n3mr" or options.views != VIEWS:
            raise InputError(
                f"npz files hold {VIEWS} views of n3mr cameras, got {options.views} of {options.cameras}"
            )
        self.root = root
        self.parts = root / "parts"

    def problems(self, block: Block) -> dict[str, str] | None:
        """From the block's part or, after joining, from ``skipped.json``."""
        part, labels = self._part(block), {source.label for source in block.sources}
        if part.is_file():
            with np.load(part) as arrays:
                return dict(zip(arrays["broken"].tolist(), arrays["reasons"].tolist(), strict=True))
        if self._file(block, "names.json").is_file():
            skipped = json.loads((self.root / "skipped.json").read_text(encoding="utf-8"))
            return {label: reason for label, reason in skipped.items() if label in labels}
        return None

    def write(self, block: Block, captured: Iterable[Captured]) -> None:
        """Write the block's part."""
        names, pictures, voxels, problems = [], [], [], {}
        for source, views in captured:
            if isinstance(views, str):
                problems[source.label] = views
            else:
                names.append(source.name)
                pictures.append(n3mr_pictures(views))
                voxels.append(n3mr_voxels(views))
        self.parts.mkdir(parents=True, exist_ok=True)
        temporary = self._part(block).with_suffix(".tmp")
        with temporary.open("wb") as stream:
            np.savez_compressed(
                stream,
                names=np.array(names, dtype=np.str_),
                images=np.array(pictures),
                voxels=np.array(voxels),
                broken=np.array(list(problems), dtype=np.str_),
                reasons=np.array(list(problems.values()), dtype=np.str_),
            )
        os.replace(temporary, self._part(block))

    def finish(self, blocks: Sequence[Block]) -> None:
        """Join the parts of each category and split, then remove them."""
        skipped: dict[str, str] = {}
        groups: dict[Path, list[Block]] = {}
        for block in blocks:
            skipped |= self.problems(block) or {}
            groups.setdefault(self._file(block, "names.json"), []).append(block)
        write_file(self.root / "skipped.json", json.dumps(skipped, indent=1, ensure_ascii=False).encode())
        for names_file, members in groups.items():
            if not names_file.is_file():
                self._join(names_file, members)
        if self.parts.exists():
            shutil.rmtree(self.parts)

    def _join(self, names_file: Path, blocks: Sequence[Block]) -> None:
        parts = [self._part(block) for block in blocks]
        names = [name for part in parts for name in _array(part, "names").tolist()]
        if not names:
            return
        for kind in ("images", "voxels"):
            # joined in the folder of parts, so that what an interrupted job leaves goes away with it
            temporary = self.parts / "joined.tmp"
            _join_arrays(parts, kind, len(names), temporary)
            os.replace(temporary, self._file(blocks[0], f"{kind}.npz"))
        write_file(names_file, json.dumps(names, indent=0, ensure_ascii=False).encode())

    def _file(self, block: Block, what: str) -> Path:
        first = block.sources[0]
        return self.root / f"{first.category}_{first.split}_{what}"

    def _part(self, block: Block) -> Path:
        return self.parts / f"{block.index:06d}.npz"


def n3mr_pictures(views: ObjectViews) -> NDArray[np.uint8]:
    """Pictures as N3MR stores them: colours times alpha, and alpha, bytes (V, 4, H, W)."""
    rgba = views.pictures.float()
    rgba[..., :3] *= rgba[..., 3:] / 255
    return rgba.round().byte().permute(0, 3, 1, 2).numpy()


def n3mr_voxels(views: ObjectViews) -> NDArray[np.bool_]:
    """Filled cells as N3MR stores them, bool (S, S, S); see the head of this module."""
    assert views.voxels is not None
    return views.voxels.permute(1, 0, 2).numpy()


def _array(part: Path, name: str) -> NDArray:
    with np.load(part) as arrays:
        return arrays[name]


def _join_arrays(parts: Sequence[Path], name: str, count: int, file: Path) -> None:
    """Write ``arr_0``, an array of many parts that need not fit into memory together."""
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("arr_0.npy", "w", force_zip64=True) as stream,
    ):
        arrays = filter(len, (_array(part, name) for part in parts))
        for index, array in enumerate(arrays):
            if index == 0:
                header = np.lib.format.header_data_from_array_1_0(array)
                header["shape"] = (count, *array.shape[1:])
                np.lib.format.write_array_header_1_0(stream, header)
            stream.write(array.tobytes())
