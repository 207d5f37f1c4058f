"""neural_renderer's pictures: rays, and every option."""

import math

import numpy as np
import pytest
import torch
from neural_renderer_scenes import ball, plain_renderer, triangle
from scipy.interpolate import RegularGridInterpolator

import unrender.compat.neural_renderer as nr
from unrender.errors import InputError


def seen_by_rays(vertices, faces, textures, size, near=0.1):
    """Colours (S, S, 3), depth and alpha (S, S) of one mesh from the default eye, by numpy and scipy."""
    slope = math.tan(math.radians(30))
    corners = (vertices[0].cpu().numpy() + np.array([0, 0, 1 / slope + 1]))[faces[0].cpu().numpy()]
    across = (2 * np.arange(size) + 1 - size) / size * slope
    x, y = np.meshgrid(across, -across)
    rays = np.stack([x, y, np.ones_like(x)], -1)  # of depth 1
    # w0 a + w1 b + w2 c lies at depth d on the ray if w / d are the ray's coordinates in the basis a, b, c
    shares = np.einsum("fkc,rsk->rsfc", np.linalg.inv(corners), rays)
    depth = 1 / shares.sum(-1)
    weights = shares * depth[..., None]
    depth = np.where((weights >= 0).all(-1) & (depth > near), depth, np.inf)
    face = depth.argmin(-1)
    depth = depth.min(-1)
    colors = np.zeros((size, size, 3))
    for row, column in np.argwhere(np.isfinite(depth)):
        cube = textures[0, face[row, column]].detach().cpu().numpy()
        ticks = np.linspace(0, 1, cube.shape[0])
        place = np.clip(weights[row, column, face[row, column]], 0, 1)
        colors[row, column] = RegularGridInterpolator((ticks,) * 3, cube)(place)[0]
    return colors, depth, np.isfinite(depth).astype(float)


@pytest.mark.parametrize("anti_aliasing", [False, True])
def test_picture_is_that_of_rays(device, anti_aliasing):
    vertices, faces, textures = ball(device)
    renderer = plain_renderer(anti_aliasing=anti_aliasing, far=50.0, background_color=[0.1, 0.2, 0.3])
    rgb, depth, alpha = renderer(vertices, faces, textures)
    assert (rgb.shape, depth.shape, alpha.shape) == ((1, 3, 32, 32), (1, 32, 32), (1, 32, 32))
    colors, distances, covered = seen_by_rays(vertices, faces, textures, 64 if anti_aliasing else 32)
    colors = np.where(covered[..., None] > 0, colors, [0.1, 0.2, 0.3])
    distances = np.where(covered > 0, distances, 50.0)
    if anti_aliasing:
        colors, distances, covered = (
            values.reshape(32, 2, 32, 2, -1).mean((1, 3)).squeeze() for values in (colors, distances, covered)
        )
    # texture coordinates end 0.001 before the last texel
    np.testing.assert_allclose(rgb[0].permute(1, 2, 0).cpu(), colors, atol=4e-3)
    np.testing.assert_allclose(depth[0].cpu(), distances, rtol=1e-9)
    np.testing.assert_array_equal(alpha[0].cpu(), covered)
    assert covered.mean() > 0.2


def test_modes_are_parts_of_the_whole(device):
    vertices, faces, textures = ball(device)
    renderer = plain_renderer(anti_aliasing=True)
    rgb, depth, alpha = renderer(vertices, faces, textures)
    assert torch.equal(renderer(vertices, faces, textures, mode="rgb"), rgb)
    assert torch.equal(renderer(vertices, faces, mode="depth"), depth)
    assert torch.equal(renderer(vertices, faces, mode="silhouettes"), alpha)
    assert torch.equal(renderer.render_rgb(vertices, faces, textures), rgb)
    assert torch.equal(renderer.render_depth(vertices, faces), depth)
    assert torch.equal(renderer.render_silhouettes(vertices, faces), alpha)


def test_items_of_a_batch_are_drawn_like_each_alone(device):
    vertices, faces, textures = ball(device)
    vertices = torch.cat([vertices, vertices * torch.tensor([0.5, 1.3, 0.8], device=device)])
    textures = torch.cat([textures, textures.flip(1)])
    both = plain_renderer()(vertices, faces.expand(2, -1, -1), textures)
    for item in range(2):
        rows = slice(item, item + 1)
        alone = plain_renderer()(vertices[rows], faces, textures[rows])
        assert all(torch.equal(a[rows], b) for a, b in zip(both, alone, strict=True))
    assert not torch.equal(both[0][0], both[0][1])


def test_same_mesh_drawn_twice_is_the_same(device):
    vertices, faces, textures = (t.float() if t.is_floating_point() else t for t in ball(device))
    kept = textures.clone()
    renderer = plain_renderer(
        light_intensity_ambient=0.3, light_intensity_directional=0.6, anti_aliasing=True
    )
    results = []
    for _ in range(2):
        leaf = vertices.clone().requires_grad_()
        rgb, depth, alpha = renderer(leaf, faces, textures)
        ((rgb - 0.5).square().sum() + depth.sum() + alpha.sum()).backward()
        results.append((rgb, depth, alpha, leaf.grad))
    assert torch.equal(textures, kept)
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def test_rows_start_at_the_top(device):
    corners = ((-1.0, 0.2, 2.0), (0.5, 1.0, 2.0), (-1.0, 1.0, 2.0))
    alpha = nr.rasterize_silhouettes(triangle(device, *corners), 8, anti_aliasing=False)[0]
    assert alpha[0, 0] == 1
    assert not alpha[4:].any()
    assert not alpha[:, 7].any()


def test_rasterize_module_is_upside_down(device):
    faces = triangle(device)
    textures = torch.rand(1, 1, 2, 2, 2, 3, device=device, dtype=torch.float64)
    module = nr.Rasterize(8, 0.1, 100, 1e-4, (0, 0, 1), True, True, True)
    rgb, alpha, depth = module(faces, textures)
    drawn = nr.rasterize_rgbad(faces, textures, 8, False, background_color=(0, 0, 1))
    assert torch.equal(rgb.flip(1).permute(0, 3, 1, 2), drawn["rgb"])
    assert torch.equal(alpha.flip(1), drawn["alpha"])
    assert torch.equal(depth.flip(1), drawn["depth"])
    rgb, alpha, depth = nr.Rasterize(8, 0.1, 100, 1e-4, None, return_alpha=True)(faces, None)
    assert rgb.numel() == depth.numel() == 0
    assert alpha.shape == (1, 8, 8)


def test_unwanted_layers_are_none(device):
    drawn = nr.rasterize_rgbad(triangle(device), None, 8, return_rgb=False, return_depth=False)
    assert drawn["rgb"] is None
    assert drawn["depth"] is None
    assert torch.equal(drawn["alpha"], nr.rasterize_silhouettes(triangle(device), 8))
    textures = torch.rand(1, 1, 2, 2, 2, 3, device=device, dtype=torch.float64)
    drawn = nr.rasterize_rgbad(triangle(device), textures, 8, return_alpha=False)
    assert drawn["alpha"] is None
    assert torch.equal(drawn["depth"], nr.rasterize_depth(triangle(device), 8))
    assert torch.equal(drawn["rgb"], nr.rasterize(triangle(device), textures, 8))


# -- options -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["rgb", "silhouettes", "depth"])
@pytest.mark.parametrize("plane", ["near", "far"])
def test_near_and_far_leave_faces_out(device, mode, plane):
    """Two triangles cover the same pixels at depths 2 and 4; the plane between them hides one."""
    front = triangle(device)
    faces = torch.cat([front, front + torch.tensor([0.0, 0, 2], device=device)], 1)
    textures = torch.ones(1, 2, 2, 2, 2, 3, device=device, dtype=torch.float64)
    textures[:, 0] = 0.5
    near, far = {"near": (3.0, 100.0), "far": (0.1, 3.0)}[plane]
    row, column = 6, 1
    if mode == "depth":
        depth = nr.rasterize_depth(faces, 8, False, near, far)[0]
        assert depth[row, column] == {"near": 4, "far": 2}[plane]
        assert depth[0, 7] == far
    elif mode == "rgb":
        rgb = nr.rasterize(faces, textures, 8, False, near, far)[0]
        assert rgb[:, row, column].tolist() == pytest.approx([{"near": 1.0, "far": 0.5}[plane]] * 3)
    else:
        hidden = {"near": 0, "far": 1}[plane]
        assert not nr.rasterize_silhouettes(faces[:, [hidden]], 8, False, near, far).any()
        assert nr.rasterize_silhouettes(faces[:, [1 - hidden]], 8, False, near, far)[0, row, column] == 1


@pytest.mark.parametrize("near", [0.2, 2.2])
def test_faces_are_cut_at_the_near_plane(device, near):
    """A floor from behind the eye to far ahead, and a ball whose front is cut off."""
    vertices, faces, textures = ball(device)
    floor = torch.tensor([[-9.0, -1.1, -9], [9, -1.2, -9], [0, -1.3, 15]], dtype=torch.float64, device=device)
    own = torch.tensor([[[0, 1, 2]]], device=device)
    faces = torch.cat([faces, own + vertices.shape[1]], 1)
    vertices = torch.cat([vertices, floor[None]], 1)
    textures = torch.cat([textures, torch.rand(1, 1, 3, 3, 3, 3, dtype=torch.float64, device=device)], 1)
    rgb, depth, alpha = plain_renderer(near=near)(vertices, faces, textures)
    colors, distances, covered = seen_by_rays(vertices, faces, textures, 32, near=near)
    np.testing.assert_allclose(rgb[0].permute(1, 2, 0).cpu(), colors, atol=4e-3)
    np.testing.assert_allclose(depth[0].cpu(), np.where(covered > 0, distances, 100.0), rtol=1e-9)
    np.testing.assert_array_equal(alpha[0].cpu(), covered)


def test_what_is_behind_the_eye_gives_no_gradient(device):
    vertices, faces, textures = ball(device)
    leaf = (vertices - torch.tensor([0.0, 0, 9], device=device)).requires_grad_()
    rgb, depth, alpha = plain_renderer(background_color=[0.1, 0.2, 0.3])(leaf, faces, textures)
    assert torch.equal(rgb[0, :, 5, 5].cpu(), torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
    assert bool((depth == 100).all())
    assert not alpha.any()
    (rgb.sum() + depth.sum() + alpha.sum()).backward()
    assert leaf.grad is not None
    assert not leaf.grad.any()


def test_fill_back_shows_faces_from_behind(device):
    facing = triangle(device)[:, 0]
    faces = torch.tensor([[[0, 1, 2]]], device=device)
    for corners, order in ((facing, faces), (facing, faces.flip(-1))):
        shown = {}
        for fill_back in (True, False):
            renderer = plain_renderer(fill_back=fill_back, image_size=8)
            renderer.camera_mode = "none"
            shown[fill_back] = renderer(corners, order, mode="silhouettes").mean().item()
        assert shown[True] > 0.3
        assert (shown[False] > 0) == (order is faces)


def test_fill_back_shows_the_same_colors(device):
    corners = triangle(device)[:, 0]
    textures = torch.rand(1, 1, 4, 4, 4, 3, device=device, dtype=torch.float64)
    faces = torch.tensor([[[0, 1, 2]]], device=device)
    renderer = plain_renderer(image_size=8)
    renderer.camera_mode = "none"
    there = renderer(corners, faces, textures, mode="rgb")
    back = renderer(corners, faces.flip(-1), textures.transpose(2, 4), mode="rgb")
    torch.testing.assert_close(there, back)


def test_image_size_and_background(device):
    vertices, faces, textures = ball(device)
    vertices, faces, textures = (torch.cat([t, t]) for t in (vertices, faces, textures))
    colors = torch.tensor([[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]], device=device, dtype=torch.float64)
    colors.requires_grad_()
    rgb = plain_renderer(image_size=20, background_color=colors)(vertices, faces, textures, mode="rgb")
    assert rgb.shape == (2, 3, 20, 20)
    assert torch.equal(rgb[:, :, 0, 0], colors)
    rgb.sum().backward()
    empty = 1 - plain_renderer(image_size=20)(vertices, faces, mode="silhouettes")
    assert colors.grad is not None
    torch.testing.assert_close(colors.grad, empty.sum((1, 2))[:, None].expand(2, 3))


def test_light_options(device):
    """A white triangle with the normal (0, 0, -1) towards the eye."""
    corners = triangle(device)[:, 0]
    faces = torch.tensor([[[0, 1, 2]]], device=device)
    textures = torch.ones(1, 1, 2, 2, 2, 3, device=device, dtype=torch.float64)

    def color(**options):
        renderer = nr.Renderer(camera_mode="look", image_size=8, anti_aliasing=False, **options)
        renderer.camera_mode = "none"
        return renderer(corners, faces, textures, mode="rgb")[0, :, 6, 1].tolist()

    assert color() == pytest.approx([0.5] * 3)  # light from above does not reach it
    assert color(light_direction=[0, 0.6, -0.8]) == pytest.approx([0.9] * 3)
    assert color(light_direction=[0, 0, 1]) == pytest.approx([0.5] * 3)
    ambient = {"light_intensity_ambient": 0.2, "light_color_ambient": [1, 0.5, 0]}
    assert color(**ambient) == pytest.approx([0.2, 0.1, 0])
    directional = {"light_intensity_directional": 0.4, "light_color_directional": [0, 0.5, 1]}
    assert color(light_direction=[0, 0, -1], **directional) == pytest.approx([0.5, 0.7, 0.9])


def test_errors_name_rule_and_value(device):
    vertices, faces, textures = ball(device)
    with pytest.raises(
        InputError, match="camera_mode must be 'projection', 'look' or 'look_at', got 'orbit'"
    ):
        nr.Renderer(camera_mode="orbit")
    with pytest.raises(InputError, match="needs K, R and t, got no K and no R and no t"):
        nr.Renderer()(vertices, faces, textures)
    with pytest.raises(InputError, match="mode must be None, 'rgb', 'silhouettes' or 'depth', got 'normals'"):
        plain_renderer()(vertices, faces, textures, mode="normals")
    with pytest.raises(InputError, match=r"colours need textures of shape .*, got None"):
        plain_renderer()(vertices, faces)
    with pytest.raises(InputError, match=r"faces must have shape \(B, F, 3, 3\), got \(1, 80, 3\)"):
        nr.rasterize_silhouettes(faces)
    with pytest.raises(InputError, match=r"textures must have shape \(1, 1, T, T, T, 3\), got \(1, 80, "):
        nr.rasterize(triangle(device), textures)
    with pytest.raises(InputError, match="colours need textures, got None"):
        nr.rasterize_rgbad(triangle(device))
    with pytest.raises(InputError, match="near must be positive, got 0"):
        nr.rasterize_depth(triangle(device), near=0)
    with pytest.raises(InputError, match=r"textures must have shape \(1, 1, T, T, T, 3\), got \(1, 80, "):
        nr.lighting(triangle(device), textures)
    with pytest.raises(InputError, match=r"faces must have shape \(B, F, 3, 3\), got \(1, 80, 3\)"):
        nr.lighting(faces, textures)
