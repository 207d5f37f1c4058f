import numpy as np
import pytest
import torch
from scipy import ndimage

from unrender.errors import InputError
from unrender.render.face_textures import sample_face_cubes, sample_face_textures


def random(*shape, device):
    return torch.rand(shape, dtype=torch.float64, device=device)


def random_barycentrics(*shape, device):
    weights = torch.distributions.Dirichlet(torch.ones(3, dtype=torch.float64)).sample(shape)
    return weights.to(device)


def softras_texel(w0, w1, size):
    """The published rule, cell by cell."""
    x, y = int(w0 * size), int(w1 * size)
    if (w0 + w1) * size - x - y <= 1:
        return y * size + x
    return (size - 1 - y) * size + (size - 1 - x)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_face_textures_follow_softras(device, size):
    textures = random(4, size, size, 3, device=device)
    rows = torch.randint(-1, 4, (2, 6, 7), device=device)
    barycentrics = random_barycentrics(2, 6, 7, device=device)
    sampled = sample_face_textures(textures, rows, barycentrics)
    assert sampled.shape == (2, 6, 7, 3)
    for index in np.ndindex(2, 6, 7):
        w0, w1, _ = barycentrics[index].tolist()
        if rows[index] < 0:
            assert (sampled[index] == 0).all()
        else:
            expected = textures[rows[index]].reshape(-1, 3)[softras_texel(w0, w1, size)]
            assert (sampled[index] == expected).all()


def test_face_texture_corners_and_edges_stay_inside(device):
    size = 3
    textures = torch.arange(9.0, device=device).reshape(1, size, size, 1)
    weights = torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1 / 3, 2 / 3, 0], [0.5, 0.5, 1e-9]], device=device
    )
    rows = torch.zeros(1, 5, dtype=torch.long, device=device)
    sampled = sample_face_textures(textures, rows, weights[None]).flatten().tolist()
    assert sampled[:3] == [2, 6, 0]
    assert set(sampled[3:]) <= {2, 4, 6}  # the three triangles that touch the edge opposite corner 2


def test_every_texel_of_a_face_covers_the_same_area(device):
    size = 3
    textures = torch.zeros(1, size, size, 1, dtype=torch.float64, device=device, requires_grad=True)
    weights = random_barycentrics(90, 1000, device=device)
    rows = torch.zeros(90, 1000, dtype=torch.long, device=device)
    (hits,) = torch.autograd.grad(sample_face_textures(textures, rows, weights).sum(), textures)
    torch.testing.assert_close(hits, torch.full_like(hits, 10000), rtol=0.05, atol=0)


def test_face_textures_are_batched(device):
    textures = random(2, 1, 4, 3, 3, 2, device=device).requires_grad_()
    rows = torch.randint(-1, 4, (2, 3, 2, 2), device=device)
    weights = random_barycentrics(2, 3, 2, 2, device=device)
    sampled = sample_face_textures(textures, rows, weights)
    for i, j in np.ndindex(2, 3):
        torch.testing.assert_close(
            sampled[i, j], sample_face_textures(textures[i, 0], rows[i, j], weights[i, j])
        )
    assert torch.autograd.gradcheck(lambda t: sample_face_textures(t, rows, weights), (textures,))


@pytest.mark.parametrize("size", [2, 3, 6])
def test_face_cubes_are_read_trilinearly(device, size):
    cubes = random(4, size, size, size, 3, device=device)
    rows = torch.randint(-1, 4, (2, 6, 7), device=device)
    barycentrics = random_barycentrics(2, 6, 7, device=device)
    sampled = sample_face_cubes(cubes, rows, barycentrics)
    assert sampled.shape == (2, 6, 7, 3)
    for face in range(4):
        chosen = rows == face
        place = (barycentrics[chosen] * (size - 1)).clamp(max=size - 1 - 1e-3).T.cpu().numpy()
        for channel in range(3):
            expected = ndimage.map_coordinates(cubes[face, ..., channel].cpu().numpy(), place, order=1)
            np.testing.assert_allclose(sampled[chosen][:, channel].cpu(), expected, atol=1e-12)
    assert (sampled[rows < 0] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_corners_of_face_cubes(device, dtype):
    size = 4
    cubes = torch.rand(1, size, size, size, 3, dtype=dtype, device=device)
    rows = torch.zeros(1, 4, dtype=torch.long, device=device)
    # one weight rounded above 1 and another below 0, as a rasterizer may give
    weights = torch.tensor(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1 + 1e-6, -1e-6, 0]], dtype=dtype, device=device
    )
    sampled = sample_face_cubes(cubes, rows, weights[None])[0]
    last = size - 1
    expected = torch.stack(
        [cubes[0, last, 0, 0], cubes[0, 0, last, 0], cubes[0, 0, 0, last], cubes[0, last, 0, 0]]
    )
    torch.testing.assert_close(sampled, expected, rtol=0, atol=1.01e-3)


def test_face_cubes_are_batched_and_differentiable(device):
    cubes = random(2, 1, 4, 3, 3, 3, 2, device=device).requires_grad_()
    rows = torch.randint(-1, 4, (2, 3, 2, 2), device=device)
    weights = random_barycentrics(2, 3, 2, 2, device=device).requires_grad_()
    sampled = sample_face_cubes(cubes, rows, weights)
    for i, j in np.ndindex(2, 3):
        alone = sample_face_cubes(cubes[i, 0], rows[i, j], weights[i, j])
        torch.testing.assert_close(sampled[i, j], alone)
    assert torch.autograd.gradcheck(lambda t: sample_face_cubes(t, rows, weights.detach()), (cubes,))
    _, none = torch.autograd.grad(sampled.sum(), [cubes, weights], allow_unused=True)
    assert none is None


def test_gradients_of_face_cubes_are_the_same_bits_in_every_run(device):
    cubes = torch.rand(3, 4, 4, 4, 3, device=device, requires_grad=True)
    rows = torch.randint(-1, 3, (200, 200), device=device)
    weights = random_barycentrics(200, 200, device=device).float()
    grad = torch.rand(200, 200, 3, device=device)
    runs = [torch.autograd.grad(sample_face_cubes(cubes, rows, weights), cubes, grad)[0] for _ in range(3)]
    assert all(torch.equal(runs[0], again) for again in runs[1:])


def test_wrong_input_is_named(device):
    rows = torch.zeros(3, 5, 5, dtype=torch.long, device=device)
    uv = torch.zeros(3, 5, 5, 2, device=device)
    with pytest.raises(InputError, match="face_textures must have shape"):
        sample_face_textures(torch.zeros(4, 3, 2, 3, device=device), rows, uv)
    with pytest.raises(InputError, match=r"barycentrics must have shape \(3, 5, 5, 3\), rows and 3, got"):
        sample_face_textures(torch.zeros(4, 3, 3, 3, device=device), rows, uv)
    for shape in [(4, 3, 3, 2, 3), (4, 1, 1, 1, 3), (3, 3, 3, 3)]:
        rule = r"face_cubes must have shape \(\.\.\., F, T, T, T, C\) with T at least 2, got"
        with pytest.raises(InputError, match=rule):
            sample_face_cubes(torch.zeros(shape, device=device), rows, uv)
    with pytest.raises(InputError, match=r"barycentrics must have shape \(3, 5, 5, 3\), rows and 3, got"):
        sample_face_cubes(torch.zeros(4, 3, 3, 3, 3, device=device), rows, uv)
