# pyright: reportOptionalMemberAccess=false, reportOptionalSubscript=false, reportArgumentType=false
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false
import io
import json
import struct

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from scipy import ndimage

from unrender.errors import InputError
from unrender.geometry.mesh import Mesh
from unrender.io.files import write_file
from unrender.io.meshes import load_mesh, save_mesh

SRGB_HALF = 0.7353569830524495  # sRGB value of linear 0.5 (IEC 61966-2-1)


def bilinear(picture, uv):
    """Independent lookup: repeat, row 0 at the top, v up."""
    where = [(1 - uv[:, 1]) * picture.shape[0] - 0.5, uv[:, 0] * picture.shape[1] - 0.5]
    planes = np.moveaxis(picture, 2, 0)
    return np.stack([ndimage.map_coordinates(p, where, order=1, mode="grid-wrap") for p in planes], -1)


def random_points(num_faces, per_face=3, seed=0, margin=0.0):
    weights = np.random.default_rng(seed).dirichlet([1, 1, 1], size=num_faces * per_face)
    weights = weights * (1 - 3 * margin) + margin
    return np.repeat(np.arange(num_faces), per_face), weights


def mesh_surface(mesh, face, weights):
    """Positions and colours of surface points of one of our meshes."""
    positions = np.einsum(
        "nk,nkc->nc", weights, mesh.vertices.double().cpu().numpy()[mesh.faces.cpu().numpy()[face]]
    )
    if mesh.texture is not None:
        uvs = mesh.uvs.double().cpu().numpy()[mesh.uv_faces.cpu().numpy()[face]]
        return positions, bilinear(mesh.texture.double().cpu().numpy(), np.einsum("nk,nkc->nc", weights, uvs))
    colors = mesh.vertex_colors.double().cpu().numpy()[mesh.faces.cpu().numpy()[face]]
    return positions, np.einsum("nk,nkc->nc", weights, colors)


def trimesh_surface(path, per_face=3):
    """Faces, weights, positions and colours as trimesh reads the file, colours taken as they are stored."""
    positions, colors, weights_of, faces_of, start = [], [], [], [], 0
    scene = trimesh.load_scene(path, process=False)
    for name, geometry in scene.geometry.items():
        (node,) = scene.graph.geometry_nodes[name]
        geometry.apply_transform(scene.graph[node][0])
        corners = geometry.vertices[geometry.faces]
        whole = np.array([len(np.unique(c, axis=0)) == 3 for c in corners])
        triangles = geometry.faces[whole]
        face, weights = random_points(len(triangles), per_face)
        positions.append(np.einsum("nk,nkc->nc", weights, geometry.vertices[triangles[face]]))
        faces_of.append(face + start)
        weights_of.append(weights)
        start += len(triangles)
        visual = geometry.visual
        if visual.kind == "texture":
            pbr = visual.material
            if pbr.baseColorTexture is None:
                color = np.broadcast_to(pbr.baseColorFactor[:3] / 255, (len(face), 3))
            else:
                uv = np.einsum("nk,nkc->nc", weights, visual.uv[triangles[face]])
                color = bilinear(np.asarray(pbr.baseColorTexture.convert("RGB")) / 255, uv)
        else:
            color = np.einsum("nk,nkc->nc", weights, visual.vertex_colors[triangles[face], :3] / 255)
        colors.append(color)
    return tuple(np.concatenate(a) for a in (faces_of, weights_of, positions, colors))


def noise_picture(size, seed):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def cube(device, dtype=torch.float32):
    """A cube of 8 vertices whose six sides lie apart in the texture: 24 uvs."""
    box = trimesh.creation.box()
    sides, corners = np.unique(box.face_normals.round(), axis=0, return_inverse=True)
    uvs, uv_faces = [], []
    for triangle, side in zip(box.faces, corners, strict=True):
        axis = int(np.argmax(np.abs(sides[side])))
        flat = np.delete(box.vertices[triangle], axis, axis=1) + 0.5
        uvs.append((np.array([side % 3, side // 3]) + 0.1 + 0.8 * flat) / (3, 2))
        uv_faces.append(np.arange(3) + 3 * len(uv_faces))
    rows, inverse = np.unique(np.concatenate(uvs), axis=0, return_inverse=True)
    return Mesh(
        torch.tensor(box.vertices, dtype=dtype, device=device),
        torch.tensor(box.faces, device=device),
        uvs=torch.tensor(rows, dtype=dtype, device=device),
        uv_faces=torch.tensor(inverse[np.concatenate(uv_faces)].reshape(-1, 3), device=device),
        texture=torch.rand(24, 36, 3, dtype=dtype, device=device),
    )


def write_glb(path, attributes, *, material=None, generator="hand", images=(), extra=None):
    """A GLB of one primitive, assembled byte by byte."""
    kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
    codes = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125}
    blob, views, accessors, names = b"", [], [], {}
    for name, array in attributes.items():
        data = array.tobytes() + b"\0" * (-array.nbytes % 4)
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": array.nbytes})
        accessor = {"bufferView": len(views) - 1, "count": len(array), "type": kinds[array.shape[1]]}
        accessor["componentType"] = codes[array.dtype.str[1:]]
        accessor["normalized"] = array.dtype.kind == "u" and name != "indices"
        accessors.append(accessor)
        names[name] = len(accessors) - 1
        blob += data
    header = {"asset": {"version": "2.0", "generator": generator}, "scene": 0, "scenes": [{"nodes": [0]}]}
    for picture in images:
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        data = stream.getvalue()
        views.append({"buffer": 0, "byteOffset": len(blob), "byteLength": len(data)})
        header.setdefault("images", []).append({"bufferView": len(views) - 1, "mimeType": "image/png"})
        header.setdefault("textures", []).append({"source": len(header["images"]) - 1})
        blob += data + b"\0" * (-len(data) % 4)
    primitive = {"indices": names.pop("indices"), "attributes": names}
    if material is not None:
        header["materials"], primitive["material"] = [material], 0
    header |= {"nodes": [{"mesh": 0}], "meshes": [{"primitives": [primitive]}], **(extra or {})}
    header |= {"bufferViews": views, "accessors": accessors, "buffers": [{"byteLength": len(blob)}]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 4)
    chunks = (
        struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(blob), 0x004E4942) + blob
    )
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks)


TRIANGLE = {
    "POSITION": np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "f4"),
    "indices": np.array([[0], [1], [2]], "u4"),
}
UV = np.array([[0.1, 0.2], [0.9, 0.3], [0.4, 0.8]], "f4")  # glTF: v down


def test_obj_with_two_textures_and_a_flat_colour_becomes_one_atlas(tmp_path, device):
    pictures = {"a": noise_picture((8, 12), 1), "b": noise_picture((16, 8), 2)}
    for name, picture in pictures.items():
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    (tmp_path / "m.mtl").write_text(
        "newmtl a\nKd 0 0 0\nmap_Kd a.png\n"
        "newmtl b\nKd 0.8 0.8 0.8\nmap_Kd b.png\n"
        "newmtl flat\nKd 0.25 0.5 0.75\n"
    )
    uv = {
        "a": [(0.1, 0.1), (0.9, 0.2), (0.8, 0.95), (0.0, 1.0)],
        "b": [(-1.3, 0.2), (1.2, 0.4), (1.1, 3.7), (-1, 3)],
    }
    lines = ["mtllib m.mtl"]
    lines += [f"v {x} {y} 0" for y in (0, 1) for x in (0, 1, 2, 3)]
    lines += [f"vt {u} {v}" for name in "ab" for u, v in uv[name]]
    lines += ["usemtl a", "f 1/1 2/2 6/3 5/4", "usemtl b", "f 2/5 3/6 7/7 6/8", "usemtl flat", "f 3 4 8 7"]
    (tmp_path / "m.obj").write_text("\n".join(lines))

    mesh = load_mesh(tmp_path / "m.obj", device=device)
    assert mesh.device.type == device.type
    assert mesh.num_vertices == 8  # shared across materials
    assert mesh.num_faces == 6
    face, weights = random_points(6, 40)
    positions, colors = mesh_surface(mesh, face, weights)
    for quad, name in enumerate("ab"):
        corners = [(quad, 0), (quad + 1, 0), (quad + 1, 1), (quad, 1)]
        for triangle in ((0, 1, 2), (2, 3, 0)):
            # where on this triangle is each point? solve for its weights
            system = np.vstack([np.array([corners[i] for i in triangle]).T, np.ones(3)])
            w = np.linalg.solve(system, np.c_[positions[:, :2], np.ones(len(positions))].T).T
            inside = (w > 1e-6).all(1)
            assert inside.sum() >= 40
            expected = bilinear(pictures[name] / 255, w[inside] @ np.array([uv[name][i] for i in triangle]))
            np.testing.assert_allclose(colors[inside], expected, atol=2e-3)
    flat = positions[:, 0] > 2
    np.testing.assert_allclose(colors[flat], np.broadcast_to([0.25, 0.5, 0.75], (flat.sum(), 3)), atol=1e-6)


def test_single_texture_keeps_its_coordinates_outside_the_unit_square(tmp_path):
    Image.fromarray(noise_picture((4, 4), 0)).save(tmp_path / "t.png")
    (tmp_path / "m.mtl").write_text("newmtl t\nmap_Kd t.png\n")
    (tmp_path / "m.obj").write_text(
        "mtllib m.mtl\nusemtl t\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt -3 0\nvt 7.5 0\nvt 0 2\nf 1/1 2/2 3/3\n"
    )
    mesh = load_mesh(tmp_path / "m.obj")
    assert mesh.uvs.tolist() == [[-3, 0], [7.5, 0], [0, 2]]
    np.testing.assert_allclose(mesh.texture.numpy(), noise_picture((4, 4), 0) / 255, atol=1e-7)


def test_texture_that_repeats_hundreds_of_times_becomes_its_mean_in_an_atlas(tmp_path):
    picture = noise_picture((8, 8), 3)
    Image.fromarray(picture).save(tmp_path / "t.png")
    (tmp_path / "m.mtl").write_text("newmtl t\nmap_Kd t.png\nnewmtl flat\nKd 1 0 0\n")
    (tmp_path / "m.obj").write_text(
        "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1e9 0\nvt 0 20\nvt 20 1\n"
        "usemtl t\nf 1/1 2/2 3/3\nf 1/1 2/3 3/4\nusemtl flat\nf 3 2 1\n"
    )
    mesh = load_mesh(tmp_path / "m.obj")
    face, weights = random_points(3, 200)
    _, colors = mesh_surface(mesh, face, weights)
    np.testing.assert_allclose(
        colors[face == 0], np.broadcast_to(picture.mean((0, 1)) / 255, (200, 3)), atol=1e-5
    )
    uv = weights[face == 1] @ np.array([[0, 0], [0, 20], [20, 1]])  # 20 repeats of 8 texels fit as they are
    np.testing.assert_allclose(colors[face == 1], bilinear(picture / 255, uv), atol=5e-3)


def test_scene_transforms_are_applied_and_mirrors_keep_faces_outside_out(tmp_path):
    scene = trimesh.Scene()
    turn = trimesh.transformations.rotation_matrix(0.7, [1, 2, 3], [0.1, 0.2, 0.3])
    mirror = np.diag([-1.0, 1, 1, 1])
    mirror[:3, 3] = 5, 0, 0
    box = trimesh.creation.box((1, 2, 3))
    scene.add_geometry(box, node_name="a", geom_name="box", transform=turn)
    scene.add_geometry(box, node_name="b", geom_name="box", parent_node_name="a", transform=mirror)
    scene.export(tmp_path / "s.glb")
    mesh = load_mesh(tmp_path / "s.glb")
    assert mesh.num_vertices == 16
    expected = np.concatenate([trimesh.transform_points(box.vertices, m) for m in (turn, turn @ mirror)])
    np.testing.assert_allclose(mesh.vertices.numpy(), expected, atol=1e-6)
    solid = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    assert [round(part.volume, 5) for part in solid.split()] == [6, 6]
    assert mesh.vertex_colors is None  # the file states no colour
    assert mesh.texture is None


def test_gltf_colour_factors_are_linear_unless_trimesh_wrote_them(tmp_path):
    material = {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.0, 1.0, 1.0]}}
    write_glb(tmp_path / "a.glb", TRIANGLE, material=material)
    expected = [[SRGB_HALF, 0, 1]] * 3
    np.testing.assert_allclose(load_mesh(tmp_path / "a.glb").vertex_colors, expected, atol=1e-6)
    write_glb(tmp_path / "b.glb", TRIANGLE, material=material, generator="https://github.com/mikedh/trimesh")
    np.testing.assert_allclose(load_mesh(tmp_path / "b.glb").vertex_colors, [[0.5, 0, 1]] * 3, atol=1e-6)


@pytest.mark.parametrize(("dtype", "top"), [("f4", 1), ("u1", 255), ("u2", 65535)])
@pytest.mark.parametrize("factor", [None, [0.5, 1, 1, 1]])
def test_gltf_vertex_colours_of_every_type_are_linear(tmp_path, dtype, top, factor):
    linear = np.array([[0, 0, 0], [1, 0.2, 0], [0.4, 0.002, 0.6]])
    stored = (linear * top).round(6 if top == 1 else 0).astype(dtype)
    if dtype == "u1":
        stored = np.c_[stored, np.full((3, 1), 255, "u1")]
    material = None if factor is None else {"pbrMetallicRoughness": {"baseColorFactor": factor}}
    write_glb(tmp_path / "a.glb", TRIANGLE | {"COLOR_0": stored}, material=material)
    light = stored[:, :3].astype(np.float64) / top * ([1, 1, 1] if factor is None else factor[:3])
    expected = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(load_mesh(tmp_path / "a.glb").vertex_colors, expected, atol=1e-5)


def test_gltf_factor_multiplies_the_picture_in_linear_light(tmp_path):
    picture = np.full((2, 2, 3), 188, np.uint8)  # linear 0.5029
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "baseColorFactor": [0.5, 1, 0, 1]}}
    write_glb(tmp_path / "a.glb", TRIANGLE | {"TEXCOORD_0": UV}, material=material, images=[picture])
    mesh = load_mesh(tmp_path / "a.glb")
    half = 0.5 * ((188 / 255 + 0.055) / 1.055) ** 2.4
    np.testing.assert_allclose(
        mesh.texture[0, 0], [1.055 * half ** (1 / 2.4) - 0.055, 188 / 255, 0], atol=1e-6
    )
    np.testing.assert_allclose(mesh.uvs.numpy(), np.c_[UV[:, 0], 1 - UV[:, 1]], atol=1e-7)


def test_gltf_texture_transform(tmp_path):
    picture = noise_picture((8, 8), 5)
    transform = {"offset": [0.25, 0.5], "scale": [2, 0.5], "rotation": 0.3}
    texture = {"index": 0, "extensions": {"KHR_texture_transform": transform}}
    write_glb(
        tmp_path / "a.glb",
        TRIANGLE | {"TEXCOORD_0": UV},
        material={"pbrMetallicRoughness": {"baseColorTexture": texture}},
        images=[picture],
    )
    c, s = np.cos(0.3), np.sin(0.3)  # the matrices of the extension's text
    matrix = np.array([[1, 0, 0.25], [0, 1, 0.5], [0, 0, 1]]) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    down = (matrix @ np.diag([2, 0.5, 1]) @ np.c_[UV, np.ones(3)].T)[:2].T
    np.testing.assert_allclose(
        load_mesh(tmp_path / "a.glb").uvs, np.c_[down[:, 0], 1 - down[:, 1]], atol=1e-6
    )


def test_gltf_vertex_colours_multiply_the_picture(tmp_path):
    picture = np.repeat(np.repeat(noise_picture((2, 2), 6), 16, 0), 16, 1)
    colors = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1]], "f4")
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    write_glb(
        tmp_path / "a.glb",
        TRIANGLE | {"TEXCOORD_0": UV, "COLOR_0": colors},
        material=material,
        images=[picture],
    )
    mesh = load_mesh(tmp_path / "a.glb")
    face, weights = random_points(1, 200)
    _, got = mesh_surface(mesh, face, weights)
    expected = bilinear(picture / 255, weights @ np.c_[UV[:, 0], 1 - UV[:, 1]]) * (weights @ colors)
    assert np.median(np.abs(got - expected)) < 0.005
    assert np.abs(got - expected).mean() < 0.02  # the steps of the picture are blurred by half a texel


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_textured_mesh_survives_saving(tmp_path, device, suffix, dtype):
    mesh = cube(device, dtype)
    save_mesh(mesh, tmp_path / "folder" / f"cube{suffix}")
    again = load_mesh(tmp_path / "folder" / f"cube{suffix}", device=device)
    torch.testing.assert_close(again.vertices, mesh.vertices.float(), rtol=0, atol=0)
    assert torch.equal(again.faces, mesh.faces)
    torch.testing.assert_close(again.uvs[again.uv_faces], mesh.uvs[mesh.uv_faces].float(), rtol=0, atol=1e-6)
    assert again.uvs.shape == (24, 2)
    face, weights = random_points(12, 20)
    _, expected = mesh_surface(mesh, face, weights)
    np.testing.assert_allclose(mesh_surface(again, face, weights)[1], expected, atol=0.5 / 255 + 1e-4)


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_trimesh_reads_the_same_texture(tmp_path, device, suffix):
    mesh = cube(device)
    save_mesh(mesh, tmp_path / f"my cube{suffix}")
    (other,) = trimesh.load_scene(tmp_path / f"my cube{suffix}", process=False).geometry.values()
    material = other.visual.material
    image = material.image if suffix == ".obj" else material.baseColorTexture
    face, weights = random_points(12, 20)
    positions, expected = mesh_surface(mesh, face, weights)
    np.testing.assert_allclose(
        np.einsum("nk,nkc->nc", weights, other.vertices[other.faces[face]]), positions, atol=1e-6
    )
    uv = np.einsum("nk,nkc->nc", weights, other.visual.uv[other.faces[face]])
    np.testing.assert_allclose(bilinear(np.asarray(image) / 255, uv), expected, atol=0.5 / 255 + 1e-4)
    if suffix == ".glb":
        assert material.metallicFactor == 0
        assert material.roughnessFactor == 1
        assert material.doubleSided


@pytest.mark.parametrize(("suffix", "tolerance"), [(".obj", 1e-7), (".glb", 1e-5), (".ply", 0.51 / 255)])
def test_vertex_colours_survive_saving(tmp_path, device, suffix, tolerance):
    mesh = cube(device).replace(texture=None, uvs=None, uv_faces=None)
    mesh = mesh.replace(vertex_colors=torch.rand(8, 3, device=device) ** 4)  # many dark ones
    save_mesh(mesh, tmp_path / f"cube{suffix}")
    again = load_mesh(tmp_path / f"cube{suffix}", device=device)
    assert torch.equal(again.vertices, mesh.vertices)
    assert torch.equal(again.faces, mesh.faces)
    torch.testing.assert_close(again.vertex_colors, mesh.vertex_colors, rtol=0, atol=tolerance)
    (other,) = trimesh.load_scene(tmp_path / f"cube{suffix}", process=False).geometry.values()
    if suffix == ".glb":
        light = other.visual.vertex_attributes["color"]
        colors = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    else:
        colors = other.visual.vertex_colors[:, :3] / 255
    np.testing.assert_allclose(colors, mesh.vertex_colors.cpu(), atol=0.51 / 255)


@pytest.mark.parametrize("suffix", [".obj", ".glb", ".ply"])
def test_mesh_without_appearance_survives_saving(tmp_path, device, suffix):
    mesh = cube(device).replace(texture=None, uvs=None, uv_faces=None)
    save_mesh(mesh, tmp_path / f"cube{suffix}")
    again = load_mesh(tmp_path / f"cube{suffix}", device=device)
    assert torch.equal(again.vertices, mesh.vertices)
    assert torch.equal(again.faces, mesh.faces)
    assert again.vertex_colors is None
    assert again.texture is None


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
@pytest.mark.parametrize("resolution", [1, 2, 3])
def test_face_textures_become_a_texture(tmp_path, device, suffix, resolution):
    grids = torch.rand(12, resolution, resolution, 3, device=device)
    mesh = cube(device).replace(texture=None, uvs=None, uv_faces=None, face_textures=grids)
    save_mesh(mesh, tmp_path / f"cube{suffix}")
    again = load_mesh(tmp_path / f"cube{suffix}")
    cells, weights = [], []  # the centre of each small triangle, and its texel as in SoftRas's kernel
    for y in range(resolution):
        for x in range(resolution - y):
            cells.append((y, x))
            weights.append([(x + 1 / 3) / resolution, (y + 1 / 3) / resolution])
            if x + y < resolution - 1:
                cells.append((resolution - 1 - y, resolution - 1 - x))
                weights.append([(x + 2 / 3) / resolution, (y + 2 / 3) / resolution])
    assert sorted(cells) == [(i, j) for i in range(resolution) for j in range(resolution)]
    weights = np.c_[weights, 1 - np.sum(weights, 1)]
    for face in range(12):
        _, got = mesh_surface(again, np.full(len(weights), face), weights)
        expected = torch.stack([grids[face, y, x] for y, x in cells]).cpu().numpy()
        np.testing.assert_allclose(got, expected, atol=0.51 / 255)


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
@pytest.mark.parametrize("size", [2, 4])
def test_face_cubes_become_a_texture(tmp_path, device, suffix, size):
    cubes = 0.2 + 0.6 * torch.rand(12, size, size, size, 3, device=device)
    mesh = cube(device).replace(texture=None, uvs=None, uv_faces=None, face_cubes=cubes)
    save_mesh(mesh, tmp_path / f"cube{suffix}")
    again = load_mesh(tmp_path / f"cube{suffix}")
    # six texels from one node of a cube to the next are right, the edges included; between them nearly
    steps = 6 * (size - 1)
    nodes = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    middles = (nodes[1:] + nodes[:-1])[nodes[1:, 0] == nodes[:-1, 0]] / 2
    for weights, tolerance in [(nodes, 0.51 / 255 + 1e-5), (middles, 0.05)]:
        for face in range(12):
            planes = np.moveaxis(cubes[face].cpu().numpy(), -1, 0)
            expected = [ndimage.map_coordinates(p, weights.T * (size - 1), order=1) for p in planes]
            _, got = mesh_surface(again, np.full(len(weights), face), weights)
            np.testing.assert_allclose(got, np.stack(expected, -1), atol=tolerance)


def test_face_cubes_without_kinks_are_saved_exactly_up_to_the_edges(tmp_path, device):
    corners = 0.2 + 0.6 * torch.rand(12, 3, 3, device=device)
    nodes = torch.stack(torch.meshgrid([torch.arange(4.0, device=device) / 3] * 3, indexing="ij"), -1)
    cubes = torch.einsum("ijkw,fwc->fijkc", nodes, corners)
    mesh = cube(device).replace(texture=None, uvs=None, uv_faces=None, face_cubes=cubes)
    save_mesh(mesh, tmp_path / "cube.glb")
    again = load_mesh(tmp_path / "cube.glb")
    weights = np.random.default_rng(0).dirichlet([1, 1, 1], 90)
    weights[np.arange(60), np.arange(60) % 3] = 0  # on the edges
    weights /= weights.sum(1, keepdims=True)
    for face in range(12):
        _, got = mesh_surface(again, np.full(len(weights), face), weights)
        np.testing.assert_allclose(got, weights @ corners[face].cpu().numpy(), atol=0.75 / 255)


def test_normals_are_written(tmp_path, device):
    mesh = cube(device)
    mesh = mesh.replace(normals=torch.nn.functional.normalize(mesh.vertices, dim=-1))
    for suffix in (".obj", ".glb"):
        save_mesh(mesh, tmp_path / f"cube{suffix}")
        (other,) = trimesh.load_scene(tmp_path / f"cube{suffix}", process=False).geometry.values()
        unit = other.vertices / np.linalg.norm(other.vertices, axis=1, keepdims=True)
        np.testing.assert_allclose(other.vertex_normals, unit, atol=1e-5)


def test_texels_outside_the_islands_are_filled_when_saved(tmp_path, device):
    mesh = cube(device)
    texture = torch.zeros(60, 90, 3, device=device)
    texture[texture_mask(mesh, 60, 90)] = 1
    save_mesh(mesh.replace(texture=texture), tmp_path / "cube.glb")
    saved = load_mesh(tmp_path / "cube.glb").texture
    assert float(saved.min()) == 1


def texture_mask(mesh, height, width):
    """Texels near enough to a side of the cube: each lies in 0.1 to 0.9 of a cell of a 3 x 2 grid."""
    u = (torch.arange(width) + 0.5) / width * 3
    v = (1 - (torch.arange(height) + 0.5) / height) * 2
    near = [((t % 1 - 0.5).abs() < 0.4 + 2 * n / size) for t, n, size in ((u, 3, width), (v, 2, height))]
    return (near[1][:, None] & near[0]).to(mesh.device)


def test_coinciding_vertices_are_one_unless_their_colours_differ(tmp_path):
    box = trimesh.creation.box()
    soup = trimesh.Trimesh(
        box.vertices[box.faces].reshape(-1, 3), np.arange(36).reshape(-1, 3), process=False
    )
    soup.visual.vertex_colors = np.tile([255, 0, 0, 255], (36, 1))
    soup.export(tmp_path / "one.ply")
    mesh = load_mesh(tmp_path / "one.ply")
    assert mesh.num_vertices == 8
    np.testing.assert_allclose(mesh.vertices[mesh.faces], box.triangles, atol=1e-7)
    soup.visual.vertex_colors[:18] = [0, 255, 0, 255]
    soup.export(tmp_path / "two.ply")
    mesh = load_mesh(tmp_path / "two.ply")
    assert mesh.num_vertices > 8
    np.testing.assert_allclose(mesh.vertex_colors[mesh.faces][:6].reshape(-1, 3), [[0, 1, 0]] * 18)
    np.testing.assert_allclose(mesh.vertex_colors[mesh.faces][6:].reshape(-1, 3), [[1, 0, 0]] * 18)


def test_ply_face_colours_split_vertices(tmp_path):
    box = trimesh.creation.box()
    colors = noise_picture((1, 12), 4)[0]
    box.visual.face_colors = colors
    box.export(tmp_path / "box.ply")
    mesh = load_mesh(tmp_path / "box.ply")
    expected = np.repeat(colors[:, None] / 255, 3, axis=1)
    np.testing.assert_allclose(mesh.vertex_colors[mesh.faces], expected, atol=1e-6)


def test_degenerate_faces_and_unused_vertices_are_left_out(tmp_path):
    (tmp_path / "m.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 0 0\nv 9 9 9\nf 1 2 3\nf 1 2 4\n")
    mesh = load_mesh(tmp_path / "m.obj")
    assert mesh.faces.tolist() == [[0, 1, 2]]
    assert mesh.num_vertices == 3


@pytest.mark.parametrize("suffix", [".stl", ".off"])
def test_formats_without_colour(tmp_path, suffix):
    box = trimesh.creation.box()
    box.export(tmp_path / f"box{suffix}")
    mesh = load_mesh(tmp_path / f"box{suffix}")
    assert mesh.num_vertices == 8
    np.testing.assert_allclose(mesh.vertices[mesh.faces], box.triangles, atol=1e-7)


def test_mtl_with_options_and_backslashes(tmp_path):
    (tmp_path / "maps").mkdir()
    Image.fromarray(noise_picture((4, 4), 0)).save(tmp_path / "maps" / "my wood.png")
    (tmp_path / "m.mtl").write_text("newmtl t\nmap_Kd -s 1 1 1 -clamp on maps\\my wood.png\n")
    (tmp_path / "m.obj").write_text(
        "mtllib m.mtl\nusemtl t\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    )
    assert load_mesh(tmp_path / "m.obj").texture.shape == (4, 4, 3)


def test_missing_picture_warns_and_gives_the_flat_colour(tmp_path):
    (tmp_path / "m.mtl").write_text("newmtl t\nKd 0.2 0.4 0.6\nmap_Kd gone.png\n")
    (tmp_path / "m.obj").write_text(
        "mtllib m.mtl\nusemtl t\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    )
    with pytest.warns(UserWarning, match=r"gone\.png is not there"):
        mesh = load_mesh(tmp_path / "m.obj")
    np.testing.assert_allclose(mesh.vertex_colors, [[0.2, 0.4, 0.6]] * 3, atol=1e-6)
    (tmp_path / "gone.png").write_text("not a picture")
    with pytest.warns(UserWarning, match=r"gone\.png is not a picture"):
        load_mesh(tmp_path / "m.obj")
    (tmp_path / "m.mtl").unlink()
    with pytest.warns(UserWarning, match=r"m\.mtl is not there"):
        load_mesh(tmp_path / "m.obj")


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("a.obj", None, r"a\.obj does not exist"),
        ("a.xyz", "", r"must end in \.obj"),
        ("a.glb", "nonsense", r"a\.glb is not a readable \.glb file"),
        ("a.ply", "nonsense", r"a\.ply is not a readable \.ply file"),
        ("a.obj", "v 0 0 0\n", r"a\.obj: .*at least one face"),
        ("a.obj", "v 0 0 0\nv 0 0 0\nv 1 0 0\nf 1 2 3\n", r"a\.obj: .*three different vertices"),
        ("a.obj", "v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", r"a\.obj: vertices must be finite, got 1 of 3"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, text, rule):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=rule):
        load_mesh(tmp_path / name)


def test_gltf_picture_that_cannot_be_read_warns(tmp_path):
    extra = {"images": [{"uri": "gone%20too.png"}], "textures": [{"source": 0}]}
    material = {"name": "wood", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    write_glb(tmp_path / "a.glb", TRIANGLE | {"TEXCOORD_0": UV}, material=material, extra=extra)
    with (
        pytest.warns(UserWarning, match="gone%20too.png is not there"),
        pytest.warns(UserWarning, match="picture of material 'wood' could not be read"),
    ):
        load_mesh(tmp_path / "a.glb")
    Image.fromarray(noise_picture((4, 4), 0)).save(tmp_path / "gone too.png")
    assert load_mesh(tmp_path / "a.glb").texture.shape == (4, 4, 3)


def test_files_outside_the_folder_are_not_read(tmp_path):
    Image.fromarray(noise_picture((4, 4), 0)).save(tmp_path / "secret.png")
    folder = tmp_path / "mesh"
    folder.mkdir()
    (folder / "m.mtl").write_text("newmtl t\nmap_Kd ../secret.png\n")
    (folder / "m.obj").write_text(
        "mtllib m.mtl\nusemtl t\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nf 1/1 2/1 3/1\n"
    )
    with pytest.warns(UserWarning, match=r"\.\./secret\.png is not there"):
        assert load_mesh(folder / "m.obj").texture is None


def test_gltf_compression_is_refused(tmp_path):
    name = "KHR_draco_mesh_compression"
    write_glb(tmp_path / "a.glb", TRIANGLE, extra={"extensionsUsed": [name], "extensionsRequired": [name]})
    with pytest.raises(InputError, match=name):
        load_mesh(tmp_path / "a.glb")


def test_meshes_that_cannot_be_saved(tmp_path, device):
    mesh = cube(device)
    bad = {
        "batch": mesh.replace(vertices=mesh.vertices.expand(2, 8, 3)),
        "finite": mesh.replace(vertices=mesh.vertices * float("nan")),
        "3 channels": mesh.replace(texture=mesh.texture[..., :1]),
        "at least one face": Mesh(mesh.vertices, mesh.faces[:0]),
    }
    for rule, broken in bad.items():
        with pytest.raises(InputError, match=rule):
            save_mesh(broken, tmp_path / "a.glb")
    with pytest.raises(InputError, match="PLY holds vertex colours"):
        save_mesh(mesh, tmp_path / "a.ply")
    with pytest.raises(InputError, match=r"saved as \.obj"):
        save_mesh(mesh, tmp_path / "a.stl")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    write_file(path, b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_home_objects_keep_their_surface_colours(shared_data):
    # every 90th object, and the ones with many repeats; colours stored by trimesh are display-referred
    paths = sorted((shared_data / "home").glob("*/*.glb"))[::90]
    paths += [shared_data / "home" / f"{name}.glb" for name in ("cabinet/a06a06043e", "table/3fe2e3b01e")]
    for path in paths:
        face, weights, positions, colors = trimesh_surface(path, per_face=1)
        mesh = load_mesh(path)
        some = np.random.default_rng(0).permutation(len(face))[:500]
        if mesh.vertex_colors is None and mesh.texture is None:  # the file states no colour
            mesh = mesh.replace(vertex_colors=torch.full_like(mesh.vertices, 102 / 255))  # trimesh's default
        got_positions, got = mesh_surface(mesh, face[some], weights[some])
        np.testing.assert_allclose(got_positions, positions[some], atol=1e-5, err_msg=str(path))
        assert np.abs(got - colors[some]).max() < 0.02, path


@pytest.mark.slow
def test_all_home_objects_load(shared_data):
    paths = sorted((shared_data / "home").glob("*/*.glb"))
    assert len(paths) == 891
    for path in paths:
        mesh = load_mesh(path)
        for name in ("vertices", "uvs", "vertex_colors", "texture"):
            values = getattr(mesh, name)
            assert values is None or bool(values.isfinite().all()), path
            if values is not None and name in ("vertex_colors", "texture"):
                assert 0 <= float(values.min()) <= float(values.max()) <= 1, path
        diagonal = (mesh.vertices.amax(0) - mesh.vertices.amin(0)).norm()
        assert abs(float(diagonal) - 1) < 1e-3, path


def test_sample_meshes_load(shared_data):
    folder = shared_data / "meshes"
    spot = load_mesh(folder / "spot" / "spot_triangulated.obj")
    assert (spot.num_vertices, spot.num_faces, tuple(spot.uvs.shape)) == (2930, 5856, (3225, 2))
    assert spot.texture.shape == (1024, 1024, 3)
    lines = [line.split() for line in (folder / "spot" / "spot_triangulated.obj").read_text().splitlines()]
    v = np.array([line[1:] for line in lines if line[:1] == ["v"]], float)
    vt = np.array([line[1:] for line in lines if line[:1] == ["vt"]], float)
    f = np.array([[c.split("/")[:2] for c in line[1:]] for line in lines if line[:1] == ["f"]], int) - 1
    np.testing.assert_allclose(spot.vertices[spot.faces], v[f[..., 0]], atol=1e-6)
    np.testing.assert_allclose(spot.uvs[spot.uv_faces], vt[f[..., 1]], atol=1e-6)
    assert load_mesh(folder / "avocado.obj").texture is not None
    np.testing.assert_allclose(
        load_mesh(folder / "ico_smooth.obj").vertex_colors[0], [0.8, 0.011375, 0.015621]
    )
    pizza = load_mesh(folder / "pizza.obj")  # toppings have a picture, dough a colour
    face, weights = random_points(pizza.num_faces, 1)
    _, colors = mesh_surface(pizza, face, weights)
    dough = np.abs(colors - [0.8, 0.548715, 0.256844]).max(1) < 1e-3
    assert 0.1 < dough.mean() < 0.95
