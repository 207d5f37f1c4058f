"""Learning from fits: mirrored and tinted, they look as the augmented pictures do; training gets there."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere, spherical_uvs
from unrender.learn.data.augment import AugmentOptions, augment
from unrender.learn.data.capture import CaptureOptions, capture
from unrender.learn.data.light_record import LightRecord
from unrender.learn.data.packed_views import PackedViews, pack
from unrender.learn.imitation import Imitation
from unrender.learn.methods.dibr import DIBRConfig, DIBRPredictor
from unrender.learn.metrics import sphere_irradiance
from unrender.learn.networks.texture_flow import TextureFlow
from unrender.learn.object_fits import ObjectFits
from unrender.render import render

CONFIG = DIBRConfig(
    size=32, channels=(8, 16), hidden=32, features=32, subdivisions=2, texture_size=16, camera=True, crop=True
)
COUNT, VIEWS = 3, 4


@pytest.fixture(scope="module")
def truth() -> tuple[PackedViews, ObjectFits]:
    """Lopsided objects whose pictures are renders of their fits."""
    generator = torch.Generator().manual_seed(0)
    template = spherical_uvs(icosphere(2, radius=0.35))
    x, y, z = template.vertices.unbind(-1)
    packed, vertices, textures, lights = [], [], [], []
    for i in range(COUNT):
        stretch = 0.6 + 0.8 * torch.rand(3, generator=generator)
        shape = torch.stack([x + 0.3 * (x > 0.1) * y, y, z], -1) * stretch
        coarse = torch.rand(1, 3, 4, 8, generator=generator)
        texture = torch.nn.functional.interpolate(coarse, (16, 32), mode="bilinear")[0].permute(1, 2, 0)
        options = CaptureOptions(size=32, views=VIEWS, points=10, voxels=8, seed=i, cameras="random")
        mesh = template.replace(vertices=shape, texture=texture)
        item = capture(mesh, f"object{i}", "a", options)
        assert item.lights is not None
        used = shape[template.faces.reshape(-1)]
        low, high = used.amin(0), used.amax(0)
        vertices.append((shape - (low + high) / 2) / (high - low).max())  # as capture moves it
        textures.append(texture)
        lights.append(item.lights.coefficients)
        packed.append(pack(item))
    return PackedViews.join(packed), ObjectFits(
        [f"object{i}" for i in range(COUNT)],
        torch.stack(vertices),
        torch.stack(textures),
        torch.stack(lights),  # type: ignore[arg-type]
    )


@pytest.fixture
def predictor() -> DIBRPredictor:
    torch.manual_seed(0)
    return DIBRPredictor(CONFIG)


def test_texture_flow_is_taught_by_the_fits_in_their_own_pictures(truth, monkeypatch):
    views, fits = truth
    torch.manual_seed(0)
    predictor = DIBRPredictor(dataclasses.replace(CONFIG, texture_flow=True))
    predictor.prepare_training()
    imitation = Imitation(fits, views.names, predictor)
    seen = []
    real = predictor.flow_term
    monkeypatch.setattr(predictor, "flow_term", lambda *args: seen.append(args) or real(*args))
    batch = views.batch(torch.tensor([2, 0]), torch.tensor([[3, 1, 0], [0, 2, 1]]))
    terms = imitation.loss(predictor, batch)
    terms["flow"].backward()
    assert isinstance(predictor.colors, TextureFlow)
    bias = predictor.colors.maps.last.bias
    assert bias is not None
    grad = bias.grad
    assert grad is not None
    assert float(grad[6:8].abs().max()) > 0
    ((_, vertices, cameras),) = seen
    # of the six pictures the first and the fifth are painted: drawn there, the vertices give their masks
    for i, (row, column) in enumerate([(0, 0), (1, 1)]):
        mask = render(Mesh(vertices[i], predictor.template_faces), cameras[i]).mask
        inside = batch.pictures[row, column, ..., 3] > 0.5
        assert float((mask & inside).sum() / (mask | inside).sum()) > 0.9


def test_targets_look_as_the_augmented_pictures_do(truth, predictor):
    packed, fits = truth
    imitation = Imitation(fits, packed.names, predictor)
    rows = torch.tensor([2, 0, 1] * 4)
    batch = packed.batch(rows, torch.rand(12, VIEWS).argsort(1)[:, :2])
    changed = augment(batch, AugmentOptions(flip=True, color=0.3), torch.Generator().manual_seed(3))
    assert changed.mirrored is not None
    assert 2 < int(changed.mirrored.sum()) < 10
    vertices, textures, lights = imitation.targets(changed)
    mesh = spherical_uvs(icosphere(2)).replace(vertices=vertices[:, None], texture=textures[:, None])
    picture = render(mesh, changed.cameras, lights.lights())
    inside = (changed.pictures[..., 3] > 0.99) & picture.mask
    assert float((picture.mask != (changed.pictures[..., 3] > 0.5)).float().mean()) < 0.03
    difference = (picture.rgb - changed.pictures[..., :3]).abs().sum(-1)
    bright = (changed.pictures[..., :3] < 0.97).all(-1)  # not clipped
    assert float(difference[inside & bright].mean()) < 0.06
    assert changed.lights is not None  # the lights of these fits are the recorded ones
    assert torch.equal(sphere_irradiance(changed.lights.reshape(-1)), sphere_irradiance(lights.reshape(-1)))
    plain, *_ = imitation.targets(dataclasses.replace(changed, mirrored=None, tints=None))
    assert not torch.allclose(plain, vertices)


def test_training_comes_to_the_fits(truth, predictor):
    packed, fits = truth
    imitation = Imitation(fits, packed.names, predictor)
    optimizer = torch.optim.Adam(predictor.parameters(), lr=2e-3)
    history = []
    for _ in range(60):
        views = torch.rand(COUNT, VIEWS).argsort(1)[:, :2]
        terms = imitation.loss(predictor, packed.batch(torch.arange(COUNT), views))
        assert set(terms) == {"shape", "texture", "light", "camera"}
        optimizer.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimizer.step()
        history.append({name: float(value.detach()) for name, value in terms.items()})
    for name, share in (("shape", 0.7), ("texture", 0.8), ("light", 0.7)):
        assert sum(h[name] for h in history[-5:]) < share * sum(h[name] for h in history[:5]), name


def test_what_does_not_fit_is_refused(truth, predictor):
    packed, fits = truth
    with pytest.raises(InputError, match="1 training objects have no fit, the first is stranger"):
        Imitation(fits, [*packed.names, "stranger"], predictor)
    with pytest.raises(InputError, match="162 vertices and textures of 8 rows, got 162 and 16"):
        Imitation(fits, packed.names, DIBRPredictor(dataclasses.replace(CONFIG, texture_size=8)))
    taught = DIBRPredictor(dataclasses.replace(CONFIG, light_weight=3.0))
    with pytest.raises(InputError, match=r"needs fits under recorded light: .* --recorded-light"):
        Imitation(fits, packed.names, taught)
    Imitation(dataclasses.replace(fits, recorded_light=True), packed.names, taught)
    with pytest.raises(InputError, match="needs appearance texture and light harmonics"):
        Imitation(fits, packed.names, DIBRPredictor(dataclasses.replace(CONFIG, light="lambert")))


def test_exchanged_channels_are_those_of_surface_and_light():
    """A white ball under a strongly coloured light stays white when channels are exchanged."""
    ball = spherical_uvs(icosphere(2)).replace(texture=torch.ones(4, 8, 3))
    item = capture(ball, "ball", "a", CaptureOptions(size=32, views=2, points=10, voxels=8))
    assert item.lights is not None
    assert item.lights.coefficients is not None
    coefficients = item.lights.coefficients * torch.tensor([0.5, 0.3, 0.1])
    lights = LightRecord("harmonics", coefficients=coefficients)
    assert item.cameras is not None
    lit = render(ball.replace(vertices=0.5 * ball.vertices), item.cameras, lights.lights())
    rgba = torch.cat([lit.rgb, lit.mask[..., None].to(lit.rgb)], -1)
    packed = dataclasses.replace(
        pack(item), pictures=(rgba.clamp(0, 1) * 255).round().to(torch.uint8)[None], lights=[lights]
    )
    batch = packed.batch(torch.zeros(8, dtype=torch.long), torch.tensor([[0, 1]]).expand(8, 2))
    options = AugmentOptions(flip=True, color=0.25)
    changed = augment(batch, options, torch.Generator().manual_seed(1))
    assert changed.tints is not None
    assert changed.lights is not None
    gains = changed.tints.sum(-1)  # of the surface
    assert int((torch.diagonal(changed.tints, 0, -2, -1) == 0).any(-1).sum()) >= 3
    small = ball.replace(vertices=(0.5 * ball.vertices).expand(8, 1, -1, -1))
    again = render(small, changed.cameras, changed.lights.lights())
    expected = again.rgb * gains[:, None, None, None]
    both = again.mask & (changed.pictures[..., 3] > 0.99)
    assert float(both.float().mean()) > 0.1
    assert float((expected - changed.pictures[..., :3])[both].abs().quantile(0.98)) < 0.02
