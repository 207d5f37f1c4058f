import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import gather_corners, gather_rows, icosphere, scatter_corners
from unrender.geometry.corners import _sum_in_order, _sum_sorted


def test_gather_is_indexing(device):
    faces = icosphere(1, device=device).faces
    values = torch.randn(2, 3, 42, 5, device=device)
    torch.testing.assert_close(gather_corners(values, faces), values[:, :, faces], rtol=0, atol=0)


def test_scatter_is_the_adjoint_of_gather(device):
    faces = icosphere(1, device=device).faces
    x = torch.randn(4, 42, 3, device=device, dtype=torch.float64)
    y = torch.randn(4, 80, 3, 3, device=device, dtype=torch.float64)
    lhs = (gather_corners(x, faces) * y).sum()
    rhs = (x * scatter_corners(y, faces, 42)).sum()
    torch.testing.assert_close(lhs, rhs, rtol=1e-12, atol=1e-12)


def test_scatter_leaves_unnamed_vertices_zero(device):
    faces = torch.tensor([[0, 1, 3]], device=device)
    sums = scatter_corners(torch.ones(1, 3, 2, device=device), faces, 5)
    assert sums[:, 0].tolist() == [1, 1, 0, 1, 0]


@pytest.mark.parametrize("function", ["gather", "scatter"])
def test_first_and_second_derivatives(device, function):
    faces = torch.tensor([[0, 1, 2], [2, 1, 3], [0, 0, 3]], device=device)
    if function == "gather":
        x = torch.randn(2, 4, 2, dtype=torch.float64, device=device, requires_grad=True)

        def squares(v):
            return gather_corners(v, faces).square()
    else:
        x = torch.randn(2, 3, 3, 2, dtype=torch.float64, device=device, requires_grad=True)

        def squares(v):
            return scatter_corners(v, faces, 4).square()

    assert torch.autograd.gradcheck(squares, (x,))
    assert torch.autograd.gradgradcheck(squares, (x,))


def test_gradient_is_the_same_bits_on_every_run(device):
    faces = icosphere(4, device=device).faces
    values = torch.randn(4, 2562, 3, device=device, requires_grad=True)
    weights = torch.randn(4, 5120, 3, 3, device=device)
    runs = [torch.autograd.grad((gather_corners(values, faces) * weights).sum(), values)[0] for _ in range(5)]
    assert all(torch.equal(runs[0], run) for run in runs)


def test_sorted_sum_of_cuda_agrees_with_sum_of_cpu(device):
    targets = torch.randint(0, 40, (500,), device=device)
    rows = torch.randn(3, 500, 2, device=device, dtype=torch.float64)
    torch.testing.assert_close(_sum_sorted(rows, targets, 50), _sum_in_order(rows, targets, 50))


def test_gather_rows_has_indices_of_its_own_for_each_batch_element(device):
    values = torch.randn(2, 3, 7, 4, device=device)
    indices = torch.randint(0, 7, (2, 3, 11), device=device)
    expected = values.gather(-2, indices[..., None].expand(2, 3, 11, 4))
    assert torch.equal(gather_rows(values, indices), expected)


def test_wrong_shapes(device):
    faces = torch.zeros(2, 3, dtype=torch.long, device=device)
    with pytest.raises(InputError, match=r"values must have shape \(..., V, C\), got \(3,\)"):
        gather_corners(torch.zeros(3, device=device), faces)
    with pytest.raises(InputError, match=r"values must have shape \(..., 2, 3, C\), got \(5, 3, 1\)"):
        scatter_corners(torch.zeros(5, 3, 1, device=device), faces, 4)
    with pytest.raises(InputError, match="batch dimensions"):
        gather_rows(torch.zeros(2, 4, 3, device=device), faces[None])
