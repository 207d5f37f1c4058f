"""Where each renderer's gradients come from and go to, as pictures.

    python examples/compare_gradients.py [--out out/gradients.png]

A disc should move to the right, half of it behind a bar. For each of DIB-R, SoftRas and the Neural 3D Mesh
Renderer, in a row: where its silhouette differs from the one wanted (red: too much, blue: too little) and how
that pulls at the disc's vertices; where its colours differ, and how that pulls. Pulls are arrows against the
gradient, to one scale within a picture.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unrender import DIBR, Camera, Mesh, NeuralMesh, SoftRas, render, save_picture
from unrender.geometry import merge
from unrender.io import contact_sheet

RENDERERS = (DIBR(blur=1.5), SoftRas(blur=1.0, gamma=3e-3), NeuralMesh(anti_aliasing=False))
SHIFT = 0.12  # how far to the right the disc should be


def disc(centre: Tensor, color: Sequence[float], *, rim: int = 24, radius: float = 0.5) -> Mesh:
    """A flat fan that faces +Z; vertex 0 is its centre."""
    angle = torch.arange(rim) * (2 * math.pi / rim)
    edge = torch.stack([angle.cos(), angle.sin(), torch.zeros(rim)], -1) * radius
    vertices = torch.cat([torch.zeros(1, 3), edge]) + centre
    i = torch.arange(rim)
    faces = torch.stack([torch.zeros_like(i), i + 1, (i + 1) % rim + 1], -1)
    return Mesh(vertices, faces, vertex_colors=torch.tensor(color).expand(rim + 1, 3))


def scene(vertices: Tensor) -> Mesh:
    """The disc with these vertices behind a bar."""
    bar = torch.tensor([[-1.0, -0.7, 0.4], [1.0, -0.7, 0.4], [1.0, -0.1, 0.4], [-1.0, -0.1, 0.4]])
    grey = torch.full((4, 3), 0.55)
    front = Mesh(bar, torch.tensor([[0, 1, 2], [0, 2, 3]]), vertex_colors=grey)
    shaded = disc(torch.zeros(3), (0.95, 0.6, 0.2))
    assert shaded.vertex_colors is not None
    # darker to the left, so that colour says which part is where
    tint = 0.45 + 0.55 * (vertices.detach()[:, :1] + 0.5).clamp(0, 1)
    return merge([shaded.replace(vertices=vertices, vertex_colors=shaded.vertex_colors * tint), front])


def arrows(picture: Tensor, start: Tensor, pull: Tensor, scale: float) -> Tensor:
    """A copy of a picture (H, W, 3) with arrows drawn from points (V, 2) along pulls (V, 2) [pixels]."""
    from PIL import Image, ImageDraw

    image = Image.fromarray((picture.clamp(0, 1) * 255).round().byte().numpy())
    draw = ImageDraw.Draw(image)
    for (x, y), (dx, dy) in zip(start.tolist(), (pull * scale).tolist(), strict=True):
        length = math.hypot(dx, dy)
        if length < 1.5:
            continue
        draw.line([x, y, x + dx, y + dy], fill=(220, 30, 30), width=2)
        for turn in (2.6, -2.6):
            c, s = math.cos(turn), math.sin(turn)
            tip = min(7.0, length)
            side = [(dx * c - dy * s) / length * tip, (dx * s + dy * c) / length * tip]
            draw.line([x + dx, y + dy, x + dx + side[0], y + dy + side[1]], fill=(220, 30, 30), width=2)
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(picture.shape) / 255


def pulls(renderer: DIBR | SoftRas | NeuralMesh, size: int) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Four pictures of a renderer, and the pulls [per unit of loss] on the disc's vertices, (V, 2)."""
    camera = Camera.look_at((0.0, 0.0, 3.0), fov_y=32.0, width=size, height=size)
    own = disc(torch.tensor([-0.1, 0.1, 0.0]), (0.0, 0.0, 0.0)).vertices
    wanted = render(scene(own + torch.tensor([SHIFT, 0, 0])), camera, renderer=renderer)
    shown, found = [], {}
    for name in ("alpha", "rgb"):
        vertices = own.clone().requires_grad_()
        picture = getattr(render(scene(vertices), camera, renderer=renderer), name)
        difference = picture - getattr(wanted, name).detach()
        (gradient,) = torch.autograd.grad(difference.square().sum(), vertices)
        pull = -gradient[:, :2] * torch.tensor([1.0, -1.0])
        found[name] = pull
        if name == "alpha":
            base = picture.detach()[..., None].expand(-1, -1, 3)
            signed = difference.detach()
        else:
            base = picture.detach()
            signed = difference.detach().mean(-1)
        red_blue = torch.stack([1 - (-signed).relu(), 1 - signed.abs(), 1 - signed.relu()], -1)
        zoom = max(1, 256 // size)
        large = base.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1) * 0.5 + 0.45
        points = camera.project(own)[:, :2] * zoom
        longest = float(pull.norm(dim=-1).max().clamp(min=1e-9))
        shown += [
            red_blue.repeat_interleave(zoom, 0).repeat_interleave(zoom, 1),
            arrows(large, points, pull, 45 / longest),
        ]
    return shown, found


def main(arguments: Sequence[str] | None = None) -> dict[str, dict[str, Tensor]]:
    """Run the example; returns the pulls of each renderer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=64, help="side of the pictures [pixels]")
    parser.add_argument("--out", type=Path, default=Path("out/gradients.png"))
    options = parser.parse_args(arguments)
    sheet, found = [], {}
    for renderer in RENDERERS:
        name = type(renderer).__name__
        pictures, found[name] = pulls(renderer, options.size)
        sheet += pictures
        for what, pull in found[name].items():
            mean, inner = pull.mean(0).tolist(), float(pull[0].norm())
            hidden = float((pull[1:][own_hidden()]).norm(dim=-1).sum())
            print(
                f"{name:10} {what:5}: mean pull ({mean[0]:+.2f}, {mean[1]:+.2f}), on the centre {inner:.2f}, "
                f"on hidden vertices {hidden:.2f}"
            )
    options.out.parent.mkdir(parents=True, exist_ok=True)
    save_picture(contact_sheet(sheet, columns=4), options.out)
    print(f"differences (red: too much, blue: too little) and pulls by silhouette, by colour: {options.out}")
    return found


def own_hidden() -> Tensor:
    """Which of the disc's rim vertices the bar hides: bool, shape (24,)."""
    rim = disc(torch.tensor([-0.1, 0.1, 0.0]), (0.0, 0.0, 0.0)).vertices[1:]
    return rim[:, 1] < -0.2


if __name__ == "__main__":
    main()
