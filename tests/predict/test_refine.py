import dataclasses
from typing import Any

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere, spherical_uvs
from unrender.learn.data import LightRecord
from unrender.learn.prediction import Prediction
from unrender.predict.refine import refine
from unrender.render import Camera, render
from unrender.render.turntable import render_antialiased

WHITE = 2 * torch.pi**0.5


def orbit(azimuth, elevation=0.0) -> Camera:
    """Cameras of crops of 96 pixels, batch shape (n,)."""
    azimuth = torch.as_tensor(azimuth).reshape(-1)
    return Camera.orbit(2.732, elevation, azimuth, fov_y=26.0, width=96, height=96, near=0.1)


def crop_of(mesh: Mesh, camera: Camera) -> torch.Tensor:
    rgba = render_antialiased(mesh, camera, samples=3)[0].clamp(0, 1)
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)


def prediction_of(mesh: Mesh, camera: Camera | None) -> Prediction:
    light = torch.zeros(1, 9, 3)
    light[:, 0] = WHITE
    batched = mesh.replace(vertices=mesh.vertices[None])
    if mesh.texture is not None:
        batched = batched.replace(texture=mesh.texture[None])
    return Prediction(batched, LightRecord("harmonics", coefficients=light), camera)


def iou(prediction: Any, crop: torch.Tensor) -> float:
    drawn, inside = render(prediction.mesh, prediction.camera).mask[0], crop[..., 3] > 0.5
    return float((drawn & inside).sum() / (drawn | inside).sum())


@pytest.fixture(scope="module")
def ball() -> Mesh:
    mesh = spherical_uvs(icosphere(3, radius=0.35))
    return mesh.replace(texture=torch.full((32, 64, 3), 0.5))


def test_shape_and_colours_come_to_those_of_the_picture(ball):
    wanted = ball.replace(
        vertices=ball.vertices * torch.tensor([1.2, 0.6, 1.0]),
        texture=torch.tensor([0.9, 0.3, 0.1]).expand(32, 64, 3),
    )
    crop = crop_of(wanted, orbit(0))
    first = prediction_of(ball, orbit(0))
    found: Any = refine(first, crop, steps=60)
    assert iou(first, crop) < 0.75
    assert iou(found, crop) > 0.95
    drawn = render(found.mesh, found.camera, found.light.lights()).rgb[0]
    inside = crop[..., 3] > 0.99
    assert float((drawn - crop[..., :3])[inside].abs().mean()) < 0.05
    assert not found.mesh.vertices.requires_grad
    assert found.mesh.num_faces > 4000  # subdivided


def test_what_differs_between_channels_is_paint_rather_than_light(ball):
    """Red on the left and blue on the right: two paints, or light of two colours; it is lit in grey."""
    texture = torch.tensor([0.8, 0.2, 0.2]).repeat(32, 64, 1)
    sides = render(ball, orbit(0)).uv[0][..., 0][render(ball, orbit(0)).mask[0]]
    half = torch.arange(64) / 64 > float(sides.median())
    texture[:, half] = torch.tensor([0.2, 0.2, 0.8])
    crop = crop_of(ball.replace(texture=texture), orbit(0))
    assert 0.2 < float((crop[..., 0] > crop[..., 2]).sum() / (crop[..., 3] > 0.5).sum()) < 0.8
    found: Any = refine(prediction_of(ball, orbit(0)), crop, steps=60)
    light = found.light.coefficients[0]
    assert float((light - light.mean(-1, keepdim=True)).abs().max()) < 0.2
    drawn = render(found.mesh, found.camera, found.light.lights()).rgb[0]
    inside = crop[..., 3] > 0.99
    assert float((drawn - crop[..., :3])[inside].abs().mean()) < 0.05


def test_the_side_that_is_not_seen_keeps_its_depth_and_mirrors_colours(ball):
    """Red on the side that the camera sees: the mirror image of that side turns red, the rest stays grey."""
    crop = crop_of(ball.replace(texture=torch.tensor([0.9, 0.1, 0.1]).expand(32, 64, 3)), orbit(60))
    found: Any = refine(prediction_of(ball, orbit(60)), crop, steps=40)
    extent = found.mesh.vertices[0].amax(0) - found.mesh.vertices[0].amin(0)
    assert torch.allclose(extent, torch.full((3,), 0.7), atol=0.05)

    def redness(azimuth: float) -> float:
        rgb = render(found.mesh, orbit(azimuth)).rgb[0, 44:52, 44:52]
        return float((rgb[..., 0] - rgb[..., 1]).mean())

    assert redness(60) > 0.5
    assert redness(-60) > 0.4
    assert abs(redness(180)) < 0.1


def test_the_best_camera_goes_on(ball):
    long = ball.replace(vertices=ball.vertices * torch.tensor([0.4, 0.6, 1.2]))
    crop = crop_of(long, orbit(90))
    start = prediction_of(long, None)
    found: Any = refine(start, crop, steps=20, cameras=orbit([0.0, 45.0, 90.0]))
    turned = found.camera.world_to_camera[0, :3, :3] @ orbit(90).world_to_camera[0, :3, :3].T
    assert float(turned.diagonal().sum()) > 2.95  # a few degrees
    assert iou(found, crop) > 0.93


def test_the_camera_is_refined(ball):
    """A camera that is 10 degrees off turns back when the shape is already right."""
    long = ball.replace(vertices=ball.vertices * torch.tensor([0.3, 0.5, 1.3]))
    wanted, off = orbit(70, 20), orbit(60, 20)

    def angle(camera: Camera) -> float:
        turned = camera.world_to_camera[0, :3, :3] @ wanted.world_to_camera[0, :3, :3].T
        return float(torch.rad2deg(torch.arccos(((turned.diagonal().sum() - 1) / 2).clamp(max=1))))

    found: Any = refine(prediction_of(long, off), crop_of(long, wanted), steps=50)
    assert angle(off) == pytest.approx(10, abs=0.1)
    assert angle(found.camera) < 9


@pytest.mark.parametrize("kind", ["lambert", "phong"])
def test_every_kind_of_light_and_colour(ball, kind):
    camera = orbit(0)
    fields = {name: torch.full((1,), 0.5) for name in ("ambient", "diffuse")}
    if kind == "phong":
        fields |= {"specular": torch.full((1,), 0.2), "shininess": torch.full((1,), 16.0)}
    light = LightRecord(kind, direction=torch.tensor([[0.0, 0.6, 0.8]]), **fields)
    colored = Mesh(ball.vertices, ball.faces, vertex_colors=torch.full((ball.num_vertices, 3), 0.4))
    batched = colored.replace(
        vertices=colored.vertices[None], vertex_colors=torch.full((1, ball.num_vertices, 3), 0.4)
    )
    crop = crop_of(ball, camera)
    found: Any = refine(Prediction(batched, light, camera), crop, steps=6)
    assert found.mesh.vertex_colors.shape[0] == 1
    assert bool((found.mesh.vertex_colors != 0.4).any())
    assert float(torch.linalg.vector_norm(found.light.direction)) == pytest.approx(1)
    assert bool((found.light.ambient != 0.5).all())


def test_wrong_input_is_named(ball):
    crop, first = crop_of(ball, orbit(0)), prediction_of(ball, orbit(0))
    with pytest.raises(InputError, match="steps"):
        refine(first, crop, steps=0)
    with pytest.raises(InputError, match="crop must have shape"):
        refine(first, crop[:50], steps=1)
    with pytest.raises(InputError, match="without one"):
        refine(dataclasses.replace(first, camera=None), crop, steps=1)
    with pytest.raises(InputError, match="got none"):
        refine(Prediction(), crop, steps=1)
