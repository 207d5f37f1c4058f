import dataclasses
import math
from pathlib import Path

import pytest

from unrender import InputError
from unrender.learn.methods.nmr import NMRConfig
from unrender.learn.training import TrainOptions, recipe_options
from unrender.learn.training.recipes import PAPERS

PLACE, OUT = [Path("data")], Path("out")


def options(**changes):
    return TrainOptions(**{"method": "nmr", "data": ("data",), "out": "out", "steps": 100, **changes})


def test_schedules():
    assert options().rate_factor(99) == 1
    steps = options(schedule="step", decay_at=(0.6, 0.9), decay=0.3)
    assert [steps.rate_factor(s) for s in (0, 59, 60, 89, 90)] == pytest.approx([1, 1, 0.3, 0.3, 0.09])
    cosine = options(schedule="cosine")
    assert [cosine.rate_factor(s) for s in (0, 50, 75)] == pytest.approx([1, 0.5, (1 - math.sqrt(0.5)) / 2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": ()}, "data must name at least one"),
        ({"method": "magic"}, "method must be one of"),
        ({"method": "dibr", "config": NMRConfig()}, "config of dibr must be a DIBRConfig, got NMRConfig"),
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"validation_objects": 0}, "validation_objects must be at least 1"),
        ({"learning_rate": math.nan}, "learning_rate must be positive and finite, got nan"),
        ({"clip_norm": 0.0}, "clip_norm must be positive"),
        ({"schedule": "linear"}, "schedule must be one of constant, step, cosine"),
        ({"schedule": "step"}, "decay_at must give shares"),
        ({"decay_at": (0.5,)}, "decay_at must give shares"),
        ({"schedule": "step", "decay_at": (1.5,)}, "decay_at must give shares"),
        ({"precision": "bf16"}, "bf16 needs a GPU"),
        ({"device": "tpu"}, "device must be cpu, cuda or cuda:NUMBER, got tpu"),
        ({"checkpoint_minutes": -1.0}, "checkpoint_minutes must not be negative"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(InputError, match=message):
        options(**changes)


def test_paper_recipes_have_the_published_numbers():
    """Learning rates at published iterations: papers.md 2.1 to 2.3."""
    rates = {
        "nmr": {0: 1e-4, 949_999: 1e-4, 950_000: 1e-5},
        "softras": {149_999: 1e-4, 150_000: 3e-5},
        "dibr": {399_999: 1e-4, 400_000: 5e-5},
        "voxel": {0: 1e-4},
        "dvr": {351_135: 1e-4, 351_137: 5e-5, 468_181: 5e-5, 468_182: 2.5e-5},
    }
    totals = {"nmr": 1_000_000, "softras": 250_000, "dibr": 470_000, "voxel": 250_000, "dvr": 515_000}
    assert set(PAPERS) == set(rates)
    for method, expected in rates.items():
        recipe = recipe_options("paper", method, PLACE, OUT)
        assert (recipe.method, recipe.batch_size, recipe.views) == (method, 64, 2)
        assert recipe.steps == totals[method]
        for step, rate in expected.items():
            assert recipe.learning_rate * recipe.rate_factor(step) == pytest.approx(rate)


def test_recipes_can_be_changed():
    quick = recipe_options("quick", "softras", PLACE, OUT, steps=7, seed=2)
    assert (quick.method, quick.steps, quick.seed) == ("softras", 7, 2)
    assert quick.schedule == "cosine"
    paper = recipe_options("paper", "nmr", PLACE, OUT, config=NMRConfig(size=32))
    assert dataclasses.asdict(paper.config)["size"] == 32
    with pytest.raises(InputError, match="recipe must be paper or quick, got 'slow'"):
        recipe_options("slow", "nmr", PLACE, OUT)
    with pytest.raises(InputError, match=r"method must be one of nmr, .*, dvr, got 'retrieval'"):
        recipe_options("paper", "retrieval", PLACE, OUT)
