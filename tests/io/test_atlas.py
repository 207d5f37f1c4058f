# pyright: reportOptionalMemberAccess=false, reportArgumentType=false, reportCallIssue=false
# pyright: reportOperatorIssue=false
import numpy as np
import pytest
import torch
import trimesh
from scipy import ndimage

from unrender.errors import InputError
from unrender.geometry.mesh import Mesh
from unrender.io import unwrap
from unrender.io.atlas import (
    GUTTER,
    LARGEST_SIDE,
    bake_faces,
    cell_layout,
    pack_pictures,
    pad_texture,
    sample_picture,
    texel_coverage,
    tile_picture,
)


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_packed_pictures_are_found_again_with_their_gutters():
    sizes = [(5, 9), (1, 1), (30, 4), (8, 8), (8, 8), (3, 40)]
    pictures = [noise(*size, 3, seed=i) for i, size in enumerate(sizes)]
    texture, scales, shifts = pack_pictures(pictures)
    taken = np.zeros(texture.shape[:2], int)
    for picture, scale, shift in zip(pictures, scales, shifts, strict=True):
        h, w = picture.shape[:2]
        left = round(shift[0] * texture.shape[1])
        bottom = round(shift[1] * texture.shape[0])
        top = texture.shape[0] - bottom - h
        np.testing.assert_allclose(scale * texture.shape[1::-1], (w, h))
        np.testing.assert_array_equal(texture[top : top + h, left : left + w], picture)
        rows = np.arange(-GUTTER, h + GUTTER)
        columns = np.arange(-GUTTER, w + GUTTER)
        area = np.s_[top - GUTTER : top + h + GUTTER, left - GUTTER : left + w + GUTTER]
        np.testing.assert_array_equal(texture[area], picture[rows % h][:, columns % w])
        taken[area] += 1
    assert taken.max() == 1
    assert taken.mean() > 0.4


def test_sampling_the_atlas_wraps_as_the_picture_alone():
    pictures = [noise(6, 7, 3, seed=1), noise(9, 5, 3, seed=2)]
    texture, scales, shifts = pack_pictures(pictures)
    uvs = np.random.default_rng(3).uniform(-0.1, 1.1, (200, 2))
    for picture, scale, shift in zip(pictures, scales, shifts, strict=True):
        expected = sample_picture(picture, uvs)
        np.testing.assert_allclose(sample_picture(texture, uvs * scale + shift), expected, atol=1e-5)


def test_sampling_against_scipy():
    picture = noise(6, 7, 2)
    uvs = np.random.default_rng(3).uniform(-3, 3, (200, 2))
    where = [(1 - uvs[:, 1]) * 6 - 0.5, uvs[:, 0] * 7 - 0.5]
    expected = [ndimage.map_coordinates(picture[..., c], where, order=1, mode="grid-wrap") for c in (0, 1)]
    np.testing.assert_allclose(sample_picture(picture, uvs), np.stack(expected, -1), atol=1e-5)


def test_pictures_that_do_not_fit_are_shrunk():
    pictures = [np.broadcast_to(np.float32(i / 10), (4000, 4000, 1)) for i in range(6)]
    texture, scales, shifts = pack_pictures(pictures)
    assert max(texture.shape) <= LARGEST_SIDE
    colors = [
        sample_picture(texture, np.array([[0.3, 0.7]]) * s + t) for s, t in zip(scales, shifts, strict=True)
    ]
    np.testing.assert_allclose(np.ravel(colors), np.arange(6) / 10, atol=1e-6)


def test_tiles_repeat_and_shrink():
    picture = noise(8, 4, 3)
    np.testing.assert_array_equal(tile_picture(picture, 3, 2), np.tile(picture, (2, 3, 1)))
    many = tile_picture(picture, 1024, 256)
    assert many.shape == (1024, 1024, 3)
    np.testing.assert_allclose(many[:4, 0], picture.reshape(4, 2, 4, 3).mean((1, 2)), atol=1e-6)


@pytest.mark.parametrize("size", [2, 4, 7])
def test_linear_colours_in_cells_are_exact_between_texels(size):
    rng = np.random.default_rng(0)
    corners = rng.random((5, 3, 3))
    cells = cell_layout(5, size)
    picture = cells.picture(np.einsum("tk,tkc->tc", cells.weights, corners[cells.face]))
    weights = rng.dirichlet([1, 1, 1], size=(5, 50))
    uvs = np.einsum("fnk,fkc->fnc", weights, cells.uvs)
    got = sample_picture(picture, uvs.reshape(-1, 2))
    np.testing.assert_allclose(got, np.einsum("fnk,fkc->fnc", weights, corners).reshape(-1, 3), atol=1e-9)


@pytest.mark.parametrize("field", ["face_textures", "face_cubes"])
def test_gradients_flow_through_baked_faces(device, field):
    shape = (2, 2, 2, 1) if field == "face_textures" else (2, 2, 2, 2, 1)
    colors = torch.rand(shape, dtype=torch.float64, device=device, requires_grad=True)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]], device=device)
    vertices = torch.rand(4, 3, dtype=torch.float64, device=device)

    def bake(values):
        return bake_faces(Mesh(vertices, faces, **{field: values})).texture

    assert torch.autograd.gradcheck(bake, (colors,))


def test_faces_without_colours_of_their_own_cannot_be_baked(device):
    mesh = Mesh(torch.rand(3, 3, device=device), torch.tensor([[0, 1, 2]], device=device))
    rule = r"face_textures must have shape \(F, R, R, C\) or face_cubes \(F, T, T, T, C\) to be baked"
    with pytest.raises(InputError, match=rule + ", got None"):
        bake_faces(mesh)
    with pytest.raises(InputError, match=rule + r", got \(5, 1, 2, 2, 2, 3\)"):
        bake_faces(mesh.replace(face_cubes=torch.rand(5, 1, 2, 2, 2, 3, device=device)))


def test_coverage_holds_every_texel_that_filtering_reaches_and_few_more(device):
    rng = np.random.default_rng(1)
    uvs = torch.tensor(
        rng.random((30, 2)) * 0.3 + rng.random((10, 1, 2)).repeat(3, 1).reshape(30, 2), device=device
    )
    uv_faces = torch.arange(30, device=device).reshape(10, 3)
    height, width = 40, 56
    covered = texel_coverage(uvs, uv_faces, height, width).cpu().numpy()
    weights = rng.dirichlet([0.7, 0.7, 0.7], size=(10, 20000))
    points = np.einsum("fnk,fkc->fnc", weights, uvs.cpu().numpy()[uv_faces.cpu().numpy()]).reshape(-1, 2)
    x, y = points[:, 0] * width - 0.5, (1 - points[:, 1]) * height - 0.5
    reached = np.zeros_like(covered)
    for i in (0, 1):
        for j in (0, 1):
            reached[(np.floor(y).astype(int) + i) % height, (np.floor(x).astype(int) + j) % width] = True
    assert covered[reached].all()
    near = ndimage.binary_dilation(np.pad(reached, 4, mode="wrap"), iterations=2, structure=np.ones((3, 3)))
    assert near[4:-4, 4:-4][covered].all()


def test_coverage_of_a_triangle_that_laps_the_texture(device):
    uvs = torch.tensor([[-2.0, -2.0], [3.0, -2.0], [0.0, 3.0]], device=device)
    assert bool(texel_coverage(uvs, torch.tensor([[0, 1, 2]], device=device), 8, 8).all())


def test_padding_fills_from_the_nearest_texels_inside(device):
    mask = torch.zeros(20, 30, dtype=torch.bool, device=device)
    mask[5:9, 4:10] = True
    texture = torch.rand(20, 30, 3, dtype=torch.float64, device=device)
    padded = pad_texture(texture, mask, pixels=3)
    assert torch.equal(padded[mask], texture[mask])
    distance = ndimage.distance_transform_cdt(~mask.cpu().numpy(), metric="chessboard")
    changed = (padded != texture).any(-1).cpu().numpy()
    np.testing.assert_array_equal(changed, (distance > 0) & (distance <= 3))
    assert torch.equal(
        pad_texture(torch.full_like(texture, 2) * mask[..., None], mask, pixels=60).unique(),
        torch.full((1,), 2.0, dtype=torch.float64, device=device),
    )
    # the border of the texture is next to its other side
    edge = torch.zeros_like(mask)
    edge[:, 0] = True
    assert torch.allclose(pad_texture(texture, edge, pixels=1)[3, -1], texture[2:5, 0].mean(0))


@pytest.mark.parametrize("shape", ["sphere", "box", "torus"])
def test_unwrapped_faces_do_not_overlap(device, shape):
    solid = {
        "sphere": trimesh.creation.icosphere(subdivisions=2),
        "box": trimesh.creation.box(),
        "torus": trimesh.creation.torus(1, 0.4, major_sections=16, minor_sections=8),
    }[shape]
    vertices = torch.tensor(solid.vertices, dtype=torch.float32, device=device)
    mesh = unwrap(Mesh(vertices, torch.tensor(solid.faces, device=device)), resolution=256)
    assert torch.equal(mesh.vertices, vertices)
    assert mesh.uv_faces.shape == mesh.faces.shape
    uvs = mesh.uvs.cpu().double().numpy()
    assert uvs.min() >= 0
    assert uvs.max() <= 1
    # the union of the triangles, counted on a fine grid, is as large as their sum
    hits, total = np.zeros((400, 400), int), 0.0
    for corners in uvs[mesh.uv_faces.cpu().numpy()]:
        low, high = np.floor(corners.min(0) * 400).astype(int), np.ceil(corners.max(0) * 400).astype(int)
        points = (np.stack(np.mgrid[low[0] : high[0], low[1] : high[1]], -1) + 0.5) / 400
        system = np.vstack([corners.T, np.ones(3)])
        area = abs(np.linalg.det(system)) / 2
        assert area > 0
        weights = np.linalg.solve(
            system, np.concatenate([points, np.ones_like(points[..., :1])], -1)[..., None]
        )
        hits[low[0] : high[0], low[1] : high[1]] += (weights[..., 0] > 1e-6).all(-1)
        total += area
    assert hits.max() == 1
    assert abs(hits.mean() - total) < 0.01


def test_unwrap_takes_one_mesh(device):
    mesh = Mesh(torch.rand(2, 3, 3, device=device), torch.tensor([[0, 1, 2]], device=device))
    with pytest.raises(InputError, match=r"one mesh, got a batch of shape \(2,\)"):
        unwrap(mesh)
