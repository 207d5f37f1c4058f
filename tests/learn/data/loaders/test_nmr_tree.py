"""``NMR_Dataset`` folders as DVR has them, and as ``unrender data render`` writes them."""

import shutil
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from unrender.errors import InputError
from unrender.io import exr
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.loaders.nmr_tree import NMRTree
from unrender.learn.data.tree_writer import write_object


def write_dvr(folder, captured, *, turn=None, mirror=False):
    """By hand: the world of world_mat is ``turn`` times the object's frame, seen through its inverse."""
    for name in ("image", "mask"):
        (folder / name).mkdir(parents=True)
    for i, rgba in enumerate(captured.pictures.numpy()):
        rgb = np.where(rgba[..., 3:] > 0, rgba[..., :3], 255).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "image" / f"{i:04d}.png")
        Image.fromarray(rgba[..., 3]).save(folder / "mask" / f"{i:04d}.png")
    flip = np.diag([1.0, 1, -1 if mirror else 1, 1])
    scale = np.eye(4) if turn is None else turn
    matrices = {}
    for i, camera in enumerate(captured.cameras):
        pose = camera.world_to_camera.double().numpy() @ flip @ np.linalg.inv(scale)
        pose[:3] *= np.cbrt(np.linalg.det(scale[:3, :3]))  # rigid, as in DVR's files; the picture stays
        ndc = np.eye(4)
        ndc[0, 0] = ndc[1, 1] = 1 / np.tan(np.radians(15))
        matrices |= {f"world_mat_{i}": pose[:3], f"camera_mat_{i}": ndc}
        matrices |= {f"world_mat_inv_{i}": np.linalg.inv(pose), f"camera_mat_inv_{i}": np.linalg.inv(ndc)}
        if turn is not None:
            matrices[f"scale_mat_{i}"] = scale
    np.savez(folder / "cameras.npz", **matrices)
    points, normals = captured.points.double().numpy() @ flip[:3, :3], captured.point_normals.numpy()
    np.savez(
        folder / "pointcloud.npz",
        points=points.astype(np.float16),
        normals=(normals @ flip[:3, :3]).astype(np.float16),
        loc=np.array([3.0, 2.0, 1.0]),
        scale=7.0,
    )


def write_list(root, category, ending, names):
    (root / category).mkdir(parents=True, exist_ok=True)
    (root / category / ending).write_text("".join(f"{name}\n" for name in names))


TURN = np.array([[0.0, -2, 0, 0.5], [2, 0, 0, -0.3], [0, 0, 2, 0.1], [0, 0, 0, 1]])


@pytest.mark.parametrize("turn", [None, TURN], ids=["plain", "scale_mat"])
@pytest.mark.parametrize("mirror", [False, True], ids=["right", "left"])
def test_dvr(tmp_path, captured, loader_tools, turn, mirror):
    write_dvr(tmp_path / "02691156" / "abc", captured, turn=turn, mirror=mirror)
    write_list(tmp_path, "02691156", "softras_test.lst", ["abc"])
    views = NMRTree(tmp_path, split="test")[0]
    assert (views.name, views.category) == ("abc", "02691156")
    cameras, points = loader_tools.known(views.cameras), loader_tools.known(views.points)
    loader_tools.same_pictures(views.pictures, captured.pictures)
    assert loader_tools.camera_distance(cameras, captured.cameras) < 1e-3
    loader_tools.fit(views, captured.voxels)
    assert torch.allclose(points, captured.points, atol=1e-3)
    assert torch.allclose(loader_tools.known(views.point_normals), captured.point_normals, atol=1e-3)
    # the points are where the pictures show them
    x, y, _ = cameras.project(points).unbind(-1)
    near = torch.nn.functional.max_pool2d(views.pictures[..., 3].float(), 3, 1, 1) > 127
    hit = near[torch.arange(24)[:, None], y.long().clamp(0, 63), x.long().clamp(0, 63)]
    assert float(hit.float().mean()) > 0.999


def test_our_extras_come_back(tmp_path, captured, loader_tools):
    write_object(captured, tmp_path / "thing" / "one")
    write_list(tmp_path, "thing", "softras_train.lst", ["one"])
    views = NMRTree(tmp_path)[0]
    loader_tools.same_pictures(views.pictures, captured.pictures)
    assert torch.equal(loader_tools.known(views.voxels), captured.voxels)
    loader_tools.fit(views)
    normals, lights = loader_tools.known(views.normals), loader_tools.known(views.lights)
    assert torch.allclose(loader_tools.known(views.depth), captured.depth, atol=2e-3)
    assert torch.allclose(normals, captured.normals, atol=1e-2)
    assert torch.allclose(normals.norm(dim=-1), (captured.depth > 0).float(), atol=1e-5)
    assert lights.kind == "lambert"
    for name in ("direction", "ambient", "diffuse"):
        assert torch.equal(getattr(lights, name), getattr(captured.lights, name))


def test_lists_are_honoured(tmp_path, captured):
    write_list(tmp_path, "car", "softras_train.lst", ["a", "b"])
    write_list(tmp_path, "car", "softras_val.lst", [])
    write_list(tmp_path, "chair", "softras_train.lst", ["c"])
    write_object(captured, tmp_path / "car" / "not_listed")
    objects = open_dataset(tmp_path)
    assert (objects.names, objects.categories) == (["a", "b", "c"], ["car", "car", "chair"])
    assert open_dataset(tmp_path, "train", ["chair"]).names == ["c"]
    assert len(open_dataset(tmp_path, "val")) == 0
    with pytest.raises(InputError, match=r"softras_test\.lst"):
        open_dataset(tmp_path, "test")


def test_lists_without_prefix(tmp_path):
    write_list(tmp_path, "car", "val.lst", ["a"])
    assert open_dataset(tmp_path, "val").names == ["a"]


@pytest.mark.parametrize("ending", ["cameras.npz", "mask/0007.png", "depth.npz", "voxels.npz", "lights.npz"])
def test_broken_files_are_named(tmp_path, captured, ending):
    folder = tmp_path / "thing" / "one"
    write_object(captured, folder)
    write_list(tmp_path, "thing", "softras_train.lst", ["one", "gone"])
    objects = NMRTree(tmp_path)
    file = folder / ending
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(InputError, match="one"):
        objects[0]
    with pytest.raises(InputError, match=r"gone must hold cameras\.npz"):
        objects[1]


def test_wrong_shapes_are_named(tmp_path, captured):
    folder = tmp_path / "thing" / "one"
    write_object(captured, folder)
    write_list(tmp_path, "thing", "softras_train.lst", ["one"])
    np.savez(folder / "depth.npz", depth=np.zeros((24, 8, 8), np.float16))
    with pytest.raises(InputError, match=r"one: depth must have shape"):
        NMRTree(tmp_path)[0]
    (folder / "depth.npz").unlink()
    np.savez(folder / "voxels.npz", voxels=np.zeros(100, np.uint8), size=32)
    with pytest.raises(InputError, match=r"voxels\.npz"):
        NMRTree(tmp_path)[0]
    shutil.rmtree(folder / "image")
    with pytest.raises(InputError, match="must hold cameras"):
        NMRTree(tmp_path)[0]


class FakeOpenCV:
    """Answers as an OpenCV with OpenEXR does; the file's bytes after the magic are the picture."""

    IMREAD_UNCHANGED = -1
    __version__ = "4.13.0"
    error = type("error", (Exception,), {})

    def __init__(self, answer="YES"):
        self.answer = answer

    def getBuildInformation(self):
        return f"    OpenEXR:                     {self.answer}\n"

    def imread(self, file, flags):
        assert flags == self.IMREAD_UNCHANGED
        with open(file, "rb") as stream:
            data = stream.read()[4:]
        if len(data) != 64 * 64 * 4:
            return None
        # three channels, blue, green, red
        red = np.frombuffer(data, np.float32).reshape(64, 64)
        return np.stack([np.zeros_like(red), np.zeros_like(red), red], -1)


def test_visual_hull_depth(tmp_path, captured, loader_tools, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", FakeOpenCV())
    monkeypatch.delenv("OPENCV_IO_ENABLE_OPENEXR", raising=False)
    folder = tmp_path / "thing" / "one"
    write_dvr(folder, captured, turn=TURN)
    write_list(tmp_path, "thing", "softras_train.lst", ["one"])
    (folder / "visual_hull_depth").mkdir()
    for i, depth in enumerate(captured.depth.numpy()):
        world = np.where(depth > 0, 2 * depth, np.inf).astype(np.float32)  # TURN doubles lengths
        (folder / "visual_hull_depth" / f"{i:04d}.exr").write_bytes(exr.MAGIC + world.tobytes())
    assert NMRTree(tmp_path)[0].depth is None
    objects = NMRTree(tmp_path, visual_hull_depth=True)
    assert torch.allclose(loader_tools.known(objects[0].depth), captured.depth, atol=1e-5)
    file = folder / "visual_hull_depth" / "0003.exr"
    file.write_bytes(exr.MAGIC)
    with pytest.raises(InputError, match=r"0003\.exr"):
        objects[0]
    file.write_bytes(b"")
    with pytest.raises(InputError, match=r"0003\.exr is missing"):
        objects[0]
    file.unlink()
    with pytest.raises(InputError, match="each of 24 pictures, got 23"):
        objects[0]


def test_an_opencv_without_openexr_is_an_import_error(tmp_path, monkeypatch):
    file = tmp_path / "depth.exr"
    file.write_bytes(exr.MAGIC + bytes(10))
    monkeypatch.setitem(sys.modules, "cv2", FakeOpenCV("NO"))
    with pytest.raises(ImportError, match="built without OpenEXR"):
        exr.read_exr(file)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match="need OpenCV"):
        exr.read_exr(file)


def test_openexr_through_opencv(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENCV_IO_ENABLE_OPENEXR", "1")
    cv2 = pytest.importorskip("cv2")
    if not cv2.haveImageWriter("picture.exr"):
        pytest.skip("this OpenCV was built without OpenEXR")
    one = np.array([[1.5, np.inf, -0.25]], np.float32)
    cv2.imwrite(str(tmp_path / "one.exr"), one)
    cv2.imwrite(str(tmp_path / "three.exr"), np.stack([one * 3, one * 2, one], -1))
    for name in ("one", "three"):
        assert np.array_equal(exr.read_exr(tmp_path / f"{name}.exr"), one)
    data = (tmp_path / "one.exr").read_bytes()
    (tmp_path / "cut.exr").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"cut\.exr"):
        exr.read_exr(tmp_path / "cut.exr")
