"""Views that no shape can be fitted to are refused before any work is done."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from ..io import Views


def check_pictures(views: Views) -> None:
    """Refuse views with numbers that are not finite, or with empty or full masks.

    Raises:
        InputError: some view is not usable; the message names it.
    """
    for name, values in (
        ("pictures", views.pictures),
        ("masks", views.masks),
        ("camera poses", views.cameras.world_to_camera),
        ("intrinsics", views.cameras.intrinsics),
    ):
        broken = ~torch.isfinite(values).flatten(1).all(1)
        if bool(broken.any()):
            raise InputError(f"{name} must be finite, got NaN or infinity in {named(views, broken)}")
    covered = (views.masks > 0.5).flatten(1)
    if bool((~covered).all(1).any()):
        empty = named(views, (~covered).all(1))
        raise InputError(
            f"masks must not be empty, got no object in {empty}; remove these views or mend the masks"
        )
    if bool(covered.all(1).any()):
        full = named(views, covered.all(1))
        raise InputError(
            f"masks must leave some background, got none in {full}; pictures need masks or an alpha channel"
        )


def named(views: Views, which: Tensor) -> str:
    """Names of the views where ``which`` (N,) is true, the first five of them."""
    names = [views.names[i] for i in which.nonzero().flatten().tolist()]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
