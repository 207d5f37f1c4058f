import math

import pytest
import torch
from torch.nn.functional import interpolate

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere
from unrender.learn.crop import bounding_box, crop_to_object, place_camera
from unrender.render import Camera
from unrender.render.turntable import render_antialiased


def premultiplied(rgba: torch.Tensor) -> torch.Tensor:
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)


def disc(height: int, width: int, x: float, y: float, radius: float, color=(0.8, 0.4, 0.2)) -> torch.Tensor:
    """A premultiplied picture of a disc, with smooth edges."""
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    distance = torch.hypot(columns - x, rows[:, None] - y)
    alpha = (radius - distance + 0.5).clamp(0, 1)[..., None]
    return torch.cat([alpha * torch.tensor(color), alpha], -1)


def colored_box() -> Mesh:
    box = cube(size=0.7)
    return Mesh(box.vertices, box.faces, vertex_colors=(box.vertices + 0.5).clamp(0, 1))


def test_box_of_the_pixels_above_one_half():
    alpha = torch.zeros(2, 5, 7)
    alpha[0, 1:3, 2:6] = 0.6
    alpha[0, 4, 0] = 0.5  # not above
    alpha[1, 4, 6] = 1.0
    assert bounding_box(alpha).tolist() == [[2, 1, 6, 3], [6, 4, 7, 5]]


def test_the_longer_side_fills_the_crop_but_for_the_margins():
    picture = torch.zeros(40, 60, 4)
    picture[10:20, 12:36] = 1  # 24 x 10
    crop, transform = crop_to_object(picture, size=72, margin=0.25)
    assert bounding_box(crop[..., 3]).tolist() == [12, 26, 60, 46]  # two pixels for one, in the middle
    assert torch.allclose(transform @ torch.tensor([24.0, 15.0, 1.0]), torch.tensor([36.0, 36.0, 1.0]))
    assert torch.allclose(transform @ torch.tensor([12.0, 10.0, 1.0]), torch.tensor([12.0, 26.0, 1.0]))


def test_a_picture_that_is_already_a_crop_stays():
    picture = torch.rand(1, 32, 32, 4)
    picture[..., 3] = 0.4
    picture[:, :, 0, 3] = picture[:, :, -1, 3] = picture[:, 0, :, 3] = picture[:, -1, :, 3] = 1
    crop, transform = crop_to_object(picture, size=32, margin=0)
    assert torch.allclose(crop, picture, atol=1e-6)
    assert torch.allclose(transform[0], torch.eye(3), atol=1e-6)


@pytest.mark.parametrize("scale", [1 / 5, 3 / 10, 2])
def test_colours_are_averaged_as_by_torch_away_from_the_border(scale, device):
    side = 120
    picture = torch.rand(1, side, side, 4, device=device)
    picture[:, 0, :, 3] = picture[:, -1, :, 3] = picture[:, :, 0, 3] = picture[:, :, -1, 3] = 1
    size = round(side * scale)
    crop, _ = crop_to_object(picture, size=size, margin=0)
    planes = picture.permute(0, 3, 1, 2)
    expected = interpolate(planes, (size, size), mode="bilinear", antialias=True).permute(0, 2, 3, 1)
    assert torch.allclose(crop[:, 3:-3, 3:-3], expected[:, 3:-3, 3:-3], atol=1e-5)


def test_what_lies_outside_the_picture_is_transparent():
    picture = torch.ones(20, 20, 4)
    crop, _ = crop_to_object(picture, size=60, margin=1.0)
    assert bool((crop[24:36, 24:36] > 1 - 1e-6).all())
    assert bool((crop[:18] == 0).all())
    assert bool((crop[:, 42:] == 0).all())


@pytest.mark.parametrize("size", [32, 200])
def test_no_fringes(size):
    """A disc of one colour over any background has that colour wherever it shows at all."""
    picture = disc(90, 120, 51.3, 40.2, 25.0)
    crop, _ = crop_to_object(picture, size=size)
    seen = crop[..., 3] > 1e-3
    straight = crop[seen][:, :3] / crop[seen][:, 3:]
    assert torch.allclose(straight, torch.tensor([0.8, 0.4, 0.2]).expand_as(straight), atol=1e-4)
    share = float(crop[..., 3].mean())  # the disc keeps its area
    assert share == pytest.approx(math.pi / 4 / 1.2**2, rel=0.03)


def test_a_batch_is_its_pictures_one_by_one():
    pictures = torch.stack([disc(60, 80, 20, 30, 10), disc(60, 80, 60, 20, 17), disc(60, 80, 5, 55, 9)])
    crops, transforms = crop_to_object(pictures.view(3, 1, 60, 80, 4), size=24)
    assert crops.shape == (3, 1, 24, 24, 4)
    assert transforms.shape == (3, 1, 3, 3)
    for i in range(3):
        crop, transform = crop_to_object(pictures[i], size=24)
        assert torch.allclose(crops[i, 0], crop, atol=1e-6)
        assert torch.allclose(transforms[i, 0], transform)


@pytest.mark.parametrize("size", [64, 150])
def test_the_crop_of_a_render_is_the_render_of_the_crops_camera(size, device):
    """Half a pixel off would show at every edge."""
    camera = Camera.orbit(2.7, 25.0, 40.0, fov_y=42.0, width=300, height=220).to(device)
    mesh = colored_box().to(device)
    picture = premultiplied(render_antialiased(mesh, camera, samples=4))
    crop, transform = crop_to_object(picture, size=size)
    cropped = camera.replace(intrinsics=transform @ camera.intrinsics, width=size, height=size)
    direct = premultiplied(render_antialiased(mesh, cropped, samples=4))
    error = float((crop - direct).abs().mean())
    assert error < 0.006  # a smoother filter at the edges
    for shift in ((0.5, 0.0), (0.0, 0.5)):
        moved = transform.clone()
        moved[0, 2] += shift[0]
        moved[1, 2] += shift[1]
        off = camera.replace(intrinsics=moved @ camera.intrinsics, width=size, height=size)
        wrong = premultiplied(render_antialiased(mesh, off, samples=4))
        assert float((crop - wrong).abs().mean()) > 1.3 * error


def test_crops_need_an_object():
    pictures = torch.stack([disc(20, 20, 10, 10, 5), 0.5 * disc(20, 20, 10, 10, 5)])
    with pytest.raises(InputError, match="none in picture \\[1\\]"):
        crop_to_object(pictures, size=16)
    with pytest.raises(InputError, match="shape"):
        crop_to_object(torch.ones(20, 20, 3), size=16)
    with pytest.raises(InputError, match="margin"):
        crop_to_object(torch.ones(20, 20, 4), size=16, margin=-0.1)
    with pytest.raises(InputError, match="size"):
        crop_to_object(torch.ones(20, 20, 4), size=0)


def test_crops_carry_no_gradient():
    picture = torch.ones(20, 20, 4, requires_grad=True)
    assert not crop_to_object(picture, size=16)[0].requires_grad


def test_a_placed_camera_sees_the_object_in_the_masks_box(device):
    pose = Camera.orbit(2.732, 20.0, [10.0, 130.0], fov_y=30.0, width=1, height=1).to(device)
    vertices = icosphere(2, radius=0.4).to(device).vertices * torch.tensor([1.0, 0.6, 1.2], device=device)
    seen = pose.replace(
        intrinsics=torch.tensor([[130.0, 0, 31], [0, 130.0, 60], [0, 0, 1]], device=device), width=90
    )
    xy = seen.replace(height=110).project(vertices)[..., :2]
    alpha = torch.zeros(2, 110, 90, device=device)
    for i, points in enumerate(xy):
        (x0, y0), (x1, y1) = points.amin(0).round().int().tolist(), points.amax(0).round().int().tolist()
        alpha[i, y0:y1, x0:x1] = 1
    camera = place_camera(vertices, pose.world_to_camera, alpha)
    assert (camera.width, camera.height) == (90, 110)
    assert torch.allclose(camera.intrinsics, seen.intrinsics, rtol=0.02, atol=1.0)


def test_the_sides_of_a_placed_box_are_a_least_squares_fit():
    pose = Camera.orbit(2.732, 0.0, 0.0, fov_y=30.0, width=1, height=1).world_to_camera
    vertices = cube(size=0.5).vertices
    alpha = torch.zeros(50, 50)
    alpha[5:45, 20:30] = 1  # far from square, unlike the cube
    camera = place_camera(vertices, pose, alpha)

    def misfit(focal: float, x: float, y: float) -> float:
        k = torch.tensor([[focal, 0, x], [0, focal, y], [0, 0, 1]])
        points = camera.replace(intrinsics=k).project(vertices)[:, :2]
        sides = torch.cat([points.amin(0), points.amax(0)])
        return float((sides - torch.tensor([20.0, 5, 30, 45])).square().sum())

    best = float(camera.intrinsics[0, 0]), float(camera.intrinsics[0, 2]), float(camera.intrinsics[1, 2])
    assert float(camera.intrinsics[1, 1]) == best[0]
    for step in ((1.0, 0, 0), (-1.0, 0, 0), (0, 0.5, 0), (0, -0.5, 0), (0, 0, 0.5), (0, 0, -0.5)):
        assert misfit(*best) < misfit(*(a + b for a, b in zip(best, step, strict=True)))


def test_placing_needs_vertices_before_the_camera():
    pose = Camera.orbit(2.732, 0.0, 0.0, fov_y=30.0, width=1, height=1).world_to_camera
    alpha = torch.ones(8, 8)
    with pytest.raises(InputError, match="before the camera"):
        place_camera(10 * cube().vertices, pose, alpha)
    vertices = cube(size=0.5).vertices.requires_grad_()
    place_camera(vertices, pose, alpha).intrinsics.sum().backward()
    assert vertices.grad is not None
    assert bool((vertices.grad != 0).any())
