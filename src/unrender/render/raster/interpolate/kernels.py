"""Kernels of attribute interpolation."""

import warp as wp

from ..triangle import Screen, box_high, box_low, shrink, window_of_cell

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.kernel(enable_backward=False)
def interpolate(
    first: int,
    channels: int,
    corners: wp.array2d[float],
    rows: wp.array[int],
    index: wp.array[int],
    weights: wp.array[wp.vec3],
    values: wp.array2d[float],
):
    """Weighted sum of the corners of each pixel's triangle; ``corners`` is (R, 3 * channels)."""
    pixel = first + wp.tid()
    i = index[pixel]
    if i >= 0:
        row = rows[i]
        w = weights[pixel]
        for d in range(channels):
            values[pixel, d] = (
                w[0] * corners[row, d]
                + w[1] * corners[row, channels + d]
                + w[2] * corners[row, 2 * channels + d]
            )


@wp.kernel(enable_backward=False)
def interpolate_backward_weights(
    first: int,
    channels: int,
    corners: wp.array2d[float],
    rows: wp.array[int],
    index: wp.array[int],
    grad_values: wp.array2d[float],
    grad_weights: wp.array[wp.vec3],
):
    """Gradient of the weights, pixel by pixel."""
    pixel = first + wp.tid()
    i = index[pixel]
    if i >= 0:
        row = rows[i]
        g = wp.vec3()
        for d in range(channels):
            g += grad_values[pixel, d] * wp.vec3(
                corners[row, d], corners[row, channels + d], corners[row, 2 * channels + d]
            )
        grad_weights[pixel] = g


@wp.kernel(enable_backward=False)
def interpolate_backward_corners(
    first: int,
    screen: Screen,
    channels: int,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    index: wp.array3d[int],
    weights: wp.array3d[wp.vec3],
    grad_values: wp.array4d[float],
    grad_corners: wp.array2d[float],
):
    """Gradient of one triangle's corners from the pixels it owns in one cell; comes in as 0."""
    pair = first + wp.tid()
    i = pair_triangle[pair]
    t = triangles[i]
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), box_low(t), box_high(t))
    for r in range(w.y0, w.y1):
        for c in range(w.x0, w.x1):
            if index[w.image, r, c] == i:
                b = weights[w.image, r, c]
                for d in range(channels):
                    g = grad_values[w.image, r, c, d]
                    grad_corners[pair, d] += b[0] * g
                    grad_corners[pair, channels + d] += b[1] * g
                    grad_corners[pair, 2 * channels + d] += b[2] * g
