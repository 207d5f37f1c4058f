import itertools

import numpy as np
import pytest
import torch

from unrender.errors import InputError
from unrender.render.texture import Wrap, attribute_derivatives, mipmaps, sample_texture

WRAPS: list[Wrap] = ["wrap", "clamp", "mirror"]


def random(*shape, device):
    return torch.rand(shape, dtype=torch.float64, device=device)


def fold(index, size, wrap):
    """A texel index brought into range, one at a time and by the definition."""
    if wrap == "clamp":
        return min(max(index, 0), size - 1)
    if wrap == "wrap":
        return index % size
    while not 0 <= index < size:
        index = -1 - index if index < 0 else 2 * size - 1 - index
    return index


def numpy_sample(texture, uv, filter, wrap):
    """Bilinear and nearest lookup of one (u, v) in an (h, w, C) texture."""
    height, width = texture.shape[:2]
    x, y = uv[0] * width - 0.5, (1 - uv[1]) * height - 0.5
    if filter == "nearest":
        return texture[fold(int(np.rint(y)), height, wrap), fold(int(np.rint(x)), width, wrap)]
    left, top = int(np.floor(x)), int(np.floor(y))
    color = 0
    for i, j in itertools.product((0, 1), repeat=2):
        weight = (y - top if i else 1 - y + top) * (x - left if j else 1 - x + left)
        color = color + weight * texture[fold(top + i, height, wrap), fold(left + j, width, wrap)]
    return color


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("size", [(5, 8), (1, 3), (4, 1)])
def test_lookup_against_numpy(device, filter, wrap, size):
    texture = random(*size, 3, device=device)
    uv = random(6, 20, 2, device=device) * 5 - 2
    sampled = sample_texture(texture, uv, filter=filter, wrap=wrap).cpu().numpy()
    expected = [
        numpy_sample(texture.cpu().numpy(), point, filter, wrap) for point in uv.cpu().numpy().reshape(-1, 2)
    ]
    np.testing.assert_allclose(sampled.reshape(-1, 3), np.array(expected), atol=1e-12)


@pytest.mark.parametrize("filter", ["nearest", "bilinear"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_texel_centres_give_the_texels(device, filter, wrap):
    height, width = 6, 9
    texture = torch.rand(height, width, 3, device=device)
    u = (torch.arange(width, device=device) + 0.5) / width
    v = 1 - (torch.arange(height, device=device) + 0.5) / height
    uv = torch.stack(torch.meshgrid(u, v, indexing="xy"), dim=-1)
    torch.testing.assert_close(sample_texture(texture, uv, filter=filter, wrap=wrap), texture)


def test_known_places(device):
    texture = torch.tensor([[1.0, 2.0], [3.0, 4.0]], device=device)[..., None]
    corners = torch.tensor([[[0.01, 0.99], [0.99, 0.99], [0.01, 0.01], [0.99, 0.01]]], device=device)
    nearest = sample_texture(texture, corners, filter="nearest")
    assert nearest.flatten().tolist() == [1, 2, 3, 4]
    middle = torch.full((1, 1, 2), 0.5, device=device)
    assert sample_texture(texture, middle).item() == pytest.approx(2.5)
    lower_left = torch.zeros(1, 1, 2, device=device)
    assert sample_texture(texture, lower_left, wrap="wrap").item() == pytest.approx(2.5)
    assert sample_texture(texture, lower_left, wrap="clamp").item() == pytest.approx(3)
    assert sample_texture(texture, lower_left, wrap="mirror").item() == pytest.approx(3)


def test_nearest_cells_are_half_open(device):
    texture = torch.arange(4.0, device=device).reshape(1, 4, 1)
    u = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0], device=device)
    uv = torch.stack([u, torch.full_like(u, 0.5)], dim=-1)[None]
    for wrap, last in zip(WRAPS, (0, 3, 3), strict=True):
        assert sample_texture(texture, uv, filter="nearest", wrap=wrap).flatten().tolist() == [
            0,
            1,
            2,
            3,
            last,
        ]


@pytest.mark.parametrize("filter", ["nearest", "bilinear", "trilinear"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_a_plain_texture_stays_plain(device, filter, wrap):
    texture = torch.full((7, 10, 2), 0.3, device=device)
    uv = torch.randn(5, 6, 2, device=device) * 3
    derivatives = torch.randn(5, 6, 2, 2, device=device)
    sampled = sample_texture(texture, uv, filter=filter, wrap=wrap, uv_derivatives=derivatives)
    torch.testing.assert_close(sampled, torch.full((5, 6, 2), 0.3, device=device))


@pytest.mark.parametrize("filter", ["nearest", "bilinear", "trilinear"])
@pytest.mark.parametrize(
    ("texture_batch", "uv_batch"),
    [
        ((), ()),
        ((), (3,)),
        ((3,), (3,)),
        ((3,), ()),
        ((2, 1), (2, 3)),
        ((3,), (2, 3)),
        ((2, 3), (1, 3)),
        ((1,), (4,)),
    ],
)
def test_batches_broadcast(device, filter, texture_batch, uv_batch):
    texture = random(*texture_batch, 4, 6, 3, device=device)
    uv = random(*uv_batch, 2, 5, 2, device=device) * 2
    derivatives = random(*uv_batch, 2, 5, 2, 2, device=device)
    batch = torch.broadcast_shapes(texture_batch, uv_batch)
    sampled = sample_texture(texture, uv, filter=filter, uv_derivatives=derivatives)
    assert sampled.shape == (*batch, 2, 5, 3)
    textures, uvs = texture.expand(*batch, 4, 6, 3), uv.expand(*batch, 2, 5, 2)
    derivatives = derivatives.expand(*batch, 2, 5, 2, 2)
    for index in np.ndindex(*batch):
        alone = sample_texture(textures[index], uvs[index], filter=filter, uv_derivatives=derivatives[index])
        torch.testing.assert_close(sampled[index], alone)


@pytest.mark.parametrize("filter", ["bilinear", "trilinear"])
@pytest.mark.parametrize("wrap", WRAPS)
def test_gradients(device, filter, wrap):
    texture = random(5, 4, 2, device=device).requires_grad_()
    uv = (random(2, 3, 4, 2, device=device) * 3 - 1).requires_grad_()
    derivatives = random(2, 3, 4, 2, 2, device=device).requires_grad_()

    def sample(texture, uv, derivatives):
        return sample_texture(texture, uv, filter=filter, wrap=wrap, uv_derivatives=derivatives)

    # CUDA sums grid_sample's gradients in no fixed order.
    assert torch.autograd.gradcheck(sample, (texture, uv, derivatives), nondet_tol=1e-12)


def test_nearest_has_a_gradient_to_the_texture_alone(device):
    texture = random(3, 3, 1, device=device).requires_grad_()
    uv = random(4, 5, 2, device=device).requires_grad_()
    sampled = sample_texture(texture, uv, filter="nearest")
    to_texture, to_uv = torch.autograd.grad(sampled.sum(), [texture, uv], allow_unused=True)
    assert to_texture.sum() == 20
    assert to_uv is None


def test_mipmaps_average(device):
    texture = random(2, 4, 8, 3, device=device)
    levels = mipmaps(texture)
    assert [tuple(level.shape) for level in levels] == [
        (2, 4, 8, 3),
        (2, 2, 4, 3),
        (2, 1, 2, 3),
        (2, 1, 1, 3),
    ]
    torch.testing.assert_close(levels[1], texture.reshape(2, 2, 2, 4, 2, 3).mean((2, 4)))
    torch.testing.assert_close(levels[3], texture.mean((1, 2), keepdim=True))
    odd = mipmaps(texture[0, :3, :5])
    assert [tuple(level.shape[:2]) for level in odd] == [(3, 5), (1, 2), (1, 1)]
    torch.testing.assert_close(odd[1][0, 0], texture[0, :3, :3].mean((0, 1)))


def picture_uv(pixels, device):
    """A texture that fills a picture of so many pixels a side, and its derivatives."""
    centre = (torch.arange(pixels, dtype=torch.float64, device=device) + 0.5) / pixels
    uv = torch.stack(torch.meshgrid(centre, 1 - centre, indexing="xy"), dim=-1)
    step = torch.tensor([[1 / pixels, 0], [0, -1 / pixels]], dtype=torch.float64, device=device)
    return uv, step.expand(pixels, pixels, 2, 2)


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_minification_picks_the_level_of_its_ratio(device, level):
    texture = random(64, 64, 3, device=device)
    uv, derivatives = picture_uv(64 >> level, device)
    sampled = sample_texture(texture, uv, filter="trilinear", uv_derivatives=derivatives)
    torch.testing.assert_close(sampled, mipmaps(texture)[level])


def test_between_levels_and_beyond_them(device):
    texture = random(16, 16, 3, device=device)
    uv = random(6, 6, 2, device=device)
    _, step = picture_uv(16, device)
    step = step[:6, :6]
    levels = [sample_texture(level, uv) for level in mipmaps(texture)]

    def trilinear(factor):
        return sample_texture(texture, uv, filter="trilinear", uv_derivatives=step * factor)

    torch.testing.assert_close(trilinear(2**1.25), 0.75 * levels[1] + 0.25 * levels[2])
    torch.testing.assert_close(trilinear(1000), levels[4])
    torch.testing.assert_close(trilinear(0.1), levels[0])
    torch.testing.assert_close(trilinear(0), levels[0])
    # The longer of the two pixel steps counts: here down the rows.
    stretched = step * torch.tensor([1.0, 4.0], dtype=torch.float64, device=device)
    torch.testing.assert_close(
        sample_texture(texture, uv, filter="trilinear", uv_derivatives=stretched), levels[2]
    )


def test_level_counts_texels_of_textures_that_are_not_square(device):
    texture = random(4, 32, 3, device=device)
    uv = random(3, 3, 2, device=device)
    derivatives = torch.tensor([[4 / 32, 0], [0, 1 / 4]], dtype=torch.float64, device=device).expand(
        3, 3, 2, 2
    )
    torch.testing.assert_close(
        sample_texture(texture, uv, filter="trilinear", uv_derivatives=derivatives),
        sample_texture(mipmaps(texture)[2], uv),
    )


def interpolate(points, attributes, pixel, perspective):
    """Exact attributes at a pixel, where its ray (or parallel) cuts the triangle; focal length 1."""
    x, y = float(pixel[0]), float(pixel[1])
    if perspective:
        weights = np.linalg.solve(points.T, [x, y, 1.0])
    else:
        weights = np.linalg.solve(np.vstack([points[:, :2].T, np.ones(3)]), [x, y, 1.0])
    weights = weights / weights.sum()
    return weights @ attributes, weights


@pytest.mark.parametrize("perspective", [True, False])
def test_derivatives_against_finite_differences(device, perspective):
    generator = np.random.default_rng(0)
    for _ in range(20):
        points = generator.normal(size=(3, 3))
        points[:, 2] = generator.uniform(1, 5, 3)
        attributes = generator.normal(size=(3, 4))
        screen = points[:, :2] / points[:, 2:] if perspective else points[:, :2]
        pixel = generator.dirichlet([1, 1, 1]) @ screen
        _, weights = interpolate(points, attributes, pixel, perspective)
        step = 1e-6
        expected = np.stack(
            [
                (
                    interpolate(points, attributes, pixel + step * axis, perspective)[0]
                    - interpolate(points, attributes, pixel - step * axis, perspective)[0]
                )
                / (2 * step)
                for axis in np.eye(2)
            ],
            axis=-1,
        )
        arguments = [torch.tensor(a, device=device) for a in (screen, points[:, 2], attributes, weights)]
        derivatives = attribute_derivatives(*arguments, perspective=perspective)
        np.testing.assert_allclose(derivatives.cpu().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_derivatives_are_batched_and_differentiable(device):
    corners = random(2, 3, 3, 2, device=device).requires_grad_()
    depths = (random(2, 3, 3, device=device) + 1).requires_grad_()
    attributes = random(2, 3, 3, 2, device=device).requires_grad_()
    weights = random(2, 3, 3, device=device).requires_grad_()
    result = attribute_derivatives(corners, depths, attributes, weights, perspective=True)
    assert result.shape == (2, 3, 2, 2)
    alone = attribute_derivatives(
        corners[1, 2], depths[1, 2], attributes[1, 2], weights[1, 2], perspective=True
    )
    torch.testing.assert_close(result[1, 2], alone)
    assert torch.autograd.gradcheck(
        lambda *inputs: attribute_derivatives(*inputs, perspective=True),
        (corners, depths, attributes, weights),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_triangles_without_area_have_no_derivatives(device, dtype):
    corners = torch.tensor(
        [
            [[5, 5], [5, 5], [5, 5]],  # a point
            [[0, 0], [1, 1], [3, 3]],  # a line
            [[0.1, 0.1], [0.7, 0.7], [900.3, 900.3]],  # a line up to rounding
            [[0, 0], [0, 0], [0, 0]],  # nothing, with depth 0
        ],
        dtype=dtype,
        device=device,
    ).requires_grad_()
    depths = torch.tensor([[1, 2, 3]] * 3 + [[0, 0, 0]], dtype=dtype, device=device).requires_grad_()
    weights = torch.full((4, 3), 1 / 3, dtype=dtype, device=device)
    attributes = torch.rand(4, 3, 2, dtype=dtype, device=device)
    derivatives = attribute_derivatives(corners, depths, attributes, weights, perspective=True)
    assert (derivatives == 0).all()
    for gradient in torch.autograd.grad(derivatives.sum(), [corners, depths]):
        assert gradient.isfinite().all()


def test_sub_pixel_triangles_keep_their_derivatives(device):
    corners = 1e-4 * torch.tensor([[0, 0], [1, 0], [0, 1]], dtype=torch.float32, device=device)
    attributes = torch.tensor([[0], [1], [0]], dtype=torch.float32, device=device)
    ones = torch.ones(3, device=device)
    derivatives = attribute_derivatives(corners, ones, attributes, ones / 3, perspective=True)
    torch.testing.assert_close(derivatives, torch.tensor([[1e4, 0]], device=device))


def test_wrong_input_is_named(device):
    texture, uv = torch.zeros(2, 4, 4, 3, device=device), torch.zeros(3, 5, 5, 2, device=device)
    with pytest.raises(InputError, match=r"texture must have shape \(\.\.\., h, w, C\), got \(4, 4\)"):
        sample_texture(torch.zeros(4, 4, device=device), uv)
    with pytest.raises(InputError, match=r"uv must have shape \(\.\.\., H, W, 2\), got \(5, 5, 3\)"):
        sample_texture(texture, torch.zeros(5, 5, 3, device=device))
    with pytest.raises(InputError, match=r"texture \(2, 4, 4, 3\) and uv \(3, 5, 5, 2\) do not broadcast"):
        sample_texture(texture, uv)
    with pytest.raises(InputError, match="filter must be 'nearest', 'bilinear' or 'trilinear', got 'cubic'"):
        sample_texture(texture, uv[:2], filter="cubic")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="wrap must be 'wrap', 'clamp' or 'mirror', got 'repeat'"):
        sample_texture(texture, uv[:2], wrap="repeat")  # type: ignore[arg-type]
    with pytest.raises(
        InputError, match=r"trilinear needs uv_derivatives of shape \(2, 5, 5, 2, 2\), got None"
    ):
        sample_texture(texture, uv[:2], filter="trilinear")
