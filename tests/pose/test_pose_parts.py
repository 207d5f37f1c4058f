import dataclasses

import pytest
import torch

from unrender.geometry import Mesh, cube, icosphere
from unrender.pose import PoseOptions, estimate_pose, rotation_error
from unrender.pose.compare import discrepancy, gains, sharp
from unrender.pose.placement import FOCAL, Placements
from unrender.pose.proxy import simplified
from unrender.pose.search import distinct
from unrender.pose.starts import even_rotations
from unrender.pose.target import Target, target_of
from unrender.render import Camera, render
from unrender.render.quaternion import rotation_from_quaternion


def intrinsics(device, size=40, focal=50.0):
    return torch.tensor([[focal, 0, size / 2], [0, 1.1 * focal, size / 3], [0, 0, 1]], device=device)


def poses(device, count=3) -> Placements:
    return Placements(
        even_rotations(count).to(device),
        torch.tensor([[0.4, 0.6]], device=device).expand(count, 2),
        torch.full((count,), 0.3, device=device),
        torch.full((count,), 1.5, device=device),
    )


def test_the_same_seed_gives_the_same_bits_and_another_other_starts(device):
    box = cube(size=1.0, device=device)
    box = box.replace(vertices=box.vertices * torch.tensor([1.0, 0.6, 0.3], device=device))
    camera = Camera.orbit(3.0, 20.0, 35.0, fov_y=40.0, width=48, height=40).to(device)
    mask = render(box, camera).mask
    options = PoseOptions(starts=60, effort=0.1, picture_size=32, seed=3)
    first, again = (estimate_pose(box, mask=mask, fov_y=40.0, options=options) for _ in range(2))
    assert torch.equal(first.camera.world_to_camera, again.camera.world_to_camera)
    other = estimate_pose(box, mask=mask, fov_y=40.0, options=dataclasses.replace(options, seed=4))
    assert not torch.equal(first.camera.world_to_camera, other.camera.world_to_camera)


def test_placements_put_the_middle_where_they_say(device):
    """By projecting: the middle falls on ``centre``, the ball's radius at its distance is ``size`` long."""
    mask = torch.zeros(40, 40, device=device)
    mask[10:20, 5:25] = 1
    frame, _ = target_of(mask, None, intrinsics(device))
    placed = poses(device)
    camera = placed.camera(frame, 64)
    x, y, z = camera.project(torch.zeros(1, 3, device=device))[:, 0].unbind(-1)
    torch.testing.assert_close(torch.stack([x, y], -1), placed.centre * 64)
    torch.testing.assert_close(camera.intrinsics[:, 1, 1] / z / 64, placed.size)

    middle = torch.tensor([1.0, -2.0, 3.0], device=device)
    whole = placed.whole_camera(frame, middle, 2.5)
    unit = placed.camera(frame, frame.side)
    points = torch.randn(5, 3, device=device)
    window = torch.tensor([frame.left, frame.top], device=device)
    torch.testing.assert_close(
        whole.project(points * 2.5 + middle)[..., :2],
        unit.project(points)[..., :2] + window,
        rtol=1e-4,
        atol=1e-3,
    )


def test_a_move_changes_one_thing_at_a_time(device):
    placed = poses(device, 1)
    for number in range(7):
        move = torch.zeros(1, 7, device=device)
        move[0, number] = 0.05
        moved = placed.moved(move)
        turned = rotation_error(moved.rotation, placed.rotation)
        expected = torch.rad2deg(torch.tensor(0.05)) if number < 3 else torch.tensor(0.0)
        torch.testing.assert_close(turned.cpu(), expected[None], rtol=1e-3, atol=0.05)
        shifted = torch.linalg.vector_norm(moved.centre - placed.centre, dim=-1)
        assert bool((shifted > 1e-3) == (number in (3, 4)))
        assert bool((moved.size != placed.size).all()) == (number == 5)
        assert bool((moved.focal != placed.focal).all()) == (number == FOCAL)


def test_the_window_is_unknown_beyond_the_picture(device):
    mask = torch.zeros(30, 40, device=device)
    mask[0:8, 30:40] = 1  # cut off by the upper right corner
    picture = torch.rand(30, 40, 3, device=device)
    frame, target = target_of(mask, picture, intrinsics(device))
    rows = torch.arange(frame.side, device=device) + frame.top
    columns = torch.arange(frame.side, device=device) + frame.left
    inside = ((rows >= 0) & (rows < 30))[:, None] & ((columns >= 0) & (columns < 40))
    assert not bool(inside.all())
    assert torch.equal(target.known, inside.float())
    assert float(target.mask.sum()) == 80
    assert target.color is not None
    torch.testing.assert_close(target.color.sum((0, 1)), (picture * mask[..., None]).sum((0, 1)))
    everywhere = torch.ones(1, frame.side, frame.side, device=device)
    only_known = discrepancy(everywhere * target.mask + (1 - target.known), None, target)
    assert float(only_known) == pytest.approx(0, abs=1e-6)


def test_discrepancy_is_the_jaccard_distance(device):
    """Against counts, on masks of whole 4 x 4 blocks, which halving leaves sharp."""
    generator = torch.Generator().manual_seed(0)
    first, second = ((torch.rand(8, 8, generator=generator) > 0.5).to(device) for _ in range(2))
    expected = 1 - float((first & second).sum() / (first | second).sum())
    large = [m.float().repeat_interleave(4, 0).repeat_interleave(4, 1) for m in (first, second)]
    target = Target(large[1], None, torch.ones_like(large[1]))
    assert float(discrepancy(large[0][None], None, target)) == pytest.approx(expected)


def test_gains_bring_colours_near(device):
    color = torch.rand(1, 16, 16, 3, device=device)
    factor = torch.tensor([0.5, 1.0, 1.5], device=device)
    ones = torch.ones(16, 16, device=device)
    found = gains(color, Target(ones, color[0] * factor, ones))[0]
    assert bool(((found - factor).abs() < 0.1).all())
    assert float(found[1]) == pytest.approx(1)


def test_simplified_meshes_look_the_same(device):
    ball = icosphere(4, device=device)
    mesh = ball.replace(vertex_colors=(ball.vertices + 1) / 2)
    small = simplified(mesh, 400)
    assert 200 < small.num_faces <= 400
    camera = Camera.orbit(4.0, 20.0, [0.0, 120.0], fov_y=35.0, width=32, height=32).to(device)
    (mask, color), (mask_s, color_s) = (sharp(m, camera, color=True) for m in (mesh, small))
    assert float((mask - mask_s).abs().sum() / mask.sum()) < 0.1
    assert color is not None
    assert color_s is not None
    assert float((color - color_s).abs().mean()) < 0.03
    assert simplified(mesh, mesh.num_faces) is mesh


def test_faces_of_different_colours_keep_them(device):
    """Corners that fall together keep the colours of their faces."""
    box = cube(size=1.0, device=device)
    corners = box.vertices[box.faces].reshape(-1, 3)
    colors = torch.rand(box.num_faces, 3, device=device).repeat_interleave(3, 0)
    faces = torch.arange(len(corners), device=device).view(-1, 3)
    split = Mesh(corners.repeat(2, 1), torch.cat([faces, faces + len(corners)]))  # everything twice
    split = split.replace(vertex_colors=colors.repeat(2, 1))
    small = simplified(split, 12)
    assert small.num_faces == 12
    assert small.vertex_colors is not None
    assert set(map(tuple, small.vertex_colors[small.faces[:, 0]].tolist())) == set(
        map(tuple, colors.tolist())
    )


def test_distinct_poses_are_apart_and_best_first(device):
    turn = torch.deg2rad(torch.tensor([0.0, 4.0, 30.0, 33.0, 90.0], device=device)) / 2
    zero = torch.zeros_like(turn)
    rotation = rotation_from_quaternion(torch.stack([turn.cos(), turn.sin(), zero, zero], -1))
    placed = dataclasses.replace(poses(device, 5), rotation=rotation)
    score = torch.tensor([0.4, 0.3, 0.1, 0.2, 0.5], device=device)
    assert distinct(placed, score, 5).tolist() == [2, 1, 4]
    assert distinct(placed, score, 2).tolist() == [2, 1]
