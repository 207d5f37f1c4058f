import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere, merge, uv_sphere, vertex_normals


def look_up(texture: torch.Tensor, uvs: torch.Tensor) -> torch.Tensor:
    """Bilinear look-up, clamped at the border of the whole picture."""
    grid = torch.stack([2 * uvs[:, 0] - 1, 1 - 2 * uvs[:, 1]], -1)[None, None]
    picture = texture.permute(2, 0, 1)[None]
    sampled = torch.nn.functional.grid_sample(
        picture, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled[0, :, 0].T


def textured(device, size, mesh=None) -> Mesh:
    mesh = mesh or cube(dtype=torch.float64, device=device)
    return mesh.replace(texture=torch.rand(*size, 3, dtype=torch.float64, device=device))


def test_vertex_colours_are_joined(device):
    meshes = [m.replace(vertex_colors=torch.rand_like(m.vertices)) for m in (icosphere(0), icosphere(1))]
    meshes = [m.to(device) for m in meshes]
    scene = merge(meshes)
    assert scene.num_faces == 100
    assert scene.vertex_colors is not None
    for part, mesh in zip(scene.faces.split([20, 80]), meshes, strict=True):
        assert torch.equal(scene.vertices[part], mesh.vertices[mesh.faces])
        assert mesh.vertex_colors is not None
        assert torch.equal(scene.vertex_colors[part], mesh.vertex_colors[mesh.faces])


def test_face_cubes_are_joined(device):
    meshes = [icosphere(n, device=device) for n in (0, 1)]
    cubes = [torch.rand(m.num_faces, 2, 2, 2, 3, device=device, requires_grad=True) for m in meshes]
    scene = merge([m.replace(face_cubes=c) for m, c in zip(meshes, cubes, strict=True)])
    assert scene.face_cubes is not None
    assert torch.equal(scene.face_cubes, torch.cat(cubes))
    assert all(g.all() for g in torch.autograd.grad(scene.face_cubes.sum(), cubes))
    with pytest.raises(InputError, match="either all meshes have face_cubes or none, got 1 of 2"):
        merge([meshes[0], meshes[1].replace(face_cubes=cubes[1])])


def test_textures_laid_side_by_side_look_the_same_everywhere(device):
    sizes = [(8, 8), (3, 17), (20, 5), (8, 9), (1, 1)]
    sphere = uv_sphere(6, 8, dtype=torch.float64, device=device)
    meshes = [textured(device, s, sphere if i == 2 else None) for i, s in enumerate(sizes)]
    scene = merge(meshes)
    assert scene.texture is not None
    assert scene.uvs is not None
    height, width, _ = scene.texture.shape
    assert max(height, width) < 2 * min(height, width)
    parts = scene.uvs.split([len(m.uvs) for m in meshes if m.uvs is not None])
    for mesh, uvs in zip(meshes, parts, strict=True):
        assert mesh.texture is not None
        assert mesh.uvs is not None
        # Border UVs too: the repeated edge stands in for clamping.
        torch.testing.assert_close(look_up(scene.texture, uvs), look_up(mesh.texture, mesh.uvs))


def test_a_shared_texture_stays(device):
    texture = torch.rand(4, 4, 3, device=device)
    meshes = [cube(device=device).replace(texture=texture) for _ in range(2)]
    assert meshes[1].uvs is not None
    meshes[1] = meshes[1].replace(uvs=meshes[1].uvs * 3)
    scene = merge(meshes)
    assert scene.texture is texture
    assert scene.uvs is not None
    assert scene.uvs.max() == 3


def test_gradients_reach_every_field(device):
    meshes = [textured(device, (2, 3)), textured(device, (3, 2))]
    leaves = [getattr(m, n).clone().requires_grad_() for m in meshes for n in ("vertices", "uvs", "texture")]

    def flat(*fields) -> tuple[torch.Tensor, ...]:
        parts = [
            m.replace(vertices=v, uvs=u, texture=t)
            for m, v, u, t in zip(meshes, fields[::3], fields[1::3], fields[2::3], strict=True)
        ]
        scene = merge(parts)
        assert scene.uvs is not None
        assert scene.texture is not None
        return scene.vertices, scene.uvs, scene.texture

    for leaf in leaves[1::3]:
        leaf.data.clamp_(0.01, 0.99)
    assert torch.autograd.gradcheck(flat, leaves, fast_mode=True)


def test_missing_normals_are_computed(device):
    sphere, box = icosphere(0, device=device), cube(device=device)
    scene = merge([sphere.replace(normals=sphere.vertices), box])
    assert scene.normals is not None
    assert torch.equal(scene.normals, torch.cat([sphere.vertices, vertex_normals(box.vertices, box.faces)]))
    assert merge([sphere, box]).normals is None
    assert merge([sphere, box]).uvs is None


def test_wrong_input(device):
    with pytest.raises(InputError, match="at least one mesh"):
        merge([])
    box = textured(device, (4, 4))
    assert box.uvs is not None
    with pytest.raises(InputError, match="either all meshes have texture or none, got 1 of 2"):
        merge([box, box.replace(texture=None)])
    with pytest.raises(InputError, match=r"uvs must lie in \[0, 1\].* from 0 to 2"):
        merge([box, textured(device, (4, 4)).replace(uvs=box.uvs * 2)])
    grey = box.replace(texture=torch.rand(4, 4, 1, device=device))
    with pytest.raises(InputError, match=r"same channels, got \[1, 3\]"):
        merge([box, grey])
