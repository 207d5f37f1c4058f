import dataclasses
import json
import math
import re
import typing

import pytest
import torch

from unrender.cli import main
from unrender.cli import progress as cli_progress
from unrender.cli.deform import Deform, read_camera
from unrender.errors import InputError
from unrender.fit import DeformOptions
from unrender.geometry import Mesh, icosphere
from unrender.io import Views, load_mesh, load_picture, save_mesh, save_picture, save_views
from unrender.render import Camera
from unrender.render.turntable import render_antialiased

QUICK = ("--effort", "0.02", "--picture-size", "64")


@pytest.fixture(scope="module")
def ball() -> Mesh:
    ball = icosphere(2, radius=0.5)
    return ball.replace(vertex_colors=(ball.vertices + 0.5).clamp(0, 1))


@pytest.fixture(scope="module")
def views(ball) -> Views:
    """The ball, stretched, from two sides."""
    longer = ball.replace(vertices=ball.vertices * torch.tensor([1.0, 1.3, 1.0]))
    camera = Camera.orbit(3.0, 10.0, [0.0, 90.0], fov_y=32.0, width=40, height=32)
    rgba = render_antialiased(longer, camera, samples=4).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], camera, ["front", "side"])


def pose_of(camera: Camera) -> dict[str, typing.Any]:
    return {
        "world_to_camera": camera.world_to_camera.tolist(),
        "intrinsics": camera.intrinsics.tolist(),
        "width": camera.width,
        "height": camera.height,
        "mask_iou": 0.9,
    }


@pytest.fixture(scope="module")
def folder(ball, views, tmp_path_factory):
    path = tmp_path_factory.mktemp("deform")
    save_mesh(ball, path / "ball.glb")
    save_views(views, path / "views")
    save_picture(torch.cat([views.pictures[0], views.masks[0][..., None]], -1), path / "picture.png")
    save_picture(views.pictures[0], path / "opaque.png")
    save_picture(views.masks[0], path / "mask.png")
    save_picture(views.masks[0][:-1], path / "small-mask.png")
    save_picture(views.pictures[0][:-1], path / "small.png")
    pose = pose_of(views.cameras[0])
    (path / "pose.json").write_text(json.dumps(pose))
    (path / "list.json").write_text("[1]")
    (path / "broken.json").write_text("{")
    (path / "short.json").write_text(json.dumps({**pose, "intrinsics": [[1.0]]}))
    (path / "ragged.json").write_text(json.dumps({**pose, "intrinsics": [[1.0], [1.0, 2.0]]}))
    return path


@pytest.fixture
def run(folder, tmp_path, device, capsys, monkeypatch):
    """Deform the ball with the quickest settings; gives exit code, stdout and stderr (without progress)."""
    monkeypatch.setattr(cli_progress, "LINE_EVERY", math.inf)

    def run(views: str, *options: str, mesh: str = "ball.glb", out: str = "out.glb") -> tuple[int, str, str]:
        options = tuple(f"{folder / o}" if (folder / o).is_file() else o for o in options)
        arguments = ["deform", f"{folder / mesh}", f"{folder / views}", "-o", f"{tmp_path / out}"]
        code = main([*arguments, "--device", device.type, *QUICK, *options])
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


def test_to_a_view_set(run, ball, tmp_path):
    code, out, err = run("views", out="new/out.glb")
    assert (code, err) == (0, "")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"out.glb", "out-views.png"}
    mesh = load_mesh(tmp_path / "new" / "out.glb")
    assert mesh.num_faces == ball.num_faces
    assert mesh.vertex_colors is not None
    extent = mesh.vertices.amax(0) - mesh.vertices.amin(0)
    assert float(extent[1] / extent[0]) > 1.01  # on its way
    found = re.search(r"mask IoU +([\d.]+) at the start, ([\d.]+) now\n", out)
    assert found is not None
    assert float(found[2]) > float(found[1])
    assert "views       2\n" in out
    for name in ("out.glb", "out-views.png"):
        assert f"wrote       {tmp_path / 'new' / name}\n" in out
    width = 6 * 40  # pixels enlarged sixfold
    assert load_picture(tmp_path / "new" / "out-views.png").shape == (
        2 * (6 * 32 + 4) + 4,
        3 * (width + 4) + 4,
        3,
    )


@pytest.mark.parametrize("how", [("picture.png",), ("opaque.png", "--mask", "mask.png")])
def test_to_one_picture(run, tmp_path, how):
    picture, *mask = how
    code, out, err = run(picture, "--camera", "pose.json", *mask, "--no-color")
    assert (code, err) == (0, "")
    assert "views       1\n" in out
    assert (tmp_path / "out.glb").is_file()


def test_a_camera_is_read_as_it_was_written(folder, views):
    camera = read_camera(folder / "pose.json", near=0.5)
    torch.testing.assert_close(camera.world_to_camera, views.cameras[0].world_to_camera)
    torch.testing.assert_close(camera.intrinsics, views.cameras[0].intrinsics)
    assert (camera.width, camera.height, camera.near) == (40, 32, 0.5)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("missing.json", "camera file .*missing.json does not exist"),
        ("broken.json", "broken.json is not readable as JSON"),
        ("list.json", "must hold world_to_camera, intrinsics, width, height, got no world_to_camera"),
        (
            "short.json",
            r"describe a camera: intrinsics must have shape \(\.\.\., 3, 3\), got \(1, 1\)",
        ),
        ("ragged.json", "does not describe a camera"),
    ],
)
def test_cameras_that_cannot_be_read(folder, name, match):
    with pytest.raises(InputError, match=match):
        read_camera(folder / name, near=0.01)


def test_pictures_need_mask_and_camera(run):
    assert "--camera must name the camera of" in fails(run("picture.png"))
    assert "has no alpha channel and no mask: give its mask by --mask" in fails(
        run("opaque.png", "--camera", "pose.json")
    )
    assert "a mask must have the size of its picture" in fails(
        run("opaque.png", "--camera", "pose.json", "--mask", "small-mask.png")
    )
    assert "is for a picture of 40 x 32 pixels" in fails(
        run("small.png", "--camera", "pose.json", "--mask", "small-mask.png")
    )
    assert "missing.png does not exist" in fails(run("missing.png", "--camera", "pose.json"))


@pytest.mark.parametrize(("option", "file"), [("--camera", "pose.json"), ("--mask", "mask.png")])
def test_view_sets_have_their_own_cameras_and_masks(run, option, file):
    assert f"{option} belongs to a single picture" in fails(run("views", option, file))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (("--effort", "0"), "effort must be positive, got 0"),
        (("--rigidity", "-1"), "rigidity must be positive, got -1"),
        (("--device", "abacus"), "--device must be auto, cpu, cuda"),
    ],
)
def test_options_out_of_range(run, tmp_path, options, match):
    assert re.search(match, fails(run("views", *options)))
    assert not any(tmp_path.iterdir())


def test_other_paths(run):
    assert ".glb or .obj, got " in fails(run("views", out="out.ply"))
    assert "missing" in fails(run("missing"))
    assert "missing.glb" in fails(run("views", mesh="missing.glb"))


def test_options_are_those_of_deform():
    """Same names, types and defaults as DeformOptions."""
    ours = {field.name: field.default for field in dataclasses.fields(Deform)}
    theirs = {field.name: field.default for field in dataclasses.fields(DeformOptions)}
    assert theirs.items() <= ours.items()
    hints = typing.get_type_hints(Deform, localns={"Mesh": Mesh, "Views": Views, "Camera": Camera})
    assert all(hints[name] == hint for name, hint in typing.get_type_hints(DeformOptions).items())
