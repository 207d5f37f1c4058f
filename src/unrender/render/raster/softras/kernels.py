"""Kernels of the Soft Rasterizer: what a pixel sees of a triangle, and silhouettes."""

import warp as wp

from ..triangle import (
    Nearest,
    Screen,
    box_high,
    box_low,
    edge_functions,
    edge_functions_backward,
    inverse_squared_lengths,
    nearest_on_boundary,
    nearest_on_boundary_backward,
    pixel_x,
    pixel_y,
    shrink,
    window_of_block,
    window_of_cell,
)

wp.set_module_options({"enable_backward": False, "fuse_fp": False})

EUCLIDEAN = wp.constant(0)
BARYCENTRIC = wp.constant(1)
HARD = wp.constant(2)
PROD = wp.constant(0)
SUM = wp.constant(1)
LEAST_AREA = wp.constant(1.0e-30)  # as in the reference
NOTHING = wp.constant(-104.0)  # exp of less is 0 in float32


@wp.struct
class Rules:
    """An ``Aggregation``, and how the table of colours is laid out."""

    distance: int  # EUCLIDEAN, BARYCENTRIC or HARD
    alpha: int  # PROD, SUM or HARD
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
class Facet:
    """A triangle, and what all pixels need to know of it."""

    t: wp.mat33
    low: wp.vec2  # its box on the screen
    high: wp.vec2
    inverse_area: float  # 1 / twice the signed area; 0 if there is none
    inverse_lengths: wp.vec3  # squared
    inverse_z: wp.vec3
    floor: wp.vec3  # pixels whose weights are less are out of reach


@wp.struct
class Fragment:
    """How closely a pixel sees a triangle."""

    seen: bool
    closeness: float  # x of D = sigmoid(x)
    near: Nearest  # for EUCLIDEAN alone


@wp.struct
class Surface:
    """The point of a triangle that a pixel shows."""

    share: wp.vec3  # barycentric weights, clipped to the triangle
    norm: float  # their sum before it was made 1
    depth: float


@wp.func
def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + wp.exp(-x))


@wp.func
def facet(rules: Rules, t: wp.mat33) -> Facet:
    f = Facet()
    f.t = t
    f.low = box_low(t)
    f.high = box_high(t)
    f.inverse_lengths = inverse_squared_lengths(t)
    f.inverse_z = wp.vec3(1.0 / t[0, 2], 1.0 / t[1, 2], 1.0 / t[2, 2])
    e = edge_functions(t, t[0, 0], t[0, 1])
    area = e[0] + e[1] + e[2]
    if wp.abs(area) > LEAST_AREA:
        f.inverse_area = 1.0 / area
    if rules.distance == EUCLIDEAN:
        # A pixel farther than this from the line of an edge is farther from the triangle. The rest allows for
        # rounding of the edge functions.
        size = f.high - f.low + 2.0 * wp.vec2(rules.reach, rules.reach)
        rest = 1.0e-6 * wp.dot(size, size)
        scale = -wp.abs(f.inverse_area)
        i = f.inverse_lengths
        f.floor = wp.vec3(
            scale * (rest + wp.where(i[1] > 0.0, rules.reach / wp.sqrt(i[1]), 0.0)),
            scale * (rest + wp.where(i[2] > 0.0, rules.reach / wp.sqrt(i[2]), 0.0)),
            scale * (rest + wp.where(i[0] > 0.0, rules.reach / wp.sqrt(i[0]), 0.0)),
        )
    elif rules.distance == BARYCENTRIC:
        least = -wp.sqrt(rules.cutoff)
        f.floor = wp.vec3(least, least, least)
    return f


@wp.func
def least_of(b: wp.vec3) -> float:
    return wp.min(b[0], wp.min(b[1], b[2]))


@wp.func
def may_see(f: Facet, b: wp.vec3) -> bool:
    """Whether the weights leave it open that the pixel sees the triangle."""
    return b[0] >= f.floor[0] and b[1] >= f.floor[1] and b[2] >= f.floor[2]


@wp.func
def look(rules: Rules, f: Facet, b: wp.vec3, x: float, y: float) -> Fragment:
    v = Fragment()
    inside = bool(False)
    if f.inverse_area != 0.0 and least_of(b) >= 0.0:
        # of a needle, rounding may put a pixel inside that lies beyond its ends
        inside = x >= f.low[0] and x <= f.high[0] and y >= f.low[1] and y <= f.high[1]
    if rules.distance == EUCLIDEAN:
        v.near = nearest_on_boundary(f.t, f.inverse_lengths, x, y)
        v.closeness = v.near.square / rules.sigma
        v.seen = True
        if not inside:
            v.closeness = -v.closeness
            v.seen = v.near.square < rules.cutoff
    elif rules.distance == BARYCENTRIC:
        least = least_of(b)
        signed = least * wp.abs(least)
        v.closeness = signed / rules.sigma
        v.seen = f.inverse_area != 0.0 and -signed < rules.cutoff
    else:
        v.closeness = wp.inf
        v.seen = inside
    return v


@wp.func
def surface(f: Facet, b: wp.vec3) -> Surface:
    s = Surface()
    c = wp.vec3(
        wp.min(wp.max(b[0], 0.0), 1.0), wp.min(wp.max(b[1], 0.0), 1.0), wp.min(wp.max(b[2], 0.0), 1.0)
    )
    s.norm = wp.max(c[0] + c[1] + c[2], 1.0e-5)
    s.share = c / s.norm
    s.depth = 1.0 / wp.dot(s.share, f.inverse_z)
    return s


@wp.func
def may_show(rules: Rules, f: Facet, s: Surface, nearest: float) -> bool:
    """Whether a surface has a colour in a mixture whose nearest depth is this; NaN fails."""
    ranged = f.inverse_area != 0.0 and s.depth >= rules.near and s.depth <= rules.far
    return ranged and (nearest - s.depth) * rules.rate > NOTHING


@wp.func
def color_weights(rules: Rules, f: Facet, s: Surface) -> wp.vec3:
    u = s.share
    if rules.perspective == 1:
        u = wp.cw_mul(s.share, f.inverse_z) * s.depth
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


@wp.func
def closeness_backward(rules: Rules, v: Fragment, g: float) -> wp.mat33:
    """Gradient of the triangle from that of ``closeness``, for EUCLIDEAN."""
    return nearest_on_boundary_backward(v.near, wp.where(v.closeness > 0.0, g, -g) / rules.sigma)


@wp.func
def least_backward(rules: Rules, b: wp.vec3, g: float) -> wp.vec3:
    """Gradient of the weights from that of ``closeness``, for BARYCENTRIC."""
    k = 2.0 * wp.abs(least_of(b)) * g / rules.sigma
    d = wp.vec3(0.0, 0.0, k)
    if b[0] <= b[1] and b[0] <= b[2]:
        d = wp.vec3(k, 0.0, 0.0)
    elif b[1] <= b[2]:
        d = wp.vec3(0.0, k, 0.0)
    return d


@wp.func
def surface_backward(rules: Rules, f: Facet, s: Surface, b: wp.vec3, du: wp.vec3, across: wp.vec3) -> wp.vec3:
    """Gradient of ``b`` from that of the colours' weights, ``du``, and that of share / z, ``across``."""
    g = wp.cw_mul(across, f.inverse_z)
    if rules.perspective == 0:
        g += du
    mean = wp.dot(g, s.share)
    return wp.vec3(
        wp.where(b[0] >= 0.0 and b[0] <= 1.0, (g[0] - mean) / s.norm, 0.0),
        wp.where(b[1] >= 0.0 and b[1] <= 1.0, (g[1] - mean) / s.norm, 0.0),
        wp.where(b[2] >= 0.0 and b[2] <= 1.0, (g[2] - mean) / s.norm, 0.0),
    )


@wp.func
def share_of_mean(b: float, g: float) -> float:
    return wp.where(g != 0.0, b * g, 0.0)  # b may be infinite where g is 0


@wp.func
def weights_backward(f: Facet, x: float, y: float, b: wp.vec3, g: wp.vec3) -> wp.mat33:
    """Gradient of the triangle from that of its barycentric weights."""
    mean = share_of_mean(b[0], g[0]) + share_of_mean(b[1], g[1]) + share_of_mean(b[2], g[2])
    return edge_functions_backward(f.t, x, y, (g - wp.vec3(mean, mean, mean)) * f.inverse_area)


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
    """``state`` comes in as 1 for PROD and leaves as prod(1 - D), else as 0 and leaves as sum or maximum."""
    thread = first + wp.tid()
    block = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    margin = wp.vec2(rules.reach, rules.reach)
    done = wp.where(rules.alpha == PROD, 0.0, wp.where(rules.alpha == SUM, -1.0, 1.0))
    for entry in range(starts[cell], starts[cell + 1]):
        f = facet(rules, triangles[listed[entry]])
        low = f.low - margin
        high = f.high + margin
        w = shrink(screen, block, low, high)
        for r in range(w.y0, w.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y <= high[1]:
                for c in range(w.x0, w.x1):
                    x = pixel_x(screen, c)
                    before = state[w.image, r, c]
                    if x >= low[0] and x <= high[0] and before != done:
                        b = edge_functions(f.t, x, y) * f.inverse_area
                        if may_see(f, b):
                            v = look(rules, f, b, x, y)
                            if v.seen:
                                if rules.alpha == PROD:
                                    # 1 - D = sigmoid(-x), without its cancellation
                                    state[w.image, r, c] = before * sigmoid(-v.closeness)
                                elif rules.alpha == SUM:
                                    state[w.image, r, c] = before + sigmoid(v.closeness)
                                elif v.closeness > 0.0:
                                    state[w.image, r, c] = 1.0


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
    """``slope`` is grad(alpha) prod(1 - D) for PROD, and the gradient of the sum for SUM."""
    pair = first + wp.tid()
    f = facet(rules, triangles[pair_triangle[pair]])
    margin = wp.vec2(rules.reach, rules.reach)
    low = f.low - margin
    high = f.high + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    total = wp.mat33()
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y <= high[1]:
            for c in range(w.x0, w.x1):
                x = pixel_x(screen, c)
                s = slope[w.image, r, c]
                if x >= low[0] and x <= high[0] and s != 0.0:
                    b = edge_functions(f.t, x, y) * f.inverse_area
                    if may_see(f, b):
                        v = look(rules, f, b, x, y)
                        if v.seen:
                            cover = sigmoid(v.closeness)
                            g = s * cover
                            if rules.alpha == SUM:
                                g = g * (1.0 - cover)
                            if rules.distance == EUCLIDEAN:
                                total += closeness_backward(rules, v, g)
                            else:
                                total += weights_backward(f, x, y, b, least_backward(rules, b, g))
    grad[pair] = total
