"""Kernels of the tile binning."""

import warp as wp

from .triangle import Screen, Window, box_high, box_low, shrink

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.func
def image_of(triangle: int, image_starts: wp.array[wp.int64], images: int) -> int:
    """The picture whose range of triangles holds this one."""
    low = int(0)
    high = int(images)
    while high - low > 1:
        middle = (low + high) / 2
        if int(image_starts[middle]) <= triangle:
            low = middle
        else:
            high = middle
    return low


@wp.func
def cells_of(screen: Screen, reach: float, t: wp.mat33) -> Window:
    """The rectangle of cells that a triangle's enlarged bounding box may overlap; empty if not finite."""
    margin = wp.vec2(reach, reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = Window()
    size = low[0] + low[1] + high[0] + high[1] + t[0, 0] + t[1, 0] + t[2, 0] + t[0, 1] + t[1, 1] + t[2, 1]
    if wp.isfinite(size):
        w.x1 = screen.width
        w.y1 = screen.height
        w = shrink(screen, w, low, high)
        if w.x1 > w.x0 and w.y1 > w.y0:
            w.x0 = w.x0 / screen.cell
            w.y0 = w.y0 / screen.cell
            w.x1 = (w.x1 + screen.cell - 1) / screen.cell
            w.y1 = (w.y1 + screen.cell - 1) / screen.cell
        else:
            w.x1 = w.x0
    return w


@wp.kernel(enable_backward=False)
def count_cells(
    first: int,
    screen: Screen,
    reach: float,
    triangles: wp.array[wp.mat33],
    image_starts: wp.array[wp.int64],
    images: int,
    some_open: int,
    open_cells: wp.array[wp.bool],
    some_valid: int,
    valid: wp.array[wp.bool],
    counts: wp.array[int],
):
    i = first + wp.tid()
    count = int(0)
    keep = bool(True)
    if some_valid == 1:
        keep = valid[i]
    if keep:
        w = cells_of(screen, reach, triangles[i])
        count = wp.max(w.x1 - w.x0, 0) * wp.max(w.y1 - w.y0, 0)
        if some_open == 1 and count > 0:
            count = int(0)
            base = image_of(i, image_starts, images) * screen.rows * screen.columns
            for r in range(w.y0, w.y1):
                for c in range(w.x0, w.x1):
                    if open_cells[base + r * screen.columns + c]:
                        count += 1
    counts[i] = count


@wp.kernel(enable_backward=False)
def list_cells(
    first: int,
    screen: Screen,
    reach: float,
    triangles: wp.array[wp.mat33],
    image_starts: wp.array[wp.int64],
    images: int,
    some_open: int,
    open_cells: wp.array[wp.bool],
    starts: wp.array[int],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
):
    i = first + wp.tid()
    entry = int(starts[i])
    if starts[i + 1] > entry:
        w = cells_of(screen, reach, triangles[i])
        base = image_of(i, image_starts, images) * screen.rows * screen.columns
        for r in range(w.y0, w.y1):
            for c in range(w.x0, w.x1):
                cell = base + r * screen.columns + c
                keep = bool(True)
                if some_open == 1:
                    keep = open_cells[cell]
                if keep:
                    pair_triangle[entry] = i
                    pair_cell[entry] = cell
                    entry += 1


@wp.kernel(enable_backward=False)
def mark_visible(first: int, index: wp.array[int], visible: wp.array[wp.bool]):
    """Several threads may mark one triangle; they all write the same."""
    i = index[first + wp.tid()]
    if i >= 0:
        visible[i] = True


@wp.kernel(enable_backward=False)
def find_background(first: int, screen: Screen, index: wp.array3d[int], open_cells: wp.array[wp.bool]):
    cell = first + wp.tid()
    image = cell / (screen.columns * screen.rows)
    place = cell - image * screen.columns * screen.rows
    y0 = (place / screen.columns) * screen.cell
    x0 = (place % screen.columns) * screen.cell
    found = bool(False)
    for r in range(y0, wp.min(y0 + screen.cell, screen.height)):
        for c in range(x0, wp.min(x0 + screen.cell, screen.width)):
            if index[image, r, c] < 0:
                found = True
    open_cells[cell] = found


@wp.kernel(enable_backward=False)
def sum_segments(
    first: int, width: int, starts: wp.array[int], values: wp.array2d[float], sums: wp.array2d[float]
):
    item = first + wp.tid()
    row = item / width
    column = item - row * width
    total = float(0.0)
    for entry in range(starts[row], starts[row + 1]):
        total += values[entry, column]
    sums[row, column] = total
