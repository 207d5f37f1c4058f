import dataclasses
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from unrender.errors import InputError
from unrender.geometry import icosphere
from unrender.learn.data import CaptureOptions, LightRecord, capture
from unrender.learn.data.light_arrays import light_arrays, lights_from_arrays
from unrender.learn.data.light_record import FIELDS, random_lights
from unrender.learn.losses import mirror_partners
from unrender.learn.metrics import sphere_irradiance
from unrender.render import Camera, render

KINDS = tuple(FIELDS)
GREY = torch.tensor([0.8, 0.5, 0.3])


def draw(kind, count: int = 4) -> LightRecord:
    return random_lights(kind, count, torch.Generator().manual_seed(3))


def lit_ball(record: LightRecord) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Colours (N, 3), unit normals (N, 3) and points (N, 3) where the first light shows on a ball."""
    ball = icosphere(4)
    ball = ball.replace(normals=ball.vertices, vertex_colors=GREY.expand(ball.num_vertices, 3))
    camera = Camera.orbit(3.0, 20.0, 30.0, fov_y=40.0, width=32, height=32)
    first = record[:1]
    picture = render(ball, camera, first.lights(), material=first.material())
    seen = picture.mask.reshape(32, 32)
    rgb, normals = picture.rgb.reshape(32, 32, 3), picture.world_normals.reshape(32, 32, 3)
    towards = torch.nn.functional.normalize(camera.center - normals, dim=-1)  # radius 1: normals are points
    return rgb[seen], normals[seen], towards[seen]


def test_no_light_shows_the_colours():
    rgb, _, _ = lit_ball(LightRecord("none"))
    assert torch.allclose(rgb, GREY.expand_as(rgb), atol=1e-5)


def test_lambert_by_hand():
    record = draw("lambert")
    rgb, normals, _ = lit_ball(record)
    assert record.direction is not None
    assert record.ambient is not None
    assert record.diffuse is not None
    cosine = (normals @ record.direction[0]).clamp(min=0)
    expected = GREY * (record.ambient[0] + record.diffuse[0] * cosine)[:, None]
    assert torch.allclose(rgb, expected, atol=1e-4)
    assert float(rgb.std()) > 0.05


def test_phong_by_hand():
    record = draw("phong")
    rgb, normals, towards = lit_ball(record)
    values = {name: getattr(record, name)[0] for name in FIELDS["phong"]}
    cosine = normals @ values["direction"]
    mirrored = 2 * cosine[:, None] * normals - values["direction"]
    gloss = (mirrored * towards).sum(-1).clamp(min=0) ** values["shininess"] * (cosine > 0)
    expected = GREY * (values["ambient"] + values["diffuse"] * cosine.clamp(min=0))[:, None]
    expected = expected + (values["specular"] * gloss)[:, None]
    assert torch.allclose(rgb, expected, atol=2e-3)
    assert float(gloss.max()) > 0.3


def test_harmonics_against_scipy():
    """Radiance from scipy's spherical harmonics, weighted with max(N·L, 0) / pi over all directions."""
    record = draw("harmonics")
    assert record.coefficients is not None
    rgb, normals, _ = lit_ball(record)
    some = torch.arange(0, len(rgb), 40)
    # directions with equal weights
    count = 40_000
    i = np.arange(count) + 0.5
    height, turn = 1 - 2 * i / count, math.pi * (1 + math.sqrt(5)) * i
    radius = np.sqrt(1 - height**2)
    around = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], -1)
    polar, azimuth = np.arccos(around[:, 2]), np.arctan2(around[:, 1], around[:, 0])
    basis = []
    for degree in range(3):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), polar, azimuth) * (-1) ** order
            part = value.real if order >= 0 else value.imag
            basis.append(part * (math.sqrt(2) if order else 1))
    radiance = np.stack(basis, -1) @ record.coefficients[0].double().numpy()
    cosine = np.clip(normals[some].double().numpy() @ around.T, 0, None)
    irradiance = cosine @ radiance * (4 * math.pi / count) / math.pi
    assert np.allclose(rgb[some].numpy(), GREY.numpy() * irradiance, atol=3e-3)


def test_first_bands_of_harmonics_have_the_closed_form():
    """Without the second band, the shading is (ambient + diffuse (1 + 2 N·L) / 3) times a colour cast."""
    record = draw("harmonics", 50)
    assert record.coefficients is not None
    coefficients = record.coefficients.clone()
    coefficients[:, 4:] = 0
    rgb, normals, _ = lit_ball(LightRecord("harmonics", coefficients=coefficients))
    shading = (rgb / GREY).double()
    design = torch.cat([torch.ones(len(normals), 1), normals], -1).double()
    solution = torch.linalg.lstsq(design, shading).solution
    assert torch.allclose(design @ solution, shading, atol=1e-4)
    constant, slope = solution[0], solution[1:].norm(dim=0)
    # constant = cast (ambient + diffuse / 3), slope = cast 2/3 diffuse; ambient + diffuse is 0.9 to 1.1
    cast = constant + slope
    assert float(cast.min()) > 0.9 * 0.92
    assert float(cast.max()) < 1.1 * 1.08
    assert torch.allclose(slope / constant, (slope / constant).mean(), atol=1e-4)
    direction = torch.nn.functional.normalize(solution[1:, 0], dim=0)
    assert float(direction[1]) > math.cos(math.radians(76))


@pytest.mark.parametrize("kind", ["lambert", "phong"])
def test_directions_come_from_above_uniformly(kind):
    record = draw(kind, 4000)
    assert record.direction is not None
    assert torch.allclose(record.direction.norm(dim=-1), torch.ones(4000), atol=1e-5)
    height = record.direction[:, 1]
    low = math.cos(math.radians(75))
    assert low - 1e-6 <= float(height.min()) < low + 0.02
    # uniform on the sphere means uniform in height
    assert float(height.mean()) == pytest.approx((1 + low) / 2, abs=0.02)
    assert float(record.direction[:, [0, 2]].mean(0).abs().max()) < 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_arrays_and_back(kind, tmp_path):
    record = draw(kind)
    np.savez(tmp_path / "lights.npz", **light_arrays(record))
    with np.load(tmp_path / "lights.npz") as stored:
        assert isinstance(stored, Mapping)
        again = lights_from_arrays(stored)
    assert again.kind == kind
    for field in dataclasses.fields(LightRecord)[1:]:
        if field.name in FIELDS[kind]:
            assert torch.equal(getattr(record, field.name), getattr(again, field.name))
        else:
            assert getattr(again, field.name) is None


def test_wrong_arrays():
    with pytest.raises(InputError, match=r"kind of light must be one of .* got 'missing'"):
        lights_from_arrays({})
    with pytest.raises(InputError, match="lambert light needs direction"):
        lights_from_arrays({"kind": np.array("lambert")})
    with pytest.raises(InputError, match="kind of light must be one of"):
        LightRecord("disco")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"harmonics light needs coefficients of shape \(V, 9, 3\), got"):
        LightRecord("harmonics", coefficients=torch.zeros(2, 9))


@pytest.mark.parametrize("kind", KINDS)
def test_each_picture_has_its_own_light(kind):
    options = CaptureOptions(size=16, views=4, light=kind, points=10)
    views = capture(icosphere(2), "ball", "ball", options)
    assert views.lights is not None
    assert views.lights.kind == kind
    again = views.lights[[2]]
    for name in FIELDS[kind]:
        assert getattr(views.lights, name).shape[0] == 4
        assert torch.equal(getattr(again, name)[0], getattr(views.lights, name)[2])


@pytest.mark.parametrize("kind", ["lambert", "phong", "harmonics"])
def test_mirrored_lights_are_brightest_on_the_other_side(kind):
    record, sphere = draw(kind), icosphere(3).vertices
    some = record.mirrored(torch.tensor([True, False, True, False]))
    partners = mirror_partners(sphere)
    before, after = sphere_irradiance(record), sphere_irradiance(some)
    torch.testing.assert_close(after[::2], before[::2, partners], atol=1e-5, rtol=1e-5)
    assert torch.equal(after[1::2], before[1::2])
    assert not torch.allclose(after[0], before[0], atol=1e-2)
    pairs = LightRecord.join([record[:1], some[1:]]).mirrored(torch.tensor([False, True, True, True]))
    torch.testing.assert_close(sphere_irradiance(pairs)[2], before[2], atol=1e-5, rtol=1e-5)
