import math

import numpy as np
import pytest
import torch
from soups import Soup, make_soup

from unrender.errors import InputError
from unrender.render.raster.cells import (
    cells_with_background,
    pair_with_cells,
    sort_by_cell,
    sum_pairs,
    sum_rows,
    visible_triangles,
)
from unrender.render.raster.grid import Grid, image_of_triangles

# (triangle, cell) pairs are of Warp's backend: float32 triangles


def pairs_of(cells) -> list[tuple[int, int]]:
    return list(zip(cells.triangle.tolist(), cells.cell.tolist(), strict=True))


def holes(soup: Soup, part: float):
    """An index picture that is background in a few pixels."""
    generator = torch.Generator().manual_seed(2)
    return (
        torch.where(torch.rand(soup.shape, generator=generator) < part, -1, 0).int().to(soup.triangles.device)
    )


@pytest.mark.parametrize("size", [1, 8, 64])
@pytest.mark.parametrize("reach", [0.0, 2.5])
@pytest.mark.parametrize("limited", [False, True])
def test_pairs_are_the_cells_that_boxes_touch(soup, size, reach, limited):
    count, columns, rows = soup.triangles.shape[0], math.ceil(37 / size), math.ceil(21 / size)
    options = {}
    keep = np.ones(count, bool)
    opened = np.ones(3 * rows * columns, bool)
    if limited:
        valid = torch.arange(count, device=soup.triangles.device) % 5 != 1
        open_cells = cells_with_background(soup.grid, holes(soup, 0.01), size)
        options = {"valid": valid, "open_cells": open_cells}
        keep, opened = valid.cpu().numpy(), open_cells.cpu().numpy()
        assert 0 < opened.sum() < len(opened) or size == 64
    reach = soup.pixels(reach)
    cells = pair_with_cells(soup.grid, soup.triangles, soup.starts, size=size, reach=reach, **options)
    assert cells.count == 3 * rows * columns
    pairs = pairs_of(cells)
    assert pairs == sorted(set(pairs))
    counts = torch.bincount(cells.triangle.long(), minlength=count)
    assert torch.equal(cells.starts.diff(), counts.int())

    image = image_of_triangles(soup.starts, count).tolist()
    margin = 2.02 * max(abs(soup.grid.step_x), abs(soup.grid.step_y))  # generous by up to a pixel
    needed, allowed = (soup.in_boxes(r).cpu() for r in (reach, reach + margin))
    listed = set(pairs)
    for t in range(count):
        for wanted, pixels in ((True, needed), (False, allowed)):
            r, c = pixels[t].nonzero(as_tuple=True)
            numbers = set(((image[t] * rows + r // size) * columns + c // size).tolist())
            numbers = {n for n in numbers if keep[t] and opened[n]}
            mine = {cell for triangle, cell in listed if triangle == t}
            assert numbers <= mine if wanted else mine <= numbers


def test_triangles_that_are_not_finite_have_no_cells(device):
    good = torch.tensor([[-1.0, -1, 1], [1, 0, 1], [0, 1, 1]])
    triangles = good.repeat(5, 1, 1)
    broken = [(0, 0, math.nan), (1, 1, math.inf), (2, 0, -math.inf), (1, 0, math.nan)]
    for t, (corner, axis, value) in enumerate(broken):
        triangles[t + 1, corner, axis] = value
    starts = torch.tensor([0, 5], device=device)
    cells = pair_with_cells(Grid(1, 6, 8), triangles.to(device), starts, size=8)
    assert pairs_of(cells) == [(0, 0)]


def test_huge_triangles_have_all_cells(device):
    triangles = torch.tensor([[[-1e30, -1e30, 1], [1e30, -1e30, 1], [0, 1e30, 1]]], device=device)
    cells = pair_with_cells(Grid(1, 20, 20), triangles, torch.tensor([0, 1], device=device), size=8)
    assert cells.cell.tolist() == list(range(9))


def test_triangles_know_their_picture(device):
    # many empty pictures between the full ones
    soup = make_soup(device, (0, 3, 0, 0, 5, 1, 0))
    cells = pair_with_cells(soup.grid, soup.triangles * 0.1, soup.starts, size=64)
    image = image_of_triangles(soup.starts, 9)
    assert cells.triangle.tolist() == list(range(9))
    assert torch.equal(cells.cell.long(), image[cells.triangle.long()])


def test_sorted_by_cell_triangles_keep_their_order(soup):
    cells = pair_with_cells(soup.grid, soup.triangles, soup.starts, size=8)
    listed, starts = sort_by_cell(cells)
    assert starts.shape == (cells.count + 1,)
    pairs = sorted((cell, triangle) for triangle, cell in pairs_of(cells))
    assert listed.tolist() == [triangle for _, triangle in pairs]
    numbers = torch.arange(cells.count, device=starts.device)
    assert torch.repeat_interleave(numbers, starts.diff()).tolist() == [cell for cell, _ in pairs]


def test_triangles_that_own_a_pixel(device):
    index = torch.tensor([[[-1, 2], [0, 2]]], dtype=torch.int32, device=device)
    assert visible_triangles(index, 4).tolist() == [True, False, True, False]
    assert visible_triangles(torch.full_like(index, -1), 0).tolist() == []


@pytest.mark.parametrize("size", [1, 4, 8, 64])
def test_cells_with_background(soup, size):
    index = holes(soup, 0.02)
    found = cells_with_background(soup.grid, index, size)
    expected = torch.zeros(
        3, math.ceil(21 / size), math.ceil(37 / size), dtype=torch.bool, device=index.device
    )
    image, row, column = (index < 0).nonzero(as_tuple=True)
    expected[image, row // size, column // size] = True
    assert torch.equal(found, expected.view(-1))


def test_sums(soup):
    cells = pair_with_cells(soup.grid, soup.triangles, soup.starts, size=8)
    values = torch.rand(len(cells.triangle), 2, 3, device=soup.triangles.device)
    sums = sum_pairs(values, cells)
    count = soup.triangles.shape[0]
    expected = torch.zeros(count, 2, 3, dtype=torch.float64, device=values.device)
    expected.index_add_(0, cells.triangle.long(), values.double())
    torch.testing.assert_close(sums.double(), expected, atol=1e-5, rtol=0)

    rows = (torch.arange(count, device=values.device) * 5 % 11).int()
    expected = torch.zeros(11, 6, dtype=torch.float64, device=values.device)
    expected.index_add_(0, rows.long(), sums.double().flatten(1))
    torch.testing.assert_close(sum_rows(sums.flatten(1), rows, 11).double(), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("images", [0, 2])
def test_no_triangles_and_no_pictures(device, images):
    starts = torch.zeros(images + 1, dtype=torch.int64, device=device)
    cells = pair_with_cells(Grid(images, 9, 9), torch.zeros(0, 3, 3, device=device), starts, size=8)
    listed, starts = sort_by_cell(cells)
    assert listed.tolist() == []
    assert starts.tolist() == [0] * (images * 4 + 1)
    assert sum_pairs(torch.zeros(0, 3, 3, device=device), cells).shape == (0, 3, 3)


def test_too_many_overlaps_are_refused(device):
    corners = [[-9000.0, -9000, 1], [9000, -9000, 1], [0, 9000, 1]]
    triangles = torch.tensor(corners, device=device).repeat(5000, 1, 1)
    starts = torch.tensor([0, 5000], device=device)
    with pytest.raises(InputError, match=r"overlaps, more than 2\*\*31"):
        pair_with_cells(Grid(1, 6000, 6000), triangles, starts, size=8)
