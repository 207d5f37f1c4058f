"""SoftRas's meshes, light and OBJ files."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

import unrender.compat.soft_renderer as sr
from unrender.errors import InputError
from unrender.geometry import icosphere

srf = sr.functional

# faces that look up, to +x, and down
ROOF = torch.tensor([[0.0, 0, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 2]])
ROOF_FACES = torch.tensor([[0, 1, 2], [0, 3, 1], [0, 2, 1]])


def roof(device, batch=1, **kwargs) -> sr.Mesh:
    vertices = ROOF.to(device).expand(batch, -1, -1)
    return sr.Mesh(vertices, ROOF_FACES.to(device).expand(batch, -1, -1), **kwargs)


def test_mesh_adds_batch_dimensions_and_white_textures(device):
    mesh = sr.Mesh(ROOF.to(device), ROOF_FACES.to(device), texture_res=3)
    assert (mesh.batch_size, mesh.num_vertices, mesh.num_faces, mesh.texture_res) == (1, 5, 3, 3)
    assert mesh.textures.shape == (1, 3, 9, 3)
    assert bool((mesh.textures == 1).all())
    assert mesh.device == mesh.vertices.device
    colored = sr.Mesh(ROOF.numpy(), ROOF_FACES.numpy(), np.ones((5, 3)), texture_type="vertex")
    assert colored.textures.shape == (1, 5, 3)
    assert colored.textures.dtype == torch.float32
    assert colored.faces.dtype == torch.int32
    assert colored.face_textures.shape == (1, 3, 3, 3)
    shared = sr.Mesh(ROOF.expand(4, -1, -1), ROOF_FACES, torch.ones(3, 4, 3))
    assert shared.faces.shape == (4, 3, 3)
    assert shared.textures.shape == (4, 3, 4, 3)
    assert shared.texture_res == 2


def test_corners_and_normals(device):
    mesh = roof(device)
    assert torch.equal(mesh.face_vertices[0], ROOF.to(device)[ROOF_FACES.to(device)])
    expected = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, -1, 0]], device=device)
    torch.testing.assert_close(mesh.surface_normals[0], expected)
    # vertex 3 has only the sideways face; the two opposite ones cancel at the others
    normals = mesh.vertex_normals[0].cpu()
    torch.testing.assert_close(normals[:4], torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0]]))
    assert normals[4].tolist() == [0, 0, 0]


def test_vertex_normals_of_meshes_with_faces_of_their_own(device):
    sphere = icosphere(1)
    vertices = torch.stack([sphere.vertices, 2 * sphere.vertices.flip(0)]).to(device)
    faces = torch.stack([sphere.faces, len(sphere.vertices) - 1 - sphere.faces]).to(device)
    normals = srf.vertex_normals(vertices, faces.int())
    torch.testing.assert_close(normals[1], normals[0].flip(0))
    torch.testing.assert_close(normals[0], vertices[0], atol=0.01, rtol=0)


def test_fill_back_and_reset(device):
    mesh = roof(device)
    mesh.fill_back_()
    mesh.fill_back_()
    assert mesh.faces[0].tolist() == ROOF_FACES.tolist() + ROOF_FACES[:, [2, 1, 0]].tolist()
    assert mesh.textures.shape == mesh.face_textures.shape == (1, 6, 1, 3)
    mesh.vertices = mesh.vertices + 1
    mesh.reset_()
    assert torch.equal(mesh.vertices[0], ROOF.to(device))
    assert mesh.num_faces == 3
    assert mesh.textures.shape == (1, 3, 1, 3)


def test_default_light_on_faces(device):
    lit = sr.Lighting()(roof(device))
    expected = [1.0, 0.5, 0.5]  # from above, from the side, from below
    torch.testing.assert_close(lit.textures[0, :, 0].cpu(), torch.tensor(expected)[:, None].expand(3, 3))


def test_coloured_light_multiplies_textures_and_spares_the_mesh(device):
    textures = torch.rand(1, 3, 4, 3, device=device)
    mesh = roof(device, textures=textures.clone())
    slanted = (math.sin(math.radians(60)), math.cos(math.radians(60)), 0)
    light = sr.Lighting(
        intensity_ambient=0.2,
        color_ambient=(1, 0, 0.5),
        intensity_directionals=0.8,
        color_directionals=np.array([0.0, 1, 1]),
        directions=slanted,
    )
    light.directionals.append(sr.DirectionalLighting(0.3, (1, 1, 0), (0, -1, 0)))
    cosines = torch.tensor([[0.5, 0], [math.sin(math.radians(60)), 0], [0, 1]])
    shades = 0.2 * torch.tensor([1, 0, 0.5]) + cosines @ torch.tensor([[0, 0.8, 0.8], [0.3, 0.3, 0]])
    torch.testing.assert_close(light(mesh).textures.cpu(), textures.cpu() * shades[:, None])
    assert torch.equal(mesh.textures, textures)


def test_light_on_vertices(device):
    colors = torch.rand(1, 5, 3, device=device)
    mesh = roof(device, textures=colors, texture_type="vertex")
    lit = sr.Lighting("vertex", directions=[1, 0, 0])(mesh)
    shades = torch.tensor([1.0, 1, 0.5, 1, 0.5], device=device)[:, None]
    torch.testing.assert_close(lit.textures, colors * shades)


def test_lights_of_a_batch(device):
    colors = torch.tensor([[1.0, 0, 0], [0, 0, 1]], device=device, requires_grad=True)
    intensity = torch.tensor(0.5, device=device, requires_grad=True)
    lit = sr.Lighting(intensity_ambient=intensity, color_ambient=colors)(roof(device, batch=2))
    torch.testing.assert_close(lit.textures[:, 1, 0], 0.5 * colors)
    lit.textures.sum().backward()
    assert colors.grad is not None
    assert intensity.grad is not None
    torch.testing.assert_close(colors.grad, torch.full_like(colors, 1.5))
    assert float(intensity.grad) == 6.0


def test_functions_of_light_leave_their_input(device):
    light = torch.full((1, 2, 3), 0.25, device=device)
    assert srf.ambient_lighting(light)[0, 0].tolist() == [0.75] * 3
    normals = torch.tensor([[[0.0, 0.6, 0.8], [0, -1, 0]]], device=device)
    added = srf.directional_lighting(light, normals, 1.0, (0, 0.5, 1))
    torch.testing.assert_close(added[0].cpu(), torch.tensor([[0.25, 0.55, 0.85], [0.25, 0.25, 0.25]]))
    assert bool((light == 0.25).all())


def write_ramp(folder):
    """A picture whose red is u and green is v, with texel centres at 0, 1 / 255, …, 1."""
    along = np.arange(256, dtype=np.uint8)
    ramp = np.zeros((256, 256, 3), np.uint8)
    ramp[..., 0], ramp[..., 1] = along, along[::-1, None]
    Image.fromarray(ramp).save(folder / "ramp.png")


def test_textures_are_read_at_the_middle_of_each_small_triangle(tmp_path):
    write_ramp(tmp_path)
    (tmp_path / "quad.mtl").write_text(
        "newmtl ramp\nKd 1 0 0\nmap_Kd ramp.png\nnewmtl plain\nKd 0.1 0.2 0.3\nmap_Ks missing.png\n"
    )
    (tmp_path / "quad.obj").write_text(
        "mtllib quad.mtl\nv 0 0 0\nv 4 0 0\nv 4 2 0\nv 0 2 0\n"
        "vt 0.2 0.1\nvt 0.8 0.1\nvt 0.8 0.7\nvt 0.2 0.7\nvt 1.2 2.1\nvt 1.8 2.1\nvt 1.8 2.7\n"
        "f 1 2 3\nusemtl ramp\nf 1/1 2/2 3/3 4/4\nf 1/5 2/6 3/7\nf 1 2 3\n"
        "usemtl plain\nf -4 -3 -2\nusemtl unknown\nf 2 3 4\n"
    )
    vertices, faces, textures = srf.load_obj(tmp_path / "quad.obj", load_texture=True, texture_res=2)
    assert faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2], [1, 2, 3]]
    assert faces.dtype == torch.int32
    assert vertices[2].tolist() == [4, 2, 0]
    # A face is cut into (0, 0) next to its third corner, (0, 1) next to its first, (1, 0) next to its second,
    # and (1, 1) in the middle.
    centroids = torch.tensor([[1, 1, 4], [4, 1, 1], [1, 4, 1], [2, 2, 2]]) / 6
    first = centroids @ torch.tensor([[0.2, 0.1], [0.8, 0.1], [0.8, 0.7]])
    second = centroids @ torch.tensor([[0.2, 0.1], [0.8, 0.7], [0.2, 0.7]])
    torch.testing.assert_close(textures[1, :, :2], first, atol=1e-5, rtol=0)
    torch.testing.assert_close(textures[2, :, :2], second, atol=1e-5, rtol=0)
    torch.testing.assert_close(textures[3, :, :2], first, atol=1e-5, rtol=0)  # pictures repeat
    assert textures[4, 0].tolist() == [1, 0, 0]  # no coordinates: the plain colour
    torch.testing.assert_close(textures[5], torch.tensor([0.1, 0.2, 0.3]).expand(4, 3))
    assert bool((textures[[0, 6]] == 1).all())


@pytest.mark.parametrize("size", [1, 3, 4])
def test_texels_read_are_those_drawn(tmp_path, size):
    """The grid is filled and sampled in the same order: a picture of one face shows its own barycentrics."""
    write_ramp(tmp_path)
    (tmp_path / "t.mtl").write_text("newmtl ramp\nmap_Kd ramp.png\n")
    (tmp_path / "t.obj").write_text(
        "mtllib t.mtl\nusemtl ramp\nv -1 -1 2\nv 1 -1 2\nv -1 1 2\nvt 1 0\nvt 0 1\nvt 0 0\nf 1/1 2/2 3/3\n"
    )
    vertices, faces, textures = srf.load_obj(tmp_path / "t.obj", load_texture=True, texture_res=size)
    drawn = srf.soft_rasterize(
        vertices[faces.long()][None], textures[None], 30, dist_func="hard", gamma_val=1e-3
    )[0]
    along = (torch.arange(30) + 0.5) / 30  # from left to right: weight of the second corner
    inside = drawn[3] > 0.5
    assert int(inside.sum()) > 400
    weight_1 = along.expand(30, 30)[inside]
    weight_0 = 1 - weight_1 - (1 - along[:, None]).expand(30, 30)[inside]
    torch.testing.assert_close(drawn[0][inside], weight_0, atol=2 / 3 / size + 1e-3, rtol=0)
    torch.testing.assert_close(drawn[1][inside], weight_1, atol=2 / 3 / size + 1e-3, rtol=0)


def test_normalisation_centres_the_box(tmp_path):
    (tmp_path / "m.obj").write_text("v 1 1 1\nv 5 2 1\nv 1 3 4\nf 1 2 3\n")
    vertices, _ = srf.load_obj(tmp_path / "m.obj", normalization=True)
    torch.testing.assert_close(vertices.amin(0), torch.tensor([-1, -0.5, -0.75]))
    torch.testing.assert_close(vertices.amax(0), torch.tensor([1, 0.5, 0.75]))


def test_files_without_the_colours_asked_for_are_named(tmp_path):
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="has no materials"):
        sr.Mesh.from_obj(tmp_path / "m.obj", load_texture=True)
    with pytest.raises(InputError, match="three colours after the position"):
        sr.Mesh.from_obj(tmp_path / "m.obj", load_texture=True, texture_type="vertex")
    (tmp_path / "m.obj").write_text("mtllib gone.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match=r"gone\.mtl"):
        sr.Mesh.from_obj(tmp_path / "m.obj", load_texture=True)
    assert sr.Mesh.from_obj(tmp_path / "m.obj").num_faces == 1


@pytest.mark.parametrize("size", [1, 3])
def test_surface_textures_survive_a_file(tmp_path, size):
    sphere = icosphere(1)
    generator = torch.Generator().manual_seed(2)
    textures = torch.rand(1, sphere.num_faces, size * size, 3, generator=generator)
    mesh = sr.Mesh(sphere.vertices, sphere.faces, textures)
    mesh.save_obj(tmp_path / "ball.obj", save_texture=True, texture_res_out=24)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ball.mtl", "ball.obj", "ball.png"]
    read = sr.Mesh.from_obj(tmp_path / "ball.obj", load_texture=True, texture_res=size)
    torch.testing.assert_close(read.vertices, mesh.vertices, atol=1e-6, rtol=0)
    assert torch.equal(read.faces, mesh.faces.int())
    torch.testing.assert_close(read.textures, textures, atol=0.01, rtol=0)


def test_vertex_colours_survive_a_file(tmp_path):
    colors = torch.rand(5, 3)
    sr.Mesh(ROOF, ROOF_FACES, colors, texture_type="vertex").save_obj(
        tmp_path / "roof.obj", save_texture=True
    )
    read = sr.Mesh.from_obj(tmp_path / "roof.obj", load_texture=True, texture_type="vertex")
    assert read.texture_type == "vertex"
    torch.testing.assert_close(read.textures[0], colors, atol=1e-5, rtol=0)


def test_cells_of_the_texture_picture_show_their_faces():
    textures = torch.rand(7, 4, 3, generator=torch.Generator().manual_seed(4))
    picture, uvs = srf.create_texture_image(textures, 9)
    assert uvs.shape == (7, 3, 2)
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    height, width = picture.shape[:2]
    for face, corners in enumerate(uvs):
        for texel, corner in ((1, 0), (2, 1), (0, 2)):  # the small triangles next to the corners
            u, v = corners[corner]
            color = picture[int((1 - v) * height), int(u * width)]
            np.testing.assert_allclose(color, textures[face, texel])


def test_meshes_of_a_batch_are_not_saved(tmp_path, device):
    with pytest.raises(InputError, match="one mesh at a time, got a batch of 2"):
        roof(device, batch=2).save_obj(tmp_path / "two.obj")


def test_voxels(device, tmp_path):
    sphere = icosphere(2)
    mesh = sr.Mesh(0.35 * sphere.vertices.to(device), sphere.faces.to(device))
    solid = mesh.voxelize(16)
    assert solid.shape == (1, 16, 16, 16)
    assert solid.dtype == torch.int32
    ball = 4 / 3 * math.pi * (0.35 * 16 / 15 * 16) ** 3
    assert ball < int(solid.sum()) < 1.6 * ball
    corners = mesh.face_vertices * 16 / 15 + 0.5
    assert torch.equal(srf.voxelization(corners * 16, 16, normalize=True), solid)
    srf.save_voxel(tmp_path / "v.obj", solid[0])
    points = [line.split() for line in (tmp_path / "v.obj").read_text().splitlines()]
    assert len(points) == int(solid.sum())
    assert {p[0] for p in points} == {"v"}
    cells = torch.tensor([[float(x) for x in p[1:]] for p in points]) * 16
    assert bool(solid[0].cpu()[tuple(cells.long().T)].all())


def test_wrong_meshes_are_named(device):
    with pytest.raises(InputError, match=r"faces must have shape \(1, F, 3\), got \(1, 3, 4\)"):
        sr.Mesh(ROOF, torch.zeros(3, 4).int())
    with pytest.raises(InputError, match=r"textures must have shape \(1, 3, R \* R, 3\), got \(1, 4, 1, 3\)"):
        sr.Mesh(ROOF, ROOF_FACES, torch.ones(4, 1, 3))
    with pytest.raises(InputError, match=r"textures must have shape \(1, 5, 3\), got \(1, 3, 3\)"):
        sr.Mesh(ROOF, ROOF_FACES, torch.ones(3, 3), texture_type="vertex")
    with pytest.raises(InputError, match="texture_type must be 'surface' or 'vertex', got 'uv'"):
        sr.Mesh(ROOF, ROOF_FACES, texture_type="uv")
    with pytest.raises(InputError, match="light_mode must be 'surface' or 'vertex', got 'face'"):
        sr.Lighting("face")
    with pytest.raises(InputError, match="the mesh's texture_type 'surface', got 'vertex'"):
        sr.Lighting("vertex")(roof(device))
