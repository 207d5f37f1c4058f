"""Gradient descent on shapes that moves vertices together instead of one by one."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from ..geometry import uniform_laplacian


class SmoothAdam:
    """Adam on u = (I + smoothness L) v, the method of Nicolet, Jacobson and Jakob ("Large Steps in Inverse
    Rendering of Geometry", SIGGRAPH Asia 2021), with L the row-normalised Laplacian.

    Each step solves (I + smoothness L) x = b twice by Chebyshev iteration, which needs nothing but sparse
    products and so runs on every device. As in the paper, one second moment serves all coordinates, which
    keeps the direction of the smoothed gradient.

    Args:
        vertices: the vertices, shape (V, 3); stepped in place.
        faces: shape (F, 3).
        lr: length of a step [world units]; may be changed between steps.
        smoothness: how far along the surface a gradient spreads, about its root in edges.
    """

    _ITERATIONS = 16
    _BETAS = (0.9, 0.999)

    def __init__(self, vertices: Tensor, faces: Tensor, *, lr: float, smoothness: float = 20.0) -> None:
        self.vertices = vertices
        self.lr = lr
        self.smoothness = smoothness
        laplacian = uniform_laplacian(faces, vertices.shape[0]).to(vertices.dtype)
        with warnings.catch_warnings():  # torch calls CSR matrices beta; their product is faster
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
            self.laplacian = laplacian.to_sparse_csr()
            self.transposed = laplacian.t().coalesce().to_sparse_csr()
        self.first = torch.zeros_like(vertices)
        self.second = 0.0
        self.steps = 0

    def step(self) -> None:
        """Move the vertices down their gradient, ``vertices.grad``, and clear it."""
        gradient = self.vertices.grad
        assert gradient is not None
        with torch.no_grad():
            smooth = self._solve(self.transposed, gradient)
            self.steps += 1
            b1, b2 = self._BETAS
            self.first = b1 * self.first + (1 - b1) * smooth
            self.second = b2 * self.second + (1 - b2) * float(smooth.square().max())
            scale = (self.second / (1 - b2**self.steps)) ** 0.5 + 1e-30
            move = self.first / ((1 - b1**self.steps) * scale)
            self.vertices -= self.lr * self._solve(self.laplacian, move)
        self.vertices.grad = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint needs to go on from here."""
        return {"first": self.first, "second": self.second, "steps": self.steps}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint's state."""
        self.first, self.second, self.steps = state["first"], state["second"], state["steps"]

    def _solve(self, laplacian: Tensor, right: Tensor) -> Tensor:
        # the eigenvalues of I + s L lie between 1 and 1 + 2 s
        middle, half = 1 + self.smoothness, self.smoothness
        rho = half / middle
        residual, solution = right, torch.zeros_like(right)
        move = residual / middle
        for _ in range(self._ITERATIONS):
            solution = solution + move
            residual = residual - move - self.smoothness * (laplacian @ move)
            following = 1 / (2 * middle / half - rho)
            move = following * rho * move + (2 * following / half) * residual
            rho = following
        return solution
