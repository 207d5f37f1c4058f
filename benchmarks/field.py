"""How fast rays are cast on fields, and what that takes of memory: ``python benchmarks/field.py --help``."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import platform
import statistics
import time
from pathlib import Path

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch.nn.functional import binary_cross_entropy_with_logits

from unrender.implicit import CastOptions, GridField, OccupancyField, OccupiedSpace, cast
from unrender.implicit.losses import FieldLossOptions, RayTargets, field_losses
from unrender.io.files import write_file
from unrender.render import Camera
from unrender.render.rays import Rays, pixel_rays

OUTER, INNER = 0.3, 0.12  # radii of the torus that the fields are taught
TEACHING_STEPS = 400
FIELDS = ("plain", "grid")


@dataclasses.dataclass
class Settings:
    """What is measured, how often, and where the results go."""

    size: int = 64
    """sides of the picture whose rays are cast [pixels]"""
    samples: int = 128
    """along each ray"""
    memory_size: int = 128
    """the same where memory is measured, large beside what the allocator keeps at random"""
    memory_samples: tuple[int, ...] = (16, 64, 256, 1024)
    """along each ray there"""
    hidden: int = 128
    """width of the plain field, as in the paper's model of many objects"""
    rounds: int = 3
    device: str = "cpu"
    out: Path = Path(__file__).resolve().parent / "results" / "field-cpu.json"


def taught_field(name: str, settings: Settings) -> torch.nn.Module:
    """A field of a torus, learned from points inside and outside of it."""
    torch.manual_seed(0)
    field = GridField() if name == "grid" else OccupancyField(hidden=settings.hidden)
    field = field.to(settings.device)
    optimizer = torch.optim.Adam(field.parameters(), lr=5e-3 if name == "grid" else 1e-3)
    for _ in range(TEACHING_STEPS):
        points = 1.1 * (torch.rand(4096, 3, device=settings.device) - 0.5)
        ring = torch.linalg.vector_norm(points[:, ::2], dim=-1) - OUTER
        inside = torch.hypot(ring, points[:, 1]) < INNER
        logits, colors = field(points)
        loss = binary_cross_entropy_with_logits(logits, inside.to(logits.dtype))
        loss = loss + (colors - points.abs()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return field


def picture_rays(settings: Settings) -> Rays:
    """All rays of a picture of the torus."""
    camera = Camera.orbit(2.2, 35.0, 30.0, fov_y=30.0, width=settings.size, height=settings.size)
    return pixel_rays(camera.to(settings.device)).reshape(-1)


def learn_from(field: torch.nn.Module, rays: Rays, options: CastOptions, space: OccupiedSpace | None) -> None:
    """A step of learning: cast, losses, gradients."""
    hits = cast(field, rays, options, space=space)
    grey = torch.full_like(rays.origins, 0.5)
    terms = field_losses(field, rays, hits, RayTargets(grey, hits.hit), FieldLossOptions(normal=0.0))
    torch.stack(list(terms.values())).sum().backward()


def seconds_of(work, settings: Settings) -> float:
    """The median time of some rounds, after one that does not count."""
    found = []
    for _ in range(settings.rounds + 1):
        synchronize(settings)
        start = time.perf_counter()
        work()
        synchronize(settings)
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def synchronize(settings: Settings) -> None:
    """Wait for the device."""
    if settings.device != "cpu":
        torch.cuda.synchronize()


def time_field(name: str, settings: Settings) -> list[dict[str, object]]:
    """Rays a second with and without skipping of empty space."""
    field, rays = taught_field(name, settings), picture_rays(settings)
    options = CastOptions(samples=settings.samples)
    space = OccupiedSpace(options.half_side, device=settings.device)
    refresh = seconds_of(lambda: space.refresh(field), settings)
    dense = cast(field, rays, options)
    rows: list[dict[str, object]] = []
    for skips in (None, space):
        hits = cast(field, rays, options, space=skips)
        both = hits.hit & dense.hit
        forward = seconds_of(lambda skips=skips: cast(field, rays, options, space=skips), settings)
        whole = seconds_of(lambda skips=skips: learn_from(field, rays, options, skips), settings)
        rows.append(
            {
                "field": name,
                "skips": skips is not None,
                "rays": len(hits.hit),
                "hit": float(hits.hit.double().mean()),
                "forward_rays_per_second": len(hits.hit) / forward,
                "learning_rays_per_second": len(hits.hit) / whole,
                "evaluations_per_ray": hits.evaluations / len(hits.hit),
                "refresh_seconds": refresh if skips is not None else 0.0,
                "other_hits": int((hits.hit != dense.hit).sum()),
                "depth_difference": float((hits.depth - dense.depth)[both].abs().max()),
            }
        )
    return rows


def peak_memory(settings: Settings, samples: int) -> float:
    """What a step of learning takes at most [MiB]; in a process of its own on the CPU."""
    rays = picture_rays(dataclasses.replace(settings, size=settings.memory_size))
    field = OccupancyField(hidden=settings.hidden).to(settings.device)
    learn_from(field, rays.select(slice(0, 64)), CastOptions(samples=samples), None)  # loads what is needed
    if settings.device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        learn_from(field, rays, CastOptions(samples=samples), None)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # Linux then measures the peak from here on
    before = memory_used("VmRSS")
    learn_from(field, rays, CastOptions(samples=samples), None)
    return memory_used("VmHWM") - before


def memory_used(name: str) -> float:
    """A number of /proc/self/status [MiB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 2**10


def main(settings: Settings) -> None:
    """Measure, print, write."""
    rows = [row for name in FIELDS for row in time_field(name, settings)]
    memory = {}
    for samples in settings.memory_samples:
        if settings.device == "cpu":  # the peak of a process never falls
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                memory[samples] = pool.apply(peak_memory, (settings, samples))
        else:
            memory[samples] = peak_memory(settings, samples)

    table = Table("field", "skips", "rays/s cast", "rays/s learned from", "evaluations a ray", "other hits")
    for row in rows:
        table.add_row(
            str(row["field"]),
            "yes" if row["skips"] else "no",
            f"{row['forward_rays_per_second']:,.0f}",
            f"{row['learning_rays_per_second']:,.0f}",
            f"{row['evaluations_per_ray']:.1f}",
            str(row["other_hits"]),
        )
    console = Console()
    console.print(table)
    console.print("peak memory of a step [MiB], by samples along a ray:", memory)
    report = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": os.getloadavg(),
        "settings": {k: v for k, v in dataclasses.asdict(settings).items() if k != "out"},
        "rows": rows,
        "memory_mib": memory,
    }
    write_file(settings.out, (json.dumps(report, indent=1) + "\n").encode())


if __name__ == "__main__":
    main(tyro.cli(Settings))
