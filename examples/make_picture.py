"""Renders examples/picture.png, which ``make demo`` turns into a mesh: a car that no network was trained on.

    python examples/make_picture.py [FILE]

The car comes from the generator of training objects, with a seed that no training set uses.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from unrender import Camera, SphericalHarmonicsLight, save_picture
from unrender.learn.data.procedural import random_object
from unrender.render.turntable import render_antialiased

INDEX, SEED = 4, 2026
CATEGORY = "car"
SIZE = 384
LIGHT = (2.9, 0.9, 0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)  # brighter from above, from the front and the left


def make_picture() -> torch.Tensor:
    """The picture: RGBA, shape (SIZE, SIZE, 4)."""
    mesh = random_object(INDEX, SEED, category=CATEGORY).mesh
    camera = Camera.orbit(2.732, 22.0, 35.0, fov_y=22.0, width=SIZE, height=SIZE)
    light = SphericalHarmonicsLight(torch.tensor(LIGHT))
    return render_antialiased(mesh, camera, light, samples=4).clamp(0, 1)


if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "picture.png"
    save_picture(make_picture(), file)
    print(file)
