import builtins
import gc
import io
import json
import tarfile
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from small_meshes import FAST, write_meshes
from webdataset.compat import WebDataset

from unrender.errors import InputError
from unrender.io import load_mesh
from unrender.learn.data import ObjectViews, capture
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.shards import Shards, ShardWriter, stream_shards
from unrender.learn.data.sources import find_meshes


@pytest.fixture
def shards(tmp_path, monkeypatch):
    """Three shards: two chairs, a chair and a lamp, a lamp, for two meshes are broken."""
    monkeypatch.setattr(ShardWriter, "block_size", 3)
    root = write_meshes(tmp_path / "meshes")
    render_dataset(find_meshes([root]), tmp_path / "set", FAST, format="shards")
    return tmp_path / "set"


def assert_same(read: ObjectViews, views: ObjectViews) -> None:
    """Equal, but for what half precision and bytes round."""
    assert (read.name, read.category) == (views.name, views.category)
    assert torch.equal(read.pictures, views.pictures)
    assert read.cameras is not None
    assert views.cameras is not None
    assert torch.equal(read.cameras.world_to_camera, views.cameras.world_to_camera)
    assert torch.equal(read.cameras.intrinsics, views.cameras.intrinsics)
    assert read.lights is not None
    assert views.lights is not None
    assert read.lights.coefficients is not None
    assert views.lights.coefficients is not None
    assert torch.equal(read.lights.coefficients, views.lights.coefficients)
    for name, tolerance in (
        ("depth", 2e-3),
        ("normals", 0.01),
        ("voxels", 0),
        ("points", 1e-3),
        ("point_normals", 1e-3),
    ):
        value, expected = getattr(read, name), getattr(views, name)
        assert value.dtype == expected.dtype
        assert torch.allclose(value.float(), expected.float(), atol=tolerance)
    assert read.normals is not None
    length = read.normals.norm(dim=-1)
    assert torch.allclose(length, (length > 0).float(), atol=1e-5)


def test_reading_in_any_order(shards, tmp_path):
    dataset = Shards(shards)
    assert dataset.names == ["chair0", "chair1", "chair2", "lamp0", "lamp1"]
    assert dataset.categories == ["chair"] * 3 + ["lamp"] * 2
    assert len(dataset) == 5
    for index in (4, 0, 2):
        name, category = dataset.names[index], dataset.categories[index]
        mesh = load_mesh(tmp_path / "meshes" / category / f"{name}.ply")
        assert_same(dataset[index], capture(mesh, name, category, FAST))


def test_webdataset_reads_them(shards):
    """With its own decoders, without anything of ours."""
    paths = [str(path) for path in sorted(shards.glob("*.tar"))]
    assert len(paths) == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves files open
        dataset: Any = WebDataset(paths, shardshuffle=False).decode()
        samples = list(dataset)
        gc.collect()
    assert [sample["__key__"] for sample in samples] == [
        "chair/chair0",
        "chair/chair1",
        "chair/chair2",
        "lamp/lamp0",
        "lamp/lamp1",
    ]
    assert samples[0]["pictures.npy"].shape == (3, 8, 8, 4)
    assert samples[0]["about.json"]["split"] == "train"
    assert samples[0]["lights.npz"]["coefficients"].shape == (3, 9, 3)


def test_streaming(shards):
    dataset = Shards(shards)
    streamed = list(stream_shards(shards))
    assert [views.name for views in streamed] == dataset.names
    assert_same(streamed[3], dataset[3])
    orders = [[views.name for views in stream_shards(shards, shuffle=10, seed=seed)] for seed in (0, 0, 1, 2)]
    assert all(sorted(order) == sorted(dataset.names) for order in orders)
    assert len({tuple(order) for order in orders[1:]}) > 1


def test_the_list_of_shards(shards):
    content = json.loads((shards / "dataset.json").read_text())["shards"]
    assert [shard["file"] for shard in content] == [f"shard-{index:06d}.tar" for index in range(3)]
    assert [shard["bytes"] for shard in content] == [(shards / s["file"]).stat().st_size for s in content]
    assert [len(shard["objects"]) for shard in content] == [2, 2, 1]
    assert sorted(label for shard in content for label in shard["skipped"]) == ["chair/chair1b", "lamp/flat"]
    assert {shard["split"] for shard in content} == {"train"}


def test_a_broken_shard_is_named(shards):
    (shards / "shard-000000.tar").write_bytes(b"not a tar file")
    (shards / "shard-000001.tar").unlink()
    dataset = Shards(shards)
    for index, name in ((0, "shard-000000.tar"), (3, "shard-000001.tar")):
        with pytest.raises(InputError, match=name):
            dataset[index]
    assert dataset[4].name == "lamp1"
    with pytest.raises(InputError, match=r"cannot be read as tar: .*shard-000000.tar"):
        list(stream_shards(shards))


def test_a_shard_that_was_cut_off(shards):
    file = shards / "shard-000000.tar"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 3])
    with pytest.raises(InputError, match=r"shard-000000.tar"):
        Shards(shards)[1]


def test_a_member_that_is_missing(shards):
    file = shards / "shard-000002.tar"
    with tarfile.open(file) as tar:
        streams = {member.name: tar.extractfile(member) for member in tar if "pictures" not in member.name}
        kept = {name: stream.read() for name, stream in streams.items() if stream is not None}
    with tarfile.open(file, "w") as tar:
        for name, data in kept.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with pytest.raises(InputError, match=r"shard-000002.tar.*lamp/lamp1 has no pictures.npy"):
        Shards(shards)[4]


def test_a_member_with_wrong_bytes(shards):
    file = shards / "shard-000002.tar"
    data = file.read_bytes()
    start = data.index(np.lib.format.MAGIC_PREFIX)
    file.write_bytes(data[:start] + b"rubbish" + data[start + 7 :])
    with pytest.raises(InputError, match=r"shard-000002.tar"):
        Shards(shards)[4]


def test_what_is_not_there(shards, tmp_path):
    with pytest.raises(InputError, match=r"lists no object of the split val"):
        Shards(shards, split="val")
    with pytest.raises(InputError, match=r"has no dataset.json; unrender data render writes it when"):
        Shards(tmp_path)
    (shards / "dataset.json").write_text("{")
    with pytest.raises(InputError, match=r"dataset.json cannot be read"):
        Shards(shards)


def test_streaming_without_webdataset(shards, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("webdataset"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"needs webdataset: pip install 'unrender\[train\]'"):
        next(stream_shards(shards))
    assert len(Shards(shards)) == 5
