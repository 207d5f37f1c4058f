import math

import pytest
import torch
from torch.nn.functional import normalize as unit

from unrender.errors import InputError
from unrender.render.light import AmbientLight, DirectionalLight, PointLight, SphericalHarmonicsLight
from unrender.render.shade import Phong, shade

Surface = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


@pytest.fixture
def surface(device) -> Surface:
    """Base colour, points, normals and view of two pictures of 3 x 4 pixels."""
    base = torch.rand(2, 3, 4, 3, dtype=torch.float64, device=device)
    points = torch.randn(2, 3, 4, 3, dtype=torch.float64, device=device)
    normals = torch.randn(2, 3, 4, 3, dtype=torch.float64, device=device)
    view = unit(torch.randn(2, 3, 4, 3, dtype=torch.float64, device=device), dim=-1)
    return base, points, normals, view


def lights(device):
    def random(*shape):
        return torch.rand(shape, dtype=torch.float64, device=device)

    return [
        AmbientLight(random(3)),
        DirectionalLight(random(3), random(2, 3)),
        PointLight(3 * random(2, 3), random(3)),
        SphericalHarmonicsLight(random(9, 3)),
    ]


def test_no_light_leaves_the_colour(surface: Surface):
    assert shade(*surface, None, Phong()) is surface[0]


def test_full_ambient_light_leaves_the_colour(surface: Surface, device):
    light = AmbientLight(torch.ones(3, dtype=torch.float64, device=device))
    torch.testing.assert_close(shade(*surface, light, Phong()), surface[0])


def test_phong_against_the_formula_pixel_by_pixel(surface: Surface, device):
    ambient, sun, lamp = lights(device)[:3]
    material = Phong(ambient=0.3, diffuse=0.8, specular=0.4, shininess=7.0)
    shaded = shade(*surface, [ambient, sun, lamp], material)
    base, points, normals, view = (t.cpu() for t in surface)
    for i, r, c in [(0, 0, 0), (0, 2, 3), (1, 1, 2), (1, 2, 0), (0, 1, 1), (1, 0, 3)]:
        n = (normals[i, r, c] / normals[i, r, c].norm()).tolist()
        b, v = base[i, r, c].tolist(), view[i, r, c].tolist()
        to_lamp = (lamp.position[i].cpu() - points[i, r, c]).tolist()
        for channel in range(3):
            total = b[channel] * 0.3 * ambient.color[channel].item()
            for towards, color in [
                (sun.direction.tolist(), sun.color[i, channel].item()),
                (to_lamp, lamp.color[channel].item()),
            ]:
                length = math.hypot(*towards)
                to_light = [t / length for t in towards]
                cosine = sum(a * d for a, d in zip(n, to_light, strict=True))
                mirrored = [2 * cosine * a - d for a, d in zip(n, to_light, strict=True)]
                gloss = max(sum(a * d for a, d in zip(mirrored, v, strict=True)), 0) ** 7
                if cosine > 0:
                    total += b[channel] * 0.8 * cosine * color + 0.4 * gloss * color
            assert shaded[i, r, c, channel].item() == pytest.approx(total)


def test_lights_add_up(surface: Surface, device):
    material = Phong(0.5, 0.7, 0.2, 9.0)
    sources = lights(device)
    total = sum(shade(*surface, light, material) for light in sources)
    torch.testing.assert_close(shade(*surface, sources, material), total)
    assert (shade(*surface, [], material) == 0).all()


def test_material_tensors_are_batched(surface: Surface, device):
    ambient = torch.rand(2, 3, dtype=torch.float64, device=device)
    diffuse = torch.rand(2, 1, dtype=torch.float64, device=device)
    specular = torch.rand(3, dtype=torch.float64, device=device)
    shininess = torch.tensor([[4.0], [20.0]], dtype=torch.float64, device=device)
    sources = [lights(device)[0], lights(device)[3], DirectionalLight(specular + 1, specular)]
    shaded = shade(*surface, sources, Phong(ambient, diffuse, specular, shininess))
    for i in range(2):
        alone = Phong(ambient[i], diffuse[i], specular, shininess[i].item())
        base, points, normals, view = (t[i] for t in surface)
        torch.testing.assert_close(shaded[i], shade(base, points, normals, view, sources, alone))


def test_texels_of_a_face_share_its_normal(device):
    base = torch.rand(2, 5, 4, 4, 3, device=device)
    points, normals, view = (torch.randn(2, 5, 3, device=device) for _ in range(3))
    light = DirectionalLight(torch.randn(2, 3, device=device), torch.rand(2, 3, device=device))
    spread_points, spread_normals, spread_view = (t[:, :, None, None] for t in (points, normals, view))
    shaded = shade(base, spread_points, spread_normals, spread_view, light, Phong(specular=0.5))
    face = shade(base[:, :, 1, 2], points, normals, view, light, Phong(specular=0.5))
    torch.testing.assert_close(shaded[:, :, 1, 2], face)


def test_gradients(surface: Surface, device):
    inputs = [t[:, :1, :2].clone().requires_grad_() for t in surface]
    ambient, sun, lamp, sky = lights(device)
    fields = [ambient.color, sun.direction, sun.color, lamp.position, lamp.color, sky.coefficients]
    material = [torch.rand(2, 1, dtype=torch.float64, device=device) + 0.5 for _ in range(4)]
    parameters = [t.requires_grad_() for t in (*fields, *material)]

    def picture(base, points, normals, view, *parameters):
        a, b, c, d, e, f, *fields = parameters
        sources = [AmbientLight(a), DirectionalLight(b, c), PointLight(d, e), SphericalHarmonicsLight(f)]
        return shade(base, points, normals, view, sources, Phong(*fields))

    assert torch.autograd.gradcheck(picture, (*inputs, *parameters))


def test_pixels_without_normals_get_finite_gradients(surface: Surface, device):
    base, points, _, view = surface
    normals = torch.zeros_like(base).requires_grad_()
    shaded = shade(
        base,
        points,
        normals,
        view,
        lights(device),
        Phong(specular=torch.ones(3, device=device), shininess=0.5),
    )
    (gradient,) = torch.autograd.grad(shaded.sum(), normals)
    assert shaded.isfinite().all()
    assert (gradient == 0).all()


def test_wrong_input_is_named(device):
    colour, grey = torch.zeros(2, 4, 3, device=device), torch.zeros(2, 4, 1, device=device)
    light = AmbientLight(torch.ones(3, device=device))
    with pytest.raises(InputError, match=r"lights need colours of shape \(\.\.\., 3\), got \(2, 4, 1\)"):
        shade(grey, colour, colour, colour, light, Phong())
    with pytest.raises(InputError, match="equally many dimensions, got 3, 3, 2 and 3"):
        shade(colour, colour, colour[0], colour, light, Phong())
    with pytest.raises(InputError, match="leading dimensions"):
        shade(colour, colour, colour, colour, light, Phong(ambient=torch.ones(3, 1, device=device)))
