"""Kaolin's OBJ reader on files written here, and on Kaolin's own samples."""

from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import unrender.compat.kaolin as kal
from unrender.compat.kaolin.io import materials, obj, utils
from unrender.errors import InputError

QUADS = """
mtllib box.mtl
v -1 -1 0
v 1 -1 0
v 1 1 0
v -1 1 0
v -1 1 2
v 1 1 2
vt 0 0
vt 1 0
vt 1 1
vt 0 1
vn 0 0 1
vn 0 -1 0
usemtl sand
f 1/1/1 2/2/1 3/3/1 4/4/1
usemtl lake
f 4/2/2 3/1/2 6/4/2 5/3/2
"""

LIBRARY = """
newmtl sand
Ka 0.1 0.2 0.3
Kd 0.4 0.5 0.6
map_Kd my texture.png
newmtl lake
Ks 1 1 1
newmtl unused
Kd 0 0 0
"""


def read(*arguments: Any, **options: Any) -> Any:
    return obj.import_mesh(*arguments, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "box.obj").write_text(QUADS)
    (tmp_path / "box.mtl").write_text(LIBRARY)
    pixels = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    Image.fromarray(pixels).save(tmp_path / "my texture.png")
    return tmp_path


def test_bare_import_reads_only_the_shape(folder):
    assert kal.io.obj is obj
    mesh = read(str(folder / "box.obj"))
    assert mesh.vertices.tolist()[4] == [-1, 1, 2]
    assert mesh.vertices.dtype == torch.float32
    assert mesh.faces.tolist() == [[0, 1, 2, 3], [3, 2, 5, 4]]
    assert mesh.faces.dtype == torch.int64
    assert mesh[2:] == (None,) * 6


def test_materials_are_sorted_by_name(folder):
    mesh = read(folder / "box.obj", with_materials=True, with_normals=True)
    assert mesh.uvs.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]
    assert mesh.face_uvs_idx.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2]]
    assert mesh.normals.tolist() == [[0, 0, 1], [0, -1, 0]]
    assert mesh.face_normals_idx.tolist() == [[0] * 4, [1] * 4]
    assert [m["material_name"] for m in mesh.materials] == ["lake", "sand", "unused"]
    assert mesh.material_assignments.tolist() == [1, 0]
    assert mesh.material_assignments.dtype == torch.int16
    sand = mesh.materials[1]
    assert torch.allclose(sand["Kd"], torch.tensor([0.4, 0.5, 0.6]))
    assert sand["map_Kd"].dtype == torch.uint8
    assert sand["map_Kd"].tolist()[1][2] == [20, 21, 22]
    assert mesh.materials[0].keys() == {"material_name", "Ks"}


def test_triangulation_makes_fans(folder):
    mesh = read(folder / "box.obj", with_materials=True, triangulate=True)
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [3, 2, 5], [3, 5, 4]]
    assert mesh.face_uvs_idx.tolist() == [[0, 1, 2], [0, 2, 3], [1, 0, 3], [1, 3, 2]]
    assert mesh.material_assignments.tolist() == [1, 1, 0, 0]


def test_faces_of_different_sizes(folder):
    path = folder / "box.obj"
    path.write_text(QUADS + "usemtl sand\nf 1/1 2/2 6/3\nf 1 2 3 6 5\n")
    with pytest.raises(utils.NonHomogeneousMeshError, match="from 3 to 5 corners"):
        read(path)
    skip = utils.heterogeneous_mesh_handler_skip
    assert read(path, heterogeneous_mesh_handler=skip) is None
    handler = utils.mesh_handler_naive_triangulate
    mesh = read(path, with_materials=True, with_normals=True, heterogeneous_mesh_handler=handler)
    assert mesh.faces.tolist()[4:] == [[0, 1, 5], [0, 1, 2], [0, 2, 5], [0, 5, 4]]
    assert mesh.face_uvs_idx.tolist()[4:] == [[0, 1, 2], [-1] * 3, [-1] * 3, [-1] * 3]
    assert mesh.face_normals_idx.tolist()[4:] == [[-1] * 3] * 4
    assert mesh.material_assignments.tolist() == [1, 1, 0, 0, 1, 1, 1, 1]
    assert torch.equal(read(path, triangulate=True).faces, mesh.faces)


def test_handler_renumbers_lists_of_faces():
    counts, corners = torch.tensor([4, 3, 5]), torch.arange(12)
    chosen = {"a": torch.tensor([2, 0]), "b": torch.tensor([[1, 3]])}
    _, new_counts, faces, nothing, new = utils.mesh_handler_naive_triangulate(
        torch.zeros(12, 3), counts, corners, None, face_assignments=chosen
    )
    assert new_counts.tolist() == [3] * 6
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6], [7, 8, 9], [7, 9, 10], [7, 10, 11]]
    assert nothing is None
    assert new["a"].tolist() == [3, 4, 5, 0, 1]
    assert new["b"].tolist() == [[2, 6]]
    assert len(utils.mesh_handler_naive_triangulate(torch.zeros(12, 3), counts, corners)) == 3


def test_errors_go_to_the_handler(folder):
    path, library = folder / "box.obj", folder / "box.mtl"
    (folder / "my texture.png").unlink()
    with pytest.raises(materials.MaterialLoadError, match="my texture"):
        read(path, with_materials=True)
    with pytest.warns(UserWarning, match="my texture"):
        mesh = read(path, with_materials=True, error_handler=obj.skip_error_handler)
    assert "map_Kd" not in mesh.materials[1]

    library.write_text("newmtl lake\nKd 1 1 1\n")
    with pytest.raises(obj.MaterialNotFoundError, match="'sand'"):
        read(path, with_materials=True)
    mesh = read(path, with_materials=True, error_handler=obj.ignore_error_handler)
    assert mesh.material_assignments.tolist() == [-1, 0]
    with pytest.warns(UserWarning, match="random colour"):
        mesh = read(path, with_materials=True, error_handler=obj.create_missing_materials_error_handler)
    assert mesh.material_assignments.tolist() == [1, 0]
    assert mesh.materials[1]["Ka"].shape == (3,)

    library.unlink()
    with pytest.raises(obj.MaterialFileError, match="cannot open"):
        read(path, with_materials=True)
    assert read(path).faces.shape == (2, 4)


def test_indices_that_count_from_the_end_and_input_errors(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 5 5 5\nf -1 1 2\n")
    assert read(path).faces.tolist() == [[0, 1, 2], [3, 0, 1]]
    with pytest.raises(InputError, match="raw_materials must be True"):
        read(path, raw_materials=False)
    path.write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="has no faces"):
        read(path)


@pytest.mark.parametrize("name", ["ico_smooth", "pizza", "avocado"])
def test_samples_of_kaolin(shared_data, name):
    path = shared_data / "meshes" / f"{name}.obj"
    mesh = read(path, with_materials=True, with_normals=True)
    lines = path.read_text().splitlines()
    for prefix, values in (
        ("v ", mesh.vertices),
        ("vt ", mesh.uvs),
        ("vn ", mesh.normals),
        ("f ", mesh.faces),
    ):
        assert len(values) == sum(line.startswith(prefix) for line in lines)
    assert int(mesh.material_assignments.min()) >= 0
    expected: Any = trimesh.load(path, force="mesh", process=False)
    triangles = mesh.vertices[mesh.faces].double().numpy()
    area = np.linalg.norm(
        np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]), axis=1
    )
    assert area.sum() / 2 == pytest.approx(expected.area, rel=1e-4)
