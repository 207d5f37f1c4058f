import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rays import bumpy_mesh

from unrender.geometry import Mesh, icosphere, spherical_uvs
from unrender.render import (
    DIBR,
    AmbientLight,
    Camera,
    DirectionalLight,
    Phong,
    PointLight,
    SoftRas,
    SphericalHarmonicsLight,
    render,
)
from unrender.render.raster.backend import Backend

# A tetrahedron that fills a picture of 6 x 5 pixels but for its corners.
VERTICES = [[-1.1, -0.9, 0.1], [1.2, -0.8, -0.2], [0.1, 1.0, 0.2], [0.15, 0.05, 1.1]]
FACES = [[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1]]


def scene(device, **options) -> dict[str, torch.Tensor]:
    """Everything that a render can be differentiated in, float64."""
    camera = Camera.orbit(3.0, 12.0, 17.0, fov_y=40.0, width=6, height=5, **options)
    values = {
        "vertices": torch.tensor(VERTICES),
        "pose": camera.world_to_camera,
        "intrinsics": camera.intrinsics + torch.tensor([[0.3, 0.1, 0.2], [0, -0.2, -0.3], [0, 0, 0]]),
        "vertex_colors": torch.rand(4, 3),
        "normals": torch.tensor(VERTICES) + 0.3 * torch.rand(4, 3),
        "uvs": torch.rand(5, 2),
        "texture": torch.rand(3, 4, 3),
        "face_textures": torch.rand(4, 2, 2, 3),
        "ambient color": torch.rand(3),
        "direction": torch.tensor([0.5, 1.0, 1.5]),
        "direction color": torch.rand(3),
        "position": torch.tensor([1.0, 1.5, 3.0]),
        "position color": torch.rand(3),
        "harmonics": torch.rand(9, 3) - 0.3,
        "ambient": torch.rand(1),
        "diffuse": torch.rand(3),
        "specular": torch.rand(3),
        "shininess": torch.tensor([3.5]),
        "background": torch.rand(5, 6, 3),
    }
    return {name: value.to(device, torch.float64) for name, value in values.items()}


def draw(values, *, appearance=None, normals=False, lit=False, renderer=None, near=0.01, **options):
    """The picture of :func:`scene`'s values."""
    device = values["vertices"].device
    uv_faces = torch.tensor([[0, 1, 2], [1, 4, 3], [2, 0, 4], [3, 2, 1]], device=device)
    mesh = Mesh(
        values["vertices"],
        torch.tensor(FACES, device=device),
        uvs=values["uvs"],
        uv_faces=uv_faces,
        normals=values["normals"] if normals else None,
        **({appearance: values[appearance]} if appearance else {}),
    )
    camera = Camera(values["pose"], values["intrinsics"], 6, 5, near=near)
    lights = [
        AmbientLight(values["ambient color"]),
        DirectionalLight(values["direction"], values["direction color"]),
        PointLight(values["position"], values["position color"]),
        SphericalHarmonicsLight(values["harmonics"]),
    ]
    material = Phong(values["ambient"], values["diffuse"], values["specular"], values["shininess"])
    return render(
        mesh,
        camera,
        lights if lit else None,
        material=material if lit else None,
        background=values["background"],
        renderer=renderer,
        **options,
    )


def check(values, names, quantities=("rgb", "alpha", "depth"), **options):
    """Gradcheck a random linear function of each quantity in the named values."""

    def mixed(*inputs):
        picture = draw({**values, **dict(zip(names, inputs, strict=True))}, **options)
        parts = [getattr(picture, name) for name in quantities]
        generator = torch.Generator().manual_seed(0)
        rates = [torch.rand(2, p.numel(), generator=generator).to(p) for p in parts]
        return tuple(r @ p.flatten() for r, p in zip(rates, parts, strict=True))

    inputs = [values[name].requires_grad_() for name in names]
    total = torch.cat(mixed(*inputs)).sum()
    for name, grad in zip(names, torch.autograd.grad(total, inputs), strict=True):
        assert grad.abs().max() > 0, f"{name} has no gradient"
    assert torch.autograd.gradcheck(mixed, inputs)


def test_the_scene_shows_faces_and_background(device):
    picture = draw(scene(device))
    assert 10 < picture.mask.sum() < 28
    assert picture.face_index.unique().numel() >= 4


# soft enough that hidden faces count, and near enough for the cut to be out of sight
SOFT = SoftRas(blur=1.5, gamma=0.02, near=0.5, far=6.0, dist_eps=1e-6)


@pytest.mark.parametrize(
    "renderer", [DIBR(blur=1.5), DIBR(blur=1.5, perspective_correct=False, max_faces=2), SOFT]
)
def test_geometry_and_camera(device, renderer):
    names = ["vertices", "vertex_colors", "pose", "intrinsics"]
    check(scene(device), names, appearance="vertex_colors", renderer=renderer)


def test_geometry_and_orthographic_camera(device):
    values = scene(device)

    def mixed(vertices, pose, intrinsics):
        mesh = Mesh(vertices, torch.tensor(FACES, device=device), vertex_colors=values["vertex_colors"])
        camera = Camera(pose, intrinsics, 6, 5, orthographic=True)
        picture = render(mesh, camera, renderer=DIBR(blur=1.5))
        assert 10 < picture.mask.sum() < 28
        rates = torch.rand(5, 6, generator=torch.Generator().manual_seed(0)).to(vertices)
        return [(rates * v).sum() for v in (picture.rgb[..., 0], picture.alpha, picture.depth)]

    intrinsics = values["intrinsics"] * torch.tensor([[0.4, 0.4, 1]] * 2 + [[1] * 3]).to(values["intrinsics"])
    inputs = [x.requires_grad_() for x in (values["vertices"], values["pose"], intrinsics)]
    assert torch.autograd.gradcheck(mixed, inputs)


@pytest.mark.parametrize("renderer", [DIBR(blur=1.5), SOFT])
def test_through_the_near_plane(device, renderer):
    values = scene(device)
    assert draw(values, near=2.2).scene.coordinates is not None
    names = ["vertices", "vertex_colors", "pose", "intrinsics"]
    check(values, names, appearance="vertex_colors", renderer=renderer, near=2.2)


@pytest.mark.parametrize("texture_filter", ["bilinear", "trilinear"])
def test_texture_and_uvs(device, texture_filter):
    # the mipmap level has no gradient, so geometry is checked without mipmaps alone
    names = ["uvs", "texture", "vertices"] if texture_filter == "bilinear" else ["texture"]
    check(scene(device), names, ("rgb",), appearance="texture", texture_filter=texture_filter)


def test_face_textures_and_nearest_texels(device):
    check(scene(device), ["face_textures"], ("rgb",), appearance="face_textures")
    check(scene(device), ["texture"], ("rgb",), appearance="texture", texture_filter="nearest")


@pytest.mark.parametrize("appearance", ["vertex_colors", "face_textures", "texture"])
def test_light_on_corners(device, appearance):
    """Light that falls on corners, and surfaces that are not seen, in SoftRas."""
    names = ["direction", "position color", "harmonics", "specular", appearance, "background"]
    check(scene(device), names, ("rgb",), appearance=appearance, lit=True, renderer=SOFT)


@pytest.mark.parametrize("appearance", ["vertex_colors", "texture"])
def test_mixtures_move_with_geometry_and_camera(device, appearance):
    quantities = ("rgb", "depth", "world_normals")
    options = {"appearance": appearance, "lit": True, "renderer": SOFT, "double_sided": False}
    check(scene(device), ["vertices", "pose", "intrinsics"], quantities, **options)


def test_lights_materials_and_normals(device):
    names = [
        "ambient color", "direction", "direction color", "position", "position color", "harmonics", "ambient",
        "diffuse", "specular", "shininess", "normals",
    ]  # fmt: skip
    check(scene(device), names, ("rgb",), appearance="vertex_colors", normals=True, lit=True)


@pytest.mark.parametrize("flat", [False, True])
def test_shading_moves_with_geometry_and_camera(device, flat):
    check(scene(device), ["vertices", "pose"], ("rgb",), appearance="vertex_colors", lit=True, flat=flat)


def test_surface_quantities(device):
    quantities = ("points", "world_normals", "camera_normals", "uv", "barycentrics")
    check(scene(device), ["vertices", "pose", "intrinsics"], quantities)


def test_screen_space_colours_give_depth_no_gradient(device):
    mesh = bumpy_mesh(device)
    camera = Camera.orbit(torch.tensor(2.5).double(), 25.0, 40.0, fov_y=50.0, width=20, height=16).to(device)
    away = mesh.vertices - camera.center
    for perspective_correct in (True, False):
        lengths = torch.ones(mesh.num_vertices, 1, dtype=torch.float64, device=device).requires_grad_()
        moved = mesh.replace(vertices=camera.center + lengths * away)  # vertices slide along their rays
        picture = render(moved, camera, renderer=DIBR(perspective_correct=perspective_correct))
        (grad,) = torch.autograd.grad(picture.rgb.square().sum(), lengths, retain_graph=True)
        assert (float(grad.abs().max()) > 1e-2) == perspective_correct
        (grad,) = torch.autograd.grad(picture.alpha.sum(), lengths)
        assert grad.abs().max() < 1e-9


def gradients(device, dtype, *, backend: Backend = "auto", appearance="vertex_colors", size=40, **options):
    """Gradients of a random function of the picture with respect to all leaves, by name."""
    generator = torch.Generator().manual_seed(0)
    base = Camera.orbit(2.5, 25.0, torch.tensor([40.0, 130.0]), fov_y=50.0, width=size, height=size)
    mesh = spherical_uvs(bumpy_mesh("cpu").replace(uvs=None, uv_faces=None))
    shape = {"vertex_colors": (162, 3), "texture": (8, 8, 3), "face_textures": (320, 2, 2, 3)}[appearance]
    leaves = {
        "vertices": mesh.vertices,
        appearance: torch.rand(shape, generator=generator),
        "pose": base.world_to_camera,
        "intrinsics": base.intrinsics,
        "harmonics": torch.rand(9, 3, generator=generator),
    }
    leaves = {name: v.float().to(device, dtype).requires_grad_() for name, v in leaves.items()}
    fields = {"vertices": leaves["vertices"], appearance: leaves[appearance]}
    mesh = mesh.replace(vertex_colors=None).to(dtype).to(device).replace(**fields)
    camera = Camera(leaves["pose"], leaves["intrinsics"], size, size)
    light = SphericalHarmonicsLight(leaves["harmonics"])
    picture = render(mesh, camera, light, renderer=DIBR(blur=2.0, backend=backend), **options)
    rates = torch.rand(2, size, size, 5, generator=generator).to(device, dtype)
    loss = (picture.rgb * rates[..., :3]).sum() + (picture.alpha * rates[..., 3]).sum()
    loss = loss + (picture.depth * rates[..., 4]).sum()
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


@pytest.mark.parametrize("appearance", ["vertex_colors", "texture"])
def test_single_precision_agrees_with_double(device, appearance):
    single = gradients(device, torch.float32, backend="warp", appearance=appearance)
    double = gradients(device, torch.float64, appearance=appearance)
    for name, exact in double.items():
        difference = (single[name].double() - exact).abs().max() / exact.abs().max()
        assert difference < 2e-3, name


@pytest.mark.parametrize(
    ("appearance", "texture_filter"),
    [
        ("vertex_colors", "bilinear"),
        ("texture", "bilinear"),
        ("texture", "trilinear"),
        ("texture", "nearest"),
        ("face_textures", "bilinear"),
    ],
)
def test_the_same_bits_in_every_run(device, appearance, texture_filter):
    # large enough for torch to use several threads
    options = {"appearance": appearance, "texture_filter": texture_filter, "size": 128}
    first, *others = (gradients(device, torch.float32, **options) for _ in range(3))
    for name, grad in first.items():
        assert all(torch.equal(grad, again[name]) for again in others), name


@settings(deadline=None, max_examples=40, database=None)
@given(
    numbers=st.lists(
        st.integers(-8, 8).map(lambda n: n / 4) | st.floats(-3, 3, width=16), min_size=15, max_size=15
    ),
    faces=st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=8),
    renderer=st.builds(DIBR, perspective_correct=st.booleans(), backend=st.sampled_from(["warp", "torch"])),
    orthographic=st.booleans(),
    lit=st.booleans(),
)
def test_nothing_is_ever_nan(device, numbers, faces, renderer, orthographic, lit):
    """Behind the camera, through the near plane, edge-on, degenerate, doubled, huge, at the camera itself."""
    vertices = torch.tensor(
        [*numbers, 1e8, -1e8, 0.5, 0.0, 0.0, 0.0], dtype=torch.float32, device=device
    ).view(-1, 3)
    vertices.requires_grad_()
    colors = torch.rand(7, 3, device=device).requires_grad_()
    mesh = Mesh(vertices, torch.tensor(faces, device=device), vertex_colors=colors)
    camera = Camera.look_at((0, 0, 0), (0, 0, -1), fov_y=90.0, width=9, height=7, orthographic=orthographic)
    pose = camera.world_to_camera.to(device).requires_grad_()
    intrinsics = camera.intrinsics.to(device).requires_grad_()
    camera = Camera(pose, intrinsics, 9, 7, orthographic)
    light = PointLight(torch.tensor([0.0, 1, 0], device=device), torch.ones(3, device=device))
    picture = render(mesh, camera, light if lit else None, renderer=renderer, material=Phong(specular=0.5))
    values = [picture.rgb, picture.alpha, picture.depth, picture.points, picture.world_normals]
    for value in values:
        assert value.isfinite().all()
    loss = torch.stack([v.double().square().mean() for v in values]).sum()
    for grad in torch.autograd.grad(loss, (vertices, colors, pose, intrinsics), allow_unused=True):
        assert grad is None or grad.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_broken_vertex_spoils_its_own_faces_alone(device, value):
    mesh = icosphere(2, device=device)
    mesh = mesh.replace(vertex_colors=torch.rand(162, 3, device=device))
    camera = Camera.orbit(3.0, 20.0, 30.0, fov_y=40.0, width=24, height=20).to(device)
    whole = render(mesh, camera)
    middle = int(mesh.faces[whole.face_index[10, 12], 0])
    vertices = mesh.vertices.clone()
    vertices[middle, 1] = value
    picture = render(mesh.replace(vertices=vertices.requires_grad_()), camera)
    near = (mesh.faces == middle).any(1)
    untouched = ~near[whole.face_index.clamp(min=0)]
    assert (~untouched).sum() > 5
    assert torch.equal(picture.rgb[untouched], whole.rgb[untouched])
    (picture.rgb.sum() + picture.alpha.sum() + picture.depth.sum()).backward()
    grad = vertices.grad
    assert grad is not None
    others = torch.arange(162, device=device) != middle
    assert grad[others].isfinite().all()
