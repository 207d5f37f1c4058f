import numpy as np
import pytest
import torch
from hypothesis import given, settings
from soups import Soup, make_soup, mix, nasty_triangles

from unrender.errors import InputError
from unrender.render.raster.grid import Grid
from unrender.render.raster.interpolate import interpolate
from unrender.render.raster.zbuffer import rasterize

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


def run(soup: Soup, corners, index, weights, **options):
    return interpolate(
        corners,
        index,
        weights,
        triangles=soup.triangles,
        image_starts=soup.starts,
        grid=soup.grid,
        **options,
    )


def gradients(soup: Soup, corners, index, weights, **options):
    """Values, and the gradients of a random linear function of them to corners and weights."""
    corners, weights = corners.detach().requires_grad_(), weights.detach().requires_grad_()
    values = run(soup, corners, index, weights, **options)
    rates = torch.rand(values.shape, generator=torch.Generator().manual_seed(1)).to(values)
    return values.detach(), *torch.autograd.grad((values * rates).sum(), (corners, weights))


def shared_rows(soup: Soup, rows: int):
    """Rows so that triangles of all pictures share the corners."""
    return (torch.arange(soup.triangles.shape[0], device=soup.triangles.device) * 5 % rows).int()


@pytest.mark.parametrize("channels", [1, 3, 17])
@pytest.mark.parametrize("shared", [False, True], ids=["own", "shared"])
def test_warp_agrees_with_the_reference(soup, channels, shared):
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    assert (index >= 0).float().mean() > 0.2
    count = 11 if shared else soup.triangles.shape[0]
    rows = shared_rows(soup, count) if shared else None
    corners = torch.rand(count, 3, channels, device=index.device)
    actual = gradients(soup, corners, index, weights, rows=rows, backend="warp")
    expected = gradients(soup, corners.double(), index, weights.double(), rows=rows, backend="torch")
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a.double(), b, atol=1e-5, rtol=1e-5)


@BACKENDS
def test_against_a_loop_over_pixels(small_soup, backend):
    soup = small_soup.to(torch.float32)
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    rows = shared_rows(soup, 3)
    corners = torch.rand(3, 3, 4, device=index.device)
    values = run(soup, corners, index, weights, rows=rows, backend=backend).cpu().numpy()
    expected = np.zeros((*soup.shape, 4))
    for pixel in np.ndindex(*soup.shape):
        triangle = int(index[pixel])
        if triangle >= 0:
            expected[pixel] = (weights[pixel].double() @ corners[int(rows[triangle])].double()).cpu()
    assert (expected != 0).sum() > 40
    np.testing.assert_allclose(values, expected, atol=1e-6)


@BACKENDS
def test_screen_positions_are_interpolated_to_pixel_centres(soup, backend):
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid, perspective=False)
    values = run(soup, soup.triangles[..., :2].contiguous(), index, weights, backend=backend)
    xs, ys = soup.grid.centres(torch.float32, index.device)
    centres = torch.stack(torch.broadcast_tensors(xs[None, None, :], ys[None, :, None]), -1)
    covered = (index >= 0)[..., None]
    expected = torch.where(covered, centres, 0)
    torch.testing.assert_close(values, expected, atol=1e-5 * float(xs.abs().max()), rtol=0)


def test_gradients_by_finite_differences(small_soup):
    index, weights, _ = rasterize(small_soup.triangles, small_soup.starts, small_soup.grid)
    corners = torch.rand(3, 3, 2, dtype=torch.float64, device=index.device).requires_grad_()
    rows = shared_rows(small_soup, 3)

    def mixed(corners, weights):
        return mix(run(small_soup, corners, index, weights, rows=rows, backend="torch"))

    assert torch.autograd.gradcheck(mixed, (corners, weights.requires_grad_()))


def test_gradients_reach_the_triangles_through_the_weights(small_soup):
    corners = torch.rand(small_soup.triangles.shape[0], 3, 2, dtype=torch.float64).to(small_soup.triangles)

    def mixed(triangles):
        index, weights, _ = rasterize(triangles, small_soup.starts, small_soup.grid)
        return mix(run(small_soup, corners, index, weights))

    assert torch.autograd.gradcheck(mixed, (small_soup.triangles.requires_grad_(),))


def test_the_same_bits_in_every_run(device):
    soup = make_soup(device, (300, 400), height=90, width=130)
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    rows = shared_rows(soup, 50)
    corners = torch.rand(50, 3, 5, device=device)
    threads = torch.get_num_threads()
    try:
        runs = []
        for count in (1, 2, 2, 3):
            torch.set_num_threads(count)
            runs.append(gradients(soup, corners, index, weights, rows=rows, backend="warp"))
    finally:
        torch.set_num_threads(threads)
    for again in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], again, strict=True))


@BACKENDS
@settings(deadline=None, max_examples=40, database=None)
@given(triangles=nasty_triangles())
def test_nothing_is_ever_nan(device, backend, triangles):
    starts = torch.tensor([0, triangles.shape[0]], device=device)
    soup = Soup(triangles.to(device), starts, Grid(1, 7, 9))
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    corners = torch.rand(triangles.shape[0], 3, 2, device=device)
    for result in gradients(soup, corners, index, weights, backend=backend):
        assert result.isfinite().all()


@BACKENDS
@pytest.mark.parametrize("images", [0, 2])
def test_nothing_to_interpolate(device, backend, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    soup = Soup(torch.zeros(0, 3, 3, device=device), starts, Grid(images, 4, 5))
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    corners = torch.zeros(0, 3, 2, device=device)
    values, grad_corners, grad_weights = gradients(soup, corners, index, weights, backend=backend)
    assert values.shape == (images, 4, 5, 2)
    assert (values == 0).all()
    assert grad_corners.shape == (0, 3, 2)
    assert (grad_weights == 0).all()


def test_passes_opcheck(soup):
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    corners, rows = torch.rand(11, 3, 4, device=index.device), shared_rows(soup, 11)
    arguments = (corners, rows, index, weights)
    torch.library.opcheck(torch.ops.unrender.interpolate.default, arguments)
    grad = torch.rand(*soup.shape, 4, device=index.device)
    steps = (soup.grid.step_x, soup.grid.step_y)
    arguments = (grad, *arguments, soup.triangles, soup.starts, *steps)
    torch.library.opcheck(torch.ops.unrender.interpolate_backward.default, arguments)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_compiles_without_graph_breaks(device):
    soup = make_soup(device)
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    table = torch.rand(soup.triangles.shape[0], 3, 4, device=device)

    def loss(corners, weights):
        return run(soup, corners, index, weights).square().sum()

    grads = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        inputs = (table.clone().requires_grad_(), weights.clone().requires_grad_())
        grads.append(torch.autograd.grad(function(*inputs), inputs))
    assert grads[0][0].abs().max() > 0
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


@BACKENDS
def test_wrong_input_is_refused(device, backend):
    soup = make_soup(device)
    index, weights, _ = rasterize(soup.triangles, soup.starts, soup.grid)
    corners = torch.rand(75, 3, 2, device=device)
    with pytest.raises(InputError, match=r"corners must have shape \(R, 3, D\), got \(75, 6\)"):
        run(soup, corners.view(75, 6), index, weights, backend=backend)
    with pytest.raises(InputError, match=r"row for each of 75 triangles, got 74"):
        run(soup, corners[:74], index, weights, backend=backend)
    # a kernel would read beyond the end
    with pytest.raises(InputError, match=r"index must have shape \(3, 21, 37\), got \(3, 21, 36\)"):
        run(soup, corners, index[..., 1:], weights, backend=backend)
    with pytest.raises(InputError, match=r"index must be int32, got torch.int64"):
        run(soup, corners, index.long(), weights, backend=backend)
    with pytest.raises(InputError, match=r"weights must have shape \(3, 21, 37, 3\), got \(3, 21, 36, 3\)"):
        run(soup, corners, index, weights[:, :, 1:], backend=backend)
    with pytest.raises(
        InputError, match=r"rows must be int32 of shape \(75,\), got torch.int64 of shape \(75,\)"
    ):
        run(soup, corners, index, weights, rows=torch.arange(75, device=device), backend=backend)
