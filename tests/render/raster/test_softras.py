import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from soups import Soup, make_soup, mix, nasty_triangles

from unrender.errors import InputError
from unrender.render.raster.grid import Grid
from unrender.render.raster.softras import (
    Aggregation,
    SoftRas,
    aggregate,
    aggregate_textures,
    contributions,
    silhouette,
)

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])
# soft enough that several faces share a pixel
BASE = {"sigma_ndc": 1e-2, "gamma": 3e-3, "near": 0.5, "far": 10.0}
OPTIONS = [
    {},
    {"sigma_ndc": None, "blur": 1.5},
    {"distance": "barycentric", "sigma_ndc": 3e-3},
    {"distance": "hard"},
    {"gamma": 0.3},
    {"eps": 0.9},
    {"near": 2.0},
    {"far": 3.0},
    {"dist_eps": 0.1},
    {"perspective_correct": False},
    {"color": "hard"},
]


def rules(soup: Soup, **options) -> Aggregation:
    return SoftRas(**{**BASE, **options}).aggregation(soup.grid, 0.1)


def results(kind: str, soup: Soup, how: Aggregation, backend: str, valid=None):
    """Outputs of one of the four functions and the gradients of a random linear function of them."""
    triangles = soup.triangles.detach().clone().requires_grad_()
    generator = torch.Generator().manual_seed(7)
    inputs = [triangles]
    place: dict[str, Any] = {"valid": valid, "backend": backend}
    if kind == "silhouette":
        outputs = [silhouette(triangles, soup.starts, soup.grid, how, **place)]
    elif kind == "contributions":
        listed = contributions(triangles, soup.starts, soup.grid, how, **place)
        # laid out densely, as the pairs whose weight is just above 0 depend on the floating-point type
        dense = listed.weights.new_zeros(listed.background.numel(), len(triangles), 4)
        values = torch.cat([listed.weights[:, None], listed.weights[:, None] * listed.barycentrics], -1)
        outputs = [dense.index_put((listed.pixel, listed.triangle), values), listed.background]
    else:
        shape = (len(triangles) // 2, 3, 2) if kind == "corners" else (len(triangles) // 2, 4, 4, 2)
        table = torch.rand(shape, generator=generator, dtype=torch.float64)
        inputs.append(table.to(triangles).requires_grad_())
        rows = (torch.arange(len(triangles), device=triangles.device) // 2).clamp(max=shape[0] - 1).int()
        function = aggregate if kind == "corners" else aggregate_textures
        outputs = function(triangles, soup.starts, inputs[1], soup.grid, how, rows=rows, **place)
    rates = [torch.rand(o.shape, generator=generator, dtype=torch.float64).to(o) for o in outputs]
    loss = torch.stack([(o * r).sum() for o, r in zip(outputs, rates, strict=True)]).sum()
    if not loss.requires_grad:
        return [o.detach() for o in outputs], []
    grads = torch.autograd.grad(loss, inputs, allow_unused=True)
    return [o.detach() for o in outputs], [g for g in grads if g is not None]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def loop(soup: Soup, how: Aggregation, tau: float, corners: np.ndarray):
    """Silhouettes, colours and background weights by the paper's formulas, pixel by pixel, in float64."""
    grid = soup.grid
    alpha, color, rest = np.zeros(soup.shape), np.zeros((*soup.shape, corners.shape[-1])), np.ones(soup.shape)
    triangles, starts = soup.triangles.double().cpu().numpy(), soup.starts.tolist()
    for image, row, column in np.ndindex(*soup.shape):
        p = np.array([grid.step_x * (2 * column + 1 - grid.width), grid.step_y * (2 * row + 1 - grid.height)])
        covers, logits, values = [], [], []
        for j in range(starts[image], starts[image + 1]):
            xy, z = triangles[j, :, :2], triangles[j, :, 2]
            w = np.linalg.solve(np.vstack([xy.T, np.ones(3)]), np.array([*p, 1.0]))
            square = math.inf
            for a, b in zip(xy, np.roll(xy, -1, 0), strict=True):
                along = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
                square = min(square, ((p - a - along * (b - a)) ** 2).sum())
            inside = (w >= 0).all()
            x = (1 if inside else -1) * square / how.sigma
            if how.distance == "barycentric":
                x = np.sign(w.min()) * w.min() ** 2 / how.sigma
            if x <= -tau or (how.distance == "hard" and not inside):
                continue
            covers.append(1.0 if how.distance == "hard" else sigmoid(x))
            clipped = np.clip(w, 0, 1) / np.clip(w, 0, 1).sum()
            depth = 1 / (clipped / z).sum()
            if how.near <= depth <= how.far:
                logits.append((how.far - depth) / (how.far - how.near) / how.gamma + math.log(covers[-1]))
                u = clipped / z * depth if how.perspective else clipped
                values.append(u @ corners[j])
        faces = max(starts[image + 1] - starts[image], 1)
        alpha[image, row, column] = {
            "prod": 1 - np.prod([1 - d for d in covers]),
            "sum": sum(covers) / faces,
            "hard": float(any(d > 0.5 for d in covers)),
        }[how.alpha]
        logits.append(how.eps / how.gamma)
        weights = np.exp(np.array(logits) - max(logits))
        weights /= weights.sum()
        if values:
            color[image, row, column] = weights[:-1] @ np.array(values)
        rest[image, row, column] = weights[-1]
    return alpha, color, rest


@BACKENDS
@pytest.mark.parametrize("options", [o for o in OPTIONS if "color" not in o] + [{"alpha": "sum"}])
def test_against_a_loop_over_pixels(small_soup, options, backend):
    soup = small_soup if backend == "torch" else small_soup.to(torch.float32)
    settings = SoftRas(**{**BASE, **options})
    how = settings.aggregation(soup.grid, 0.1)
    if how.distance == "barycentric":  # without the box, which has no meaning in weights
        how = dataclasses.replace(how, reach=1e3 * abs(soup.grid.step_x))
    corners = torch.rand(len(soup.triangles), 3, 2, dtype=torch.float64)
    tau = math.log(1 / settings.dist_eps - 1)
    alpha, color, rest = loop(small_soup, how, tau, corners.numpy())
    assert ((alpha > 0.01) & (alpha < 0.99)).sum() > (0 if how.distance == "hard" else 20) or (
        how.distance == "hard" and 0.1 < alpha.mean() < 0.9
    )
    place: dict[str, Any] = {"backend": backend}
    got = silhouette(soup.triangles, soup.starts, soup.grid, how, **place)
    np.testing.assert_allclose(got.cpu(), alpha, atol=3e-6)
    values, background = aggregate(
        soup.triangles, soup.starts, corners.to(soup.triangles), soup.grid, how, **place
    )
    np.testing.assert_allclose(values.cpu(), color, atol=2e-4)
    np.testing.assert_allclose(background.cpu(), rest, atol=2e-4)


@BACKENDS
def test_hard_alpha_and_colour(small_soup, backend):
    """Whether a D exceeds a half, and the colour of the nearest face under the centre."""
    soup = small_soup if backend == "torch" else small_soup.to(torch.float32)
    how = rules(soup, alpha="hard", distance="hard", gamma=1e-6, color="hard")
    corners = torch.rand(len(soup.triangles), 3, 2, dtype=torch.float64)
    alpha, color, rest = loop(small_soup, dataclasses.replace(how, gamma=1e-7), 9.0, corners.numpy())
    got = silhouette(soup.triangles, soup.starts, soup.grid, how, backend=backend)
    np.testing.assert_array_equal(got.cpu(), alpha)
    values, background = aggregate(
        soup.triangles, soup.starts, corners.to(soup.triangles), soup.grid, how, backend=backend
    )
    np.testing.assert_allclose(values.cpu(), color, atol=1e-5)
    np.testing.assert_allclose(background.cpu(), rest, atol=1e-6)


@pytest.mark.parametrize("kind", ["silhouette", "corners", "grids", "contributions"])
@pytest.mark.parametrize("options", [*OPTIONS, {"interpolation_gradient": False}, {"alpha": "sum"}])
def test_warp_agrees_with_the_reference(soup, kind, options):
    how = rules(soup, **options)
    outputs, grads = results(kind, soup, how, "warp")
    exact_outputs, exact = results(kind, soup.to(torch.float64), how, "torch")
    assert len(grads) == len(exact)
    for a, b in zip(outputs, exact_outputs, strict=True):
        torch.testing.assert_close(a.double(), b, atol=2e-5, rtol=0)
    for a, b in zip(grads, exact, strict=True):
        torch.testing.assert_close(a.double(), b, atol=1e-4 * float(b.abs().max() + 1e-12), rtol=1e-3)


@pytest.mark.parametrize(
    "options",
    [{}, {"distance": "barycentric", "sigma_ndc": 0.05}, {"perspective_correct": False}, {"gamma": 0.3}],
)
def test_gradients_of_the_reference(device, options):
    soup = make_soup(device, (4, 3), height=5, width=6, largest=4.0).to(torch.float64)
    how = rules(soup, dist_eps=1e-9, **options)
    corners = torch.rand(7, 3, 2, dtype=torch.float64, device=device).requires_grad_()
    triangles = soup.triangles.requires_grad_()
    place: dict[str, Any] = {"backend": "torch"}
    for alpha in ("prod", "sum"):
        own = dataclasses.replace(how, alpha=alpha)
        assert torch.autograd.gradcheck(
            lambda t, own=own: mix(silhouette(t, soup.starts, soup.grid, own, **place)), (triangles,)
        )
    assert torch.autograd.gradcheck(
        lambda t, c: mix(
            torch.cat([v.flatten() for v in aggregate(t, soup.starts, c, soup.grid, how, **place)])
        ),
        (triangles, corners),
    )
    grids = torch.rand(7, 3, 3, 2, dtype=torch.float64, device=device).requires_grad_()
    # the colours of grids jump with the weights, and their gradient leaves that out
    assert torch.autograd.gradcheck(
        lambda c: mix(aggregate_textures(triangles.detach(), soup.starts, c, soup.grid, how, **place)[0]),
        grids,
    )


def one_triangle(device, *, z=(2.0, 2.0, 2.0)):
    """A large triangle whose right edge is the line x = 0, on pixels with centres at -4.5, ..., 4.5."""
    corners = [[0.0, -50, z[0]], [-80.0, 0, z[1]], [0.0, 50, z[2]]]
    starts = torch.tensor([0, 1], device=device)
    return Soup(torch.tensor([corners], device=device), starts, Grid(1, 1, 10))


@BACKENDS
def test_one_face_fades_on_both_sides_of_its_edge(device, backend):
    soup = one_triangle(device)
    how = SoftRas(blur=2.0).aggregation(soup.grid, 0.1)
    alpha = silhouette(soup.triangles, soup.starts, soup.grid, how, backend=backend)
    x = torch.arange(10, device=device) - 4.5
    expected = torch.sigmoid(-x * x.abs() / 4)
    torch.testing.assert_close(alpha[0, 0], expected)
    cut = SoftRas(blur=2.0, dist_eps=0.2).aggregation(soup.grid, 0.1)
    alpha = silhouette(soup.triangles, soup.starts, soup.grid, cut, backend=backend)
    torch.testing.assert_close(alpha[0, 0], torch.where(expected < 0.2, 0, expected))


@BACKENDS
def test_two_faces_share_by_depth(device, backend):
    """The softmax over normalised depths, by hand; hidden and far faces get gradients."""
    near, far = one_triangle(device), one_triangle(device, z=(2.5, 2.5, 2.5))
    triangles = torch.cat([near.triangles, far.triangles]).requires_grad_()
    starts = torch.tensor([0, 2], device=device)
    how = SoftRas(blur=1.0, gamma=0.1, near=1.0, far=6.0, eps=0.01).aggregation(near.grid, 0.1)
    corners = torch.zeros(2, 3, 1, device=device)
    corners[1] = 1.0
    corners.requires_grad_()
    values, background = aggregate(triangles, starts, corners, near.grid, how, backend=backend)
    shares = (values[0, 0, 0, 0].item(), background[0, 0, 0].item())
    strength = [math.exp(0.8 / 0.1), math.exp(0.7 / 0.1), math.exp(0.01 / 0.1)]
    # at x = -4.5, deep inside, D = 1
    assert shares[0] == pytest.approx(strength[1] / sum(strength), rel=1e-5)
    assert shares[1] == pytest.approx(strength[2] / sum(strength), rel=1e-4)
    grads = torch.autograd.grad(values.sum() + background.sum(), (triangles, corners))
    assert (grads[0][1, :, 2] != 0).all()
    assert (grads[0][:, 0, 0] != 0).all()
    assert (grads[1] != 0).all()


@BACKENDS
def test_every_option_changes_the_picture(soup, backend):
    how = rules(soup)
    corners = torch.rand(len(soup.triangles), 3, 2, generator=torch.Generator().manual_seed(3)).to(
        soup.triangles
    )

    def picture(own: Aggregation):
        alpha = silhouette(soup.triangles, soup.starts, soup.grid, own, backend=backend)
        color, background = aggregate(soup.triangles, soup.starts, corners, soup.grid, own, backend=backend)
        return torch.cat([alpha[..., None], color, background[..., None]], -1)

    plain = picture(how)
    for options in [*OPTIONS[1:], {"alpha": "sum"}, {"alpha": "hard"}]:
        changed = (picture(rules(soup, **options)) - plain).abs().amax()
        assert changed > 1e-3, options
    some = torch.arange(len(soup.triangles), device=plain.device) % 2 == 0
    half = silhouette(soup.triangles, soup.starts, soup.grid, how, valid=some, backend=backend)
    assert (half - plain[..., 0]).abs().amax() > 1e-3
    kept = Soup(soup.triangles, soup.starts, soup.grid)
    for kind in ("corners", "grids", "contributions"):
        a, _ = results(kind, kept, how, backend, valid=some)
        b, _ = results(kind, kept, how, backend)
        assert a[-1].shape == b[-1].shape
        assert (a[-1] - b[-1]).abs().amax() > 1e-3


def test_the_papers_gradient_leaves_the_interpolation_out(soup):
    """Colours that vary over a face pull at its corners only by the true gradient."""
    how = rules(soup, distance="hard", gamma=1e3, eps=0.0)  # all weights are equal and constant
    (_, true), (_, paper) = (
        results("corners", soup, dataclasses.replace(how, interpolation_gradient=own), "warp")
        for own in (True, False)
    )
    assert true[0][..., :2].abs().amax() > 1e-3
    assert paper[0][..., :2].abs().amax() == 0
    torch.testing.assert_close(true[1], paper[1])


def test_the_same_bits_again(soup):
    threads = torch.get_num_threads()
    try:
        for kind in ("silhouette", "corners", "grids", "contributions"):
            runs = []
            for count in (1, 2, 3):
                torch.set_num_threads(count)
                outputs, grads = results(kind, soup, rules(soup), "warp")
                runs.append([*outputs, *grads])
            for again in runs[1:]:
                assert all(torch.equal(a, b) for a, b in zip(runs[0], again, strict=True))
    finally:
        torch.set_num_threads(threads)


@BACKENDS
@settings(deadline=None, max_examples=30, database=None)
@given(triangles=nasty_triangles())
def test_nothing_is_ever_nan(device, backend, triangles):
    starts = torch.tensor([0, triangles.shape[0]], device=device)
    soup = Soup(triangles.to(device), starts, Grid(1, 7, 9))
    for options in ({}, {"distance": "barycentric"}, {"perspective_correct": False, "alpha": "sum"}):
        how = rules(soup, **options)
        alpha, grads = results("silhouette", soup, how, backend)
        assert ((alpha[0] >= 0) & (alpha[0] <= 1)).all()
        assert all(g.isfinite().all() for g in grads)
        if len(triangles) < 2:
            continue
        for kind in ("corners", "grids"):
            (values, background), grads = results(kind, soup, how, backend)
            assert ((values >= 0) & (values <= 1 + 1e-5)).all()
            assert ((background >= 0) & (background <= 1)).all()
            assert all(g.isfinite().all() for g in grads)


@BACKENDS
@pytest.mark.parametrize("images", [0, 2])
def test_nothing_to_draw(device, backend, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    soup = Soup(torch.zeros(0, 3, 3, device=device), starts, Grid(images, 4, 5))
    how = rules(soup)
    place: dict[str, Any] = {"backend": backend}
    assert (silhouette(soup.triangles, starts, soup.grid, how, **place) == 0).all()
    values, background = aggregate(
        soup.triangles, starts, torch.zeros(0, 3, 2, device=device), soup.grid, how, **place
    )
    assert values.shape == (images, 4, 5, 2)
    assert (values == 0).all()
    assert (background == 1).all()
    listed = contributions(soup.triangles, starts, soup.grid, how, **place)
    assert len(listed.pixel) == 0
    assert (listed.background == 1).all()


@BACKENDS
def test_weights_and_background_make_one(soup, backend):
    listed = contributions(soup.triangles, soup.starts, soup.grid, rules(soup), backend=backend)
    total = listed.background.reshape(-1).index_add(0, listed.pixel, listed.weights)
    torch.testing.assert_close(total, torch.ones_like(total))
    torch.testing.assert_close(listed.barycentrics.sum(-1), torch.ones_like(listed.weights))
    assert (torch.bincount(listed.pixel) > 1).sum() > 50  # hidden faces are among them


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own
def test_compiles_without_graph_breaks(device):
    soup = make_soup(device)
    how = rules(soup)
    corners = torch.rand(len(soup.triangles), 3, 2, device=device)

    def loss(triangles):
        alpha = silhouette(triangles, soup.starts, soup.grid, how)
        return alpha.square().sum() + aggregate(triangles, soup.starts, corners, soup.grid, how)[0].sum()

    grads = []
    for function in (loss, torch.compile(loss, fullgraph=True, backend="aot_eager")):
        triangles = soup.triangles.clone().requires_grad_()
        function(triangles).backward()
        grads.append(triangles.grad)
    assert grads[0].abs().max() > 0
    assert torch.equal(*grads)


def test_passes_opcheck(soup):
    from unrender.render.raster.softras.rules import flatten

    grid = soup.grid
    place = (soup.starts, None, grid.height, grid.width, grid.step_x, grid.step_y)
    rest = flatten(rules(soup), channels=2)
    ops = torch.ops.unrender
    arguments = (soup.triangles, *place, *rest)
    torch.library.opcheck(ops.softras_silhouette.default, arguments)
    state = ops.softras_silhouette(*arguments)
    saved = (torch.rand_like(state), state)
    torch.library.opcheck(ops.softras_silhouette_backward.default, (*saved, *arguments))
    table = torch.rand(len(soup.triangles), 6, device=soup.triangles.device)
    rows = torch.arange(len(table), device=table.device, dtype=torch.int32)
    arguments = (table, rows, soup.triangles, *place, *rest)
    torch.library.opcheck(ops.softras_aggregate.default, arguments)
    values, background, nearest, total = ops.softras_aggregate(*arguments)
    saved = (torch.rand_like(values), torch.rand_like(background), values, background, nearest, total)
    torch.library.opcheck(ops.softras_aggregate_backward.default, (*saved, *arguments))


@BACKENDS
def test_wrong_input_is_refused(soup, backend):
    how = rules(soup)
    count = len(soup.triangles)
    place = (soup.triangles, soup.starts)
    with pytest.raises(InputError, match=r"corners must have shape \(R, 3, D\), got \(2, 4, 3\)"):
        aggregate(*place, torch.rand(2, 4, 3), soup.grid, how, backend=backend)
    with pytest.raises(InputError, match=rf"a row for each of {count} triangles, got 2"):
        aggregate(*place, torch.rand(2, 3, 3), soup.grid, how, backend=backend)
    with pytest.raises(InputError, match=r"textures must have shape \(R, S, S, D\), got \(2, 4, 3, 3\)"):
        aggregate_textures(*place, torch.rand(2, 4, 3, 3), soup.grid, how, backend=backend)
    rows = torch.zeros(count, dtype=torch.int64)
    with pytest.raises(InputError, match=rf"rows must be int32 of shape \({count},\), got torch.int64"):
        aggregate(*place, torch.rand(2, 3, 3), soup.grid, how, rows=rows, backend=backend)
    with pytest.raises(InputError, match=rf"valid must be bool of shape \({count},\)"):
        silhouette(*place, soup.grid, how, valid=torch.ones(3, dtype=torch.bool), backend=backend)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur": 0.0}, "blur must be positive, got 0.0"),
        ({"sigma_ndc": math.nan}, "sigma_ndc must be positive, got nan"),
        ({"gamma": -1.0}, "gamma must be positive, got -1.0"),
        ({"dist_eps": 0.5}, "dist_eps must be between 0 and 0.5, got 0.5"),
        ({"eps": 1.0}, "eps must be at least 0 and below 1, got 1.0"),
        ({"near": 5.0, "far": 4.0}, "near must be less than far, got 5.0 and 4.0"),
        ({"distance": "manhattan"}, "distance must be one of euclidean, barycentric, hard, got 'manhattan'"),
        ({"alpha": "max"}, "alpha must be one of prod, sum, hard, got 'max'"),
        ({"color": "soft"}, "color must be one of softmax, hard, got 'soft'"),
        ({"distance": "barycentric"}, "give sigma_ndc, got only a blur"),
    ],
)
def test_settings_are_checked(options, message):
    with pytest.raises(InputError, match=message):
        SoftRas(**options)


def test_sigma_in_units_of_the_screen():
    """The paper's sigma on its own grid, and a blur that is the same in pixels on every grid."""
    paper = Grid(1, 64, 64, 1 / 64, -1 / 64)
    ours = Grid(1, 64, 96)
    assert SoftRas(sigma_ndc=1e-4).aggregation(paper, 1.0).sigma == pytest.approx(1e-4)
    assert SoftRas(sigma_ndc=1e-4).aggregation(ours, 1.0).sigma == pytest.approx(1e-4 * 32**2)
    assert SoftRas(blur=0.5).aggregation(ours, 1.0).sigma == pytest.approx(0.25)
    assert SoftRas(blur=0.5).aggregation(paper, 1.0).sigma == pytest.approx(0.25 / 32**2)
    # tau = 9.2102 for dist_eps 1e-4, so sigma 1e-4 reaches 0.0303
    assert SoftRas(sigma_ndc=1e-4).aggregation(paper, 1.0).reach == pytest.approx(0.030348, rel=1e-4)
    assert SoftRas(near=None).aggregation(ours, 0.25).near == 0.25
    with pytest.raises(InputError, match="near must be less than far"):
        SoftRas(far=2.0).aggregation(ours, 3.0)
