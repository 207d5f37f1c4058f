"""Predictors by name, and their files."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import InputError
from ..io.files import write_file
from .predictor import Predictor

METHODS: dict[str, tuple[str, str, str]] = {
    "dibr": ("dibr", "DIBRConfig", "DIBRPredictor"),
    "softras": ("softras", "SoftRasConfig", "SoftRasPredictor"),
    "nmr": ("nmr", "NMRConfig", "NMRPredictor"),
    "voxel": ("voxel", "VoxelConfig", "VoxelPredictor"),
    "dvr": ("dvr", "DVRConfig", "DVRPredictor"),
    "retrieval": ("retrieval", "RetrievalConfig", "Retrieval"),
    "mean-shape": ("retrieval", "MeanShapeConfig", "MeanShape"),
}
"""Module, configuration and class of each method, in :mod:`unrender.learn.methods`."""


def method_config(method: str) -> type[Any]:
    """The dataclass that configures a method.

    Raises:
        InputError: there is no such method.
    """
    return _find(method)[0]


def make_predictor(method: str, config: Any = None) -> Predictor:
    """An untrained predictor.

    Args:
        method: a name of ``METHODS``.
        config: of the method; its defaults when None.

    Raises:
        InputError: there is no such method, or the configuration is another method's.
    """
    config_type, make = _find(method)
    config = config_type() if config is None else config
    if type(config) is not config_type:
        raise InputError(f"{method} needs a {config_type.__name__}, got {type(config).__name__}")
    return make(config)


def save_predictor(
    predictor: Predictor,
    path: str | os.PathLike[str],
    *,
    card: Mapping[str, str] | None = None,
    half: bool = False,
) -> None:
    """Write weights and configuration, without the aids of training, to one safetensors file.

    Args:
        predictor: what to write.
        path: file, .safetensors.
        card: notes that travel with it: data, protocol, numbers.
        half: store the weights in half precision.

    Raises:
        InputError: the suffix is another one, or a weight is not finite.
    """
    from safetensors.torch import save

    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError(f"a predictor's file must end in .safetensors, got {path}")
    weights = {}
    for name, value in predictor.state_dict().items():
        if name.startswith("aids."):
            continue
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(f"weight {name} is not finite")
        stored = value.half() if half and value.dtype == torch.float32 else value
        weights[name] = stored.detach().cpu().contiguous()
    metadata = {
        "method": predictor.method,
        "config": json.dumps(dataclasses.asdict(predictor.config)),
        "card": json.dumps(dict(card or {})),
    }
    write_file(path, save(weights, metadata))


def load_predictor(path: str | os.PathLike[str], *, device: torch.device | str = "cpu") -> Predictor:
    """Read what :func:`save_predictor` wrote, ready to predict.

    Raises:
        InputError: the file is missing, or is not a predictor of this version.
    """
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise InputError(f"predictor file {path} does not exist")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path} is not a readable safetensors file: {error}") from error
    if "method" not in metadata:
        raise InputError(f"{path} is not a predictor's file: it names no method")
    config_type, make = _find(metadata["method"])
    fields = json.loads(metadata["config"])
    fields = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
    try:
        predictor = make(config_type(**fields))
        predictor.load_state_dict({n: v.float() if v.dtype == torch.half else v for n, v in weights.items()})
    except (TypeError, RuntimeError, InputError) as error:
        raise InputError(f"{path} does not fit this version of unrender: {error}") from error
    return predictor.to(device).eval()


def start_from(predictor: Predictor, path: str | os.PathLike[str]) -> list[str]:
    """Give a predictor the parts of another, of any method, that are built alike, such as the encoder.

    Args:
        predictor: changed in place.
        path: of the other; see :func:`save_predictor`.

    Returns:
        Names of the parts.

    Raises:
        InputError: as :func:`load_predictor`, or no part is built alike.
    """
    others = dict(load_predictor(path, device=predictor.device).named_children())
    taken = []
    for name, part in predictor.named_children():
        weights = part.state_dict()
        found = others[name].state_dict() if name in others else {}
        if weights and {n: v.shape for n, v in weights.items()} == {n: v.shape for n, v in found.items()}:
            part.load_state_dict(found)
            taken.append(name)
    if not taken:
        raise InputError(f"{path} has no part that is built like one of {predictor.method} as configured")
    return taken


def read_card(path: str | os.PathLike[str]) -> dict[str, str]:
    """The notes that :func:`save_predictor` stored in a file."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return json.loads((file.metadata() or {}).get("card", "{}"))


def _find(method: str) -> tuple[type[Any], Callable[[Any], Predictor]]:
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    module, config, predictor = METHODS[method]
    home = importlib.import_module(f".methods.{module}", __package__)
    return getattr(home, config), getattr(home, predictor)
