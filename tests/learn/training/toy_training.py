"""A predictor small enough to train within a test, and data for it.

Also a program, for tests that need other processes: ``toy_training.py DATA OUT JSON [resume]`` trains with
the options in JSON.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from unrender.geometry import Mesh, cube, icosphere
from unrender.learn import registry
from unrender.learn.data import CaptureOptions, capture
from unrender.learn.data.augment import AugmentOptions
from unrender.learn.data.tree_writer import write_object
from unrender.learn.prediction import Prediction
from unrender.learn.predictor import Batch, Predictor
from unrender.learn.training import TrainOptions, train
from unrender.render import DIBR, render


@dataclasses.dataclass(frozen=True, kw_only=True)
class ToyConfig:
    size: int = 32
    crop: bool = False
    hidden: int = 32
    noise: float = 0.0
    broken_step: int = -1


class Toy(Predictor):
    """Looks at 8 x 8 pixels and stretches a sphere along the axes; ``noise`` uses the global generator."""

    method = "toy"
    config: ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Sequential(
            nn.Linear(8 * 8 * 4, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 6)
        )
        ball = icosphere(2, radius=0.35)
        self.register_buffer("vertices", ball.vertices, persistent=False)
        self.register_buffer("faces", ball.faces, persistent=False)
        self.calls = 0

    vertices: Tensor
    faces: Tensor

    def forward(self, pictures: Tensor) -> Prediction:
        small = nn.functional.adaptive_avg_pool2d(pictures.permute(0, 3, 1, 2), 8)
        stretch, color = self.encoder(small.flatten(1)).split(3, -1)
        vertices = self.vertices * stretch.exp()[:, None]
        return Prediction(
            Mesh(vertices, self.faces, vertex_colors=color.sigmoid()[:, None].expand_as(vertices))
        )

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        mesh = self(batch.pictures[:, 0]).mesh
        picture = render(mesh[:, None], batch.cameras, renderer=DIBR())
        rough = (picture.alpha - batch.pictures[..., 3]).square().mean()
        color = (picture.rgb - batch.pictures[..., :3]).abs().mean()
        if self.config.noise:
            rough = rough * (1 + self.config.noise * torch.rand(()))
        self.calls += 1
        if self.calls - 1 == self.config.broken_step:
            color = color * torch.tensor(float("nan"))
        return {"mask": 4 * rough, "color": color}


def write_boxes(folder: Path, *, train: int = 6, val: int = 3) -> Path:
    """Boxes and balls of several proportions as a data set in the format ``tree``."""
    generator = torch.Generator().manual_seed(5)
    names: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for i in range(train + val):
        shape = cube(size=1.0) if i % 2 else icosphere(2)
        sides = 0.2 + 0.8 * torch.rand(3, generator=generator)
        vertices = shape.vertices * sides
        mesh = Mesh(vertices, shape.faces, vertex_colors=sides.expand_as(vertices))
        options = CaptureOptions(size=32, views=6, light="lambert", points=10, samples=1)
        write_object(capture(mesh, f"box{i}", "box", options), folder / "box" / f"box{i}")
        names["train" if i < train else "val"].append(f"box{i}")
    for split, members in names.items():
        (folder / "box" / f"softras_{split}.lst").write_text("".join(f"{name}\n" for name in members))
    return folder


def register() -> None:
    """Make ``toy`` a method."""
    sys.modules["unrender.learn.methods.toy"] = sys.modules[__name__]
    registry.METHODS["toy"] = ("toy", "ToyConfig", "Toy")


def toy_options(data: Path, out: Path, **changes: Any) -> TrainOptions:
    """Options of a short training of the toy, or of another method."""
    method = changes.pop("method", "toy")
    fields = {n: tuple(v) if isinstance(v, list) else v for n, v in changes.pop("config", {}).items()}
    config = registry.method_config(method)(**fields)
    if "augment" in changes:
        changes["augment"] = AugmentOptions(**changes["augment"])
    values: dict[str, Any] = {
        "steps": 12,
        "batch_size": 4,
        "learning_rate": 1e-2,
        "validate_every": 4,
        "checkpoint_minutes": 0.0,
    }
    return TrainOptions(method=method, config=config, data=(data,), out=out, **{**values, **changes})


def parameters(out: Path) -> dict[str, Tensor]:
    """The parameters in a training's checkpoint."""
    return torch.load(out / "last.pt", weights_only=True)["state"]["predictor"]


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Whether two sets of parameters have the same bits."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def losses(out: Path) -> dict[int, float]:
    """The recorded losses of a finished training, by step."""
    return {row["step"]: row["loss"] for row in json.loads((out / "training.json").read_text())["losses"]}


if __name__ == "__main__":
    torch.set_num_threads(1)
    register()
    data, out, changes, *rest = sys.argv[1:]
    train(toy_options(Path(data), Path(out), **json.loads(changes)), resume="resume" in rest)
