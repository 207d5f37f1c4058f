import dataclasses
import math

import numpy as np
import pytest
import torch
from trimesh import Trimesh

from unrender.errors import InputError
from unrender.geometry import Mesh, cube, icosphere, merge
from unrender.learn.data import CaptureOptions, capture
from unrender.learn.data.capture import n3mr_cameras, object_voxels, to_unit_cube
from unrender.render import Camera

FINE = CaptureOptions(size=24, views=5, light="none", points=2000, samples=2)


def tetrahedron() -> Mesh:
    """No symmetry at all, coloured, far from the origin, and with a vertex that no face uses."""
    vertices = torch.tensor([[0.0, 0, 0], [3, 0, 0.5], [0.2, 2, 0.1], [0.3, 0.4, 1.5], [99, 99, 99]])
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 0, 0]])
    return Mesh(vertices + 10, faces, vertex_colors=colors)


def unwelded(mesh: Mesh) -> Mesh:
    """Faces that share no vertex, so that normals are those of faces."""
    corners = mesh.faces.reshape(-1)
    return Mesh(mesh.vertices[corners], torch.arange(len(corners)).reshape(-1, 3))


def slow_rays(triangles: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W), inf for nothing, and face of each pixel; trimesh could, but it would need rtree."""
    pose, intrinsics = camera.world_to_camera.double().numpy(), camera.intrinsics.double().numpy()
    depth, nearest = (
        np.full((camera.height, camera.width), np.inf),
        np.full((camera.height, camera.width), -1),
    )
    for row, column in np.ndindex(*depth.shape):
        ray = np.linalg.solve(intrinsics, [column + 0.5, row + 0.5, 1.0])
        for face, (a, b, c) in enumerate(triangles @ pose[:3, :3].T + pose[:3, 3]):
            # t ray = a + u (b - a) + v (c - a), and the ray's z is 1, so that t is depth
            t, u, v = np.linalg.solve(np.stack([ray, a - b, a - c], axis=1), a)
            if min(u, v, 1 - u - v) >= 0 and 0 < t < depth[row, column]:
                depth[row, column], nearest[row, column] = t, face
    return depth, nearest


def n3mr_picture_position(point: np.ndarray, view: int) -> np.ndarray:
    """Where N3MR draws a point of its left-handed world, in [-1, 1], y up; `papers.md` 1.2 and 3.1."""
    elevation, azimuth = math.radians(30), math.radians(-15 * view)
    eye = 2.732 * np.array(
        [
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
            -math.cos(elevation) * math.cos(azimuth),
        ]
    )
    z = -eye / np.linalg.norm(eye)
    x = np.cross([0, 1, 0], z)
    x /= np.linalg.norm(x)
    y = np.cross(z, x)
    seen = np.stack([x, y, z]) @ (point - eye)
    return seen[:2] / seen[2] / math.tan(math.radians(15))


@pytest.mark.parametrize("view", [0, 1, 7, 18])
def test_cameras_are_those_of_n3mr(view):
    camera = n3mr_cameras(24, 64)
    for point in np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3)):
        ours = torch.tensor(point * [1, 1, -1], dtype=torch.float32)  # their z is our -z
        x, y, _ = camera.project(ours[None])[view, 0].tolist()
        expected = n3mr_picture_position(point, view)
        assert np.allclose([x / 32 - 1, 1 - y / 32], expected, atol=1e-4)


def test_every_view_fits_the_picture():
    corners = torch.tensor([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    positions = n3mr_cameras(24, 64).project(corners)[..., :2]
    # the cube's corners reach over the border, a ball of its size does not
    assert float(positions.amin()) > -8
    sphere = icosphere(3).vertices * 0.5
    assert 0 < float(n3mr_cameras(24, 64).project(sphere)[..., :2].amin()) < 20


def test_unit_cube():
    mesh = to_unit_cube(tetrahedron())
    used = mesh.vertices[mesh.faces.reshape(-1).unique()]
    assert torch.allclose(used.amin(0), -used.amax(0), atol=1e-6)
    assert float((used.amax(0) - used.amin(0)).max()) == pytest.approx(1, abs=1e-6)
    # one scale for all axes
    before = tetrahedron().vertices
    assert torch.allclose((mesh.vertices[1] - mesh.vertices[2]) * 3, before[1] - before[2], atol=1e-5)


@pytest.mark.parametrize("cameras", ["n3mr", "random"])
def test_depth_normals_and_alpha_against_rays(cameras):
    options = dataclasses.replace(FINE, views=2, cameras=cameras, size=12)
    mesh = unwelded(tetrahedron())
    views = capture(mesh, "it", "shape", options)
    triangles = to_unit_cube(mesh).vertices.double().numpy().reshape(-1, 3, 3)
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    assert views.cameras is not None
    assert views.depth is not None
    assert views.normals is not None
    for view in range(2):
        depth, face = slow_rays(triangles, views.cameras[view].resized(24, 24))
        depth, face = (
            x.reshape(12, 2, 12, 2).transpose(0, 2, 1, 3).reshape(12, 12, 4) for x in (depth, face)
        )
        alpha = views.pictures[view, ..., 3].numpy() / 255
        assert np.abs(alpha - np.isfinite(depth).mean(-1)).max() < 0.01
        hit = np.isfinite(depth).any(-1)
        assert 0.1 < hit.mean() < 0.9
        assert np.allclose(views.depth[view].numpy(), np.where(hit, depth.min(-1), 0), atol=1e-4)
        nearest = np.take_along_axis(face, depth.argmin(-1)[..., None], -1)[..., 0]
        expected = np.where(hit[..., None], normals[nearest], 0)
        assert np.allclose(views.normals[view].numpy(), expected, atol=1e-4)
    assert (views.pictures[views.pictures[..., 3] == 0] == 0).all()


def test_a_box_shows_flat_colours():
    colors = torch.tensor([0.2, 0.6, 0.8]).expand(8, 3)
    views = capture(cube(size=2.0).replace(vertex_colors=colors), "box", "box", FINE)
    inside = views.pictures[views.pictures[..., 3] > 0][:, :3]
    # not multiplied by alpha: pixels on the edge have the same colour
    assert (inside == torch.tensor([51, 153, 204], dtype=torch.uint8)).all()
    assert int((views.pictures[..., 3] == 128).sum()) > 0


def test_points_are_uniform_on_the_surface():
    views = capture(cube(size=3.0), "box", "box", dataclasses.replace(FINE, points=6000))
    points, normals = views.points, views.point_normals
    assert points is not None
    assert normals is not None
    assert torch.allclose(points.abs().amax(-1), torch.full((6000,), 0.5), atol=1e-5)
    assert torch.allclose((points * normals).sum(-1), torch.full((6000,), 0.5), atol=1e-5)
    sides = torch.cat([torch.eye(3), -torch.eye(3)])
    counts = (normals[:, None] == sides).all(-1).sum(0)
    # 6 sides with a share of 1/6 each: standard deviation sqrt(6000 5/36) = 29
    assert int(counts.sum()) == 6000
    assert float((counts - 1000).abs().max()) < 5 * 29


def test_voxels_against_trimesh():
    mesh = to_unit_cube(icosphere(3))
    filled = object_voxels(mesh, 32)
    centres = (np.stack(np.meshgrid(*[np.arange(32)] * 3, indexing="ij"), -1) + 0.5) / 32 - 0.5
    ball = np.linalg.norm(centres, axis=-1) < 31 / 64
    # the protocol's solid holds the ball and reaches at most a cell or two beyond it
    solid = filled.numpy()
    assert solid[ball].all()
    assert not solid[np.linalg.norm(centres, axis=-1) > 31 / 64 + 2 * math.sqrt(3) / 32].any()
    volume = Trimesh(mesh.vertices.numpy(), mesh.faces.numpy()).volume
    assert solid.mean() == pytest.approx(volume, rel=0.2)


@pytest.mark.parametrize("side", [1.05, 1.2, 3.0])
def test_solids_that_reach_out_of_the_cube_stay_filled(side):
    ball = icosphere(3)
    assert object_voxels(ball.replace(vertices=ball.vertices * side), 32)[8:24, 8:24, 8:24].all()
    box = cube().replace(vertices=cube().vertices * torch.tensor([side, 0.4, 0.4]))
    whole = object_voxels(cube().replace(vertices=cube().vertices * torch.tensor([1.0, 0.4, 0.4])), 32)
    assert torch.equal(object_voxels(box, 32), whole)


def test_voxels_of_what_has_no_symmetry():
    x_bar = cube().replace(vertices=cube().vertices * torch.tensor([1.0, 0.2, 0.2]))
    y_knob = cube().replace(
        vertices=cube().vertices * torch.tensor([0.2, 0.4, 0.2]) + torch.tensor([0.4, 0.3, 0.0])
    )
    views = capture(merge([x_bar, y_knob]), "key", "key", FINE)
    assert views.voxels is not None
    cells = views.voxels.nonzero().float() - 15.5
    knob = cells[cells[:, 1] > 2]
    assert float(knob[:, 0].mean()) > 8
    assert float(knob[:, 2].mean().abs()) < 1


def test_only_the_names_and_the_seed_decide():
    options = dataclasses.replace(FINE, cameras="random", light="harmonics")

    def cameras(name: str, category: str, seed: int) -> torch.Tensor:
        views = capture(tetrahedron(), name, category, dataclasses.replace(options, seed=seed))
        assert views.cameras is not None
        return views.cameras.world_to_camera

    first = cameras("a", "c", 0)
    torch.manual_seed(123)
    assert torch.equal(first, cameras("a", "c", 0))
    for other in (cameras("b", "c", 0), cameras("a", "d", 0), cameras("a", "c", 1)):
        assert not torch.allclose(first, other)


def test_elevations_of_random_cameras():
    views = capture(tetrahedron(), "a", "c", dataclasses.replace(FINE, cameras="random", views=300, size=4))
    assert views.cameras is not None
    centre = views.cameras.center
    distance = centre.norm(dim=-1)
    elevation = torch.rad2deg(torch.asin(centre[:, 1] / distance))
    assert torch.allclose(distance, torch.tensor(2.732), atol=1e-4)
    assert -10 <= float(elevation.min()) < -5
    assert 55 < float(elevation.max()) <= 60.01
    assert float(torch.atan2(centre[:, 0], centre[:, 2]).cos().mean().abs()) < 0.2


@pytest.mark.parametrize(
    ("vertices", "rule"),
    [
        (torch.zeros(3, 3), "not all in one place"),
        (torch.tensor([[0.0, 0, 0], [1, 0, 0], [math.nan, 1, 0]]), "finite"),
        (torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]]), "area"),
    ],
)
def test_what_cannot_be_pictured(vertices, rule):
    with pytest.raises(InputError, match=rule):
        capture(Mesh(vertices, torch.tensor([[0, 1, 2]])), "a", "b", FINE)


@pytest.mark.parametrize("name", ["size", "views", "samples", "voxels", "points"])
def test_numbers_must_be_positive(name):
    with pytest.raises(InputError, match=f"{name} must be at least 1, got 0"):
        dataclasses.replace(FINE, **{name: 0})
