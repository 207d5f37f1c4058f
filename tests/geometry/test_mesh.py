import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, icosphere


def with_cubes(device, *shape: int) -> Mesh:
    return icosphere(0, device=device).replace(face_cubes=torch.rand(shape, device=device))


def test_face_cubes_take_part_in_batches(device):
    mesh = with_cubes(device, 4, 1, 20, 2, 2, 2, 3)
    vertices = mesh.vertices.expand(4, 5, -1, -1)
    batch = mesh.replace(vertices=vertices)
    assert batch.all_batch_shape == (4, 5)
    one = batch[2]
    assert one.face_cubes is not None
    assert mesh.face_cubes is not None
    assert torch.equal(one.face_cubes, mesh.face_cubes[2].expand(5, -1, -1, -1, -1, -1))
    shared = with_cubes(device, 20, 2, 2, 2, 3).replace(vertices=vertices)
    assert shared[2].face_cubes is shared.face_cubes


def test_face_cubes_are_cast_and_detached(device):
    mesh = with_cubes(device, 20, 3, 3, 3, 1)
    assert mesh.face_cubes is not None
    mesh.face_cubes.requires_grad_()
    detached = mesh.to(torch.float64).detach()
    assert detached.face_cubes is not None
    assert detached.face_cubes.dtype == torch.float64
    assert not detached.face_cubes.requires_grad


@pytest.mark.parametrize(
    "shape",
    [
        (19, 2, 2, 2, 3),
        (20, 2, 3, 2, 3),
        (20, 2, 2, 3, 3),
        (20, 3, 2, 2, 3),
        (20, 1, 1, 1, 3),
        (20, 2, 2, 3),
        (3,),
    ],
)
def test_face_cubes_of_the_wrong_shape_are_refused(device, shape):
    with pytest.raises(InputError, match=r"face_cubes must have shape \(\.\.\., 20, T, T, T, C\) with T at"):
        with_cubes(device, *shape)


def test_a_mesh_has_one_appearance(device):
    mesh = with_cubes(device, 20, 2, 2, 2, 3)
    with pytest.raises(InputError, match="at most one appearance, got face_textures and face_cubes"):
        mesh.replace(face_textures=torch.rand(20, 2, 2, 3, device=device))
    with pytest.raises(InputError, match="at most one appearance, got vertex_colors and face_cubes"):
        mesh.replace(vertex_colors=mesh.vertices)
