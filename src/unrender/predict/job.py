"""Prediction: from pictures, of any size, to objects with light and cameras."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.mesh import TAILS
from ..io.masks import with_mask
from ..learn.crop import MARGIN, crop_to_object
from ..learn.data.light_record import FIELDS, LightRecord
from ..learn.prediction import Prediction
from ..learn.predictor import Predictor
from ..learn.registry import load_predictor
from ..progress import Progress
from ..render import Camera
from .cameras import likely_cameras
from .refine import HYPOTHESES, SIZE, refine

# predictors that were not trained on crops see the object about as large as the cameras of their data did
WHOLE_MARGIN = 0.2
WEIGHTS = {method: Path(__file__).parent / "weights" / f"{method}.safetensors" for method in ("dibr", "dvr")}
"""Files of the predictors that come with the package, by method."""


def default_predictor(device: torch.device | str = "cpu", method: str | None = None) -> Predictor:
    """A predictor that comes with the package, loaded once for each device.

    Args:
        device: where to.
        method: ``dibr``, also when None, or ``dvr``.

    Raises:
        InputError: there is none of that method.
    """
    method = "dibr" if method is None else method
    if method not in WEIGHTS:
        raise InputError(f"method must be one of {', '.join(WEIGHTS)}, got {method!r}")
    return _loaded(str(device), method)


@functools.lru_cache(maxsize=4)
def _loaded(device: str, method: str) -> Predictor:
    return load_predictor(WEIGHTS[method], device=device)


def predict(
    image: Tensor,
    mask: Tensor | None = None,
    *,
    method: str | None = None,
    predictor: Predictor | str | os.PathLike[str] | None = None,
    refine: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[Progress], None] | None = None,
) -> Prediction:
    """Textured mesh, light and camera of the object in a picture.

    The object is cut out and centred about as the predictor's training pictures are
    (:func:`~unrender.learn.crop.crop_to_object`); the cameras that come back are those of the whole pictures.

    Args:
        image: one picture with straight colours in [0, 1], shape (H, W, 3) or (H, W, 4), or a batch of one
            size, (B, H, W, 3) or (B, H, W, 4).
        mask: share of each pixel that the object covers, shape (H, W) or (B, H, W); when None, alpha, or
            else what :func:`~unrender.io.masks.grabcut_mask` finds.
        method: which of the predictors of the package: ``dibr``, a sphere deformed and textured, with light
            and camera, is taken when None; ``dvr`` is a coloured field of any topology.
        predictor: a predictor or its file, in place of those.
        refine: steps that optimise each prediction against its picture
            (:func:`~unrender.predict.refine.refine`).
        device: where to work with a predictor that is loaded; a given one stays where it is.
        progress: called after each step of the refinement.

    Returns:
        Objects of batch shape (B,), also (1,) for one picture, without gradients.

    Raises:
        InputError: a shape is wrong, no mask is there or can be found, there is no predictor of the method,
            or one is given as well, it gives no meshes, or for a batch meshes of different faces, as DVR's.
        ImportError: finding masks needs OpenCV, refining SciPy.
    """
    if image.ndim not in (3, 4):
        raise InputError(f"image must have shape (H, W, C) or (B, H, W, C), got {tuple(image.shape)}")
    if mask is not None and mask.shape != image.shape[:-1]:
        raise InputError(f"mask must have shape {tuple(image.shape[:-1])}, got {tuple(mask.shape)}")
    images = image[None] if image.ndim == 3 else image
    masks = [None] * len(images) if mask is None else mask.reshape(images.shape[:-1])
    pictures = [with_mask(picture, m) for picture, m in zip(images, masks, strict=True)]
    return joined(
        predict_each(
            pictures, method=method, predictor=predictor, refine=refine, device=device, progress=progress
        )
    )


def predict_each(
    pictures: Sequence[Tensor],
    *,
    method: str | None = None,
    predictor: Predictor | str | os.PathLike[str] | None = None,
    refine: int = 0,
    device: torch.device | str = "cpu",
    progress: Callable[[Progress], None] | None = None,
) -> list[Prediction]:
    """Predict from pictures of different sizes, all at once; see :func:`predict`.

    Args:
        pictures: straight colours and alpha, shapes (H_i, W_i, 4).
        method: see :func:`predict`.
        predictor: see :func:`predict`.
        refine: steps for each picture.
        device: see :func:`predict`.
        progress: called after each step.

    Returns:
        One prediction a picture, of batch shape (1,).
    """
    if not pictures:
        raise InputError("predict needs at least one picture, got none")
    if refine < 0:
        raise InputError(f"refine must not be negative, got {refine}")
    network = _network(method, predictor, device)
    size = getattr(network.config, "size", None)
    if size is None:
        raise InputError(f"predict needs a method that gives meshes, got {network.method!r}")
    margin = MARGIN if network.crops else WHOLE_MARGIN
    premultiplied = [
        _premultiplied(picture.detach().to(network.device, torch.float32)) for picture in pictures
    ]
    cut = [crop_to_object(picture, size=size, margin=margin) for picture in premultiplied]
    crops = torch.stack([crop for crop, _ in cut])
    with torch.no_grad(), _evaluating(network):
        found = _each_with_cameras(network, crops, count=HYPOTHESES if refine else 1)

    results = []
    for i, (picture, (_, transform)) in enumerate(zip(premultiplied, cut, strict=True)):
        one, cameras = found[i]
        one = dataclasses.replace(one, camera=cameras[:1], occupancy=None, surfaces=None)
        if refine:
            target, _ = crop_to_object(picture, size=SIZE, margin=margin)
            one = _refined(one, target, cameras, refine, _share(progress, i, len(pictures)))
        results.append(_in_picture(one, transform, picture))
    return results


def _each_with_cameras(network: Predictor, crops: Tensor, count: int) -> list[tuple[Prediction, Camera]]:
    """Predictions of one mesh each, and the likeliest cameras (count,) of each."""
    prediction = network(crops)
    if prediction.mesh is not None:
        cameras = likely_cameras(network, crops, prediction, count=count)
        return [(part(prediction, i), cameras[i]) for i in range(len(crops))]
    if prediction.surfaces is None:
        raise InputError(f"predict needs a method that gives meshes, got {network.method!r}")
    found = []
    for i in range(len(crops)):
        mesh = prediction.surfaces(i)
        if mesh is None:
            raise InputError(f"the predictor finds no object in picture {i}")
        one = Prediction(mesh.replace(vertices=mesh.vertices[None]))
        found.append((one, likely_cameras(network, crops[i : i + 1], one, count=count)[0]))
    return found


def part(prediction: Prediction, index: int) -> Prediction:
    """One of the objects of a prediction, of batch shape (1,)."""
    rows = slice(index, index + 1)
    return Prediction(
        None if prediction.mesh is None else prediction.mesh[rows],
        None if prediction.light is None else prediction.light[rows],
        None if prediction.camera is None else prediction.camera[rows],
        None if prediction.occupancy is None else prediction.occupancy[rows],
    )


def joined(predictions: Sequence[Prediction]) -> Prediction:
    """Predictions of meshes with the same faces, from pictures of one size, as one batch."""
    first = predictions[0]
    if len(predictions) == 1:
        return first
    meshes = [one.mesh for one in predictions if one.mesh is not None]
    mesh = meshes[0]
    if any(other.faces.shape != mesh.faces.shape for other in meshes):
        raise InputError(
            f"{len(meshes)} pictures as one batch need a method whose meshes have the same faces; "
            "predict_each takes any"
        )
    fields = {
        name: torch.cat([getattr(other, name) for other in meshes])
        for name, tail in TAILS.items()
        if getattr(mesh, name) is not None and getattr(mesh, name).ndim > tail
    }
    light = first.light
    if light is not None:
        records = [one.light for one in predictions]
        light = LightRecord(
            light.kind, **{n: torch.cat([getattr(r, n) for r in records]) for n in FIELDS[light.kind]}
        )
    camera = first.camera
    if camera is not None:
        cameras = [one.camera for one in predictions if one.camera is not None]
        camera = camera.replace(
            world_to_camera=torch.cat([c.world_to_camera for c in cameras]),
            intrinsics=torch.cat([c.intrinsics for c in cameras]),
        )
    return Prediction(mesh.replace(**fields), light, camera)


def _network(
    method: str | None, predictor: Predictor | str | os.PathLike[str] | None, device: torch.device | str
) -> Predictor:
    if predictor is None:
        return default_predictor(device, method)
    if method is not None:
        raise InputError(f"give a method or a predictor, not both: got a predictor and method {method!r}")
    if isinstance(predictor, Predictor):
        return predictor
    return load_predictor(predictor, device=device)


@contextlib.contextmanager
def _evaluating(network: Predictor) -> Iterator[None]:
    """In evaluation mode meanwhile."""
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _premultiplied(picture: Tensor) -> Tensor:
    return torch.cat([picture[..., :3] * picture[..., 3:], picture[..., 3:]], -1)


def _refined(
    prediction: Prediction,
    crop: Tensor,
    cameras: Camera,
    steps: int,
    progress: Callable[[Progress], None] | None,
) -> Prediction:
    """Refine against a crop (S, S, 4); the camera stays that of the network's crop."""
    size = cameras.width
    found = refine(prediction, crop, steps=steps, cameras=cameras.resized(SIZE, SIZE), progress=progress)
    assert found.camera is not None
    return dataclasses.replace(found, camera=found.camera.resized(size, size))


def _in_picture(prediction: Prediction, transform: Tensor, picture: Tensor) -> Prediction:
    """A prediction from a crop, with the camera of the whole picture (H, W, 4)."""
    camera = prediction.camera
    assert camera is not None
    height, width = picture.shape[:2]
    intrinsics = torch.linalg.inv(transform) @ camera.intrinsics
    return dataclasses.replace(
        prediction, camera=camera.replace(intrinsics=intrinsics, width=width, height=height)
    )


def _share(
    progress: Callable[[Progress], None] | None, index: int, count: int
) -> Callable[[Progress], None] | None:
    """Progress of one of several pictures as part of the whole."""
    if progress is None:
        return None

    def share(one: Progress) -> None:
        progress(dataclasses.replace(one, done=(index + one.done) / count))

    return share
