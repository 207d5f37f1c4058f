"""neural_renderer's OBJ files: reading them with cubes of colours, writing them, and its mesh."""

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from trimesh.visual import TextureVisuals

import unrender.compat.neural_renderer as nr
from unrender.errors import InputError
from unrender.geometry import icosphere

TETRAHEDRON = """
v 1 0 0
v 0 1 0
v 0 0 1
v 0 0 0
f 2 4 3
f 4// 2// 1//
f 3/1 1/1 4/1
f -4/1/1 -2/1/1 -1/1/1
"""
QUAD = """
mtllib quad.mtl
v -1 -1 0
v 1 -1 0
v 1 1 0
v -1 1 0
"""


@pytest.fixture
def quad(tmp_path):
    """A function that writes a square with uvs and a picture, and reads it as cubes (2, T, T, T, 3)."""

    def read(
        picture, *, uvs=((0, 0), (1, 0), (1, 1), (0, 1)), material="map_Kd quad.png", body=None, **options
    ):
        lines = [f"vt {u} {v}" for u, v in uvs] + ["usemtl paint", body or "f 1/1 2/2 3/3 4/4"]
        (tmp_path / "quad.obj").write_text(QUAD + "\n".join(lines))
        (tmp_path / "quad.mtl").write_text(f"newmtl paint\n{material}\n")
        if picture is not None:
            Image.fromarray(np.asarray(picture, np.uint8)).save(tmp_path / "quad.png")
        return nr.load_obj(tmp_path / "quad.obj", load_texture=True, **options)[2]

    return read


def corner_texels(cubes):
    """Colours at the three corners of every face: (F, 3, 3)."""
    return torch.stack([cubes[:, -1, 0, 0], cubes[:, 0, -1, 0], cubes[:, 0, 0, -1]], 1)


def test_published_tetrahedron(tmp_path):
    path = tmp_path / "tetrahedron.obj"
    path.write_text(TETRAHEDRON)
    vertices, faces = nr.load_obj(str(path), False)
    expected = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])
    assert torch.equal(vertices, expected)
    assert faces.tolist() == [[1, 3, 2], [3, 1, 0], [2, 0, 3], [0, 2, 3]]
    assert faces.dtype == torch.int32
    assert torch.equal(nr.load_obj(str(path), True)[0], expected * 2 - 1)


def test_normalization_centres_and_scales(tmp_path):
    path = tmp_path / "box.obj"
    path.write_text("v 3 -1 7\nv 13 3 7\nv 5 0 8\nf 1 2 3\n")
    vertices, _ = nr.load_obj(path)
    torch.testing.assert_close(vertices.amax(0), torch.tensor([1, 0.4, 0.1]))
    torch.testing.assert_close(vertices.amin(0), -torch.tensor([1, 0.4, 0.1]))


def test_polygons_become_fans(tmp_path):
    path = tmp_path / "fan.obj"
    path.write_text("v 0 0 0\nv 2 0 0\nv 2 1 0\nv 1 2 0\nv 0 1 0\nf 1 2 3 4 5\nf 1 3 5\n")
    _, faces = nr.load_obj(path)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 2, 4]]


def test_tensors_lie_on_the_default_device(device, tmp_path):
    path = tmp_path / "tetrahedron.obj"
    path.write_text(TETRAHEDRON + "mtllib none.mtl\nvt 0 0\n")
    (tmp_path / "none.mtl").write_text("newmtl white\nKd 1 1 1\n")
    with torch.device(device):
        loaded = nr.load_obj(path, load_texture=True)
    assert [t.device.type for t in loaded] == [device.type] * 3


def test_colors_of_materials(quad):
    assert torch.equal(
        quad(None, material="Kd 0.25 0.5 1"), torch.tensor([0.25, 0.5, 1]).expand(2, 4, 4, 4, 3)
    )
    assert torch.equal(quad(None, material="Ks 1 1 1"), torch.full((2, 4, 4, 4, 3), 0.5))
    undefined = "usemtl other\nf 1/1 2/2 3/3\nusemtl paint\nf 1/1 3/3 4/4"
    cubes = quad(None, material="Kd 1 0 0", body=undefined)
    assert torch.equal(cubes[:, 0, 0, 0], torch.tensor([[0.5, 0.5, 0.5], [1.0, 0, 0]]))


def test_picture_wins_over_color_where_there_are_uvs(quad):
    picture = np.full((2, 2, 3), 255)
    cubes = quad(picture, material="Kd 0 1 0\nmap_Kd quad.png", body="f 1/1 2/2 3/3\nf 1 3 4")
    assert torch.equal(cubes[:, 0, 0, 0], torch.tensor([[1.0, 1, 1], [0, 1, 0]]))


@pytest.mark.parametrize("channels", [1, 4])
def test_grey_and_transparent_pictures(quad, channels):
    picture = np.full((2, 2) if channels == 1 else (2, 2, 4), 51)
    torch.testing.assert_close(quad(picture), torch.full((2, 4, 4, 4, 3), 0.2))


@pytest.mark.parametrize("size", [2, 5])
def test_cubes_show_the_picture_at_their_weights(quad, size):
    """On a picture whose red grows with u and green with v, colours are the uvs."""
    steps = np.arange(256) / 255
    picture = np.zeros((256, 256, 3))
    picture[..., 0], picture[..., 1] = 255 * steps, 255 * steps[::-1, None]
    uvs = torch.tensor([[0.1, 0.2], [0.9, 0.1], [0.8, 0.7], [0.2, 0.9]])
    cubes = quad(picture, uvs=uvs.tolist(), texture_size=size)
    assert cubes.shape == (2, size, size, size, 3)
    for face, corners in enumerate([[0, 1, 2], [0, 2, 3]]):
        for texel in np.ndindex(size, size, size):
            weights = torch.tensor([1.0, 1, 1] if sum(texel) == 0 else texel)
            expected = (weights / weights.sum()) @ uvs[corners]
            torch.testing.assert_close(cubes[(face, *texel)][:2], expected, atol=1e-5, rtol=0)


def test_wrapping(quad):
    """A picture black on its left, white on its right half; three corners of four outside of it."""
    picture = np.zeros((8, 8, 3))
    picture[:, 4:] = 255
    uvs = [(-0.6, 0.5), (1.3, 0.5), (0.7, 0.5), (-1.3, 0.5)]
    expected = {
        "REPEAT": [0, 0, 1, 1],
        "MIRRORED_REPEAT": [1, 1, 1, 1],
        "CLAMP_TO_EDGE": [0, 1, 1, 0],
        "CLAMP_TO_BORDER": [0, 0, 1, 0],
    }
    for wrapping, (a, b, c, d) in expected.items():
        for bilinear in (True, False):
            cubes = quad(picture, uvs=uvs, texture_wrapping=wrapping, use_bilinear=bilinear)
            colors = corner_texels(cubes)[..., 0]
            assert colors.tolist() == [[a, b, c], [a, c, d]], (wrapping, bilinear)


def test_bilinear_blends(quad):
    picture = np.zeros((1, 2, 3))
    picture[:, 1] = 255
    uvs = [(0.4, 0.5)] * 4
    options = {"texture_wrapping": "CLAMP_TO_EDGE"}
    assert quad(picture, uvs=uvs, **options).mean().item() == pytest.approx(0.4)
    assert not quad(picture, uvs=uvs, use_bilinear=False, **options).any()


def test_picture_of_a_square_is_its_texture(quad, tmp_path, device):
    """The whole way: file, cubes, rasterizer; the picture's first row is the top row of the texture."""
    picture = np.random.default_rng(0).integers(0, 256, (2, 2, 3))
    quad(np.kron(picture, np.ones((16, 16, 1))))
    loaded = nr.load_obj(tmp_path / "quad.obj", load_texture=True, texture_size=16)
    vertices, faces, textures = (t[None].to(device) for t in loaded)
    renderer = nr.Renderer(
        camera_mode="look_at", image_size=16, anti_aliasing=False, light_intensity_ambient=1
    )
    renderer.light_intensity_directional = 0
    renderer.eye = [0, 0, -1 / np.tan(np.pi / 6)]  # the square fills the picture
    rgb = renderer(vertices, faces, textures, mode="rgb")[0].permute(1, 2, 0).cpu().numpy() * 255
    blocks = rgb.reshape(2, 8, 2, 8, 3)[:, 2:6, :, 2:6].mean((1, 3))
    np.testing.assert_allclose(blocks, picture, atol=12)


def test_load_errors(quad, tmp_path):
    with pytest.raises(InputError, match=r"texture_wrapping must be one of REPEAT, .*, got 'MIRROR'"):
        quad(None, texture_wrapping="MIRROR")
    with pytest.raises(InputError, match="texture_size must be at least 2, got 1"):
        quad(None, texture_size=1)
    with pytest.raises(InputError, match=r"cannot read 'map_Kd missing.png'"):
        quad(None, material="map_Kd missing.png")
    assert quad(None, material="map_Ks missing.png\nKd 1 1 1").min() == 1
    path = tmp_path / "plain.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="has no materials to read textures from"):
        nr.load_obj(path, load_texture=True)
    path.write_text("mtllib missing.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(InputError, match="cannot open the material library"):
        nr.load_obj(path, load_texture=True)


def test_saved_shape_comes_back(tmp_path):
    mesh = icosphere(2)
    path = tmp_path / "ball.obj"
    nr.save_obj(str(path), mesh.vertices, mesh.faces.int())
    vertices, faces = nr.load_obj(path, normalization=False)
    assert torch.equal(vertices, mesh.vertices)
    assert torch.equal(faces, mesh.faces.int())
    assert not path.with_suffix(".mtl").exists()


def test_saved_colors_come_back(tmp_path):
    mesh = icosphere(1)
    weights = torch.rand(mesh.num_faces, 1, 1, 1, 3, 3)
    lattice = torch.stack(torch.meshgrid(*[torch.arange(4)] * 3, indexing="ij"), -1) / 3
    textures = (lattice.unsqueeze(-2) @ weights).squeeze(-2)  # blends of a colour for each corner
    path = tmp_path / "ball.obj"
    nr.save_obj(path, mesh.vertices, mesh.faces, textures)
    assert {p.name for p in tmp_path.iterdir()} == {"ball.obj", "ball.mtl", "ball.png"}
    _, faces, cubes = nr.load_obj(path, load_texture=True)
    assert torch.equal(faces, mesh.faces.int())
    on_face = (lattice.sum(-1) - 1).abs() < 1e-6
    # reading puts texels up to half a texel aside; 18 of them span an edge
    torch.testing.assert_close(cubes[:, on_face], textures[:, on_face], atol=0.5 / 18 * 1.2, rtol=0)


def test_saved_colors_open_elsewhere(tmp_path):
    mesh = icosphere(0)
    textures = torch.rand(20, 1, 1, 1, 3).expand(20, 2, 2, 2, 3)
    nr.save_obj(tmp_path / "ball.obj", mesh.vertices, mesh.faces, textures)
    read = trimesh.load(tmp_path / "ball.obj", force="mesh", process=False)
    assert isinstance(read, trimesh.Trimesh)
    assert isinstance(read.visual, TextureVisuals)
    assert read.visual.uv is not None
    centres = read.visual.uv[read.faces].mean(1)
    colors = read.visual.material.to_color(centres)[:, :3] / 255
    np.testing.assert_allclose(colors, textures[:, 0, 0, 0], atol=0.005)


def test_mesh(tmp_path):
    ball = icosphere(0)
    mesh = nr.Mesh(ball.vertices, ball.faces, texture_size=3)
    assert isinstance(mesh.textures, torch.nn.Parameter)
    assert mesh.textures.shape == (20, 3, 3, 3, 3)
    assert 0.03 < mesh.textures.std().item() < 0.07
    assert (mesh.num_vertices, mesh.num_faces, mesh.texture_size) == (12, 20, 3)
    textures = torch.rand(20, 5, 5, 5, 3)
    given = nr.Mesh(ball.vertices, ball.faces, textures)
    assert given.textures is textures
    assert given.texture_size == 5

    path = tmp_path / "ball.obj"
    nr.save_obj(path, ball.vertices * 3, ball.faces, textures)
    plain = nr.Mesh.fromobj(path, texture_size=2)
    assert plain.vertices.abs().max() <= 1
    assert isinstance(plain.textures, torch.nn.Parameter)
    assert plain.textures.shape == (20, 2, 2, 2, 3)
    colored = nr.Mesh.fromobj(path, normalization=False, load_texture=True, texture_size=3)
    assert colored.vertices.abs().max() > 1.5
    assert torch.equal(colored.textures, nr.load_obj(path, load_texture=True, texture_size=3)[2])
