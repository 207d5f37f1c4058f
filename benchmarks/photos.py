"""Photos to meshes with a predictor in the package: ``python benchmarks/photos.py [--method dvr] [--help]``.

Writes a report of each photo, the table of docs/prediction.md and its contact sheet: a row a photo with the
picture, its object, the predicted mesh from the same camera, the refined one, its normals, and turns of it.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, Literal

import torch
import tyro
from rich.console import Console
from torch import Tensor
from torch.nn.functional import interpolate

from unrender.errors import InputError
from unrender.io import contact_sheet, save_picture
from unrender.io.files import write_file
from unrender.io.masks import has_mask, load_masked
from unrender.io.pictures import load_picture, normals_to_picture
from unrender.learn.crop import crop_to_object
from unrender.learn.data.light_record import LightRecord
from unrender.learn.prediction import Prediction
from unrender.predict import ReportOptions, default_predictor, predict_each, write_report
from unrender.render import Camera, framing_camera, render
from unrender.render.turntable import composite, render_antialiased

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT.parent / "shared" / "data" / "photos"
CELL = 128  # sides of the sheet's pictures [pixels]
TURNS = (0.0, 60.0, 120.0, 180.0)  # views of the sheet, from the front [degrees]


@dataclasses.dataclass
class Settings:
    """What is predicted from, how long it is refined, and where the results go."""

    photos: Path = PHOTOS
    """pictures, some with a matte NAME.out.png that is used where no mask can be found"""
    method: Literal["dibr", "dvr"] = "dibr"
    refine: int = 200
    reports: Path = Path("out/photos")
    sheet: Path = ROOT / "docs" / "images"
    """folder of the contact sheet"""
    out: Path = ROOT / "benchmarks" / "results"
    """folder of the numbers"""


def main(settings: Settings) -> None:
    """Predict, refine, write."""
    network, reports = default_predictor(method=settings.method), settings.reports / settings.method
    console, rows, cells = Console(), [], []
    for path in sorted(settings.photos.glob("*")):
        if path.suffix not in (".png", ".jpg") or path.stem.endswith(".out"):
            continue
        picture, mask = masked(path)
        options = ReportOptions(views=8)
        first = predict_each([picture], predictor=network)[0]
        before = write_report(first, picture, reports / f"{path.stem}-unrefined", options)
        begin = time.perf_counter()
        refined = predict_each([picture], predictor=network, refine=settings.refine)[0]
        seconds = time.perf_counter() - begin
        after = write_report(refined, picture, reports / path.stem, options)
        rows.append(
            {
                "name": path.name,
                "mask": mask,
                "mask_iou": before["mask_iou"],
                "mask_iou_refined": after["mask_iou"],
                "seconds": seconds,
            }
        )
        console.print(rows[-1])
        cells += sheet_row(picture, first, refined)
    sheet = contact_sheet(cells, columns=5 + len(TURNS))
    save_picture(sheet, settings.sheet / f"photos-{settings.method}.png")
    out = settings.out / f"photos-{settings.method}-cpu.json"
    write_file(out, (json.dumps(rows, indent=1) + "\n").encode())


def masked(path: Path) -> tuple[Tensor, str]:
    """A photo with its mask as alpha, and where the mask comes from."""
    if has_mask(load_picture(path)):
        return load_masked(path), "its alpha"
    try:
        return load_masked(path), "GrabCut"
    except InputError as error:
        matte = path.with_suffix(".out.png")
        if not matte.is_file():
            raise
        Console().print(f"{error}; the matte is used")
        return load_masked(path, matte), "a matte, GrabCut's was refused"


@torch.no_grad()
def sheet_row(picture: Tensor, first: Prediction, refined: Prediction) -> list[Tensor]:
    """A photo, its object, the renders from its camera, normals, and views from around, on white."""
    premultiplied = torch.cat([picture[..., :3] * picture[..., 3:], picture[..., 3:]], -1)
    crop, transform = crop_to_object(premultiplied, size=CELL)
    cells = [fitted(picture[..., :3]), crop[..., :3] + 1 - crop[..., 3:]]
    for prediction in (first, refined):
        mesh, camera, lit = parts(prediction)
        close = camera.replace(intrinsics=transform @ camera.intrinsics, width=CELL, height=CELL)
        cells.append(composite(render_antialiased(mesh, close, **lit).clamp(0, 1), 1.0))
    drawn = render(mesh, close)
    facing = normals_to_picture(drawn.camera_normals * drawn.depth.new_tensor([1, -1, -1]))
    cells.append(facing + (~drawn.mask)[..., None])
    around = framing_camera(mesh, elevation=20.0, azimuth=torch.tensor(TURNS), width=CELL, height=CELL)
    turns = [render_antialiased(mesh, around[i], **lit).clamp(0, 1) for i in range(len(TURNS))]
    return cells + [composite(turn, 1.0) for turn in turns]


def parts(prediction: Prediction) -> tuple[Any, Camera, dict[str, Any]]:
    """The only mesh and camera of a prediction, and its light as arguments of a render."""
    assert prediction.mesh is not None
    assert prediction.camera is not None
    light = LightRecord("none") if prediction.light is None else prediction.light[0]
    return prediction.mesh[0], prediction.camera[0], {"light": light.lights(), "material": light.material()}


def fitted(picture: Tensor) -> Tensor:
    """A picture made to fit a cell."""
    scale = CELL / max(picture.shape[:2])
    size = [max(1, round(side * scale)) for side in picture.shape[:2]]
    small = interpolate(picture.permute(2, 0, 1)[None], size, mode="bilinear", antialias=True)
    return small[0].permute(1, 2, 0).clamp(0, 1)


if __name__ == "__main__":
    main(tyro.cli(Settings))
