"""Fitting an implicit field to pictures from known cameras (Niemeyer et al. 2020, 4.2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, grid_sample

from ..errors import InputError
from ..implicit import CastOptions, GridField, OccupiedSpace, cast
from ..implicit.losses import FieldLossOptions, field_losses
from ..io import Views
from .field_rays import RaySampler
from .frame import to_unit_ball
from .hull import carve

HALF_SIDE = 0.55  # of the cube that the field is looked for in; the ball of the views has radius 1/2
HULL = 96  # points along each side of the visual hull's grid
TOLERANCE = 0.12  # of the hull (:func:`unrender.fit.hull.visual_hull`)
REFRESH = 50  # steps between looks at where space is empty
SAMPLES = ((0.0, 32), (0.3, 64), (0.6, 128))  # along a ray, from shares of the steps on
DECAY_AT = (0.5, 0.8)  # shares of the steps at which the rate is halved


@dataclasses.dataclass(frozen=True, kw_only=True)
class FieldFitOptions:
    """How a field is fitted.

    Attributes:
        steps: of Adam.
        start_steps: before those, that teach the field the visual hull; 0 starts from a ball.
        rays: in a step, a multiple of 4.
        learning_rate: at the start.
        losses: their weights, by default those that the released code has for many views of one object (its
            settings say 0.1 for normals under a name that nothing reads), but ten times the weight of depth,
            on camera z as in the paper's model of many objects: there are fewer steps to learn it in.
        seed: of parameters and rays.

    Raises:
        InputError: ``rays`` is no positive multiple of 4.
    """

    steps: int = 2000
    start_steps: int = 300
    rays: int = 2048
    learning_rate: float = 5e-3
    losses: FieldLossOptions = dataclasses.field(default_factory=lambda: FieldLossOptions(gradient=1.0))
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rays < 4 or self.rays % 4:
            raise InputError(f"rays must be a positive multiple of 4, for squares of pixels, got {self.rays}")


class FieldFit:
    """A field on its way to the views, in whose frame their ball has radius 1/2.

    Random numbers of a step follow from seed and step, so that a fit that is resumed goes on the same.

    Args:
        views: in the frame of the field.
        options: how.

    Attributes:
        field: as it is now.
        step: steps that are done, of ``options.start_steps + options.steps``.
    """

    def __init__(self, views: Views, options: FieldFitOptions) -> None:
        self.options = options
        device = views.pictures.device
        with torch.random.fork_rng():
            torch.manual_seed(options.seed)
            self.field = GridField().to(device)
        # carve looks from -1 to 1, the field's cube from -HALF_SIDE to HALF_SIDE
        whole = to_unit_ball(views, torch.zeros(3).to(views.pictures), HALF_SIDE)
        self.hull = carve(whole, HULL, TOLERANCE)
        self.sampler = RaySampler(views, self.hull, HALF_SIDE)
        self.space = OccupiedSpace(HALF_SIDE, device=device)
        self.optimizer = torch.optim.Adam(self.field.parameters(), lr=options.learning_rate, eps=1e-15)
        self.step = 0

    @property
    def steps(self) -> int:
        """Of the whole fit."""
        return self.options.start_steps + self.options.steps

    def state(self) -> dict[str, Any]:
        """What :meth:`restore` goes on from."""
        return {
            "field": self.field.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "cells": self.space.cells,
            "step": self.step,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state of the same views and options."""
        self.field.load_state_dict(state["field"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.space.cells = state["cells"].to(self.space.cells.device)
        self.step = state["step"]

    def run(self, after_step: Callable[[float], None]) -> None:
        """Do the steps that are left.

        Args:
            after_step: called with the loss.
        """
        while self.step < self.steps:
            generator = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.step)
            late = self.step - self.options.start_steps
            share = late / max(1, self.options.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.learning_rate * 0.5 ** sum(share >= at for at in DECAY_AT)
            loss = self._hull_loss(generator) if late < 0 else self._ray_loss(late, share, generator)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.step += 1
            after_step(float(loss.detach()))

    def _hull_loss(self, generator: torch.Generator) -> Tensor:
        """How well the field tells the inside of the visual hull from the outside."""
        device = self.hull.device
        points = (2 * torch.rand(8192, 3, generator=generator).to(device) - 1) * HALF_SIDE
        wanted = grid_sample(self.sampler.hull, points[None, None, None] / HALF_SIDE, align_corners=True)
        logits, _ = self.field(points)
        return binary_cross_entropy_with_logits(logits, (wanted[0, 0, 0, 0] > 0.5).to(logits.dtype))

    def _ray_loss(self, late: int, share: float, generator: torch.Generator) -> Tensor:
        if late % REFRESH == 0:
            self.space.refresh(self.field)
        rays, targets, partial = self.sampler.draw(self.options.rays, generator)
        samples = max(count for start, count in SAMPLES if share >= start)
        options = CastOptions(samples=samples, half_side=HALF_SIDE)
        hits = cast(self.field, rays, options, space=self.space)
        targets = dataclasses.replace(targets, unsure=self.sampler.unsure(rays, hits, partial))
        noise = torch.Generator(rays.origins.device).manual_seed(self.options.seed * 1_000_003 + late)
        terms = field_losses(self.field, rays, hits, targets, self.options.losses, generator=noise)
        return torch.stack(list(terms.values())).sum()
