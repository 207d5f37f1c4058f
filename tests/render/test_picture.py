import math
import warnings

import numpy as np
import pytest
import torch
from rays import bumpy_mesh, cast_rays, odd_camera

from unrender.geometry import Mesh, vertex_normals
from unrender.render import (
    AmbientLight,
    DirectionalLight,
    Phong,
    PointLight,
    SphericalHarmonicsLight,
    dibr_picture,
    mesh_picture,
    render,
)


def textured_mesh(device, dtype=torch.float64) -> Mesh:
    mesh = bumpy_mesh(device, dtype)
    return mesh.replace(vertex_colors=None, texture=torch.rand(8, 8, 3).to(mesh.vertices))


@pytest.fixture
def seen(device):
    """Mesh, camera, and what rays find at its pixels: points, unit normals and colours."""
    mesh, camera = bumpy_mesh(device), odd_camera(device)
    hits = cast_rays(mesh, camera)
    normals = hits.interpolate(vertex_normals(mesh.vertices, mesh.faces), mesh.faces)[hits.face >= 0]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    colors = hits.interpolate(mesh.vertex_colors, mesh.faces)[hits.face >= 0]
    return mesh, camera, hits.points[hits.face >= 0], normals, colors


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_matt_surfaces(device, seen):
    mesh, camera, points, normals, colors = seen
    direction, beam = np.array([0.5, 2.0, 1.0]), np.array([1.0, 0.8, 0.5])
    position, lamp = np.array([2.0, -1.0, 2.0]), np.array([0.2, 0.3, 0.9])
    fill = np.array([0.1, 0.2, 0.1])
    lights = [
        AmbientLight(torch.tensor(fill, device=device)),
        DirectionalLight(torch.tensor(direction, device=device), torch.tensor(beam, device=device)),
        PointLight(torch.tensor(position, device=device), torch.tensor(lamp, device=device)),
    ]
    cosines = [normals @ unit(direction), (normals * unit(position - points)).sum(-1)]
    first, second = (np.maximum(c, 0)[:, None] for c in cosines)
    result = render(mesh, camera, lights, background=0.7)
    expected = colors * (fill + first * beam + second * lamp)
    np.testing.assert_allclose(result.rgb[result.mask].cpu(), expected, atol=1e-9)
    assert (result.rgb[~result.mask] == 0.7).all()
    alone = render(mesh, camera, lights[1])  # one light needs no list
    np.testing.assert_allclose(alone.rgb[alone.mask].cpu(), colors * first * beam, atol=1e-9)


@pytest.mark.parametrize("orthographic", [False, True])
def test_highlights(device, orthographic):
    mesh, camera = bumpy_mesh(device), odd_camera(device, orthographic=orthographic)
    hits = cast_rays(mesh, camera)
    normals = unit(hits.interpolate(vertex_normals(mesh.vertices, mesh.faces), mesh.faces)[hits.face >= 0])
    colors = hits.interpolate(mesh.vertex_colors, mesh.faces)[hits.face >= 0]
    points = hits.points[hits.face >= 0]
    pose = camera.world_to_camera.cpu().numpy()
    eye = -pose[:3, :3].T @ pose[:3, 3]
    view = np.broadcast_to(-pose[2, :3], points.shape) if orthographic else unit(eye - points)
    # a light beside the camera, so that highlights are in view
    direction = unit(eye + 0.4)
    cosine = (normals @ direction)[:, None]
    mirrored = ((2 * cosine * normals - direction) * view).sum(-1, keepdims=True)
    gloss = np.where((cosine > 0) & (mirrored > 0), np.abs(mirrored) ** 12, 0)
    assert (gloss > 0.5).sum() > 10
    expected = colors * np.maximum(cosine, 0) * 0.6 + 0.4 * gloss
    light = DirectionalLight(torch.tensor(direction, device=device), torch.ones(3, device=device).double())
    material = Phong(diffuse=0.6, specular=0.4, shininess=12.0)
    result = render(mesh, camera, light, material=material)
    np.testing.assert_allclose(result.rgb[result.mask].cpu(), expected, atol=1e-9)


def test_light_from_all_around_leaves_colours_as_they_are(device):
    mesh, camera = bumpy_mesh(device), odd_camera(device)
    coefficients = torch.zeros(9, dtype=torch.float64, device=device)
    coefficients[0] = 2 * math.sqrt(math.pi)
    lit = render(mesh, camera, SphericalHarmonicsLight(coefficients))
    torch.testing.assert_close(lit.rgb, render(mesh, camera).rgb)


def test_a_mesh_without_colours_is_white(device):
    mesh = bumpy_mesh(device).replace(vertex_colors=None)
    result = render(mesh, odd_camera(device))
    assert (result.rgb == result.mask[..., None]).all()


def test_only_what_is_read_is_computed(device, monkeypatch):
    calls = []

    def count(module, name):
        function = getattr(module, name)

        def counted(*arguments, **options):
            calls.append(name)
            return function(*arguments, **options)

        monkeypatch.setattr(module, name, counted)

    for name in ("rasterize", "interpolate", "sample_texture", "vertex_normals"):
        count(mesh_picture, name)
    for name in ("soft_mask", "shade"):
        count(dibr_picture, name)
    light = DirectionalLight(torch.tensor([0.0, 1, 0]).double().to(device), torch.ones(3).double().to(device))
    result = render(textured_mesh(device), odd_camera(device), light)
    assert calls == []
    for name, expected in (
        ("depth", ["rasterize"]),
        ("mask", []),
        ("face_index", []),
        ("barycentrics", []),
        ("depth", []),
        ("alpha", ["soft_mask"]),
        ("uv", ["interpolate"]),
        ("albedo", ["sample_texture"]),
        ("world_normals", ["vertex_normals", "interpolate"]),
        ("rgb", ["shade"]),
        ("rgb", []),
        ("rgba", []),
    ):
        calls.clear()
        assert getattr(result, name) is getattr(result, name)
        assert calls == expected, name
    # in one go, uv and normals are interpolated together
    calls.clear()
    _ = render(textured_mesh(device), odd_camera(device), light).rgb
    assert sorted(calls) == sorted(["rasterize", "vertex_normals", "interpolate", "sample_texture", "shade"])


def test_gradients_are_on_or_off_as_when_the_picture_was_made(device):
    mesh = bumpy_mesh(device)
    mesh = mesh.replace(vertices=mesh.vertices.requires_grad_())
    with torch.no_grad():
        without = render(mesh, odd_camera(device))
    for name in ("rgb", "alpha", "depth", "points", "world_normals"):
        assert not getattr(without, name).requires_grad
    made = render(mesh, odd_camera(device))
    with torch.no_grad():
        for name in ("rgb", "alpha", "depth", "points", "world_normals"):
            assert getattr(made, name).requires_grad
    assert not made.mask.requires_grad
    assert not made.face_index.requires_grad


def test_warns_when_a_lookup_gives_no_vertex_gradient(device):
    mesh = textured_mesh(device)
    moving = mesh.replace(vertices=mesh.vertices.clone().requires_grad_())
    camera = odd_camera(device)
    with pytest.warns(UserWarning, match="no gradient to the vertices") as records:
        _ = render(moving, camera, texture_filter="nearest").rgb
    assert [record.filename for record in records] == [__file__]
    colors = torch.rand(mesh.num_faces, 2, 2, 3).to(mesh.vertices)
    with pytest.warns(UserWarning, match="no gradient to the vertices"):
        _ = render(Mesh(moving.vertices, mesh.faces, face_textures=colors), camera).rgb


def test_does_not_warn_where_there_is_a_gradient_or_none_is_wanted(device):
    mesh = textured_mesh(device)
    moving = mesh.replace(vertices=mesh.vertices.clone().requires_grad_())
    camera = odd_camera(device)
    light = AmbientLight(torch.ones(3, dtype=torch.float64, device=device))
    colored = bumpy_mesh(device).replace(vertices=moving.vertices)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _ = render(moving, camera).rgb
        _ = render(mesh, camera, texture_filter="nearest").rgb
        _ = render(moving, camera, light, texture_filter="nearest").rgb
        _ = render(colored, camera, texture_filter="nearest").rgb
        silhouette = render(moving, camera, texture_filter="nearest")
        _ = silhouette.depth + silhouette.alpha
        with torch.no_grad():
            _ = render(moving, camera, texture_filter="nearest").rgb
