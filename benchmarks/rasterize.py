"""Time and memory of the rasterizers: Warp kernels, the PyTorch reference and, where installed, PyTorch3D.

    python benchmarks/rasterize.py [--quick] [--device cuda] [--out benchmarks/results/rasterize-cpu.json]

How it measures is described in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.util
import itertools
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from unrender.geometry import gather_corners, icosphere
from unrender.render import Camera
from unrender.render.raster.backend import Backend
from unrender.render.raster.dibr import soft_mask
from unrender.render.raster.grid import Grid
from unrender.render.raster.interpolate import interpolate
from unrender.render.raster.nmr import NeuralMesh, scan_edges
from unrender.render.raster.softras import SoftRas, aggregate, silhouette
from unrender.render.raster.zbuffer import rasterize
from unrender.render.scene import prepare

PASSES = ("dibr hard", "dibr soft", "dibr", "softras silhouette", "softras colour", "nmr")
WEIGHED = ("dibr", "softras colour", "nmr")  # whose memory is measured
SUBDIVISIONS = {1280: 3, 20480: 5}
BLUR = 1.0  # pixels
REACH = BLUR * math.sqrt(math.log(1e4))  # where the blur has fallen to 1e-4, the default of soft_mask
SIGMA = 1e-4  # of SoftRas, in NDC; its gamma is 1e-4 too, as in the paper's fits
# PyTorch3D keeps the nearest so many faces of a pixel; unrender keeps all
PYTORCH3D_FACES = {"dibr": 30, "softras": 50}

# What the reference may take; its memory is estimated from its (pixel, triangle) pairs.
MOST_SECONDS = 20.0
MOST_BYTES = 4e9
BYTES_PER_PAIR = 120  # measured: 85 to 125

Run = Callable[[], tuple[Tensor, ...]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A sphere of ``faces`` triangles under ``batch`` cameras, seven eighths of a picture's side wide."""

    size: int
    faces: int
    batch: int

    def __str__(self) -> str:
        return f"{self.size}^2, {self.faces} faces, batch {self.batch}"


class Work:
    """The inputs of a case, and each implementation as a function from a pass to differentiable outputs."""

    def __init__(self, case: Case, device: torch.device) -> None:
        mesh = icosphere(SUBDIVISIONS[case.faces], device=device)
        azimuth = torch.arange(case.batch, dtype=torch.float32, device=device) * (360 / case.batch) + 7
        camera = Camera.orbit(3.0, 20.0, azimuth, fov_y=44.0, width=case.size, height=case.size)
        scene = prepare(mesh, camera)
        self.case = case
        self.grid: Grid = scene.grid
        self.starts = scene.image_starts
        self.rows = scene.face.int()
        self.triangles = scene.triangles.detach().requires_grad_()
        colors = gather_corners(torch.rand(mesh.num_vertices, 3, device=device), mesh.faces)
        self.colors = colors.requires_grad_()
        self.index, _, _ = rasterize(self.triangles.detach(), self.starts, self.grid)
        self.softras = SoftRas(sigma_ndc=SIGMA).aggregation(self.grid, camera.near)
        self.scan_eps = NeuralMesh().scan_eps(self.grid)

    def pairs(self, which: str) -> int:
        """(pixel, triangle) pairs of the reference."""
        reach = self.softras.reach if which.startswith("softras") else REACH
        first, last = self.grid.pixel_boxes(self.triangles, reach)
        return int((last - first).prod(1).sum())

    def inputs(self, which: str) -> list[Tensor]:
        """What the gradients of a pass are taken with respect to."""
        shape_only = which in ("dibr soft", "softras silhouette")
        return [self.triangles] if shape_only else [self.triangles, self.colors]

    def unrender(self, backend: Backend, which: str) -> Run:
        """A pass in this package."""
        place = {"triangles": self.triangles, "image_starts": self.starts, "grid": self.grid}

        def colored() -> tuple[Tensor, Tensor, Tensor]:
            index, weights, depth = rasterize(**place, backend=backend)
            values = interpolate(self.colors, index, weights, rows=self.rows, backend=backend, **place)
            return index, values, depth

        def dibr_soft(index: Tensor) -> Tensor:
            return soft_mask(self.triangles, self.starts, index, self.grid, sigma=BLUR**2, backend=backend)

        def dibr() -> tuple[Tensor, ...]:
            index, values, depth = colored()
            return values, depth, dibr_soft(index)

        def nmr() -> tuple[Tensor, ...]:
            index, values, _ = colored()
            pictures = torch.cat([values, (index >= 0)[..., None].float()], -1)
            return (scan_edges(pictures, **place, index=index, eps=self.scan_eps, backend=backend),)

        how, rows = self.softras, self.rows
        runs: dict[str, Run] = {
            "dibr hard": lambda: colored()[1:],
            "dibr soft": lambda: (dibr_soft(self.index),),
            "dibr": dibr,
            "softras silhouette": lambda: (silhouette(**place, how=how, backend=backend),),
            "softras colour": lambda: aggregate(
                corners=self.colors, rows=rows, how=how, backend=backend, **place
            ),
            "nmr": nmr,
        }
        return runs[which]

    def pytorch3d(self, which: str) -> Run:
        """The nearest thing in PyTorch3D: its rasterizer, twice for "dibr", since blur widens faces."""
        from pytorch3d.ops import interpolate_face_attributes  # type: ignore[import-not-found]
        from pytorch3d.renderer.blending import (  # type: ignore[import-not-found]
            BlendParams,
            sigmoid_alpha_blend,
            softmax_rgb_blend,
        )
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # type: ignore[import-not-found]
        from pytorch3d.renderer.mesh.rasterizer import Fragments  # type: ignore[import-not-found]
        from pytorch3d.structures import Meshes  # type: ignore[import-not-found]

        size = self.case.size
        scale = self.triangles.new_tensor([-2 / size, -2 / size, 1])  # its axes point left and up
        faces = torch.arange(3 * self.case.faces, device=self.triangles.device).view(-1, 3)
        faces = faces.expand(self.case.batch, -1, -1)
        blend = BlendParams(sigma=SIGMA, gamma=1e-4)

        def rasterized(reach: float, count: int) -> tuple[Tensor, ...]:
            corners = (self.triangles * scale).view(self.case.batch, -1, 3)
            return rasterize_meshes(
                Meshes(corners, faces),
                image_size=size,
                blur_radius=(2 * reach / size) ** 2,
                faces_per_pixel=count,
                perspective_correct=True,
                clip_barycentric_coords=reach > 0,
            )

        def hard() -> tuple[Tensor, Tensor]:
            face, depth, weights, _ = rasterized(0.0, 1)
            corners = self.colors[self.rows.long()]
            return interpolate_face_attributes(face, weights, corners)[..., 0, :], depth[..., 0]

        def soft() -> Tensor:
            face, _, _, square = rasterized(REACH, PYTORCH3D_FACES["dibr"])
            p = torch.exp(-square.clamp(min=0) * (size / 2 / BLUR) ** 2) * (face >= 0)
            return 1 - (1 - p).prod(-1)

        def softras(*, colored: bool) -> Tensor:
            face, depth, weights, square = rasterized(self.softras.reach, PYTORCH3D_FACES["softras"])
            fragments = Fragments(face, depth, weights, square)
            if not colored:
                return sigmoid_alpha_blend(depth[..., None].expand(*depth.shape, 3), fragments, blend)[..., 3]
            colors = interpolate_face_attributes(face, weights, self.colors[self.rows.long()])
            return softmax_rgb_blend(colors, fragments, blend)

        runs: dict[str, Run] = {
            "dibr hard": hard,
            "dibr soft": lambda: (soft(),),
            "dibr": lambda: (*hard(), soft()),
            "softras silhouette": lambda: (softras(colored=False),),
            "softras colour": lambda: (softras(colored=True),),
        }
        return runs[which]

    def implementation(self, name: str, which: str) -> Run:
        """By name: ``"warp"``, ``"torch"`` or ``"pytorch3d"``."""
        if name == "pytorch3d":
            return self.pytorch3d(which)
        return self.unrender("torch" if name == "torch" else "warp", which)

    def timed(self, run: Run, which: str) -> tuple[float, float, list[Tensor]]:
        """Milliseconds an image, forward and backward, and the gradients."""
        began = self._now()
        outputs = run()
        middle = self._now()
        rates = [torch.ones_like(o) for o in outputs]
        prepared = self._now()
        grads = torch.autograd.grad(outputs, self.inputs(which), rates)
        ended = self._now()
        per_image = 1e3 / self.case.batch
        return (middle - began) * per_image, (ended - prepared) * per_image, list(grads)

    def _now(self) -> float:
        if self.triangles.is_cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


def measure(
    case: Case, device: torch.device, names: list[str], rounds: int, rates: dict[str, float]
) -> list[dict[str, Any]]:
    """One entry a pass: times of all implementations, taken in turn, and whether gradients repeat.

    ``rates`` carries each implementation's seconds a pair from case to case, to foresee the slow ones.
    """
    work = Work(case, device)
    entries = []
    for which in PASSES:
        pairs = work.pairs(which)
        results: dict[str, dict[str, Any]] = {}
        runs: dict[str, Run] = {}
        times: dict[str, list[tuple[float, float]]] = {}
        for name in names:
            reason = reason_to_skip(name, which, pairs, rates.get(f"{name} {which}", 0.0))
            if reason:
                results[name] = {"skipped": reason}
                continue
            runs[name] = work.implementation(name, which)
            warm = [work.timed(runs[name], which) for _ in range(2)]
            same = all(torch.equal(a, b) for a, b in zip(warm[0][2], warm[1][2], strict=True))
            rates[f"{name} {which}"] = (warm[1][0] + warm[1][1]) * case.batch / 1e3 / pairs
            results[name] = {"gradients_repeat": same}
            times[name] = []
        for _ in range(rounds):
            for name, run in runs.items():
                times[name].append(work.timed(run, which)[:2])
        for name, samples in times.items():
            forward, backward = (statistics.median(part) for part in zip(*samples, strict=True))
            total = statistics.median(map(sum, samples))
            results[name] |= {"forward_ms": forward, "backward_ms": backward, "total_ms": total}
            results[name]["times_warp"] = total / results["warp"]["total_ms"]
        entries.append({**dataclasses.asdict(case), "pass": which, "results": results})
    return entries


def reason_to_skip(name: str, which: str, pairs: int, seconds_a_pair: float) -> str | None:
    """Why an implementation is left out of a case, or None."""
    if name == "warp":
        return None
    if name == "pytorch3d" and importlib.util.find_spec("pytorch3d") is None:
        return "PyTorch3D is not installed"
    if name == "pytorch3d" and which == "nmr":
        return "PyTorch3D has no such renderer"
    if pairs * seconds_a_pair > MOST_SECONDS:
        return f"would take about {pairs * seconds_a_pair:.0f} s, more than {MOST_SECONDS:.0f} s"
    if name == "torch" and pairs * BYTES_PER_PAIR > MOST_BYTES:
        return f"would need about {pairs * BYTES_PER_PAIR / 1e9:.0f} GB, more than {MOST_BYTES / 1e9:.0f} GB"
    return None


def peak_memory(case: Case, name: str, which: str, device: torch.device) -> float:
    """Megabytes that forward and backward of a pass add, measured in this (fresh) process."""
    smallest = Work(Case(16, 1280, 1), device)
    smallest.timed(smallest.implementation(name, which), which)  # loads kernels and libraries
    work = Work(case, device)
    run = work.implementation(name, which)
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work.timed(run, which)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")  # sets the mark back to what is resident now
    before = high_water()
    work.timed(run, which)
    return high_water() - before


def high_water() -> float:
    """The most memory that this process has held so far [MB]."""
    status = Path("/proc/self/status")
    if not status.exists():  # macOS, in bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # not ru_maxrss: on Linux a process inherits its parent's
    return (
        next(int(row.split()[1]) for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        / 2**10
    )


def peak_memory_of_a_process(case: Case, name: str, which: str, device: torch.device) -> float:
    """:func:`peak_memory` in a fresh process."""
    numbers = [str(n) for n in dataclasses.astuple(case)]
    command = [sys.executable, __file__, "--device", str(device), "--memory", name, which, *numbers]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def machine(device: torch.device) -> dict[str, Any]:
    """What the numbers depend on."""
    import warp

    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "command": " ".join(["python", *sys.argv]),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "cpu": cpu,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "torch": torch.__version__,
        "warp": warp.config.version,
        "pytorch3d": importlib.util.find_spec("pytorch3d") is not None,
    }


def table(entries: list[dict[str, Any]], names: list[str]) -> Table:
    """Milliseconds an image, and memory, of the implementations that ran at all."""
    shown = [n for n in names if any("skipped" not in e["results"][n] for e in entries)]
    reasons = {f"{n}: {e['results'][n]['skipped']}" for n in names if n not in shown for e in entries}
    result = Table(
        title="ms an image: forward + backward = both (times Warp)", caption="; ".join(sorted(reasons))
    )
    memory_title = "peak MB: " + ", ".join(shown)
    for column in ("picture", "faces", "batch", "pass", *shown, memory_title, "gradients repeat"):
        result.add_column(column, justify="right")
    for entry in entries:
        cells, memory, repeats = [], [], []
        for name in shown:
            r = entry["results"][name]
            memory.append(f"{r['peak_mb']:.0f}" if "peak_mb" in r else "-")
            repeats.append({True: "yes", False: "no", None: "-"}[r.get("gradients_repeat")])
            if "skipped" in r:
                cells.append(f"[dim]{r['skipped']}")
            else:
                split = f"{r['forward_ms']:.2f} + {r['backward_ms']:.2f}"
                cells.append(f"{split} = [bold]{r['total_ms']:.2f}[/] ({r['times_warp']:.1f}x)")
        weighed = entry["pass"] in WEIGHED
        shape = [f"{entry['size']}²", str(entry["faces"]), str(entry["batch"]), entry["pass"]]
        memory_cell = ", ".join(memory) if weighed else ""
        result.add_row(*shape, *cells, memory_cell, ", ".join(repeats), end_section=weighed)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="small cases, few repeats: a check, no result")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, help="timed repeats of each (default 5; quick 2)")
    parser.add_argument("--out", type=Path, help="JSON file (benchmarks/results/rasterize-DEVICE.json)")
    parser.add_argument("--memory", nargs=5, help=argparse.SUPPRESS)  # NAME PASS SIZE FACES BATCH
    options = parser.parse_args()
    device = torch.device(options.device)
    if options.memory:
        name, which, *numbers = options.memory
        print(peak_memory(Case(*map(int, numbers)), name, which, device))
        return

    names = ["warp", "torch", "pytorch3d"]
    batches = (1, 8) if options.quick else (1, 8, 32)
    sizes, faces = ((64,), (1280,)) if options.quick else ((64, 256), (1280, 20480))
    rounds = options.rounds or (2 if options.quick else 5)
    console = Console(width=None if sys.stdout.isatty() else 160)
    report: dict[str, Any] = {"machine": machine(device), "quick": options.quick, "rounds": rounds}
    entries: list[dict[str, Any]] = []
    rates: dict[str, float] = {}
    for case in itertools.starmap(Case, itertools.product(sizes, faces, batches)):
        console.print(f"[dim]{case}")
        measured = measure(case, device, names, rounds, rates)
        for entry in measured:
            for name, result in entry["results"].items():
                if entry["pass"] in WEIGHED and "skipped" not in result:
                    result["peak_mb"] = peak_memory_of_a_process(case, name, entry["pass"], device)
        entries += measured
    console.print(table(entries, names))
    out = options.out or Path(__file__).parent / "results" / f"rasterize-{device.type}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({**report, "cases": entries}, indent=1) + "\n")
    console.print(f"written to {out}")


if __name__ == "__main__":
    main()
