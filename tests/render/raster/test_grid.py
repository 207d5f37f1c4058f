import itertools
import math

import pytest
import torch

from unrender.errors import InputError
from unrender.render.raster.grid import Grid, image_of_triangles


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
    reach = soup.pixels(reach)
    first, last = soup.grid.pixel_boxes(soup.triangles, reach)
    inside = soup.in_boxes(reach)
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


def test_a_picture_has_pixels():
    with pytest.raises(InputError, match="needs at least one pixel, got 0 x 3"):
        Grid(1, 3, 0)
