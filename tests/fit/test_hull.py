import dataclasses
import math

import numpy as np
import pytest
import torch

from unrender.errors import InputError
from unrender.fit import visual_hull
from unrender.geometry import EdgeTopology
from unrender.io import Views
from unrender.render import Camera

CELL = 2 / 47  # of a grid of 48 points


def as_views(masks: torch.Tensor, camera: Camera, device) -> Views:
    names = [f"{i}" for i in range(len(masks))]
    return Views(masks[..., None].expand(*masks.shape, 3), masks, camera, names).to(device)


def volume(mesh) -> float:
    a, b, c = mesh.vertices.double()[mesh.faces].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def sphere_views(device, *, count: int = 30, radius: float = 0.6, centre=(0.1, -0.2, 0.15)) -> Views:
    """Masks of a ball, from the angle between each pixel's ray and the ball's middle; 4 x 4 rays a pixel."""
    i = torch.arange(count) + 0.5
    elevation = torch.rad2deg(torch.asin(1 - 2 * i / count)).clamp(-80, 80)
    camera = Camera.orbit(4.0, elevation, i * 137.5 % 360, fov_y=32.0, width=80, height=64)
    focal = 32 / math.tan(math.radians(16))
    x, y = (torch.arange(4 * size).add(0.5) / 4 - size / 2 for size in (80, 64))
    rays = torch.stack(torch.broadcast_tensors(x, y[:, None], torch.tensor(focal)), -1)
    rays = rays / rays.norm(dim=-1, keepdim=True)
    towards = camera.to_camera(torch.tensor([centre]))[:, 0]
    distance = towards.norm(dim=-1)
    cosine = torch.einsum("hwc,nc->nhw", rays, towards / distance[:, None])
    fine = (cosine > torch.sqrt(1 - (radius / distance) ** 2)[:, None, None]).float()
    return as_views(torch.nn.functional.avg_pool2d(fine, 4), camera, device)


def box_views(device, half=(0.5, 0.35, 0.65)) -> Views:
    """Masks of a box along the axes, from parallel cameras on the axes: the share of each pixel in it."""
    camera = Camera.look_at(
        torch.tensor([[0.0, 0, 3], [3, 0, 0], [0, 0, -3], [-3, 0, 0], [0, 3, 0.0], [0, -3, 0]]),
        up=torch.tensor([[0.0, 1, 0]] * 4 + [[0, 0, -1.0]] * 2),
        fov_y=50.0,
        width=90,
        height=80,
        orthographic=True,
    )
    scale = float(camera.intrinsics[0, 0, 0])
    masks = []
    for across, along in ((0, 1), (2, 1), (0, 1), (2, 1), (0, 2), (0, 2)):
        sides = []
        for size, axis in ((90, across), (80, along)):
            start = torch.arange(size, dtype=torch.float32) - size / 2
            low, high = -half[axis] * scale, half[axis] * scale
            sides.append((torch.minimum(start + 1, torch.tensor(high)) - start.clamp(min=low)).clamp(0, 1))
        masks.append(sides[1][:, None] * sides[0])
    return as_views(torch.stack(masks), camera, device)


def test_hull_of_a_ball(device):
    hull = visual_hull(sphere_views(device), resolution=48, tolerance=0.0)
    distance = (hull.vertices.cpu() - torch.tensor([0.1, -0.2, 0.15])).norm(dim=-1)
    assert float(distance.min()) > 0.6 - CELL / 2  # the hull holds the object
    assert float(distance.max()) < 0.6 * 1.12
    assert 0.985 < volume(hull) / (4 / 3 * math.pi * 0.6**3) < 1.06
    topology = EdgeTopology.from_faces(hull.faces, hull.num_vertices)
    assert topology.is_closed
    assert hull.vertices.device.type == device.type


def test_hull_of_a_box_from_its_axes_is_the_box(device):
    half = torch.tensor([0.5, 0.35, 0.65])
    hull = visual_hull(box_views(device), resolution=48, tolerance=0.0)
    outside = (hull.vertices.cpu().abs() - half).amax(-1)  # signed distance to the box, in the largest norm
    assert float(outside.abs().max()) < 0.75 * CELL
    assert volume(hull) == pytest.approx(8 * float(half.prod()), rel=0.05)
    np.testing.assert_allclose(hull.vertices.cpu().abs().amax(0), half, atol=0.4 * CELL)


def test_a_wrong_mask_is_outvoted(device):
    """One in fifty."""
    views = sphere_views(device, count=50)
    masks = views.masks.clone()
    masks[7] = masks[7].roll(30, dims=1)
    wrong = dataclasses.replace(views, masks=masks)
    cut = visual_hull(wrong, resolution=32, tolerance=0.0)
    kept = visual_hull(wrong, resolution=32, tolerance=0.05)
    ball = 4 / 3 * math.pi * 0.6**3
    assert volume(cut) < 0.8 * ball
    assert 0.97 < volume(kept) / ball < 1.25


def test_masks_that_contradict_each_other_leave_nothing(device):
    views = sphere_views(device, count=12)
    masks = views.masks.clone()
    masks[::2] = masks[::2].roll(36, dims=2)
    with pytest.raises(InputError, match=r"no point is inside the masks.*convention"):
        visual_hull(dataclasses.replace(views, masks=masks), resolution=32, tolerance=0.0)


def test_crumbs_are_left_out(device):
    views = box_views(device)
    masks = views.masks.clone()
    plain = visual_hull(views, resolution=48, tolerance=0.0)
    masks[:4, 36:38, 84:86] = masks[:4, 36:38, 4:6] = 1  # seen from all four sides: crumbs at the corners
    masks[4:, 8:10, 4:6] = masks[4:, 70:72, 4:6] = masks[4:, 8:10, 84:86] = masks[4:, 70:72, 84:86] = 1
    crumbs = visual_hull(dataclasses.replace(views, masks=masks), resolution=48, tolerance=0.0)
    assert crumbs.num_faces == plain.num_faces
