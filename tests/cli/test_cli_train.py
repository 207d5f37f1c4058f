import json
import math
from pathlib import Path

import pytest
import torch

from unrender import cli
from unrender.cli import main
from unrender.cli import progress as cli_progress
from unrender.cli.train import Train, changed_config, describe_training
from unrender.geometry import Mesh, icosphere
from unrender.learn.data import CaptureOptions, capture
from unrender.learn.data.augment import AugmentOptions
from unrender.learn.data.tree_writer import write_object
from unrender.learn.methods.nmr import NMRConfig
from unrender.learn.registry import load_predictor
from unrender.learn.training import TrainResult
from unrender.learn.training import job as training_job
from unrender.learn.training.validation import Scores

SMALL = ("size=16", "channels=8,16", "hidden=32", "features=16", "subdivisions=1", "encoder=conv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three balls to train on and one to validate on, six views of 16 pixels each."""
    path = tmp_path_factory.mktemp("balls")
    for i in range(4):
        ball = icosphere(1)
        mesh = Mesh(ball.vertices * torch.tensor([1.0, 0.5 + 0.2 * i, 0.8]), ball.faces)
        options = CaptureOptions(size=16, views=6, light="none", points=5, samples=1)
        write_object(capture(mesh, f"ball{i}", "ball", options), path / "ball" / f"ball{i}")
    for split, names in {"train": "ball0\nball1\nball2\n", "val": "ball3\n", "test": ""}.items():
        (path / "ball" / f"softras_{split}.lst").write_text(names)
    return path


@pytest.fixture
def run(folder, tmp_path, capsys, monkeypatch):
    """Train with the smallest settings; gives exit code, stdout and stderr (without progress)."""
    monkeypatch.setattr(cli_progress, "LINE_EVERY", math.inf)
    monkeypatch.setitem(cli.COMMANDS, "train", Train)

    def run(*options: str, data=folder) -> tuple[int, str, str]:
        arguments = ["train", "--data", f"{data}", "-o", f"{tmp_path / 'out'}", "--device", "cpu", *options]
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_train_and_resume(run, tmp_path):
    options = ("--method", "nmr", "--steps", "4", "--batch-size", "2", "--set", *SMALL)
    options = (*options, "--validate-every", "2", "--checkpoint-minutes", "0")
    code, out, error = run(*options)
    assert (code, error) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in out.replace("trained in", "trained").splitlines())
    assert rows["wrote"] == f"{tmp_path / 'out' / 'predictor.safetensors'}"
    assert rows["validation"].startswith("3D IoU 0.")
    config = load_predictor(rows["wrote"]).config
    assert (config.channels, config.size, config.flatten_weight) == ((8, 16), 16, NMRConfig().flatten_weight)
    report = json.loads((tmp_path / "out" / "training.json").read_text())
    assert report["options"]["schedule"] == "cosine"
    assert report["options"]["augment"] == {"flip": True, "color": 0.0, "scale": 0.0}

    code, out, error = run(*options, "--resume")
    assert (code, error) == (0, "")
    assert "validation" in out
    code, _, error = run(*options)
    assert code == 2
    assert "holds a training: resume it, remove it, or give another folder" in error
    code, _, error = run(*options, "--resume", "--seed", "4")
    assert code == 2
    assert "belongs to another training: seed was 0, now 4" in error


def test_fields_are_trained(run, tmp_path):
    small = ("size=16", "channels=8,16", "hidden=32", "features=16", "width=16", "rays=16", "points=32")
    depth = ("depth-weight=10", "samples=4,8", "samples-at=0.5")
    options = ("--method", "dvr", "--steps", "4", "--batch-size", "2", "--validate-every", "2")
    code, out, error = run(*options, "--set", *small, *depth)
    assert (code, error) == (0, "")
    assert "3D IoU 0." in out
    predictor = load_predictor(tmp_path / "out" / "predictor.safetensors")
    assert predictor.method == "dvr"
    config = predictor.config
    assert (config.encoder, config.depth_weight, config.samples, config.samples_at) == (
        "conv",
        10,
        (4, 8),
        (0.5,),
    )


def test_options_replace_the_recipe():
    command = Train(
        (Path("a"), Path("b")),
        Path("out"),
        method="softras",
        recipe="paper",
        set=("sigma-ndc=3e-5", "batch_norm=False"),
        learning_rate=2e-4,
        color=0.2,
        start=Path("other.safetensors"),
    )
    options = command.options("cpu")
    assert options.start == Path("other.safetensors")
    assert options.data == (Path("a"), Path("b"))
    assert (options.steps, options.learning_rate, options.decay_at) == (250_000, 2e-4, (0.6,))
    assert (options.config.sigma_ndc, options.config.batch_norm) == (3e-5, False)
    assert options.augment == AugmentOptions(flip=False, color=0.2)
    assert Train((Path("a"),), Path("out"), flip="no").options("cpu").augment == AugmentOptions(flip=False)


def test_paper_settings_of_a_method_survive_other_settings():
    command = Train((Path("a"),), Path("out"), method="nmr", recipe="paper", set=("hidden=64",))
    config = command.options("cpu").config
    assert (config.flatten_weight, config.hidden) == (0.0, 64)


@pytest.mark.parametrize("setting", ["colour=1", "hidden"])
def test_unknown_settings(setting):
    with pytest.raises(ValueError, match=f"--set takes NAME=VALUE with a name of size, .*; got {setting}"):
        changed_config(NMRConfig(), (setting,))


def test_setting_of_the_wrong_type(capsys):
    with pytest.raises(SystemExit) as stop:
        changed_config(NMRConfig(), ("hidden=many",))
    assert stop.value.code == 2
    assert "--hidden" in capsys.readouterr().err


def test_wrong_input_is_one_line(run, tmp_path):
    code, out, error = run(data=tmp_path / "nowhere")
    assert (code, out) == (2, "")
    assert error.startswith("unrender: error: ")
    assert error.count("\n") == 1
    assert "nowhere" in error


def test_diverged_training_is_one_line(run):
    code, _, error = run("--method", "nmr", "--steps", "9", "--learning-rate", "1e30", "--set", *SMALL)
    assert code == 2
    assert "the training diverged: " in error
    assert error.count("\n") == 1


def test_interrupt_says_how_to_go_on(run, tmp_path, monkeypatch):
    options = ("--method", "nmr", "--steps", "2", "--batch-size", "2", "--set", *SMALL)
    assert run(*options)[0] == 0

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training_job, "training_views", stop)
    code, _, error = run(*options, "--resume")
    assert code == 130
    assert f"--resume goes on from {tmp_path / 'out' / 'last.pt'}" in error


def test_missing_package_is_one_line(run, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "tensorboard", None)
    code, _, error = run("--method", "nmr")
    assert code == 2
    assert "pip install 'unrender[train]'" in error
    assert error.count("\n") == 1


def test_table_of_a_training():
    options = Train((Path("a"),), Path("out")).options("cpu")
    shares = {"data": 0.25, "network": 0.75}
    result = TrainResult(Path("out/p"), 30, Scores(0.5, None), 61.2, shares, 0.1234, ["a is broken"])
    assert describe_training(result, options) == [
        ("validation", "mask IoU 0.500, after step 30 of 2000"),
        ("trained in", "1:01"),
        ("a step", "0.123 s: data 25%, network 75%"),
        ("left out", "1 objects: a is broken"),
        ("wrote", "out/p"),
    ]
