import dataclasses
import json
from pathlib import Path

import pytest
import torch

from unrender.cli.evaluate import Evaluate, short_names
from unrender.cli.progress import counting
from unrender.errors import InputError
from unrender.evaluate import EvaluateOptions
from unrender.geometry import cube, icosphere
from unrender.learn.data import CaptureOptions, capture
from unrender.learn.data.tree_writer import write_object
from unrender.learn.methods.dibr import DIBRConfig
from unrender.learn.registry import make_predictor, save_predictor

DIBR = DIBRConfig(size=32, channels=(4, 8), hidden=16, features=16, subdivisions=1, texture_size=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data set of two categories, two objects a split, and two untrained predictors."""
    root = tmp_path_factory.mktemp("evaluate")
    options = CaptureOptions(size=32, views=3, voxels=16, points=500)
    for category, mesh in (("box", cube()), ("ball", icosphere(2))):
        for split in ("train", "val"):
            colored = mesh.replace(vertex_colors=(mesh.vertices + 1) / 2)
            write_object(
                capture(colored, f"{split}0", category, options), root / "data" / category / f"{split}0"
            )
            (root / "data" / category / f"softras_{split}.lst").write_text(f"{split}0\n")
    torch.manual_seed(0)
    for name in ("one", "two"):
        save_predictor(make_predictor("dibr", DIBR), root / f"{name}.safetensors")
    return root


def test_one_table_of_several_predictors(folder, tmp_path, capsys):
    one = f"{folder / 'one.safetensors'}"
    names = (one, "mean-shape", f"retrieval:{one}")
    out, tables = tmp_path / "new" / "report.json", tmp_path / "report.md"
    Evaluate(names, folder / "data", out, tables, points=300, seed=3, device="cpu").run()
    read = json.loads(out.read_text())
    assert [p["name"] for p in read["predictors"]] == ["one", "mean-shape", "retrieval:one"]
    first, floor, nearest = read["predictors"]
    # its only choices are the ball and the cube, which are also the truths
    assert nearest["method"] == "retrieval"
    assert {o["scores"]["iou"] for o in nearest["objects"]} & {1.0}
    assert first["method"] == "dibr"
    assert first["protocol"]["split"] == "val"
    assert first["protocol"]["data"] == f"{folder / 'data'}"
    assert (first["protocol"]["points"], first["protocol"]["seed"]) == (300, 3)
    assert {o["name"] for o in first["objects"]} == {"val0"}
    assert set(first["categories"]) == {"ball", "box"}
    assert {
        "iou",
        "chamfer_l1",
        "mask_iou",
        "psnr",
        "psnr_true_light",
        "light_angle",
        "light_angle_of_mean",
    } <= set(first["mean"])
    # the mean of ball and cube is a fair guess at both, and has no colours and no light of its own
    assert floor["mean"]["iou"] > 0.5
    assert {"psnr", "light_angle"}.isdisjoint(floor["mean"])
    assert "| mean-shape |" in tables.read_text()
    printed = capsys.readouterr().out
    assert "2 in 2 categories" in printed
    assert f"wrote         {tables}" in printed


def test_a_missing_training_set_leaves_its_means_out(folder, tmp_path, capsys):
    out = tmp_path / "report.json"
    data = tmp_path / "data"
    for category in ("ball",):
        (data / category).mkdir(parents=True)
        (data / category / "softras_val.lst").write_text("val0\n")
        (data / category / "val0").symlink_to(folder / "data" / category / "val0")
    Evaluate((f"{folder / 'one.safetensors'}",), data, out, points=100, device="cpu").run()
    assert "not compared with means" in capsys.readouterr().err
    mean = json.loads(out.read_text())["predictors"][0]["mean"]
    assert "light_angle" in mean
    assert {"light_angle_of_mean", "psnr_training_color"}.isdisjoint(mean)


def test_categories_and_views(folder, tmp_path):
    out = tmp_path / "report.json"
    name = f"{folder / 'one.safetensors'}"
    Evaluate((name,), folder / "data", out, categories=("box",), views=1, points=100, device="cpu").run()
    (report,) = json.loads(out.read_text())["predictors"]
    assert set(report["categories"]) == {"box"}
    assert report["protocol"]["categories"] == "box"
    assert report["protocol"]["views"] == 1


@pytest.mark.parametrize(
    ("predictors", "out", "message"),
    [
        ((), "report.json", "give at least one predictor"),
        (("mean-shape",), "report.txt", r"--out must end in \.json, got report\.txt"),
        (("gone.safetensors",), "report.json", "gone.safetensors does not exist"),
    ],
)
def test_wrong_input(folder, predictors, out, message):
    with pytest.raises(InputError, match=message):
        Evaluate(predictors, folder / "data", Path(out), device="cpu").run()


def test_options_are_those_of_the_package():
    ours = {field.name: field.default for field in dataclasses.fields(Evaluate)}
    for field in dataclasses.fields(EvaluateOptions):
        if field.name in ours:
            assert ours[field.name] == field.default
    assert {"views", "points", "thresholds", "seed"} <= set(ours)


def test_names_are_short_while_they_are_unique():
    assert short_names(["a/x.safetensors", "b/y.safetensors"]) == ["x", "y"]
    assert short_names(["a/x.safetensors", "b/x.safetensors"]) == ["a/x.safetensors", "b/x.safetensors"]


def test_progress_without_a_terminal_is_a_line_now_and_then(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    with counting() as begin:
        count = begin("one")
        count(1, 9)
        clock[0] = 11.0
        count(2, 9)
        clock[0] = 12.0
        count(3, 9)
    assert capsys.readouterr().err == "one: 2 of 9 objects\n"
