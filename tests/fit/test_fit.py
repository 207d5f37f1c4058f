import dataclasses
import math
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from conftest import DISTANCE, MIDDLE, around
from unrender.errors import InputError
from unrender.fit import FitOptions, FitResult, fit, job, state, view_metrics
from unrender.geometry import EdgeTopology
from unrender.io import Views, save_views
from unrender.render import render

QUICK = FitOptions(max_faces=200, texture_size=32, effort=0.03)


class Interrupted(Exception):
    pass


@pytest.fixture(scope="module")
def views(thing_views) -> Views:
    return thing_views(16, 48)


@pytest.fixture(scope="module")
def reports() -> list[job.Progress]:
    return []


@pytest.fixture(scope="module")
def fitted(views, reports) -> FitResult:
    """A fit to 12 of the 16 views, with a tenth of the usual steps and few faces."""
    options = FitOptions(max_faces=1500, texture_size=128, effort=0.1)
    return fit(views.split(4)[0], options, progress=reports.append)


@pytest.fixture(scope="module")
def few_views(thing_views) -> Views:
    return thing_views(6, 32)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Left by ``quick``."""
    return tmp_path_factory.mktemp("checkpoint") / "fit.pt"


@pytest.fixture(scope="module")
def quick_losses() -> list[float]:
    return []


@pytest.fixture(scope="module")
def quick(few_views, checkpoint, quick_losses) -> FitResult:
    return fit(few_views, QUICK, checkpoint=checkpoint, progress=lambda p: quick_losses.append(p.loss))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_views_held_out_are_explained(fitted, views):
    held_out = views.split(4)[1]
    metrics = view_metrics(fitted.mesh, fitted.light, held_out)
    assert len(metrics["mask_iou"]) == len(held_out) == 4
    assert min(metrics["mask_iou"]) > 0.9
    assert mean(metrics["psnr"]) > 17
    grey = fitted.mesh.replace(texture=torch.full_like(fitted.mesh.texture, 0.5))
    assert mean(view_metrics(grey, None, held_out)["psnr"]) < 12  # what the bound of 17 is worth


def test_the_mesh_is_where_the_object_is(fitted, thing):
    """In the world of the views, not that of the fit.

    To three pixels at the sides, and four below, where no view looks along the flat bottom.
    """
    pixel = DISTANCE * 2 * math.tan(math.radians(15)) / 48
    got, expected = fitted.mesh.vertices.cpu(), thing.vertices
    assert float((got.amin(0) - expected.amin(0)).abs().max()) < 4 * pixel
    assert float((got.amax(0) - expected.amax(0)).abs().max()) < 3 * pixel


def test_the_mesh_is_fit_for_use(fitted, device):
    mesh = fitted.mesh
    topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
    assert topology.is_closed
    assert 700 < mesh.num_faces < 2000
    assert mesh.texture.shape == (128, 128, 3)
    assert 0 <= float(mesh.texture.min()) <= float(mesh.texture.max()) <= 1
    assert -1e-6 < float(mesh.uvs.min()) < float(mesh.uvs.max()) < 1 + 1e-6
    assert not any(t.requires_grad for t in (mesh.vertices, mesh.texture, fitted.light.coefficients))
    assert mesh.vertices.device.type == fitted.light.coefficients.device.type == device.type
    corners = mesh.vertices.cpu().double()[mesh.faces.cpu()] - torch.tensor(MIDDLE).double()
    assert float(torch.linalg.det(corners).sum()) > 0  # faces look outwards


def test_progress_goes_from_start_to_end(fitted, reports):
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert 0 < done[0] < 0.05
    assert done[-1] == pytest.approx(1)
    stages = list(dict.fromkeys(report.stage for report in reports))
    assert stages[-1] == "texture"
    assert len(stages) > 2
    assert all(math.isfinite(report.loss) for report in reports)


def test_from_a_sphere_and_without_light(few_views):
    """The sphere keeps its topology, and the texture holds the shading."""
    result = fit(few_views, dataclasses.replace(QUICK, template="sphere", light=False))
    topology = EdgeTopology.from_faces(result.mesh.faces, result.mesh.num_vertices)
    assert topology.is_closed
    assert result.mesh.num_vertices - len(topology.edges) + result.mesh.num_faces == 2
    assert result.light is None
    picture = render(result.mesh, few_views.cameras[0])
    inside = picture.mask & (few_views.masks[0] > 0.5)
    assert float((picture.rgb - few_views.pictures[0]).abs()[inside].mean()) < 0.2


# Going on after an interruption ---------------------------------------------------------------------------


def assert_same(a: FitResult, b: FitResult) -> None:
    """To the last bit."""
    for name in ("vertices", "faces", "uvs", "uv_faces", "texture"):
        assert torch.equal(getattr(a.mesh, name), getattr(b.mesh, name)), name
    assert a.light is not None
    assert b.light is not None
    assert torch.equal(a.light.coefficients, b.light.coefficients)


@pytest.mark.parametrize("share", [0.2, 0.75])
def test_resume_gives_the_same_bits(few_views, quick, quick_losses, tmp_path, monkeypatch, share):
    """Stopped at a step somewhere after this share of the work, drawn anew on each run."""
    monkeypatch.setattr(state, "CHECKPOINT_EVERY", 0)
    stop_at = share + 0.2 * (time.time_ns() % 1000) / 1000
    reports: list[job.Progress] = []

    def stop(progress: job.Progress) -> None:
        reports.append(progress)
        if progress.done >= stop_at:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(few_views, QUICK, checkpoint=tmp_path / "fit.pt", progress=stop)
    reports.pop()  # this step was not saved, so it is the first to be taken again
    result = fit(few_views, QUICK, checkpoint=tmp_path / "fit.pt", resume=True, progress=reports.append)
    assert [report.loss for report in reports] == quick_losses
    assert_same(result, quick)


def test_resume_of_a_finished_fit_repeats_its_result(few_views, quick, checkpoint):
    steps: list[job.Progress] = []
    again = fit(few_views, QUICK, checkpoint=checkpoint, resume=True, progress=steps.append)
    assert_same(again, quick)
    assert steps == []


@pytest.mark.usefixtures("quick")
def test_resume_refuses_the_checkpoint_of_another_fit(few_views, checkpoint):
    with pytest.raises(InputError, match=r"belongs to another fit: options.*leave --resume out"):
        fit(few_views, dataclasses.replace(QUICK, seed=1), checkpoint=checkpoint, resume=True)
    renamed = dataclasses.replace(few_views, names=[f"other{i}" for i in range(6)])
    with pytest.raises(InputError, match="belongs to another fit: views"):
        fit(renamed, QUICK, checkpoint=checkpoint, resume=True)


def test_resume_needs_a_checkpoint(few_views, tmp_path):
    with pytest.raises(InputError, match=r"no checkpoint to resume from at .*missing.pt"):
        fit(few_views, QUICK, checkpoint=tmp_path / "missing.pt", resume=True)
    (tmp_path / "broken.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match=r"broken.pt is not a readable checkpoint"):
        fit(few_views, QUICK, checkpoint=tmp_path / "broken.pt", resume=True)


KILLED = """
import sys
from pathlib import Path
import torch
import unrender.fit.state as state
from unrender.fit import FitOptions, fit
from unrender.io import load_views
state.CHECKPOINT_EVERY = 0.2
options = FitOptions(max_faces=600, texture_size=64, effort=0.1)
def say(progress):
    print(progress.done, flush=True)
views = load_views(sys.argv[1]).to(sys.argv[4])
resume = sys.argv[3] == "resume"
result = fit(views, options, checkpoint=Path(sys.argv[2]), resume=resume, progress=say)
torch.save([result.mesh.vertices, result.mesh.texture], sys.argv[2] + ".result")
"""


@pytest.mark.slow
def test_resume_after_kill_9(thing_views, tmp_path, device):
    save_views(thing_views(6, 32), tmp_path / "views")

    def start(checkpoint: str, how: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, f"{tmp_path / 'views'}", f"{tmp_path / checkpoint}", how]
        return subprocess.Popen([*command, device.type], stdout=subprocess.PIPE, text=True)

    with start("whole.pt", "anew") as whole:
        assert whole.wait() == 0
    for share in (0.15, 0.5, 0.85):
        with start("killed.pt", "resume" if share > 0.2 else "anew") as process:
            assert process.stdout is not None
            for line in process.stdout:
                if float(line) > share:
                    process.send_signal(signal.SIGKILL)
                    break
            assert process.wait() == -signal.SIGKILL
    with start("killed.pt", "resume") as process:
        assert process.stdout is not None
        assert float(process.stdout.readline()) > 0.5
        process.stdout.read()
        assert process.wait() == 0
    whole_result = torch.load(tmp_path / "whole.pt.result")
    for ours, theirs in zip(torch.load(tmp_path / "killed.pt.result"), whole_result, strict=True):
        assert torch.equal(ours, theirs)


# Wrong input ----------------------------------------------------------------------------------------------


def refused(views: Views, match: str) -> None:
    with pytest.raises(InputError, match=match):
        fit(views, QUICK, progress=lambda _: pytest.fail("a step was taken"))


def test_one_view_is_refused(views):
    refused(views[0], r"at least 2 views from different sides, got 1.*how deep")


def test_few_views_are_warned_of(few_views):
    def stop(progress: job.Progress) -> None:
        raise Interrupted

    with pytest.warns(UserWarning, match=r"only 5 views.*12 or more"), pytest.raises(Interrupted):
        fit(few_views[:5], QUICK, progress=stop)
    with pytest.raises(Interrupted):  # and no warning, which would be an error
        fit(few_views, QUICK, progress=stop)


def test_views_from_one_side_are_refused(views):
    same = views[[0] * 6]
    refused(dataclasses.replace(same, names=[f"{i}" for i in range(6)]), "all views look in one direction")


@pytest.mark.parametrize(
    ("value", "match"), [(0.0, "no object in view2, view7"), (1.0, "none in view2, view7")]
)
def test_empty_and_full_masks_are_refused(views, value, match):
    masks = views.masks.clone()
    masks[[2, 7]] = value
    refused(dataclasses.replace(views, masks=masks), match)


@pytest.mark.parametrize("field", ["pictures", "masks"])
def test_nan_is_refused(views, field):
    broken = dataclasses.replace(views, **{field: getattr(views, field).clone()})
    getattr(broken, field)[3, 20, 20] = math.nan  # views refuse it when they are made
    refused(broken, f"{field} must be finite.* in view3")


def test_a_pose_that_is_not_finite_is_refused(views):
    pose = views.cameras.world_to_camera.clone()
    pose[4, 0, 3] = math.inf
    cameras = views.cameras.replace(world_to_camera=pose)
    refused(dataclasses.replace(views, cameras=cameras), "camera poses must be finite.* in view4")


def test_a_camera_inside_the_object_is_refused(views, thing, device):
    """It sees nothing but surface."""
    cameras = around(16, 48, distance=0.3).to(device)
    inside = render(thing.to(device), cameras[4])
    pose = views.cameras.world_to_camera.clone()
    masks, pictures = views.masks.clone(), views.pictures.clone()
    pose[4], masks[4], pictures[4] = cameras.world_to_camera[4], inside.mask.float(), inside.rgb
    moved = Views(pictures, masks, views.cameras.replace(world_to_camera=pose), views.names)
    refused(moved, "masks must leave some background, got none in view4")


def test_camera_to_world_for_world_to_camera_is_refused(views):
    cameras = views.cameras.replace(world_to_camera=torch.linalg.inv(views.cameras.world_to_camera))
    refused(
        dataclasses.replace(views, cameras=cameras), "does not show the point that the other views look at"
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_faces": 99}, "max_faces must be at least 100, got 99"),
        ({"texture_size": 8}, "texture_size must be at least 16, got 8"),
        ({"picture_size": 0}, "picture_size must be at least 16, got 0"),
        ({"effort": 0.0}, "effort must be positive, got 0"),
        ({"effort": math.nan}, "effort must be positive, got nan"),
        ({"effort": math.inf}, "effort must be positive, got inf"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        FitOptions(**options)
