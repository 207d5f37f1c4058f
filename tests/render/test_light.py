import dataclasses
import math

import pytest
import torch
from torch.nn.functional import normalize as unit

from unrender.errors import InputError
from unrender.render.harmonics import irradiance
from unrender.render.light import (
    AmbientLight,
    DirectionalLight,
    PointLight,
    SphericalHarmonicsLight,
    align_to_points,
    normalize,
)

Scene = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def scene(device) -> Scene:
    """Points, normals and view directions of two pictures of 3 x 4 pixels."""
    shape = (2, 3, 4, 3)
    points, normals, view = (torch.randn(shape, dtype=torch.float64, device=device) for _ in range(3))
    return points, unit(normals, dim=-1), unit(view, dim=-1)


def tensor(values, device):
    return torch.tensor(values, dtype=torch.float64, device=device)


def test_ambient_light_is_its_color(scene: Scene, device):
    light = AmbientLight(tensor([0.1, 0.2, 0.3], device))
    diffuse = light.diffuse(*scene[:2])
    assert diffuse.shape == (2, 3, 4, 3)
    assert (diffuse == light.color).all()
    assert (light.specular(*scene, 10.0) == 0).all()


def test_directional_light_follows_lambert(device):
    light = DirectionalLight(tensor([0, 5, 0], device), tensor([1, 0.5, 0], device))
    angles = tensor([0, 60, 90, 120, 180], device).deg2rad()
    normals = torch.stack([angles.sin(), angles.cos(), 0 * angles], -1)
    expected = tensor([1, 0.5, 0, 0, 0], device)[:, None] * light.color
    torch.testing.assert_close(light.diffuse(torch.zeros_like(normals), normals), expected)


def test_point_light_shines_from_its_place_without_falloff(device):
    light = PointLight(tensor([0, 2, 0], device), tensor([1, 1, 1], device))
    points = tensor([[0, 0, 0], [0, -100, 0], [2, 0, 0], [0, 3, 0]], device)
    normals = tensor([[0, 1, 0]] * 4, device)
    expected = tensor([1, 1, math.sqrt(0.5), 0], device)
    torch.testing.assert_close(light.diffuse(points, normals)[:, 0], expected)


def test_highlight_is_phongs_by_hand(device):
    # Light 30° on one side of the normal, eye 40° on the other: the mirrored ray misses the eye by 10°.
    light_angle, view_angle = math.radians(30), math.radians(40)
    light = DirectionalLight(
        tensor([math.sin(light_angle), math.cos(light_angle), 0], device), tensor([1, 0.5, 0.25], device)
    )
    normals = tensor([[0, 1, 0]], device)
    view = tensor([[-math.sin(view_angle), math.cos(view_angle), 0]], device)
    expected = math.cos(math.radians(10)) ** 50 * light.color
    torch.testing.assert_close(light.specular(torch.zeros_like(normals), normals, view, 50.0)[0], expected)


def test_no_highlight_on_the_dark_side(device):
    # The mirror formula alone would send light through the surface to this eye.
    light = DirectionalLight(tensor([0, -1, 0.01], device), torch.ones(3, dtype=torch.float64, device=device))
    normals = tensor([[0, 1, 0]], device)
    view = tensor([[0, -1, -0.01]], device)
    assert (light.specular(torch.zeros_like(normals), normals, view, 1.0) == 0).all()


def test_spherical_harmonics_light_per_channel_and_white(scene: Scene, device):
    coefficients = torch.randn(9, 3, dtype=torch.float64, device=device)
    _, normals = scene[:2]
    diffuse = SphericalHarmonicsLight(coefficients).diffuse(*scene[:2])
    torch.testing.assert_close(diffuse, irradiance(coefficients, normals))
    white = SphericalHarmonicsLight(coefficients[:, 1]).diffuse(*scene[:2])
    assert white.shape == diffuse.shape
    for channel in range(3):
        torch.testing.assert_close(white[..., channel], diffuse[..., 1])
    assert (SphericalHarmonicsLight(coefficients).specular(*scene, 3.0) == 0).all()


def batched_lights(device):
    def random(*shape):
        return torch.rand(shape, dtype=torch.float64, device=device)

    return [
        AmbientLight(random(2, 3)),
        DirectionalLight(random(2, 3), random(3)),
        DirectionalLight(random(3), random(2, 3)),
        PointLight(random(2, 3), random(2, 3)),
        SphericalHarmonicsLight(random(2, 9, 3)),
        SphericalHarmonicsLight(random(2, 9)),
    ]


@pytest.mark.parametrize("kind", range(6))
@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (2, 12, 3)])
def test_a_batch_of_lights_is_each_light_alone(scene: Scene, device, kind, shape):
    points, normals, view = (t.reshape(shape) for t in scene)
    light = batched_lights(device)[kind]
    for i in range(2):
        single = type(light)(
            **{
                f.name: value[i] if value.shape[0] == 2 else value
                for f in dataclasses.fields(light)
                for value in [getattr(light, f.name)]
            }
        )
        torch.testing.assert_close(light.diffuse(points, normals)[i], single.diffuse(points[i], normals[i]))
        torch.testing.assert_close(
            light.specular(points, normals, view, 5.0)[i],
            single.specular(points[i], normals[i], view[i], 5.0),
        )


def test_meshes_under_cameras(device):
    # Two meshes under three cameras: the light belongs to the mesh, (2, 1, 3), or to the mesh alone, (2, 3).
    points = torch.randn(2, 3, 4, 5, 3, dtype=torch.float64, device=device)
    normals = unit(torch.randn_like(points), dim=-1)
    color = torch.rand(2, 3, dtype=torch.float64, device=device)
    direction = torch.randn(2, 3, dtype=torch.float64, device=device)
    short = DirectionalLight(direction, color).diffuse(points, normals)
    long = DirectionalLight(direction[:, None], color[:, None]).diffuse(points, normals)
    torch.testing.assert_close(short, long)
    torch.testing.assert_close(
        short[1, 2], DirectionalLight(direction[1], color[1]).diffuse(points[1, 2], normals[1, 2])
    )


def test_lights_move_between_types(device):
    light = PointLight(torch.zeros(3, device=device), torch.ones(3, device=device, requires_grad=True))
    assert light.to(torch.float64).position.dtype == torch.float64
    assert light.to("cpu").color.device.type == "cpu"
    assert not light.detach().color.requires_grad


@pytest.mark.parametrize("kind", range(6))
def test_gradients(scene: Scene, device, kind):
    light = batched_lights(device)[kind]
    fields = [f.name for f in dataclasses.fields(light)]
    values = [getattr(light, name).requires_grad_() for name in fields]
    shininess = tensor([3.0], device).requires_grad_()
    inputs = [t[:, :1, :2].clone().requires_grad_() for t in scene]

    def answer(points, normals, view, shininess, *values):
        light_now = type(light)(**dict(zip(fields, values, strict=True)))
        return light_now.diffuse(points, normals) + light_now.specular(points, normals, view, shininess)

    assert torch.autograd.gradcheck(answer, (*inputs, shininess, *values))


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 32.0])
def test_gradients_are_finite_where_the_formula_has_none(device, exponent):
    # No normal, light along the surface, an eye at right angles to the mirrored ray, a light on the point.
    normals = tensor([[0, 0, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], device).requires_grad_()
    points = torch.zeros(4, 3, dtype=torch.float64, device=device, requires_grad=True)
    view = tensor([[0, 1, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]], device).requires_grad_()
    shininess = tensor(exponent, device).requires_grad_()
    fields = [
        torch.zeros(3, dtype=torch.float64, device=device),
        torch.ones(3, dtype=torch.float64, device=device),
    ]
    for kind in (DirectionalLight, PointLight):
        for direction in (fields[0], tensor([1, 0, 0], device), tensor([0, 1, 0], device)):
            direction.requires_grad_()
            light = kind(direction, fields[1])
            total = light.diffuse(points, normals) + light.specular(points, normals, view, shininess)
            gradients = torch.autograd.grad(
                total.sum(), [normals, points, view, shininess, direction], allow_unused=True
            )
            assert all(g.isfinite().all() for g in gradients if g is not None)


def test_normalize(device):
    vectors = tensor([[3, 4, 0], [0, 0, 0], [0, 0, 1e-9]], device).requires_grad_()
    units = normalize(vectors)
    torch.testing.assert_close(units, tensor([[0.6, 0.8, 0], [0, 0, 0], [0, 0, 1]], device))
    (gradient,) = torch.autograd.grad(units.sum(), vectors)
    assert (gradient[1] == 0).all()
    assert torch.autograd.gradcheck(normalize, (vectors[:1].detach().requires_grad_(),))


def test_wrong_input_is_named(device):
    ones = torch.ones(3, device=device)
    with pytest.raises(InputError, match=r"color must have shape \(\.\.\., 3\), got \(4,\)"):
        AmbientLight(torch.ones(4, device=device))
    with pytest.raises(InputError, match=r"color must be a floating-point tensor, got tuple"):
        AmbientLight((1.0, 1.0, 1.0))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"direction must be a floating-point tensor, got torch.int64"):
        DirectionalLight(torch.tensor([0, 1, 0], device=device), ones)
    with pytest.raises(InputError, match=r"coefficients must have shape .* got \(8, 3\)"):
        SphericalHarmonicsLight(torch.ones(8, 3, device=device))
    points = torch.zeros(2, 4, 4, 3, device=device)
    for light in (
        AmbientLight(torch.ones(3, 3, device=device)),
        SphericalHarmonicsLight(torch.ones(3, 9, 3, device=device)),
    ):
        with pytest.raises(InputError, match=r"leading dimensions of the points \(2, 4, 4, 3\), got \(3,\)"):
            light.diffuse(points, points)
    with pytest.raises(InputError, match="leading dimensions"):
        align_to_points(torch.ones(2, 2, 3, device=device), torch.zeros(2, 3, device=device))
