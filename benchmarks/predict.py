"""How long a prediction takes, in parts: ``python benchmarks/predict.py --help``."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console
from rich.table import Table

from unrender import predict, save_mesh
from unrender.io import load_picture
from unrender.io.files import write_file
from unrender.learn.crop import crop_to_object
from unrender.predict import default_predictor

ROOT = Path(__file__).resolve().parent


@dataclasses.dataclass
class Settings:
    """What is predicted from, how often, and where the results go."""

    picture: Path = ROOT.parent / "examples" / "picture.png"
    """with an alpha channel"""
    method: Literal["dibr", "dvr"] = "dibr"
    rounds: int = 30
    device: str = "cpu"
    out: Path = ROOT / "results"
    """folder"""


def main(settings: Settings) -> None:
    """Measure, print, write."""
    picture = load_picture(settings.picture)
    network = default_predictor(settings.device, settings.method)
    premultiplied = torch.cat([picture[..., :3] * picture[..., 3:], picture[..., 3:]], -1).to(settings.device)
    crop, _ = crop_to_object(premultiplied, size=network.config.size)
    mesh = predict(picture, predictor=network, device=settings.device).mesh
    assert mesh is not None
    one = mesh[0]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "object.glb"

        def to_glb() -> None:
            found = predict(picture, predictor=network, device=settings.device).mesh
            assert found is not None
            save_mesh(found[0], file)

        parts: dict[str, Callable[[], object]] = {
            "crop": lambda: crop_to_object(premultiplied, size=network.config.size),
            "network": lambda: network(crop[None]),
            "picture to mesh, colours, light and camera": lambda: predict(
                picture, predictor=network, device=settings.device
            ),
            "write GLB": lambda: save_mesh(one, file),
            "picture to GLB": to_glb,
        }
        seconds = {name: timed(part, settings.rounds) for name, part in parts.items()}

    table = Table("part", "median [ms]", "slowest [ms]", title=f"{settings.picture.name}, {settings.device}")
    for name, values in seconds.items():
        table.add_row(name, f"{1e3 * statistics.median(values):.1f}", f"{1e3 * max(values):.1f}")
    Console().print(table)
    result = {
        "machine": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "load": os.getloadavg(),
        "device": settings.device,
        "picture": [settings.picture.name, *picture.shape],
        "rounds": settings.rounds,
        "milliseconds": {
            name: {"median": 1e3 * statistics.median(values), "slowest": 1e3 * max(values)}
            for name, values in seconds.items()
        },
    }
    out = settings.out / f"predict-{settings.method}-cpu.json"
    write_file(out, (json.dumps(result, indent=1) + "\n").encode())


@torch.no_grad()
def timed(part: Callable[[], object], rounds: int) -> list[float]:
    """Seconds of each round, after two that do not count."""
    found = []
    for _ in range(rounds + 2):
        begin = time.perf_counter()
        part()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begin)
    return found[2:]


if __name__ == "__main__":
    main(tyro.cli(Settings))
