"""The Soft Rasterizer on thin, tiny and many triangles, and with only some gradients asked for."""

import pytest
import torch
from soups import make_soup

from unrender.render.raster.grid import Grid
from unrender.render.raster.softras import (
    SoftRas,
    aggregate,
    aggregate_textures,
    contributions,
    silhouette,
)
from unrender.render.raster.zbuffer import rasterize

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


@BACKENDS
def test_slivers_cover_nothing_beyond_their_ends(device, backend):
    """On their line the edge functions are 0 but for rounding, which must not put a pixel inside."""
    count = 2000
    start = torch.randint(-6, 6, (count, 2)) + 0.5
    along = torch.randint(-3, 4, (count, 2)).float()
    noise = (torch.rand(count, 2) - 0.5) * 10 ** (-8 + 3 * torch.rand(count, 1))
    corners = [start, start + along, start + along * torch.rand(count, 1) + noise]
    xy = torch.stack(corners, 1).to(device)
    triangles = torch.cat([xy, torch.full_like(xy[..., :1], 2.0)], -1)
    grid = Grid(count, 16, 16)
    how = SoftRas(blur=2.0).aggregation(grid, 0.1)
    alpha = silhouette(triangles, torch.arange(count + 1, device=device), grid, how, backend=backend)
    xs, ys = grid.centres(torch.float32, device)
    low, high = xy.amin(1)[..., None] - 1e-3, xy.amax(1)[..., None] + 1e-3
    across = (xs >= low[:, 0]) & (xs <= high[:, 0])
    down = (ys >= low[:, 1]) & (ys <= high[:, 1])
    beyond = ~(down[:, :, None] & across[:, None, :])
    assert alpha[beyond].max() <= 0.5


@BACKENDS
def test_a_face_without_area_covers_half_of_its_line(device, backend):
    triangles = torch.tensor([[[-3.5, 0.5, 2], [3.5, 0.5, 2], [0.5, 0.5, 2]]], device=device)
    starts, grid = torch.tensor([0, 1], device=device), Grid(1, 16, 16)
    how = SoftRas(blur=2.0).aggregation(grid, 0.1)
    alpha = silhouette(triangles, starts, grid, how, backend=backend)[0, :, 8]
    y = torch.arange(16) - 8.0  # from the line
    expected = torch.sigmoid(-(y**2) / 4)
    torch.testing.assert_close(alpha.cpu(), torch.where(expected < 1e-4, 0, expected))
    corners = torch.ones(1, 3, 1, device=device)
    values, background = aggregate(triangles, starts, corners, grid, how, backend=backend)
    assert (values == 0).all()
    assert (background == 1).all()


@BACKENDS
@pytest.mark.parametrize("distance", ["euclidean", "barycentric"])
def test_tiny_and_thin_faces_have_finite_gradients(device, distance, backend):
    images = 1000
    count = 3 * images
    centre = (torch.rand(count, 1, 2) - 0.5) * 9
    centre = torch.where(torch.rand(count, 1, 1) < 0.5, (centre * 2).round() / 2, centre)
    xy = (torch.rand(count, 3, 2) - 0.5) * 10 ** (-8 + 10 * torch.rand(count, 1, 1))
    thin = 10 ** (-12 * torch.rand(count, 1) * (torch.rand(count, 1) < 0.7))
    a, b, c = xy.unbind(1)
    c = a + (b - a) * 2 * torch.rand(count, 1) + (c - a) * thin
    z = torch.where(torch.rand(count, 1, 1) < 0.1, 10 ** (8 * torch.rand(count, 3, 1)), 2.0)
    triangles = torch.cat([centre + torch.stack([a, b, c], 1), z], -1).to(device).requires_grad_()
    starts, grid = torch.arange(images + 1, device=device) * 3, Grid(images, 9, 9)
    how = SoftRas(sigma_ndc=0.05, gamma=1e-3, distance=distance).aggregation(grid, 0.1)
    corners = torch.rand(count, 3, 2, device=device).requires_grad_()
    place = {"backend": backend}
    listed = contributions(triangles, starts, grid, how, **place)
    outputs = [
        silhouette(triangles, starts, grid, how, **place),
        *aggregate(triangles, starts, corners, grid, how, **place),
        listed.weights,
        listed.barycentrics,
    ]
    for output in outputs:
        assert output.isfinite().all()
        loss = (output * torch.rand_like(output)).sum()
        (grad,) = torch.autograd.grad(loss, triangles, retain_graph=True)  # outputs share a graph
        assert grad.isfinite().all()


@BACKENDS
def test_gradients_of_many_contributions_repeat(device, backend):
    """So many pairs that torch would split their sums over threads."""
    soup = make_soup(device, (100, 120), height=120, width=160, largest=25.0)
    how = SoftRas(sigma_ndc=1e-2, gamma=3e-2, far=10.0).aggregation(soup.grid, 0.1)
    threads = torch.get_num_threads()
    grads = []
    try:
        for count in (1, 2, 2, 3):
            torch.set_num_threads(count)
            triangles = soup.triangles.clone().requires_grad_()
            listed = contributions(triangles, soup.starts, soup.grid, how, backend=backend)
            assert len(listed.pixel) > 2e5
            loss = (listed.weights[:, None] * listed.barycentrics**2).sum() + listed.background.sum()
            grads += torch.autograd.grad(loss, triangles)
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(grads[0], again) for again in grads[1:])


@BACKENDS
@pytest.mark.parametrize("function", [aggregate, aggregate_textures])
def test_gradients_asked_for_alone(soup, function, backend):
    how = SoftRas(sigma_ndc=1e-2, gamma=1e-2, far=10.0).aggregation(soup.grid, 0.1)
    shape = (3, 2) if function is aggregate else (3, 3, 2)
    table = torch.rand(len(soup.triangles), *shape, device=soup.triangles.device)

    def grads(*asked):
        inputs = {"triangles": soup.triangles.clone(), "table": table.clone()}
        asked = [inputs[name].requires_grad_() for name in asked]
        outputs = function(inputs["triangles"], soup.starts, inputs["table"], soup.grid, how, backend=backend)
        return torch.autograd.grad(outputs[0].square().sum() + outputs[1].sum(), asked)

    both = grads("triangles", "table")
    assert all(g.abs().max() > 0 for g in both)
    assert torch.equal(grads("triangles")[0], both[0])
    assert torch.equal(grads("table")[0], both[1])


@BACKENDS
@pytest.mark.parametrize("color", ["softmax", "hard"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_surface_textures_are_small_triangles(device, size, color, backend):
    """Every texel is where a triangle drawn on its own would be."""
    face = torch.tensor([[-20.0, -13, 2], [18, -9, 2], [-4, 16, 2]], device=device)
    parts = torch.zeros(size * size, 3, 3, device=device)
    for x in range(size):
        for y in range(size - x):
            below = torch.tensor([[x, y], [x + 1, y], [x, y + 1]])
            above = torch.tensor([[x + 1, y + 1], [x, y + 1], [x + 1, y]])
            for cell, texel in ((below, y * size + x), (above, (size - 1 - y) * size + size - 1 - x)):
                if cell.sum(1).max() <= size:
                    w = cell.to(face) / size
                    parts[texel] = torch.cat([w, 1 - w.sum(1, keepdim=True)], 1) @ face
    grid = Grid(1, 40, 50)
    part, _, _ = rasterize(parts, torch.tensor([0, len(parts)], device=device), grid)
    textures = torch.arange(1.0, size * size + 1, device=device).view(1, size, size, 1)
    # so sharp that the face has its whole weight on all pixels in it
    how = SoftRas(blur=1e-3, color=color).aggregation(grid, 0.1)
    values, _ = aggregate_textures(
        face[None], torch.tensor([0, 1], device=device), textures, grid, how, backend=backend
    )
    inside = part >= 0
    assert inside.sum() > 400
    torch.testing.assert_close(values[..., 0][inside], (part + 1)[inside].float())


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_textures_compile_without_graph_breaks(device):
    soup = make_soup(device, (10, 12))
    how = SoftRas(sigma_ndc=1e-2).aggregation(soup.grid, 0.1)

    def loss(triangles, textures):
        values, background = aggregate_textures(triangles, soup.starts, textures, soup.grid, how)
        return values.square().sum() + background.sum()

    textures = torch.rand(22, 2, 2, 3, device=device).requires_grad_()
    functions = (loss, torch.compile(loss, fullgraph=True, backend="aot_eager"))
    grads = [torch.autograd.grad(function(soup.triangles, textures), textures)[0] for function in functions]
    assert grads[0].abs().max() > 0
    assert torch.equal(*grads)
