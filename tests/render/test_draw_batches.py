import pytest
import torch
from rays import bumpy_mesh

from unrender.errors import InputError
from unrender.geometry import Mesh, PackedMeshes, icosphere, spherical_uvs
from unrender.render import DIBR, Camera, DirectionalLight, NeuralMesh, SoftRas, render

QUANTITIES = (
    "rgb", "alpha", "depth", "mask", "face_index", "barycentrics", "uv", "points", "world_normals",
    "camera_normals",
)  # fmt: skip


def light(device):
    return DirectionalLight(torch.tensor([1.0, 2, 1], device=device), torch.ones(3, device=device))


def assert_same(actual, expected, names=QUANTITIES):
    for name in names:
        a, b = getattr(actual, name), getattr(expected, name)
        assert a.shape == b.shape, name
        torch.testing.assert_close(a, b, atol=2e-6, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}")


class Stack:
    """Pictures rendered one by one, stacked like those of a batch."""

    def __init__(self, pictures, batch):
        self.pictures, self.batch = pictures, batch

    def __getattr__(self, name):
        values = torch.stack([getattr(p, name) for p in self.pictures])
        return values.view(*self.batch, *values.shape[1:])


def cameras(device, count: int = 2) -> Camera:
    """Different poses and different intrinsics."""
    camera = Camera.orbit(2.8, 20.0, torch.arange(count) * 50.0, fov_y=45.0, width=22, height=17)
    scale = torch.linspace(1, 0.8, count)[:, None, None]
    return camera.replace(intrinsics=camera.intrinsics * torch.cat([scale, scale, scale / scale], 1)).to(
        device
    )


def shapes(device) -> list[Mesh]:
    """Three meshes of different topology, with textures of different sizes."""
    meshes = []
    for subdivisions, size in ((2, (8, 8)), (1, (5, 9)), (3, (16, 4))):
        mesh = spherical_uvs(icosphere(subdivisions, radius=0.8 + 0.1 * subdivisions, device=device))
        meshes.append(mesh.replace(texture=torch.rand(*size, 3, device=device)))
    return meshes


RENDERERS = pytest.mark.parametrize(
    "renderer",
    [DIBR(), SoftRas(blur=1.0, gamma=0.02, near=0.5, far=6.0), NeuralMesh()],
    ids=lambda r: type(r).__name__,
)


@RENDERERS
@pytest.mark.parametrize(
    "appearance", ["shared texture", "textures", "vertex colours", "face textures", "face cubes"]
)
def test_meshes_under_cameras_are_as_one_by_one(device, appearance, renderer):
    base = spherical_uvs(icosphere(2, device=device))
    fields = {
        "shared texture": {"texture": torch.rand(8, 8, 3, device=device)},
        "textures": {"texture": torch.rand(3, 1, 8, 8, 3, device=device)},
        "vertex colours": {"vertex_colors": torch.rand(3, 1, base.num_vertices, 3, device=device)},
        "face textures": {"face_textures": torch.rand(base.num_faces, 2, 2, 3, device=device)},
        "face cubes": {"face_cubes": torch.rand(3, 1, base.num_faces, 2, 2, 2, 3, device=device)},
    }[appearance]
    scale = torch.tensor([0.7, 1.0, 1.2], device=device).view(3, 1, 1, 1)
    mesh = base.replace(vertices=base.vertices * scale, **fields)
    views = cameras(device)
    batch = render(mesh, views, light(device), renderer=renderer)
    assert batch.rgb.shape == (3, 2, 17, 22, 3)
    single = [
        render(mesh[m, 0], views[n], light(device), renderer=renderer) for m in range(3) for n in range(2)
    ]
    assert_same(batch, Stack(single, (3, 2)), (*QUANTITIES, "visible_vertices"))
    if "texture" in fields:
        assert_same(batch, Stack(single, (3, 2)), ("visible_texels",))


def test_one_mesh_under_many_cameras_and_many_meshes_under_one(device):
    mesh, views = bumpy_mesh(device, torch.float32), cameras(device, 3)
    batch = render(mesh, views, background=0.5)
    assert_same(batch, Stack([render(mesh, views[n], background=0.5) for n in range(3)], (3,)))
    meshes = mesh.replace(vertices=mesh.vertices * torch.tensor([0.7, 1.1], device=device).view(2, 1, 1))
    batch = render(meshes, views[0])
    assert_same(batch, Stack([render(meshes[m], views[0]) for m in range(2)], (2,)))


@RENDERERS
@pytest.mark.parametrize("appearance", ["vertex_colors", "face_textures"])
def test_some_pictures_of_a_batch_are_cut_by_the_near_plane(device, renderer, appearance):
    mesh = bumpy_mesh(device, torch.float32)
    if appearance == "face_textures":
        mesh = mesh.replace(vertex_colors=None, face_textures=torch.rand(mesh.num_faces, 3, 3, 3).to(device))
    views = Camera.orbit([3.0, 1.3, 9.0], 10.0, 0.0, fov_y=60.0, width=22, height=17, near=0.4)
    views = views.to(device)
    options = {"light": light(device), "renderer": renderer}
    batch = render(mesh, views, **options)
    assert batch.scene.coordinates is not None
    single = [render(mesh, views[n], **options) for n in range(3)]
    assert_same(batch, Stack(single, (3,)), (*QUANTITIES, "visible_vertices"))


@RENDERERS
@pytest.mark.parametrize("view", ["one camera", "a camera a mesh", "two cameras"])
@pytest.mark.parametrize("texture_filter", ["bilinear", "trilinear"])
def test_packed_meshes_are_as_one_by_one(device, view, texture_filter, renderer):
    meshes = shapes(device)
    views = cameras(device, 3)
    options = {"light": light(device), "texture_filter": texture_filter, "renderer": renderer}
    if view == "one camera":
        views, pairs, batch = views[0], [(m, 0) for m in range(3)], (3,)
    elif view == "a camera a mesh":
        pairs, batch = [(m, m) for m in range(3)], (3,)
    else:
        views, pairs, batch = views[:2, None], [(m, n) for n in range(2) for m in range(3)], (2, 3)
    picture = render(PackedMeshes.pack(meshes), views, **options)
    one = views.replace(
        world_to_camera=views.world_to_camera.reshape(-1, 4, 4), intrinsics=views.intrinsics.reshape(-1, 3, 3)
    )
    single = [render(meshes[m], one[n], **options) for m, n in pairs]
    assert_same(picture, Stack(single, batch))
    visible = picture.visible_vertices.view(-1, sum(m.num_vertices for m in meshes))
    starts = PackedMeshes.pack(meshes).vertex_starts
    for k, (m, _) in enumerate(pairs):
        mine = visible[k // 3, starts[m] : starts[m + 1]]
        assert torch.equal(mine, single[k].visible_vertices)


@RENDERERS
def test_gradients_of_packed_meshes_are_those_of_one_by_one(device, renderer):
    views = cameras(device, 2)[:, None]
    grads = []
    for packed in (True, False):
        torch.manual_seed(0)
        meshes = shapes(device)
        leaves = [(m.vertices.clone(), torch.rand(6, 5 + k, 3, device=device)) for k, m in enumerate(meshes)]
        meshes = [
            m.replace(vertices=v.requires_grad_(), texture=t.requires_grad_())
            for m, (v, t) in zip(meshes, leaves, strict=True)
        ]
        if packed:
            pictures = [render(PackedMeshes.pack(meshes), views, light(device), renderer=renderer)]
        else:
            pictures = [
                render(m, views[n, 0], light(device), renderer=renderer) for m in meshes for n in range(2)
            ]
        loss = torch.stack([p.rgb.square().sum() + p.alpha.sum() + p.depth.sum() for p in pictures]).sum()
        grads.append(torch.autograd.grad(loss, [x for pair in leaves for x in pair]))
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4 * float(b.abs().max()), rtol=1e-3)


def test_packed_meshes_need_a_camera_each(device):
    packed = PackedMeshes.pack(shapes(device))
    with pytest.raises(InputError, match=r"mesh \(3,\) and camera \(2,\) must broadcast"):
        render(packed, cameras(device, 2))
    one = PackedMeshes.pack(shapes(device)[:1])
    with pytest.raises(InputError, match=r"number of packed meshes"):
        render(one, cameras(device, 2))
