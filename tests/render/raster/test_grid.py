import itertools
import math

import pytest
import torch
from soups import Soup

from unrender.errors import InputError
from unrender.render.raster.grid import (
    Grid,
    cells_of_triangles,
    image_of_triangles,
    sort_by_cell,
    triangles_near_background,
    visible_triangles,
)


def pixels_in_boxes(soup: Soup, reach: float):
    """For every triangle, which pixel centres its enlarged bounding box holds: bool (T, H, W)."""
    xs, ys = soup.grid.centres(torch.float64, soup.triangles.device)
    xy = soup.triangles.double()[..., :2]
    low, high = xy.amin(1) - reach, xy.amax(1) + reach
    across = (xs >= low[:, :1]) & (xs <= high[:, :1])
    down = (ys >= low[:, 1:]) & (ys <= high[:, 1:])
    return down[:, :, None] & across[:, None, :]


def reach_of(soup: Soup, pixels: float) -> float:
    return pixels * 2 * abs(soup.grid.step_x)


def test_pixel_centres(device):
    xs, ys = Grid(1, 2, 3).centres(torch.float64, device)
    assert xs.tolist() == [-1, 0, 1]
    assert ys.tolist() == [-0.5, 0.5]
    # Kaolin: columns (2c + 1 - W) / W, rows (H - 2r - 1) / H, times 1000
    xs, ys = Grid(1, 4, 5, 1000 / 5, -1000 / 4).centres(torch.float64, device)
    assert xs.tolist() == [-800, -400, 0, 400, 800]
    assert ys.tolist() == [750, 250, -250, -750]


@pytest.mark.parametrize("reach", [0.0, 2.5])
def test_boxes_hold_their_pixels_and_hardly_more(soup, reach):
    reach = reach_of(soup, reach)
    first, last = soup.grid.pixel_boxes(soup.triangles, reach)
    inside = pixels_in_boxes(soup, reach)
    rows = torch.arange(soup.grid.height, device=first.device)
    columns = torch.arange(soup.grid.width, device=first.device)
    across = (columns >= first[:, :1]) & (columns < last[:, :1])
    down = (rows >= first[:, 1:]) & (rows < last[:, 1:])
    boxes = down[:, :, None] & across[:, None, :]
    assert (boxes | ~inside).all()
    # never more than a row and a column of pixels on each side
    wider = torch.nn.functional.max_pool2d(inside[:, None].float(), 3, stride=1, padding=1)[:, 0] > 0
    seen = inside.any((1, 2))
    assert seen.sum() > 30
    assert (wider | ~boxes)[seen].all()


@pytest.mark.parametrize("corner", [[math.nan, 0.0], [0.0, math.inf], [-math.inf, 0.0]], ids=str)
def test_boxes_of_triangles_that_are_not_finite_are_empty(device, corner):
    triangles = torch.tensor([[[-1.0, -1, 1], [1, 0, 1], [*corner, 1]]], device=device)
    first, last = Grid(1, 6, 8).pixel_boxes(triangles, 1.0)
    assert torch.equal(first, last)


def test_boxes_of_huge_triangles_end_with_the_picture(device):
    triangles = torch.tensor([[[-1e30, -1e30, 1], [1e30, -1e30, 1], [0, 1e30, 1]]], device=device)
    first, last = Grid(1, 6, 8).pixel_boxes(triangles, 1.0)
    assert first.tolist() == [[0, 0]]
    assert last.tolist() == [[8, 6]]


def test_boxes_of_off_screen_triangles_are_empty(device):
    triangle = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]], device=device)
    for x, y in itertools.product((-100, 0, 100), repeat=2):
        first, last = Grid(1, 6, 8).pixel_boxes(triangle[None] + torch.tensor([x, y, 0], device=device), 2.0)
        assert bool((last > first).all()) == (x == y == 0)


def test_pictures_of_triangles(device):
    starts = torch.tensor([0, 2, 2, 5], device=device)
    assert image_of_triangles(starts, 5).tolist() == [0, 0, 2, 2, 2]


def test_triangles_that_own_a_pixel(device):
    index = torch.tensor([[[-1, 2], [0, 2]]], dtype=torch.int32, device=device)
    assert visible_triangles(index, 4).tolist() == [True, False, True, False]
    assert visible_triangles(torch.full_like(index, -1), 0).tolist() == []


@pytest.mark.parametrize("reach", [0.0, 1.0, 4.0])
def test_triangles_with_background_in_reach(soup, reach):
    reach = reach_of(soup, reach)
    index = torch.where(torch.rand(soup.shape, device=soup.triangles.device) < 0.03, -1, 0).int()
    near = triangles_near_background(soup.grid, soup.triangles, soup.starts, index, reach)
    background = (index < 0)[image_of_triangles(soup.starts, soup.triangles.shape[0])]
    exact = (pixels_in_boxes(soup, reach) & background).any((1, 2))
    assert near[exact].all()
    assert not triangles_near_background(soup.grid, soup.triangles, soup.starts, index * 0, reach).any()
    # boxes are generous by up to a pixel and a bit of rounding, no more
    pixel = 2.02 * max(abs(soup.grid.step_x), abs(soup.grid.step_y))
    generous = (pixels_in_boxes(soup, reach + pixel) & background).any((1, 2))
    assert not near[~generous].any()


@pytest.mark.parametrize("size", [1, 4, 8, 64])
@pytest.mark.parametrize("reach", [0.0, 2.5])
def test_cells_hold_every_pixel_once(soup, size, reach):
    reach = reach_of(soup, reach)
    grid, count = soup.grid, soup.triangles.shape[0]
    valid = torch.arange(count, device=soup.triangles.device) % 5 != 1
    cells = cells_of_triangles(grid, soup.triangles, soup.starts, size=size, reach=reach, valid=valid)
    assert (cells.columns, cells.rows) == (math.ceil(37 / size), math.ceil(21 / size))
    pairs = list(zip(cells.triangle.tolist(), cells.cell.tolist(), strict=True))
    assert pairs == sorted(set(pairs))
    counts = torch.bincount(cells.triangle.long(), minlength=count)
    assert torch.equal(cells.starts.diff(), counts.int())

    image = image_of_triangles(soup.starts, count).tolist()
    inside = pixels_in_boxes(soup, reach).cpu()
    listed = set(pairs)
    for t in range(count):
        rows, columns = inside[t].nonzero(as_tuple=True)
        needed = (image[t] * cells.rows + rows // size) * cells.columns + columns // size
        if valid[t]:
            assert {(t, c) for c in needed.unique().tolist()} <= listed
        else:
            assert int(counts[t]) == 0


def test_sorted_by_cell_triangles_keep_their_order(soup):
    cells = cells_of_triangles(soup.grid, soup.triangles, soup.starts, size=8)
    listed, starts = sort_by_cell(cells, soup.grid.images)
    assert starts.shape == (3 * cells.rows * cells.columns + 1,)
    pairs = sorted(zip(cells.cell.tolist(), cells.triangle.tolist(), strict=True))
    assert listed.tolist() == [triangle for _, triangle in pairs]
    cell_of_entry = torch.repeat_interleave(
        torch.arange(len(starts) - 1, device=starts.device), starts.diff()
    )
    assert cell_of_entry.tolist() == [cell for cell, _ in pairs]


def test_no_triangles_and_no_pictures(device):
    none = torch.zeros(0, 3, 3, device=device)
    for images in (0, 2):
        starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
        cells = cells_of_triangles(Grid(images, 9, 9), none, starts, size=8)
        listed, starts = sort_by_cell(cells, images)
        assert listed.tolist() == []
        assert starts.tolist() == [0] * (images * 4 + 1)


def test_too_many_overlaps_are_refused(device):
    huge = torch.tensor([[-9000.0, -9000, 1], [9000, -9000, 1], [0, 9000, 1]], device=device).expand(
        5000, 3, 3
    )
    starts = torch.tensor([0, 5000], device=device)
    with pytest.raises(InputError, match="overlaps, more than"):
        cells_of_triangles(Grid(1, 6000, 6000), huge, starts, size=8)


def test_a_picture_has_pixels():
    with pytest.raises(InputError, match="needs at least one pixel, got 0 x 3"):
        Grid(1, 3, 0)
