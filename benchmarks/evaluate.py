"""How fast shapes are measured: Chamfer and 3D IoU: ``python benchmarks/evaluate.py --help``."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.table import Table

from unrender.geometry import Mesh, icosphere, sample_surface, voxel_iou
from unrender.geometry.surface_metrics import surface_metrics
from unrender.io import load_mesh
from unrender.io.files import write_file
from unrender.learn.data.capture import object_voxels, to_unit_cube

HOME = Path(__file__).resolve().parents[2] / "shared" / "data" / "home"


@dataclasses.dataclass
class Settings:
    """How much is measured, and where the results go."""

    objects: int = 100
    """objects of home, val before train"""
    points: int = 100_000
    """on each surface"""
    views: int = 24
    """predictions of an object for 3D IoU"""
    device: str = "cpu"
    out: Path = Path(__file__).parent / "results" / "evaluate-cpu.json"


def guess(mesh: Mesh, count: int) -> Mesh:
    """What an early network says: ellipsoids of 1280 faces, about as large as the object, shape (count,)."""
    extent = mesh.vertices.abs().amax(0)
    ball = icosphere(3)
    sizes = extent * (0.6 + 0.4 * torch.rand(count, 1, 3))
    return ball.replace(vertices=ball.vertices * sizes)


def clock(device: str) -> tuple[float, float]:
    """Seconds on the wall and of the processor."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter(), time.process_time()


def main(settings: Settings) -> None:
    """Measure, print, write."""
    torch.manual_seed(0)
    entries = json.loads((HOME / "manifest.json").read_text())
    files = [entry["file"] for entry in entries["val"] + entries["train"]][: settings.objects]
    meshes = [to_unit_cube(load_mesh(HOME / file)) for file in files]
    guesses = [guess(mesh, settings.views) for mesh in meshes]
    meshes, guesses = ([m.to(settings.device) for m in group] for group in (meshes, guesses))

    spent = {
        name: [0.0, 0.0]
        for name in ("draw points", "surface metrics", "voxelise predictions", "voxelise truth")
    }
    chamfer, iou = [], []
    for truth, predicted in zip(meshes, guesses, strict=True):
        marks = [clock(settings.device)]
        a, b = (sample_surface(m, settings.points, with_normals=True) for m in (predicted[0], truth))
        marks.append(clock(settings.device))
        found = surface_metrics(a.points, b.points, predicted_normals=a.normals, target_normals=b.normals)
        chamfer.append(float(found.chamfer_l1))
        marks.append(clock(settings.device))
        solids = object_voxels(predicted, 32)
        marks.append(clock(settings.device))
        iou.append(float(voxel_iou(solids, object_voxels(truth, 32)).mean()))
        marks.append(clock(settings.device))
        for total, before, after in zip(spent.values(), marks[:-1], marks[1:], strict=True):
            total[0] += after[0] - before[0]
            total[1] += after[1] - before[1]

    table = Table("part", "wall [s]", "processor [s]", title=f"{len(files)} objects")
    for name, (wall, cpu) in spent.items():
        table.add_row(name, f"{wall:.1f}", f"{cpu:.1f}")
    console = Console()
    console.print(table)
    console.print(f"mean Chamfer-L1 {sum(chamfer) / len(chamfer):.4f}, mean 3D IoU {sum(iou) / len(iou):.3f}")
    result = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
        "settings": dataclasses.asdict(settings) | {"out": settings.out.name},
        "seconds": {name: {"wall": wall, "processor": cpu} for name, (wall, cpu) in spent.items()},
        "chamfer_l1": sum(chamfer) / len(chamfer),
        "iou": sum(iou) / len(iou),
    }
    write_file(settings.out, (json.dumps(result, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(tyro.cli(Settings))
