"""Deform a mesh to one picture: what the picture shows moves, the rest follows as rigidly as it can.

    python examples/deform_to_picture.py [MESH] [--renderer softras] [--out out/deform_to_picture.png]

The target is the mesh itself, stretched upwards and bent sideways, drawn once by a camera; from this picture
alone the mesh is deformed. The upper row shows target, start and result as that camera sees them. The lower
row shows the same from a side that the fit never saw: what one picture does not say stays a guess. Without
MESH it is Spot the cow where ../shared/data/meshes is there, and a striped egg elsewhere.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from unrender import Camera, Mesh, Views, load_mesh, save_picture
from unrender.fit import DeformOptions, DeformResult, deform, view_metrics
from unrender.fit.deform_report import before_and_after
from unrender.geometry import icosphere
from unrender.render import framing_camera, render_antialiased
from unrender.render.turntable import bounding_ball

SPOT = Path(__file__).resolve().parents[2] / "shared" / "data" / "meshes" / "spot" / "spot_triangulated.obj"
SEEN, UNSEEN = -150.0, -70.0  # azimuths of the picture and of the side that is only shown


def striped_egg() -> Mesh:
    """A tall ellipsoid in rings of three colours."""
    ball = icosphere(4)
    height = ball.vertices[:, 1]
    palette = torch.tensor([[0.85, 0.25, 0.2], [0.95, 0.8, 0.3], [0.2, 0.45, 0.7]])
    rings = palette[((height + 1) * 4).long() % 3]
    return ball.replace(vertices=ball.vertices * torch.tensor([0.45, 1.0, 0.45]), vertex_colors=rings)


def stretched_and_bent(mesh: Mesh, *, stretch: float = 0.2, turn: float = 0.25) -> Mesh:
    """The mesh drawn upwards and bent sideways, its axis to a part of a circle.

    Args:
        mesh: what to deform.
        stretch: how much taller it gets [heights of the mesh].
        turn: of the top [radians].
    """
    x, y, z = mesh.vertices.unbind(-1)
    low, high = y.amin(), y.amax()
    angle = turn * (y - low) / (high - low)
    bend = (1 + stretch) * (high - low) / turn  # radius
    bent = [bend - (bend - x) * angle.cos(), low + (bend - x) * angle.sin(), z]
    return mesh.replace(vertices=torch.stack(bent, -1))


def views_of(mesh: Mesh, cameras: Camera) -> Views:
    """Pictures of a mesh, without light."""
    rgba = render_antialiased(mesh, cameras, samples=3).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], cameras, ["seen", "unseen"])


def main(arguments: Sequence[str] | None = None) -> DeformResult:
    """Run the example; returns the deformed mesh."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("mesh", type=Path, nargs="?", help=".obj, .glb or .ply")
    parser.add_argument("--renderer", choices=("softras", "dibr", "nmr"), default="softras")
    parser.add_argument("--size", type=int, default=256, help="side of the picture [pixels]")
    parser.add_argument("--effort", type=float, default=1.0, help="multiplies the number of steps")
    parser.add_argument("--out", type=Path, default=Path("out/deform_to_picture.png"))
    options = parser.parse_args(arguments)
    if options.mesh is not None:
        mesh = load_mesh(options.mesh)
    else:
        mesh = load_mesh(SPOT) if SPOT.is_file() else striped_egg()
    target = stretched_and_bent(mesh)
    cameras = framing_camera(
        target, elevation=12.0, azimuth=[SEEN, UNSEEN], width=options.size, height=options.size
    )
    views = views_of(target, cameras)
    result = deform(
        mesh,
        views[0],
        DeformOptions(renderer=options.renderer, effort=options.effort),
        progress=lambda p: print(f"\r{p.stage}: {p.done:.0%}, loss {p.loss:.4f}", end="  ", flush=True),
    )
    save_picture(before_and_after(mesh, result.mesh, views), options.out)
    radius = float(bounding_ball(mesh)[1])
    ious = [view_metrics(shape, None, views)["mask_iou"] for shape in (mesh, result.mesh)]
    apart = [
        float(torch.linalg.vector_norm(shape.vertices - target.vertices, dim=-1).mean()) / radius
        for shape in (mesh, result.mesh)
    ]
    print(
        f"\nmask IoU of the picture: {ious[0][0]:.3f} at the start, {ious[1][0]:.3f} now; from the side that "
        f"was not seen: {ious[0][1]:.3f}, {ious[1][1]:.3f}\n"
        f"mean distance of vertices from the true ones: {apart[0]:.3f} radii, {apart[1]:.3f}; "
        f"{result.seconds:.0f} s, see {options.out}"
    )
    return result


if __name__ == "__main__":
    main()
