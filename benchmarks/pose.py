"""Pose from a picture, by each renderer: ``python benchmarks/pose.py --help``.

The rigid-pose experiment of the Soft Rasterizer paper (Liu et al. 2019, section 5.3), single random starts
with and without annealing, on a coloured cube and objects of ``home``; and ``unrender.pose.estimate_pose``,
which tries many starts, on the same pictures of ``home``.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import avg_pool2d

from unrender.geometry import Mesh, cube
from unrender.io import load_mesh
from unrender.pose import PoseOptions, estimate_pose, rotation_error, symmetry_rotations
from unrender.pose.compare import drawn, renderer_for
from unrender.pose.job import fit_of_camera
from unrender.pose.proxy import simplified
from unrender.render import Camera
from unrender.render.quaternion import rotation_from_quaternion
from unrender.render.turntable import bounding_ball, render_antialiased

HOME = Path(__file__).resolve().parents[2] / "shared" / "data" / "home"
RENDERERS = ("softras", "dibr", "nmr")
SIZE = 128
SMALL = 32  # pictures of single starts
FACES = 500
DISTANCE = 4.0  # radii of the object
FOV = 40.0
FAILED = 10.0  # degrees


@dataclasses.dataclass
class Settings:
    """What to run. A file of results that is there already is gone on with, unless --fresh."""

    objects: int = 50
    """the first so many of home's val split, in the order of its manifest"""
    cubes: int = 20
    """pictures of the cube"""
    starts: int = 4
    """random starts for each object (twice as many for each cube)"""
    steps: int = 100
    """of a single start"""
    workers: int = 2
    """processes"""
    out: Path = Path(__file__).parent / "results" / "pose-cpu.json"
    fresh: bool = False
    """forget earlier results"""
    quick: bool = False
    """3 objects, 2 cubes, 20 steps, into no file: only checks that it runs"""


class Mode(NamedTuple):
    """How single starts are optimised."""

    renderer: str
    blur: tuple[float, float]
    """pixels, at the start and at the end"""
    softness: tuple[float, float]
    """range of depths that mix, radii of the object"""


FINE = {"blur": (0.25, 0.25), "softness": (0.02, 0.02)}
COARSE_TO_FINE = {"blur": (2.0, 0.25), "softness": (0.5, 0.02)}
MODES = {
    "softras annealed": Mode("softras", **COARSE_TO_FINE),
    "softras fixed": Mode("softras", **FINE),
    "dibr annealed": Mode("dibr", **COARSE_TO_FINE),
    "dibr fixed": Mode("dibr", **FINE),
    "nmr": Mode("nmr", **FINE),  # has nothing to anneal
}


class Task(NamedTuple):
    """A picture of an object in the unit ball, and where to start."""

    mesh: Mesh
    camera: Camera
    rgba: Tensor
    starts: Tensor

    @property
    def rotation(self) -> Tensor:
        return self.camera.world_to_camera[:3, :3]


def random_rotations(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return rotation_from_quaternion(torch.randn(count, 4, generator=generator))


def make_task(mesh: Mesh, seed: int, starts: int) -> Task:
    centre, radius = bounding_ball(mesh)
    mesh = mesh.replace(vertices=(mesh.vertices - centre) / radius)
    rotations = random_rotations(1 + starts, seed)
    focal = SIZE / 2 / math.tan(math.radians(FOV) / 2)
    k = torch.tensor([[focal, 0, SIZE / 2], [0, focal, SIZE / 2], [0, 0, 1]])
    camera = Camera(poses_of(rotations[0]), k, SIZE, SIZE)
    return Task(mesh, camera, render_antialiased(mesh, camera, samples=3).clamp(0, 1), rotations[1:])


def poses_of(rotation: Tensor) -> Tensor:
    """World-to-camera matrices that turn an object before the camera."""
    pose = torch.eye(4).repeat(*rotation.shape[:-2], 1, 1)
    translation = rotation.new_tensor([[0.0], [0.0], [DISTANCE]]).expand(*rotation.shape[:-2], 3, 1)
    return torch.cat([torch.cat([rotation, translation], -1), pose[..., 3:, :]], -2)


def coloured_cube() -> Mesh:
    """A cube, each side another colour."""
    box = cube()
    corners = box.vertices[box.faces]
    normals = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = normals.abs().argmax(1)
    positive = normals.gather(1, axis[:, None])[:, 0] > 0
    palette = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]]).float()
    colors = palette[axis + 3 * positive.long()]
    faces = torch.arange(3 * len(corners)).view(-1, 3)
    return Mesh(corners.reshape(-1, 3), faces, vertex_colors=colors.repeat_interleave(3, 0))


def single_starts(task: Task, mode: Mode, steps: int) -> list[float]:
    """Rotation errors [degrees] after Adam on the squared difference of pictures, from each start.

    As in the paper, only the rotation is sought. DIB-R's colours have no gradient across edges, so that its
    loss has silhouettes too, as in its paper.
    """
    mesh = simplified(task.mesh, FACES)
    factor = SIZE // SMALL
    color = task.rgba[..., :3] * task.rgba[..., 3:]
    goal = avg_pool2d(torch.cat([color, task.rgba[..., 3:]], -1).permute(2, 0, 1), factor).permute(1, 2, 0)
    k = task.camera.resized(SMALL, SMALL).intrinsics
    rotation = task.starts
    first = second = torch.zeros(len(rotation), 3)
    for step in range(steps):
        share = step / (steps - 1)
        sharpness = min(1.0, share / 0.7)
        blur, softness = (a ** (1 - sharpness) * b**sharpness for a, b in (mode.blur, mode.softness))
        turn = torch.zeros(len(rotation), 3, requires_grad=True)
        camera = Camera(poses_of(turned(rotation, turn)), k, SMALL, SMALL)
        renderer = renderer_for(mode.renderer, blur=blur, softness=softness)
        alpha, own = drawn(mesh, camera, renderer, color=True)
        loss = (own - goal[..., :3]).square().sum()
        if mode.renderer == "dibr":
            loss = loss + (alpha - goal[..., 3]).square().sum()
        (gradient,) = torch.autograd.grad(loss, turn)
        first = 0.8 * first + 0.2 * gradient
        second = 0.95 * second + 0.05 * gradient.square()
        scale = (second / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8
        rate = 0.8 * 0.02**share
        rotation = turned(rotation, -rate * first / (1 - 0.8 ** (step + 1)) / scale)
    return rotation_error(rotation, task.rotation).tolist()


def turned(rotation: Tensor, turn: Tensor) -> Tensor:
    quaternion = torch.cat([torch.ones_like(turn[:, :1]), turn / 2], -1)
    return rotation_from_quaternion(quaternion) @ rotation


def many_starts(task: Task, symmetries: Tensor, renderer: str) -> dict[str, Any]:
    """What ``estimate_pose`` makes of the picture, without being told where the object is."""
    mask, picture = task.rgba[..., 3], task.rgba[..., :3]
    options = PoseOptions(renderer=renderer)
    result = estimate_pose(task.mesh, picture, mask, intrinsics=task.camera.intrinsics, options=options)
    rotation = result.camera.world_to_camera[:3, :3]
    error = float(rotation_error(rotation, task.rotation))
    modulo = float(rotation_error(rotation @ symmetries, task.rotation).min())
    best = result.best
    row = {
        "error": error,
        "error_modulo_symmetry": modulo,
        "mask_iou": best.mask_iou,
        "color_error": best.color_error,
        "error_of_best_candidate": min(
            float(rotation_error(c.camera.world_to_camera[:3, :3], task.rotation)) for c in result.candidates
        ),
        "seconds": result.seconds,
    }
    if error > FAILED:
        _, true_color = fit_of_camera(task.mesh, task.camera, mask, picture)
        same_color = (best.color_error or 0) <= (true_color or 0) + 0.02
        if modulo <= FAILED:
            row["why"] = "symmetric"
        elif best.mask_iou >= 0.95 and same_color:
            row["why"] = "ambiguous picture"
        else:
            row["why"] = "ambiguous mask" if best.mask_iou >= 0.95 else "local minimum"
    return row


def run_cube(number: int, settings: Settings) -> dict[str, Any]:
    torch.set_num_threads(1)
    task = make_task(coloured_cube(), 1000 + number, 2 * settings.starts)
    return {
        "name": f"cube {number}",
        "start": rotation_error(task.starts, task.rotation).tolist(),
        "single": {name: single_starts(task, mode, settings.steps) for name, mode in MODES.items()},
    }


def run_object(entry: dict[str, Any], settings: Settings) -> dict[str, Any]:
    torch.set_num_threads(1)
    mesh = load_mesh(HOME / entry["file"])
    task = make_task(mesh, int(Path(entry["file"]).stem[:8], 16), settings.starts)
    symmetries = symmetry_rotations(task.mesh)
    return {
        "name": entry["file"],
        "what": entry["name"],
        "faces": mesh.num_faces,
        "symmetries": len(symmetries),
        "start": rotation_error(task.starts, task.rotation).tolist(),
        "single": {name: single_starts(task, mode, settings.steps) for name, mode in MODES.items()},
        "many": {renderer: many_starts(task, symmetries, renderer) for renderer in RENDERERS},
    }


def statistics(errors: list[float]) -> dict[str, float]:
    values = torch.tensor(errors)
    return {
        "mean": float(values.mean()),
        "median": float(values.quantile(0.5)),
        f"below_{FAILED:g}": float((values < FAILED).float().mean()),
        "count": len(errors),
    }


def summary(results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    for group, runs in results.items():
        if not runs:
            continue
        of = {"start": statistics([e for run in runs for e in run["start"]])}
        for mode in MODES:
            of[mode] = statistics([e for run in runs for e in run["single"][mode]])
        rows[f"{group}, single starts"] = of
    home = results["home"]
    if home:
        for key, name in (
            ("error", "home, many starts"),
            ("error_modulo_symmetry", "the same modulo symmetry"),
        ):
            rows[name] = {r: statistics([run["many"][r][key] for run in home]) for r in RENDERERS}
    return rows


def show(results: dict[str, list[dict[str, Any]]], console: Console) -> None:
    table = Table("experiment", "renderer", "mean in degrees", "median", f"below {FAILED:g}", "runs")
    for group, modes in summary(results).items():
        for mode, of in modes.items():
            numbers = [f"{of['mean']:.1f}", f"{of['median']:.1f}", f"{of[f'below_{FAILED:g}']:.0%}"]
            table.add_row(group, mode, *numbers, str(of["count"]))
    console.print(table)
    failures = Table("object", "renderer", "error", "mask IoU", "why")
    for run in results["home"]:
        for renderer, row in run["many"].items():
            if "why" in row:
                cells = (f"{row['error']:.0f}", f"{row['mask_iou']:.2f}", row["why"])
                failures.add_row(f"{run['what']} ({run['name']})", renderer, *cells)
    console.print(failures)


def main(settings: Settings) -> None:
    """Run what is not in the file of results yet; write it after each object."""
    console = Console()
    if settings.quick:
        settings = dataclasses.replace(settings, objects=min(settings.objects, 3), cubes=2, steps=20)
    protocol = {
        "starts": settings.starts,
        "steps": settings.steps,
        "modes": {n: m._asdict() for n, m in MODES.items()},
    }
    protocol = json.loads(json.dumps(protocol))
    results: dict[str, list[dict[str, Any]]] = {"cube": [], "home": []}
    if settings.out.is_file() and not settings.fresh and not settings.quick:
        before = json.loads(settings.out.read_text())
        if before["protocol"] == protocol:
            results = before["results"]
    done = {run["name"] for runs in results.values() for run in runs}
    entries = json.loads((HOME / "manifest.json").read_text())["val"][: settings.objects]
    work = [("cube", partial(run_cube, n, settings), f"cube {n}") for n in range(settings.cubes)]
    work += [("home", partial(run_object, entry, settings), entry["file"]) for entry in entries]
    work = [(group, job, name) for group, job, name in work if name not in done]
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "workers": settings.workers,
        "torch": torch.__version__,
    }
    start = time.perf_counter()
    with ProcessPoolExecutor(settings.workers, mp_context=get_context("spawn")) as pool:
        futures = [(group, name, pool.submit(job)) for group, job, name in work]
        for group, name, future in futures:
            results[group].append(future.result())
            console.print(f"{time.perf_counter() - start:5.0f} s  {name}")
            if not settings.quick:
                report = {
                    "machine": machine,
                    "protocol": protocol,
                    "summary": summary(results),
                    "results": results,
                }
                settings.out.parent.mkdir(parents=True, exist_ok=True)
                settings.out.write_text(json.dumps(report, indent=1) + "\n")
    show(results, console)


if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    main(tyro.cli(Settings))
