"""What SoftRas's two softnesses do: one object, drawn with rising sigma (down) and gamma (to the right).

    python examples/soften.py [MESH] [--out out/soften.png]

Sigma blurs the outlines of all faces, gamma lets hidden faces shine through the nearer ones. Without MESH a
ring of coloured balls is drawn.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unrender import Mesh, SoftRas, icosphere, load_mesh, render, save_picture
from unrender.geometry import merge
from unrender.io import contact_sheet
from unrender.render import framing_camera, studio_light

BLURS = (0.3, 2.0, 6.0, 14.0)  # pixels
GAMMAS = (1e-5, 3e-4, 3e-3, 3e-2)


def ring_of_balls(count: int = 8) -> Mesh:
    """Balls in all colours round the y axis, so that some hide others."""
    ball = icosphere(2, radius=0.42)
    balls = []
    for i in range(count):
        angle = 2 * math.pi * i / count
        place = torch.tensor([math.cos(angle), 0.25 * math.cos(3 * angle), math.sin(angle)])
        hue = angle + torch.tensor([0.0, -2.1, 2.1])
        color = 0.5 + 0.5 * torch.cos(hue)
        colors = color.expand(ball.num_vertices, 3)
        balls.append(ball.replace(vertices=ball.vertices + place, vertex_colors=colors))
    return merge(balls)


def sweep(mesh: Mesh, size: int) -> Tensor:
    """The pictures in rows of one blur and columns of one gamma, shape (H, W, 3)."""
    camera = framing_camera(mesh, width=size, height=size)
    light = studio_light(camera)
    pictures = []
    with torch.no_grad():
        for blur in BLURS:
            for gamma in GAMMAS:
                soft = SoftRas(blur=blur * size / 192, gamma=gamma)
                picture = render(mesh, camera, light, renderer=soft, background=1.0)
                pictures.append(picture.rgb * picture.alpha[..., None] + 1 - picture.alpha[..., None])
    return contact_sheet(pictures, columns=len(GAMMAS))


def main(arguments: Sequence[str] | None = None) -> Tensor:
    """Run the example; returns the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mesh", type=Path, nargs="?", help=".obj, .glb or .ply")
    parser.add_argument("--size", type=int, default=192, help="side of each picture [pixels]")
    parser.add_argument("--out", type=Path, default=Path("out/soften.png"))
    options = parser.parse_args(arguments)
    mesh = ring_of_balls() if options.mesh is None else load_mesh(options.mesh)
    sheet = sweep(mesh, options.size)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_picture(sheet, options.out)
    print(f"down: blur of {BLURS} pixels (at 192); to the right: gamma of {GAMMAS}; see {options.out}")
    return sheet


if __name__ == "__main__":
    main()
