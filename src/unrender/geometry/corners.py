"""Vertices to face corners and back: a linear pair of maps whose gradients are the same bits on every run."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def gather_corners(values: Tensor, faces: Tensor) -> Tensor:
    """The values at the corners of every face: ``values[..., faces, :]``.

    The gradient is :func:`scatter_corners`, so it is summed in a fixed order on every device, where
    torch's own indexing adds with atomics on CUDA. Any index table of K columns will do, such as edges.

    Args:
        values: one row a vertex, shape (..., V, C).
        faces: vertex indices, shape (F, K).

    Returns:
        Shape (..., F, K, C).

    Raises:
        InputError: a shape is wrong.
    """
    if values.ndim < 2:
        raise InputError(f"values must have shape (..., V, C), got {tuple(values.shape)}")
    _require_table(faces)
    return _Gather.apply(values, faces)


def scatter_corners(values: Tensor, faces: Tensor, num_vertices: int) -> Tensor:
    """Sum the values at face corners into their vertices: the adjoint of :func:`gather_corners`.

    Args:
        values: one row a corner, shape (..., F, K, C).
        faces: vertex indices, shape (F, K).
        num_vertices: V.

    Returns:
        Shape (..., V, C); zero for a vertex that no face names.

    Raises:
        InputError: a shape is wrong.
    """
    _require_table(faces)
    if values.ndim < 3 or values.shape[-3:-1] != faces.shape:
        rule = f"values must have shape (..., {faces.shape[0]}, {faces.shape[1]}, C)"
        raise InputError(f"{rule}, got {tuple(values.shape)}")
    return _Scatter.apply(values, faces, num_vertices)


def gather_rows(values: Tensor, indices: Tensor) -> Tensor:
    """The rows of ``values`` that ``indices`` names, with indices of their own for every batch element.

    Args:
        values: shape (..., V, C).
        indices: integers below V, shape (..., N), with the batch dimensions of ``values``.

    Returns:
        Shape (..., N, C).

    Raises:
        InputError: the batch dimensions differ.
    """
    if values.shape[:-2] != indices.shape[:-1]:
        raise InputError(
            f"indices must have the batch dimensions of values {tuple(values.shape[:-2])}, "
            f"got shape {tuple(indices.shape)}"
        )
    count, channels = values.shape[-2:]
    batch = math.prod(values.shape[:-2])
    starts = torch.arange(batch, device=indices.device)[:, None] * count
    rows = (indices.long().reshape(batch, indices.shape[-1]) + starts).reshape(-1, 1)
    return gather_corners(values.reshape(batch * count, channels), rows).reshape(*indices.shape, channels)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, faces: Tensor) -> Tensor:
        *batch, _, channels = values.shape
        return values.index_select(-2, faces.reshape(-1)).reshape(*batch, *faces.shape, channels)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        values, faces = inputs
        ctx.save_for_backward(faces)
        ctx.num_vertices = values.shape[-2]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (faces,) = ctx.saved_tensors
        return _Scatter.apply(grad_outputs[0], faces, ctx.num_vertices), None


class _Scatter(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, faces: Tensor, num_vertices: int) -> Tensor:
        *batch, _, _, channels = values.shape
        if values.numel() == 0:
            return values.new_zeros(*batch, num_vertices, channels)
        rows = values.reshape(-1, faces.numel(), channels)
        targets = faces.reshape(-1).long()
        total = _sum_sorted if rows.is_cuda else _sum_in_order
        return total(rows, targets, num_vertices).reshape(*batch, num_vertices, channels)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (faces,) = ctx.saved_tensors
        return _Gather.apply(grad_outputs[0], faces), None, None


def _sum_in_order(rows: Tensor, targets: Tensor, count: int) -> Tensor:
    """(B, N, C) rows summed into (B, count, C); torch's CPU kernel adds each sum in one thread, in order."""
    batch, _, channels = rows.shape
    return rows.new_zeros(batch, count, channels).scatter_add_(
        1, targets[None, :, None].expand_as(rows), rows
    )


def _sum_sorted(rows: Tensor, targets: Tensor, count: int) -> Tensor:
    """The same without atomics, for CUDA: rows sorted stably by target, then one serial sum a segment."""
    batch, length, channels = rows.shape
    targets, order = torch.sort(targets, stable=True)
    offsets = torch.searchsorted(targets, torch.arange(count + 1, device=targets.device))
    columns = rows.transpose(0, 1).reshape(length, batch * channels).index_select(0, order)
    sums = torch.segment_reduce(columns, "sum", offsets=offsets, axis=0, unsafe=True)
    return sums.reshape(count, batch, channels).transpose(0, 1)


def _require_table(faces: Tensor) -> None:
    if faces.ndim != 2:
        raise InputError(f"faces must have shape (F, K), got {tuple(faces.shape)}")
