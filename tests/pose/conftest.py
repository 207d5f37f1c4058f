import pytest
import torch

from unrender.geometry import Mesh, merge


@pytest.fixture(scope="session")
def bracket() -> Mesh:
    """Three arms of different lengths and colours, which look like themselves from nowhere else."""
    from unrender.geometry import cube

    parts = []
    for size, at, color in (
        ((2.0, 0.5, 0.5), (0.75, 0.0, 0.0), (0.9, 0.2, 0.1)),
        ((0.5, 1.4, 0.5), (0.0, 0.7, 0.0), (0.2, 0.8, 0.2)),
        ((0.4, 0.3, 0.9), (0.0, -0.05, 0.6), (0.2, 0.3, 0.9)),
    ):
        box = cube(size=1.0)
        vertices = box.vertices * torch.tensor(size) + torch.tensor(at)
        colors = torch.tensor(color).expand(box.num_vertices, 3)
        parts.append(Mesh(vertices, box.faces, vertex_colors=colors))
    return merge(parts)
