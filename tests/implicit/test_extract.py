import math

import pytest
import torch
from fields import Ball, constant, shells
from trimesh import Trimesh

from unrender.errors import InputError
from unrender.fit import bake_texture
from unrender.geometry import icosphere
from unrender.implicit import (
    EmptyFieldError,
    ExtractOptions,
    GridField,
    OccupancyField,
    extract_mesh,
    refine_mesh,
)
from unrender.implicit.extract import grid_logits


@pytest.mark.parametrize("resolution", [32, 64, 128])
def test_mesh_of_a_ball(resolution):
    center = torch.tensor([0.05, -0.02, 0.03])
    ball = Ball(0.4, center)
    mesh = extract_mesh(ball, ExtractOptions(resolution=resolution))
    distance = (mesh.vertices - center).norm(dim=-1) - 0.4
    cell = 1.1 / resolution
    assert float(distance.abs().max()) < 0.3 * cell**2 / 0.4 + 1e-5
    found = Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    assert found.is_watertight
    assert found.volume == pytest.approx(
        4 / 3 * math.pi * 0.4**3, rel=3 * (cell / 0.4) ** 2
    )  # faces outwards
    assert mesh.vertex_colors is not None
    assert torch.allclose(mesh.vertex_colors, (mesh.vertices + 1) / 2, atol=1e-6)


def test_fine_grids_are_looked_at_near_the_surface_alone():
    ball = Ball()
    logits = grid_logits(ball, ExtractOptions(resolution=128))
    assert ball.asked < 129**3 / 4
    axis = torch.linspace(-0.55, 0.55, 129)
    exact, _ = Ball()(torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1))
    assert torch.equal(logits > 0, exact > 0)
    near = exact.abs() < 10 * 1.1 / 128
    assert torch.allclose(logits[near], exact[near], atol=1e-5)


def test_every_surface_is_found():
    mesh = extract_mesh(shells, ExtractOptions(resolution=64))
    assert len(Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False).split()) == 3


def test_thin_bars_are_found_when_all_is_looked_at():
    def bar(points):  # thinner than the cells of a grid of 32, between two of its planes
        across = torch.stack([points[..., 0] - 0.017, points[..., 1] - 0.017], -1).abs().amax(-1)
        inside = torch.maximum(across - 0.012, points[..., 2].abs() - 0.4)
        return -50 * inside, torch.zeros_like(points)

    with pytest.raises(EmptyFieldError):
        extract_mesh(bar)
    mesh = extract_mesh(bar, ExtractOptions(coarsest=128))
    extent = mesh.vertices.amax(0) - mesh.vertices.amin(0)
    torch.testing.assert_close(extent, torch.tensor([0.024, 0.024, 0.8]), rtol=0, atol=0.01)
    with pytest.raises(InputError, match="resolution must be 48 times a power of two, got 128"):
        ExtractOptions(coarsest=48)
    with pytest.raises(InputError, match="coarsest must be at least 1, got 0"):
        ExtractOptions(coarsest=0)


def test_refined_vertices_lie_nearer():
    mesh = extract_mesh(Ball(), ExtractOptions(resolution=32))
    rough = mesh.replace(vertices=mesh.vertices + 2e-3 * torch.randn_like(mesh.vertices))
    fine = refine_mesh(Ball(), rough, steps=60, learning_rate=1e-4)
    before, after = ((m.vertices.norm(dim=-1) - 0.4).abs().mean() for m in (rough, fine))
    assert float(after) < 0.7 * float(before)


def test_a_step_of_refinement_asks_for_no_more_than_ten_thousand_faces():
    ball = Ball()
    mesh = extract_mesh(ball, ExtractOptions(resolution=64))
    assert mesh.num_faces > 15_000
    asked = []
    for steps in (10, 40):
        ball.asked = 0
        fine = refine_mesh(ball, mesh.replace(vertices=mesh.vertices * 1.01), steps=steps, learning_rate=1e-4)
        asked.append(ball.asked)
    assert asked[1] == 4 * asked[0]
    assert asked[0] <= 10 * 7 * 10_000  # points, and six beside each for its normal
    assert float((fine.vertices.norm(dim=-1) - 0.4).abs().mean()) < 0.7 * 0.004


@pytest.mark.slow
def test_the_finest_grid_of_the_paper():
    """512 cells a side and 30 steps of refinement, as for DTU."""
    ball = Ball()
    mesh = extract_mesh(ball, ExtractOptions(resolution=512, refine=30))
    assert mesh.num_faces > 1_000_000
    assert ball.asked < 513**3 / 10
    assert float((mesh.vertices.norm(dim=-1) - 0.4).abs().max()) < 1e-3  # no NaN either
    assert Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False).is_watertight


def test_colours_that_are_not_finite_are_refused():
    def broken(points):
        logits, colors = Ball()(points)
        return logits, torch.where(points[..., :1] > 0.39, math.nan, colors)

    with pytest.raises(InputError, match="the field must give finite colors"):
        extract_mesh(broken, ExtractOptions(resolution=32))
    with pytest.raises(InputError, match="the field must give finite colors"):
        bake_texture(broken, icosphere(2).replace(vertices=0.4 * icosphere(2).vertices), 64)


@pytest.mark.parametrize(("value", "state"), [(-3.0, "empty"), (3.0, "full")])
def test_fields_without_a_surface_are_refused(value, state):
    with pytest.raises(InputError, match=f"must have a surface, but it is {state}"):
        extract_mesh(constant(value))
    with pytest.raises(InputError, match="finite logits"):
        extract_mesh(constant(math.nan))
    with pytest.raises(InputError, match="32 times a power of two, got 48"):
        ExtractOptions(resolution=48)


def test_untrained_fields_are_balls():
    torch.manual_seed(0)
    for field in (OccupancyField(hidden=32), GridField()):
        mesh = extract_mesh(field, ExtractOptions(resolution=32))
        assert float((mesh.vertices.norm(dim=-1) - 0.3).abs().max()) < 0.08


def test_decoder_of_the_paper_has_its_weights():
    field = OccupancyField(latent=256)
    blocks = 5 * (2 * (512 * 512 + 512) + 256 * 512 + 512)
    assert sum(p.numel() for p in field.parameters()) == 3 * 512 + 512 + blocks + 512 * 4 + 4
    logit, color = field(torch.rand(2, 7, 3), torch.rand(2, 256))
    assert logit.shape == (2, 7)
    assert color.shape == (2, 7, 3)
    with pytest.raises(InputError, match="length 256, got 0"):
        field(torch.rand(7, 3))


def test_grid_fields_index_x_y_z():
    torch.manual_seed(0)
    field = GridField(resolutions=(3,), features=1, hidden=16)
    with torch.no_grad():
        field.grids[0].zero_()
        field.grids[0][0, 0, 2, 1, 0] = 9.0  # x high, y in the middle, z low
    points = torch.tensor([[0.55, 0.0, -0.55], [-0.55, 0.0, 0.55], [0.0, 0.55, -0.55]])
    zero = torch.zeros(1, 3)
    base, _ = field(zero)
    logits = field(points)[0] - 10 * (0.3 - points.norm(dim=-1)) - (base - 3.0)
    logits = logits.detach()
    assert float(logits[0].abs()) > 1e-4
    assert torch.allclose(logits[1:], torch.zeros(2), atol=1e-5)
