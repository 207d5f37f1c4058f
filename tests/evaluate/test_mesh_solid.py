import pytest
import torch
import trimesh

from unrender.evaluate import mesh_solid
from unrender.geometry import winding_number


def test_a_box_of_cells_lies_where_its_cells_are():
    filled = torch.zeros(16, 16, 16)
    filled[2:9, 4:6, 0:16] = 1  # up to the border of the grid
    mesh = mesh_solid(filled)
    assert mesh is not None
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    # cell i reaches from (i - 8) / 15 to (i + 1 - 8) / 15
    assert low.tolist() == pytest.approx([-6 / 15, -4 / 15, -8 / 15])
    assert high.tolist() == pytest.approx([1 / 15, -2 / 15, 8 / 15])
    closed = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy())
    assert closed.is_watertight
    assert closed.volume == pytest.approx(7 * 2 * 16 / 15**3, rel=0.1)  # faces look outwards, edges are cut


def test_it_winds_round_the_middles_of_the_filled_cells(egg):
    mesh = mesh_solid(egg.voxels)
    assert mesh is not None
    axis = (torch.arange(16) + 0.5 - 8) / 15
    middles = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1).view(-1, 3)
    inside = winding_number(middles, mesh.vertices, mesh.faces) > 0.5
    assert torch.equal(inside.view(16, 16, 16), egg.voxels)


def test_nothing_and_the_level():
    values = torch.zeros(8, 8, 8)
    assert mesh_solid(values) is None
    values[2:5, 2:5, 2:5] = 0.4
    assert mesh_solid(values) is None
    assert mesh_solid(values, level=0.3) is not None
