import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from soups import Soup, make_soup, mix, nasty_triangles

from unrender.errors import InputError
from unrender.render.raster.dibr import soft_mask
from unrender.render.raster.grid import Grid
from unrender.render.raster.zbuffer import rasterize

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


def gradients(soup: Soup, index, **options):
    """Mask, and the gradient of a random linear function of it."""
    triangles = soup.triangles.detach().clone().requires_grad_()
    mask = soft_mask(triangles, soup.starts, index, soup.grid, **options)
    rates = torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)).to(mask)
    return mask.detach(), *torch.autograd.grad((mask * rates).sum(), triangles)


def draw_some(soup: Soup):
    """Cover only a few triangles, so that much of the picture is background between the others."""
    some = torch.arange(soup.triangles.shape[0], device=soup.triangles.device) % 4 == 0
    return rasterize(soup.triangles, soup.starts, soup.grid, valid=some)[0]


def loop(soup: Soup, index, sigma: float, reach: float, max_faces: int | None):
    """The soft silhouette by definition, pixel by pixel and triangle by triangle, in float64."""
    grid = soup.grid
    mask = np.ones(soup.shape)
    triangles, starts = soup.triangles.double().cpu().numpy(), soup.starts.tolist()
    for image, row, column in np.ndindex(*soup.shape):
        if index[image, row, column] >= 0:
            continue
        p = np.array([grid.step_x * (2 * column + 1 - grid.width), grid.step_y * (2 * row + 1 - grid.height)])
        factors = []
        for corners in triangles[starts[image] : starts[image + 1], :, :2]:
            if ((corners.min(0) - reach <= p) & (p < corners.max(0) + reach)).all():
                distance = math.inf
                for a, b in zip(corners, np.roll(corners, -1, 0), strict=True):
                    along = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                    distance = min(distance, np.linalg.norm(p - a - along * (b - a)))
                factors.append(1 - math.exp(-(distance**2) / sigma))
        mask[image, row, column] = 1 - np.prod(factors[:max_faces])
    return mask


@pytest.mark.parametrize("max_faces", [None, 1, 3])
@pytest.mark.parametrize("width", [0.7, 3.0])
def test_warp_agrees_with_the_reference(soup, width, max_faces):
    index = draw_some(soup)
    options = {"sigma": soup.pixels(width) ** 2, "max_faces": max_faces}
    mask, grad = gradients(soup, index, backend="warp", **options)
    exact_mask, exact = gradients(soup.to(torch.float64), index, backend="torch", **options)
    assert ((exact_mask > 0.01) & (exact_mask < 0.99)).float().mean() > 0.03
    torch.testing.assert_close(mask.double(), exact_mask, atol=2e-6, rtol=0)
    torch.testing.assert_close(grad.double(), exact, atol=1e-4 * float(exact.abs().max()), rtol=1e-3)


@BACKENDS
@pytest.mark.parametrize("max_faces", [None, 2])
def test_against_a_loop_over_pixels(small_soup, max_faces, backend):
    soup = small_soup if backend == "torch" else small_soup.to(torch.float32)
    index = draw_some(soup)
    sigma = soup.pixels(1.5) ** 2
    reach = 2 * math.sqrt(sigma)
    options = {"sigma": sigma, "reach": reach, "max_faces": max_faces, "backend": backend}
    mask = soft_mask(soup.triangles, soup.starts, index, soup.grid, **options)
    expected = loop(small_soup, index, sigma, reach, max_faces)
    assert ((expected > 0) & (expected < 1)).sum() > 20
    np.testing.assert_allclose(mask.cpu(), expected, atol=2e-6)


@BACKENDS
def test_falls_off_with_the_squared_distance(device, backend):
    # a large triangle whose right edge is the line x = -1: pixel centres are at -4.5, ..., 4.5
    triangles = torch.tensor([[[-1.0, -90, 1], [-1, 90, 1], [-90, 0, 1]]], device=device)
    starts = torch.tensor([0, 1], device=device)
    grid = Grid(1, 4, 10)
    index, *_ = rasterize(triangles, starts, grid)
    mask, grad = gradients(Soup(triangles, starts, grid), index, sigma=4.0, backend=backend)
    distance = torch.arange(6, device=device) + 0.5
    assert (mask[..., :4] == 1).all()
    torch.testing.assert_close(mask[..., 4:], (-(distance**2) / 4).exp().expand(1, 4, -1), atol=1e-6, rtol=0)
    # moving the edge to the right raises the mask; the corner far away and depths have no part in it
    assert (grad[0, :2, 0] > 0).all()
    assert (grad[0, 2] == 0).all()
    assert (grad[..., 2] == 0).all()


@BACKENDS
def test_covered_pixels_are_one_and_without_gradient(device, backend):
    soup = make_soup(device, (40,), height=9, width=9)
    index = torch.zeros(1, 9, 9, dtype=torch.int32, device=device)
    mask, grad = gradients(soup, index, sigma=1.0, backend=backend)
    assert (mask == 1).all()
    assert (grad == 0).all()


@BACKENDS
def test_reaches_to_one_in_ten_thousand_by_default(device, backend):
    triangles = torch.tensor([[[-9.0, -90, 1], [-9, 90, 1], [-90, 0, 1]]], device=device)
    index = torch.full((1, 1, 20), -1, dtype=torch.int32, device=device)
    starts = torch.tensor([0, 1], device=device)
    mask = soft_mask(triangles, starts, index, Grid(1, 1, 20), sigma=4.0, backend=backend)[0, 0]
    distance = torch.arange(20) - 0.5
    kept = (mask > 0).cpu()
    assert kept.tolist() == ((-(distance**2) / 4).exp() > 1e-4).tolist()


@pytest.mark.parametrize("max_faces", [None, 2])
def test_gradients_by_finite_differences(small_soup, max_faces):
    index = draw_some(small_soup)
    options = {"sigma": small_soup.pixels(1.5) ** 2, "max_faces": max_faces, "backend": "torch"}

    def mixed(triangles):
        return mix(soft_mask(triangles, small_soup.starts, index, small_soup.grid, **options))

    assert torch.autograd.gradcheck(mixed, (small_soup.triangles.requires_grad_(),))


def test_finite_differences_of_the_warp_kernel(device):
    # one step of descent in float32, large enough to stand out from rounding
    soup = make_soup(device, (6,), height=15, width=15)
    index = draw_some(soup)
    mask, grad = gradients(soup, index, sigma=4.0, backend="warp")
    rates = torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)).to(mask)
    direction = torch.rand_like(grad) - 0.5
    step = 5e-3

    def moved(by):
        triangles = soup.triangles + by * direction
        return (soft_mask(triangles, soup.starts, index, soup.grid, sigma=4.0) * rates).double().sum()

    slope = float(moved(step) - moved(-step)) / (2 * step)
    assert slope == pytest.approx(float((grad * direction).sum()), rel=2e-3)


@pytest.mark.parametrize("max_faces", [None, 4])
def test_the_same_bits_in_every_run(device, max_faces):
    soup = make_soup(device, (300, 400), height=90, width=130)
    index = draw_some(soup)
    threads = torch.get_num_threads()
    try:
        runs = []
        for count in (1, 2, 2, 3):
            torch.set_num_threads(count)
            runs.append(gradients(soup, index, sigma=4.0, max_faces=max_faces, backend="warp"))
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
    drawn, *_ = rasterize(soup.triangles, soup.starts, soup.grid)
    for index in (drawn, torch.full_like(drawn, -1)):
        mask, grad = gradients(soup, index, sigma=1.0, backend=backend)
        assert ((mask >= 0) & (mask <= 1)).all()
        assert grad.isfinite().all()


@BACKENDS
@pytest.mark.parametrize("images", [0, 1, 2])
def test_nothing_to_blur(device, backend, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    soup = Soup(torch.zeros(0, 3, 3, device=device), starts, Grid(images, 4, 5))
    index = torch.full((images, 4, 5), -1, dtype=torch.int32, device=device)
    mask, grad = gradients(soup, index, sigma=1.0, backend=backend)
    assert mask.shape == (images, 4, 5)
    assert (mask == 0).all()
    assert grad.shape == (0, 3, 3)


@BACKENDS
def test_faces_out_of_reach_get_zero_gradients(device, backend):
    soup = make_soup(device, (5,))
    away = Soup(soup.triangles + torch.tensor([200.0, 0, 0], device=device), soup.starts, soup.grid)
    index = torch.full(soup.shape, -1, dtype=torch.int32, device=device)
    mask, grad = gradients(away, index, sigma=1.0, backend=backend)
    assert (mask == 0).all()
    assert (grad == 0).all()


@pytest.mark.parametrize("max_faces", [0, 2])
def test_passes_opcheck(soup, max_faces):
    index = draw_some(soup)
    rest = (
        soup.grid.step_x,
        soup.grid.step_y,
        soup.pixels(1.0) ** 2,
        2 * math.sqrt(soup.pixels(1.0) ** 2),
        max_faces,
    )
    arguments = (soup.triangles, soup.starts, index, *rest)
    torch.library.opcheck(torch.ops.unrender.dibr_soft_mask.default, arguments)
    alpha, last = torch.ops.unrender.dibr_soft_mask(*arguments)
    arguments = (torch.rand_like(alpha), soup.triangles, soup.starts, index, alpha, last, *rest)
    torch.library.opcheck(torch.ops.unrender.dibr_soft_mask_backward.default, arguments)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_compiles_without_graph_breaks(device):
    soup = make_soup(device)
    index = draw_some(soup)

    def loss(triangles):
        return soft_mask(triangles, soup.starts, index, soup.grid, sigma=2.0).square().sum()

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
    index = draw_some(soup)
    arguments = (soup.triangles, soup.starts, index, soup.grid)
    with pytest.raises(InputError, match="sigma must be positive, got 0"):
        soft_mask(*arguments, sigma=0, backend=backend)
    with pytest.raises(InputError, match="sigma must be positive, got nan"):
        soft_mask(*arguments, sigma=math.nan, backend=backend)
    with pytest.raises(InputError, match="max_faces must be at least 1, got 0"):
        soft_mask(*arguments, sigma=1.0, max_faces=0, backend=backend)
    with pytest.raises(InputError, match="reach must not be negative, got -1"):
        soft_mask(*arguments, sigma=1.0, reach=-1.0, backend=backend)
    # a kernel would read beyond the end
    with pytest.raises(InputError, match=r"index must have shape \(3, 21, 37\), got \(3, 20, 37\)"):
        soft_mask(soup.triangles, soup.starts, index[:, 1:], soup.grid, sigma=1.0, backend=backend)
    with pytest.raises(InputError, match=r"index must be int32, got torch.int64"):
        soft_mask(soup.triangles, soup.starts, index.long(), soup.grid, sigma=1.0, backend=backend)
