"""Means over a training set: what a prediction that looks at nothing would be."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import torch
from torch import Tensor

from ..errors import InputError
from ..learn.data.packed_views import PackedViews
from ..learn.metrics import sphere_irradiance


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingMeans:
    """Of all constant predictions these have the smallest mean squared error.

    Attributes:
        color: mean over objects of the mean colour of their pictures, inside the masks, shape (3,).
        irradiance: mean over pictures of :func:`~unrender.learn.metrics.sphere_irradiance`, shape (P, 3);
            None if no light is known.
    """

    color: Tensor
    irradiance: Tensor | None


def training_means(parts: Iterable[PackedViews]) -> TrainingMeans:
    """The means over one or more sets; unknown lights and the kind ``none`` do not count.

    Raises:
        InputError: there is no object.
    """
    colors, irradiance = [], []
    for part in parts:
        colors.append(part.mean_colors(torch.arange(len(part))))
        known = [record for record in part.lights if record is not None and record.kind != "none"]
        irradiance += [sphere_irradiance(record) for record in known]
    if not colors:
        raise InputError("means of a training set need an object that can be read, got none")
    return TrainingMeans(torch.cat(colors).mean(0), torch.cat(irradiance).mean(0) if irradiance else None)
