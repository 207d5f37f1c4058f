import dataclasses
import json

import numpy as np
import pytest
import torch
from small_meshes import FAST, N3MR, key, write_meshes

from unrender.compat import neural_renderer, soft_renderer
from unrender.errors import InputError
from unrender.geometry import Mesh
from unrender.io import load_mesh, save_mesh
from unrender.learn.data import capture
from unrender.learn.data.capture import to_unit_cube
from unrender.learn.data.loaders.n3mr_npz import N3MRArchives
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.sources import find_meshes
from unrender.render.conventions import flip_handedness


@pytest.fixture
def archives(tmp_path):
    root = write_meshes(tmp_path / "meshes")
    report = render_dataset(find_meshes([root]), tmp_path / "set", N3MR, format="npz")
    return tmp_path / "set", report


def theirs(mesh: Mesh) -> tuple[torch.Tensor, torch.Tensor]:
    """The object in N3MR's left-handed world."""
    mesh = to_unit_cube(mesh)
    return flip_handedness(mesh.vertices, mesh.faces)


def test_shapes_and_names(archives):
    root, report = archives
    assert sorted(file.name for file in root.iterdir()) == [
        "chair_train_images.npz",
        "chair_train_names.json",
        "chair_train_voxels.npz",
        "lamp_train_images.npz",
        "lamp_train_names.json",
        "lamp_train_voxels.npz",
        "render.json",
        "skipped.json",
    ]
    images, voxels = (np.load(root / f"chair_train_{kind}.npz") for kind in ("images", "voxels"))
    assert images.files == voxels.files == ["arr_0"]
    assert images["arr_0"].dtype == np.uint8
    assert images["arr_0"].shape == (3, 24, 4, 8, 8)
    assert voxels["arr_0"].dtype == bool
    assert voxels["arr_0"].shape == (3, 32, 32, 32)
    assert json.loads((root / "chair_train_names.json").read_text()) == ["chair0", "chair1", "chair2"]
    assert sorted(json.loads((root / "skipped.json").read_text())) == sorted(report.skipped)
    assert sorted(report.skipped) == ["chair/chair1b", "lamp/flat"]


def test_colours_are_multiplied_by_alpha(archives, tmp_path):
    images = np.load(archives[0] / "chair_train_images.npz")["arr_0"]
    views = capture(load_mesh(tmp_path / "meshes" / "chair" / "chair1.ply"), "chair1", "chair", N3MR)
    rgba = views.pictures.numpy().astype(float)
    assert np.array_equal(images[1, :, 3], rgba[..., 3])
    expected = (rgba[..., :3] * rgba[..., 3:] / 255).transpose(0, 3, 1, 2)
    assert np.abs(images[1, :, :3] - expected).max() <= 0.5


@pytest.mark.parametrize("view", [0, 4, 11])
def test_pictures_are_what_n3mr_draws(tmp_path, view):
    """N3MR's renderer, given the object in its own world and its own angles, draws the stored silhouette."""
    save_mesh(key(), tmp_path / "keys" / "key.ply")
    options = dataclasses.replace(N3MR, size=32, samples=2)
    render_dataset(find_meshes([tmp_path]), tmp_path / "set", options, format="npz")
    stored = np.load(tmp_path / "set" / "keys_train_images.npz")["arr_0"][0, view, 3] / 255
    renderer = neural_renderer.Renderer(
        image_size=32, anti_aliasing=True, camera_mode="look_at", viewing_angle=15
    )
    renderer.eye = neural_renderer.get_points_from_angles(2.732, 30, -15 * view)
    vertices, faces = theirs(key())
    silhouette = renderer(vertices[None], faces[None].int(), mode="silhouettes")[0]
    assert np.abs(silhouette.numpy() - stored).mean() < 0.01
    mirrored = np.abs(silhouette.numpy()[:, ::-1] - stored).mean()
    assert mirrored > 0.05


def test_voxels_are_in_the_layout_of_n3mr(tmp_path):
    """The evaluation of N3MR, word for word, finds an IoU of 1 for the object itself in its own world."""
    save_mesh(key(), tmp_path / "keys" / "key.ply")
    render_dataset(find_meshes([tmp_path]), tmp_path / "set", N3MR, format="npz")
    voxels = np.load(tmp_path / "set" / "keys_train_voxels.npz")["arr_0"]
    vertices, faces = theirs(key())
    triangles = vertices[faces][None] * (32.0 - 1) / 32.0 + 0.5
    predicted = soft_renderer.functional.voxelization(triangles, 32, False).numpy()

    def iou(prediction: np.ndarray) -> float:
        return (voxels * prediction).sum() / (voxels + prediction > 0).sum()

    assert iou(predicted.transpose(0, 2, 1, 3)[:, :, :, ::-1]) > 0.99
    for wrong in (
        predicted,
        predicted.transpose(0, 2, 1, 3),
        predicted[:, :, :, ::-1],
        predicted.transpose(0, 1, 3, 2)[:, :, :, ::-1],
    ):
        assert iou(wrong) < 0.9


def test_the_loader_gives_back_what_was_captured(archives, tmp_path):
    dataset = N3MRArchives(archives[0])
    assert dataset.names == ["chair0", "chair1", "chair2", "lamp0", "lamp1"]
    views = capture(load_mesh(tmp_path / "meshes" / "lamp" / "lamp1.ply"), "lamp1", "lamp", N3MR)
    read = dataset[4]
    assert (read.name, read.category) == ("lamp1", "lamp")
    assert read.voxels is not None
    assert views.voxels is not None
    assert torch.equal(read.voxels, views.voxels)
    assert torch.equal(read.pictures[..., 3], views.pictures[..., 3])
    assert read.cameras is not None
    assert views.cameras is not None
    assert torch.allclose(read.cameras.world_to_camera, views.cameras.world_to_camera, atol=1e-6)
    solid = views.pictures[..., 3] == 255
    assert torch.equal(read.pictures[solid], views.pictures[solid])


def test_other_cameras_do_not_fit(tmp_path):
    sources = find_meshes([write_meshes(tmp_path / "meshes")])
    with pytest.raises(InputError, match="24 views of n3mr cameras, got 3 of n3mr"):
        render_dataset(sources, tmp_path / "set", FAST, format="npz")
    assert not (tmp_path / "set").exists()
