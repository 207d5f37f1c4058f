"""Deform a sphere to the airplane of the Soft Rasterizer's example, by its original recipe.

    python examples/deform_airplane.py [--steps 2000] [--data ../shared/data/airplane] [--out out/airplane]

120 pictures of 64 x 64 from known cameras; a sphere of 1352 vertices; Adam with learning rate 0.01 and betas
(0.5, 0.99); the loss is 1 - IoU of the silhouettes, plus 0.03 of Laplacian and 0.0003 of flatten loss. Writes
the mesh, and a picture of targets, start and result, and says how good the silhouettes are.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from unrender import Mesh, SoftRas, Views, load_views, render, save_mesh, save_picture
from unrender.geometry import EdgeTopology, fibonacci_sphere, flatten_loss, laplacian_loss
from unrender.io import contact_sheet
from unrender.render import composite, render_antialiased, studio_light

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "airplane"
SHOWN = (0, 25, 50, 75, 100)


def place(base: Tensor, displacement: Tensor, centre: Tensor) -> Tensor:
    """Vertices (V, 3) inside the cube [-1, 1]^3, in the octants of the template's, moved by a centroid."""
    logit = torch.log(base.abs() / (1 - base.abs()))
    vertices = torch.sigmoid(logit + displacement) * base.sign()
    centre = torch.tanh(centre)
    return vertices.relu() * (1 - centre) - (-vertices).relu() * (1 + centre) + centre


def hard_iou(mesh: Mesh, views: Views) -> Tensor:
    """IoU of the pixels whose centres the mesh covers with the masks' pixels above one half, one a view."""
    with torch.no_grad():
        seen = render(mesh, views.cameras).mask
    wanted = views.masks > 0.5
    return (seen & wanted).sum((1, 2)) / (seen | wanted).sum((1, 2))


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run gave."""

    mesh: Mesh
    start_iou: float
    iou: float
    seconds: float


def deform(views: Views, steps: int, renderer: SoftRas) -> Result:
    """The recipe."""
    sphere = fibonacci_sphere(1352, radius=0.5)
    topology = EdgeTopology.from_faces(sphere.faces, sphere.num_vertices)
    displacement = torch.zeros_like(sphere.vertices, requires_grad=True)
    centre = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.Adam([displacement, centre], lr=0.01, betas=(0.5, 0.99))
    start_iou = hard_iou(sphere, views).mean().item()
    start = time.monotonic()
    mesh = sphere
    for step in range(steps):
        mesh = sphere.replace(vertices=place(sphere.vertices, displacement, centre))
        alpha = render(mesh, views.cameras, renderer=renderer).alpha
        both = (alpha * views.masks).sum((1, 2))
        either = (alpha + views.masks - alpha * views.masks).sum((1, 2))
        loss = 1 - (both / (either + 1e-6)).mean()
        loss = loss + 0.03 * laplacian_loss(mesh.vertices, topology, reduction="sum")
        edges = topology.edges.shape[0]  # the recipe sums where flatten_loss averages
        loss = loss + 0.0003 * edges * flatten_loss(mesh.vertices, topology)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.4f}, {time.monotonic() - start:.0f} s", flush=True)
    mesh = mesh.detach()
    return Result(mesh, start_iou, hard_iou(mesh, views).mean().item(), time.monotonic() - start)


def comparison(views: Views, result: Result) -> Tensor:
    """Targets above, the mesh from the same cameras below."""
    cameras = views.cameras[list(SHOWN)].resized(192, 192)
    grey = result.mesh.replace(vertex_colors=torch.full_like(result.mesh.vertices, 0.7))
    drawn = render_antialiased(grey, cameras, studio_light(cameras))
    pictures = composite(drawn, 1.0)
    targets = views.pictures[list(SHOWN)] * views.masks[list(SHOWN), ..., None]
    targets = targets + 1 - views.masks[list(SHOWN), ..., None]
    large = targets.repeat_interleave(3, 1).repeat_interleave(3, 2)
    return contact_sheet([*large, *pictures], columns=len(SHOWN))


def main(arguments: Sequence[str] | None = None) -> Result:
    """Run the example; returns what it found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--data", type=Path, default=DATA, help="folder with source.npy and camera.npy")
    parser.add_argument("--out", type=Path, default=Path("out/airplane"))
    options = parser.parse_args(arguments)
    if not options.data.is_dir():
        parser.error(f"no folder {options.data}: give one with source.npy and camera.npy by --data")
    views = load_views(options.data)
    result = deform(views, options.steps, SoftRas(sigma_ndc=1e-4))
    options.out.mkdir(parents=True, exist_ok=True)
    save_mesh(result.mesh, options.out / "airplane.glb")
    save_picture(comparison(views, result), options.out / "airplane.png")
    print(
        f"mean IoU over {len(views)} views: sphere {result.start_iou:.3f}, result {result.iou:.3f}, "
        f"in {result.seconds:.0f} s; see {options.out}"
    )
    return result


if __name__ == "__main__":
    main()
