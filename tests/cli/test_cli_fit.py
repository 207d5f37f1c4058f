import dataclasses
import json
import math
import re
import typing

import pytest
import torch

from unrender.cli import main
from unrender.cli import progress as cli_progress
from unrender.cli.fit import Fit
from unrender.cli.progress import progress_display
from unrender.fit import FitOptions, Progress, field_fit, report
from unrender.geometry import Mesh, cube, subdivide
from unrender.io import Views, load_mesh, save_views
from unrender.render import Camera
from unrender.render.turntable import render_antialiased

QUICK = ("--effort", "0.01", "--max-faces", "200", "--texture-size", "32")


@pytest.fixture(scope="module")
def views() -> Views:
    """Sixteen views of a small box, all round."""
    box = subdivide(cube(size=1.0), 2)
    vertices = box.vertices * torch.tensor([1.0, 0.6, 0.8])
    mesh = Mesh(vertices, box.faces, vertex_colors=(vertices + 0.5).clamp(0, 1))
    index = torch.arange(16)
    elevation = torch.tensor([-30.0, 5.0, 40.0])[index % 3]
    camera = Camera.orbit(3.0, elevation, index * 22.5, fov_y=32.0, width=32, height=32)
    rgba = render_antialiased(mesh, camera, samples=4).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], camera, [f"{i:02}" for i in range(16)])


@pytest.fixture(scope="module")
def folder(views, tmp_path_factory):
    path = tmp_path_factory.mktemp("views")
    save_views(views, path)
    return path


@pytest.fixture(autouse=True)
def short_turntable(monkeypatch):
    """Drawing whole turns would take most of the time of these tests."""
    whole = report.turntable
    monkeypatch.setattr(report, "turntable", lambda mesh, **options: whole(mesh, **{**options, "frames": 1}))


@pytest.fixture
def run(folder, tmp_path, device, capsys, monkeypatch):
    """Fit with the quickest settings; gives exit code, stdout and stderr (without progress)."""
    monkeypatch.setattr(cli_progress, "LINE_EVERY", math.inf)

    def run(*options: str, views=folder, out: str = "object.glb") -> tuple[int, str, str]:
        arguments = ["fit", f"{views}", "-o", f"{tmp_path / out}", "--device", device.type, *QUICK, *options]
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def fails(outcome: tuple[int, str, str]) -> str:
    """Expects exit code 2, no output and one line on stderr; gives the line."""
    code, out, err = outcome
    assert code == 2
    assert out == ""
    assert err.startswith("unrender: error: ")
    assert err.count("\n") == 1
    return err


def test_a_fit_from_files_to_files(run, tmp_path):
    code, out, err = run("--views-held-out", "6", out="new/object.glb")
    assert (code, err) == (0, "")
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"object.glb", "object.gif", "object-views.png", "object.json"}  # and no checkpoint
    for name in names:
        assert f"wrote       {tmp_path / 'new' / name}\n" in out
    mesh = load_mesh(tmp_path / "new" / "object.glb")
    assert mesh.texture is not None
    assert mesh.texture.shape == (32, 32, 3)
    metrics = json.loads((tmp_path / "new" / "object.json").read_text())
    assert metrics["views"] == {
        "train": 14,
        "held_out": 2,
        "held_out_names": ["05", "11"],
        "width": 32,
        "height": 32,
    }
    assert metrics["options"] == dataclasses.asdict(FitOptions(effort=0.01, max_faces=200, texture_size=32))
    mean, least = (metrics["held_out"]["mask_iou"][key] for key in ("mean", "min"))
    assert mean > 0.8
    assert re.search(
        rf"mask IoU +{mean:.3f} on average, {least:.3f} at worst \((05|11)\), on views held", out
    )
    assert re.search(r"PSNR +[\d.]+ dB on average", out)
    assert "14 fitted, 2 held out" in out
    assert metrics["command"].startswith("unrender fit ")
    for words in ("--views-held-out 6", "--effort 0.01", "--max-faces 200", "--texture-size 32"):
        assert words in metrics["command"]
    assert "--seed" not in metrics["command"]  # left at its default


def test_without_views_held_out_those_fitted_are_measured(run, tmp_path):
    code, out, _ = run("--views-held-out", "0", "--no-light", out="object.obj")
    assert code == 0
    assert re.search(r"mask IoU .* on views that were fitted; none was held out\n", out)
    metrics = json.loads((tmp_path / "object.json").read_text())
    assert metrics["held_out"] is None
    assert metrics["light"] is None
    assert "--no-light" in metrics["command"]
    assert len(metrics["train"]["views"]) == 16
    assert load_mesh(tmp_path / "object.obj").texture is not None


def test_every_eighth_view_is_held_out_by_default(folder, views, capsys, tmp_path):
    def split(views: Views, every: int | None = None) -> tuple[int, list[str]]:
        train, held_out = Fit(folder, tmp_path / "a.glb", views_held_out=every)._split(views)
        return len(train), [] if held_out is None else held_out.names

    assert split(views) == (14, ["07", "15"])
    assert capsys.readouterr().err == ""
    assert split(views[:15]) == (15, [])
    assert capsys.readouterr().err == (
        "unrender: 15 views are few, so none is held out; the metrics are of those fitted\n"
    )
    assert split(views[:15], 5) == (12, ["04", "09", "14"])
    assert split(views[:15], 0) == (15, [])
    assert capsys.readouterr().err == ""


def test_ctrl_c_and_resume(run, tmp_path, monkeypatch):
    """A fit that was stopped goes on where it was; a new one says that there was something to go on with."""
    shown: list[Progress] = []

    def stop_in_the_second_stage(self, progress: Progress) -> None:
        shown.append(progress)
        if progress.stage != shown[0].stage:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cli_progress.StepLines, "__call__", stop_in_the_second_stage)
        code, out, err = run()
    checkpoint = tmp_path / "object.fit.pt"
    assert (code, out) == (130, "")
    assert err == f"unrender: stopped; the same command with --resume goes on from {checkpoint}\n"
    kept = checkpoint.read_bytes()

    assert "belongs to another fit: options" in fails(run("--resume", "--seed", "3"))
    assert checkpoint.read_bytes() == kept

    first_stage = shown[0].stage
    shown.clear()
    with monkeypatch.context() as patched:
        patched.setattr(cli_progress.StepLines, "__call__", lambda self, progress: shown.append(progress))
        code, _, err = run("--resume")
    assert (code, err) == (0, "")
    assert first_stage not in {progress.stage for progress in shown}
    assert (tmp_path / "object.glb").is_file()
    assert not checkpoint.exists()

    def stop(self, progress: Progress) -> None:
        raise KeyboardInterrupt

    checkpoint.write_bytes(kept)
    monkeypatch.setattr(cli_progress.StepLines, "__call__", stop)
    code, _, err = run()
    assert code == 130
    first, second = err.splitlines()
    assert first.startswith(f"unrender: starting anew, although {checkpoint} is left of a fit")
    assert second.startswith("unrender: stopped")


def test_a_field_with_depth_is_fitted_polished_and_gone_on_with(run, views, tmp_path, monkeypatch):
    depth = torch.where(views.masks > 0.5, 2.6, 0.0)
    save_views(dataclasses.replace(views, depth=depth), tmp_path / "deep")
    command = ("--renderer", "dvr", "--then", "dibr")
    seen: list[bool] = []
    stages: list[str] = []
    sampler = field_fit.RaySampler
    monkeypatch.setattr(
        field_fit,
        "RaySampler",
        lambda views, *rest: seen.append(views.depth is not None) or sampler(views, *rest),
    )

    def stop_in_the_polish(self, progress: Progress) -> None:
        if progress.stage == "polish":
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cli_progress.StepLines, "__call__", stop_in_the_polish)
        code, _, err = run(*command, views=tmp_path / "deep")
    assert code == 130, err
    assert seen == [True]
    assert "belongs to another fit: depth was True, now False" in fails(run(*command, "--resume"))
    monkeypatch.setattr(cli_progress.StepLines, "__call__", lambda self, p: stages.append(p.stage))
    code, out, err = run(*command, "--resume", views=tmp_path / "deep")
    assert (code, err) == (0, "")
    assert set(stages) == {"polish"}
    assert load_mesh(tmp_path / "object.glb").texture is not None
    options = json.loads((tmp_path / "object.json").read_text())["options"]
    assert (options["renderer"], options["then"]) == ("dvr", "dibr")
    assert re.search(r"mask IoU +0\.\d+ on average", out)


def test_an_empty_field_writes_no_mesh(run, tmp_path, monkeypatch):
    def emptied(self, after_step):
        with torch.no_grad():
            self.field.network[-1].bias -= 1000

    monkeypatch.setattr(field_fit.FieldFit, "run", emptied)
    error = fails(run("--renderer", "dvr"))
    assert "must have a surface, but it is empty" in error
    assert not list(tmp_path.glob("object*"))


def test_time_is_that_of_the_steps(capsys, monkeypatch):
    """Reading comes first; it says nothing of how long the steps take."""
    clock = [0.0]
    monkeypatch.setattr(cli_progress.time, "monotonic", lambda: clock[0])
    with progress_display("reading") as show:
        for now, stage, loss, done in (
            (11.0, "reading", None, 0.5),
            (20.0, "reading", None, 1.0),
            (21.0, "training", 1.0, 0.1),
            (32.0, "training", 1.0, 0.2),
        ):
            clock[0] = now
            show(Progress(stage, loss, done))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["reading: 50%", "training: 20%, loss 1.0000, 0:12 elapsed, 1:36 left"]


def test_progress_without_a_terminal(capsys, monkeypatch):
    clock = iter([100.0, 103.0, 109.0, 111.0, 112.0, 122.5])
    monkeypatch.setattr(cli_progress.time, "monotonic", lambda: next(clock))
    with progress_display("hull") as show:
        for done in (0.1, 0.2, 0.21, 0.3, 0.6):
            show(Progress("shape 1/3", 0.01234, done))
    assert capsys.readouterr().err.splitlines() == [
        "shape 1/3: 21%, loss 0.0123, 0:11 elapsed, 1:19 left",
        "shape 1/3: 60%, loss 0.0123, 0:22 elapsed, 0:18 left",
    ]


def test_progress_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    with progress_display("hull") as show:
        show(Progress("texture", 0.0321, 0.25))
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert re.search(r"texture .* 25% loss 0\.0321 0:00:0\d elapsed, .* left", text)


def test_options_are_those_of_the_fit():
    """Same names, types and defaults as FitOptions."""
    ours = {field.name: field.default for field in dataclasses.fields(Fit)}
    theirs = {field.name: field.default for field in dataclasses.fields(FitOptions)}
    assert theirs.items() <= ours.items()
    hints = typing.get_type_hints(Fit, localns={"Views": Views})
    assert all(hints[name] == hint for name, hint in typing.get_type_hints(FitOptions).items())


def test_help_names_every_option(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["fit", "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    for option in ("--views-held-out", "--resume", "--template", "--no-light", "--effort", "--out"):
        assert option in text


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--views-held-out", "1"), r"--views-held-out must be 0 \(none\), or at least 2.* got 1"),
        (("--views-held-out", "-3"), r"--views-held-out must be 0 .* got -3"),
        (("--views-held-out", "17"), "--views-held-out must be at most 16, the number of views, got 17"),
        (("--max-faces", "3"), "max_faces must be at least 100, got 3"),
        (("--effort", "0"), "effort must be positive, got 0"),
        (("--device", "abacus"), "--device must be auto, cpu, cuda"),
        (("--resume",), "no checkpoint to resume from at .*object.fit.pt"),
    ],
)
def test_options_out_of_range(run, tmp_path, options, match):
    assert re.search(match, fails(run(*options)))
    assert not any(tmp_path.glob("*.*"))


@pytest.mark.parametrize("out", ["object.ply", "object.png", "object"])
def test_other_kinds_of_output(run, out):
    assert "a fitted mesh is saved as .glb or .obj, got " in fails(run(out=out))


def test_paths_are_checked_before_work_begins(run, tmp_path):
    assert "missing does not exist" in fails(run(views=tmp_path / "missing"))
    (tmp_path / "empty").mkdir()
    assert "is not a view set" in fails(run(views=tmp_path / "empty"))
    (tmp_path / "file").write_text("")
    assert fails(run(out="file/object.glb"))
    (tmp_path / "object.gif").mkdir()
    assert "object.gif must be a file, got a folder" in fails(run())


def test_views_that_cannot_be_fitted(run, views, tmp_path):
    save_views(views[0], tmp_path / "one")
    assert "fit needs at least 2 views from different sides, got 1" in fails(
        run("--views-held-out", "0", views=tmp_path / "one")
    )
    masks = views.masks.clone()
    masks[3] = 0
    save_views(dataclasses.replace(views, masks=masks), tmp_path / "empty mask")
    assert "masks must not be empty, got no object in 03" in fails(run(views=tmp_path / "empty mask"))
