import math

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from unrender.errors import InputError
from unrender.render.harmonics import (
    environment_directions,
    environment_to_sh,
    irradiance,
    rotate_sh,
    sh_basis,
    sh_to_environment,
)

ORDER = [(0, 0), (1, -1), (1, 0), (1, 1), (2, -2), (2, -1), (2, 0), (2, 1), (2, 2)]


def random_directions(count, device):
    return torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64, device=device), dim=-1)


def random_rotations(count, device):
    q, _ = torch.linalg.qr(torch.randn(count, 3, 3, dtype=torch.float64, device=device))
    return q * torch.linalg.det(q)[:, None, None]


def quadrature(device, degree=40):
    """Directions and weights that integrate polynomials over the sphere exactly (Gauss-Legendre in z)."""
    z, weight = np.polynomial.legendre.leggauss(degree)
    azimuth = np.arange(2 * degree) * np.pi / degree
    ring = np.sqrt(1 - z**2)
    directions = np.stack(
        [
            ring[:, None] * np.cos(azimuth),
            ring[:, None] * np.sin(azimuth),
            np.broadcast_to(z[:, None], (degree, 2 * degree)),
        ],
        -1,
    )
    weights = np.broadcast_to(weight[:, None] * np.pi / degree, directions.shape[:2])
    return (
        torch.tensor(directions.reshape(-1, 3), device=device),
        torch.tensor(weights.reshape(-1).copy(), device=device),
    )


def test_basis_is_the_real_form_of_scipys_harmonics(device):
    directions = random_directions(100, device)
    x, y, z = directions.cpu().numpy().T
    polar, azimuth = np.arccos(z), np.arctan2(y, x)
    for k, (degree, order) in enumerate(ORDER):
        value = sph_harm_y(degree, abs(order), polar, azimuth)
        sign = (-1) ** order * math.sqrt(2)  # drops the Condon-Shortley phase
        expected = value.real if order == 0 else sign * (value.real if order > 0 else value.imag)
        np.testing.assert_allclose(sh_basis(directions)[:, k].cpu().numpy(), expected, atol=1e-12)


def test_basis_is_orthonormal(device):
    directions, weights = quadrature(device)
    basis = sh_basis(directions)
    gram = basis.mT @ (weights[:, None] * basis)
    torch.testing.assert_close(gram, torch.eye(9, dtype=gram.dtype, device=device), atol=1e-12, rtol=0)


def test_irradiance_is_the_cosine_integral(device):
    coefficients = torch.randn(9, 3, dtype=torch.float64, device=device)
    normals = random_directions(20, device)
    directions, weights = quadrature(device, degree=400)
    radiance = sh_basis(directions) @ coefficients
    cosine = (normals @ directions.mT).relu()
    expected = (cosine * weights) @ radiance / math.pi
    torch.testing.assert_close(irradiance(coefficients, normals), expected, atol=1e-4, rtol=0)


def test_irradiance_of_a_smooth_environment_beyond_degree_two(device):
    # A sky of several soft lamps is not band-limited; nine coefficients still give its shading closely.
    directions, weights = quadrature(device, degree=100)
    lamps = random_directions(4, device)
    radiance = (3 * (directions @ lamps.mT - 1)).exp().sum(-1, keepdim=True)
    coefficients = sh_basis(directions).mT @ (weights[:, None] * radiance)
    normals = random_directions(20, device)
    expected = ((normals @ directions.mT).relu() * weights) @ radiance / math.pi
    torch.testing.assert_close(irradiance(coefficients, normals), expected, atol=0.02, rtol=0)


def test_uniform_light_leaves_a_white_surface_white(device):
    coefficients = torch.zeros(9, 1, device=device)
    coefficients[0] = 2 * math.sqrt(math.pi)
    shading = irradiance(coefficients, random_directions(5, device).float())
    torch.testing.assert_close(shading, torch.ones(5, 1, device=device))


def test_irradiance_is_batched(device):
    coefficients = torch.randn(2, 9, 3, device=device)
    normals = random_directions(8, device).float().reshape(2, 4, 3)
    for i in range(2):
        torch.testing.assert_close(
            irradiance(coefficients, normals)[i], irradiance(coefficients[i], normals[i])
        )


def test_rotation_moves_the_environment(device):
    coefficients = torch.randn(5, 9, 3, dtype=torch.float64, device=device)
    rotations = random_rotations(5, device)
    directions = random_directions(30, device)
    rotated = rotate_sh(coefficients, rotations)
    torch.testing.assert_close(
        sh_basis(directions @ rotations.mT) @ rotated, sh_basis(directions) @ coefficients
    )


def test_rotation_turns_a_lamp_overhead_to_the_right(device):
    above = sh_basis(torch.tensor([0.0, 1.0, 0.0], device=device))[:, None]
    y_to_x = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], device=device)
    right = sh_basis(torch.tensor([1.0, 0.0, 0.0], device=device))[:, None]
    torch.testing.assert_close(rotate_sh(above, y_to_x), right)


def test_environment_layout(device):
    directions = environment_directions(4, 8, device=device, dtype=torch.float64)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(4, 8, dtype=torch.float64, device=device))
    assert (directions[0, :, 1] > 0.9).all()
    assert (directions[-1, :, 1] < -0.9).all()
    middle = directions[1:3].mean(0)
    assert middle[3:5].mean(0)[2] < -0.8
    assert middle[5:7].mean(0)[0] > 0.6
    assert abs(middle[5:7].mean(0)[2]) < 1e-12


@pytest.mark.parametrize("size", [(3, 5), (16, 32), (17, 40)])
def test_environment_round_trip(device, size):
    coefficients = torch.randn(2, 9, 3, dtype=torch.float64, device=device)
    picture = sh_to_environment(coefficients, *size)
    assert picture.shape == (2, *size, 3)
    torch.testing.assert_close(environment_to_sh(picture), coefficients)


def test_environment_projection_is_the_integral(device):
    def sky(directions):
        return (2 * directions[..., 1:] - directions[..., :1]).exp()

    directions, weights = quadrature(device)
    expected = sh_basis(directions).mT @ (weights[:, None] * sky(directions))
    picture = sky(environment_directions(128, 256, device=device, dtype=torch.float64))
    torch.testing.assert_close(environment_to_sh(picture), expected, atol=2e-3, rtol=1e-3)


def test_gradients(device):
    coefficients = torch.randn(2, 9, 2, dtype=torch.float64, device=device, requires_grad=True)
    normals = random_directions(6, device).reshape(2, 3, 3).requires_grad_()
    rotation = random_rotations(2, device).requires_grad_()
    picture = torch.rand(4, 6, 2, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(irradiance, (coefficients, normals))
    assert torch.autograd.gradcheck(rotate_sh, (coefficients, rotation))
    assert torch.autograd.gradcheck(environment_to_sh, (picture,))


def test_wrong_shapes_are_named(device):
    with pytest.raises(InputError, match=r"directions must have shape \(\.\.\., 3\), got \(4,\)"):
        sh_basis(torch.zeros(4, device=device))
    with pytest.raises(InputError, match=r"coefficients must have shape \(\.\.\., 9, C\), got \(9,\)"):
        irradiance(torch.zeros(9, device=device), torch.zeros(1, 3, device=device))
    with pytest.raises(InputError, match=r"rotation must have shape"):
        rotate_sh(torch.zeros(9, 1, device=device), torch.eye(4, device=device))
    with pytest.raises(InputError, match=r"H >= 3, W >= 5, C\), got \(2, 4, 3\)"):
        environment_to_sh(torch.zeros(2, 4, 3, device=device))
