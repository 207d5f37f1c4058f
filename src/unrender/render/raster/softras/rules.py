"""An aggregation on its way to the kernels: plain numbers for torch operators, a struct for Warp."""

from __future__ import annotations

from typing import Any

from . import kernels
from .renderer import Aggregation

_DISTANCES = ("euclidean", "barycentric", "hard")
_ALPHAS = ("prod", "sum", "hard")


def flatten(how: Aggregation, channels: int = 0, side: int = 0) -> tuple[list[int], list[float]]:
    """Plain numbers; ``channels`` and ``side`` tell how the table of colours is laid out."""
    choices = [
        _DISTANCES.index(how.distance),
        _ALPHAS.index(how.alpha),
        int(how.perspective),
        int(how.interpolation_gradient),
        channels,
        side,
    ]
    return choices, [how.sigma, how.cutoff, how.reach, how.rate, how.behind, how.near, how.far]


def rules_of(choices: list[int], numbers: list[float]) -> Any:
    """The same as the struct that kernels take, a ``kernels.Rules``."""
    rules = kernels.Rules()
    rules.distance, rules.alpha, rules.perspective, rules.through_weights = choices[:4]
    rules.channels, rules.side = choices[4:]
    rules.sigma, rules.cutoff, rules.reach, rules.rate, rules.behind, rules.near, rules.far = numbers
    return rules
