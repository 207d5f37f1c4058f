"""Depth of view sets: its rules, and the files it is read from."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from unrender.errors import InputError
from unrender.io.view_depth import splat_points
from unrender.io.views import Views, load_views, save_views
from unrender.render.camera import Camera

WIDTH, HEIGHT = 12, 8


def depth_of(views: Views) -> torch.Tensor:
    """Of views that have some."""
    assert views.depth is not None
    return views.depth


@pytest.fixture
def views() -> Views:
    """Two views with depth that is unknown in one column."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, HEIGHT, WIDTH, 4), generator=generator).float() / 255
    depth = 1 + torch.rand(2, HEIGHT, WIDTH, generator=generator)
    depth[:, :, 3] = 0
    cameras = Camera.orbit(3.0, 20.0, torch.tensor([0.0, 90.0]), fov_y=40.0, width=WIDTH, height=HEIGHT)
    return Views(pixels[..., :3], pixels[..., 3], cameras, ["a", "b"], depth)


def test_depth_goes_where_its_view_goes(views):
    assert torch.equal(depth_of(views[[1]]), views.depth[1:])
    assert torch.equal(depth_of(views.split([0])[0]), views.depth[1:])
    assert depth_of(views.to(torch.float64)).dtype == torch.float64
    smaller = views.resized(WIDTH // 2, HEIGHT // 2)
    nearest, known = views.depth[:, 1::2, 1::2], torch.ones(WIDTH // 2, dtype=torch.bool)
    known[1] = (
        False  # where the nearest is the unknown column, the other one tells, but not beside the object
    )
    assert torch.equal(depth_of(smaller)[..., known], nearest[..., known])
    beside = (
        torch.where(views.masks > 0.5, views.depth, 9)[:, :, 2].reshape(2, -1, 2).amin(-1)
    )  # of the object
    filled = (smaller.masks[..., 1] > 0.5) & (beside < 9)
    assert 0 < int(filled.sum()) < beside.numel()
    assert torch.equal(depth_of(smaller)[..., 1], torch.where(filled, beside, 0))
    assert depth_of(views.to(torch.float16).resized(WIDTH // 2, HEIGHT // 2)).dtype == torch.float16
    larger = depth_of(views.resized(2 * WIDTH, 2 * HEIGHT))
    assert torch.equal(larger, views.depth.repeat_interleave(2, 1).repeat_interleave(2, 2))


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (torch.zeros(2, 8, 11), r"depth must be floating point of shape \(2, 8, 12\), got .* \(2, 8, 11\)"),
        (torch.zeros(2, 8, 12, dtype=torch.int32), "floating point .* got torch.int32"),
        (torch.full((2, 8, 12), torch.inf), "depth must be finite and not negative, got .* to inf"),
        (torch.full((2, 8, 12), -1.0), "got values from -1"),
        (torch.full((2, 8, 12), torch.nan), "got values from nan"),
    ],
)
def test_wrong_depth_is_refused(views, depth, message):
    with pytest.raises(InputError, match=message):
        Views(views.pictures, views.masks, views.cameras, views.names, depth)


def test_depth_is_written_and_read(views, tmp_path):
    save_views(views, tmp_path)
    assert torch.equal(depth_of(load_views(tmp_path)), views.depth)
    save_views(Views(views.pictures, views.masks, views.cameras, views.names), tmp_path / "without")
    assert load_views(tmp_path / "without").depth is None


def test_depth_of_transforms_in_millimetres(views, tmp_path):
    save_views(Views(views.pictures, views.masks, views.cameras, views.names), tmp_path)
    millimetres = (views.depth[0] * 1000).round().numpy().astype(np.uint16)
    Image.fromarray(millimetres).save(tmp_path / "depth.png")
    data = json.loads((tmp_path / "transforms.json").read_text())
    data["frames"][0]["depth_file_path"] = "depth.png"
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    read = depth_of(load_views(tmp_path))
    torch.testing.assert_close(read[0], views.depth[0], atol=6e-4, rtol=0)
    assert bool((read[1] == 0).all())  # this view has none

    Image.fromarray(millimetres.astype(np.uint8)).save(tmp_path / "depth.png")
    with pytest.raises(InputError, match=r"16 bits, got .*depth\.png of mode L"):
        load_views(tmp_path)
    Image.fromarray(millimetres[:4]).save(tmp_path / "depth.png")
    with pytest.raises(InputError, match=r"size of the pictures, 12 x 8, got .* \(4, 12\)"):
        load_views(tmp_path)
    (tmp_path / "depth.png").unlink()
    with pytest.raises(InputError, match=r"depth\.png does not exist"):
        load_views(tmp_path)


SCALE = np.array([[0.0, -20, 0, 5], [20, 0, 0, -3], [0, 0, 20, 1], [0, 0, 0, 1]])  # turned, 20 times as large


def write_dvr(views, folder):
    """A folder as those of DTU, in whose world the object is twenty times as large."""
    matrices = {}
    for i in range(2):
        (folder / "image").mkdir(parents=True, exist_ok=True)
        rgba = torch.cat([views.pictures[i], views.masks[i][..., None]], -1)
        Image.fromarray((rgba * 255).byte().numpy()).save(folder / "image" / f"{i}.png")
        pose = views.cameras[i].world_to_camera.double().numpy() @ np.linalg.inv(SCALE)
        pose[:3] *= 20  # rigid
        k = views.cameras[i].intrinsics.double().numpy()
        camera = np.eye(4)
        camera[0, 0], camera[0, 2] = k[0, 0] * 2 / WIDTH, k[0, 2] * 2 / WIDTH - 1
        camera[1, 1], camera[1, 2] = k[1, 1] * 2 / HEIGHT, k[1, 2] * 2 / HEIGHT - 1
        matrices |= {f"world_mat_{i}": pose, f"camera_mat_{i}": camera, f"scale_mat_{i}": SCALE}
    np.savez(folder / "cameras.npz", **matrices)


def test_depth_of_dvr_is_scaled_to_the_normalised_world(views, tmp_path):
    write_dvr(views, tmp_path)
    assert load_views(tmp_path).depth is None
    (tmp_path / "depth").mkdir()
    for i in range(2):
        depth = np.where(views.depth[i] > 0, 20 * views.depth[i].numpy(), np.inf)
        np.save(tmp_path / "depth" / f"{i}.npy", depth)
    torch.testing.assert_close(depth_of(load_views(tmp_path)), views.depth)
    (tmp_path / "depth" / "1.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"1\.npy is not a readable NumPy array"):
        load_views(tmp_path)
    (tmp_path / "depth" / "1.npy").unlink()
    with pytest.raises(InputError, match="depth map for each of 2 pictures, got 1"):
        load_views(tmp_path)


def test_sparse_points_of_dtu_become_depth(views, tmp_path):
    write_dvr(views, tmp_path)
    generator = np.random.default_rng(0)
    points = generator.uniform(-0.5, 0.5, (30, 3))
    world = points @ SCALE[:3, :3].T + SCALE[:3, 3]
    trusted = generator.random(30) < 0.8
    visible = [np.sort(generator.permutation(30)[:12]), np.sort(generator.permutation(30)[:9])]
    stored: dict[str, Any] = {f"visibility_{i:04d}": rows for i, rows in enumerate(visible)}
    stored |= {"points": world, "colors": np.zeros((30, 3)), "is_in_visual_hull": trusted}
    np.savez(tmp_path / "pcl.npz", **stored)
    found = depth_of(load_views(tmp_path))
    for i, rows in enumerate(visible):
        expected = np.zeros((HEIGHT, WIDTH))
        seen = views.cameras[i].project(torch.from_numpy(points[rows[trusted[rows]]]).float()).numpy()
        for x, y, z in seen:
            if 0 <= x < WIDTH and 0 <= y < HEIGHT:
                before = expected[int(y), int(x)]
                expected[int(y), int(x)] = z if before == 0 else min(z, before)
        assert (expected > 0).sum() > 3
        np.testing.assert_allclose(found[i], expected, atol=1e-5)
    np.savez(tmp_path / "pcl.npz", points=world, is_in_visual_hull=trusted)
    with pytest.raises(InputError, match=r"pcl\.npz does not hold what views see of points"):
        load_views(tmp_path)


def test_the_nearest_point_of_a_pixel_counts():
    points = torch.tensor([[1.2, 0.5, 3.0], [1.7, 0.1, 2.0], [5.0, 0.0, 1.0], [0.5, 0.5, -1.0]])
    assert splat_points(points, 3, 1).tolist() == [[0.0, 2.0, 0.0]]
