"""An object without any symmetry, and whether pictures, cameras and solids of a data set fit each other."""

from types import SimpleNamespace

import pytest
import torch

from unrender.geometry import Mesh, cube
from unrender.learn.data import CaptureOptions, ObjectViews, capture
from unrender.learn.data.capture import to_unit_cube
from unrender.render import Camera

BOXES = (  # middle, sides, colour: a plank along x, a post at one end, a block in front of the other
    ((0.0, -0.4, 0.0), (1.0, 0.2, 0.3), (0.9, 0.2, 0.1)),
    ((-0.4, 0.0, 0.0), (0.2, 0.7, 0.3), (0.1, 0.8, 0.3)),
    ((0.35, -0.4, 0.3), (0.3, 0.2, 0.35), (0.2, 0.3, 0.9)),
)


@pytest.fixture(scope="session")
def chiral() -> Mesh:
    """In the unit cube, with a colour a box."""
    vertices, faces, colors = [], [], []
    for middle, sides, color in BOXES:
        box = cube()
        faces.append(box.faces + sum(map(len, vertices)))
        vertices.append(box.vertices * torch.tensor(sides) + torch.tensor(middle))
        colors.append(torch.tensor(color).expand_as(vertices[-1]))
    mesh = Mesh(torch.cat(vertices), torch.cat(faces), vertex_colors=torch.cat(colors))
    return to_unit_cube(mesh)


@pytest.fixture(scope="session")
def captured(chiral) -> ObjectViews:
    """24 pictures of N3MR's kind with the truth."""
    options = CaptureOptions(size=64, light="lambert", points=3000)
    return capture(chiral, "one", "thing", options)


def misfit(views: ObjectViews, voxels: torch.Tensor, *, margin: int) -> tuple[float, float]:
    """How a solid contradicts the masks.

    Returns:
        The largest shares, over the views, of filled cells whose middle falls outside the mask, and of mask
        pixels with no middle of a filled cell near. ``margin`` is what both forgive, in pixels.
    """
    size = len(voxels)
    assert views.cameras is not None
    middles = (voxels.nonzero() + 0.5) / size - 0.5
    pixels = views.cameras.project(middles)[..., :2].floor().long()
    masks = (views.pictures[..., 3] > 127).float()
    height, width = masks.shape[1:]
    inside = ((pixels >= 0) & (pixels < torch.tensor([width, height]))).all(-1)
    x, y = pixels[..., 0].clamp(0, width - 1), pixels[..., 1].clamp(0, height - 1)
    view = torch.arange(len(masks))[:, None]
    drawn = torch.zeros_like(masks)
    drawn[view.expand_as(x)[inside], y[inside], x[inside]] = 1
    outside = 1 - (grown(masks, margin)[view, y, x] * inside).mean(1)
    missed = (masks * (1 - grown(drawn, margin))).sum((1, 2)) / masks.sum((1, 2))
    return float(outside.max()), float(missed.max())


def grown(masks: torch.Tensor, margin: int) -> torch.Tensor:
    return torch.nn.functional.max_pool2d(masks[:, None], 2 * margin + 1, 1, margin)[:, 0]


def fit(views: ObjectViews, voxels: torch.Tensor | None = None, *, margin: int = 2) -> None:
    """Assert that a solid fits its pictures, and that no mirrored or turned one does."""
    voxels = views.voxels if voxels is None else voxels
    assert voxels is not None
    assert bool(voxels.any())
    assert max(misfit(views, voxels, margin=margin)) < 0.005
    for axes in ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)):
        assert max(misfit(views, voxels.flip(axes), margin=margin)) > 0.05, f"flipped {axes}"
    for order in ((1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)):
        assert max(misfit(views, voxels.permute(order), margin=margin)) > 0.05, f"permuted {order}"


def same_pictures(found: torch.Tensor, truth: torch.Tensor) -> None:
    """Assert that bytes are those of an object, up to what rounding does to colours under low alpha."""
    assert found.dtype == torch.uint8
    assert torch.equal(found[..., 3], truth[..., 3])
    error = (found.float() - truth.float())[..., :3].abs() * truth[..., 3:] / 255
    assert float(error.max()) <= 1
    assert bool((found[truth[..., 3] == 0] == 0).all())


def camera_distance(first: Camera, second: Camera) -> float:
    """The largest distance of pixel positions under two batches of cameras, of points in the unit cube."""
    assert (first.width, first.height) == (second.width, second.height)
    points = torch.rand(50, 3, generator=torch.Generator().manual_seed(0)) - 0.5
    a, b = (camera.project(points)[..., :2] for camera in (first, second))
    return float((a - b).abs().max())


def known(value):
    """What a data set has to say about an object."""
    assert value is not None
    return value


@pytest.fixture(scope="session")
def loader_tools() -> SimpleNamespace:
    """The assertions of this file, by name."""
    return SimpleNamespace(fit=fit, same_pictures=same_pictures, camera_distance=camera_distance, known=known)
