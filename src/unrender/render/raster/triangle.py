"""Warp functions that every rasterizer shares: the pixel grid, edge functions, point-to-triangle distance."""

import warp as wp


@wp.struct
class Screen:
    """The pixel grid (see ``grid.Grid``) and how it is cut into cells."""

    width: int
    height: int
    step_x: float
    step_y: float
    cell: int  # side of a cell of pixels
    columns: int  # cells in a row of a picture
    rows: int
    block: int  # side of the part of a cell that one thread draws


@wp.struct
class Window:
    """A rectangle of pixels of one picture: columns x0 <= c < x1, rows y0 <= r < y1."""

    image: int
    x0: int
    y0: int
    x1: int
    y1: int


@wp.func
def pixel_x(screen: Screen, column: int) -> float:
    return screen.step_x * float(2 * column + 1 - screen.width)


@wp.func
def pixel_y(screen: Screen, row: int) -> float:
    return screen.step_y * float(2 * row + 1 - screen.height)


@wp.func
def window_of_block(screen: Screen, thread: int) -> Window:
    """Pixels of the thread-th block, where the blocks of a cell follow each other."""
    side = screen.cell / screen.block
    cell = thread / (side * side)
    block = thread - cell * side * side
    image = cell / (screen.columns * screen.rows)
    place = cell - image * screen.columns * screen.rows
    row = place / screen.columns
    w = Window()
    w.image = image
    w.x0 = (place - row * screen.columns) * screen.cell + (block % side) * screen.block
    w.y0 = row * screen.cell + (block / side) * screen.block
    w.x1 = wp.min(w.x0 + screen.block, screen.width)
    w.y1 = wp.min(w.y0 + screen.block, screen.height)
    return w


@wp.func
def window_of_cell(screen: Screen, cell: int) -> Window:
    image = cell / (screen.columns * screen.rows)
    place = cell - image * screen.columns * screen.rows
    row = place / screen.columns
    w = Window()
    w.image = image
    w.x0 = (place - row * screen.columns) * screen.cell
    w.y0 = row * screen.cell
    w.x1 = wp.min(w.x0 + screen.cell, screen.width)
    w.y1 = wp.min(w.y0 + screen.cell, screen.height)
    return w


@wp.func
def shrink(screen: Screen, w: Window, low: wp.vec2, high: wp.vec2) -> Window:
    """The part of a window that may touch a box in screen coordinates, generous by up to a pixel."""
    a = (low[0] / screen.step_x + float(screen.width - 1)) * 0.5
    b = (high[0] / screen.step_x + float(screen.width - 1)) * 0.5
    c = (low[1] / screen.step_y + float(screen.height - 1)) * 0.5
    d = (high[1] / screen.step_y + float(screen.height - 1)) * 0.5
    # clamp before the conversion: an int cannot hold the coordinates of a huge triangle
    x0 = wp.clamp(wp.floor(wp.min(a, b)), 0.0, float(screen.width))
    x1 = wp.clamp(wp.ceil(wp.max(a, b)) + 1.0, 0.0, float(screen.width))
    y0 = wp.clamp(wp.floor(wp.min(c, d)), 0.0, float(screen.height))
    y1 = wp.clamp(wp.ceil(wp.max(c, d)) + 1.0, 0.0, float(screen.height))
    w.x0 = wp.max(w.x0, int(x0))
    w.x1 = wp.min(w.x1, int(x1))
    w.y0 = wp.max(w.y0, int(y0))
    w.y1 = wp.min(w.y1, int(y1))
    return w


@wp.func
def box_low(t: wp.mat33) -> wp.vec2:
    return wp.vec2(wp.min(t[0, 0], wp.min(t[1, 0], t[2, 0])), wp.min(t[0, 1], wp.min(t[1, 1], t[2, 1])))


@wp.func
def box_high(t: wp.mat33) -> wp.vec2:
    return wp.vec2(wp.max(t[0, 0], wp.max(t[1, 0], t[2, 0])), wp.max(t[0, 1], wp.max(t[1, 1], t[2, 1])))


@wp.func
def edge_functions(t: wp.mat33, x: float, y: float) -> wp.vec3:
    """Twice the signed areas of the triangles that (x, y) spans with each edge.

    Neighbours that share an edge get exactly opposite values there, so no pixel falls between them;
    this needs products that are rounded alike, hence ``fuse_fp`` is off in the kernels.
    """
    ax = t[0, 0] - x
    ay = t[0, 1] - y
    bx = t[1, 0] - x
    by = t[1, 1] - y
    cx = t[2, 0] - x
    cy = t[2, 1] - y
    return wp.vec3(bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx)


@wp.func
def edge_functions_backward(t: wp.mat33, x: float, y: float, g: wp.vec3) -> wp.mat33:
    """Gradient of the vertices (columns 0 and 1) from the gradient ``g`` of :func:`edge_functions`."""
    ax = t[0, 0] - x
    ay = t[0, 1] - y
    bx = t[1, 0] - x
    by = t[1, 1] - y
    cx = t[2, 0] - x
    cy = t[2, 1] - y
    return wp.mat33(
        g[2] * by - g[1] * cy,
        g[1] * cx - g[2] * bx,
        0.0,
        g[0] * cy - g[2] * ay,
        g[2] * ax - g[0] * cx,
        0.0,
        g[1] * ay - g[0] * by,
        g[0] * bx - g[1] * ax,
        0.0,
    )


@wp.struct
class Nearest:
    """The point of a triangle's boundary that is nearest to a pixel."""

    square: float  # squared distance
    edge: int  # it lies between vertex `edge` and the next one,
    along: float  # this far along, from 0 to 1
    dx: float  # pixel minus point
    dy: float


@wp.func
def _inverse_square(ux: float, uy: float) -> float:
    square = ux * ux + uy * uy
    return wp.where(square > 0.0, 1.0 / square, 0.0)


@wp.func
def inverse_squared_lengths(t: wp.mat33) -> wp.vec3:
    """1 / squared length of the edges 01, 12, 20 on the screen; 0 for an edge without length."""
    return wp.vec3(
        _inverse_square(t[1, 0] - t[0, 0], t[1, 1] - t[0, 1]),
        _inverse_square(t[2, 0] - t[1, 0], t[2, 1] - t[1, 1]),
        _inverse_square(t[0, 0] - t[2, 0], t[0, 1] - t[2, 1]),
    )


@wp.func
def _along(ux: float, uy: float, vx: float, vy: float, inverse: float) -> float:
    return wp.min(wp.max((ux * vx + uy * vy) * inverse, 0.0), 1.0)


@wp.func
def nearest_on_boundary(t: wp.mat33, inverse: wp.vec3, x: float, y: float) -> Nearest:
    """``inverse`` comes from :func:`inverse_squared_lengths`; written out because Warp does not unroll it."""
    x0 = t[0, 0]
    y0 = t[0, 1]
    x1 = t[1, 0]
    y1 = t[1, 1]
    x2 = t[2, 0]
    y2 = t[2, 1]
    a0 = _along(x1 - x0, y1 - y0, x - x0, y - y0, inverse[0])
    a1 = _along(x2 - x1, y2 - y1, x - x1, y - y1, inverse[1])
    a2 = _along(x0 - x2, y0 - y2, x - x2, y - y2, inverse[2])
    dx0 = x - x0 - a0 * (x1 - x0)
    dy0 = y - y0 - a0 * (y1 - y0)
    dx1 = x - x1 - a1 * (x2 - x1)
    dy1 = y - y1 - a1 * (y2 - y1)
    dx2 = x - x2 - a2 * (x0 - x2)
    dy2 = y - y2 - a2 * (y0 - y2)
    s0 = dx0 * dx0 + dy0 * dy0
    s1 = dx1 * dx1 + dy1 * dy1
    s2 = dx2 * dx2 + dy2 * dy2
    best = Nearest()
    if s0 <= s1 and s0 <= s2:
        best.square = s0
        best.edge = 0
        best.along = a0
        best.dx = dx0
        best.dy = dy0
    elif s1 <= s2:
        best.square = s1
        best.edge = 1
        best.along = a1
        best.dx = dx1
        best.dy = dy1
    else:
        best.square = s2
        best.edge = 2
        best.along = a2
        best.dx = dx2
        best.dy = dy2
    return best


@wp.func
def nearest_on_boundary_backward(near: Nearest, g: float) -> wp.mat33:
    """Gradient of the vertices (columns 0 and 1) from the gradient ``g`` of ``near.square``."""
    # the nearest point does not slide along the boundary to first order: d(square)/d(point) = -2 (dx, dy)
    gx = -2.0 * g * near.dx
    gy = -2.0 * g * near.dy
    b = near.along
    a = 1.0 - b
    m = wp.mat33(b * gx, b * gy, 0.0, 0.0, 0.0, 0.0, a * gx, a * gy, 0.0)
    if near.edge == 0:
        m = wp.mat33(a * gx, a * gy, 0.0, b * gx, b * gy, 0.0, 0.0, 0.0, 0.0)
    elif near.edge == 1:
        m = wp.mat33(0.0, 0.0, 0.0, a * gx, a * gy, 0.0, b * gx, b * gy, 0.0)
    return m
