"""Kaolin's rasteriser and soft mask against a loop over pixels in numpy, from the paper's formulas."""

import math
from typing import Any

import numpy as np
import pytest
import torch

import unrender.compat.kaolin as kal
from unrender.errors import InputError

HEIGHT, WIDTH = 35, 31
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64])

# Two pictures of six faces. The first has faces of both windings that overlap in depth, one that is drawn
# twice (the first must win), one partly outside the picture and one without area; the second has three faces
# that cross each other, a sliver, one outside and one behind all others.
CORNERS = np.array(
    [
        [
            [[-0.71, 0.03], [0.02, -0.69], [0.04, 0.72]],
            [[-0.71, 0.03], [0.02, -0.69], [0.04, 0.72]],
            [[0.31, 0.52], [0.62, -0.41], [-0.23, -0.32]],
            [[0.83, 0.61], [1.46, 0.27], [0.91, 1.24]],
            [[-0.52, -0.81], [-0.52, -0.81], [-0.13, -0.77]],
            [[-0.93, 0.47], [-0.88, 0.51], [-0.91, 0.93]],
        ],
        [
            [[-0.72, -0.68], [0.71, -0.73], [-0.69, 0.74]],
            [[-0.66, -0.71], [0.69, -0.66], [-0.73, 0.71]],
            [[-0.74, -0.65], [0.67, -0.71], [-0.71, 0.67]],
            [[0.11, 0.93], [0.95, 0.06], [0.955, 0.07]],
            [[1.31, 1.42], [1.73, 1.37], [1.45, 1.88]],
            [[-0.41, -0.42], [0.57, -0.51], [0.49, 0.62]],
        ],
    ]
)
DEPTHS = np.array(
    [
        [
            [-2.0, -1.0, -1.5],
            [-2.0, -1.0, -1.5],
            [-1.2, -1.9, -1.4],
            [-2, -2, -2],
            [-1, -1, -1],
            [-3, -1, -2],
        ],
        [
            [-2.0, -1.0, -3.0],
            [-2.1, -2.0, -2.2],
            [-2.0, -3.0, -1.0],
            [-2, -1, -2],
            [-1, -1, -1],
            [-9, -9, -9],
        ],
    ]
)


def pixel_centres(height, width):
    for row in range(height):
        for column in range(width):
            yield row, column, np.array([(2 * column + 1 - width) / width, (height - 2 * row - 1) / height])


def cross(a, b):
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def sub_areas(pixel, a, b, c):
    return np.array([cross(p - pixel, q - pixel) for p, q in ((b, c), (c, a), (a, b))])


def draw(height, width, corners, depths, valid=None):
    """Face (H, W) and weights (H, W, 3): the largest depth wins, the first of equals.

    The bounding box is half open, which settles most pixels on an edge that two faces share.
    """
    index, weights = np.full((height, width), -1), np.zeros((height, width, 3))
    low, high = corners.min(1), corners.max(1)
    for row, column, pixel in pixel_centres(height, width):
        best = -math.inf
        for face in np.flatnonzero(((pixel >= low) & (pixel < high)).all(1)):
            a, b, c = corners[face]
            area = cross(b - a, c - a)
            if (valid is not None and not valid[face]) or area == 0:
                continue
            w = sub_areas(pixel, a, b, c) / area
            if (w >= 0).all() and w @ depths[face] > best:
                best = w @ depths[face]
                index[row, column], weights[row, column] = face, w
    return index, weights


def soft(corners, index, sigmainv, boxlen, knum):
    """1 - prod(1 - exp(-sigmainv d^2)) over the first ``knum`` faces in reach; 1 where a face was drawn."""
    mask = np.ones(index.shape)
    low, high = corners.min(1) - boxlen, corners.max(1) + boxlen
    for row, column, pixel in pixel_centres(*index.shape):
        if index[row, column] >= 0:
            continue
        clear = 1.0
        for face in np.flatnonzero(((pixel >= low) & (pixel < high)).all(1))[:knum]:
            squared = []
            for k in range(3):
                start = corners[face, k]
                edge, offset = corners[face, (k + 1) % 3] - start, pixel - start
                length = edge @ edge
                along = 0.0 if length == 0 else min(max(offset @ edge / length, 0.0), 1.0)
                offset = offset - along * edge
                squared.append(offset @ offset)
            clear *= 1 - math.exp(-sigmainv * min(squared))
        mask[row, column] = 1 - clear
    return mask


def slopes(function, corners, step=1e-6):
    """Central differences of a scalar function, in float64."""
    gradient = np.zeros_like(corners)
    for place in np.ndindex(*corners.shape):
        up, down = corners.copy(), corners.copy()
        up[place] += step
        down[place] -= step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient


def scene(device, dtype):
    corners = torch.tensor(CORNERS, device=device, dtype=dtype)
    depths = torch.tensor(DEPTHS, device=device, dtype=dtype)
    generator = torch.Generator().manual_seed(3)
    features = torch.rand(2, 6, 3, 4, generator=generator, dtype=torch.float64).to(device, dtype)
    return corners, depths, features


@DTYPES
@pytest.mark.parametrize(("with_valid", "multiplier"), [(False, None), (True, 1), (True, 100)])
def test_rasterize(device, dtype, with_valid, multiplier):
    corners, depths, features = scene(device, dtype)
    valid = np.array([[True, True, False, True, True, False], [False, True, True, True, False, True]])
    given = torch.tensor(valid, device=device) if with_valid else None
    picture, faces = kal.render.mesh.rasterize(
        HEIGHT, WIDTH, depths, corners, features, valid_faces=given, multiplier=multiplier
    )
    assert faces.dtype == torch.int64
    assert picture.shape == (2, HEIGHT, WIDTH, 4)
    assert picture.dtype == dtype
    for b in range(2):
        index, weights = draw(HEIGHT, WIDTH, CORNERS[b], DEPTHS[b], valid[b] if with_valid else None)
        assert (index >= 0).sum() > 100
        np.testing.assert_array_equal(faces[b].cpu().numpy(), index)
        mine = features[b].cpu().double().numpy()[index.clip(0)]
        want = np.where(index[..., None] >= 0, (weights[..., None] * mine).sum(2), 0)
        np.testing.assert_allclose(picture[b].cpu().numpy(), want, atol=2e-5)


def test_every_face_that_should_be_seen_is_seen(device):
    """The scene tests what it is meant to: ties, crossings, and faces that nothing may draw."""
    corners, depths, features = scene(device, torch.float64)
    _, faces = kal.render.mesh.rasterize(HEIGHT, WIDTH, depths, corners, features)
    assert set(faces[0].unique().tolist()) == {-1, 0, 2, 3, 5}
    assert set(faces[1].unique().tolist()) == {-1, 0, 1, 2, 3, 5}


def test_pixel_centres_row_zero_at_the_top(device):
    """A triangle round the centre of one pixel only: row 0, last column."""
    x, y = (2 * 3 + 1 - 4) / 4, (3 - 1) / 3
    near = torch.tensor([[[[x - 0.1, y - 0.1], [x + 0.1, y - 0.1], [x, y + 0.2]]]], device=device)
    _, faces = kal.render.mesh.rasterize(3, 4, -torch.ones(1, 1, 3, device=device), near, near)
    assert (faces >= 0).nonzero().tolist() == [[0, 0, 3]]


@DTYPES
def test_lists_of_features(device, dtype):
    corners, depths, features = scene(device, dtype)
    whole, faces = kal.render.mesh.rasterize(HEIGHT, WIDTH, depths, corners, features)
    parts, same = kal.render.mesh.rasterize(
        HEIGHT, WIDTH, depths, corners, [features[..., :1], features[..., 1:]]
    )
    assert isinstance(parts, tuple)
    assert [part.shape[-1] for part in parts] == [1, 3]
    assert torch.equal(torch.cat(parts, dim=-1), whole)
    assert torch.equal(faces, same)


@DTYPES
def test_gradients_of_features(device, dtype):
    corners, depths, features = scene(device, dtype)
    corners.requires_grad_()
    depths.requires_grad_()
    features.requires_grad_()
    picture, faces = kal.render.mesh.rasterize(13, 11, depths, corners, features)
    pull = torch.rand(picture.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (picture * pull.to(device, dtype)).sum().backward()
    assert corners.grad is not None
    assert features.grad is not None
    assert depths.grad is None or not bool(depths.grad.any())
    for b in range(2):
        index = faces[b].cpu().numpy()
        values = features[b].detach().cpu().double().numpy()
        weight = pull[b].numpy()

        def loss(moved, index=index, values=values, weight=weight):
            """The picture with the faces held fixed."""
            total = 0.0
            for row, column, pixel in pixel_centres(13, 11):
                face = index[row, column]
                if face >= 0:
                    a, b, c = moved[face]
                    w = sub_areas(pixel, a, b, c) / cross(b - a, c - a)
                    total += w @ values[face] @ weight[row, column]
            return total

        scale = max(1.0, float(corners.grad[b].abs().max()))
        tolerance = (1e-5 if dtype == torch.float32 else 1e-8) * scale
        np.testing.assert_allclose(corners.grad[b].cpu().numpy(), slopes(loss, CORNERS[b]), atol=tolerance)
        _, weights = draw(13, 11, CORNERS[b], DEPTHS[b])
        want = np.zeros((6, 3, 4))
        for row, column in zip(*np.nonzero(index >= 0), strict=True):
            want[index[row, column]] += weights[row, column][:, None] * weight[row, column]
        np.testing.assert_allclose(features.grad[b].cpu().numpy(), want, atol=1e-5)


@DTYPES
@pytest.mark.parametrize(("sigmainv", "boxlen", "knum"), [(7000, 0.02, 30), (7000, 0.2, 30), (70, 0.2, 2)])
def test_soft_mask(device, dtype, sigmainv, boxlen, knum):
    corners, depths, features = scene(device, dtype)
    _, faces = kal.render.mesh.rasterize(HEIGHT, WIDTH, depths, corners, features)
    want = [soft(CORNERS[b], faces[b].cpu().numpy(), sigmainv, boxlen, knum) for b in range(2)]
    for multiplier in (1000.0, 100, 1):
        mask = kal.render.mesh.dibr_soft_mask(corners, faces, sigmainv, boxlen, knum, multiplier)
        assert mask.dtype == dtype
        np.testing.assert_allclose(mask.cpu().numpy(), want, atol=1e-5, rtol=1e-5)


@DTYPES
@pytest.mark.parametrize(("sigmainv", "boxlen", "knum"), [(7000, 0.02, 30), (70, 0.2, 30), (70, 0.2, 2)])
def test_gradients_of_the_soft_mask(device, dtype, sigmainv, boxlen, knum):
    corners, depths, features = scene(device, dtype)
    _, faces = kal.render.mesh.rasterize(10, 9, depths, corners, features)
    target = torch.nn.functional.pad(faces != -1, (0, 3))[..., 3:]
    corners.requires_grad_()
    mask = kal.render.mesh.dibr_soft_mask(corners, faces, sigmainv, boxlen, knum)
    kal.metrics.render.mask_iou(mask, target).backward()
    assert corners.grad is not None
    index, wanted = faces.cpu().numpy(), target.cpu().numpy()
    for b in range(2):

        def loss(moved, index=index[b], wanted=wanted[b]):
            """This picture's share of the mean IoU of the two."""
            mask = soft(moved, index, sigmainv, boxlen, knum)
            return -(mask * wanted).sum() / (mask + wanted - mask * wanted).sum() / 2

        got, want = corners.grad[b].cpu().numpy(), slopes(loss, CORNERS[b])
        if b == 0:  # two corners of face 4 coincide, where the mask has a kink
            assert np.isfinite(got[4]).all()
            got[4] = want[4]
        tolerance = (1e-5 if dtype == torch.float32 else 1e-7) * np.abs(want).max()
        np.testing.assert_allclose(got, want, atol=tolerance)


@pytest.mark.parametrize(("sigmainv", "boxlen"), [(7000, 0.02), (70, 0.2)])
def test_float32_gradients_are_good_to_a_millionth(device, sigmainv, boxlen):
    gradients = []
    for dtype in (torch.float32, torch.float64):
        corners, depths, features = scene(device, dtype)
        _, faces = kal.render.mesh.rasterize(HEIGHT, WIDTH, depths, corners, features)
        shifted = torch.nn.functional.pad(faces != -1, (0, 5))[..., 5:]
        mask = kal.render.mesh.dibr_soft_mask(corners.requires_grad_(), faces, sigmainv, boxlen)
        kal.metrics.render.mask_iou(mask, shifted).backward()
        assert corners.grad is not None
        gradients.append(corners.grad.double().cpu().numpy())
    gradients = [np.delete(gradient, 4, axis=1) for gradient in gradients]  # the face with a kink
    np.testing.assert_allclose(*gradients, atol=1e-6)


@DTYPES
def test_only_the_first_faces_count(device, dtype):
    """Forty copies of one face: a pixel at distance d has 1 - (1 - exp(-sigmainv d^2))^knum."""
    one = torch.tensor([[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5]], device=device, dtype=dtype)
    corners = one.expand(1, 40, 3, 2)
    faces = torch.full((1, 20, 20), -1, device=device)
    for knum in (1, 7, 30):
        mask = kal.render.mesh.dibr_soft_mask(corners, faces, 500, 0.2, knum)
        # Row 15 has its centre at y = -0.55, and column 8 at x = -0.15: 0.05 below the lower edge.
        assert float(mask[0, 15, 8]) == pytest.approx(1 - (1 - math.exp(-500 * 0.05**2)) ** knum, abs=1e-5)
        # Row 16, y = -0.65, column 3, x = -0.65: the corner is nearest.
        assert float(mask[0, 16, 3]) == pytest.approx(1 - (1 - math.exp(-500 * 0.045)) ** knum, abs=1e-5)
        # Row 19, y = -0.95, is out of reach.
        assert not bool(mask[0, 19].any())
    default = kal.render.mesh.dibr_soft_mask(corners, faces, 500, 0.2)
    assert torch.equal(default, mask)


@DTYPES
def test_dibr_rasterization_culls_only_what_it_draws(device, dtype):
    corners, depths, features = scene(device, dtype)
    points = torch.cat([corners, depths[..., None]], dim=-1)
    normals = kal.ops.mesh.face_normals(points)[..., 2]
    assert bool((normals < 0).any())
    picture, mask, faces = kal.render.mesh.dibr_rasterization(
        HEIGHT, WIDTH, depths, corners, features, normals, sigmainv=70, boxlen=0.2
    )
    want_picture, want_faces = kal.render.mesh.rasterize(
        HEIGHT, WIDTH, depths, corners, features, normals >= 0
    )
    assert torch.equal(faces, want_faces)
    assert torch.equal(picture, want_picture)
    for b in range(2):
        want = soft(CORNERS[b], faces[b].cpu().numpy(), 70, 0.2, 30)
        np.testing.assert_allclose(mask[b].cpu().numpy(), want, atol=1e-5)
    drawn = faces.clamp(min=0).reshape(2, -1)
    assert bool((normals.gather(1, drawn) >= 0)[faces.reshape(2, -1) >= 0].all())


def test_defaults_are_those_of_kaolin(device):
    corners, depths, features = scene(device, torch.float64)
    normals = torch.ones_like(depths[..., 0])
    arguments = (HEIGHT, WIDTH, depths, corners, features, normals)
    plain = kal.render.mesh.dibr_rasterization(*arguments)
    spelt = kal.render.mesh.dibr_rasterization(
        *arguments, 7000, 0.02, 30, multiplier=1000, eps=1e-8, rast_backend="cuda"
    )
    other = kal.render.mesh.dibr_rasterization(*arguments, rast_backend="nvdiffrast")
    for a, b, c in zip(plain, spelt, other, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c)


@pytest.mark.parametrize(("dtype", "flip"), [(torch.float32, False), (torch.float64, True)])
def test_a_sphere_from_three_sides(shared_data, device, dtype, flip):
    """Kaolin's way from a file to a mask, and its gradient along a random direction."""
    mesh: Any = kal.io.obj.import_mesh(shared_data / "meshes" / "ico_smooth.obj")
    faces = mesh.faces.flip(-1) if flip else mesh.faces
    vertices = mesh.vertices.double()
    vertices = (vertices - vertices.amin(0)) / (vertices.amax(0) - vertices.amin(0))
    eye = torch.tensor([[0.5, 0.5, 3.0], [2.0, 2.0, -2.0], [3.0, 0.5, 0.5]], dtype=torch.float64)
    target, up = torch.full((3, 3), 0.5).double(), torch.tensor([[0.0, 1.0, 0.0]]).double().repeat(3, 1)
    rotation, translation = kal.render.camera.generate_rotate_translate_matrices(eye, target, up)
    projection = kal.render.camera.generate_perspective_projection(math.pi / 4, dtype=torch.float64)
    camera, image, normals = kal.render.mesh.prepare_vertices(
        vertices.expand(3, -1, -1), faces, projection, rotation, translation
    )
    corners = image.to(device, dtype, copy=True).requires_grad_()
    depths, normals_z = camera[..., 2].to(device, dtype), normals[..., 2].to(device, dtype)
    _, mask, seen = kal.render.mesh.dibr_rasterization(21, 19, depths, corners, corners, normals_z, 70, 0.2)
    loss = mask[seen < 0].square().sum()
    loss.backward()
    assert corners.grad is not None
    direction = torch.randn(image.shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    for b in range(3):
        drawn = normals[b, :, 2].numpy() >= 0
        index, _ = draw(21, 19, image[b].numpy(), camera[b, ..., 2].numpy(), drawn)
        assert (seen[b].cpu().numpy() != index).sum() <= 1  # the middle of the picture is a corner of faces
        shape, along = image[b].numpy(), direction[b].numpy()
        index = seen[b].cpu().numpy()
        np.testing.assert_allclose(mask[b].detach().cpu().numpy(), soft(shape, index, 70, 0.2, 30), atol=1e-5)
        up_down = [
            (soft(shape + s * 1e-6 * along, index, 70, 0.2, 30)[index < 0] ** 2).sum() for s in (1, -1)
        ]
        slope = float((corners.grad[b].cpu().double() * direction[b]).sum())
        assert slope == pytest.approx((up_down[0] - up_down[1]) / 2e-6, rel=1e-4)


def test_wrong_input(device):
    corners, depths, features = scene(device, torch.float32)
    rasterize = kal.render.mesh.rasterize
    with pytest.raises(ValueError, match="backend must be one of cuda, nvdiffrast, nvdiffrast_fwd, got 'gl'"):
        rasterize(8, 8, depths, corners, features, backend="gl")
    with pytest.raises(InputError, match="face_vertices_z must have shape"):
        rasterize(8, 8, depths[0], corners, features)
    with pytest.raises(InputError, match="face_vertices_image must have shape"):
        rasterize(8, 8, depths, corners[:, :3], features)
    with pytest.raises(InputError, match="face_features must have shape"):
        rasterize(8, 8, depths, corners, features[:, :3])
    with pytest.raises(InputError, match="valid_faces must be bool"):
        rasterize(8, 8, depths, corners, features, valid_faces=depths[..., 0])
    with pytest.raises(InputError, match="face_vertices_image must have shape"):
        kal.render.mesh.dibr_soft_mask(corners[0], torch.zeros(2, 8, 8, device=device))
    with pytest.raises(InputError, match="selected_face_idx must have shape"):
        kal.render.mesh.dibr_soft_mask(corners, torch.zeros(1, 8, 8, device=device))
