import dataclasses
import math

import pytest
import torch

from unrender.errors import InputError
from unrender.fit import DeformOptions, DeformResult, Progress, deform, view_metrics
from unrender.fit.deform_colors import RefinedTexture
from unrender.fit.deform_report import before_and_after
from unrender.geometry import Mesh, arap_energy, cube, icosphere, uv_sphere
from unrender.io import Views
from unrender.render import Camera, render, render_antialiased

SIZE = 48


def striped(mesh: Mesh) -> Mesh:
    """Coloured by the place on the surface."""
    return mesh.replace(vertex_colors=(0.5 + 0.4 * torch.sin(4 * mesh.vertices)).clamp(0, 1))


def long(mesh: Mesh) -> Mesh:
    """Stretched along y, moved off the origin, and in a unit of its own."""
    return mesh.replace(vertices=mesh.vertices * mesh.vertices.new_tensor([0.8, 1.6, 0.8]) + 10)


def bent(mesh: Mesh) -> Mesh:
    """Its axis bent to a part of a circle."""
    radius = 2.5
    x, y, z = (mesh.vertices - 10).unbind(-1)
    angle = y / radius
    turned = [radius - (radius - x) * angle.cos(), (radius - x) * angle.sin(), z]
    return mesh.replace(vertices=torch.stack(turned, -1) + 10)


def seen(mesh: Mesh, azimuths: list[float], size: int = SIZE) -> Views:
    """Pictures of a mesh from the height of its middle."""
    camera = Camera.orbit(
        7.0, 0.0, azimuths, fov_y=36.0, target=(10.0, 10.0, 10.0), width=size, height=size
    ).to(mesh.device)
    rgba = render_antialiased(mesh, camera, samples=3).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], camera, [f"view{i}" for i in range(len(azimuths))])


def colors_of(mesh: Mesh) -> torch.Tensor:
    """Texture or vertex colours."""
    colors = mesh.vertex_colors if mesh.texture is None else mesh.texture
    assert colors is not None
    return colors


def mean_iou(mesh: Mesh, views: Views) -> float:
    ious = view_metrics(mesh, None, views)["mask_iou"]
    return sum(ious) / len(ious)


@pytest.fixture(scope="module")
def start(device) -> Mesh:
    return long(striped(icosphere(2))).to(device)


@pytest.fixture(scope="module")
def target(start) -> Mesh:
    return bent(start)


@pytest.fixture(scope="module")
def one_view(target) -> Views:
    return seen(target, [0.0])


@pytest.fixture(scope="module")
def reports() -> list[Progress]:
    return []


@pytest.fixture(scope="module")
def from_one(start, one_view, reports) -> DeformResult:
    return deform(start, one_view, DeformOptions(effort=0.3), progress=reports.append)


def test_one_picture_is_matched(start, one_view, from_one):
    assert mean_iou(start, one_view) < 0.88
    assert mean_iou(from_one.mesh, one_view) > 0.95
    with torch.no_grad():
        rgb = render(from_one.mesh, one_view.cameras[0]).rgb
    inside = one_view.masks[0] > 0.9
    assert float((rgb - one_view.pictures[0])[inside].abs().mean()) < 0.03


def test_vertices_go_where_they_belong(start, target, from_one):
    """Some of the way: silhouettes do not say where along the outline, colours and rigidity do."""
    truth = (target.vertices - start.vertices)[:, :2]
    missed = (target.vertices - from_one.mesh.vertices)[:, :2]
    assert float(missed.norm(dim=-1).mean()) < 0.9 * float(truth.norm(dim=-1).mean())


def test_depth_that_one_picture_does_not_show_stays(start, from_one):
    """The object is 1.6 deep."""
    moved = (from_one.mesh.vertices - start.vertices)[:, 2].abs()
    assert float(moved.mean()) < 0.05


def test_rigidity_is_measured_from_the_start(start, one_view):
    """A stiff mesh moves, and stretches less."""
    stiff = deform(start, one_view, DeformOptions(effort=0.1, rigidity=100.0))
    loose = deform(start, one_view, DeformOptions(effort=0.1, rigidity=0.01))
    strains = [float(arap_energy(r.mesh.vertices, start.vertices, start.faces)) for r in (stiff, loose)]
    assert strains[0] < 0.6 * strains[1]
    assert mean_iou(stiff.mesh, one_view) > mean_iou(start, one_view) + 0.01


def test_the_mesh_that_was_given_is_left_alone(start, device):
    again = long(striped(icosphere(2))).to(device)
    assert torch.equal(start.vertices, again.vertices)
    assert torch.equal(colors_of(start), colors_of(again))


def test_faces_and_kind_of_colours_are_kept(start, from_one):
    assert torch.equal(from_one.mesh.faces, start.faces)
    assert from_one.mesh.vertex_colors.shape == start.vertex_colors.shape
    assert not from_one.mesh.vertices.requires_grad
    assert not from_one.mesh.vertex_colors.requires_grad
    assert from_one.seconds > 0


def test_progress_goes_from_start_to_end(reports):
    assert len(reports) == 147
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1)
    assert list(dict.fromkeys(r.stage for r in reports)) == ["bend 1/3", "bend 2/3", "bend 3/3", "colours"]
    assert all(math.isfinite(r.loss) for r in reports)


@pytest.mark.parametrize("renderer", ["dibr", pytest.param("nmr", marks=pytest.mark.slow)])
def test_other_renderers(start, one_view, renderer):
    result = deform(start, one_view, DeformOptions(renderer=renderer, effort=0.1))
    assert mean_iou(result.mesh, one_view) > 0.9


@pytest.mark.slow
def test_several_pictures_are_matched_together(start, target):
    views = seen(target, [0.0, 60.0, 120.0])
    result = deform(start, views, DeformOptions(effort=0.15))
    assert mean_iou(result.mesh, views) > mean_iou(start, views) + 0.03


def test_the_same_bits_on_every_run(start, target):
    views = seen(target, [0.0, 60.0, 120.0, 180.0, 240.0])
    runs = [deform(start, views, DeformOptions(effort=0.02)).mesh for _ in range(2)]
    assert torch.equal(runs[0].vertices, runs[1].vertices)
    assert torch.equal(colors_of(runs[0]), colors_of(runs[1]))


# Colours --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_mesh_without_colours_gets_vertex_colours(start, one_view):
    plain = start.replace(vertex_colors=None)
    result = deform(plain, one_view, DeformOptions(effort=0.25))
    assert result.mesh.vertex_colors is not None
    with torch.no_grad():
        rgb = render(result.mesh, one_view.cameras[0]).rgb
    inside = one_view.masks[0] > 0.9
    wanted = one_view.pictures[0][inside]
    assert float((rgb[inside] - wanted).abs().mean()) < 0.5 * float((wanted.mean(0) - wanted).abs().mean())


def test_without_colours_those_of_the_mesh_stay(start, one_view):
    options = DeformOptions(effort=0.02, color=False)
    result = deform(start, one_view, options)
    assert torch.equal(colors_of(result.mesh), colors_of(start))
    plain = deform(start.replace(vertex_colors=None), one_view, options).mesh
    assert plain.vertex_colors is None
    torch.testing.assert_close(plain.vertices, result.mesh.vertices)  # they did not take part


@pytest.mark.slow
def test_a_texture_changes_where_it_is_seen_alone(device):
    """The picture shows a red ball; the texture of the blue one turns red on the near side."""
    ball = uv_sphere(12, 24, device=device)
    ball = ball.replace(vertices=ball.vertices + 10)
    blue = ball.vertices.new_tensor([0.1, 0.2, 0.9]).expand(64, 128, 3)
    red = ball.vertices.new_tensor([0.9, 0.2, 0.1]).expand(64, 128, 3)
    views = seen(ball.replace(texture=red), [0.0])
    result = deform(ball.replace(texture=blue), views, DeformOptions(effort=0.6))
    near = render(result.mesh, views.cameras[0]).rgb[SIZE // 2, SIZE // 2]
    assert float((near - red[0, 0]).abs().max()) < 0.1
    back = Camera.orbit(7.0, 0.0, 180.0, fov_y=36.0, target=(10.0, 10.0, 10.0), width=SIZE, height=SIZE)
    far = render(result.mesh, back.to(device)).rgb[SIZE // 2, SIZE // 2]
    torch.testing.assert_close(far, blue[0, 0], atol=1e-6, rtol=0)
    assert colors_of(result.mesh).shape == (64, 128, 3)
    assert result.mesh.uvs is not None
    assert ball.uvs is not None
    assert torch.equal(result.mesh.uvs, ball.uvs)


def test_detail_of_a_texture_costs_nothing(device):
    ball = uv_sphere(12, 24, device=device)
    ball = ball.replace(vertices=ball.vertices + 10, texture=torch.rand(64, 128, 3).to(device))
    views = seen(ball, [0.0])
    colors = RefinedTexture(colors_of(ball), ball, views)
    assert colors.change.shape[0] < 64  # as coarse as the picture
    assert float(colors.roughness().detach()) == 0
    assert torch.equal(colors_of(colors.mesh(ball)), colors_of(ball))
    with torch.no_grad():
        row, column = colors.seen[..., 0].nonzero()[0].tolist()
        colors.change[row, column] = 1
    assert float(colors.roughness().detach()) > 0


# Pictures -------------------------------------------------------------------------------------------------


def test_before_and_after(start, target):
    views = seen(target, [30.0 * i for i in range(8)], size=16)
    sheet = before_and_after(start.replace(vertex_colors=None), target, views)
    cell = 256 + 4
    assert sheet.shape == (6 * cell + 4, 3 * cell + 4, 3)
    first, _, last = (sheet[4 : 4 + 256, 4 + i * cell : i * cell + cell] for i in range(3))
    assert float((first - last).abs().mean()) < 0.05  # coarse pixels beside fine ones
    grey = sheet[:, cell : 2 * cell]
    assert float((grey.amax(-1) - grey.amin(-1)).max()) < 0.1


# Wrong input ----------------------------------------------------------------------------------------------


def refused(mesh: Mesh, views: Views, match: str, **options) -> None:
    with pytest.raises(InputError, match=match):
        deform(mesh, views, DeformOptions(**options), progress=lambda _: pytest.fail("a step was taken"))


@pytest.mark.parametrize(
    ("value", "match"),
    [(0.0, "masks must not be empty, got no object in view0"), (1.0, "some background, got none in view0")],
)
def test_empty_and_full_masks_are_refused(start, one_view, value, match):
    refused(start, dataclasses.replace(one_view, masks=torch.full_like(one_view.masks, value)), match)


def test_a_mesh_that_misses_the_mask_is_refused(start, one_view):
    away = start.replace(vertices=start.vertices + start.vertices.new_tensor([50.0, 0, 0]))
    refused(away, one_view, r"must cover some of the mask.* got no overlap in view0; .*unrender pose")


def test_numbers_that_are_not_finite_are_refused(start, one_view):
    broken = start.vertices.clone()
    broken[3, 1] = math.nan
    refused(start.replace(vertices=broken), one_view, "vertices must be finite")
    pose = one_view.cameras.world_to_camera.clone()
    pose[0, 0, 3] = math.inf
    cameras = one_view.cameras.replace(world_to_camera=pose)
    refused(start, dataclasses.replace(one_view, cameras=cameras), "camera poses must be finite.* view0")


def test_meshes_that_cannot_be_deformed_are_refused(start, one_view):
    batch = start.replace(vertices=start.vertices[None])
    refused(batch, one_view, r"deform takes one mesh, got a batch of shape \(1,\)")
    refused(start.replace(faces=start.faces[:0]), one_view, "needs a mesh with faces, got none")
    refused(start.replace(vertex_colors=start.vertices[:, :1]), one_view, "must have 3 channels, got 1")
    box = cube()
    grids = box.replace(face_textures=torch.ones(box.num_faces, 2, 2, 3))
    refused(long(grids).to(start.device), one_view, "refined as texture or vertex_colors, got face_textures")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"renderer": "raytracer"}, "renderer must be one of dibr, softras, nmr, got 'raytracer'"),
        ({"rigidity": 0.0}, "rigidity must be positive, got 0"),
        ({"effort": math.nan}, "effort must be positive, got nan"),
        ({"picture_size": 4}, "picture_size must be at least 16, got 4"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(InputError, match=match):
        DeformOptions(**options)
