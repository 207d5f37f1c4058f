import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from soups import Soup, make_soup, mix, nasty_triangles

from unrender.errors import InputError
from unrender.render.raster.grid import Grid
from unrender.render.raster.zbuffer import rasterize

PERSPECTIVE = pytest.mark.parametrize("perspective", [False, True], ids=["screen", "perspective"])
BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


def draw(soup: Soup, **options):
    return rasterize(soup.triangles, soup.starts, soup.grid, **options)


def gradients(soup: Soup, **options):
    """Index, weights, depth, and the gradient of a random linear function of weights and depth."""
    triangles = soup.triangles.detach().clone().requires_grad_()
    index, weights, depth = rasterize(triangles, soup.starts, soup.grid, **options)
    generator = torch.Generator().manual_seed(1)
    rates = torch.rand(*soup.shape, 4, generator=generator).to(triangles)
    loss = (weights * rates[..., :3]).sum() + (depth * rates[..., 3]).sum()
    (grad,) = torch.autograd.grad(loss, triangles)
    return index, weights.detach(), depth.detach(), grad


def loop(soup: Soup, perspective: bool, eps: float):
    """The z-buffer by definition, pixel by pixel and triangle by triangle, in float64."""
    grid = soup.grid
    index = np.full(soup.shape, -1)
    weights, depth = np.zeros((*soup.shape, 3)), np.zeros(soup.shape)
    triangles, starts = soup.triangles.double().cpu().numpy(), soup.starts.tolist()
    for image, row, column in np.ndindex(*soup.shape):
        p = np.array([grid.step_x * (2 * column + 1 - grid.width), grid.step_y * (2 * row + 1 - grid.height)])
        nearest = math.inf
        for t in range(starts[image], starts[image + 1]):
            corners, z = triangles[t, :, :2], triangles[t, :, 2]
            if not ((corners.min(0) <= p) & (p < corners.max(0))).all():
                continue
            u, v, to_p = corners[1] - corners[0], corners[2] - corners[0], p - corners[0]
            area = u[0] * v[1] - u[1] * v[0]
            area += math.copysign(eps, area)
            b1 = (to_p[0] * v[1] - to_p[1] * v[0]) / area
            b2 = (u[0] * to_p[1] - u[1] * to_p[0]) / area
            b = np.array([1 - b1 - b2, b1, b2])
            if (b < 0).any():
                continue
            w = b / z / (b / z).sum() if perspective else b
            if w @ z < nearest:
                nearest = w @ z
                index[image, row, column], weights[image, row, column] = t, w
                depth[image, row, column] = nearest
    return index, weights, depth


@PERSPECTIVE
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_warp_agrees_with_the_reference(soup, perspective, eps):
    valid = torch.arange(soup.triangles.shape[0], device=soup.triangles.device) % 7 != 3
    options = {"perspective": perspective, "eps": eps, "valid": valid}
    index, weights, depth, grad = gradients(soup, backend="warp", **options)
    exact = gradients(soup.to(torch.float64), backend="torch", **options)
    assert index.dtype == exact[0].dtype == torch.int32
    assert (index >= 0).float().mean() > 0.2
    assert torch.equal(index, exact[0])
    torch.testing.assert_close(weights.double(), exact[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(depth.double(), exact[2], atol=0, rtol=1e-5)
    torch.testing.assert_close(grad.double(), exact[3], atol=1e-4 * float(exact[3].abs().max()), rtol=1e-3)
    assert (grad[~valid] == 0).all()


@PERSPECTIVE
@BACKENDS
def test_against_a_loop_over_pixels(small_soup, perspective, backend):
    soup = small_soup if backend == "torch" else small_soup.to(torch.float32)
    index, weights, depth = draw(soup, perspective=perspective, eps=0.0, backend=backend)
    expected = loop(soup, perspective, 0.0)
    assert (expected[0] >= 0).sum() > 10
    np.testing.assert_array_equal(index.cpu(), expected[0])
    np.testing.assert_allclose(weights.cpu(), expected[1], atol=1e-5)
    np.testing.assert_allclose(depth.cpu(), expected[2], atol=1e-5)


@PERSPECTIVE
def test_gradients_by_finite_differences(small_soup, perspective):
    triangles = small_soup.triangles.requires_grad_()

    def mixed(t):
        options = {"perspective": perspective, "eps": 0.1, "backend": "torch"}
        _, weights, depth = rasterize(t, small_soup.starts, small_soup.grid, **options)
        assert (depth > 0).sum() > 10
        return mix(weights), mix(depth)

    assert torch.autograd.gradcheck(mixed, (triangles,))


@PERSPECTIVE
def test_the_same_bits_in_every_run(device, perspective):
    soup = make_soup(device, (300, 400), height=90, width=130)
    threads = torch.get_num_threads()
    try:
        runs = []
        for count in (1, 2, 2, 3):
            torch.set_num_threads(count)
            runs.append(gradients(soup, perspective=perspective, backend="warp"))
    finally:
        torch.set_num_threads(threads)
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


@BACKENDS
def test_of_equally_near_triangles_the_first_wins(device, backend):
    soup = make_soup(device, (20,), height=20, width=20)
    once = draw(soup, backend=backend)
    twice = Soup(torch.cat([soup.triangles, soup.triangles]), soup.starts * 2, soup.grid)
    assert (once[0] >= 0).any()
    assert all(torch.equal(a, b) for a, b in zip(once, draw(twice, backend=backend), strict=True))


def grid_mesh(offset_x: float, offset_y: float, slant: float, device) -> torch.Tensor:
    """A plane of 2 * 36 triangles over more than 24 x 24 pixels, its inner corners moved about."""
    generator = torch.Generator().manual_seed(7)
    lines = torch.linspace(-15, 15, 7, dtype=torch.float64)
    y, x = torch.meshgrid(lines, lines, indexing="ij")
    jitter = torch.round(torch.rand(2, 7, 7, generator=generator, dtype=torch.float64) * 6 - 3) / 2
    jitter[:, [0, -1]] = 0
    jitter[:, :, [0, -1]] = 0
    x, y = x + jitter[0] + slant * y + offset_x, y + jitter[1] + offset_y
    points = torch.stack([x, y, torch.ones_like(x)], -1).reshape(-1, 3).float()
    corner = torch.arange(49).view(7, 7)
    a, b, c, d = (corner[i : i + 6, j : j + 6].reshape(-1) for i, j in ((0, 0), (0, 1), (1, 1), (1, 0)))
    faces = torch.cat([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)])
    return points[faces].to(device)


@BACKENDS
@pytest.mark.parametrize("slant", [0.0, 0.1, 1 / 3])
def test_neighbours_leave_no_hole(device, backend, slant):
    # halves, quarters and eighths put corners and edges on pixel centres, the rest almost
    offsets = [0.0, 0.25, 0.5, 0.125, 1e-7, 0.5 - 1e-7, 1 / 3, 0.1]
    pairs = [(a, b) for a in offsets for b in offsets]
    meshes = torch.cat([grid_mesh(a, b, slant, device) for a, b in pairs])
    starts = torch.arange(len(pairs) + 1, device=device) * 72
    grid = Grid(len(pairs), 20, 20)
    index, weights, _ = rasterize(meshes, starts, grid, backend=backend)
    assert (index >= 0).all()
    # the owner holds the pixel: float64 edge functions of float32 corners are exact
    xs, ys = grid.centres(torch.float64, device)
    centre = torch.stack([xs.expand(20, -1), ys[:, None].expand(-1, 20)], -1)
    corners = meshes.double()[index.long(), :, :2] - centre[:, :, None]
    x, y = corners.unbind(-1)
    edges = x.roll(-1, -1) * y.roll(-2, -1) - y.roll(-1, -1) * x.roll(-2, -1)
    # a corner minus the centre is rounded in float32, so a pixel may lie outside by as much
    assert (edges >= -1e-4).all() or (edges <= 1e-4).all()
    back = (weights[..., None] * corners).sum(-2)
    torch.testing.assert_close(back, torch.zeros_like(back), atol=1e-4, rtol=0)


@BACKENDS
def test_pixels_on_a_border(device, backend):
    # pixel centres of a 6 x 6 picture lie at -2.5, ..., 2.5
    square = [[-1.5, -1.5, 1.0], [1.5, -1.5, 1.0], [1.5, 1.5, 1.0], [-1.5, 1.5, 1.0]]
    triangles = torch.tensor(
        [[square[0], square[1], square[2]], [square[0], square[2], square[3]]], device=device
    )
    index, *_ = rasterize(triangles, torch.tensor([0, 2], device=device), Grid(1, 6, 6), backend=backend)
    expected = torch.full((6, 6), -1)
    expected[1:4, 1:4] = torch.tensor([[0, 0, 0], [1, 0, 0], [1, 1, 0]])  # lower borders belong, upper do not
    assert index[0].tolist() == expected.tolist()


@BACKENDS
@PERSPECTIVE
@settings(deadline=None, max_examples=40, database=None)
@given(triangles=nasty_triangles())
def test_nothing_is_ever_nan(device, backend, perspective, triangles):
    starts = torch.tensor([0, triangles.shape[0]], device=device)
    soup = Soup(triangles.to(device), starts, Grid(1, 7, 9))
    index, weights, depth, grad = gradients(soup, perspective=perspective, backend=backend)
    covered = index >= 0
    assert weights.isfinite().all()
    assert depth.isfinite().all()
    assert grad.isfinite().all()
    torch.testing.assert_close(weights.sum(-1), covered.to(weights.dtype), atol=1e-4, rtol=0)
    assert (weights >= 0).all()
    assert (depth[covered] > 0).all()
    drawn = soup.triangles[index[covered].long()]
    assert drawn[..., :2].isfinite().all()


@BACKENDS
@pytest.mark.parametrize("images", [0, 1, 2])
def test_nothing_to_draw(device, backend, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    soup = Soup(torch.zeros(0, 3, 3, device=device), starts, Grid(images, 4, 5))
    index, weights, depth, grad = gradients(soup, backend=backend)
    assert index.shape == depth.shape == (images, 4, 5)
    assert weights.shape == (images, 4, 5, 3)
    assert grad.shape == (0, 3, 3)
    assert (index == -1).all()
    assert (depth == 0).all()


@BACKENDS
def test_off_screen_triangles_get_zero_gradients(device, backend):
    soup = make_soup(device, (5,))
    away = Soup(soup.triangles + torch.tensor([200.0, 0.0, 0.0], device=device), soup.starts, soup.grid)
    index, _, _, grad = gradients(away, backend=backend)
    assert (index == -1).all()
    assert (grad == 0).all()


def test_passes_opcheck(soup):
    arguments = (soup.triangles, soup.starts, None, 21, 37, soup.grid.step_x, soup.grid.step_y, True, 0.0)
    torch.library.opcheck(torch.ops.unrender.zbuffer.default, arguments)
    index, weights, depth = torch.ops.unrender.zbuffer(*arguments)
    arguments = (
        weights,
        depth,
        soup.triangles,
        soup.starts,
        index,
        soup.grid.step_x,
        soup.grid.step_y,
        True,
        0.0,
    )
    torch.library.opcheck(torch.ops.unrender.zbuffer_backward.default, arguments)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_compiles_without_graph_breaks(device):
    soup = make_soup(device)

    def loss(triangles):
        _, weights, depth = rasterize(triangles, soup.starts, soup.grid)
        return (weights[..., 0] * depth).sum()

    grads = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        triangles = soup.triangles.clone().requires_grad_()
        function(triangles).backward()
        grads.append(triangles.grad)
    assert grads[0].abs().max() > 0
    assert torch.equal(*grads)


def test_second_derivatives_are_refused_not_wrong(device):
    soup = make_soup(device)
    triangles = soup.triangles.requires_grad_()
    depth = rasterize(triangles, soup.starts, soup.grid, backend="warp")[2]
    (grad,) = torch.autograd.grad((depth**2).sum(), triangles, create_graph=True)
    with pytest.raises(RuntimeError):
        torch.autograd.grad((grad**2).sum(), triangles)


def test_wrong_input_is_refused(device):
    soup = make_soup(device)
    with pytest.raises(InputError, match=r"triangles must have shape \(T, 3, 3\), got \(75, 9\)"):
        rasterize(soup.triangles.view(-1, 9), soup.starts, soup.grid)
    with pytest.raises(InputError, match=r"image_starts must have shape \(4,\), got \(3,\)"):
        rasterize(soup.triangles, soup.starts[1:], soup.grid)
    with pytest.raises(InputError, match=r"backend must be .* got 'cuda'"):
        draw(soup, backend="cuda")
    with pytest.raises(InputError, match=r"'warp' takes float32 .* got torch.float64"):
        draw(soup.to(torch.float64), backend="warp")
