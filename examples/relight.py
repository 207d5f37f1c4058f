"""Turn an object and its light: a turntable under a light that stays, then light that goes round the object.

    python examples/relight.py [MESH] [--out out/relight.gif]

Without MESH the object is out/demo-fit/object.glb, which ``make demo-fit`` fits, if that is there, else a
globe.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unrender import AmbientLight, DirectionalLight, Mesh, Phong, load_mesh
from unrender.geometry import uv_sphere
from unrender.io import contact_sheet, save_animation, save_picture
from unrender.render import composite, framing_camera, render_antialiased

DEMO = Path("out/demo-fit/object.glb")


def globe() -> Mesh:
    """A sphere with a chequered texture."""
    v, u = torch.meshgrid(torch.arange(64), torch.arange(128), indexing="ij")
    dark = ((u // 8 + v // 8) % 2)[..., None]
    texture = torch.where(dark == 1, torch.tensor([0.15, 0.35, 0.55]), torch.tensor([0.95, 0.85, 0.65]))
    return uv_sphere().replace(texture=texture)


def frames(mesh: Mesh, count: int, size: int) -> Tensor:
    """Half the frames turn the object, half the light, shape (2 count, H, W, 3)."""
    camera = framing_camera(mesh, width=size, height=size)
    angle = torch.arange(count) * (2 * math.pi / count)
    c, s, one, zero = angle.cos(), angle.sin(), torch.ones(count), torch.zeros(count)
    turn = torch.stack([c, zero, s, zero, one, zero, -s, zero, c], -1)
    centre = (mesh.vertices.amax(0) + mesh.vertices.amin(0)) / 2
    turned = mesh.replace(
        vertices=(mesh.vertices - centre) @ turn.view(count, 3, 3).mT + centre, normals=None
    )
    ambient = AmbientLight(torch.full((3,), 0.25))
    white = torch.full((3,), 0.8)
    still = [ambient, DirectionalLight(torch.tensor([1.0, 1.0, 1.0]), white)]
    round_it = torch.stack([s, 0.5 * one, c], -1)
    moving = [ambient, DirectionalLight(round_it, white)]
    shiny = Phong(specular=0.3, shininess=30.0)
    with torch.no_grad():
        first = render_antialiased(turned, camera, still, material=shiny)
        one_each = mesh.replace(vertices=mesh.vertices.expand(count, -1, -1))
        second = render_antialiased(one_each, camera, moving, material=shiny)
    return composite(torch.cat([first, second]), 1.0)


def main(arguments: Sequence[str] | None = None) -> Tensor:
    """Run the example; returns the frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mesh", type=Path, nargs="?", help=".obj, .glb or .ply")
    parser.add_argument("--frames", type=int, default=24, help="of each half")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path("out/relight.gif"))
    options = parser.parse_args(arguments)
    path = options.mesh or (DEMO if DEMO.is_file() else None)
    mesh = globe() if path is None else load_mesh(path)
    pictures = frames(mesh, options.frames, options.size)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_animation(pictures, options.out, fps=12)
    still = options.out.with_suffix(".png")
    save_picture(contact_sheet(list(pictures[:: max(1, options.frames // 4)]), columns=4), still)
    print(f"turned, then lit from all sides: {options.out}, {still}")
    return pictures


if __name__ == "__main__":
    main()
