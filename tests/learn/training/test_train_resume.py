import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import toy_training
from toy_training import Toy, ToyConfig, losses, parameters, same, toy_options

from unrender import InputError
from unrender.learn.data.dataset import open_dataset
from unrender.learn.data.packed_views import PackedViews
from unrender.learn.training import train
from unrender.learn.training.batches import StepBatches

PROGRAM = Path(toy_training.__file__)


def start(data, out, options, *rest, launcher=(sys.executable,)):
    """The same training in another process."""
    command = [*launcher, f"{PROGRAM}", f"{data}", f"{out}", json.dumps(options), *rest]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("augment", [{}, {"flip": False, "color": 0.4}])
def test_resumed_training_has_the_same_bits(data, tmp_path, augment, monkeypatch):
    """Interrupted between steps by an error of the predictor; noise draws from the global generator."""
    options = {"steps": 8, "validate_every": 3, "augment": augment, "config": {"noise": 0.5}}
    train(toy_options(data, tmp_path / "whole", **options))
    original = Toy.loss

    def failing(self, batch, progress):
        if progress >= 5 / 8:
            raise RuntimeError("power cut")
        return original(self, batch, progress)

    monkeypatch.setattr(Toy, "loss", failing)
    with pytest.raises(RuntimeError, match="power cut"):
        train(toy_options(data, tmp_path / "cut", **options))
    monkeypatch.setattr(Toy, "loss", original)
    assert torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["state"]["step"] == 5
    result = train(toy_options(data, tmp_path / "cut", **options), resume=True)
    assert same(parameters(tmp_path / "cut"), parameters(tmp_path / "whole"))
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    again = train(toy_options(data, tmp_path / "cut", **options), resume=True)  # nothing is left to do
    assert again.scores == result.scores
    assert (again.predictor, again.shares) == (result.predictor, {})


@pytest.mark.slow
def test_killed_training_goes_on_with_the_same_bits(data, tmp_path):
    options = {"steps": 30, "augment": {}, "config": {"noise": 0.5}}
    train(toy_options(data, tmp_path / "whole", **options))
    process = start(data, tmp_path / "cut", options)
    checkpoint = tmp_path / "cut" / "last.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.is_file() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert process.stderr is not None
    process.stderr.close()
    assert 0 < torch.load(checkpoint, weights_only=True)["state"]["step"] < 30
    process = start(data, tmp_path / "cut", options, "resume")
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert same(parameters(tmp_path / "cut"), parameters(tmp_path / "whole"))


def test_losses_of_shares_average_to_that_of_the_batch(data, tmp_path):
    """What two processes see, in one: the mean of their losses and gradients is that of the whole batch."""
    packed = PackedViews.load(open_dataset(data))
    options = toy_options(data, tmp_path, augment={"color": 0.3})
    torch.manual_seed(0)
    toy = Toy(ToyConfig())

    def gradient(batch):
        loss = torch.stack(list(toy.loss(batch, 0.0).values())).sum()
        return loss, torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(toy.parameters()))])

    whole = gradient(StepBatches(packed, options)[2])
    shares = [gradient(StepBatches(packed, options, rank=rank, processes=2)[2]) for rank in range(2)]
    for one, first, second in zip(whole, *shares, strict=True):
        torch.testing.assert_close(one, (first + second) / 2, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_a_batch(data, tmp_path, processes):
    """The same losses and parameters as one process that has the whole batch, up to rounding."""
    options = {"steps": 3, "validate_every": 3, "augment": {}}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes))
    process = start(data, tmp_path / "many", options, launcher=(sys.executable, *torchrun))
    result = train(toy_options(data, tmp_path / "one", **options))
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    one, many = losses(tmp_path / "one"), losses(tmp_path / "many")
    assert many == pytest.approx(one, rel=1e-5)
    alone, shared = parameters(tmp_path / "one"), parameters(tmp_path / "many")
    for name, value in alone.items():
        torch.testing.assert_close(shared[name], value, rtol=1e-4, atol=1e-6)
    scores = json.loads((tmp_path / "many" / "training.json").read_text())["scores"]
    assert result.scores is not None
    assert scores[0]["mask_iou"] == pytest.approx(result.scores.mask_iou, abs=2e-3)


@pytest.mark.slow
def test_processes_share_a_batch_of_a_real_method(data, tmp_path):
    """DIB-R without batch normalisation, which on CPUs sees the batch of its process alone."""
    config = {"size": 32, "channels": [4, 8], "hidden": 8, "features": 8, "subdivisions": 1}
    config |= {"texture_size": 8, "batch_norm": False, "crop": True, "camera": True}
    options = {"method": "dibr", "config": config, "steps": 2, "validate_every": 0, "learning_rate": 1e-3}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    process = start(data, tmp_path / "many", options, launcher=(sys.executable, *torchrun))
    train(toy_options(data, tmp_path / "one", **options))
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert losses(tmp_path / "many") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)


def test_resume_refuses_what_does_not_fit(data, tmp_path):
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        train(toy_options(data, tmp_path), resume=True)
    train(toy_options(data, tmp_path, steps=1, validate_every=0))
    with pytest.raises(InputError, match="another training: steps was 1, now 12"):
        train(toy_options(data, tmp_path, validate_every=0), resume=True)
    other = toy_options(data, tmp_path, steps=1, validate_every=0, config={"hidden": 8})
    with pytest.raises(InputError, match="another training: config was"):
        train(other, resume=True)
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        train(toy_options(data, tmp_path, steps=1, validate_every=0), resume=True)


def test_request_to_stop_saves_between_steps(data, tmp_path, monkeypatch):
    """SIGTERM, as clusters send it before they take a machine away."""
    options = {"steps": 6, "validate_every": 3, "checkpoint_minutes": 60.0}
    train(toy_options(data, tmp_path / "whole", **options))
    original = Toy.loss

    def asked(self, batch, progress):
        if progress == 2 / 6:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, batch, progress)

    monkeypatch.setattr(Toy, "loss", asked)
    with pytest.raises(SystemExit, match="143"):
        train(toy_options(data, tmp_path / "cut", **options))
    monkeypatch.setattr(Toy, "loss", original)
    assert torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["state"]["step"] == 3
    train(toy_options(data, tmp_path / "cut", **options), resume=True)
    assert same(parameters(tmp_path / "cut"), parameters(tmp_path / "whole"))
