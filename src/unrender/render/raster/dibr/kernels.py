"""Kernels of DIB-R's soft silhouette."""

import warp as wp

from ..triangle import (
    Screen,
    box_high,
    box_low,
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


@wp.kernel(enable_backward=False)
def soft_mask(
    first: int,
    screen: Screen,
    sigma: float,
    reach: float,
    max_faces: int,
    triangles: wp.array[wp.mat33],
    listed: wp.array[int],
    starts: wp.array[int],
    index: wp.array3d[int],
    alpha: wp.array3d[float],
    seen: wp.array3d[int],
    last: wp.array3d[int],
):
    """Multiply up 1 - alpha of one block of pixels; ``alpha`` comes in as 0, ``last`` as -1.

    ``seen`` counts the triangles of a pixel and ``last`` names the last of them; both are used only
    under a limit, ``max_faces > 0``.
    """
    thread = first + wp.tid()
    w = window_of_block(screen, thread)
    side = screen.cell / screen.block
    cell = thread / (side * side)
    margin = wp.vec2(reach, reach)
    for entry in range(starts[cell], starts[cell + 1]):
        i = listed[entry]
        t = triangles[i]
        inverse = inverse_squared_lengths(t)
        low = box_low(t) - margin
        high = box_high(t) + margin
        part = shrink(screen, w, low, high)
        for r in range(part.y0, part.y1):
            y = pixel_y(screen, r)
            if y >= low[1] and y < high[1]:
                for c in range(part.x0, part.x1):
                    if index[w.image, r, c] < 0:
                        x = pixel_x(screen, c)
                        if x >= low[0] and x < high[0]:
                            if max_faces > 0:
                                if seen[w.image, r, c] >= max_faces:
                                    continue
                                seen[w.image, r, c] = seen[w.image, r, c] + 1
                                last[w.image, r, c] = i
                            near = nearest_on_boundary(t, inverse, x, y)
                            p = wp.exp(-near.square / sigma)
                            a = alpha[w.image, r, c]
                            alpha[w.image, r, c] = a + (1.0 - a) * p


@wp.kernel(enable_backward=False)
def soft_mask_backward(
    first: int,
    screen: Screen,
    sigma: float,
    reach: float,
    max_faces: int,
    triangles: wp.array[wp.mat33],
    pair_triangle: wp.array[int],
    pair_cell: wp.array[int],
    index: wp.array3d[int],
    clear: wp.array3d[float],
    last: wp.array3d[int],
    grad_alpha: wp.array3d[float],
    grad: wp.array[wp.mat33],
):
    """Gradient of one triangle from the uncovered pixels of one cell; ``clear`` is 1 - alpha."""
    pair = first + wp.tid()
    i = pair_triangle[pair]
    t = triangles[i]
    inverse = inverse_squared_lengths(t)
    margin = wp.vec2(reach, reach)
    low = box_low(t) - margin
    high = box_high(t) + margin
    w = shrink(screen, window_of_cell(screen, pair_cell[pair]), low, high)
    total = wp.mat33()
    for r in range(w.y0, w.y1):
        y = pixel_y(screen, r)
        if y >= low[1] and y < high[1]:
            for c in range(w.x0, w.x1):
                if index[w.image, r, c] < 0:
                    x = pixel_x(screen, c)
                    if x >= low[0] and x < high[0]:
                        if max_faces > 0:
                            if i > last[w.image, r, c]:
                                continue
                        near = nearest_on_boundary(t, inverse, x, y)
                        p = wp.exp(-near.square / sigma)
                        others = clear[w.image, r, c] / wp.max(1.0 - p, 1.0e-12)
                        g = -grad_alpha[w.image, r, c] * others * p / sigma
                        total += nearest_on_boundary_backward(near, g)
    grad[pair] = total
