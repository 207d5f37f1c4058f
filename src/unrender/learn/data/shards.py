"""Training sets as WebDataset shards: tar files that are read from one end to the other.

::

    <root>/dataset.json        {"shards": [{"file", "bytes", "split", "objects": [[category, name], ...],
                               "skipped": {label: reason}}, ...]}
    <root>/shard-000000.tar    up to 32 objects of one split, each under the key <category>/<name>
    <root>/shard-000000.json   the shard's entry in dataset.json

Members of an object, V pictures of H x W pixels::

    .pictures.npy          bytes (V, H, W, 4): RGB, not multiplied by alpha, and alpha
    .world_to_camera.npy   float32 (V, 4, 4)
    .intrinsics.npy        float32 (V, 3, 3) [pixels]
    .lights.npz            kind, and the fields of LightRecord
    .depth.npy             float16 (V, H, W): camera z, 0 is nothing
    .normals.npy           int8 (V, H, W, 3): world normals times 127
    .voxels.npy            bool (S, S, S)
    .points.npy            float16 (N, 3)
    .point_normals.npy     float16 (N, 3)
    .about.json            category, name, split, source; title, creator and license where they are known

``webdataset`` reads the files as they are, decoding members to arrays, see :func:`stream_shards`.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from ...errors import InputError
from ...io.files import write_file
from ...render import Camera
from .blocks import Block, Captured
from .light_arrays import light_arrays, lights_from_arrays
from .loaders.reading import reading
from .object_views import ObjectViews
from .sources import MeshSource

INDEX = "dataset.json"


class ShardWriter:
    """Writes each block as a shard.

    Args:
        root: of the data set.
    """

    block_size = 32
    one_category = False
    fixed = True

    def __init__(self, root: Path) -> None:
        self.root = root

    def problems(self, block: Block) -> dict[str, str] | None:
        """From the shard's .json file, which is written last."""
        file = self._file(block, ".json")
        return _json(file)["skipped"] if file.is_file() else None

    def write(self, block: Block, captured: Iterable[Captured]) -> None:
        """Write the shard."""
        shard, temporary = self._file(block, ".tar"), self._file(block, ".tmp")
        entry: dict[str, Any] = {"file": shard.name, "split": block.sources[0].split}
        objects, skipped = [], {}
        self.root.mkdir(parents=True, exist_ok=True)
        with tarfile.open(temporary, "w") as tar:
            for source, views in captured:
                if isinstance(views, str):
                    skipped[source.label] = views
                    continue
                objects.append([source.category, source.name])
                for name, data in members(source, views).items():
                    info = tarfile.TarInfo(f"{source.label}.{name}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        os.replace(temporary, shard)
        entry |= {"bytes": shard.stat().st_size, "objects": objects, "skipped": skipped}
        write_file(self._file(block, ".json"), json.dumps(entry, ensure_ascii=False).encode())

    def finish(self, blocks: Sequence[Block]) -> None:
        """Write ``dataset.json``."""
        content = {"shards": [_json(self._file(block, ".json")) for block in blocks]}
        write_file(self.root / INDEX, json.dumps(content, indent=1, ensure_ascii=False).encode())

    def _file(self, block: Block, suffix: str) -> Path:
        return self.root / f"shard-{block.index:06d}{suffix}"


class Shards:
    """The objects of one split, in any order, without unpacking the files.

    Args:
        path: folder with ``dataset.json``.
        split: train, val or test.

    Attributes:
        names: one an object.
        categories: one an object.

    Raises:
        InputError: ``dataset.json`` is missing or broken, or lists no object of the split.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train") -> None:
        self._root = Path(path)
        found = [
            (shard["file"], category, name)
            for shard in _shards(self._root, split)
            for category, name in shard["objects"]
        ]
        self.names = [name for _, _, name in found]
        self.categories = [category for _, category, _ in found]
        self._files = [file for file, _, _ in found]
        self._members: dict[Path, dict[str, dict[str, tuple[int, int]]]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> ObjectViews:
        """Read one object.

        Raises:
            InputError: the shard is missing or corrupt, or does not hold the object.
        """
        path, label = self._root / self._files[index], f"{self.categories[index]}/{self.names[index]}"
        with _reading_tar(path):
            if path not in self._members:
                self._members[path] = _list_members(path)
            places = self._members[path].get(label)
            if places is None:
                raise InputError(f"{path} does not hold {label}")
            with path.open("rb") as stream:
                return _views({name: _part(stream, *place) for name, place in places.items()}, label)


def stream_shards(
    path: str | os.PathLike[str], *, split: str = "train", shuffle: int = 0, seed: int = 0
) -> Iterator[ObjectViews]:
    """Read the objects of a split one after the other, for sets that are too large for anything else.

    Under ``torch.distributed`` each process reads shards of its own, and so does each worker of a DataLoader.

    Args:
        path: folder with ``dataset.json``.
        split: train, val or test.
        shuffle: objects to draw from at random, of shards in random order; 0 keeps the order.
        seed: of the order.

    Raises:
        InputError: ``dataset.json`` is missing or malformed, or a shard is corrupt.
        ImportError: webdataset is missing.
    """
    try:
        from webdataset.filters import shuffle as shuffled
        from webdataset.pipeline import DataPipeline
        from webdataset.shardlists import SimpleShardList, split_by_node, split_by_worker
        from webdataset.tariterators import group_by_keys, tar_file_expander
    except ImportError as error:
        raise ImportError("reading shards in a stream needs webdataset: pip install 'unrender[train]'") from (
            error
        )
    paths = [str(Path(path) / shard["file"]) for shard in _shards(Path(path), split)]
    mix = random.Random(seed)  # the same in all processes, which split the shards among them after this
    if shuffle:
        mix.shuffle(paths)
    stages = [
        SimpleShardList(paths),
        split_by_node,
        split_by_worker,
        _open_files,
        tar_file_expander,
        group_by_keys,
    ]
    if shuffle:
        stages.append(shuffled(shuffle, rng=mix))
    with _reading_tar(Path(path)):
        for sample in DataPipeline(*stages):
            data = {name: value for name, value in sample.items() if not name.startswith("__")}
            yield _views(data, f"{sample['__key__']} of {sample['__url__']}")


def members(source: MeshSource, views: ObjectViews) -> dict[str, bytes]:
    """The files that hold an object, by the end of their names."""
    arrays: dict[str, Any] = {"pictures": views.pictures}
    if views.cameras is not None:
        arrays["world_to_camera"] = views.cameras.world_to_camera
        arrays["intrinsics"] = views.cameras.intrinsics
    if views.depth is not None:
        arrays["depth"] = views.depth.half()
    if views.normals is not None:
        arrays["normals"] = (views.normals * 127).round().to(torch.int8)
    if views.voxels is not None:
        arrays["voxels"] = views.voxels
    if views.points is not None and views.point_normals is not None:
        arrays["points"], arrays["point_normals"] = views.points.half(), views.point_normals.half()
    files = {f"{name}.npy": _npy(tensor.numpy()) for name, tensor in arrays.items()}
    if views.lights is not None:
        stream = io.BytesIO()
        np.savez(stream, **light_arrays(views.lights))
        files["lights.npz"] = stream.getvalue()
    about = {"category": source.category, "name": source.name, "split": source.split}
    about |= {"source": source.origin, **source.credits}
    files["about.json"] = json.dumps(about, ensure_ascii=False).encode()
    return files


def _views(files: Mapping[str, bytes], label: str) -> ObjectViews:
    """The inverse of :func:`members`."""
    needed = ("about.json", "pictures.npy")
    if missing := [name for name in needed if name not in files]:
        raise InputError(f"{label} has no {missing[0]}")
    about = json.loads(files["about.json"])
    arrays = {
        name.removesuffix(".npy"): torch.from_numpy(np.load(io.BytesIO(data)))
        for name, data in files.items()
        if name.endswith(".npy")
    }
    pictures, cameras, lights = arrays["pictures"], None, None
    if "world_to_camera" in arrays:
        height, width = pictures.shape[1:3]
        cameras = Camera(arrays["world_to_camera"], arrays["intrinsics"], width, height)
    if "lights.npz" in files:
        with np.load(io.BytesIO(files["lights.npz"])) as stored:
            lights = lights_from_arrays(stored)
    halves = ("depth", "points", "point_normals")
    truth = {name: arrays[name].float() for name in halves if name in arrays}
    if "normals" in arrays:
        truth["normals"] = torch.nn.functional.normalize(arrays["normals"].float(), dim=-1)
    return ObjectViews(
        about["name"], about["category"], pictures, cameras, lights, voxels=arrays.get("voxels"), **truth
    )


def _list_members(path: Path) -> dict[str, dict[str, tuple[int, int]]]:
    """Where each member of each object lies in a shard: offset and size."""
    places: dict[str, dict[str, tuple[int, int]]] = {}
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            label, _, name = member.name.partition(".")
            places.setdefault(label, {})[name] = (member.offset_data, member.size)
    return places


def _open_files(urls: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A stage between webdataset's own, whose opener leaves files open."""
    for url in urls:
        with open(url["url"], "rb") as stream:
            yield {**url, "stream": stream}


@contextlib.contextmanager
def _reading_tar(path: Path) -> Iterator[None]:
    """Turn what goes wrong inside into an InputError that names ``path``."""
    try:
        with reading(path):
            yield
    except tarfile.TarError as error:
        raise InputError(f"{path} cannot be read as tar: {error}") from error


def _part(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    return stream.read(size)


def _shards(root: Path, split: str) -> list[dict[str, Any]]:
    """The entries of a split, of which there is at least one."""
    file = root / INDEX
    if not file.is_file():
        raise InputError(f"{root} has no {INDEX}; unrender data render writes it when all shards are there")
    with reading(file):
        shards = [shard for shard in _json(file)["shards"] if shard["split"] == split and shard["objects"]]
        if not shards:
            raise InputError(f"{file} lists no object of the split {split}")
        return shards


def _json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def _npy(array: NDArray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
