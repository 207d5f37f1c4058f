"""Make the pictures of the documentation: ``python docs/pictures.py``.

What ``make demo`` and ``make demo-fit`` wrote must be there; benchmarks/photos.py makes the sheet of photos.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from unrender.io import contact_sheet, load_picture, load_views, save_picture
from unrender.learn.data.procedural import random_object
from unrender.render import framing_camera, studio_light
from unrender.render.turntable import composite, render_antialiased

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "out" / "demo-fit"
IMAGES = ROOT / "docs" / "images"
SHOWN = ("04", "09", "19", "29")  # of the held-out views
MADE = 8  # generated objects of each category that is shown
MADE_OF = ("chair", "table", "cabinet", "lamp", "bed", "car", "vessel", "airplane")
OUTPUTS = ("rgb", "albedo", "normals", "depth")


def comparison() -> torch.Tensor:
    """Held-out pictures over renders of the fitted mesh: two rows of its contact sheet."""
    sheet = load_picture(DEMO / "object-views.png")[..., :3]
    names = load_views(ROOT / "examples" / "demo_views").split(5)[1].names
    side = (sheet.shape[1] - 4) // len(names)
    columns = [sheet[4 : 4 + 2 * side, 4 + side * names.index(name) :][:, : side - 4] for name in SHOWN]
    cells = [column[row * side :][: side - 4] for row in range(2) for column in columns]
    return contact_sheet(cells, columns=len(SHOWN))


def outputs() -> torch.Tensor:
    """The fitted mesh as ``unrender render`` draws it."""
    path = DEMO / "render.png"
    command = [Path(sys.executable).with_name("unrender"), "render", DEMO / "object.glb", "-o", path]
    subprocess.run([*command, "--size", "240", "240", "--output", *OUTPUTS], check=True)
    files = [path if name == "rgb" else path.with_stem(f"render-{name}") for name in OUTPUTS]
    return contact_sheet([load_picture(file)[..., :3] for file in files], columns=len(files))


def generated() -> torch.Tensor:
    """Objects of the generator, a row a category."""
    cells = []
    for category in MADE_OF:
        for index in range(MADE):
            mesh = random_object(index, 1, category=category).mesh
            camera = framing_camera(mesh, elevation=22.0, azimuth=35.0, width=96, height=96)
            picture = render_antialiased(mesh, camera, studio_light(camera), samples=3)
            cells.append(composite(picture.clamp(0, 1), 1.0))
    return contact_sheet(cells, columns=MADE)


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    save_picture(comparison(), IMAGES / "demo.png")
    save_picture(outputs(), IMAGES / "outputs.png")
    save_picture(generated(), IMAGES / "procedural.png")
    save_picture(load_picture(ROOT / "out" / "demo" / "picture" / "sheet.png"), IMAGES / "predict.png")
