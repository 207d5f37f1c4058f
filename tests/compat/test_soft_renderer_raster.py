"""soft_rasterize against its definition, pixel by pixel and face by face in plain numpy."""

import functools
import inspect
import math
import types

import numpy as np
import pytest
import torch

import unrender.compat.soft_renderer as sr
from unrender.errors import InputError
from unrender.geometry import icosphere

srf = sr.functional

SIZE = 9
NEAR_FAR = {"near": 1, "far": 4}


def segment_distance(p, a, b):
    t = np.clip((p - a) @ (b - a) / ((b - a) @ (b - a)), 0, 1)
    return np.linalg.norm(p - a - t * (b - a))


def texel(texture, w, texture_type):
    if texture_type == "vertex":
        return w @ texture
    side = math.isqrt(len(texture))
    w = w * (1 - 1e-9) + 1e-9 / 3  # corners belong to the small triangle next to them
    x, y = int(w[0] * side), int(w[1] * side)
    if (w[0] + w[1]) * side - x - y <= 1:
        return texture[y * side + x]
    return texture[(side - 1 - y) * side + side - 1 - x]


def draw_pixel(p, faces, textures, o):
    """Red, green, blue and alpha at the point p of the picture, with options o."""
    reach = math.log(1 / o.dist_eps - 1) * o.sigma_val
    coverage, mixture = [], [(o.eps / o.gamma_val, 1.0, np.asarray(o.background_color))]
    nearest, nearest_color = math.inf, mixture[0][2]
    for face, texture in zip(faces, textures, strict=True):
        a, b, c = face[:, :2]
        w1, w2 = np.linalg.solve(np.stack([b - a, c - a], axis=1), p - a)
        w = np.array([1 - w1 - w2, w1, w2])
        inside = bool((w >= 0).all())
        if o.dist_func == "euclidean":
            square = min(segment_distance(p, *edge) for edge in ((a, b), (b, c), (c, a))) ** 2
            signed = square if inside else -square
        elif o.dist_func == "barycentric":
            signed = w.min() * abs(w.min())
        else:
            signed = math.inf if inside else -math.inf
        low, high = face[:, :2].min(0) - math.sqrt(reach), face[:, :2].max(0) + math.sqrt(reach)
        if -signed >= reach or (p < low).any() or (p > high).any():
            continue
        cover = 1 / (1 + math.exp(-signed / o.sigma_val))
        coverage.append(cover)
        clipped = w.clip(0, 1) / w.clip(0, 1).sum()
        depth = 1 / (clipped / face[:, 2]).sum()
        clockwise = (b - a)[0] * (c - a)[1] < (b - a)[1] * (c - a)[0]
        if not o.near <= depth <= o.far or not (o.fill_back or clockwise):
            continue
        color = texel(texture, clipped, o.texture_type)
        mixture.append(((o.far - depth) / (o.far - o.near) / o.gamma_val, cover, color))
        if inside and depth < nearest:
            nearest, nearest_color = depth, color
    if o.aggr_func_rgb == "hard":
        color = nearest_color
    else:
        most = max(exponent for exponent, _, _ in mixture)
        weights = [cover * math.exp(exponent - most) for exponent, cover, _ in mixture]
        color = sum(w * color for w, (_, _, color) in zip(weights, mixture, strict=True)) / sum(weights)
    alpha = {
        "prod": 1 - math.prod(1 - cover for cover in coverage),
        "sum": sum(coverage) / len(faces),
        "hard": float(any(cover > 0.5 for cover in coverage)),
    }[o.aggr_func_alpha]
    return np.append(color, alpha)


@functools.cache
def expected_picture(name, texture_type):
    """The pictures of ``scene`` with the options of that name, (2, 4, SIZE, SIZE)."""
    options = inspect.signature(srf.soft_rasterize).parameters
    defaults = {o.name: o.default for o in options.values()}
    settings = types.SimpleNamespace(**defaults | NEAR_FAR | OPTIONS[name] | {"texture_type": texture_type})
    along = (2 * np.arange(SIZE) + 1 - SIZE) / SIZE
    pictures = [
        [[draw_pixel(np.array([x, y]), faces, textures, settings) for x in along] for y in -along]
        for faces, textures in zip(*(t.numpy() for t in scene(texture_type)), strict=True)
    ]
    return np.moveaxis(np.array(pictures), -1, 1)


def scene(texture_type, *, side=3):
    """Faces of both windings, some before ``near`` = 1 or beyond ``far`` = 4, and their textures."""
    generator = torch.Generator().manual_seed(5)
    centres = torch.rand(2, 6, 1, 2, generator=generator, dtype=torch.float64) * 1.6 - 0.8
    corners = centres + torch.randn(2, 6, 3, 2, generator=generator, dtype=torch.float64) * 0.5
    depth = 1.2 + 2 * torch.rand(2, 6, 3, 1, generator=generator, dtype=torch.float64)
    depth[:, 4] -= 0.9
    depth[:, 5] += 1.9
    places = 3 if texture_type == "vertex" else side * side
    textures = torch.rand(2, 6, places, 3, generator=generator, dtype=torch.float64)
    return torch.cat([corners, depth], dim=-1), textures


OPTIONS = {
    "sharp": {},
    "soft": {"sigma_val": 3e-3, "gamma_val": 3e-2, "dist_eps": 1e-6, "background_color": (0.2, 0.5, 0.9)},
    "front faces": {"sigma_val": 3e-3, "gamma_val": 3e-2, "fill_back": False, "background_color": (1, 0, 0)},
    "barycentric": {"sigma_val": 1e-2, "gamma_val": 1e-2, "dist_func": "barycentric"},
    "hard distance": {"dist_func": "hard", "gamma_val": 1e-1, "eps": 0.4},
    "hard colour": {"aggr_func_rgb": "hard", "sigma_val": 1e-3, "background_color": (0.1, 0.2, 0.3)},
    "hard colour of front faces": {"aggr_func_rgb": "hard", "sigma_val": 1e-3, "fill_back": False},
    "sum": {"aggr_func_alpha": "sum", "sigma_val": 1e-2, "gamma_val": 1e-2},
    "hard alpha": {"aggr_func_alpha": "hard", "sigma_val": 1e-3, "gamma_val": 1e-2},
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("texture_type", ["surface", "vertex"])
@pytest.mark.parametrize("name", OPTIONS)
def test_picture_is_that_of_the_definition(device, name, texture_type, dtype):
    face_vertices, textures = scene(texture_type)
    expected = expected_picture(name, texture_type)
    options = {"texture_type": texture_type} | NEAR_FAR | OPTIONS[name]
    drawn = srf.soft_rasterize(face_vertices.to(device, dtype), textures.to(device, dtype), SIZE, **options)
    assert drawn.dtype == dtype
    exact = 1e-9 if dtype == torch.float64 else 2e-4
    np.testing.assert_allclose(drawn.cpu().double(), expected, atol=exact, rtol=exact)
    assert 0.1 < np.mean(expected[:, 3] > 0.02) < 1


def test_faces_may_be_given_flat(device):
    face_vertices, textures = (t.to(device) for t in scene("surface"))
    drawn = srf.soft_rasterize(face_vertices.flatten(2), textures, 8)
    assert torch.equal(drawn, srf.soft_rasterize(face_vertices, textures, 8))


@pytest.mark.parametrize("alpha", ["prod", "sum"])
@pytest.mark.parametrize("distance", ["euclidean", "barycentric"])
def test_gradient_of_alpha_is_the_true_one_whatever_the_depth(device, distance, alpha):
    face_vertices, textures = (t[:1, :4].to(device) for t in scene("surface"))
    face_vertices[..., 2] -= 1.5  # about half of the faces before near
    face_vertices[..., 2].clamp_(min=0.1)

    def silhouette(corners):
        options = {"sigma_val": 2e-2, "dist_eps": 1e-9, "dist_func": distance, "aggr_func_alpha": alpha}
        return srf.soft_rasterize(corners, textures, 5, **options)[:, 3]

    assert torch.autograd.gradcheck(silhouette, face_vertices.requires_grad_(), fast_mode=True)


@pytest.mark.parametrize("texture_type", ["surface", "vertex"])
@pytest.mark.parametrize("rgb", ["softmax", "hard"])
def test_gradient_of_textures_is_the_true_one(device, texture_type, rgb):
    face_vertices, textures = (t[:1, :4].to(device) for t in scene(texture_type, side=2))

    def colors(values):
        options = {"sigma_val": 2e-2, "gamma_val": 1e-2, "aggr_func_rgb": rgb, "texture_type": texture_type}
        return srf.soft_rasterize(face_vertices, values, 4, **options)

    assert torch.autograd.gradcheck(colors, textures.requires_grad_(), fast_mode=True)


def test_colours_move_vertices_through_the_weights_of_faces_alone(device):
    face_vertices, textures = (t.to(device) for t in scene("vertex"))
    face_vertices.requires_grad_()
    options = {"sigma_val": 2e-2, "gamma_val": 1e-2, "texture_type": "vertex"}
    (alone,) = torch.autograd.grad(
        srf.soft_rasterize(face_vertices[:, :1], textures[:, :1], 8, eps=0.0, **options)[:, :3].sum(),
        face_vertices,
    )
    assert float(alone[:, 0].abs().max()) > 0
    # With D = 1 and one face, nothing but the interpolation would move.
    wide = torch.tensor([[[[-9.0, -9, 2], [9, -9, 2], [0, 9, 2]]]], device=device, requires_grad=True)
    drawn = srf.soft_rasterize(wide, textures[:1, :1].float(), 4, texture_type="vertex")
    (gradient,) = torch.autograd.grad(drawn[:, :3].square().sum(), wide)
    assert float(gradient[..., :2].abs().max()) < 1e-12
    colors = drawn[0, :3].detach().flatten(1).T
    assert float((colors[0] - colors[-1]).abs().max()) > 1e-3


def test_closed_mesh_shows_its_outside(device):
    sphere = icosphere(2)
    colors = torch.rand(sphere.num_faces, 1, 3, generator=torch.Generator().manual_seed(0))
    pictures = {}
    for name, faces in (("outward", sphere.faces), ("inward", sphere.faces[:, [0, 2, 1]])):
        for fill_back in (True, False):
            renderer = sr.SoftRenderer(32, camera_mode="look_at", aggr_func_rgb="hard", fill_back=fill_back)
            renderer.lighting = sr.Lighting(intensity_ambient=1, intensity_directionals=0)
            renderer.transform.set_eyes_from_angles(3.0, 20.0, 50.0)
            args = (sphere.vertices.to(device), faces.to(device), colors.to(device))
            pictures[name, fill_back] = renderer(*args)
    torch.testing.assert_close(pictures["outward", False], pictures["outward", True])
    torch.testing.assert_close(pictures["inward", True], pictures["outward", True])
    inner = pictures["inward", False]
    assert float((inner - pictures["outward", True])[:, :3].abs().max()) > 0.1
    assert float(inner[:, :3].sum()) > 0  # the far side, seen from within


def test_drawing_the_same_mesh_again_gives_the_same_picture(device):
    sphere = icosphere(1)
    mesh = sr.Mesh(sphere.vertices.to(device), sphere.faces.to(device))
    before = mesh.vertices.clone(), mesh.textures.clone()
    renderer = sr.SoftRenderer(24, camera_mode="look_at")
    first = renderer.render_mesh(mesh)
    assert torch.equal(first, renderer.render_mesh(mesh))
    assert torch.equal(mesh.vertices, before[0])
    assert torch.equal(mesh.textures, before[1])
    assert torch.equal(first, renderer(sphere.vertices.to(device), sphere.faces.to(device)))


def test_anti_aliasing_averages_a_picture_of_twice_the_size(device):
    face_vertices, _ = scene("surface")
    mesh = sr.Mesh(face_vertices.float().flatten(1, 2).to(device), torch.arange(18).view(1, 6, 3).to(device))
    settings = {"sigma_val": 1e-3, "background_color": (0.3, 0.2, 0.1)}
    smooth = sr.SoftRasterizer(8, anti_aliasing=True, **settings)(mesh)
    large = sr.SoftRasterizer(16, **settings)(mesh)
    torch.testing.assert_close(smooth, large.view(2, 4, 8, 2, 8, 2).mean((3, 5)))


def test_renderer_draws_the_nearest_faces_without_blur(device):
    near = [[-9.0, -2, 0.2], [0.1, -2, 0.2], [0.1, 9, 0.2]]
    far = [[-3.0, -3, 0.5], [3, -3, 0.5], [0, 1, 0.5]]
    vertices, faces = torch.tensor(near + far), torch.arange(6).view(2, 3)
    colors = torch.tensor([[[1.0, 0, 0]], [[0, 0, 1]]])
    renderer = sr.Renderer(16, camera_mode="look_at", eye=(0, 0, -2), anti_aliasing=False)
    renderer.lighting = sr.Lighting(intensity_ambient=1, intensity_directionals=0)
    picture = renderer(sr.Mesh(vertices.to(device), faces.to(device), colors.to(device)))[0].cpu()
    assert picture.unique().tolist() == [0, 1]
    # x = 0.1 at depth 2.2 lies between the centres of columns 8 and 9.
    assert bool((picture[:, :, :9] == torch.tensor([1.0, 0, 0, 1])[:, None, None]).all())
    assert not bool(picture[0, :, 9:].any())
    assert picture[:, 15, 15].tolist() == [0, 0, 1, 1]
    assert picture[:, 0, 15].tolist() == [0, 0, 0, 0]
    smooth = sr.Renderer(16, camera_mode="look_at", eye=(0, 0, -2))
    assert len(smooth(sr.Mesh(vertices.to(device), faces.to(device)))[0, 3].unique()) > 2


def test_options_and_shapes_are_checked(device):
    face_vertices, textures = (t.to(device) for t in scene("surface"))
    with pytest.raises(InputError, match=r"dist_func must be one of .*, got 'cosine'"):
        sr.SoftRasterizer(dist_func="cosine")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="aggr_func_alpha must be one of hard, sum, prod, got 'max'"):
        srf.soft_rasterize(face_vertices, textures, aggr_func_alpha="max")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="sigma_val must be positive, got 0"):
        srf.soft_rasterize(face_vertices, textures, sigma_val=0)
    with pytest.raises(InputError, match="near must be less than far"):
        srf.soft_rasterize(face_vertices, textures, near=3, far=2)
    with pytest.raises(InputError, match=r"textures must have shape \(2, 6, R \* R, 3\), got \(2, 6, 8, 3\)"):
        srf.soft_rasterize(face_vertices, textures[:, :, :8])
    with pytest.raises(InputError, match=r"textures must have shape \(2, 6, 3, 3\), got \(2, 6, 9, 3\)"):
        srf.soft_rasterize(face_vertices, textures, texture_type="vertex")
    with pytest.raises(InputError, match=r"face_vertices must have shape \(B, F, 3, 3\), got \(6, 3, 3\)"):
        srf.soft_rasterize(face_vertices[0], textures)
    with pytest.raises(InputError, match="mode must be 'surface' or 'vertex', got 'face'"):
        sr.SoftRenderer(camera_mode="look_at").set_texture_mode("face")
