"""Small meshes in files, for tests that make training sets of them."""

from pathlib import Path

import torch

from unrender.geometry import Mesh, cube, merge
from unrender.io import save_mesh
from unrender.learn.data import CaptureOptions

FAST = CaptureOptions(size=8, views=3, points=20, samples=1)
N3MR = CaptureOptions(size=8, views=24, points=20, samples=1)


def box(sides: tuple[float, float, float], at: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Mesh:
    """A box with a colour at each corner."""
    one = cube()
    colors = 0.2 + 0.6 * (one.vertices > 0)
    return Mesh(one.vertices * torch.tensor(sides) + torch.tensor(at), one.faces, vertex_colors=colors)


def key() -> Mesh:
    """Different from its mirror images and its turned selves: a bar along +X, a knob up and to the front."""
    knobs = [box((0.2, 0.5, 0.1), (0.35, 0.3, 0.0)), box((0.2, 0.1, 0.4), (-0.4, 0.0, 0.2))]
    return merge([box((1.0, 0.2, 0.1)), *knobs])


def write_meshes(root: Path, *, broken: bool = True) -> Path:
    """Three chairs and two lamps and, if wanted, a broken chair and a flat lamp."""
    for index in range(3):
        save_mesh(box((1.0, 0.3 + 0.2 * index, 0.5)), root / "chair" / f"chair{index}.ply")
    for index in range(2):
        save_mesh(box((0.2, 1.0, 0.3 + 0.2 * index)), root / "lamp" / f"lamp{index}.ply")
    if broken:
        (root / "chair" / "chair1b.obj").write_text("v 0 0 0\nv 1 0 0\nv nan 1 0\nf 1 2 3\n")
        (root / "lamp" / "flat.obj").write_text("v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n")
    return root


def contents(root: Path) -> dict[str, bytes]:
    """All files under a folder, by relative path."""
    return {f"{file.relative_to(root)}": file.read_bytes() for file in root.rglob("*") if file.is_file()}
