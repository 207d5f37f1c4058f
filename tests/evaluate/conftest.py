from collections.abc import Callable

import pytest
import torch

from unrender.geometry import Mesh, icosphere
from unrender.learn.data import CaptureOptions, ObjectViews, capture


@pytest.fixture(scope="session")
def ellipsoid() -> Mesh:
    """0.5 x 1 x 0.7, coloured by position, without mirror symmetry in its colours."""
    ball = icosphere(3, radius=0.5)
    colors = 0.2 + 0.6 * (ball.vertices + 0.5) * torch.tensor([1.0, 0.5, 1.0])
    return Mesh(ball.vertices * torch.tensor([0.5, 1.0, 0.7]), ball.faces, vertex_colors=colors)


@pytest.fixture(scope="session")
def make_object(ellipsoid) -> Callable[..., ObjectViews]:
    """Pictures of a mesh, the ellipsoid unless another is given."""

    def make(name: str = "egg", category: str = "food", mesh: Mesh | None = None, **options) -> ObjectViews:
        settings = CaptureOptions(**{"size": 32, "views": 5, "voxels": 16, "points": 3000, **options})
        return capture(ellipsoid if mesh is None else mesh, name, category, settings)

    return make


@pytest.fixture(scope="session")
def egg(make_object) -> ObjectViews:
    return make_object()
