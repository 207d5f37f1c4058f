"""Kernels of the z-buffer: nearest triangle, its barycentric weights and depth."""

import warp as wp

from ..triangle import (
    Screen,
    box_high,
    box_low,
    edge_functions,
    edge_functions_backward,
    pixel_x,
    pixel_y,
    shrink,
    window_of_block,
    window_of_cell,
)

TINY = wp.constant(1.2e-38)  # of smaller areas the inverse overflows

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.kernel(enable_backward=False)
def rasterize(
    first: int,
    screen: Screen,
    perspective: int,
    eps: float,
    triangles: wp.array[wp.mat33],
    listed: wp.array[int],
    starts: wp.array[int],
    index: wp.array3d[int],
    weights: wp.array3d[wp.vec3],
    depth: wp.array3d[float],
):
    """Draw one block of pixels; ``index`` comes in as -1, ``depth`` as infinity, ``weights`` as 0."""
    thread = first + wp.tid()
    w = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    for entry in range(starts[cell], starts[cell + 1]):
        i = listed[entry]
        t = triangles[i]
        low = box_low(t)
        high = box_high(t)
        part = shrink(screen, w, low, high)
        for r in range(part.y0, part.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y < high[1]:
                for c in range(part.x0, part.x1):
                    x = pixel_x(screen, c)
                    if x >= low[0] and x < high[0]:
                        e = edge_functions(t, x, y)
                        area = e[0] + e[1] + e[2]
                        area += wp.where(area < 0.0, -eps, eps)
                        if wp.abs(area) > TINY:
                            b = e / area
                            # written so that NaN fails
                            if b[0] >= 0.0 and b[1] >= 0.0 and b[2] >= 0.0:
                                z = b[0] * t[0, 2] + b[1] * t[1, 2] + b[2] * t[2, 2]
                                if perspective == 1:
                                    b = wp.vec3(b[0] / t[0, 2], b[1] / t[1, 2], b[2] / t[2, 2])
                                    z = 1.0 / (b[0] + b[1] + b[2])
                                    b = b * z
                                if z < depth[w.image, r, c]:
                                    depth[w.image, r, c] = z
                                    index[w.image, r, c] = i
                                    weights[w.image, r, c] = b


@wp.kernel(enable_backward=False)
def rasterize_backward(
    first: int,
    screen: Screen,
    perspective: int,
    eps: float,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    index: wp.array3d[int],
    grad_weights: wp.array3d[wp.vec3],
    grad_depth: wp.array3d[float],
    grad: wp.array[wp.mat33],
):
    """Gradient of one triangle from the pixels it owns in one cell."""
    pair = first + wp.tid()
    i = pair_triangle[pair]
    t = triangles[i]
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), box_low(t), box_high(t))
    total = wp.mat33()
    for r in range(w.y0, w.y1):
        for c in range(w.x0, w.x1):
            if index[w.image, r, c] == i:
                x = pixel_x(screen, c)
                y = pixel_y(screen, r)
                e = edge_functions(t, x, y)
                area = e[0] + e[1] + e[2]
                area += wp.where(area < 0.0, -eps, eps)
                b = e / area
                gw = grad_weights[w.image, r, c]
                gd = grad_depth[w.image, r, c]
                gz = b * gd
                gb = gw + gd * wp.vec3(t[0, 2], t[1, 2], t[2, 2])
                if perspective == 1:
                    # s_k = b_k / z_k, depth = 1 / sum s, weight_k = s_k depth
                    s = wp.vec3(b[0] / t[0, 2], b[1] / t[1, 2], b[2] / t[2, 2])
                    z = 1.0 / (s[0] + s[1] + s[2])
                    mean = wp.dot(gw, s) * z + gd * z
                    gs = (gw - wp.vec3(mean, mean, mean)) * z
                    gb = wp.vec3(gs[0] / t[0, 2], gs[1] / t[1, 2], gs[2] / t[2, 2])
                    gz = -wp.vec3(gb[0] * s[0], gb[1] * s[1], gb[2] * s[2])
                mean_b = wp.dot(gb, b)
                ge = (gb - wp.vec3(mean_b, mean_b, mean_b)) / area
                total += edge_functions_backward(t, x, y, ge)
                total += wp.mat33(0.0, 0.0, gz[0], 0.0, 0.0, gz[1], 0.0, 0.0, gz[2])
    grad[pair] = total
