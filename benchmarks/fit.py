"""Fit known objects to rendered views and measure on views held out: ``python benchmarks/fit.py --help``."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import platform
import time
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.table import Table

from unrender.errors import InputError
from unrender.fit import FitOptions, fit, view_metrics
from unrender.geometry import Mesh, point_to_mesh_distance, sample_surface
from unrender.geometry.surface_metrics import surface_metrics
from unrender.io import Views, contact_sheet, load_mesh, load_views, save_mesh, save_picture
from unrender.render import Camera, SphericalHarmonicsLight, render
from unrender.render.turntable import render_antialiased

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POINTS = 300_000  # of each surface, held against points
DRAWN = 100_000  # of each surface, held against the other surface
HOME = ("chair", "sofa", "car", "lamp", "animal")


@dataclasses.dataclass
class Settings:
    """Which objects, and where the results go."""

    objects: tuple[str, ...] = ("airplane", "spot", *HOME)
    """airplane, spot, or a category of home (its first val object) or CATEGORY/FILE"""
    renderers: tuple[str, ...] = ("dibr",)
    """each fits every object: dibr, softras, nmr, dvr, dvr-depth (with depth maps), or dvr+dibr for a field
    whose mesh is polished"""
    views: int = 24
    """of each object, but for the airplane, which has its own"""
    size: int = 256
    """of these views [pixels]"""
    out: Path = Path(__file__).parent / "results" / "fit-cpu.json"
    meshes: Path | None = None
    """folder for the fitted meshes, as GLB"""
    sheet: Path | None = None
    """contact sheet of held-out pictures, renders and differences"""
    options: FitOptions = dataclasses.field(default_factory=FitOptions)


def directions(count: int, phase: float) -> torch.Tensor:
    """Elevation and azimuth [degrees] of evenly spread views (Fibonacci sphere), shape (2, count)."""
    i = torch.arange(count) + 0.5
    elevation = torch.rad2deg(torch.asin(1 - 2 * i / count))
    return torch.stack([elevation.clamp(-75, 75), (i * 137.50776 + phase) % 360])


def in_unit_ball(mesh: Mesh) -> Mesh:
    """The mesh scaled and moved so that the ball of radius 1 just holds it."""
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    radius = torch.linalg.vector_norm(mesh.vertices - (low + high) / 2, dim=-1).amax()
    return mesh.replace(vertices=(mesh.vertices - (low + high) / 2) / radius)


def rendered_views(mesh: Mesh, count: int, phase: float, size: int) -> Views:
    """Pictures of a mesh in the unit ball, under a fixed spherical-harmonic light."""
    elevation, azimuth = directions(count, phase)
    cameras = Camera.orbit(3.5, elevation, azimuth, fov_y=35.0, width=size, height=size)
    light = torch.zeros(9, 3)
    light[0] = 2 * math.sqrt(math.pi) * 0.75
    light[1] = torch.tensor([0.5, 0.5, 0.55])  # from above
    light[2] = torch.tensor([0.35, 0.3, 0.25])  # from +Z
    light[3] = torch.tensor([0.2, 0.2, 0.25])
    light[6] = 0.1
    lit = SphericalHarmonicsLight(light)
    with torch.no_grad():
        pictures = [
            render_antialiased(mesh, cameras[i : i + 1], lit, samples=3).clamp(0, 1) for i in range(count)
        ]
        depth = [render(mesh, cameras[i : i + 1]).depth for i in range(count)]
    rgba = torch.cat(pictures)
    names = [f"{i:03d}" for i in range(count)]
    return Views(rgba[..., :3], rgba[..., 3], cameras, names, torch.cat(depth))


def chamfer(found: Mesh, truth: Mesh) -> float:
    """Chamfer-L1 (mean of both directions) over the longest edge of the true mesh's bounding box."""
    generator = torch.Generator().manual_seed(0)
    points = [sample_surface(m, POINTS, generator=generator).points for m in (found, truth)]
    return float(surface_metrics(*points).chamfer_l1) / longest_edge(truth)


def surface_distance(found: Mesh, truth: Mesh) -> float:
    """The same with points held against the other surface itself: 0 for the truth, however many are drawn."""
    generator = torch.Generator().manual_seed(0)
    ways = []
    for here, there in ((found, truth), (truth, found)):
        points = sample_surface(here, DRAWN, generator=generator).points
        nearest = point_to_mesh_distance(points, there.vertices, there.faces)
        ways.append(float(nearest.squared_distances.sqrt().mean()))
    return sum(ways) / 2 / longest_edge(truth)


def longest_edge(mesh: Mesh) -> float:
    """Of its bounding box."""
    return float((mesh.vertices.amax(0) - mesh.vertices.amin(0)).max())


def task(name: str, settings: Settings) -> tuple[str, Views, Views, Mesh | None]:
    """Training and held-out views of an object, and the object where it is known."""
    if name == "airplane":
        train, held_out = load_views(DATA / "airplane").split(5)
        return name, train, held_out, None
    if name == "spot":
        path = next((DATA / "meshes" / "spot").glob("*.obj"))
    else:
        category, _, file = name.partition("/")
        entries = json.loads((DATA / "home" / "manifest.json").read_text())
        entries = [e for e in entries["val"] + entries["train"] if e["category"] == category]
        entry = next(e for e in entries if not file or file in e["file"])
        path, name = DATA / "home" / entry["file"], f"{entry['file']} ({entry['name']})"
    mesh, size = in_unit_ball(load_mesh(path)), settings.size
    return name, rendered_views(mesh, settings.views, 0.0, size), rendered_views(mesh, 8, 61.0, size), mesh


def main(settings: Settings) -> None:
    """Fit each object and write the table."""
    console = Console()
    if settings.options.renderer != "dibr" or settings.options.then is not None:
        raise InputError("--renderers says what draws, not --options.renderer and --options.then")
    rows, pictures = [], []
    for wanted, renderer in itertools.product(settings.objects, settings.renderers):
        name, train, held_out, truth = task(wanted, settings)
        first, _, then = renderer.partition("+")
        with_depth = first.endswith("-depth")
        first = first.removesuffix("-depth")
        if not with_depth:
            train = dataclasses.replace(train, depth=None)
        elif train.depth is None:
            raise InputError(f"{renderer} needs depth maps, which {name} has none of")
        start = time.perf_counter()
        result = fit(train, dataclasses.replace(settings.options, renderer=first, then=then or None))
        seconds = time.perf_counter() - start
        values = view_metrics(result.mesh, result.light, held_out)
        row = {
            "object": name,
            "renderer": renderer,
            "views": len(train),
            "held_out": len(held_out),
            "size": train.width,
            "mask_iou": sum(values["mask_iou"]) / len(held_out),
            "mask_iou_min": min(values["mask_iou"]),
            "psnr": sum(values["psnr"]) / len(held_out),
            "psnr_min": min(values["psnr"]),
            "effort": settings.options.effort,
            "faces": result.mesh.num_faces,
            "seconds": seconds,
        }
        if truth is not None:
            row["chamfer_l1"] = chamfer(result.mesh, truth)
            row["surface_distance"] = surface_distance(result.mesh, truth)
        rows.append(row)
        console.print(row)
        if settings.meshes is not None:
            save_mesh(result.mesh, settings.meshes / f"{wanted.replace('/', '-')}-{renderer}.glb")
        for i in range(2):
            target = held_out.pictures[i] * held_out.masks[i, ..., None]
            with torch.no_grad():
                picture = render(result.mesh, held_out.cameras[i], result.light)
            shown = [target, picture.rgb.clamp(0, 1), (target - picture.rgb).abs().clamp(0, 1)]
            scale = max(1, 192 // target.shape[0])
            pictures += [p.repeat_interleave(scale, 0).repeat_interleave(scale, 1) for p in shown]
    table = Table(
        "object",
        "renderer",
        "mask IoU (min)",
        "PSNR in dB (min)",
        "Chamfer-L1",
        "to surface",
        "faces",
        "seconds",
    )
    for r in rows:
        table.add_row(
            r["object"],
            r["renderer"],
            f"{r['mask_iou']:.3f} ({r['mask_iou_min']:.3f})",
            f"{r['psnr']:.1f} ({r['psnr_min']:.1f})",
            f"{r['chamfer_l1']:.4f}" if "chamfer_l1" in r else "",
            f"{r['surface_distance']:.5f}" if "surface_distance" in r else "",
            str(r["faces"]),
            f"{r['seconds']:.0f}",
        )
    console.print(table)
    settings.out.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    report = {"machine": machine, "options": dataclasses.asdict(settings.options), "rows": rows}
    settings.out.write_text(json.dumps(report, indent=1) + "\n")
    if settings.sheet is not None:
        sizes = {tuple(p.shape) for p in pictures}
        largest = max(sizes)
        padded = [
            torch.nn.functional.pad(p, (0, 0, 0, largest[1] - p.shape[1], 0, largest[0] - p.shape[0]))
            for p in pictures
        ]
        save_picture(contact_sheet(padded, columns=6), settings.sheet)


if __name__ == "__main__":
    main(tyro.cli(Settings))
