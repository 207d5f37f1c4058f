"""Kernels of the Soft Rasterizer."""

import warp as wp

from ..triangle import (
    Screen,
    box_high,
    box_low,
    edge_functions,
    edge_functions_backward,
    inverse_squared_lengths,
    nearest_on_boundary,
    pixel_x,
    pixel_y,
    shrink,
    window_of_block,
    window_of_cell,
)

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

TINY = wp.constant(1.1754943508222875e-38)


@wp.struct
class Rules:
    """An ``Aggregation``, and how the table of colours is laid out."""

    distance: int  # 0 euclidean, 1 barycentric, 2 hard
    alpha: int  # 0 prod, 1 sum, 2 hard
    sigma: float
    cutoff: float
    reach: float
    rate: float
    behind: float
    near: float
    far: float
    perspective: int
    through_weights: int
    channels: int
    side: int  # of a grid of colours on each face; 0 for colours at corners


@wp.struct
class Fragment:
    """What a pixel sees of a triangle."""

    seen: int
    closeness: float  # x of D = sigmoid(x)
    cover: float  # D
    w: wp.vec3  # barycentric weights


@wp.func
def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + wp.exp(-x))


@wp.func
def look(rules: Rules, t: wp.mat33, inverse: wp.vec3, x: float, y: float) -> Fragment:
    f = Fragment()
    e = edge_functions(t, x, y)
    area = e[0] + e[1] + e[2]
    if wp.abs(area) > TINY:
        f.w = wp.vec3(e[0] / area, e[1] / area, e[2] / area)
        least = wp.min(f.w[0], wp.min(f.w[1], f.w[2]))
        if rules.distance == 0:
            near = nearest_on_boundary(t, inverse, x, y)
            if least >= 0.0:
                f.closeness = near.square / rules.sigma
                f.seen = 1
            elif near.square < rules.cutoff:
                f.closeness = -near.square / rules.sigma
                f.seen = 1
            if f.seen == 1:
                f.cover = sigmoid(f.closeness)
        elif rules.distance == 1:
            signed = least * wp.abs(least)
            if -signed < rules.cutoff:
                f.closeness = signed / rules.sigma
                f.cover = sigmoid(f.closeness)
                f.seen = 1
        elif least >= 0.0:
            f.closeness = 1.0e30
            f.cover = 1.0
            f.seen = 1
    return f


@wp.func
def clipped(w: wp.vec3) -> wp.vec3:
    c = wp.vec3(
        wp.min(wp.max(w[0], 0.0), 1.0), wp.min(wp.max(w[1], 0.0), 1.0), wp.min(wp.max(w[2], 0.0), 1.0)
    )
    return c / (c[0] + c[1] + c[2])


@wp.func
def depth_of(t: wp.mat33, c: wp.vec3) -> float:
    return 1.0 / (c[0] / t[0, 2] + c[1] / t[1, 2] + c[2] / t[2, 2])


@wp.func
def color_weights(rules: Rules, t: wp.mat33, c: wp.vec3, depth: float) -> wp.vec3:
    u = c
    if rules.perspective == 1:
        u = wp.vec3(c[0] / t[0, 2] * depth, c[1] / t[1, 2] * depth, c[2] / t[2, 2] * depth)
    return u


@wp.func
def texel(u: wp.vec3, side: int) -> int:
    """Index in a row-major side x side grid, as ``texels.face_texel``."""
    a = u[0] * float(side)
    b = u[1] * float(side)
    cx = wp.clamp(int(wp.floor(a)), 0, side - 1)
    cy = wp.min(wp.max(int(wp.floor(b)), 0), side - 1 - cx)
    column = cx
    row = cy
    if a + b - float(cx) - float(cy) > 1.0 and cx + cy < side - 1:
        column = side - 1 - cx
        row = side - 1 - cy
    return row * side + column


@wp.kernel(enable_backward=False)
def silhouette(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    listed: wp.array[int],
    starts: wp.array[int],
    state: wp.array3d[float],
):
    """``state`` comes in as 1 for prod and leaves as prod(1 - D), else as 0 and leaves as sum or maximum."""
    thread = first + wp.tid()
    w = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    margin = wp.vec2(rules.reach, rules.reach)
    for entry in range(starts[cell], starts[cell + 1]):
        t = triangles[listed[entry]]
        inverse = inverse_squared_lengths(t)
        low = box_low(t) - margin
        high = box_high(t) + margin
        part = shrink(screen, w, low, high)
        for r in range(part.y0, part.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y <= high[1]:
                for c in range(part.x0, part.x1):
                    x = pixel_x(screen, c)
                    if x >= low[0] and x <= high[0]:
                        f = look(rules, t, inverse, x, y)
                        if f.seen == 1:
                            if rules.alpha == 0:
                                # 1 - D = sigmoid(-x), without its cancellation
                                state[w.image, r, c] = state[w.image, r, c] * sigmoid(-f.closeness)
                            elif rules.alpha == 1:
                                state[w.image, r, c] = state[w.image, r, c] + f.cover
                            elif f.cover > 0.5:
                                state[w.image, r, c] = 1.0


@wp.func
def distance_backward(
    rules: Rules, t: wp.mat33, inverse: wp.vec3, x: float, y: float, f: Fragment, g: float
) -> wp.mat33:
    """Gradient of the triangle from the gradient ``g`` of x in D = sigmoid(x), by euclidean distance."""
    near = nearest_on_boundary(t, inverse, x, y)
    k = -2.0 * g / rules.sigma
    if wp.min(f.w[0], wp.min(f.w[1], f.w[2])) < 0.0:
        k = -k
    gx = k * near.dx
    gy = k * near.dy
    b = near.along
    a = 1.0 - b
    m = wp.mat33(b * gx, b * gy, 0.0, 0.0, 0.0, 0.0, a * gx, a * gy, 0.0)
    if near.edge == 0:
        m = wp.mat33(a * gx, a * gy, 0.0, b * gx, b * gy, 0.0, 0.0, 0.0, 0.0)
    elif near.edge == 1:
        m = wp.mat33(0.0, 0.0, 0.0, a * gx, a * gy, 0.0, b * gx, b * gy, 0.0)
    return m


@wp.func
def least_backward(rules: Rules, w: wp.vec3, g: float) -> wp.vec3:
    """Gradient of the weights from the gradient ``g`` of x in D = sigmoid(x), by barycentric distance."""
    d = wp.vec3(0.0, 0.0, 0.0)
    if w[0] <= w[1] and w[0] <= w[2]:
        d = wp.vec3(2.0 * wp.abs(w[0]) * g / rules.sigma, 0.0, 0.0)
    elif w[1] <= w[2]:
        d = wp.vec3(0.0, 2.0 * wp.abs(w[1]) * g / rules.sigma, 0.0)
    else:
        d = wp.vec3(0.0, 0.0, 2.0 * wp.abs(w[2]) * g / rules.sigma)
    return d


@wp.func
def weights_backward(t: wp.mat33, x: float, y: float, w: wp.vec3, dw: wp.vec3) -> wp.mat33:
    """Gradient of the triangle from that of its barycentric weights."""
    e = edge_functions(t, x, y)
    area = e[0] + e[1] + e[2]
    mean = w[0] * dw[0] + w[1] * dw[1] + w[2] * dw[2]
    return edge_functions_backward(
        t, x, y, wp.vec3((dw[0] - mean) / area, (dw[1] - mean) / area, (dw[2] - mean) / area)
    )


@wp.kernel(enable_backward=False)
def silhouette_backward(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    slope: wp.array3d[float],
    grad: wp.array[wp.mat33],
):
    """``slope`` is grad(alpha) prod(1 - D) for prod, and grad(alpha) / number of faces for sum."""
    pair = first + wp.tid()
    t = triangles[pair_triangle[pair]]
    inverse = inverse_squared_lengths(t)
    margin = wp.vec2(rules.reach, rules.reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    total = wp.mat33()
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                s = slope[w.image, r, c]
                if x >= low[0] and x <= high[0] and s != 0.0:
                    f = look(rules, t, inverse, x, y)
                    if f.seen == 1:
                        g = s * f.cover
                        if rules.alpha == 1:
                            g = g * (1.0 - f.cover)
                        if rules.distance == 0:
                            total += distance_backward(rules, t, inverse, x, y, f, g)
                        else:
                            total += weights_backward(t, x, y, f.w, least_backward(rules, f.w, g))
    grad[pair] = total


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
    """One pass over the faces of each block with a running maximum.

    ``nearest`` comes in as the background's depth, ``total`` as 1, its strength there, ``values`` as 0. The
    mixture is ``values / total``.
    """
    thread = first + wp.tid()
    w = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    margin = wp.vec2(rules.reach, rules.reach)
    channels = rules.channels
    for entry in range(starts[cell], starts[cell + 1]):
        i = listed[entry]
        t = triangles[i]
        row = rows[i]
        inverse = inverse_squared_lengths(t)
        low = box_low(t) - margin
        high = box_high(t) + margin
        part = shrink(screen, w, low, high)
        for r in range(part.y0, part.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y <= high[1]:
                for c in range(part.x0, part.x1):
                    x = pixel_x(screen, c)
                    if x >= low[0] and x <= high[0]:
                        f = look(rules, t, inverse, x, y)
                        if f.seen == 1:
                            b = clipped(f.w)
                            z = depth_of(t, b)
                            if z >= rules.near and z <= rules.far:
                                best = nearest[w.image, r, c]
                                if z < best:
                                    fade = wp.exp((z - best) * rules.rate)
                                    total[w.image, r, c] = total[w.image, r, c] * fade
                                    for d in range(channels):
                                        values[w.image, r, c, d] = values[w.image, r, c, d] * fade
                                    nearest[w.image, r, c] = z
                                    best = z
                                p = f.cover * wp.exp((best - z) * rules.rate)
                                if p > 0.0:
                                    total[w.image, r, c] = total[w.image, r, c] + p
                                    u = color_weights(rules, t, b, z)
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
    (gradient . colour). ``grad_corners`` is for colours at corners.
    """
    pair = first + wp.tid()
    i = pair_triangle[pair]
    t = triangles[i]
    row = rows[i]
    channels = rules.channels
    inverse = inverse_squared_lengths(t)
    margin = wp.vec2(rules.reach, rules.reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    sums = wp.mat33()
    if rules.side == 0:
        for d in range(3 * channels):
            grad_corners[pair, d] = 0.0
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                if x >= low[0] and x <= high[0]:
                    f = look(rules, t, inverse, x, y)
                    if f.seen == 1:
                        b = clipped(f.w)
                        z = depth_of(t, b)
                        if z >= rules.near and z <= rules.far:
                            p = (
                                f.cover
                                * wp.exp((nearest[w.image, r, c] - z) * rules.rate)
                                / total[w.image, r, c]
                            )
                            if p > 0.0:
                                u = color_weights(rules, t, b, z)
                                du = wp.vec3(0.0, 0.0, 0.0)
                                seen = float(0.0)
                                if rules.side == 0:
                                    for d in range(channels):
                                        g = rates[w.image, r, c, d]
                                        du += wp.vec3(
                                            g * table[row, d],
                                            g * table[row, channels + d],
                                            g * table[row, 2 * channels + d],
                                        )
                                        pg = p * g
                                        grad_corners[pair, d] = grad_corners[pair, d] + u[0] * pg
                                        grad_corners[pair, channels + d] = (
                                            grad_corners[pair, channels + d] + u[1] * pg
                                        )
                                        grad_corners[pair, 2 * channels + d] = (
                                            grad_corners[pair, 2 * channels + d] + u[2] * pg
                                        )
                                    seen = u[0] * du[0] + u[1] * du[1] + u[2] * du[2]
                                else:
                                    k = texel(u, rules.side) * channels
                                    for d in range(channels):
                                        seen += rates[w.image, r, c, d] * table[row, k + d]
                                du = p * du
                                change = p * (seen - mean[w.image, r, c])  # of log(weight)
                                dz = -change * rules.rate
                                # weights b / z of the corners, whose inverse sum is the depth z
                                flow = wp.vec3(0.0, 0.0, 0.0)
                                if rules.perspective == 1 and rules.through_weights == 1:
                                    inner = u[0] * du[0] + u[1] * du[1] + u[2] * du[2]
                                    flow = wp.vec3(
                                        z * (du[0] - inner), z * (du[1] - inner), z * (du[2] - inner)
                                    )
                                across = -z * z * dz
                                flow = flow + wp.vec3(across, across, across)
                                sums += wp.mat33(
                                    0.0,
                                    0.0,
                                    -flow[0] * b[0] / (t[0, 2] * t[0, 2]),
                                    0.0,
                                    0.0,
                                    -flow[1] * b[1] / (t[1, 2] * t[1, 2]),
                                    0.0,
                                    0.0,
                                    -flow[2] * b[2] / (t[2, 2] * t[2, 2]),
                                )
                                dw = wp.vec3(0.0, 0.0, 0.0)
                                if rules.through_weights == 1:
                                    db = wp.vec3(flow[0] / t[0, 2], flow[1] / t[1, 2], flow[2] / t[2, 2])
                                    if rules.perspective == 0:
                                        db += du
                                    scale = wp.vec3(
                                        wp.min(wp.max(f.w[0], 0.0), 1.0),
                                        wp.min(wp.max(f.w[1], 0.0), 1.0),
                                        wp.min(wp.max(f.w[2], 0.0), 1.0),
                                    )
                                    norm = scale[0] + scale[1] + scale[2]
                                    inner = b[0] * db[0] + b[1] * db[1] + b[2] * db[2]
                                    d0 = float(0.0)
                                    d1 = float(0.0)
                                    d2 = float(0.0)
                                    if f.w[0] >= 0.0 and f.w[0] <= 1.0:
                                        d0 = (db[0] - inner) / norm
                                    if f.w[1] >= 0.0 and f.w[1] <= 1.0:
                                        d1 = (db[1] - inner) / norm
                                    if f.w[2] >= 0.0 and f.w[2] <= 1.0:
                                        d2 = (db[2] - inner) / norm
                                    dw = wp.vec3(d0, d1, d2)
                                dx = change * (1.0 - f.cover)
                                if rules.distance == 0:
                                    if dx != 0.0:
                                        sums += distance_backward(rules, t, inverse, x, y, f, dx)
                                elif rules.distance == 1:
                                    dw += least_backward(rules, f.w, dx)
                                if dw[0] != 0.0 or dw[1] != 0.0 or dw[2] != 0.0:
                                    sums += weights_backward(t, x, y, f.w, dw)
    grad[pair] = sums


@wp.func
def weight_at(rules: Rules, t: wp.mat33, f: Fragment, b: wp.vec3, nearest: float, total: float) -> float:
    p = float(0.0)
    z = depth_of(t, b)
    if z >= rules.near and z <= rules.far:
        p = f.cover * wp.exp((nearest - z) * rules.rate) / total
    return p


@wp.kernel(enable_backward=False)
def grids_backward(
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
        t = triangles[i]
        inverse = inverse_squared_lengths(t)
        low = box_low(t) - margin
        high = box_high(t) + margin
        for pair in range(starts[i], starts[i + 1]):
            w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
            for r in range(w.y0, w.y1):
                y = pixel_y(screen, r)
                if y >= low[1] and y <= high[1]:
                    for c in range(w.x0, w.x1):
                        x = pixel_x(screen, c)
                        if x >= low[0] and x <= high[0]:
                            f = look(rules, t, inverse, x, y)
                            if f.seen == 1:
                                b = clipped(f.w)
                                p = weight_at(rules, t, f, b, nearest[w.image, r, c], total[w.image, r, c])
                                if p > 0.0:
                                    u = color_weights(rules, t, b, depth_of(t, b))
                                    k = texel(u, rules.side) * rules.channels
                                    for d in range(rules.channels):
                                        grad[row, k + d] = grad[row, k + d] + p * rates[w.image, r, c, d]


@wp.kernel(enable_backward=False)
def count_contributions(
    first: int,
    screen: Screen,
    rules: Rules,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    nearest: wp.array3d[float],
    total: wp.array3d[float],
    counts: wp.array[int],
):
    """Pixels of a cell in whose mixture the triangle has a weight."""
    pair = first + wp.tid()
    t = triangles[pair_triangle[pair]]
    inverse = inverse_squared_lengths(t)
    margin = wp.vec2(rules.reach, rules.reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    count = int(0)
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                if x >= low[0] and x <= high[0]:
                    f = look(rules, t, inverse, x, y)
                    if f.seen == 1:
                        b = clipped(f.w)
                        if weight_at(rules, t, f, b, nearest[w.image, r, c], total[w.image, r, c]) > 0.0:
                            count += 1
    counts[pair] = count


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
    starts: wp.array[wp.int64],
    pixel: wp.array[wp.int64],
    triangle: wp.array[wp.int64],
):
    """The same pixels, from entry ``starts[pair]`` on."""
    pair = first + wp.tid()
    i = pair_triangle[pair]
    t = triangles[i]
    inverse = inverse_squared_lengths(t)
    margin = wp.vec2(rules.reach, rules.reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    entry = starts[pair]
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                if x >= low[0] and x <= high[0]:
                    f = look(rules, t, inverse, x, y)
                    if f.seen == 1:
                        b = clipped(f.w)
                        if weight_at(rules, t, f, b, nearest[w.image, r, c], total[w.image, r, c]) > 0.0:
                            row = wp.int64(w.image) * wp.int64(screen.height) + wp.int64(r)
                            pixel[entry] = row * wp.int64(screen.width) + wp.int64(c)
                            triangle[entry] = wp.int64(i)
                            entry += wp.int64(1)
