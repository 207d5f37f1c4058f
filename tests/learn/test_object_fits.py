"""Objects fitted one by one: boxes of known shape, colour and light."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere
from unrender.learn.data.capture import CaptureOptions, capture
from unrender.learn.data.light_record import LightRecord
from unrender.learn.data.packed_views import PackedViews, pack
from unrender.learn.object_fits import ObjectFitOptions, ObjectFits, fit_objects
from unrender.render import render

OPTIONS = ObjectFitOptions(steps=50, subdivisions=2, texture_size=8, views=4)
COLORS = torch.tensor([[0.1, 0.7, 0.1], [0.8, 0.1, 0.1]])


@pytest.fixture(scope="module")
def boxes() -> PackedViews:
    packed = []
    for name, sides, color in zip(("high", "flat"), ((0.4, 1, 0.4), (1, 0.3, 0.6)), COLORS, strict=True):
        box = cube()
        mesh = Mesh(box.vertices * torch.tensor(sides), box.faces, vertex_colors=color.expand(8, 3))
        options = CaptureOptions(size=32, views=8, points=10, voxels=8)
        packed.append(pack(capture(mesh, name, "box", options)))
    return PackedViews.join(packed)


def test_shapes_and_colours_of_boxes(boxes):
    done = []
    fits = fit_objects(boxes, OPTIONS, progress=lambda now, total: done.append((now, total)))
    assert done == [(2, 2)]
    assert fits.names == ["high", "flat"]
    template = icosphere(2)
    views = boxes.batch(torch.arange(2), torch.arange(8).expand(2, 8))
    mask = render(Mesh(fits.vertices[:, None], template.faces), views.cameras).mask
    inside = views.pictures[..., 3] > 0.5
    iou = (mask & inside).sum((1, 2, 3)) / (mask | inside).sum((1, 2, 3))
    assert float(iou.min()) > 0.85
    assert fits.lights.shape == (2, 8, 9, 3)
    # hues survive, whatever brightness the light got
    hue = fits.textures.mean((1, 2))
    assert torch.equal(hue.argmax(-1), COLORS.argmax(-1))
    assert float((hue.amax(-1) / hue.amin(-1)).min()) > 2


def test_under_recorded_light_colours_are_those_of_the_surface(boxes, tmp_path):
    fits = fit_objects(boxes, dataclasses.replace(OPTIONS, recorded_light=True))
    recorded = torch.stack([getattr(record, "coefficients") for record in boxes.lights])  # noqa: B009
    assert torch.equal(fits.lights, recorded)
    fits.save(tmp_path / "fits.safetensors")
    again = ObjectFits.load(tmp_path / "fits.safetensors")
    assert again.recorded_light
    assert ObjectFits.join([again, again]).recorded_light
    with pytest.raises(InputError, match="all be under recorded light, or all under their own"):
        ObjectFits.join([again, dataclasses.replace(again, recorded_light=False)])
    assert float((fits.textures.mean((1, 2)) - COLORS).abs().max()) < 0.06
    unknown = dataclasses.replace(boxes, lights=[boxes.lights[0], None])
    with pytest.raises(InputError, match=r"flat: recorded_light needs .* harmonics, got none recorded"):
        fit_objects(unknown, dataclasses.replace(OPTIONS, recorded_light=True))
    ambient = dataclasses.replace(boxes, lights=[LightRecord("none"), boxes.lights[1]])
    with pytest.raises(InputError, match=r"high: .* got none"):
        fit_objects(ambient, dataclasses.replace(OPTIONS, recorded_light=True))


def test_the_seed_decides_and_files_give_fits_back(boxes, tmp_path):
    quick = ObjectFitOptions(steps=3, subdivisions=1, texture_size=4)
    first, second = fit_objects(boxes, quick), fit_objects(boxes, quick)
    assert torch.equal(first.vertices, second.vertices)
    first.save(tmp_path / "fits.safetensors")
    again = ObjectFits.load(tmp_path / "fits.safetensors")
    assert again.names == first.names
    assert not again.recorded_light
    for name in ("vertices", "textures", "lights"):
        torch.testing.assert_close(getattr(again, name), getattr(first, name), atol=2e-3, rtol=1e-3)
    with pytest.raises(InputError, match="do not exist"):
        ObjectFits.load(tmp_path / "gone.safetensors")
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable safetensors file"):
        ObjectFits.load(tmp_path / "bad.safetensors")
