"""Kernels of the Soft Rasterizer's mixtures of colours, and of what they are made of."""

import warp as wp

from ...triangle import Screen, edge_functions, pixel_x, pixel_y, shrink, window_of_block, window_of_cell
from ..kernels import (
    BARYCENTRIC,
    EUCLIDEAN,
    Facet,
    Rules,
    Surface,
    closeness_backward,
    color_weights,
    facet,
    least_backward,
    look,
    may_see,
    may_show,
    sigmoid,
    surface,
    surface_backward,
    texel,
    weights_backward,
)

wp.set_module_options({"enable_backward": False, "fuse_fp": False})


@wp.kernel(enable_backward=False)
def aggregate(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    listed: wp.array[int],
    starts: wp.array[int],
    rows: wp.array[int],
    table: wp.array2d[float],
    nearest: wp.array3d[float],
    total: wp.array3d[float],
    values: wp.array4d[float],
):
    """One pass over the triangles of each block: a softmax with a running maximum.

    ``nearest`` comes in as the background's depth, ``total`` as 1, its strength there, ``values`` as 0. The
    mixture is ``values / total``.
    """
    thread = first + wp.tid()
    block = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    margin = wp.vec2(rules.reach, rules.reach)
    channels = rules.channels
    for entry in range(starts[cell], starts[cell + 1]):
        i = listed[entry]
        f = facet(rules, triangles[i])
        row = rows[i]
        low = f.low - margin
        high = f.high + margin
        w = shrink(screen, block, low, high)
        for r in range(w.y0, w.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y <= high[1]:
                for c in range(w.x0, w.x1):
                    x = pixel_x(screen, c)
                    b = edge_functions(f.t, x, y) * f.inverse_area
                    if x >= low[0] and x <= high[0] and may_see(f, b):
                        s = surface(f, b)
                        best = nearest[w.image, r, c]
                        if may_show(rules, f, s, best):
                            v = look(rules, f, b, x, y)
                            if v.seen:
                                p = sigmoid(v.closeness)
                                if s.depth < best:
                                    fade = wp.exp((s.depth - best) * rules.rate)
                                    total[w.image, r, c] = total[w.image, r, c] * fade
                                    for d in range(channels):
                                        values[w.image, r, c, d] = values[w.image, r, c, d] * fade
                                    nearest[w.image, r, c] = s.depth
                                else:
                                    p = p * wp.exp((best - s.depth) * rules.rate)
                                total[w.image, r, c] = total[w.image, r, c] + p
                                u = color_weights(rules, f, s)
                                if rules.side == 0:
                                    u = p * u
                                    for d in range(channels):
                                        values[w.image, r, c, d] = values[w.image, r, c, d] + (
                                            u[0] * table[row, d]
                                            + u[1] * table[row, channels + d]
                                            + u[2] * table[row, 2 * channels + d]
                                        )
                                else:
                                    k = texel(u, rules.side) * channels
                                    for d in range(channels):
                                        values[w.image, r, c, d] = (
                                            values[w.image, r, c, d] + p * table[row, k + d]
                                        )


@wp.kernel(enable_backward=False)
def aggregate_backward(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    rows: wp.array[int],
    table: wp.array2d[float],
    nearest: wp.array3d[float],
    total: wp.array3d[float],
    rates: wp.array4d[float],
    mean: wp.array3d[float],
    grad: wp.array[wp.mat33],
    grad_corners: wp.array2d[float],
):
    """Gradients of one triangle from the pixels of one cell.

    ``rates`` is the gradient of the mixture; ``mean`` is the sum over faces and background of weight times
    (gradient . colour). ``grad_corners``, for colours at corners, comes in as 0.
    """
    pair = first + wp.tid()
    i = pair_triangle[pair]
    f = facet(rules, triangles[i])
    row = rows[i]
    channels = rules.channels
    margin = wp.vec2(rules.reach, rules.reach)
    low = f.low - margin
    high = f.high + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    sums = wp.mat33()
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                b = edge_functions(f.t, x, y) * f.inverse_area
                if x >= low[0] and x <= high[0] and may_see(f, b):
                    s = surface(f, b)
                    best = nearest[w.image, r, c]
                    if may_show(rules, f, s, best):
                        v = look(rules, f, b, x, y)
                        if v.seen:
                            cover = sigmoid(v.closeness)
                            p = cover * wp.exp((best - s.depth) * rules.rate) / total[w.image, r, c]
                            u = color_weights(rules, f, s)
                            du = wp.vec3()
                            color = float(0.0)  # gradient . colour
                            if rules.side == 0:
                                for d in range(channels):
                                    g = rates[w.image, r, c, d]
                                    du += g * wp.vec3(
                                        table[row, d], table[row, channels + d], table[row, 2 * channels + d]
                                    )
                                    grad_corners[pair, d] += u[0] * p * g
                                    grad_corners[pair, channels + d] += u[1] * p * g
                                    grad_corners[pair, 2 * channels + d] += u[2] * p * g
                                color = wp.dot(u, du)
                            else:
                                k = texel(u, rules.side) * channels
                                for d in range(channels):
                                    color += rates[w.image, r, c, d] * table[row, k + d]
                            change = p * (color - mean[w.image, r, c])  # gradient of log(p)
                            # of share / z, whose sum is 1 / depth and whose parts by it are u
                            k_depth = s.depth * s.depth * rules.rate * change
                            across = wp.vec3(k_depth, k_depth, k_depth)
                            du = p * du
                            if rules.perspective == 1 and rules.through_weights == 1:
                                inner = wp.dot(u, du)
                                across += s.depth * (du - wp.vec3(inner, inner, inner))
                            dz = -wp.cw_mul(wp.cw_mul(across, s.share), wp.cw_mul(f.inverse_z, f.inverse_z))
                            sums += wp.mat33(0.0, 0.0, dz[0], 0.0, 0.0, dz[1], 0.0, 0.0, dz[2])
                            g_close = change * (1.0 - cover)
                            g_weights = wp.vec3()
                            if rules.through_weights == 1:
                                g_weights = surface_backward(rules, f, s, b, du, across)
                            if rules.distance == EUCLIDEAN:
                                sums += closeness_backward(rules, v, g_close)
                            elif rules.distance == BARYCENTRIC:
                                g_weights += least_backward(rules, b, g_close)
                            if rules.through_weights == 1 or rules.distance == BARYCENTRIC:
                                sums += weights_backward(f, x, y, b, g_weights)
    grad[pair] = sums


@wp.func
def weight(
    rules: Rules, f: Facet, b: wp.vec3, s: Surface, x: float, y: float, nearest: float, total: float
) -> float:
    """What a triangle has in the mixture of a pixel."""
    p = float(0.0)
    if may_show(rules, f, s, nearest):
        v = look(rules, f, b, x, y)
        if v.seen:
            p = sigmoid(v.closeness) * wp.exp((nearest - s.depth) * rules.rate) / total
    return p


@wp.kernel(enable_backward=False)
def textures_backward(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    order: wp.array[int],
    row_starts: wp.array[int],
    starts: wp.array[int],
    pair_cell: wp.array[int],
    nearest: wp.array3d[float],
    total: wp.array3d[float],
    rates: wp.array4d[float],
    grad: wp.array2d[float],
):
    """Gradient of one row of a table of grids, which comes in as 0, from all triangles that show it."""
    row = first + wp.tid()
    margin = wp.vec2(rules.reach, rules.reach)
    for place in range(row_starts[row], row_starts[row + 1]):
        i = order[place]
        f = facet(rules, triangles[i])
        low = f.low - margin
        high = f.high + margin
        for pair in range(starts[i], starts[i + 1]):
            w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
            for r in range(w.y0, w.y1):
                y = pixel_y(screen, r)
                if y >= low[1] and y <= high[1]:
                    for c in range(w.x0, w.x1):
                        x = pixel_x(screen, c)
                        b = edge_functions(f.t, x, y) * f.inverse_area
                        if x >= low[0] and x <= high[0] and may_see(f, b):
                            s = surface(f, b)
                            p = weight(rules, f, b, s, x, y, nearest[w.image, r, c], total[w.image, r, c])
                            if p > 0.0:
                                k = texel(color_weights(rules, f, s), rules.side) * rules.channels
                                for d in range(rules.channels):
                                    grad[row, k + d] += p * rates[w.image, r, c, d]


@wp.kernel(enable_backward=False)
def list_contributions(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    nearest: wp.array3d[float],
    total: wp.array3d[float],
    only_count: int,
    counts: wp.array[wp.int64],
    pixel: wp.array[wp.int64],
    triangle: wp.array[wp.int64],
):
    """The pixels of a cell in whose mixture a triangle has a weight: how many, then which.

    ``counts`` takes their number, or names their first entry in ``pixel`` and ``triangle``.
    """
    pair = first + wp.tid()
    i = pair_triangle[pair]
    f = facet(rules, triangles[i])
    margin = wp.vec2(rules.reach, rules.reach)
    low = f.low - margin
    high = f.high + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    entry = wp.int64(0)
    if only_count == 0:
        entry = counts[pair]
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            row = (wp.int64(w.image) * wp.int64(screen.height) + wp.int64(r)) * wp.int64(screen.width)
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                b = edge_functions(f.t, x, y) * f.inverse_area
                if x >= low[0] and x <= high[0] and may_see(f, b):
                    s = surface(f, b)
                    if weight(rules, f, b, s, x, y, nearest[w.image, r, c], total[w.image, r, c]) > 0.0:
                        if only_count == 0:
                            pixel[entry] = row + wp.int64(c)
                            triangle[entry] = wp.int64(i)
                        entry += wp.int64(1)
    if only_count == 1:
        counts[pair] = entry
