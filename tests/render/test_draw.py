import math

import numpy as np
import pytest
import torch
from rays import bumpy_mesh, cast_rays, odd_camera

from unrender.errors import InputError
from unrender.geometry import Mesh, face_normals, icosphere, merge, uv_sphere, vertex_normals
from unrender.render import DIBR, Camera, render

BACKENDS = pytest.mark.parametrize("backend", ["warp", "torch"])


def facing_square(device, *, size=2.0, texture=None, depth=3.0) -> Mesh:
    """A square across the view of :func:`front_camera`, uv (0, 0) at its lower left."""
    x = size / 2
    vertices = torch.tensor([[-x, -x, -depth], [x, -x, -depth], [x, x, -depth], [-x, x, -depth]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    uvs = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    return Mesh(vertices, faces, uvs=uvs, texture=texture).to(device)


def front_camera(device, *, width: int, height: int, world_width=2.0, **options) -> Camera:
    """Orthographic, at the origin, looking along -Z; ``world_width`` units fill the picture's width."""
    camera = Camera.look_at((0, 0, 0), (0, 0, -1), fov_y=50.0, width=width, height=height, orthographic=True)
    scale = width / world_width
    intrinsics = torch.tensor([[scale, 0, width / 2], [0, scale, height / 2], [0, 0, 1]])
    return camera.replace(intrinsics=intrinsics, **options).to(device)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("view", ["pinhole", "orthographic", "from the inside", "through the near plane"])
def test_against_rays(device, dtype, view):
    mesh = bumpy_mesh(device, dtype)
    camera = odd_camera(device, dtype, orthographic=view == "orthographic")
    if view == "from the inside":
        eye = torch.tensor([0.1, 0.2, 0.0], dtype=torch.float64)
        camera = Camera.look_at(eye, (1, 0, 0), fov_y=100.0, width=36, height=26).to(dtype).to(device)
    if view == "through the near plane":
        camera = camera.replace(near=1.7)
    hits = cast_rays(mesh, camera)
    picture = render(mesh, camera)
    assert (hits.face >= 0).sum() > 250

    face = picture.face_index.cpu().numpy()
    same = face == hits.face  # a pixel on an edge may go to either side
    assert same.mean() > (0.999 if dtype == torch.float64 else 0.995)
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    normals = vertex_normals(mesh.vertices, mesh.faces)
    expected_normals = hits.interpolate(normals, mesh.faces)
    lengths = np.linalg.norm(expected_normals, axis=-1, keepdims=True)
    expected_normals = expected_normals / np.where(lengths > 0, lengths, 1)
    expected_normals = np.where(hits.front[..., None], expected_normals, -expected_normals)
    rotation = camera.world_to_camera[:3, :3].double().cpu().numpy()
    for actual, expected in (
        (picture.depth, hits.depth),
        (picture.barycentrics, hits.barycentrics),
        (picture.points, hits.points),
        (picture.uv, hits.interpolate(mesh.uvs, mesh.faces)),
        (picture.rgb, hits.interpolate(mesh.vertex_colors, mesh.faces)),
        (picture.albedo, hits.interpolate(mesh.vertex_colors, mesh.faces)),
        (picture.world_normals, expected_normals),
        (picture.camera_normals, expected_normals @ rotation.T),
    ):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual.cpu().numpy()[same], expected[same], atol=tolerance)
    assert torch.equal(picture.mask, picture.face_index >= 0)
    assert (picture.alpha[picture.mask] == 1).all()


@BACKENDS
def test_a_triangle_through_the_near_plane_keeps_its_attributes(device, backend):
    # a floor one unit below the eye; the near plane cuts it at z = near, on the screen at y = cy + f / near
    vertices = torch.tensor([[-900.0, -1, -300], [900, -1, -300], [0, -1, 500]])
    mesh = Mesh(vertices, torch.tensor([[0, 1, 2]]), vertex_colors=vertices / 300).to(device)
    camera = Camera.look_at((0, 0, 0), (0, 0, -1), fov_y=90.0, width=40, height=40, near=1.65).to(device)
    picture = render(mesh, camera, renderer=DIBR(backend=backend))
    rows = torch.arange(40, device=device) + 0.5 - 20
    depth = torch.where(rows > 0, 20 / rows, math.inf)
    seen = (depth > 1.65) & (depth < 300)
    assert 5 < int(seen.sum()) < 19
    assert torch.equal(picture.mask, seen[:, None].expand(40, 40))
    torch.testing.assert_close(picture.depth[seen], depth[seen, None].expand(-1, 40), rtol=1e-5, atol=0)
    x = rows * depth[seen, None] / 20
    y, z = torch.full_like(x, -1), -depth[seen, None].expand_as(x)
    points = torch.stack([x, y, z], -1)
    torch.testing.assert_close(picture.points[seen], points, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(picture.rgb[seen], points / 300, rtol=1e-4, atol=1e-5)
    assert (picture.face_index[seen] == 0).all()


def test_screen_space_interpolation_leaves_depth_out(device):
    mesh = bumpy_mesh(device)
    camera = odd_camera(device)
    paper = render(mesh, camera, renderer=DIBR(perspective_correct=False))
    exact = render(mesh, camera)
    same = paper.mask & (paper.face_index == exact.face_index)
    assert same.sum() > 0.9 * paper.mask.sum()
    corners = camera.project(mesh.vertices)[mesh.faces[paper.face_index[same]]]
    weights = paper.barycentrics[same]
    rows, columns = same.nonzero(as_tuple=True)
    centres = torch.stack([columns, rows], -1) + 0.5
    torch.testing.assert_close((weights[..., None] * corners[..., :2]).sum(1), centres.double())
    torch.testing.assert_close(paper.depth[same], (weights * corners[..., 2]).sum(1))
    # the two kinds of weights: w_k = (b_k / z_k) / sum(b_m / z_m)
    correct = weights / corners[..., 2]
    torch.testing.assert_close(exact.barycentrics[same], correct / correct.sum(1, keepdim=True))
    assert (exact.barycentrics - paper.barycentrics)[same].abs().max() > 1e-3
    # orthographic cameras have no other
    camera = odd_camera(device, orthographic=True)
    flat = [render(mesh, camera, renderer=DIBR(perspective_correct=p)).barycentrics for p in (True, False)]
    assert torch.equal(*flat)


def test_smooth_and_flat_normals(device):
    mesh = bumpy_mesh(device)
    picture = render(mesh, odd_camera(device), flat=True)
    expected = face_normals(mesh.vertices, mesh.faces)[picture.face_index[picture.mask]]
    torch.testing.assert_close(picture.world_normals[picture.mask], expected)
    given = mesh.replace(normals=torch.tensor([0.0, 0, 2]).expand_as(mesh.vertices).to(mesh.vertices))
    normals = render(given, odd_camera(device), double_sided=False).world_normals
    assert (normals[picture.mask] == torch.tensor([0.0, 0, 1]).to(normals)).all()
    assert (normals[~picture.mask] == 0).all()


def test_faces_from_behind(device):
    square = facing_square(device)
    behind = square.replace(faces=square.faces.flip(-1))
    camera = front_camera(device, width=8, height=8, world_width=4.0)
    front = torch.tensor([0.0, 0, 1], device=device)
    for mesh, double_sided, expected in (
        (square, True, front),
        (square, False, front),
        (behind, True, front),
        (behind, False, -front),
    ):
        picture = render(mesh, camera, double_sided=double_sided)
        assert picture.mask.sum() == 16
        assert (picture.world_normals[picture.mask] == expected).all()
        assert (
            picture.camera_normals[picture.mask] * torch.tensor([1, 1, -1], device=device) == expected
        ).all()
    assert render(square, camera, renderer=DIBR(cull_backfaces=True)).mask.sum() == 16
    culled = render(behind, camera, renderer=DIBR(cull_backfaces=True))
    assert culled.mask.sum() == 0
    assert (culled.face_index == -1).all()
    assert culled.alpha.max() > 0.5  # they still shape the soft silhouette


def test_culling_changes_nothing_outside_a_closed_mesh(device):
    mesh, camera = bumpy_mesh(device, torch.float32), odd_camera(device, torch.float32)
    culled = render(mesh, camera, renderer=DIBR(cull_backfaces=True))
    assert torch.equal(culled.face_index, render(mesh, camera).face_index)


@BACKENDS
def test_blur_is_a_width_in_pixels(device, backend):
    # the square covers columns 8 to 15 of 24: the centre of column 16 + k is k + 1/2 pixels away
    square = facing_square(device, size=2.0)
    camera = front_camera(device, width=24, height=24, world_width=6.0)
    distance = torch.arange(8, device=device) + 0.5
    for renderer, width in (
        (DIBR(backend=backend), 1.0),
        (DIBR(blur=3.0, backend=backend), 3.0),
        (DIBR(sigma_ndc=1 / 36, backend=backend), 2.0),  # one sixth of 12 pixels
    ):
        alpha = render(square, camera, renderer=renderer).alpha[10]
        assert (alpha[8:16] == 1).all()
        near = (-((distance / width) ** 2)).exp()
        # the face whose edge it is; the other one is farther by the slope of the diagonal
        assert (alpha[16:] >= torch.where(near > 1e-4, near, 0) - 1e-6).all()
        assert alpha[16] < 1
        assert (alpha[16:].diff() <= 0).all()
    # the face whose right edge it is, alone
    one = Mesh(square.vertices, square.faces[:1])
    alpha = render(one, camera, renderer=DIBR(blur=3.0, backend=backend)).alpha[10, 16:]
    expected = torch.where(distance < 9.2, (-((distance / 3) ** 2)).exp(), 0)
    torch.testing.assert_close(alpha, expected, atol=1e-5, rtol=0)


@BACKENDS
def test_only_the_first_faces_blur(device, backend):
    square = facing_square(device)
    one = Mesh(square.vertices, square.faces[:1])
    three = Mesh(square.vertices, square.faces[:1].expand(3, -1))
    camera = front_camera(device, width=24, height=24, world_width=6.0)
    single = render(one, camera, renderer=DIBR(blur=3.0, backend=backend))
    assert (single.alpha[~single.mask] > 0.5).any()
    for max_faces, count in ((None, 3), (2, 2), (9, 3)):
        renderer = DIBR(blur=3.0, max_faces=max_faces, backend=backend)
        expected = torch.where(single.mask, 1, 1 - (1 - single.alpha) ** count)
        torch.testing.assert_close(
            render(three, camera, renderer=renderer).alpha, expected, atol=1e-5, rtol=0
        )


def test_nearer_meshes_hide_farther_ones(device):
    near = facing_square(device, size=2.0, depth=2.0)
    far = facing_square(device, size=4.0, depth=3.0)
    colors = torch.tensor([[1.0, 0, 0], [0, 1, 0]], device=device)
    meshes = [
        m.replace(uvs=None, uv_faces=None, vertex_colors=c.expand(4, 3))
        for m, c in zip((near, far), colors, strict=True)
    ]
    camera = front_camera(device, width=12, height=12, world_width=6.0)
    picture = render(merge(meshes), camera, background=[0, 0, 1.0])
    expected = torch.tensor([0.0, 0, 1], device=device).repeat(12, 12, 1)
    expected[2:10, 2:10] = colors[1]
    expected[4:8, 4:8] = colors[0]
    torch.testing.assert_close(picture.rgb, expected)
    torch.testing.assert_close(picture.depth.unique(), torch.tensor([0.0, 2, 3], device=device))


@pytest.mark.parametrize("texture_filter", ["nearest", "bilinear", "trilinear"])
def test_a_texture_pixel_for_pixel(device, texture_filter):
    texture = torch.rand(6, 8, 3, device=device)
    square = facing_square(device, texture=texture)
    stretched = square.replace(vertices=square.vertices * torch.tensor([1, 0.75, 1], device=device))
    camera = front_camera(device, width=8, height=6)
    picture = render(stretched, camera, texture_filter=texture_filter)
    torch.testing.assert_close(picture.rgb, texture, atol=1e-5, rtol=0)


def test_trilinear_averages_what_a_pixel_covers(device):
    texture = torch.rand(64, 64, 3, device=device)
    square = facing_square(device, texture=texture)
    camera = front_camera(device, width=4, height=4)
    average = texture.view(4, 16, 4, 16, 3).mean((1, 3))
    colors = {f: render(square, camera, texture_filter=f).rgb for f in ("bilinear", "trilinear")}
    torch.testing.assert_close(colors["trilinear"], average, atol=1e-5, rtol=0)
    assert (colors["bilinear"] - average).abs().max() > 0.1


def test_mipmaps_do_not_depend_on_the_near_plane(device):
    mesh = uv_sphere(12, 24, dtype=torch.float64, device=device)
    mesh = mesh.replace(texture=torch.rand(64, 128, 3, dtype=torch.float64, device=device))
    pictures = []
    for near in (0.01, 1.3):
        camera = (
            Camera.orbit(2.0, 20.0, 30.0, fov_y=60.0, width=30, height=20, near=near)
            .to(mesh.dtype)
            .to(device)
        )
        pictures.append(render(mesh, camera, texture_filter="trilinear"))
    same = pictures[0].mask & (pictures[0].depth > 1.31)
    assert 20 < same.sum() < 0.8 * pictures[0].mask.sum()
    torch.testing.assert_close(pictures[1].rgb[same], pictures[0].rgb[same])


def test_backgrounds(device):
    square = facing_square(device)
    camera = front_camera(device, width=9, height=6, world_width=4.5)
    mask = render(square, camera).mask
    assert 0 < mask.sum() < mask.numel()
    picture = torch.rand(6, 9, 3, device=device)
    for background, expected in (
        (0.0, torch.zeros(3)),
        (0.25, torch.full((3,), 0.25)),
        (1, torch.ones(3)),
        ([0.1, 0.2, 0.3], torch.tensor([0.1, 0.2, 0.3])),
        (picture, picture),
    ):
        rgb = render(square, camera, background=background).rgb
        torch.testing.assert_close(rgb[~mask], expected.to(device).expand(6, 9, 3)[~mask])
        assert (rgb[mask] == 1).all()
    picture.requires_grad_()
    render(square, camera, background=picture).rgb.sum().backward()
    assert picture.grad is not None
    assert torch.equal(picture.grad, (~mask[..., None]).float().expand(6, 9, 3))


def test_rgba_is_rgb_and_alpha(device):
    picture = render(bumpy_mesh(device), odd_camera(device), background=0.5)
    assert picture.rgba.shape == (26, 36, 4)
    assert torch.equal(picture.rgba[..., :3], picture.rgb)
    assert torch.equal(picture.rgba[..., 3], picture.alpha)


def test_any_number_of_channels(device):
    mesh = bumpy_mesh(device)
    mesh = mesh.replace(vertex_colors=torch.rand(mesh.num_vertices, 7).to(mesh.vertices))
    picture = render(mesh, odd_camera(device))
    expected = cast_rays(mesh, odd_camera(device)).interpolate(mesh.vertex_colors, mesh.faces)
    np.testing.assert_allclose(picture.rgb.cpu(), expected, atol=1e-9)


def test_surface_textures_of_faces(device):
    mesh = bumpy_mesh(device)
    colors = torch.rand(mesh.num_faces, 1, 1, 3).to(mesh.vertices)
    picture = render(mesh.replace(vertex_colors=None, face_textures=colors), odd_camera(device))
    mask = picture.mask
    assert torch.equal(picture.rgb[mask], colors[picture.face_index[mask], 0, 0])


def test_visible_vertices(device):
    mesh, camera = bumpy_mesh(device), odd_camera(device)
    picture = render(mesh, camera)
    seen = set(mesh.faces[picture.face_index[picture.mask]].unique().tolist())
    assert set(picture.visible_vertices.nonzero()[:, 0].tolist()) == seen
    assert 0.2 < len(seen) / mesh.num_vertices < 0.7


def test_visible_texels(device):
    square = facing_square(device, texture=torch.rand(8, 8, 3, device=device))
    # the camera sees the left half of the square, 4 x 8 texels, at one pixel a texel
    camera = front_camera(device, width=4, height=8, world_width=1.0)
    moved = square.replace(vertices=square.vertices + torch.tensor([0.5, 0, 0], device=device))
    visible = render(moved, camera, texture_wrap="clamp").visible_texels
    expected = torch.zeros(8, 8, dtype=torch.bool, device=device)
    expected[:, :4] = True
    assert visible[:, :4].all()
    assert not visible[:, 5:].any()  # column 4 may get a rounding error's weight


def test_wide_pictures(device):
    camera = Camera.orbit(3.0, 0.0, 0.0, fov_y=4.0, width=3000, height=40).to(device)
    picture = render(icosphere(3, device=device), camera)
    focal = float(camera.intrinsics[0, 0])
    # the equator's outline: from 3 units away a unit sphere fills tan(asin(1/3)) on each side
    expected = 2 * focal * math.tan(math.asin(1 / 3))
    width = int(picture.mask[20].sum())
    assert expected < 3000
    assert 0.985 * expected < width <= expected + 1
    assert float(picture.depth[20, 1500]) == pytest.approx(2.0, abs=0.01)
    assert picture.alpha.isfinite().all()


@pytest.mark.parametrize("kind", ["no faces", "behind the camera", "no cameras"])
def test_nothing_in_view(device, kind):
    mesh = bumpy_mesh(device, torch.float32)
    camera = Camera.look_at((0, 0, 3), (0, 0, 6), fov_y=40.0, width=7, height=5).to(device)
    if kind == "no faces":
        mesh = mesh.replace(faces=mesh.faces[:0], uv_faces=mesh.faces[:0])
    if kind == "no cameras":
        camera = camera.replace(world_to_camera=camera.world_to_camera.expand(0, 4, 4))
    mesh = mesh.replace(vertices=mesh.vertices.clone().requires_grad_())
    picture = render(mesh, camera, background=0.5)
    assert not picture.mask.any()
    assert (picture.rgb == 0.5).all()
    assert (picture.face_index == -1).all()
    for value in (picture.alpha, picture.depth, picture.world_normals, picture.uv, picture.points):
        assert (value == 0).all()
    assert not picture.visible_vertices.any()
    (picture.rgb.sum() + picture.alpha.sum() + picture.depth.sum()).backward()
    assert mesh.vertices.grad is not None
    assert (mesh.vertices.grad == 0).all()


def test_wrong_input_is_refused(device):
    mesh, camera = bumpy_mesh(device), odd_camera(device)
    with pytest.raises(InputError, match=r"must have one dtype, got torch.float64 and torch.float32"):
        render(mesh, camera.to(torch.float32))
    three = mesh.replace(vertices=mesh.vertices.expand(3, -1, -1))
    two = camera.replace(world_to_camera=camera.world_to_camera.expand(2, 4, 4))
    with pytest.raises(InputError, match=r"mesh \(3,\) and camera \(2,\) must broadcast"):
        render(three, two)
    with pytest.raises(InputError, match=r"must have shape \(..., 26, 36, C\), got \(36, 26, 3\)"):
        render(mesh, camera, background=torch.zeros(36, 26, 3, device=device))
    with pytest.raises(InputError, match=r"backend must be .* got 'cuda'"):
        _ = render(mesh, camera, renderer=DIBR(backend="cuda")).mask  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no uvs?\b"):
        _ = render(Mesh(mesh.vertices, mesh.faces), camera).uv
    with pytest.raises(InputError, match=r"visible_texels needs"):
        _ = render(mesh, camera).visible_texels
    textured = mesh.replace(vertex_colors=None, texture=torch.rand(4, 4, 3).to(mesh.vertices))
    with pytest.raises(InputError, match=r"filter must be .* got 'cubic'"):
        _ = render(textured, camera, texture_filter="cubic").rgb  # type: ignore[arg-type]


@pytest.mark.parametrize("blur", [0, -1.0, math.nan, math.inf])
def test_blur_must_be_positive(blur):
    with pytest.raises(InputError, match=f"blur must be a positive number of pixels, got {blur}"):
        DIBR(blur=blur)
    with pytest.raises(InputError, match="sigma_ndc must be positive, got 0"):
        DIBR(sigma_ndc=0)
