import dataclasses
import math

import pytest
import torch

from unrender.cli import main
from unrender.geometry import Mesh, cube, icosphere
from unrender.io import Views, save_mesh, save_views
from unrender.render import Camera


def table(capsys, path) -> dict[str, str]:
    """The rows that ``unrender info`` prints."""
    assert main(["info", f"{path}"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return {
        line[:15].split("  ")[0].strip(): line.split("  ", 1)[1].strip() for line in captured.out.splitlines()
    }


def views_of_a_disc(*, empty: tuple[int, ...] = (), size: int = 32) -> Views:
    """Six views from 4 units round (1, 0, 0); masks are discs of a quarter of the picture's width."""
    azimuth = torch.arange(6) * 60.0
    cameras = Camera.orbit(
        torch.tensor(4.0), 10.0, azimuth, fov_y=40.0, width=size, height=size, target=(1.0, 0.0, 0.0)
    )
    x = torch.arange(size) + 0.5 - size / 2
    masks = (x**2 + x[:, None] ** 2 < (size / 4) ** 2).float().repeat(6, 1, 1)
    masks[list(empty)] = 0
    return Views(masks[..., None].expand(6, size, size, 3), masks, cameras, [f"view{i}" for i in range(6)])


def test_a_closed_mesh(capsys, tmp_path):
    mesh = cube(size=2.0)
    save_mesh(mesh.replace(texture=torch.rand(12, 24, 3)), tmp_path / "box.obj")
    rows = table(capsys, tmp_path / "box.obj")
    assert rows["file"] == f"{tmp_path / 'box.obj'}"
    assert rows["vertices"] == "8"
    assert rows["faces"] == "12"
    assert rows["bounds"] == "(-1, -1, -1) to (1, 1, 1)"
    assert rows["size"] == "(2, 2, 2)"
    assert rows["surface"] == "closed, manifold, consistently oriented, 1 component"
    assert rows["area"] == "24"
    assert rows["volume"] == "8"
    assert rows["appearance"] == "texture of 24 x 12 pixels"


def test_two_shells_one_of_them_open(capsys, tmp_path):
    ball = icosphere(1)
    faces = torch.cat([ball.faces, ball.faces[1:] + ball.num_vertices])
    vertices = torch.cat([ball.vertices, ball.vertices + 3])
    save_mesh(Mesh(vertices, faces, vertex_colors=torch.rand(len(vertices), 3)), tmp_path / "two.ply")
    rows = table(capsys, tmp_path / "two.ply")
    assert rows["surface"] == "open (3 boundary edges), manifold, consistently oriented, 2 components"
    assert rows["volume"] == "not defined"
    assert rows["appearance"] == "vertex colours"


def test_faults_of_a_mesh(capsys, tmp_path):
    box = cube()
    save_mesh(Mesh(box.vertices, box.faces.flip(-1)), tmp_path / "inside.ply")
    rows = table(capsys, tmp_path / "inside.ply")
    assert rows["volume"] == "1 (inside out: faces are clockwise from outside)"
    assert rows["appearance"] == "none"

    (tmp_path / "fan.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 2 0 0\nv 0 1 0\nv 0 0 1\nv 0 -1 0\n"
        "f 1 2 3\nf 1 3 4\nf 1 3 5\nf 1 3 6\n"
    )  # fmt: skip
    rows = table(capsys, tmp_path / "fan.obj")
    assert rows["faces"] == "4, 1 of them degenerate (no area)"
    assert "not manifold" in rows["surface"]


def test_a_view_set(capsys, tmp_path):
    views = views_of_a_disc()
    save_views(views, tmp_path / "set")
    rows = table(capsys, tmp_path / "set")
    assert rows["format"] == "NeRF (transforms.json)"
    assert rows["views"] == "6"
    assert rows["picture size"] == "32 x 32"
    assert rows["projection"] == "perspective"
    assert rows["field of view"] == "40 by 40 degrees, horizontal by vertical"
    radius = 4 * math.sin(math.radians(20))
    assert rows["object"] == f"about (1, 0, 0), within a radius of {radius:.4g}"
    assert rows["camera distance"] == "4 from there"
    share = f"{100 * float(views.masks.mean()):.1f} %"
    assert rows["mask coverage"] == f"{share} to {share}, on average {share}"
    assert "empty masks" not in rows
    assert table(capsys, tmp_path / "set" / "transforms.json")["views"] == "6"


def test_depth_is_counted(capsys, tmp_path):
    views = views_of_a_disc()
    depth = 4 * views.masks
    depth[0] = 0
    depth[1, :16] = 0  # half of the disc
    save_views(dataclasses.replace(views, depth=depth), tmp_path / "set")
    assert table(capsys, tmp_path / "set")["depth"] == f"in 5 pictures, of {100 * 4.5 / 6:.1f} % of the masks"


def test_empty_masks_are_named(capsys, tmp_path):
    save_views(views_of_a_disc(empty=(1, 4)), tmp_path / "set")
    rows = table(capsys, tmp_path / "set")
    assert rows["empty masks"] == "2: view1, view4"
    assert rows["mask coverage"].startswith("0.0 % to ")


def test_one_view_says_that_the_place_is_unknown(capsys, tmp_path):
    save_views(views_of_a_disc()[0], tmp_path / "set")
    rows = table(capsys, tmp_path / "set")
    assert rows["object"].startswith("place unknown: all views look in one direction")
    assert rows["camera distance"].endswith("from the origin")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.glb", None, "missing.glb does not exist"),
        ("notes.txt", "hello", "expected a mesh file ending in .obj"),
        ("folder", "", "is not a view set"),
        ("nan.obj", "v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n", "vertices must be finite, got 1 of 3"),
        ("empty.obj", "v 0 0 0\n", "at least one face"),
        ("other.json", "{", "other.json"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(capsys, tmp_path, name, content, message):
    path = tmp_path / name
    if content == "":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    assert main(["info", f"{path}"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("unrender: error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1


def test_the_published_view_set(capsys, shared_data):
    rows = table(capsys, shared_data / "airplane")
    assert rows["format"] == "SoftRas (source.npy, camera.npy)"
    assert rows["views"] == "120"
    assert rows["field of view"].startswith("30 by 30 degrees")
    assert rows["camera distance"] == "2.732 from there"
