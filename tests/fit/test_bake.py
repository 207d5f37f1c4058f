"""Texels get the colour of the field where they lie on the surface."""

import pytest
import torch

from unrender.errors import InputError
from unrender.fit.bake import bake_texture, texel_places
from unrender.geometry import icosphere
from unrender.render import Camera, render


def place(points):
    """A field whose colours say where points are."""
    return torch.zeros(points.shape[:-1]), (points + 1) / 2


def test_a_rendered_texture_shows_places():
    ball = icosphere(3, radius=0.8)
    baked = bake_texture(place, ball, 128)
    assert baked.texture is not None
    assert baked.texture.shape == (128, 128, 3)
    assert torch.equal(baked.faces, ball.faces)
    camera = Camera.orbit(3.0, 20.0, [0.0, 120.0, 240.0], fov_y=40.0, width=48, height=48)
    plain = ball.replace(vertex_colors=(ball.vertices + 1) / 2)
    a, b = render(baked, camera), render(plain, camera)
    # no seam shows: the worst pixel differs by little more than a texel's width
    assert float((a.rgb - b.rgb)[a.mask].abs().max()) < 0.03


def test_texels_lie_on_the_surface():
    ball = icosphere(2)
    baked = bake_texture(place, ball, 64)
    places, covered = texel_places(baked, 64)
    assert 0.3 < float(covered.float().mean()) < 1
    length = places[covered].norm(dim=-1)
    assert float(length.max()) < 1 + 1e-5
    assert float(length.min()) > 0.9  # faces lie within the sphere
    assert bool((places[~covered] == 0).all())


def test_sizes_are_positive():
    with pytest.raises(InputError, match="size must be positive, got 0"):
        bake_texture(place, icosphere(1), 0)
