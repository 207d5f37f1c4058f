import json

import numpy as np
import pytest
import torch
from PIL import Image
from small_meshes import FAST, key

from unrender.io import load_views, save_mesh
from unrender.learn.data import capture
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.sources import MeshFile


@pytest.fixture
def tree(tmp_path):
    """The folder of one object, and what it shows."""
    save_mesh(key(), tmp_path / "key.ply")
    source = MeshFile(
        category="keys", name="key", split="val", credits={"creator": "Ann"}, file=tmp_path / "key.ply"
    )
    render_dataset([source], tmp_path / "set", FAST)
    return tmp_path / "set" / "keys" / "key", capture(source.load(), "key", "keys", FAST)


def test_pictures(tree):
    folder, views = tree
    files = sorted((folder / "image").iterdir())
    assert [file.name for file in files] == ["0000.png", "0001.png", "0002.png"]
    for index, file in enumerate(files):
        image, mask = Image.open(file), Image.open(folder / "mask" / file.name)
        assert (image.mode, mask.mode) == ("RGB", "L")
        alpha = np.asarray(mask)
        assert np.array_equal(alpha, views.pictures[index, ..., 3].numpy())
        seen = alpha > 0
        assert 0 < seen.sum() < seen.size
        assert np.array_equal(np.asarray(image)[seen], views.pictures[index, ..., :3].numpy()[seen])
        assert (np.asarray(image)[~seen] == 255).all()


def test_cameras_are_those_of_dvr(tree):
    """DVR's own formula: camera_mat @ world_mat @ (x, 1), in [-1, 1], (-1, -1) at the upper left."""
    folder, views = tree
    stored = np.load(folder / "cameras.npz")
    assert len(stored.files) == 4 * 3
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    for index in range(3):
        world, camera = stored[f"world_mat_{index}"], stored[f"camera_mat_{index}"]
        assert camera[0, 0] == pytest.approx(1 / np.tan(np.radians(15)), rel=1e-5)
        assert np.allclose(world @ stored[f"world_mat_inv_{index}"], np.eye(4), atol=1e-5)
        assert np.allclose(camera @ stored[f"camera_mat_inv_{index}"], np.eye(4), atol=1e-5)
        x, y, z, _ = camera @ world @ np.concatenate([points, np.ones((20, 1))], 1).T
        expected = views.cameras[index].project(torch.from_numpy(points).float())
        assert np.allclose((np.stack([x / z, y / z], -1) + 1) * 4, expected[:, :2].numpy(), atol=1e-4)


def test_our_reader_of_dvr_reads_it(tree):
    folder, views = tree
    read = load_views(folder)
    assert torch.allclose(read.cameras.world_to_camera, views.cameras.world_to_camera, atol=1e-6)
    assert torch.allclose(read.cameras.intrinsics, views.cameras.intrinsics, atol=1e-5)
    assert torch.allclose(read.masks, views.pictures[..., 3] / 255)


def test_truth(tree):
    folder, views = tree
    cloud = np.load(folder / "pointcloud.npz")
    assert sorted(cloud.files) == ["loc", "normals", "points", "scale"]
    assert cloud["points"].dtype == cloud["normals"].dtype == np.float16
    assert np.allclose(cloud["points"], views.points.numpy(), atol=1e-3)
    assert np.allclose(cloud["normals"], views.point_normals.numpy(), atol=1e-3)
    assert (cloud["loc"] == 0).all()
    assert cloud["scale"] == 1
    depth = np.load(folder / "depth.npz")["depth"]
    assert depth.dtype == np.float16
    assert np.allclose(depth, views.depth.numpy(), atol=2e-3)
    normals = np.load(folder / "normals.npz")["normals"]
    assert normals.dtype == np.int8
    assert np.allclose(normals / 127, views.normals.numpy(), atol=0.5 / 127 + 1e-6)
    stored = np.load(folder / "voxels.npz")
    size = int(stored["size"])
    cells = np.unpackbits(stored["voxels"])[: size**3].reshape(size, size, size)
    assert np.array_equal(cells.astype(bool), views.voxels.numpy())
    lights = np.load(folder / "lights.npz")
    assert str(lights["kind"]) == "harmonics"
    assert np.array_equal(lights["coefficients"], views.lights.coefficients.numpy())


def test_record_and_lists(tree):
    folder, _ = tree
    record = json.loads((folder / "done.json").read_text())
    assert record["split"] == "val"
    assert record["source"].endswith("key.ply")
    assert record["creator"] == "Ann"
    assert record["options"]["size"] == 8
    lists = {file.name: file.read_text() for file in folder.parent.glob("*.lst")}
    assert lists == {"softras_train.lst": "", "softras_val.lst": "key\n", "softras_test.lst": ""}
    # what YAML 1.2 makes of it, JSON being a part of YAML
    text = (folder.parents[1] / "metadata.yaml").read_text()
    assert text.splitlines() == ['"keys":', '  id: "keys"', '  name: "keys"']
