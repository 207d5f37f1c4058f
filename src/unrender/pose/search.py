"""The search: score many starts, then optimise fewer and fewer of them in larger and larger pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from ..geometry import Mesh
from .compare import discrepancy, drawn, renderer_for, sharp
from .options import RendererName, Round
from .placement import Frame, Placements
from .starts import AT_ONCE
from .symmetry import rotation_error
from .target import Target

LAST_STEP = 0.1  # length of the last step in first ones
APART = 10.0  # degrees between two poses that count as different
_BETAS = (0.8, 0.95)


@torch.no_grad()
def scores(mesh: Mesh, poses: Placements, frame: Frame, target: Target) -> Tensor:
    """Discrepancy of sharp renders, shape (N,)."""
    batch = max(1, AT_ONCE // target.size**2)
    parts = []
    for i in range(0, len(poses), batch):
        camera = poses[i : i + batch].camera(frame, target.size)
        parts.append(discrepancy(*sharp(mesh, camera, color=target.color is not None), target))
    return torch.cat(parts)


def distinct(poses: Placements, score: Tensor, keep: int) -> Tensor:
    """Indices of the best poses, best first, of which no two are within 10 degrees: at most ``keep``."""
    order = score.argsort()
    rotations = poses.rotation[order]
    near = rotation_error(rotations[:, None], rotations) < APART
    chosen: list[int] = []
    for i in range(len(order)):
        if len(chosen) == keep:
            break
        if not any(bool(near[i, j]) for j in chosen):
            chosen.append(i)
    return order[chosen]


def optimise(
    mesh: Mesh,
    poses: Placements,
    frame: Frame,
    target: Target,
    how: Round,
    *,
    renderer: RendererName,
    free: Tensor,
) -> Iterator[tuple[Placements, float]]:
    """Adam on all poses at once, each on its own, while blur, softness and steps shrink.

    Args:
        mesh: in the unit ball.
        poses: N of them.
        frame: the target's window.
        target: the target.
        how: steps and schedules.
        renderer: what draws.
        free: which of the seven degrees of freedom move, 1 or 0, shape (7,).

    Yields:
        The poses after each step, and the least of their discrepancies before it.
    """
    first = mesh.vertices.new_zeros(len(poses), len(free))
    second = torch.zeros_like(first)
    for step in range(how.steps):
        share = step / max(1, how.steps - 1)
        blur, softness = (_between(*ends, share) for ends in (how.blur, how.softness))
        move = torch.zeros_like(first).requires_grad_()
        camera = poses.moved(move).camera(frame, target.size)
        drawing = renderer_for(renderer, blur=blur, softness=softness)
        loss = discrepancy(*drawn(mesh, camera, drawing, color=target.color is not None), target)
        (gradient,) = torch.autograd.grad(loss.sum(), move)
        first = _BETAS[0] * first + (1 - _BETAS[0]) * gradient
        second = _BETAS[1] * second + (1 - _BETAS[1]) * gradient.square()
        mean, scale = first / (1 - _BETAS[0] ** (step + 1)), second / (1 - _BETAS[1] ** (step + 1))
        lr = _between(how.lr, how.lr * LAST_STEP, share)
        poses = poses.moved(-lr * free * mean / (scale.sqrt() + 1e-8))
        yield poses, float(loss.detach().min())


def _between(first: float, last: float, share: float) -> float:
    """From first to last in equal ratios."""
    return math.exp((1 - share) * math.log(first) + share * math.log(last))
