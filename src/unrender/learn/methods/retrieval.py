"""Solids without a decoder: the training object that looks most alike, and the mean of all of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...errors import InputError
from ..data.packed_views import PackedViews
from ..prediction import Prediction
from ..predictor import Batch, Predictor
from ..registry import make_predictor, method_config

_PICTURES_AT_ONCE = 256


@dataclasses.dataclass(frozen=True, kw_only=True)
class RetrievalConfig:
    """What a :class:`Retrieval` is made of; :meth:`Retrieval.build` fills it in.

    Attributes:
        source: the method whose encoder compares pictures.
        source_config: fields of that method's configuration.
        features: length of the encoder's vectors.
        objects: in the database.
        views: pictures of each.
        voxels: cells along each side of the solids, an even number.

    Raises:
        InputError: a number is negative, or ``voxels`` odd.
    """

    source: str = "dibr"
    source_config: dict[str, Any] = dataclasses.field(default_factory=dict)
    features: int = 512
    objects: int = 0
    views: int = 0
    voxels: int = 32

    def __post_init__(self) -> None:
        for name in ("features", "objects", "views", "voxels"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} must not be negative, got {getattr(self, name)}")
        if self.voxels % 2:
            raise InputError(f"voxels must be even, got {self.voxels}")


class Retrieval(Predictor):
    """The solid of the training object with the most similar picture.

    Similar is the cosine between the vectors that the encoder of a trained predictor gives. There is nothing
    to train; :meth:`build` fills the database.
    """

    method = "retrieval"
    bank: Tensor
    packed: Tensor

    def __init__(self, config: RetrievalConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RetrievalConfig()
        fields = {name: tuple(v) if isinstance(v, list) else v for name, v in config.source_config.items()}
        source = make_predictor(config.source, method_config(config.source)(**fields))
        self.encoder = _encoder(source).requires_grad_(False)
        self.register_buffer("bank", torch.zeros(config.objects * config.views, config.features))
        self.register_buffer("packed", torch.zeros(config.objects, config.voxels**3 // 8, dtype=torch.uint8))

    @staticmethod
    def build(source: Predictor, views: PackedViews) -> Retrieval:
        """Make a database of all pictures of a set.

        Args:
            source: a trained predictor with an encoder; it is copied.
            views: N objects with voxels, in pictures of the size that the encoder takes.

        Raises:
            InputError: the predictor has no encoder, or an object no voxels.
        """
        encoder, voxels = _encoder(source), _voxels(views)
        training = source.training
        source.eval()
        device = next(encoder.parameters()).device
        with torch.no_grad():
            parts = [
                encoder(part.to(device).float() / 255)
                for part in views.pictures.flatten(0, 1).split(_PICTURES_AT_ONCE)
            ]
        source.train(training)
        bank = functional.normalize(torch.cat(parts), dim=-1)
        config = RetrievalConfig(
            source=source.method,
            source_config=dataclasses.asdict(source.config),
            features=bank.shape[1],
            objects=len(views),
            views=views.views,
            voxels=voxels.shape[-1],
        )
        retrieval = Retrieval(config)
        retrieval.encoder.load_state_dict(encoder.state_dict())
        retrieval.bank.copy_(bank)
        retrieval.packed.copy_(_pack_bits(voxels.flatten(1)))
        return retrieval.to(device).eval()

    @property
    def crops(self) -> bool:
        """Those of the predictor whose encoder compares."""
        return self.config.source_config.get("crop", False)

    def nearest(self, pictures: Tensor) -> Tensor:
        """Places in the database of the objects most like those in pictures (B, H, W, 4), shape (B,).

        Raises:
            InputError: the database is empty.
        """
        if not self.config.objects:
            raise InputError("the database is empty: make one with Retrieval.build(predictor, views)")
        similarity = functional.normalize(self.encoder(pictures), dim=-1) @ self.bank.mT
        return similarity.argmax(-1) // self.config.views

    def forward(self, pictures: Tensor) -> Prediction:
        """The solids of the nearest objects.

        Raises:
            InputError: the database is empty.
        """
        side = self.config.voxels
        solids = _unpack_bits(self.packed[self.nearest(pictures)])
        return Prediction(occupancy=solids.unflatten(-1, (side, side, side)).to(pictures.dtype))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """There is none.

        Raises:
            InputError: always.
        """
        raise InputError("retrieval is not trained: make it with Retrieval.build(predictor, views)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeanShapeConfig:
    """Sizes of a :class:`MeanShape`.

    Attributes:
        voxels: cells along each side of the solid.

    Raises:
        InputError: it is not positive.
    """

    voxels: int = 32

    def __post_init__(self) -> None:
        if self.voxels < 1:
            raise InputError(f"voxels must be at least 1, got {self.voxels}")


class MeanShape(Predictor):
    """One solid for every picture: the cells that enough of the training objects fill.

    There is nothing to train; :meth:`build` fills it in.
    """

    method = "mean-shape"
    solid: Tensor

    def __init__(self, config: MeanShapeConfig | None = None) -> None:
        super().__init__()
        self.config = config or MeanShapeConfig()
        self.register_buffer("solid", torch.zeros((self.config.voxels,) * 3, dtype=torch.bool))

    @staticmethod
    def build(views: PackedViews) -> MeanShape:
        """The mean of the solids of a set, cut at the level of the highest mean IoU with them.

        Args:
            views: objects with voxels.

        Raises:
            InputError: an object has no voxels.
        """
        voxels = _voxels(views)
        shape = MeanShape(MeanShapeConfig(voxels=voxels.shape[-1]))
        shape.solid.copy_(mean_solid(voxels))
        return shape.to(voxels.device).eval()

    def forward(self, pictures: Tensor) -> Prediction:
        """The same solid for each of B pictures.

        Raises:
            InputError: it was not built.
        """
        if not bool(self.solid.any()):
            raise InputError("the mean shape is empty: make it with MeanShape.build(views)")
        solid = self.solid.to(pictures.dtype)
        return Prediction(occupancy=solid.expand(pictures.shape[0], -1, -1, -1))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """There is none.

        Raises:
            InputError: always.
        """
        raise InputError("the mean shape is not trained: make it with MeanShape.build(views)")


def mean_solid(voxels: Tensor) -> Tensor:
    """The level set of the mean of N solids whose mean IoU with them is highest.

    Args:
        voxels: bool, shape (N, S, S, S).

    Returns:
        Filled cells, bool, shape (S, S, S).
    """
    counts = voxels.sum(0)  # how many solids fill each cell
    levels = len(voxels) + 1
    # cells of each solid (N, levels), and of the grid (levels,), that at least so many solids fill
    own = torch.stack([torch.bincount(counts[solid], minlength=levels) for solid in voxels])
    both = own.flip(-1).cumsum(-1).flip(-1)
    kept = torch.bincount(counts.flatten(), minlength=levels).flip(-1).cumsum(-1).flip(-1)
    iou = both / (own.sum(-1, keepdim=True) + kept - both).clamp(min=1)
    return counts >= iou[:, 1:].mean(0).argmax() + 1


def _encoder(predictor: Predictor) -> torch.nn.Module:
    encoder = getattr(predictor, "encoder", None)
    if not isinstance(encoder, torch.nn.Module):
        raise InputError(f"retrieval needs a predictor with an encoder, got {predictor.method}")
    return encoder


def _voxels(views: PackedViews) -> Tensor:
    if views.voxels is None:
        raise InputError("each object must have voxels; make the data with 'unrender data render'")
    return views.voxels


def _pack_bits(bits: Tensor) -> Tensor:
    """Eight bools to a byte, the lowest bit first: (..., 8 n) to (..., n)."""
    places = torch.arange(8, device=bits.device)
    return (bits.unflatten(-1, (-1, 8)).long() << places).sum(-1).to(torch.uint8)


def _unpack_bits(packed: Tensor) -> Tensor:
    """What :func:`_pack_bits` packed."""
    places = torch.arange(8, device=packed.device, dtype=torch.uint8)
    return ((packed[..., None] >> places) & 1).bool().flatten(-2)
