import json
import math

import pytest
import torch

from unrender.cli import main
from unrender.cli import progress as cli_progress
from unrender.cli.predict import picture_files
from unrender.errors import InputError
from unrender.geometry import cube
from unrender.io import save_picture
from unrender.learn.methods.dibr import DIBRConfig, DIBRPredictor
from unrender.learn.registry import save_predictor
from unrender.predict import report
from unrender.render import Camera
from unrender.render.turntable import render_antialiased


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    camera = Camera.orbit(2.7, 20.0, 30.0, fov_y=35.0, width=80, height=60)
    box = cube(size=0.6)
    return render_antialiased(box.replace(uvs=None, uv_faces=None), camera, samples=2).clamp(0, 1)


@pytest.fixture(scope="module")
def folder(picture, tmp_path_factory):
    """Two pictures of a box, one of them without a mask, and one that shows nothing."""
    path = tmp_path_factory.mktemp("pictures")
    save_picture(picture, path / "box.png")
    flat = picture[..., :3] * picture[..., 3:] + torch.tensor([0.1, 0.2, 0.5]) * (1 - picture[..., 3:])
    save_picture(flat, path / "plain.png")
    save_picture(torch.full((60, 80, 3), 0.3), path / "empty.png")
    (path / "notes.txt").write_text("not a picture")
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    config = DIBRConfig(
        size=32,
        channels=(4, 8),
        hidden=16,
        features=16,
        subdivisions=2,
        texture_size=16,
        camera=True,
        crop=True,
    )
    path = tmp_path_factory.mktemp("weights") / "net.safetensors"
    save_predictor(DIBRPredictor(config), path)
    return path


@pytest.fixture
def run(weights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(report, "FRAMES", 2)
    monkeypatch.setattr(report, "VIEW", 32)
    monkeypatch.setattr(report, "CELL", 32)
    monkeypatch.setattr(cli_progress, "LINE_EVERY", math.inf)

    def run(*arguments):
        usual = [
            "--views",
            "1",
            "-o",
            f"{tmp_path / 'out'}",
            "--device",
            "cpu",
        ]  # of two, the last counts
        code = main(["predict", *usual, "--predictor", f"{weights}", *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_a_picture_becomes_a_folder(run, folder, tmp_path):
    code, out, err = run(folder / "box.png")
    assert (code, err) == (0, "")
    assert "1 of 1 pictures predicted" in out
    assert "mask IoU" in out
    assert (tmp_path / "out" / "box" / "object.glb").is_file()
    assert (tmp_path / "out" / "box" / "sheet.png").is_file()


def test_bad_pictures_are_named_and_counted_and_the_others_done(run, folder, tmp_path):
    code, out, err = run(folder, "--batch", "2", "--animation", "none")
    assert code == 2
    assert "2 of 3 pictures predicted" in out
    assert "left out" in err
    assert "empty.png: no object stands out" in err
    assert "1 of 3 pictures could not be used: empty.png" in err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"box", "plain"}


def test_masks_come_from_a_file_or_a_folder(run, folder, picture, tmp_path):
    save_picture(picture[..., 3], tmp_path / "masks" / "plain.jpg")
    assert run(folder / "plain.png", "--mask", tmp_path / "masks" / "plain.jpg")[0] == 0
    assert run(folder / "plain.png", "--mask", tmp_path / "masks")[0] == 0
    code, _, err = run(folder / "box.png", folder / "plain.png", "--mask", tmp_path / "masks")
    assert code == 2
    assert "no mask of its name" in err
    code, _, err = run(folder / "box.png", folder / "plain.png", "--mask", tmp_path / "masks" / "plain.jpg")
    assert code == 2
    assert "--mask must be a folder for 2 pictures" in err


def test_refining_and_relighting(run, folder, tmp_path):
    assert run(folder / "box.png", "--refine", "2")[0] == 0
    light = tmp_path / "out" / "box" / "light.json"
    camera = tmp_path / "out" / "box" / "camera.json"
    assert run(folder / "box.png", "--lights", light, "--cameras", camera)[0] == 0


def test_a_method_or_a_file(run, folder):
    code, _, err = run(folder / "box.png", "--method", "dvr")  # beside the usual --predictor
    assert code == 2
    assert "give --method or --predictor, not both, got dvr and" in err


def test_the_method_is_that_of_the_package(folder, tmp_path, capsys):
    options = ["--views", "1", "--animation", "none", "--device", "cpu", "--method", "dvr"]
    assert main(["predict", f"{folder / 'box.png'}", "-o", f"{tmp_path / 'out'}", *options]) == 0
    assert "1 of 1 pictures predicted" in capsys.readouterr().out
    assert (tmp_path / "out" / "box" / "object.glb").is_file()
    light = json.loads((tmp_path / "out" / "box" / "light.json").read_text())
    assert light["kind"] == "none"  # it stays in the colours


@pytest.mark.parametrize("option", ["--batch", "--refine", "--views"])
def test_options_out_of_range(run, folder, option):
    code, _, err = run(folder / "box.png", option, "-1")
    assert code == 2
    assert f"{option} must be at least" in err


def test_names_are_distinct(tmp_path):
    for name in ("a/x.png", "b/x.png", "b/x.jpg", "c/x.jpg"):
        save_picture(torch.zeros(2, 2, 3), tmp_path / name)
    found = picture_files((tmp_path / "a", tmp_path / "b", tmp_path / "c" / "x.jpg"))
    assert [name for _, name in found] == ["x", "x.jpg", "x.png", "x-2"]
    (tmp_path / "d").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        picture_files((tmp_path / "d",))
    with pytest.raises(InputError, match="at least one"):
        picture_files(())
