"""The edge scan against its rule, read pixel by pixel, and against gradients that its authors published."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from soups import Soup, make_soup, nasty_triangles

from unrender.errors import InputError
from unrender.render.raster.grid import Grid
from unrender.render.raster.nmr import NeuralMesh, scan_edges
from unrender.render.raster.zbuffer import rasterize

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


def draw(soup: Soup, channels: int):
    """Index picture, random flat colours with the last channel as alpha, and a random gradient."""
    generator = torch.Generator().manual_seed(channels)
    index, *_ = rasterize(soup.triangles, soup.starts, soup.grid)
    palette = torch.rand(soup.triangles.shape[0] + 1, channels, generator=generator, dtype=torch.float64)
    palette[-1] = 0.2
    pictures = palette.to(soup.triangles)[index.long()]
    if channels == 4:
        pictures[..., 3] = (index >= 0).to(pictures)
    grad = torch.rand(pictures.shape, generator=generator, dtype=torch.float64) - 0.5
    return index, pictures, grad.to(pictures)


def gradient(soup: Soup, index, pictures, grad, **options):
    triangles = soup.triangles.detach().clone().requires_grad_()
    scanned = scan_edges(pictures, triangles, soup.starts, index, soup.grid, **options)
    (result,) = torch.autograd.grad(scanned, triangles, grad)
    return result


def positive_difference(pictures, grad, pixel, other) -> float:
    return max(float(((pictures[pixel] - pictures[other]) * grad[pixel]).sum()), 0.0)


def by_the_rule(soup: Soup, index, pictures, grad, eps: float):
    """The gradient pixel by pixel: which edges can its row and its column move over it?"""
    grid = soup.grid
    index, pictures, grad = (t.double().cpu().numpy() for t in (index, pictures, grad))
    corners, starts = soup.triangles.double().cpu().numpy(), soup.starts.tolist()
    result = np.zeros_like(corners)
    size, step = (grid.width, grid.height), (grid.step_x, grid.step_y)
    places = (corners[..., :2] / step + np.array(size) - 1) / 2
    for image, row, column in np.ndindex(*index.shape):
        here = (column, row)
        for i, axis in itertools.product(range(starts[image], starts[image + 1]), (0, 1)):
            at, line, other = here[axis], here[1 - axis], 1 - axis

            def pixel_at(place, image=image, axis=axis, line=line):
                return (image, line, place) if axis == 0 else (image, place, line)

            for k in range(3):
                p0, p1, p2 = (places[i, (k + n) % 3] for n in range(3))
                low, high = sorted((p0[other], p1[other]))
                if low == high or not low <= line <= high:
                    continue
                t1 = (line - p0[other]) / (p1[other] - p0[other])
                cross = p0[axis] + t1 * (p1[axis] - p0[axis])
                # the third corner's side of the edge's line, read off that line at the height of the corner
                t2 = (p2[other] - p0[other]) / (p1[other] - p0[other])
                inside_is_above = p2[axis] > p0[axis] + t2 * (p1[axis] - p0[axis])
                inner = math.ceil(cross) if inside_is_above else math.floor(cross)
                outer = inner - 1 if inside_is_above else inner + 1
                if not (0 <= inner < size[axis] and 0 <= outer < size[axis]):
                    continue
                outside = at <= outer if inside_is_above else at >= outer
                if outside and index[pixel_at(inner)] == i:
                    g = positive_difference(pictures, grad, pixel_at(at), pixel_at(inner))
                elif not outside and index[pixel_at(at)] == i:
                    g = positive_difference(pictures, grad, pixel_at(at), pixel_at(outer))
                else:
                    continue
                # signed: towards smaller places where the pixel is below the edge
                sign = (1 if outside else -1) * (-1 if inside_is_above else 1) * np.sign(step[axis])
                distance = abs(at - cross) * abs(2 * step[axis])
                for corner, t in ((k, 1 - t1), ((k + 1) % 3, t1)):
                    if t > 0:
                        result[i, corner, axis] -= g / (sign * (distance / t + eps))
    return result


@BACKENDS
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("height", "width"), [(11, 17), (13, 6)])
@pytest.mark.parametrize("kaolin", [False, True])
def test_follows_the_rule_pixel_by_pixel(device, kaolin, height, width, channels, backend):
    soup = make_soup(device, (7, 0, 9), height=height, width=width, kaolin=kaolin, largest=8.0)
    index, pictures, grad = draw(soup, channels)
    eps = soup.pixels(0.01)
    expected = by_the_rule(soup, index, pictures, grad, eps)
    result = gradient(soup, index, pictures, grad, eps=eps, backend=backend)
    assert (np.abs(expected[..., :2]).max((1, 2)) > 0).sum() > 8
    np.testing.assert_allclose(result.cpu(), expected, rtol=2e-3, atol=1e-4 * np.abs(expected).max())
    assert (result[..., 2] == 0).all()


@pytest.mark.parametrize("channels", [1, 4])
def test_warp_agrees_with_the_reference(soup, channels):
    index, pictures, grad = draw(soup, channels)
    eps = soup.pixels(0.05)
    result = gradient(soup, index, pictures, grad, eps=eps, backend="warp")
    double = (pictures.double(), grad.double())
    exact = gradient(soup.to(torch.float64), index, *double, eps=eps, backend="torch")
    assert (exact[..., :2] != 0).float().mean() > 0.5
    torch.testing.assert_close(result.double(), exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))


def test_chunks_of_lines_change_nothing(device, monkeypatch):
    soup = make_soup(device, (20,))
    index, pictures, grad = draw(soup, 3)
    whole = gradient(soup, index, pictures, grad, eps=0.1, backend="torch")
    monkeypatch.setattr("unrender.render.raster.nmr.reference._CHUNK", 100)
    torch.testing.assert_close(gradient(soup, index, pictures, grad, eps=0.1, backend="torch"), whole)


def half_plane(device, *, flip=False) -> tuple[Soup, torch.Tensor]:
    """Triangle 0 covers what lies left of x = -1 in one row of ten pixels, of colour 1 on black."""
    corners = [[-1.0, -90, 1], [-1, 90, 1], [-90, 0, 1]]
    triangles = torch.tensor([corners[::-1] if flip else corners], device=device)
    soup = Soup(triangles, torch.tensor([0, 1], device=device), Grid(1, 1, 10))
    index, *_ = rasterize(soup.triangles, soup.starts, soup.grid)
    assert (index >= 0).flatten().tolist() == [True] * 4 + [False] * 6
    return soup, index


@BACKENDS
@pytest.mark.parametrize("flip", [False, True])
def test_a_pixel_outside_pulls_the_edge_by_difference_over_distance(device, flip, backend):
    # Kato et al. 2018, figure 2: pixel 6 at x = 1.5 wants to be brighter, the edge is 2.5 to its left
    soup, index = half_plane(device, flip=flip)
    grad = torch.zeros(1, 1, 10, 1, device=device)
    grad[..., 6, :] = -0.7
    pictures = 0.5 * (index >= 0).float()[..., None]
    result = gradient(soup, index, pictures, grad, eps=1e-6, backend=backend)[0]
    edge = result[1:] if flip else result[:2]
    # ends at equal distances from the row share it; both together move the edge
    torch.testing.assert_close(edge[:, 0], torch.full((2,), -0.5 * 0.7 / 2.5 / 2, device=device))
    assert (edge[:, 1] == 0).all()
    assert (result[0 if flip else 2] == 0).all()
    # darker is what no edge can do for it
    assert (gradient(soup, index, pictures, -grad, eps=1e-6, backend=backend) == 0).all()


@BACKENDS
def test_a_pixel_inside_is_uncovered_by_the_edges_on_both_sides(device, backend):
    # the row crosses a triangle with vertical sides at x = -2 and x = 3, as far as a row can tell
    triangles = torch.tensor([[[-2.0, -1e6, 1], [-2, 1e6, 1], [3, 0, 1]]], device=device)
    index = torch.tensor([[[-1, -1, -1, 0, 0, 0, 0, 0, -1, -1]]], dtype=torch.int32, device=device)
    soup = Soup(triangles, torch.tensor([0, 1], device=device), Grid(1, 1, 10))
    grad = torch.zeros(1, 1, 10, 1, device=device)
    grad[..., 4, :] = 0.6  # at x = -0.5: 1.5 from the left edge, 3.5 from the right corner
    pictures = (index >= 0).float()[..., None]
    result = gradient(soup, index, pictures, grad, eps=1e-6, backend=backend)[0, :, 0]
    expected = torch.tensor([0.6 / 1.5 / 2, 0.6 / 1.5 / 2], device=device)
    torch.testing.assert_close(result[:2], -expected)  # descent moves the left edge to the right
    # both edges that meet in the right corner cross the row there, and each pulls it to the left
    torch.testing.assert_close(result[2], torch.tensor(2 * 0.6 / 3.5, device=device))


@BACKENDS
@pytest.mark.parametrize("mirrored", [False, True])
def test_eps_bounds_the_pull_of_a_pixel_on_the_edge(device, mirrored, backend):
    # an edge through the pixel centres at x = 0.5: to uncover that pixel the edge has to leave it inwards
    side = -1.0 if mirrored else 1.0
    corners = [[0.5 * side, -90, 1], [0.5 * side, 90, 1], [90 * side, 0, 1]]
    index = torch.full((1, 1, 10), -1, dtype=torch.int32, device=device)
    index[..., 5:] = 0
    index = index.flip(-1) if mirrored else index
    triangles = torch.tensor([corners], device=device)
    soup = Soup(triangles, torch.tensor([0, 1], device=device), Grid(1, 1, 10))
    grad = torch.zeros(1, 1, 10, 1, device=device)
    grad[..., 4 if mirrored else 5, :] = 0.3
    pictures = (index >= 0).float()[..., None]
    result = gradient(soup, index, pictures, grad, eps=0.01, backend=backend)[0, :2, 0]
    torch.testing.assert_close(result, torch.full((2,), -side * 0.3 / 0.01, device=device))


PUBLISHED = [
    # corners, pixel (row, column), its wanted value, gradient
    (
        [[0.8, 0.8, 1.0], [0.0, -0.5, 1.0], [0.2, -0.4, 1.0]],
        (25, 35),
        1.0,
        [[1.6725862, -0.26021874, 0.0], [1.41986704, -1.64284933, 0.0], [0.0, 0.0, 0.0]],
    ),
    (
        [[0.8, 0.8, 1.0], [-0.5, -0.8, 1.0], [0.8, -0.8, 1.0]],
        (40, 50),
        0.0,
        [[0.98646867, 1.04628897, 0.0], [-1.03415668, -0.10403691, 0.0], [3.00094461, -1.55173182, 0.0]],
    ),
]


@BACKENDS
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("corners", "pixel", "wanted", "expected"), PUBLISHED)
def test_gradients_that_the_pytorch_port_publishes(
    device, corners, pixel, wanted, expected, channels, backend
):
    # daniilidis-group/neural_renderer, tests/test_rasterize*.py: 64 x 64 pixels, y up, no anti-aliasing
    grid = Grid(1, 64, 64, 1 / 64, -1 / 64)
    triangles = torch.tensor([corners], device=device, requires_grad=True)
    starts = torch.tensor([0, 1], device=device)
    index, *_ = rasterize(triangles, starts, grid, backend=backend)
    pictures = (index >= 0).float()[..., None].expand(-1, -1, -1, channels)
    # the numbers are older than the renderer's eps of 1e-3, with which that test allows 1e-2
    eps = NeuralMesh(eps=1e-4).scan_eps(grid)
    scanned = scan_edges(pictures, triangles, starts, index, grid, eps=eps, backend=backend)
    loss = (scanned[0, pixel[0], pixel[1]].mean() - wanted).abs()
    assert float(loss.detach()) == 1
    (grad,) = torch.autograd.grad(loss, triangles)
    torch.testing.assert_close(grad[0], torch.tensor(expected, device=device), rtol=1e-4, atol=1e-6)


@BACKENDS
def test_pictures_pass_through_with_their_gradient(device, backend):
    soup = make_soup(device, (12,))
    index, pictures, grad = draw(soup, 3)
    pictures = pictures.clone().requires_grad_()
    scanned = scan_edges(pictures, soup.triangles, soup.starts, index, soup.grid, eps=0.1, backend=backend)
    assert torch.equal(scanned, pictures)
    (passed,) = torch.autograd.grad(scanned, pictures, grad)
    assert torch.equal(passed, grad)


@BACKENDS
def test_channels_are_summed_before_the_sign_counts(device, backend):
    # the first channel pulls by 2 x 0.5, the second pushes by 1 x 0.7: together they pull by 0.3
    soup, index = half_plane(device)
    covered = (index >= 0).float()
    pictures = torch.stack([2 * covered, covered], -1)
    grad = torch.zeros_like(pictures)
    grad[..., 7, :] = torch.tensor([-0.5, 0.7], device=device)
    both = gradient(soup, index, pictures, grad, eps=1e-6, backend=backend)
    first = gradient(soup, index, pictures[..., :1], grad[..., :1], eps=1e-6, backend=backend)
    torch.testing.assert_close(both, 0.3 * first)


@BACKENDS
def test_screen_units_scale_the_gradient(device, backend):
    soup = make_soup(device, (12,))
    index, pictures, grad = draw(soup, 1)
    scale = torch.tensor([0.02, -0.02, 1], device=device)
    grid = Grid(1, soup.grid.height, soup.grid.width, 0.5 * 0.02, -0.5 * 0.02)
    scaled = Soup(soup.triangles * scale, soup.starts, grid)
    pixels = gradient(soup, index, pictures, grad, eps=0.5, backend=backend)
    units = gradient(scaled, index, pictures, grad, eps=0.5 * 0.02, backend=backend)
    torch.testing.assert_close(units * scale, pixels, rtol=1e-3, atol=1e-3)


def test_the_same_bits_in_every_run(device):
    soup = make_soup(device, (150, 200), height=60, width=90)
    index, pictures, grad = draw(soup, 4)
    threads = torch.get_num_threads()
    try:
        runs = []
        for count in (1, 2, 3, 3):
            torch.set_num_threads(count)
            runs.append(gradient(soup, index, pictures, grad, eps=0.1, backend="warp"))
    finally:
        torch.set_num_threads(threads)
    assert runs[0].abs().max() > 0
    assert all(torch.equal(runs[0], again) for again in runs[1:])


@BACKENDS
@settings(deadline=None, max_examples=40, database=None)
@given(triangles=nasty_triangles())
def test_nothing_is_ever_nan(device, backend, triangles):
    starts = torch.tensor([0, triangles.shape[0]], device=device)
    soup = Soup(triangles.to(device), starts, Grid(1, 7, 9))
    index, pictures, grad = draw(soup, 3)
    result = gradient(soup, index, pictures, grad, eps=1e-3, backend=backend)
    assert result.isfinite().all()
    hidden = torch.ones(triangles.shape[0], dtype=torch.bool, device=device)
    hidden[index[index >= 0].long()] = False
    assert (result[hidden] == 0).all()


@BACKENDS
@pytest.mark.parametrize("images", [0, 1, 2])
def test_nothing_to_scan(device, backend, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    soup = Soup(torch.zeros(0, 3, 3, device=device), starts, Grid(images, 4, 5))
    index = torch.full((images, 4, 5), -1, dtype=torch.int32, device=device)
    pictures = torch.zeros(images, 4, 5, 3, device=device)
    result = gradient(soup, index, pictures, torch.ones_like(pictures), eps=1.0, backend=backend)
    assert result.shape == (0, 3, 3)


@BACKENDS
def test_hidden_triangles_get_no_gradient(device, backend):
    # the second triangle lies behind the first, a little smaller
    near = torch.tensor([[-4.0, -4, 1], [4, -4, 1], [0, 4, 1]], device=device)
    far = near * torch.tensor([0.9, 0.9, 3], device=device)
    soup = Soup(torch.stack([near, far]), torch.tensor([0, 2], device=device), Grid(1, 12, 12))
    index, pictures, grad = draw(soup, 3)
    result = gradient(soup, index, pictures, grad, eps=0.1, backend=backend)
    assert (result[0, :, :2].abs().sum(-1) > 0).all()
    assert (result[1] == 0).all()


def test_passes_opcheck(soup):
    index, pictures, grad = draw(soup, 3)
    steps = (soup.grid.step_x, soup.grid.step_y)
    arguments = (grad, pictures, soup.triangles, soup.starts, index, *steps, 0.1)
    torch.library.opcheck(torch.ops.unrender.nmr_edge_gradient.default, arguments)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_compiles_without_graph_breaks(device):
    soup = make_soup(device)
    index, pictures, grad = draw(soup, 3)

    def loss(triangles):
        scanned = scan_edges(pictures, triangles, soup.starts, index, soup.grid, eps=0.1)
        return (scanned * grad).sum()

    grads = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        triangles = soup.triangles.clone().requires_grad_()
        function(triangles).backward()
        grads.append(triangles.grad)
    assert grads[0].abs().max() > 0
    assert torch.equal(*grads)


@BACKENDS
def test_wrong_input_is_refused(device, backend):
    soup = make_soup(device)
    index, pictures, _ = draw(soup, 3)

    def scan(pictures=pictures, triangles=soup.triangles, index=index, eps=0.1):
        return scan_edges(pictures, triangles, soup.starts, index, soup.grid, eps=eps, backend=backend)

    # a kernel would read beyond the end
    with pytest.raises(InputError, match=r"pictures must have shape \(3, 21, 37, C\), got \(3, 20, 37, 3\)"):
        scan(pictures[:, 1:])
    with pytest.raises(InputError, match=r"index must have shape \(3, 21, 37\), got \(3, 20, 37\)"):
        scan(index=index[:, 1:])
    with pytest.raises(InputError, match=r"pictures must be torch.float32 as triangles are, got .*float64"):
        scan(pictures.double())
    with pytest.raises(InputError, match=r"triangles must have shape \(T, 3, 3\)"):
        scan(triangles=soup.triangles[..., :2])
    for eps in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InputError, match=f"eps must be positive, got {eps}"):
            scan(eps=eps)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"near": 0.0}, "near must be positive, got 0.0"),
        ({"near": math.inf}, "near must be positive, got inf"),
        ({"far": 0.0}, "far must be greater than near, 0.0, got 0.0"),
        ({"near": 2.0, "far": 2.0}, "far must be greater than near, 2.0, got 2.0"),
        ({"far": math.nan}, "far must be greater than near, 0.0, got nan"),
        ({"eps": 0.0}, "eps must be positive, got 0.0"),
        ({"eps": math.nan}, "eps must be positive, got nan"),
        ({"backend": "cuda"}, "backend must be 'auto', 'warp' or 'torch', got 'cuda'"),
    ],
)
def test_wrong_settings_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        NeuralMesh(**options)


def test_eps_is_relative_to_the_shorter_side():
    # in NDC the shorter side is 2 long: in pixels 48, in the originals' own units 2
    assert NeuralMesh(eps=1e-3).scan_eps(Grid(1, 48, 64)) == pytest.approx(0.024)
    assert NeuralMesh(eps=1e-3).scan_eps(Grid(1, 64, 64, 1 / 64, -1 / 64)) == pytest.approx(1e-3)
