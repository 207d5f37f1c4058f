"""Settings under names: those of the papers, and short ones.

Numbers are those of the released code where there is any. The networks and the weights of the losses are the
defaults of each method's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ..data.augment import AugmentOptions
from .options import TrainOptions


def n3mr(data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """The Neural 3D Mesh Renderer's, one network for all classes (Kato et al. 2018; ``papers.md`` 2.1).

    The released code smooths with weight 0 for all classes together, and with 1e-3, the configuration's
    default, for a network a class.
    """
    from ..methods.nmr import NMRConfig

    published: dict[str, Any] = {
        "config": NMRConfig(flatten_weight=0.0),
        "steps": 1_000_000,
        "batch_size": 64,
        "views": 2,
        "learning_rate": 1e-4,
        "schedule": "step",
        "decay_at": (0.95,),
        "decay": 0.1,
    }
    return TrainOptions(**{"method": "nmr", "data": tuple(data), "out": out, **published, **changes})


def softras(data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """Soft Rasterizer's (Liu et al. 2019; ``papers.md`` 2.2): rate and sigma fall to 0.3 at 60 %."""
    published: dict[str, Any] = {
        "steps": 250_000,
        "batch_size": 64,
        "views": 2,
        "learning_rate": 1e-4,
        "schedule": "step",
        "decay_at": (0.6,),
        "decay": 0.3,
    }
    return TrainOptions(**{"method": "softras", "data": tuple(data), "out": out, **published, **changes})


def dibr(data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """DIB-R's (Chen et al. 2019; ``papers.md`` 2.3): batches of the release, length of the reimplementation.

    The authors' reimplementation halves the rate after 400,000 steps and gives the result after 470,000.
    """
    from ..methods.dibr import DIBRConfig

    published: dict[str, Any] = {
        "config": DIBRConfig(symmetry_weight=0.0),
        "steps": 470_000,
        "batch_size": 64,
        "views": 2,
        "learning_rate": 1e-4,
        "schedule": "step",
        "decay_at": (400 / 470,),
        "decay": 0.5,
    }
    return TrainOptions(**{"method": "dibr", "data": tuple(data), "out": out, **published, **changes})


def voxel(data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """Of solids, the baseline of N3MR's table: with N3MR's batches, and the length of SoftRas's training.

    N3MR took it from Perspective Transformer Nets (Yan et al. 2016); its settings are in no released code of
    the four papers.
    """
    published: dict[str, Any] = {"steps": 250_000, "batch_size": 64, "views": 2, "learning_rate": 1e-4}
    return TrainOptions(**{"method": "voxel", "data": tuple(data), "out": out, **published, **changes})


def dvr(data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """Differentiable Volumetric Rendering's single-image model (Niemeyer et al. 2020; ``papers.md`` 2.4).

    The released code halves the rate after 750 and 1000 epochs and stops by validation; the steps here are
    1100 epochs of 30,000 objects in batches of 64. It casts the rays of one picture, drawn at random; here
    they are of two, of which the network sees the first.
    """
    published: dict[str, Any] = {
        "steps": 515_000,
        "batch_size": 64,
        "views": 2,
        "learning_rate": 1e-4,
        "schedule": "step",
        "decay_at": (750 / 1100, 1000 / 1100),
        "decay": 0.5,
    }
    return TrainOptions(**{"method": "dvr", "data": tuple(data), "out": out, **published, **changes})


def quick(method: str, data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """Minutes instead of days: encoders half as wide, small batches, a high rate, mirrored pictures.

    Args:
        method: any that is trained with pictures.
        data: data sets.
        out: folder.
        **changes: fields of :class:`TrainOptions`, in place of the recipe's.
    """
    short: dict[str, Any] = {
        "config": quick_config(method),
        "steps": 2000,
        "batch_size": 16,
        "views": 2,
        "learning_rate": 4e-4,
        "schedule": "cosine",
        "clip_norm": 1.0,
        "augment": AugmentOptions(flip=True),
        "checkpoint_minutes": 2.0,
        "validate_every": 200,
    }
    if method == "dvr":
        short |= {"views": 6, "learning_rate": 1e-3}  # six pictures carve a hull
    return TrainOptions(**{"method": method, "data": tuple(data), "out": out, **short, **changes})


def quick_config(method: str, **changes: Any) -> Any:
    """The configuration of :func:`quick`: networks of half the published width, shapes that move smoothly.

    Args:
        method: any that is trained with pictures.
        **changes: fields of the method's configuration.
    """
    from ..registry import method_config

    short: dict[str, Any] = {"width": 16}
    if method != "voxel":
        short = {"channels": (32, 64, 128), "hidden": 512}
    if method == "dvr":
        short |= {"encoder": "conv", "frequencies": 2, "hull_share": 0.5, "points": 512, "mean_color": True}
        short |= {"rays": 128, "samples": (16, 32), "samples_at": (0.5,), "normal_weight": 0.0}
        short["level"] = 0.4  # of thin objects a short training is never as sure as 1/2
    elif method != "voxel":
        short["smoothness"] = 3.0
    if method == "dibr":
        short["texture_flow"] = changes.get("appearance", "texture") == "texture"
        short["sigma_ndc"] = (3.5e-4, 2.2e-5)  # 0.6 to 0.15 pixels of 64
    return method_config(method)(**short | changes)


PAPERS: dict[str, Callable[..., TrainOptions]] = {
    "nmr": n3mr,
    "softras": softras,
    "dibr": dibr,
    "voxel": voxel,
    "dvr": dvr,
}
"""The papers' settings of each method."""


def recipe_options(recipe: str, method: str, data: Sequence[Path], out: Path, **changes: Any) -> TrainOptions:
    """Options by the name of a recipe.

    Args:
        recipe: ``paper`` or ``quick``.
        method: a method that is trained.
        data: data sets.
        out: folder.
        **changes: fields of :class:`TrainOptions`, in place of the recipe's.

    Raises:
        InputError: there is no such recipe or method, or a value is out of range.
    """
    if method not in PAPERS:
        raise InputError(f"method must be one of {', '.join(PAPERS)}, got {method!r}")
    if recipe == "quick":
        return quick(method, data, out, **changes)
    if recipe != "paper":
        raise InputError(f"recipe must be paper or quick, got {recipe!r}")
    return PAPERS[method](data, out, **changes)
