"""TensorBoard's files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor


class Board:
    """Numbers and pictures over the steps, for TensorBoard.

    Args:
        folder: where to; None shows nothing, as in all processes but the first.
        start: what an earlier run has written for this step and later ones is hidden.
    """

    def __init__(self, folder: Path | None, *, start: int) -> None:
        self._writer = None
        if folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(folder), purge_step=start or None)

    def numbers(self, group: str, values: Mapping[str, float], step: int) -> None:
        """Show numbers."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(f"{group}/{name}", value, step)

    def picture(self, name: str, picture: Tensor, step: int) -> None:
        """Show a picture in [0, 1], shape (H, W, 3)."""
        if self._writer is not None:
            self._writer.add_image(name, picture, step, dataformats="HWC")
            self._writer.flush()

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()
