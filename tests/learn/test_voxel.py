"""Voxels from silhouettes: the projection against slow ray marches and renders, and the training of it."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy import ndimage

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, voxel_iou
from unrender.learn.data.capture import n3mr_cameras, object_voxels, random_cameras
from unrender.learn.methods.voxel import VoxelConfig, VoxelPredictor, project_field
from unrender.learn.predictor import Batch
from unrender.learn.registry import load_predictor, save_predictor
from unrender.render import Camera, render

SMALL = VoxelConfig(size=16, voxels=16, width=8, mask_size=16, samples=24)


def centres(n: int) -> torch.Tensor:
    """Centres of the cells of the cube [-1/2, 1/2]^3, shape (n, n, n, 3)."""
    along = (torch.arange(n) + 0.5) / n - 0.5
    return torch.stack(torch.meshgrid(along, along, along, indexing="ij"), dim=-1)


def box(low, high) -> Mesh:
    """A box between two corners."""
    mesh, low, high = cube(), torch.as_tensor(low), torch.as_tensor(high)
    unit = (mesh.vertices - mesh.vertices.amin(0)) / (mesh.vertices.amax(0) - mesh.vertices.amin(0))
    return Mesh(low + unit * (high - low), mesh.faces)


def rays(camera: Camera):
    """Origins and directions (H, W, 3) in float64, through the inverse matrices."""
    to_world = np.linalg.inv(camera.world_to_camera.double().cpu().numpy())
    to_screen = np.linalg.inv(camera.intrinsics.double().cpu().numpy())
    columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    screen = np.stack([columns, rows, np.ones_like(rows)], -1) @ to_screen.T
    if camera.orthographic:
        origin, direction = screen * [1, 1, 0], np.broadcast_to([0.0, 0, 1], screen.shape)
    else:
        origin, direction = np.zeros_like(screen), screen
    return origin @ to_world[:3, :3].T + to_world[:3, 3], direction @ to_world[:3, :3].T


@pytest.mark.parametrize("orthographic", [False, True])
def test_projection_is_the_largest_value_on_each_ray(device, orthographic):
    n = 7
    field = torch.rand(2, n, n, n)
    scale = 1 / 2.3 if orthographic else 1.0
    intrinsics = torch.tensor([[24 * scale, 2 * scale, 8.3], [0, 21 * scale, 6.9], [0, 0, 1]])
    poses = Camera.orbit(2.3, [25.0, -70.0, 3.0], [40.0, 200.0, 90.0], fov_y=30, width=17, height=13)
    cameras = poses.replace(intrinsics=intrinsics.expand(3, 3, 3), orthographic=orthographic)
    cameras = cameras[torch.tensor([[0, 1, 2], [2, 1, 0]])]
    drawn = project_field(field.to(device), cameras.to(device), samples=400).cpu().numpy()
    assert drawn.shape == (2, 3, 13, 17)
    depths = np.linspace(1, 4, 3000)
    for b in range(2):
        for k in range(3):
            origin, direction = rays(cameras[b, k])
            points = origin[..., None, :] + depths[:, None] * direction[..., None, :]
            values = ndimage.map_coordinates(
                field[b].double().numpy(),
                np.moveaxis((points + 0.5) * n - 0.5, -1, 0),
                order=1,
                mode="grid-constant",
            )
            values = np.where((np.abs(points) <= 0.5).all(-1), values, 0)
            np.testing.assert_allclose(drawn[b, k], values.max(-1), atol=0.01)


def test_a_sphere_is_seen_where_rays_pass_near_its_middle(device):
    n, middle, radius = 31, torch.tensor([0.1, -0.05, 0.15]), 0.27
    outside = torch.linalg.vector_norm(centres(n) - middle, dim=-1) - radius
    field = (0.5 - outside * n / 2).clamp(0, 1)
    cameras = random_cameras(3, 48, torch.Generator().manual_seed(0))
    drawn = project_field(field[None].to(device), cameras[None].to(device), samples=64)[0].cpu()
    for k in range(3):
        origin, direction = rays(cameras[k])
        unit = direction / np.linalg.norm(direction, axis=-1, keepdims=True)
        distance = np.linalg.norm(np.cross(origin - middle.numpy(), unit), axis=-1)
        sure = np.abs(distance - radius) > 0.004
        assert sure.mean() > 0.95
        np.testing.assert_array_equal((drawn[k].numpy() > 0.5)[sure], (distance < radius)[sure])


def test_a_box_is_seen_where_the_renderer_draws_it(device):
    n, low, high = 31, [3, 10, 5], [18, 30, 12]
    field = torch.zeros(n, n, n)
    field[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = 1
    mesh = box(*(torch.tensor(corner) / n - 0.5 for corner in (low, high)))
    cameras = n3mr_cameras(6, 64)
    drawn = project_field(field[None].to(device), cameras[None].to(device), samples=64)[0].cpu() > 0.5
    expected = torch.stack([render(mesh, cameras[k]).mask for k in range(6)])
    # linear interpolation rounds the edges of the box, by less than a pixel here
    inside = torch.from_numpy(ndimage.binary_erosion(expected.numpy(), np.ones((1, 3, 3))))
    reach = torch.from_numpy(ndimage.binary_dilation(expected.numpy(), np.ones((1, 3, 3))))
    assert bool(inside.flatten(1).any(1).all())
    assert bool(drawn[inside].all())
    assert not bool(drawn[~reach].any())
    assert abs(float(drawn.sum() / expected.sum()) - 1) < 0.06


def test_occupancy_follows_the_protocol_of_the_ground_truth(monkeypatch):
    low, high = torch.tensor([3, 10, 5]), torch.tensor([18, 15, 6])
    field = torch.zeros(1, 31, 31, 31)
    field[0, 3:18, 10:15, 5:6] = 1
    network = VoxelPredictor(VoxelConfig(width=1))
    monkeypatch.setattr(network, "field", lambda pictures: field)
    occupancy = network(torch.zeros(1, 64, 64, 4)).occupancy
    assert occupancy is not None
    truth = object_voxels(box(low / 31 - 0.5 + 1e-4, high / 31 - 0.5 - 1e-4), 32)
    assert int(truth.sum()) == 16 * 6 * 2
    assert torch.equal(occupancy[0] > 0.5, truth)


def test_gradients_are_those_of_differences():
    field = torch.rand(1, 4, 4, 4, dtype=torch.float64, requires_grad=True)
    cameras = random_cameras(2, 6, torch.Generator().manual_seed(1)).to(torch.float64)
    assert torch.autograd.gradcheck(lambda f: project_field(f, cameras[None], samples=9), field)


def test_projection_needs_a_camera_an_object():
    with pytest.raises(InputError, match=r"field and cameras must have shapes"):
        project_field(torch.rand(2, 4, 4, 4), n3mr_cameras(3, 8)[None], samples=4)


def two_boxes(device) -> tuple[Batch, torch.Tensor]:
    """A tall and a flat box in four pictures each, and their voxels."""
    meshes = [box([-0.2, -0.5, -0.25], [0.2, 0.5, 0.25]), box([-0.5, -0.2, -0.4], [0.5, 0.2, 0.4])]
    cameras = random_cameras(4, 16, torch.Generator().manual_seed(3))
    masks = torch.stack([torch.stack([render(m, cameras[k]).mask for k in range(4)]) for m in meshes])
    pictures = masks[..., None].float() * torch.tensor([0.8, 0.5, 0.2, 1.0])
    both = cameras[torch.arange(4).expand(2, 4)]
    batch = Batch(pictures.to(device), both.to(device), torch.arange(2, device=device))
    return batch, torch.stack([object_voxels(m, 16) for m in meshes]).to(device)


def test_learns_two_boxes_from_their_silhouettes(device):
    batch, truth = two_boxes(device)
    network = VoxelPredictor(SMALL).to(device)
    optimizer = torch.optim.Adam(network.parameter_groups(1e-3))
    losses = []
    for _ in range(40):
        loss = sum(network.loss(batch, 0.0).values(), torch.zeros((), device=device))
        optimizer.zero_grad()
        loss.backward()
        for name, weight in network.named_parameters():
            assert weight.grad is not None, name
            assert bool(torch.isfinite(weight.grad).all()), name
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.4 * losses[0]
    with torch.no_grad():
        occupancy = network(batch.pictures[:, 2]).occupancy
    assert occupancy is not None
    assert bool(((occupancy >= 0) & (occupancy <= 1)).all())
    own, other = voxel_iou(occupancy > 0.5, truth), voxel_iou(occupancy > 0.5, truth.flip(0))
    assert bool((own > 0.5).all())
    assert bool((own > 1.5 * other).all())


def test_survives_saving(tmp_path):
    network = VoxelPredictor(SMALL).eval()
    save_predictor(network, tmp_path / "voxel.safetensors")
    again = load_predictor(tmp_path / "voxel.safetensors")
    pictures = torch.rand(2, 16, 16, 4)
    assert isinstance(again, VoxelPredictor)
    assert again.config == SMALL
    with torch.no_grad():
        torch.testing.assert_close(again(pictures).occupancy, network(pictures).occupancy)


@pytest.mark.parametrize(("field", "value"), [("voxels", 12), ("voxels", 0), ("samples", 0), ("width", -1)])
def test_sizes_are_checked(field, value):
    with pytest.raises(InputError, match=rf"{field} must be .*got {value}"):
        dataclasses.replace(SMALL, **{field: value})
