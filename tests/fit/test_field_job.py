"""From pictures to the mesh of a field, and its polish, through the front door of ``fit``."""

import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.fit import FitOptions, Progress, fit, view_metrics
from unrender.fit import state as state_module

SHORT = FitOptions(renderer="dvr", max_faces=1500, texture_size=128, effort=0.09)
POLISHED = FitOptions(renderer="dvr", then="dibr", max_faces=400, texture_size=32, effort=0.01)


def test_a_field_becomes_a_textured_mesh_in_the_world_of_the_views(thing_views, thing):
    views = thing_views(16, 48)
    train, held_out = views.split(4)
    reports: list[Progress] = []
    result = fit(train, SHORT, progress=reports.append)
    assert result.light is None
    metrics = view_metrics(result.mesh, None, held_out)
    assert min(metrics["mask_iou"]) > 0.85
    inside = held_out.pictures[held_out.masks > 0.5]
    constant = -10 * torch.log10((inside - inside.mean(0)).square().mean())
    assert sum(metrics["psnr"]) / 4 > float(constant) + 2
    extent = result.mesh.vertices.amax(0) - result.mesh.vertices.amin(0)
    wanted = (thing.vertices.amax(0) - thing.vertices.amin(0)).to(extent)
    torch.testing.assert_close(extent, wanted, rtol=0.2, atol=0)  # hulls are wide
    assert 800 < result.mesh.num_faces < 2500
    assert {report.stage for report in reports} == {"field"}
    assert reports[-1].done == pytest.approx(1)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("share", [0.4, 0.99])
def test_a_stopped_field_goes_on_with_the_same_bits(thing_views, tmp_path, monkeypatch, share):
    """Stopped while the field is fitted, and in the polish that follows."""
    monkeypatch.setattr(state_module, "CHECKPOINT_EVERY", 0)
    views, reports = thing_views(6, 32), []
    whole = fit(views, POLISHED, progress=reports.append)
    assert {report.stage for report in reports} == {"field", "polish"}

    def stop(progress: Progress) -> None:
        if progress.done >= share:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(views, POLISHED, checkpoint=tmp_path / "fit.pt", progress=stop)
    result = fit(views, POLISHED, checkpoint=tmp_path / "fit.pt", resume=True)
    for name in ("vertices", "faces", "uvs", "texture"):
        assert torch.equal(getattr(whole.mesh, name), getattr(result.mesh, name)), name
    assert result.light is not None


def test_views_without_a_hull_are_refused_before_the_work(thing_views):
    views = thing_views(8, 32)
    # other pictures' cameras, and masks that are moved and without their rims
    masks = torch.where(views.masks > 0.98, views.masks, 0).roll(12, 2)
    broken = dataclasses.replace(views, cameras=views[list(range(7, -1, -1))].cameras, masks=masks)
    reports: list[Progress] = []
    with pytest.raises(InputError, match="no point is inside the masks"):
        fit(broken, SHORT, progress=reports.append)
    assert reports == []


def test_a_polish_needs_a_field():
    with pytest.raises(InputError, match="renderer dvr starts from the visual hull, got template sphere"):
        FitOptions(renderer="dvr", template="sphere")
    with pytest.raises(InputError, match="then='dibr' goes on from renderer dvr, got renderer softras"):
        FitOptions(renderer="softras", then="dibr")
    with pytest.raises(InputError, match="then must be one of dibr, softras, nmr, got 'dvr'"):
        FitOptions(renderer="dvr", then="dvr")  # type: ignore[arg-type]
