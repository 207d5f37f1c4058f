"""Comparison of pictures."""

from torch import Tensor

from ....errors import InputError

__all__ = ["mask_iou"]


def mask_iou(lhs_mask: Tensor, rhs_mask: Tensor) -> Tensor:
    """One minus the mean intersection over union of soft masks: a loss, whatever the name says.

    For each pair, IoU = sum(a b) / sum(a + b - a b).

    Args:
        lhs_mask: values in [0, 1], shape (B, H, W).
        rhs_mask: the same.

    Returns:
        The loss, a scalar.

    Raises:
        InputError: the masks are not (B, H, W), or differ in shape.
    """
    if lhs_mask.ndim != 3 or lhs_mask.shape != rhs_mask.shape:
        raise InputError(
            f"masks must both have shape (B, H, W), got {tuple(lhs_mask.shape)} and {tuple(rhs_mask.shape)}"
        )
    product = lhs_mask * rhs_mask
    intersection = product.sum(dim=(1, 2))
    union = (lhs_mask + rhs_mask - product).sum(dim=(1, 2))
    return 1.0 - (intersection / (union + 1e-10)).mean()
