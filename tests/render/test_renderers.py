"""What sets the pictures of SoftRas and of the Neural 3D Mesh Renderer apart from DIB-R's."""

import pytest
import torch
from rays import bumpy_mesh, odd_camera

from unrender.errors import InputError
from unrender.geometry import Mesh, PackedMeshes, icosphere, spherical_uvs
from unrender.render import (
    DIBR,
    AmbientLight,
    Camera,
    DirectionalLight,
    NeuralMesh,
    SoftRas,
    render,
)

SHARP = SoftRas(blur=1e-3, gamma=1e-6)


def square(device, z: float, color, *, half: float = 0.5) -> Mesh:
    """A square that faces +Z at this height, of one colour."""
    corners = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    vertices = torch.tensor(corners, dtype=torch.float64, device=device)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], device=device)
    return Mesh(vertices, faces, vertex_colors=torch.tensor([color] * 4).to(vertices))


def camera(device, **options) -> Camera:
    """From +Z, 3 above the origin, 24 x 20 pixels."""
    eye = torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64)
    return Camera.look_at(eye, fov_y=40.0, width=24, height=20, **options).to(device)


def light(device) -> DirectionalLight:
    direction = torch.tensor([1.0, 2, 1], dtype=torch.float64, device=device)
    return DirectionalLight(direction, torch.tensor([0.9, 0.8, 0.7]).to(direction))


@pytest.mark.parametrize("lit", [False, True])
@pytest.mark.parametrize("kind", ["vertex_colors", "texture", "face_textures", "face_cubes"])
@pytest.mark.parametrize("renderer", [SHARP, NeuralMesh(anti_aliasing=False)], ids=["SoftRas", "NeuralMesh"])
def test_sharp_pictures_agree_with_dibr(device, renderer, kind, lit):
    """Without softness every renderer shows the same; with flat light, on pixels as on corners."""
    mesh, count = bumpy_mesh(device), bumpy_mesh(device).num_faces
    if kind != "vertex_colors":
        colors = {"texture": (8, 8), "face_textures": (count, 3, 3), "face_cubes": (count, 2, 2, 2)}[kind]
        mesh = mesh.replace(vertex_colors=None, **{kind: torch.rand(*colors, 3).to(mesh.vertices)})
    options = {"light": light(device) if lit else None, "background": (0.2, 0.3, 0.4), "flat": True}
    expected = render(mesh, odd_camera(device), renderer=DIBR(), **options)
    picture = render(mesh, odd_camera(device), renderer=renderer, **options)
    torch.testing.assert_close(picture.mask, expected.mask)
    close = (picture.rgb - expected.rgb).abs().amax(-1) < 1e-6
    assert close.float().mean() > 0.995  # a centre that lies on an edge may go to either side
    assert expected.mask.float().mean() > 0.2
    for name in ("depth", "world_normals"):
        a, b = getattr(picture, name), getattr(expected, name)
        torch.testing.assert_close(a[close], b[close], atol=1e-4, rtol=0)
    torch.testing.assert_close(picture.alpha, expected.mask.to(picture.alpha), atol=1e-2, rtol=0)


def test_hidden_surfaces_shine_through(device):
    """SoftRas mixes by depth: with a large gamma the red square behind shows in the blue one's middle."""
    near, far = square(device, 0.5, [0.0, 0, 1]), square(device, -0.5, [1.0, 0, 0])
    packed = PackedMeshes.pack([near, far])
    both = Mesh(packed.vertices, packed.faces, vertex_colors=packed.vertex_colors)
    soft = SoftRas(blur=0.2, gamma=0.5, near=1.0, far=5.0)
    picture = render(both, camera(device), renderer=soft)
    weights = torch.softmax(torch.tensor([(5 - 2.5) / 4 / 0.5, (5 - 3.5) / 4 / 0.5, 1e-3 / 0.5]), 0)
    # on the diagonal two triangles count a half each, elsewhere one counts fully
    middle = picture.rgb[9, 13]
    torch.testing.assert_close(
        middle.cpu(), torch.tensor([weights[1], 0, weights[0]]).double(), atol=2e-3, rtol=0
    )
    depth = (weights[0] * 2.5 + weights[1] * 3.5) / (weights[0] + weights[1])
    assert picture.depth[9, 13].item() == pytest.approx(float(depth), abs=5e-3)
    assert (picture.world_normals[9, 13] - torch.tensor([0.0, 0, 1]).to(middle)).abs().max() < 1e-9
    assert (picture.depth[0] == 0).all()
    assert (picture.world_normals[0] == 0).all()


def test_one_colour_is_the_same_from_every_kind_of_surface(device):
    """Kernels for corners and grids, and the list of pairs for textures and cubes."""
    mesh = spherical_uvs(icosphere(2, device=device)).replace(normals=None)
    color, soft = torch.tensor([0.2, 0.5, 0.9], device=device), SoftRas(blur=2.0, gamma=0.01)
    view = Camera.orbit(3.0, 20.0, 30.0, fov_y=45.0, width=24, height=20).to(device)
    surfaces = {
        "vertex_colors": color.expand(mesh.num_vertices, 3),
        "face_textures": color.expand(mesh.num_faces, 4, 4, 3),
        "texture": color.expand(4, 6, 3),
        "face_cubes": color.expand(mesh.num_faces, 2, 2, 2, 3),
    }
    pictures = [
        render(mesh.replace(**{name: values}), view, renderer=soft, background=0.25).rgb
        for name, values in surfaces.items()
    ]
    assert ((pictures[0] - 0.25).abs().amax(-1) > 0.01).float().mean() > 0.3
    for picture in pictures[1:]:
        torch.testing.assert_close(picture, pictures[0], atol=1e-5, rtol=0)


def test_backs(device):
    """Faces seen from behind: lit from their own side unless double-sided, and culled if wanted."""
    back = square(device, 0.0, [1.0, 1, 1])
    back = back.replace(faces=back.faces.flip(-1))
    sun = DirectionalLight(torch.tensor([0.0, 0, 1]).double().to(device), torch.ones(3).double().to(device))
    for renderer in (SHARP, NeuralMesh(), DIBR()):
        assert render(back, camera(device), sun, renderer=renderer).rgb[9, 13].min() > 0.99
        picture = render(back, camera(device), sun, renderer=renderer, double_sided=False)
        assert picture.rgb[9, 13].max() == 0
        assert picture.world_normals[9, 13, 2] < -0.99
    for culling in (SoftRas(cull_backfaces=True), NeuralMesh(cull_backfaces=True)):
        picture = render(back, camera(device), renderer=culling, background=0.5)
        assert (picture.rgb == 0.5).all()
        assert (picture.alpha == 0).all()


def test_near_and_far(device):
    here, there = square(device, 0.5, [0.0, 0, 1]), square(device, -0.5, [1.0, 0, 0])
    packed = PackedMeshes.pack([here, there])
    both = Mesh(packed.vertices, packed.faces, vertex_colors=packed.vertex_colors)

    def middle(renderer):
        return render(both, camera(device), renderer=renderer, background=(0.0, 1.0, 0.0)).rgb[9, 13].round()

    for kind in (SoftRas, NeuralMesh):
        assert middle(kind()).tolist() == [0, 0, 1]
        assert middle(kind(near=3.0)).tolist() == [1, 0, 0]
        assert middle(kind(far=2.4)).tolist() == [0, 1, 0]
    # distances that faces count for, but not colours
    assert render(both, camera(device), renderer=SoftRas(far=2.4)).alpha[9, 13] > 0.95
    assert render(both, camera(device), renderer=NeuralMesh(far=2.4)).alpha[9, 13] == 0


def test_anti_aliasing_averages_four_samples(device):
    mesh, view = bumpy_mesh(device), odd_camera(device)
    background = torch.rand(26, 36, 3).to(mesh.vertices)
    smooth = render(mesh, view, light(device), renderer=NeuralMesh(), background=background)
    fine = render(
        mesh,
        view.resized(72, 52),
        light(device),
        renderer=NeuralMesh(anti_aliasing=False),
        background=background.repeat_interleave(2, 0).repeat_interleave(2, 1),
    )
    for name in ("rgb", "rgba"):
        blocks = getattr(fine, name).unflatten(0, (26, 2)).unflatten(2, (36, 2))
        torch.testing.assert_close(getattr(smooth, name), blocks.mean((1, 3)))
    torch.testing.assert_close(smooth.alpha, smooth.rgba[..., 3])
    assert ((smooth.alpha > 0.2) & (smooth.alpha < 0.8)).sum() > 20
    assert smooth.depth.shape == (26, 36)


def test_where_the_neural_mesh_renderers_gradients_go(device):
    """The scan moves outlines, not the places on faces; rgb and alpha are scanned together in rgba alone."""
    view = camera(device)
    mesh = square(device, 0.0, [0.3, 0.6, 0.9], half=0.4)
    wanted = square(device, 0.0, [0.3, 0.6, 0.9], half=0.55)

    def pull(read, **options):
        vertices = mesh.vertices.clone().requires_grad_()
        renderer = NeuralMesh(anti_aliasing=False)
        picture = render(mesh.replace(vertices=vertices), view, renderer=renderer, **options)
        target = render(wanted, view, renderer=renderer, **options)
        return -torch.autograd.grad(
            (read(picture) - read(target)).square().sum(), vertices, allow_unused=True
        )[0]

    for read in (lambda p: p.alpha, lambda p: p.rgb, lambda p: p.rgba):
        outward = (pull(read)[:, :2] * mesh.vertices[:, :2]).sum(-1)
        assert (outward > 0).all()
    whole = pull(lambda p: p.rgba)
    parts = pull(lambda p: p.alpha) + pull(lambda p: p.rgb)
    torch.testing.assert_close(whole, parts)  # where no gain is negative the sum is the same
    # equal colours inside and outside leave the silhouette alone to tell
    assert pull(lambda p: p.rgb, background=(0.3, 0.6, 0.9)).abs().max() < 1e-9
    # colours of the inside do not move with the places on a face
    vertices = mesh.vertices.clone().requires_grad_()
    colorful = mesh.replace(vertices=vertices, vertex_colors=torch.rand(4, 3).to(vertices))
    picture = render(colorful, view, renderer=NeuralMesh(anti_aliasing=False))
    inside = torch.zeros_like(picture.rgb)
    inside[9:11, 11:13] = 1
    assert not picture.albedo.requires_grad
    (grad,) = torch.autograd.grad((picture.depth * inside[..., 0]).sum(), vertices)
    assert (grad[:, 2] != 0).any()  # depth has its true gradient


def test_silhouettes_without_gradient_warn(device):
    mesh = square(device, 0.0, [1.0, 1, 1])
    mesh = mesh.replace(vertices=mesh.vertices.requires_grad_())
    for renderer in (SoftRas(distance="hard"), SoftRas(alpha="hard")):
        picture = render(mesh, camera(device), renderer=renderer)
        with pytest.warns(UserWarning, match="alpha has no gradient to the vertices"):
            assert not picture.alpha.requires_grad
    picture = render(mesh, camera(device), renderer=SoftRas(color="hard", interpolation_gradient=False))
    with pytest.warns(UserWarning, match="rgb has no gradient to the vertices"):
        assert not picture.rgb.requires_grad
    with torch.no_grad():  # then nobody asks for one
        assert render(mesh, camera(device), renderer=SoftRas(alpha="hard")).alpha.max() == 1


def test_batched_lights_on_corners(device):
    """One light a picture, also for packed meshes of different sizes."""
    meshes = [icosphere(1, device=device), icosphere(2, device=device)]
    view = Camera.orbit(3.0, 20.0, 30.0, fov_y=45.0, width=20, height=20).to(device)
    suns = DirectionalLight(
        torch.tensor([[0.0, 1, 0], [1.0, 0, 1]], device=device), torch.rand(2, 3, device=device)
    )
    dim = AmbientLight(torch.full((3,), 0.2, device=device))
    for renderer in (SoftRas(), NeuralMesh()):
        packed = render(PackedMeshes.pack(meshes), view, [suns, dim], renderer=renderer).rgb
        for m, mesh in enumerate(meshes):
            sun = DirectionalLight(suns.direction[m], suns.color[m])
            one = render(mesh, view, [sun, dim], renderer=renderer).rgb
            torch.testing.assert_close(packed[m], one, atol=1e-5, rtol=0)


def test_wrong_input_is_refused(device):
    mesh = square(device, 0.0, [1.0, 1, 1])
    two = mesh.replace(vertex_colors=torch.rand(4, 2).to(mesh.vertices))
    for renderer in (SoftRas(), NeuralMesh()):
        with pytest.raises(InputError, match=r"lights need colours of shape \(..., 3\), got \(.*2\)"):
            _ = render(two, camera(device), light(device), renderer=renderer).rgb
    with pytest.raises(InputError, match=r"near must be less than far, got 2\.0 and 1\.0"):
        _ = render(mesh, camera(device, near=2.0), renderer=SoftRas(far=1.0)).alpha
