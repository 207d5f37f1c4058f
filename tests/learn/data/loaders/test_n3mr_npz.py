"""``mesh_reconstruction`` archives as the scripts of N3MR write them."""

import json

import numpy as np
import pytest
import torch

from unrender.compat import soft_renderer
from unrender.errors import InputError
from unrender.geometry import gather_corners
from unrender.learn.data.capture import n3mr_cameras
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.loaders.n3mr_npz import N3MRArchives
from unrender.render.conventions import flip_handedness


def stored_pictures(rgba, *, inverted):
    """N3MR's make_dataset.py: composed on white, then 1 - colour; else the same without inverting."""
    straight, mask = rgba[..., :3].numpy() / 255, rgba[..., 3:].numpy() / 255
    on_white = straight * mask + (1 - mask)
    colors = 1 - on_white if inverted else straight * mask
    return np.concatenate([np.round(colors * 255), mask * 255], -1).astype(np.uint8).transpose(0, 3, 1, 2)


def stored_voxels(mesh):
    """SoftRas's evaluate_iou: its mesh, its voxeliser, and the order in which it compares with the truth."""
    vertices, faces = flip_handedness(mesh.vertices, mesh.faces)
    corners = gather_corners(vertices, faces)[None]
    grid = soft_renderer.functional.voxelization(corners * (31 / 32) + 0.5, 32, False).numpy()
    return grid.transpose(0, 2, 1, 3)[:, :, :, ::-1].astype(bool)


def write(folder, captured, chiral, *, category="02691156", split="train", inverted=False, count=2):
    pictures = stored_pictures(captured.pictures, inverted=inverted)[None]
    empty = np.zeros((count - 1, *pictures.shape[1:]), np.uint8)
    voxels = np.concatenate([np.zeros((count - 1, 32, 32, 32), bool), stored_voxels(chiral)])
    np.savez_compressed(folder / f"{category}_{split}_images.npz", np.concatenate([empty, pictures]))
    np.savez_compressed(folder / f"{category}_{split}_voxels.npz", voxels)


@pytest.mark.parametrize("inverted", [False, True])
def test_pictures_cameras_and_voxels(tmp_path, captured, chiral, loader_tools, inverted):
    write(tmp_path, captured, chiral, inverted=inverted)
    objects = N3MRArchives(tmp_path, inverted=inverted)
    assert objects.names == ["000000", "000001"]
    assert objects.categories == ["02691156"] * 2
    views = objects[1]
    loader_tools.same_pictures(views.pictures, captured.pictures)
    assert views.cameras is not None
    assert loader_tools.camera_distance(views.cameras, n3mr_cameras(24, 64)) < 1e-4
    assert torch.equal(loader_tools.known(views.voxels), captured.voxels)
    loader_tools.fit(views)


def test_the_wrong_option_inverts_colours(tmp_path, captured, chiral):
    write(tmp_path, captured, chiral, inverted=True)
    inside = captured.pictures[..., 3] == 255
    found = N3MRArchives(tmp_path)[1].pictures[inside][:, :3].float()
    assert float((255 - found - captured.pictures[inside][:, :3]).abs().max()) <= 1


def test_splits_categories_and_names(tmp_path, captured, chiral, loader_tools):
    write(tmp_path, captured, chiral, category="car", count=3)
    write(tmp_path, captured, chiral, category="chair")
    write(tmp_path, captured, chiral, category="car", split="val", count=1)
    (tmp_path / "chair_train_names.json").write_text(json.dumps(["a", "b"]))
    objects = open_dataset(tmp_path)
    assert list(zip(objects.categories, objects.names, strict=True)) == [
        *(("car", f"00000{i}") for i in range(3)),
        ("chair", "a"),
        ("chair", "b"),
    ]
    assert len(open_dataset(tmp_path, "val")) == 1
    chairs = open_dataset(tmp_path, "train", ["chair"])
    assert (chairs[1].name, chairs[1].category, len(chairs)) == ("b", "chair", 2)
    assert torch.equal(loader_tools.known(chairs[1].voxels), captured.voxels)
    with pytest.raises(InputError, match="sofa"):
        open_dataset(tmp_path, "train", ["sofa"])
    with pytest.raises(InputError, match="_test_images"):
        open_dataset(tmp_path, "test")


def test_broken_archives_are_named(tmp_path, captured, chiral):
    write(tmp_path, captured, chiral, category="car")
    write(tmp_path, captured, chiral, category="chair")
    file = tmp_path / "car_train_images.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 50] = b"\0" * 50
    file.write_bytes(content)
    objects = N3MRArchives(tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=r"car_train_images\.npz"):
            objects[1]
    assert objects[3].category == "chair"
    (tmp_path / "chair_train_voxels.npz").unlink()
    with pytest.raises(InputError, match=r"chair_train_voxels\.npz"):
        N3MRArchives(tmp_path)[2]
    file.write_bytes(content[:100])
    with pytest.raises(InputError, match=r"car_train_images\.npz"):
        N3MRArchives(tmp_path)


def test_other_shapes_are_refused(tmp_path, captured, chiral):
    write(tmp_path, captured, chiral, category="car")
    images = np.zeros((2, 20, 4, 8, 8), np.uint8)
    np.savez_compressed(tmp_path / "car_train_images.npz", images)
    with pytest.raises(InputError, match=r"car_train_images\.npz must hold bytes \(N, 24, 4, S, S\)"):
        N3MRArchives(tmp_path)[0]
    np.savez_compressed(tmp_path / "car_train_images.npz", images[0])
    with pytest.raises(InputError, match="shape"):
        N3MRArchives(tmp_path)
