"""Sizes of the pictures that stages see."""

import pytest
import torch

from unrender.fit.options import FitOptions, stages
from unrender.fit.steps import sized_views
from unrender.io import Views
from unrender.render import Camera


def views_of(width: int, height: int) -> Views:
    camera = Camera.orbit(3.0, torch.tensor([0.0, 10.0]), 20.0, fov_y=40.0, width=width, height=height)
    return Views(torch.rand(2, height, width, 3), torch.rand(2, height, width), camera, ["a", "b"])


@pytest.mark.parametrize(
    ("size", "most", "least", "expected"),
    [
        ((512, 256), 128, 64, (128, 64)),  # shrunk
        ((64, 48), 512, 128, (128, 96)),  # enlarged by a whole number
        ((100, 50), 512, 256, (300, 150)),
        ((200, 200), 300, 256, (200, 200)),  # twice would be too many
        ((512, 512), 128, 256, (128, 128)),  # what was shrunk is not enlarged
        ((128, 128), 128, 128, (128, 128)),
    ],
)
def test_sizes_lie_between_the_bounds(size, most, least, expected):
    found = sized_views(views_of(*size), most, least)
    assert (found.width, found.height) == expected
    assert (found.cameras.width, found.cameras.height) == expected


def test_the_polish_of_a_field_sees_larger_pictures_than_other_stages():
    (polish,) = stages(FitOptions(renderer="dvr", then="dibr", effort=0.5))
    assert polish.texture
    assert polish.least_size == 2 * stages(FitOptions())[-1].least_size
    assert polish.steps == 300
    assert stages(FitOptions(renderer="dvr")) == []
