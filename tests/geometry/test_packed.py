import dataclasses

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, PackedMeshes, cube, icosphere, uv_sphere


def textured(device) -> list[Mesh]:
    meshes = [cube(device=device), uv_sphere(4, 5, device=device), cube(size=2.0, device=device)]
    sizes = [(4, 6), (8, 8), (2, 3)]
    return [m.replace(texture=torch.rand(*s, 3, device=device)) for m, s in zip(meshes, sizes, strict=True)]


def coloured(device) -> list[Mesh]:
    meshes = [icosphere(n, device=device) for n in (0, 2, 1)]
    return [m.replace(vertex_colors=torch.rand_like(m.vertices), normals=m.vertices.clone()) for m in meshes]


def with_face_textures(device) -> list[Mesh]:
    meshes = [icosphere(n, device=device) for n in (1, 0)]
    return [m.replace(face_textures=torch.rand(m.num_faces, 2, 2, 3, device=device)) for m in meshes]


def with_face_cubes(device) -> list[Mesh]:
    meshes = [icosphere(n, device=device) for n in (0, 1)]
    return [m.replace(face_cubes=torch.rand(m.num_faces, 3, 3, 3, 2, device=device)) for m in meshes]


@pytest.mark.parametrize("make", [textured, coloured, with_face_textures, with_face_cubes])
def test_unpack_undoes_pack(device, make):
    meshes = make(device)
    packed = PackedMeshes.pack(meshes)
    assert len(packed) == len(meshes)
    for before, after in zip(meshes, packed.unpack(), strict=True):
        for field in dataclasses.fields(Mesh):
            old, new = getattr(before, field.name), getattr(after, field.name)
            assert (old is None) == (new is None), field.name
            assert old is None or torch.equal(old, new), field.name


def test_indices_point_into_the_packed_fields(device):
    meshes = textured(device)
    packed = PackedMeshes.pack(meshes)
    assert packed.vertex_counts == (8, 17, 8)
    assert packed.vertex_starts == (0, 8, 25, 33)
    assert packed.face_counts == (12, 30, 12)
    assert packed.face_starts == (0, 12, 42, 54)
    assert packed.faces.dtype == torch.int64
    for i, mesh in enumerate(meshes):
        rows = slice(packed.face_starts[i], packed.face_starts[i + 1])
        assert torch.equal(packed.vertices[packed.faces[rows]], mesh.vertices[mesh.faces])
        assert packed.uvs is not None
        assert packed.uv_faces is not None
        assert mesh.uvs is not None
        assert torch.equal(packed.uvs[packed.uv_faces[rows]], mesh.uvs[mesh.uv_faces])
    assert [tuple(t.shape) for t in packed.textures] == [(4, 6, 3), (8, 8, 3), (2, 3, 3)]


def test_gradients_reach_every_field(device):
    meshes = textured(device)
    leaves = [getattr(m, n).requires_grad_() for m in meshes for n in ("vertices", "uvs", "texture")]
    packed = PackedMeshes.pack(meshes)
    assert packed.uvs is not None
    loss = packed.vertices.sum() + 2 * packed.uvs.sum() + sum(3 * t.sum() for t in packed.textures)
    for leaf, gradient in zip(leaves, torch.autograd.grad(loss, leaves), strict=True):
        assert torch.equal(gradient, torch.full_like(leaf, gradient.flatten()[0].item()))
        assert gradient.any()


def test_to(device):
    packed = PackedMeshes.pack(coloured("cpu")).to(torch.float64).to(device)
    assert packed.dtype == torch.float64
    assert packed.device.type == device.type
    assert packed.faces.dtype == torch.int64
    assert packed.vertex_colors is not None
    assert packed.vertex_colors.dtype == torch.float64


def test_wrong_input(device):
    sphere = icosphere(0, device=device)
    with pytest.raises(InputError, match="at least one mesh"):
        PackedMeshes.pack([])
    with pytest.raises(InputError, match=r"no batch dimensions, got vertices \(2, 12, 3\)"):
        PackedMeshes.pack([sphere.replace(vertices=sphere.vertices.expand(2, -1, -1))])
    with pytest.raises(InputError, match="either all meshes have vertex_colors or none, got 1 of 2"):
        PackedMeshes.pack([sphere, sphere.replace(vertex_colors=sphere.vertices)])
    textures = [sphere.replace(face_textures=torch.zeros(20, r, r, 3, device=device)) for r in (1, 2)]
    with pytest.raises(InputError, match="face_textures of all meshes must agree"):
        PackedMeshes.pack(textures)
    cubes = [sphere.replace(face_cubes=torch.zeros(20, t, t, t, 3, device=device)) for t in (2, 3)]
    with pytest.raises(InputError, match="face_cubes of all meshes must agree"):
        PackedMeshes.pack(cubes)
    batched = sphere.replace(face_cubes=torch.zeros(1, 20, 2, 2, 2, 3, device=device))
    with pytest.raises(InputError, match=r"no batch dimensions, got face_cubes \(1, 20, 2, 2, 2, 3\)"):
        PackedMeshes.pack([batched])
