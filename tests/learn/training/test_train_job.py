import json
import signal

import pytest
import torch
from toy_training import Toy, ToyConfig, parameters, same, toy_options, write_boxes

from unrender import InputError
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.object_fits import ObjectFitOptions, fit_objects
from unrender.learn.registry import load_predictor, read_card
from unrender.learn.training import DivergenceError, train
from unrender.learn.training import module as training_module


def test_validation_rises_and_the_best_is_kept(data, tmp_path):
    seen = []
    result = train(toy_options(data, tmp_path, steps=40, validate_every=10), progress=seen.append)
    report = json.loads((tmp_path / "training.json").read_text())
    assert [row["step"] for row in report["scores"]] == [10, 20, 30, 40]
    untrained = train(toy_options(data, tmp_path / "0", steps=1, learning_rate=1e-9)).scores
    assert result.scores is not None
    assert untrained is not None
    assert result.scores.mask_iou > untrained.mask_iou + 0.03
    assert result.scores.best_by == max(row["best_by"] for row in report["scores"])
    assert result.scores.best_by == result.scores.mask_iou

    best = load_predictor(result.predictor)
    assert isinstance(best, Toy)
    assert read_card(result.predictor)["step"] == str(result.step)
    assert list((tmp_path / "board").iterdir())
    reading, steps = [p for p in seen if p.loss is None], [p for p in seen if p.loss is not None]
    assert [progress.stage for progress in reading] == ["reading"] * 6  # objects
    assert [round(40 * progress.done) for progress in steps] == list(range(1, 41))
    assert seen[-1].stage.startswith("IoU 0.")
    assert set(result.shares) == {"data", "network", "render", "backward", "update"}
    assert sum(result.shares.values()) == pytest.approx(1)
    assert result.step_seconds < result.seconds


SMALL = {"size": 32, "channels": (4, 8), "hidden": 8, "features": 8, "subdivisions": 1}


@pytest.mark.parametrize(
    ("method", "config"),
    [
        ("dibr", {**SMALL, "texture_size": 8, "crop": True, "camera": True, "smoothness": 3.0}),
        ("dibr", {**SMALL, "texture_size": 8, "adversarial_weight": 0.1}),
        ("softras", {**SMALL, "color_weight": 1.0}),
        ("nmr", SMALL),
        ("dvr", {"size": 32, "encoder": "conv", "channels": (4, 8), "hidden": 8, "width": 8, "rays": 16}),
        ("voxel", {"size": 32, "voxels": 32, "width": 1, "mask_size": 8, "samples": 8}),
    ],
)
def test_every_method_trains_and_predicts(data, tmp_path, method, config):
    options = {"steps": 2, "batch_size": 2, "validate_every": 2, "learning_rate": 1e-3, "clip_norm": 1.0}
    result = train(toy_options(data, tmp_path, method=method, config=config, **options))
    assert result.scores is not None
    assert 0 <= result.scores.mask_iou <= 1
    predictor = load_predictor(result.predictor)
    assert predictor.method == method
    assert predictor.crops == config.get("crop", False)
    prediction = predictor(torch.rand(2, 32, 32, 4))
    found = prediction.occupancy if prediction.mesh is None else prediction.mesh.vertices
    assert found is not None
    assert bool(found.isfinite().all())


def test_a_teacher_comes_first(data, tmp_path):
    views = PackedViews.load(open_dataset(data))
    fits = fit_objects(views, ObjectFitOptions(steps=2, subdivisions=1, texture_size=8, views=2))
    fits.save(tmp_path / "fits.safetensors")
    options = {"steps": 4, "batch_size": 2, "validate_every": 0, "augment": {"color": 0.2}}
    options |= {"teacher": (tmp_path / "fits.safetensors",), "teacher_share": 0.5}
    train(toy_options(data, tmp_path / "out", method="dibr", config={**SMALL, "texture_size": 8}, **options))
    rows = json.loads((tmp_path / "out" / "training.json").read_text())["losses"]
    assert ["shape" in row for row in rows] == [True, True, False, False]
    assert ["silhouette" in row for row in rows] == [False, False, True, True]
    with pytest.raises(InputError, match="a teacher is for method dibr, got nmr"):
        toy_options(data, tmp_path, method="nmr", config=SMALL, **options)


def test_a_training_starts_from_another_predictor(data, tmp_path):
    short = {"steps": 1, "batch_size": 2, "validate_every": 0}
    boxes = {"size": 32, "channels": (4, 8), "hidden": 8, "features": 8, "batch_norm": False}
    other = train(toy_options(data, tmp_path / "nmr", method="nmr", config=boxes, **short)).predictor
    dvr = {"method": "dvr", "config": {**boxes, "encoder": "conv", "width": 8, "rays": 16}}
    still = {**short, "learning_rate": 1e-9}
    wanted = load_predictor(other).get_submodule("encoder").state_dict()
    for start, out in ((other, tmp_path / "started"), (None, tmp_path / "random")):
        train(toy_options(data, out, start=start, **dvr, **still))
        found = load_predictor(out / "predictor.safetensors").get_submodule("encoder").state_dict()
        assert all(torch.allclose(found[name], wanted[name], atol=1e-6) for name in wanted) == bool(start)

    unlike = toy_options(
        data, tmp_path / "b", start=other, method="nmr", config={**boxes, "hidden": 9}, **short
    )
    with pytest.raises(InputError, match="has no part that is built like one of nmr as configured"):
        train(unlike)
    with pytest.raises(InputError, match=r"predictor file .*nowhere.safetensors does not exist"):
        train(toy_options(tmp_path / "no data", tmp_path / "c", start=tmp_path / "nowhere.safetensors"))


def test_a_folder_with_a_training_is_not_overwritten(data, tmp_path):
    train(toy_options(data, tmp_path, steps=1, validate_every=0))
    with pytest.raises(InputError, match="holds a training: resume it, remove it, or give another folder"):
        train(toy_options(data, tmp_path, steps=1, validate_every=0))


def test_without_validation_the_last_predictor_is_kept(data, tmp_path):
    result = train(toy_options(data, tmp_path, steps=2, validate_every=0))
    assert result.scores is None
    assert result.step == 2
    assert same(dict(load_predictor(result.predictor).state_dict()), parameters(tmp_path))


def test_the_global_generator_is_left_alone(data, tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    train(toy_options(data, tmp_path, steps=1, validate_every=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_learning_rate_follows_the_schedule(data, tmp_path):
    train(toy_options(data, tmp_path, steps=4, validate_every=0, schedule="step", decay_at=(0.5,)))
    rows = json.loads((tmp_path / "training.json").read_text())["losses"]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3])
    groups = torch.load(tmp_path / "last.pt", weights_only=True)["state"]["optimizer"]["param_groups"]
    assert groups[0]["lr"] == pytest.approx(1e-3)
    assert groups[0]["betas"] == (0.9, 0.999)


def test_one_step_is_adam_with_the_clipped_gradient(data, tmp_path, monkeypatch):
    """Adam's first step has length lr in each coordinate, but for its epsilon, whatever the gradient."""
    found = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(weights, longest):
        start = [weight.detach().clone() for weight in weights]
        before = float(clip(weights, longest))
        length = float(torch.cat([weight.grad.flatten() for weight in weights]).norm())
        found.append((before, length, start, weights))

    monkeypatch.setattr(training_module.torch.nn.utils, "clip_grad_norm_", spy)
    train(toy_options(data, tmp_path, steps=1, validate_every=0, clip_norm=1e-3))
    ((before, after, start, weights),) = found
    assert before > 1e-3
    assert after == pytest.approx(1e-3, rel=1e-3)
    moved = [weight.detach() - old for weight, old in zip(weights, start, strict=True)]
    for weight, move in zip(weights, moved, strict=True):
        certain = weight.grad.abs() > 1e-6  # far above Adam's epsilon
        expected = -1e-2 * weight.grad[certain].sign()
        torch.testing.assert_close(move[certain], expected, rtol=2e-2, atol=0)


def test_nan_loss_stops_and_leaves_the_checkpoint(data, tmp_path):
    with pytest.raises(DivergenceError, match="color is nan at step 2; try a lower --learning-rate"):
        train(toy_options(data, tmp_path, config={"broken_step": 2}))
    saved = torch.load(tmp_path / "last.pt", weights_only=True)["state"]
    assert saved["step"] == 2
    assert all(bool(value.isfinite().all()) for value in saved["predictor"].values())


def test_gradient_that_is_not_finite_stops(data, tmp_path, monkeypatch):
    """The square root of 0 has no gradient, though it has a value."""
    original = Toy.loss

    def broken(self, batch, progress):
        terms = original(self, batch, progress)
        if progress > 0:
            terms["mask"] = terms["mask"] + (0 * self.encoder[2].bias.sum()).sqrt()
        return terms

    monkeypatch.setattr(Toy, "loss", broken)
    with pytest.raises(DivergenceError, match=r"gradient of encoder\.2\.bias is not finite at step 1"):
        train(toy_options(data, tmp_path))


def test_interrupt_reaches_the_caller(data, tmp_path, monkeypatch):
    handler = signal.getsignal(signal.SIGINT)

    def stop(self, batch, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr(Toy, "loss", stop)
    with pytest.raises(KeyboardInterrupt):
        train(toy_options(data, tmp_path))
    assert signal.getsignal(signal.SIGINT) is handler


def test_lazy_training_is_the_same_and_counts_what_it_cannot_read(data, tmp_path):
    packed = train(toy_options(data, tmp_path / "packed", steps=3))
    lazy = train(toy_options(data, tmp_path / "lazy", steps=3, lazy=True))
    assert same(parameters(tmp_path / "lazy"), parameters(tmp_path / "packed"))
    assert lazy.skipped == packed.skipped == []

    broken = write_boxes(tmp_path / "broken")
    (broken / "box" / "box4" / "image" / "0000.png").unlink()
    with pytest.warns(UserWarning, match=r"left out: .*box4"):
        lazy = train(toy_options(broken, tmp_path / "holes", steps=3, lazy=True))
    assert lazy.skipped == ["box4 cannot be read"]
    packed = train(toy_options(broken, tmp_path / "few", steps=3))
    assert len(packed.skipped) == 1
    assert "box4" in packed.skipped[0]


def test_validation_on_other_data(data, tmp_path):
    other = write_boxes(tmp_path / "other", train=2, val=0)
    with pytest.raises(InputError, match=r"split val of .*other is empty: give --validation-data"):
        train(toy_options(data, tmp_path / "out", validation_data=(other,)))
    options = toy_options(data, tmp_path / "out", steps=1, validation_data=(other,), validation_split="train")
    assert train(options).scores is not None


def test_data_sets_are_mixed(data, tmp_path):
    other = write_boxes(tmp_path / "other", train=2, val=1)
    options = toy_options(data, tmp_path / "out", steps=1)
    options = type(options)(**{**vars(options), "data": (data, other), "config": ToyConfig()})
    result = train(options)
    assert read_card(result.predictor)["objects"] == "8"
