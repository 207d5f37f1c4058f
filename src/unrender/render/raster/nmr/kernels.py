"""Kernels of the edge scan: an edge follows every row and every column of pixels that it crosses.

A "side" is one edge of one triangle that moves along one axis: 6 sides a triangle, edge by edge, for each
first along x (it is scanned in rows), then along y (in columns). An edge runs from corner ``edge`` to the
next one.
"""

import warp as wp

from ..binning import image_of
from ..triangle import Screen

TINY = wp.constant(1.2e-38)  # keeps 0 / 0 out

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.func
def pixels_along(screen: Screen, axis: int) -> int:
    return wp.where(axis == 0, screen.width, screen.height)


@wp.func
def place_of(screen: Screen, axis: int, position: float) -> float:
    """Column (axis 0) or row (axis 1) at a screen coordinate, not rounded."""
    step = wp.where(axis == 0, screen.step_x, screen.step_y)
    return (position / step + float(pixels_along(screen, axis) - 1)) * 0.5


@wp.func
def first_line(screen: Screen, across: int, a: float, b: float) -> int:
    """First row or column that an edge between the places ``a`` and ``b`` may cross."""
    # clamp before the conversion: an int cannot hold the coordinates of a huge triangle
    return int(wp.clamp(wp.ceil(wp.min(a, b)), 0.0, float(pixels_along(screen, across))))


@wp.kernel(enable_backward=False)
def count_lines(
    first: int,
    screen: Screen,
    triangles: wp.array3d[float],
    visible: wp.array[wp.bool],
    counts: wp.array[int],
):
    """Rows or columns that each side crosses within the picture."""
    side = first + wp.tid()
    i = side / 6
    edge = (side % 6) / 2
    across = 1 - side % 2
    count = int(0)
    if visible[i]:
        a = place_of(screen, across, triangles[i, edge, across])
        b = place_of(screen, across, triangles[i, (edge + 1) % 3, across])
        if a != b:
            last = wp.clamp(wp.floor(wp.max(a, b)), -1.0, float(pixels_along(screen, across) - 1))
            count = wp.max(int(last) + 1 - first_line(screen, across, a, b), 0)
    counts[side] = count


@wp.func
def gain(
    pictures: wp.array2d[float], grad: wp.array2d[float], channels: int, pixel: int, other: int
) -> float:
    """What the loss falls, to first order, when a pixel takes another's colours; 0 if it rises."""
    g = float(0.0)
    for k in range(channels):
        g += (pictures[pixel, k] - pictures[other, k]) * grad[pixel, k]
    return wp.max(g, 0.0)


@wp.func
def pull(gain: float, distance: float, share: float, eps: float) -> float:
    """Gain divided by the way, distance / share, of an edge's end that has this share in the crossing."""
    return gain * share / wp.max(distance + eps * share, TINY)


@wp.kernel(enable_backward=False)
def scan_lines(
    first: int,
    screen: Screen,
    sides: int,
    channels: int,
    eps: float,
    triangles: wp.array3d[float],
    image_starts: wp.array[wp.int64],
    images: int,
    starts: wp.array[int],
    index: wp.array[int],
    pictures: wp.array2d[float],
    grad: wp.array2d[float],
    pulls: wp.array2d[float],
):
    """Gradients of the two ends of a side from one of its rows or columns.

    The lines of side s are the entries ``starts[s] : starts[s + 1]``.
    """
    entry = first + wp.tid()
    side = int(0)
    high = int(sides)
    while high - side > 1:
        middle = (side + high) / 2
        if starts[middle] <= entry:
            side = middle
        else:
            high = middle
    i = side / 6
    edge = (side % 6) / 2
    axis = side % 2
    across = 1 - axis
    next_corner = (edge + 1) % 3
    third = (edge + 2) % 3

    # a, b, c are the edge's start and end and the third corner; 0 is across the lines, 1 along them
    a0 = place_of(screen, across, triangles[i, edge, across])
    a1 = place_of(screen, axis, triangles[i, edge, axis])
    b0 = place_of(screen, across, triangles[i, next_corner, across])
    b1 = place_of(screen, axis, triangles[i, next_corner, axis])
    c0 = place_of(screen, across, triangles[i, third, across])
    c1 = place_of(screen, axis, triangles[i, third, axis])
    line = first_line(screen, across, a0, b0) + entry - starts[side]
    weight = (float(line) - a0) / (b0 - a0)  # of b, at the crossing
    cross = a1 + weight * (b1 - a1)
    # the third corner lies inside; the edge's direction turns the sign of this area
    area = (c1 - a1) * (b0 - a0) - (c0 - a0) * (b1 - a1)
    outward = wp.where((area >= 0.0) == (b0 > a0), -1, 1)
    inner_place = wp.where(outward > 0, wp.floor(cross), wp.ceil(cross))
    outer_place = inner_place + float(outward)

    size = pixels_along(screen, axis)
    pull_a = float(0.0)
    pull_b = float(0.0)
    # written so that NaN fails
    if wp.min(inner_place, outer_place) >= 0.0 and wp.max(inner_place, outer_place) < float(size):
        inner = int(inner_place)
        outer = int(outer_place)
        step = wp.where(axis == 0, screen.step_x, screen.step_y)
        pitch = 2.0 * wp.abs(step)
        stride = wp.where(axis == 0, 1, screen.width)
        base = image_of(i, image_starts, images) * screen.width * screen.height
        base += line * wp.where(axis == 0, screen.width, 1)
        inner_pixel = base + inner * stride
        outer_pixel = base + outer * stride
        share_a = 1.0 - weight
        if index[inner_pixel] == i:
            outside = wp.where(outward > 0, size - outer, outer + 1)
            for n in range(outside):
                at = outer + n * outward
                pixel = base + at * stride
                g = gain(pictures, grad, channels, pixel, inner_pixel)
                distance = wp.abs(float(at) - cross) * pitch
                pull_a += pull(g, distance, share_a, eps)
                pull_b += pull(g, distance, weight, eps)
        # what the triangle owns lies no farther than its farthest corner, give or take rounding
        far_corner = wp.where(outward > 0, wp.min(a1, wp.min(b1, c1)) - 1.0, wp.max(a1, wp.max(b1, c1)) + 1.0)
        far = int(wp.clamp(far_corner, 0.0, float(size - 1)))
        for n in range(wp.abs(inner - far) + 1):
            at = inner - n * outward
            pixel = base + at * stride
            if index[pixel] == i:
                g = gain(pictures, grad, channels, pixel, outer_pixel)
                distance = wp.abs(float(at) - cross) * pitch
                pull_a -= pull(g, distance, share_a, eps)
                pull_b -= pull(g, distance, weight, eps)
        towards = wp.where(step > 0.0, float(-outward), float(outward))
        pull_a *= towards
        pull_b *= towards
    pulls[entry, 0] = pull_a
    pulls[entry, 1] = pull_b
