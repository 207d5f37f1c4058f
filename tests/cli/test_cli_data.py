import json
import re

import pytest
import torch

from unrender.cli import main
from unrender.cli.data import describe_report, parse_machine
from unrender.errors import InputError
from unrender.geometry import cube
from unrender.io import save_mesh
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.rendering import RenderingReport
from unrender.learn.object_fits import ObjectFits


@pytest.fixture
def meshes(tmp_path):
    """A manifest of a red and a broken box."""
    box = cube().replace(vertex_colors=torch.tensor([1.0, 0.0, 0.0]).expand(8, 3))
    save_mesh(box, tmp_path / "meshes" / "box" / "red.ply")
    (tmp_path / "meshes" / "box" / "broken.ply").write_text("ply\n")
    manifest = {
        "train": [{"file": "box/red.ply", "category": "box", "creator": "Ann", "license": "CC0"}],
        "val": [{"file": "box/broken.ply", "category": "box"}],
    }
    (tmp_path / "meshes" / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path / "meshes"


def run(capsys, *words: object) -> tuple[int, str, str]:
    code = main(["data", "render", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_render(capsys, meshes, tmp_path):
    out = tmp_path / "set"
    code, text, errors = run(
        capsys, meshes, "-o", out, "--size", 64, "--views", 2, "--light", "none", "--workers", 1
    )
    assert code == 0
    assert text == f"wrote  {out}\n"
    assert "1 objects rendered, 0 were there already" in errors
    assert "1 broken meshes left out" in errors
    assert re.search(r"box/broken: .*broken.ply is not a readable", errors)
    dataset = open_dataset(out)
    assert (dataset.names, dataset.categories) == (["red"], ["box"])
    views = dataset[0]
    assert views.pictures.shape == (2, 64, 64, 4)
    seen = views.pictures[views.pictures[..., 3] == 255][:, :3]
    assert (seen == torch.tensor([255, 0, 0], dtype=torch.uint8)).all()
    record = json.loads((out / "box" / "red" / "done.json").read_text())
    assert (record["creator"], record["license"]) == ("Ann", "CC0")
    assert (
        "1 were there already"
        in run(capsys, meshes, "-o", out, "--size", 64, "--views", 2, "--light", "none", "--workers", 1)[2]
    )


def test_fit(capsys, meshes, tmp_path):
    run(capsys, meshes, "-o", tmp_path / "set", "--size", 64, "--views", 4, "--workers", 1)
    out = tmp_path / "fits.safetensors"
    words = ["data", "fit", f"{tmp_path / 'set'}", "-o", f"{out}", "--crop", "32", "--steps", "2"]
    assert main([*words, "--texture-size", "8"]) == 0
    assert capsys.readouterr().out == f"wrote  {out}, 1 objects\n"
    fits = ObjectFits.load(out)
    assert fits.names == ["red"]
    assert fits.textures.shape == (1, 8, 16, 3)
    assert fits.lights.shape == (1, 4, 9, 3)
    assert main(["data", "fit", f"{tmp_path / 'set'}", "-o", f"{tmp_path / 'fits.pt'}"]) == 2
    assert "--out must end in .safetensors" in capsys.readouterr().err


@pytest.mark.parametrize("format", ["npz", "shards"])
def test_formats(capsys, meshes, tmp_path, format):
    code, _, _ = run(
        capsys, meshes, "-o", tmp_path / "set", "--format", format, "--split", "train", "--workers", 1
    )
    assert code == 0
    dataset = open_dataset(tmp_path / "set")
    assert dataset.names == ["red"]
    assert dataset[0].pictures.shape == (24, 64, 64, 4)


def test_machines(capsys, meshes, tmp_path):
    words = [meshes, "-o", tmp_path / "set", "--views", 1, "--workers", 1]
    code, _, errors = run(capsys, *words, "--machine", "0/2")
    assert code == 0
    assert "the same command without --machine completes the set" in errors
    assert not (tmp_path / "set" / "metadata.yaml").exists()
    code, _, errors = run(capsys, *words)
    assert code == 0
    assert "0 objects rendered, 1 were there already" in errors
    assert (tmp_path / "set" / "metadata.yaml").exists()


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--size", "32"], "--size must be 64 to 256, got 32"),
        (["--size", "512"], "--size must be 64 to 256, got 512"),
        (["--machine", "2/2"], "--machine must be I/N with I from 0 to N - 1, got 2/2"),
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--views", "0"], "views must be at least 1, got 0"),
        (["--split", "test"], "none of the 2 meshes is in split test"),
        (["--format", "npz", "--cameras", "random"], "24 views of n3mr cameras"),
    ],
)
def test_wrong_options(capsys, meshes, tmp_path, words, rule):
    code, _, errors = run(capsys, meshes, "-o", tmp_path / "set", *words)
    assert code == 2
    assert errors.startswith("unrender: error:")
    assert rule in errors


def test_no_meshes(capsys, tmp_path):
    code, _, errors = run(capsys, "-o", tmp_path / "set")
    assert code == 2
    assert "give at least one place of meshes" in errors
    code, _, errors = run(capsys, tmp_path / "nowhere", "-o", tmp_path / "set")
    assert code == 2
    assert "nowhere does not exist" in errors


@pytest.mark.parametrize("text", ["", "1", "a/b", "-1/2", "1/2/3", "0/0", "1/1"])
def test_wrong_machines(text):
    with pytest.raises(InputError, match="--machine must be I/N"):
        parse_machine(text)


def test_long_reports_are_cut():
    skipped = {f"chair/{index}": "broken" for index in range(25)}
    lines = describe_report(RenderingReport(1, 2, skipped))
    assert lines[1] == "25 broken meshes left out:"
    assert lines[-1] == "  and 5 more"
    assert len(lines) == 2 + 20 + 1


def test_help_names_the_command(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--help"])
    assert "render" in capsys.readouterr().out
