"""What an optimisation reports while it runs."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far an optimisation is, after one of its steps.

    Attributes:
        stage: what it does.
        loss: of this step; None where there is none, as while data is read.
        done: share of all steps, in [0, 1].
    """

    stage: str
    loss: float | None
    done: float
