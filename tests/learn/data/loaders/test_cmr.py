"""CUB-200-2011 and PASCAL3D+ with the annotations of CMR, in files as its MATLAB scripts save them."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

from unrender.errors import InputError
from unrender.learn.data import ObjectViews
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.loaders.cub import CUB, KEYPOINTS, MIRRORED
from unrender.learn.data.loaders.pascal3d import Pascal3D
from unrender.render import Camera, render

HEIGHT, WIDTH = 120, 150
SFM_AXES = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # left, backward, up, in ours
SIDE, MIDDLE = 1.4, torch.tensor([0.1, -0.2, 0.3])  # of the mean shape
ANGLES = ((10, 20, 0), (100, -15, 30), (220, 40, -20))  # turns: about up, sideways, in the picture


def to_sfm(points):
    """From our object frame to that of the mean shape."""
    return points @ SFM_AXES.mT * SIDE + MIDDLE


def keypoints_in_object(count):
    """Points whose box is centred, its longest side 1."""
    points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) - 0.5
    points[:2] = torch.tensor([[0.5, 0.5, 0.5], [-0.5, -0.5, -0.5]])
    return points * torch.tensor([0.6, 1.0, 0.4])


def struct_array(rows):
    """A MATLAB struct array, 1 x N."""
    array = np.zeros((1, len(rows)), dtype=[(name, object) for name in rows[0]])
    for i, row in enumerate(rows):
        for name, value in row.items():
            array[name][0, i] = value
    return array


def annotate(mesh, folder, rel_paths, count, **fields):
    """Photograph the mesh with weak perspective; ``images`` and ``sfm_anno``, positions counted from 1."""
    images, poses = [], []
    shape = to_sfm(keypoints_in_object(count))
    for i, (rel_path, angles) in enumerate(zip(rel_paths, ANGLES, strict=True)):
        # seen from behind: right in the picture is the bird's right, x is its left; z up is down
        behind = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])
        turn = Rotation.from_euler("ZXY", [angles[2], angles[1], angles[0]], degrees=True).as_matrix()
        rot, scale, trans = turn @ behind, 30.0 + 5 * i, np.array([80.0 + i, 55.0])
        assert np.isclose(np.linalg.det(rot), 1)
        pose = torch.eye(4)
        pose[:3, :3], pose[2, 3] = torch.from_numpy(rot), 5
        x, y = (trans - 0.5).tolist()
        intrinsics = torch.tensor([[scale, 0, x], [0, scale, y], [0, 0, 1]])
        camera = Camera(pose, intrinsics, WIDTH, HEIGHT, orthographic=True)
        picture = render(mesh.replace(vertices=to_sfm(mesh.vertices)), camera)
        photograph = torch.where(picture.mask[..., None], picture.rgb, 0.7)
        file = folder / rel_path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((photograph * 255).round().byte().numpy()).save(file, format="PNG")
        mask = picture.mask.numpy()
        rows, columns = np.nonzero(mask.any(1))[0] + 1, np.nonzero(mask.any(0))[0] + 1
        projected = scale * (shape.double().numpy() @ rot.T)[:, :2] + trans
        visible = np.arange(count) % 4 != i
        parts = np.where(visible, np.concatenate([projected.T, np.ones((1, count))]), 0)
        images.append(
            {
                "rel_path": rel_path,
                "mask": mask.astype(np.uint8),
                "bbox": {"x1": columns[0], "y1": rows[0], "x2": columns[-1], "y2": rows[-1]},
                "parts": parts,
                **{name: values[i] for name, values in fields.items()},
            }
        )
        poses.append({"rot": rot, "scale": scale, "trans": trans[:, None]})
    sfm = {"sfm_anno": struct_array(poses), "S": shape.double().numpy().T, "conv_tri": np.array([[1, 2, 3]])}
    return {"images": struct_array(images)}, sfm


@pytest.fixture
def cub(tmp_path, chiral):
    names = ["001.Crow/one.jpg", "001.Crow/two.jpg", "002.Duck/three.jpg"]
    images, sfm = annotate(chiral, tmp_path / "CUB_200_2011" / "images", names, 15)
    cache = tmp_path / "cachedir" / "cub"
    for name in ("data", "sfm"):
        (cache / name).mkdir(parents=True)
    savemat(cache / "data" / "val_cub_cleaned.mat", images, do_compression=True)
    savemat(cache / "sfm" / "anno_val.mat", sfm, do_compression=True)
    savemat(cache / "data" / "test_cub_cleaned.mat", {"images": images["images"][:, :1]})
    savemat(cache / "sfm" / "anno_test.mat", {**sfm, "sfm_anno": sfm["sfm_anno"][:, :1]})
    return tmp_path


@pytest.fixture
def pascal(tmp_path, chiral):
    for category, names, record in (
        ("car", ["car_pascal/2008_1.jpg", "car_pascal/2008_2.jpg", "car_imagenet/n1.jpg"], (1, 2, 1)),
        ("aeroplane", [f"aeroplane_pascal/{i}.jpg" for i in range(3)], (1, 1, 1)),
    ):
        folder = tmp_path / "PASCAL3D+_release1.1" / "Images"
        images, sfm = annotate(chiral, folder, names, 12, voc_rec_id=record)
        for kind, content in (("data", images), ("sfm", sfm)):
            (tmp_path / "cachedir" / "p3d" / kind).mkdir(parents=True, exist_ok=True)
            savemat(tmp_path / "cachedir" / "p3d" / kind / f"{category}_train.mat", content)
        points = np.empty((12, 1), object)
        points[:, 0] = [f"{'left' if i % 2 else 'right'}_{i // 2}" for i in range(12)]
        order = np.arange(12).reshape(6, 2)[:, ::-1].reshape(12, 1) + 1
        file = tmp_path / "cachedir" / "p3d" / "data" / f"{category}_kps.mat"
        savemat(file, {"kp_names": points, "kp_perm_inds": order})
    return tmp_path


def together(objects):
    """The pictures of several objects, which are one here, as views of it."""
    cameras = [item.cameras for item in objects]
    camera = Camera(
        torch.cat([camera.world_to_camera for camera in cameras]),
        torch.cat([camera.intrinsics for camera in cameras]),
        cameras[0].width,
        cameras[0].height,
        orthographic=True,
    )
    return ObjectViews("all", "bird", torch.cat([item.pictures for item in objects]), camera)


def check_object(item, mesh, place, count):
    assert item.cameras.orthographic
    # keypoints are where the camera sees those of the mean shape
    points = item.keypoints
    seen = item.cameras.project(points.shape)[..., :2]
    assert points.visible[0].tolist() == [i % 4 != place for i in range(count)]
    assert torch.allclose(seen[points.visible], points.positions[points.visible], atol=1e-3)
    assert bool((points.positions[~points.visible] == 0).all())
    assert torch.allclose(points.shape, keypoints_in_object(count), atol=1e-5)
    # and so is the mesh
    picture = render(mesh, item.cameras)
    mask = item.pictures[..., 3] > 127
    iou = float((mask & picture.mask).sum() / (mask | picture.mask).sum())
    assert iou > 0.97
    for flip in ([-1.0, 1, 1], [1, -1, 1], [1, 1, -1]):
        mirrored = render(mesh.replace(vertices=mesh.vertices * torch.tensor(flip)), item.cameras).mask
        assert float((mask & mirrored).sum() / (mask | mirrored).sum()) < iou - 0.1
    both = mask & picture.mask
    assert float((picture.rgb * 255 - item.pictures[..., :3])[both].abs().median()) < 2
    assert bool((item.pictures[item.pictures[..., 3] == 0] == 0).all())


def test_cub(cub, chiral, captured, loader_tools):
    birds = CUB(cub, split="val", size=128)
    assert birds.names == ["001.Crow/one", "001.Crow/two", "002.Duck/three"]
    assert birds.categories == ["bird"] * 3
    found = [birds[i] for i in range(len(birds))]
    for i, bird in enumerate(found):
        assert bird.pictures.shape == (1, 128, 128, 4)
        check_object(bird, chiral, i, 15)
        assert bird.keypoints is not None
        assert bird.keypoints.names == list(KEYPOINTS)
    loader_tools.fit(together(found), captured.voxels, margin=3)


def test_keypoints_that_are_mirrored_exchange_left_and_right():
    for name, place in zip(KEYPOINTS, MIRRORED, strict=True):
        other = KEYPOINTS[place]
        assert other.replace("left", "right") == name.replace("left", "right")
        assert (other == name) == ("left" not in name and "right" not in name)


def test_cut_out_is_the_box_and_a_tenth(cub):
    mask = CUB(cub, split="val", size=200)[0].pictures[0, ..., 3] > 127
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    sides = [int(line[-1] - line[0] + 1) for line in (rows, columns)]
    assert max(sides) == pytest.approx(200 / 1.1, abs=3)
    for line in (rows, columns):
        assert float(line[0] + line[-1] + 1) / 2 == pytest.approx(100, abs=2)


def test_cub_splits_and_one_object(cub):
    (bird,) = open_dataset(cub, "test", ["bird"])
    assert bird.name == "001.Crow/one"
    with pytest.raises(InputError, match=r"train_cub_cleaned\.mat"):
        open_dataset(cub, "train")


def test_pascal3d(pascal, chiral):
    objects = Pascal3D(pascal, size=128)
    assert objects.categories == ["aeroplane"] * 3 + ["car"] * 3
    assert objects.names[3:] == ["car_pascal/2008_1_1", "car_pascal/2008_2_2", "car_imagenet/n1_1"]
    for i in range(len(objects)):
        check_object(objects[i], chiral, i % 3, 12)
    keypoints = objects[0].keypoints
    assert keypoints is not None
    assert keypoints.names[:3] == ["right_0", "left_0", "right_1"]
    assert keypoints.mirrored.tolist() == [1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10]
    assert len(open_dataset(pascal, "train", ["car"])) == 3
    with pytest.raises(InputError, match=r"CATEGORY_test\.mat"):
        open_dataset(pascal, "test")


def test_broken_photographs_are_named(cub):
    birds = CUB(cub, split="val")
    (cub / "CUB_200_2011" / "images" / "001.Crow" / "one.jpg").write_bytes(b"no picture")
    (cub / "CUB_200_2011" / "images" / "001.Crow" / "two.jpg").unlink()
    Image.new("RGB", (20, 10)).save(cub / "CUB_200_2011" / "images" / "002.Duck" / "three.jpg")
    for i, name in enumerate(("one", "two", "three")):
        with pytest.raises(InputError, match=rf"{name}\.jpg"):
            birds[i]


@pytest.mark.parametrize("field", ["rot", "scale", "trans"])
def test_a_camera_that_is_none_is_named(cub, chiral, field):
    _, sfm = annotate(chiral, cub / "elsewhere", ["a.png", "b.png", "c.png"], 15)
    sfm["sfm_anno"][field][0, 1] = sfm["sfm_anno"][field][0, 1] * np.nan
    sfm["sfm_anno"]["rot"][0, 2] = np.diag([1.0, 1, -1])
    savemat(cub / "cachedir" / "cub" / "sfm" / "anno_val.mat", sfm)
    birds = CUB(cub, split="val")
    assert len(birds[0]) == 1
    with pytest.raises(InputError, match=r"anno_val\.mat: the camera of 001.Crow/two"):
        birds[1]
    with pytest.raises(InputError, match=r"anno_val\.mat: the camera of 002.Duck/three"):
        birds[2]


def test_annotations_that_do_not_fit_are_named(cub):
    sfm = cub / "cachedir" / "cub" / "sfm" / "anno_val.mat"
    other = (cub / "cachedir" / "cub" / "sfm" / "anno_test.mat").read_bytes()
    sfm.write_bytes(other)
    with pytest.raises(InputError, match=r"anno_val\.mat must have a camera for each of the 3 objects"):
        CUB(cub, split="val")
    sfm.write_bytes(other[: len(other) // 2])
    with pytest.raises(InputError, match=r"anno_val\.mat"):
        CUB(cub, split="val")
    savemat(sfm, {"S": np.zeros((3, 15))})
    with pytest.raises(InputError, match="no variable sfm_anno"):
        CUB(cub, split="val")
    sfm.write_text("not a MATLAB file at all, but long enough for a header" * 10)
    with pytest.raises(InputError, match=r"anno_val\.mat"):
        CUB(cub, split="val")
