"""Training objects fitted one by one, through the renderer: what networks can be taught without drawing.

A network that learns through a renderer sees each object for a moment, with all others in between. Fitting
the shape, texture and lights of one object to its pictures takes a second or two, and does not depend on
other objects, so many are fitted at once. From pictures, and the lights that a data set records if asked for.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError
from ..geometry import EdgeTopology, Mesh, flatten_loss, icosphere, laplacian_loss, spherical_uvs
from ..io.files import write_file
from ..render import DIBR, SphericalHarmonicsLight, render
from .data.packed_views import PackedViews
from .losses import color_loss, silhouette_loss
from .networks.shape_decoders import spread_matrix

AT_ONCE = 16  # objects
WHITE = 3.5449  # 2 sqrt(pi): the first coefficient of a light that leaves colours as they are


@dataclasses.dataclass(frozen=True, kw_only=True)
class ObjectFitOptions:
    """How each object is fitted.

    Attributes:
        steps: of Adam.
        views: pictures of the object in a step.
        learning_rate: of the shape [object's units], which falls to a tenth.
        texture_rate: of texture and lights.
        texture_size: rows of the texture, which has twice as many columns.
        subdivisions: of the icosphere that is deformed.
        radius: of that sphere.
        sigma_ndc: of DIB-R, at the start and at the end; a wide blur pulls from afar, a narrow one does not
            make shapes too thin.
        smoothness: see :class:`~unrender.learn.networks.shape_decoders.VertexField`.
        laplacian_weight: of :func:`~unrender.geometry.laplacian_loss` of the offsets.
        flatten_weight: of :func:`~unrender.geometry.flatten_loss`, summed over edges.
        roughness_weight: of differences between neighbouring texels.
        recorded_light: draw each picture under the light that the data set records, so that textures hold
            colours without shading; else lights are fitted, and how bright they are is a guess.
        seed: of the order of views.
    """

    steps: int = 60
    views: int = 4
    learning_rate: float = 0.02
    texture_rate: float = 0.05
    texture_size: int = 64
    subdivisions: int = 3
    radius: float = 0.35
    sigma_ndc: tuple[float, float] = (3.5e-4, 2.2e-5)
    smoothness: float = 6.0
    laplacian_weight: float = 1e-2
    flatten_weight: float = 1e-3
    roughness_weight: float = 0.1
    recorded_light: bool = False
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class ObjectFits:
    """Fits of N objects of V pictures each.

    Attributes:
        names: of the objects.
        vertices: of the icosphere, deformed, shape (N, P, 3).
        textures: on :func:`~unrender.geometry.spherical_uvs`, shape (N, H, W, 3).
        lights: spherical-harmonic coefficients of each picture, shape (N, V, 9, 3).
        recorded_light: whether these are the lights that the data set records.
    """

    names: list[str]
    vertices: Tensor
    textures: Tensor
    lights: Tensor
    recorded_light: bool = False

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one safetensors file, in half precision."""
        import json

        from safetensors.torch import save

        tensors = {n: getattr(self, n).half().contiguous() for n in ("vertices", "textures", "lights")}
        notes = {"names": json.dumps(self.names), "recorded_light": json.dumps(self.recorded_light)}
        write_file(path, save(tensors, notes))

    @staticmethod
    def join(parts: Sequence[ObjectFits]) -> ObjectFits:
        """Fits of several sets as one.

        Raises:
            InputError: they differ in vertices, texture or pictures of an object, or in whose lights
                they have.
        """
        recorded = {part.recorded_light for part in parts}
        if len(recorded) > 1:
            raise InputError("fits of one training must all be under recorded light, or all under their own")
        shapes = {tuple(getattr(p, n).shape[1:] for n in ("vertices", "textures", "lights")) for p in parts}
        if len(shapes) > 1:
            raise InputError(
                f"fits of one training must have vertices, textures and lights of one shape, got {shapes}"
            )
        tensors = [torch.cat([getattr(p, n) for p in parts]) for n in ("vertices", "textures", "lights")]
        names = [name for part in parts for name in part.names]
        return ObjectFits(names, *tensors, recorded_light=recorded.pop())

    @staticmethod
    def load(path: str | os.PathLike[str]) -> ObjectFits:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the file is missing or another kind of file.
        """
        import json

        from safetensors import SafetensorError, safe_open

        if not Path(path).is_file():
            raise InputError(f"fits of objects {path} do not exist")
        try:
            with safe_open(path, framework="pt") as file:
                notes = file.metadata() or {}
                names = notes.get("names")
                tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise InputError(f"{path} is not a readable safetensors file: {error}") from error
        if names is None or set(tensors) != {"vertices", "textures", "lights"}:
            raise InputError(f"{path} holds no fits of objects")
        recorded = json.loads(notes.get("recorded_light", "false"))
        return ObjectFits(json.loads(names), **tensors, recorded_light=recorded)


def fit_objects(
    views: PackedViews,
    options: ObjectFitOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ObjectFits:
    """Fit every object of a set to its pictures, with DIB-R.

    Args:
        views: N objects of V pictures.
        options: how.
        progress: called with the number of objects done and in all.

    Raises:
        InputError: recorded lights are asked for, and an object has none or one that is not harmonics.
    """
    options = ObjectFitOptions() if options is None else options
    template = spherical_uvs(icosphere(options.subdivisions, radius=options.radius))
    recorded = _recorded_lights(views) if options.recorded_light else None
    parts = []
    for rows in torch.arange(len(views)).split(AT_ONCE):
        parts.append(_fit(views, rows, template, options, recorded))
        if progress is not None:
            progress(int(rows[-1]) + 1, len(views))
    vertices, textures, lights = (torch.cat(values) for values in zip(*parts, strict=True))
    return ObjectFits(list(views.names), vertices, textures, lights, options.recorded_light)


def _fit(
    views: PackedViews, rows: Tensor, template: Mesh, options: ObjectFitOptions, recorded: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Vertices, textures and lights of some objects."""
    count, height = len(rows), options.texture_size
    spread = spread_matrix(template, options.smoothness)
    topology = EdgeTopology.from_faces(template.faces, template.num_vertices)
    moves = torch.zeros(count, template.num_vertices, 3, requires_grad=True)
    texels = torch.logit(views.mean_colors(rows).clamp(0.02, 0.98))[:, None, None]
    texels = texels.expand(count, height, 2 * height, 3).clone().requires_grad_()
    appearance = [texels]
    if recorded is not None:
        lights = recorded[rows]
    else:
        lights = torch.zeros(count, views.views, 9, 3)
        lights[:, :, 0], lights[:, :, 1] = 0.8 * WHITE, 0.2 * WHITE
        appearance.append(lights.requires_grad_())
    groups = [
        {"params": [moves], "lr": options.learning_rate},
        {"params": appearance, "lr": options.texture_rate},
    ]
    optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(options.seed * 1_000_003 + int(rows[0]))
    decay = options.sigma_ndc[1] / options.sigma_ndc[0]
    for step in range(options.steps):
        share = step / options.steps
        chosen = torch.rand(count, views.views, generator=generator).argsort(1)[:, : options.views]
        batch = views.batch(rows, chosen)
        offsets = spread @ moves
        mesh = template.replace(
            vertices=(template.vertices + offsets)[:, None], texture=torch.sigmoid(texels)[:, None]
        )
        lit = SphericalHarmonicsLight(lights[torch.arange(count)[:, None], chosen])
        picture = render(
            mesh, batch.cameras, lit, renderer=DIBR(sigma_ndc=options.sigma_ndc[0] * decay**share)
        )
        target = batch.pictures
        loss = silhouette_loss(picture.alpha, target[..., 3]).mean(1).sum()
        loss = loss + color_loss(picture.rgb, target[..., :3]).mean(1).sum()
        edges = topology.face_pairs.shape[0]
        loss = loss + options.flatten_weight * edges * flatten_loss(mesh.vertices[:, 0], topology).sum()
        loss = loss + options.laplacian_weight * laplacian_loss(offsets, topology, reduction="sum").sum()
        loss = loss + options.roughness_weight * _roughness(texels).sum()
        optimizer.param_groups[0]["lr"] = options.learning_rate * (1 - 0.9 * share)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return template.vertices + spread @ moves, torch.sigmoid(texels), lights.detach()


def _recorded_lights(views: PackedViews) -> Tensor:
    """Spherical-harmonic coefficients that the data set records, shape (N, V, 9, 3)."""
    found = []
    for name, record in zip(views.names, views.lights, strict=True):
        if record is None or record.coefficients is None:
            kind = "none recorded" if record is None else record.kind
            raise InputError(f"{name}: recorded_light needs light of kind harmonics, got {kind}")
        found.append(record.coefficients)
    return torch.stack(found)


def _roughness(texels: Tensor) -> Tensor:
    """Mean squared difference of neighbours, round the sphere in u, shape (B,)."""
    across = (texels - texels.roll(1, 2)).square().mean((1, 2, 3))
    down = (texels[:, 1:] - texels[:, :-1]).square().mean((1, 2, 3))
    return across + down
