"""The light under which pictures were taken, as data sets record it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

from ...errors import InputError
from ...render import AmbientLight, DirectionalLight, Phong, SphericalHarmonicsLight
from ...render.light import Light

ODD_IN_X = (3, 4, 7)  # spherical harmonics that change their sign when x does
LightKind = Literal["none", "lambert", "phong", "harmonics"]


@dataclasses.dataclass(frozen=True, eq=False)
class LightRecord:
    """The light in V pictures, all of one kind, each in the frame of its object.

    - ``none``: the surface's own colours.
    - ``lambert``: white light, ``ambient`` + ``diffuse`` max(N·L, 0).
    - ``phong``: the same, and a white highlight of strength ``specular`` and exponent ``shininess``.
    - ``harmonics``: radiance from all around (:class:`~unrender.render.SphericalHarmonicsLight`).

    V stands for any batch dimensions.

    Attributes:
        kind: one of the above.
        direction: unit vectors towards the light, shape (V, 3); lambert and phong.
        ambient: shape (V,).
        diffuse: shape (V,).
        specular: shape (V,); phong.
        shininess: shape (V,); phong.
        coefficients: shape (V, 9, 3); harmonics.

    Raises:
        InputError: the kind is unknown, or a field that it needs is missing or of another shape.
    """

    kind: LightKind
    direction: Tensor | None = None
    ambient: Tensor | None = None
    diffuse: Tensor | None = None
    specular: Tensor | None = None
    shininess: Tensor | None = None
    coefficients: Tensor | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(LightKind):
            raise InputError(f"kind of light must be one of {get_args(LightKind)}, got {self.kind!r}")
        for name, tail in FIELDS[self.kind].items():
            value = getattr(self, name)
            if value is None or tuple(value.shape[value.ndim - len(tail) :]) != tail:
                got = "none" if value is None else tuple(value.shape)
                raise InputError(f"{self.kind} light needs {name} of shape (V, {str(tail)[1:-1]}), got {got}")

    def __getitem__(self, index: int | slice | Tensor | list[int]) -> LightRecord:
        """The record of some of the pictures."""
        return self.map(lambda value, _: value[index])

    def reshape(self, *batch: int) -> LightRecord:
        """The same pictures in other batch dimensions."""
        return self.map(lambda value, tail: value.reshape(*batch, *tail))

    def detach(self) -> LightRecord:
        """A copy cut off from the autograd graph."""
        return self.map(lambda value, _: value.detach())

    def to(self, device: torch.device | str) -> LightRecord:
        """A copy on another device."""
        return self.map(lambda value, _: value.to(device))

    def map(self, change: Callable[[Tensor, tuple[int, ...]], Tensor]) -> LightRecord:
        """A record of changed fields; ``change`` gets each field and its shape after V."""
        fields = {name: change(getattr(self, name), tail) for name, tail in FIELDS[self.kind].items()}
        return LightRecord(self.kind, **fields)

    def mirrored(self, chosen: Tensor) -> LightRecord:
        """The same with some lights mirrored across x = 0.

        Args:
            chosen: bool, shape (B,), B being the first batch dimension.
        """
        odd = torch.ones(9, 1)
        odd[list(ODD_IN_X)] = -1
        factors = {"direction": torch.tensor([-1.0, 1.0, 1.0]), "coefficients": odd}

        def flip(value: Tensor, factor: Tensor) -> Tensor:
            where = chosen.to(value.device).reshape(-1, *[1] * (value.ndim - 1))
            return torch.where(where, value * factor.to(value), value)

        names = factors.keys() & FIELDS[self.kind]
        return dataclasses.replace(self, **{name: flip(getattr(self, name), factors[name]) for name in names})

    def recoloured(self, matrices: Tensor) -> LightRecord:
        """The same with other colours; white light stays white.

        Args:
            matrices: that colours (columns) are multiplied by, shape (B, 3, 3), B being the first batch
                dimension.
        """
        if self.coefficients is None:
            return self
        matrices = matrices.to(self.coefficients).mT.unflatten(0, (-1, *[1] * (self.coefficients.ndim - 3)))
        return dataclasses.replace(self, coefficients=self.coefficients @ matrices)

    @staticmethod
    def join(records: Sequence[LightRecord]) -> LightRecord:
        """Records of one kind, one after the other along their first batch dimension."""
        kind = records[0].kind
        return LightRecord(
            kind, **{name: torch.cat([getattr(record, name) for record in records]) for name in FIELDS[kind]}
        )

    def lights(self) -> tuple[Light, ...] | None:
        """What ``render(light=...)`` takes, of batch shape (V,)."""
        if self.kind == "none":
            return None
        if self.kind == "harmonics":
            assert self.coefficients is not None
            return (SphericalHarmonicsLight(self.coefficients),)
        assert self.direction is not None
        white = torch.ones_like(self.direction)
        return (AmbientLight(white), DirectionalLight(self.direction, white))

    def material(self) -> Phong:
        """What ``render(material=...)`` takes, of batch shape (V,)."""
        if self.kind in ("none", "harmonics"):
            return Phong()
        parts = {name: getattr(self, name)[..., None] for name in FIELDS[self.kind] if name != "direction"}
        return Phong(**parts)


FIELDS: dict[str, dict[str, tuple[int, ...]]] = {
    "none": {},
    "lambert": {"direction": (3,), "ambient": (), "diffuse": ()},
    "phong": {"direction": (3,), "ambient": (), "diffuse": (), "specular": (), "shininess": ()},
    "harmonics": {"coefficients": (9, 3)},
}
"""The fields of each kind of light, and their shapes after V."""


def random_lights(kind: LightKind, count: int, generator: torch.Generator) -> LightRecord:
    """Draw ``count`` lights: mostly from above, of about the brightness that leaves white white.

    Directions are uniform over the half of the sphere within 75 degrees of straight up. ``harmonics`` are an
    ambient part, a broad lobe from such a direction with a slight colour cast, and a little noise in the
    second band.
    """
    if kind == "none":
        return LightRecord("none")
    uniform = torch.rand(count, 8, generator=generator)
    height = 1 - uniform[:, 0] * (1 - math.cos(math.radians(75)))
    turn, radius = 2 * math.pi * uniform[:, 1], (1 - height.square()).clamp(min=0).sqrt()
    direction = torch.stack([radius * turn.cos(), height, radius * turn.sin()], dim=-1)
    ambient = 0.3 + 0.3 * uniform[:, 2]
    diffuse = 1.0 - ambient + 0.2 * (uniform[:, 3] - 0.5)
    if kind == "lambert":
        return LightRecord("lambert", direction, ambient, diffuse)
    if kind == "phong":
        shininess = 8 * 8 ** uniform[:, 5]
        return LightRecord("phong", direction, ambient, diffuse, 0.1 + 0.4 * uniform[:, 4], shininess)
    # the first two bands give the shading ambient + diffuse (1 + 2 N·L) / 3
    cast = 1 + 0.15 * (torch.rand(count, 1, 3, generator=generator) - 0.5)
    noise = 0.05 * torch.randn(count, 5, generator=generator)
    bands = torch.cat([(ambient + diffuse / 3)[:, None], diffuse[:, None] * direction[:, [1, 2, 0]]], dim=1)
    scale = torch.tensor([1.0, *[1 / math.sqrt(3)] * 3, *[1.0] * 5])
    coefficients = 2 * math.sqrt(math.pi) * torch.cat([bands, noise], dim=1) * scale
    return LightRecord("harmonics", coefficients=coefficients[..., None] * cast)
