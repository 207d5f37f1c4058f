"""The examples, each in a short form."""

import importlib.util
import itertools
import sys
from pathlib import Path

import pytest
import torch

from unrender import load_picture

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def example(name: str):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_soften(tmp_path):
    out = tmp_path / "soften.png"
    sheet = example("soften").main(["--size", "40", "--out", str(out)])
    assert load_picture(out).shape == sheet.shape
    cell = 40 + 4
    tiles = sheet[2 : 2 + 4 * cell, 2 : 2 + 4 * cell].view(4, cell, 4, cell, 3).transpose(1, 2)
    shown = (tiles < 0.98).any(-1).float().mean((-2, -1))  # share of each picture that is not white
    assert (shown[1:] > shown[:-1]).all()  # a larger sigma spreads the outline
    # a larger gamma mixes what is near with what is behind it
    assert (tiles[0, 0] - tiles[0, 3]).abs().max() > 0.2


def test_compare_gradients(tmp_path):
    out = tmp_path / "gradients.png"
    module = example("compare_gradients")
    pulls = module.main(["--size", "48", "--out", str(out)])
    assert load_picture(out).ndim == 3
    hidden = module.own_hidden()
    for found in pulls.values():
        for pull in found.values():
            assert pull.mean(0)[0] > 0  # every renderer pulls the disc to where it should go
    far = {name: found["rgb"][1:][hidden].norm(dim=-1) for name, found in pulls.items()}
    # colour reaches what the bar hides in SoftRas, and in DIB-R does not
    assert (far["SoftRas"] > 0.1).all()
    assert (far["DIBR"] < 1e-6).sum() > 2


def test_relight(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frames = example("relight").main(["--frames", "4", "--size", "32", "--out", "relight.gif"])
    assert frames.shape == (8, 32, 32, 3)
    assert (tmp_path / "relight.gif").is_file()
    assert load_picture(tmp_path / "relight.png").ndim == 3
    object_turns, light_turns = frames[:4], frames[4:]
    for part in (object_turns, light_turns):
        assert all(not torch.equal(a, b) for a, b in itertools.pairwise(part))
    covered = light_turns.amin(-1) < 0.99
    assert (covered == covered[0]).float().mean() > 0.98  # the object stands still while its light moves


def test_deform_airplane(tmp_path, shared_data, capsys):
    result = example("deform_airplane").main(
        ["--steps", "2", "--data", str(shared_data / "airplane"), "--out", str(tmp_path)]
    )
    assert result.iou > result.start_iou
    assert result.mesh.num_vertices == 1352
    assert {p.name for p in tmp_path.iterdir()} == {"airplane.glb", "airplane.png"}
    assert "mean IoU over 120 views" in capsys.readouterr().out


def test_deform_airplane_without_data(tmp_path, capsys):
    with pytest.raises(SystemExit):
        example("deform_airplane").main(["--data", str(tmp_path / "nothing")])
    assert "give one with source.npy and camera.npy" in capsys.readouterr().err
