"""How far a render is from the target."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..geometry import Mesh
from ..render import DIBR, Camera, NeuralMesh, SoftRas
from ..render.draw import Renderer, render
from .options import RendererName
from .target import Target

COLOR = 1.0  # weight of colours against silhouettes
LEVELS = 3  # sizes at which pictures are compared
_FAR = 1000.0  # radii of the object
_STIFFNESS = 0.1  # how much the gains are held to 1


def renderer_for(name: RendererName, *, blur: float, softness: float) -> Renderer:
    """The renderer of an object in the unit ball.

    Args:
        name: which.
        blur: width of the soft silhouette [pixels].
        softness: range of depths that mix [radii of the object].
    """
    if name == "dibr":
        return DIBR(blur=blur)
    if name == "nmr":
        return NeuralMesh(far=_FAR)
    return SoftRas(blur=blur, gamma=softness / _FAR, far=_FAR, dist_eps=0.01)


def drawn(mesh: Mesh, camera: Camera, renderer: Renderer, *, color: bool) -> tuple[Tensor, Tensor | None]:
    """Soft silhouettes (N, S, S), and colours times silhouettes (N, S, S, 3)."""
    picture = render(mesh, camera, renderer=renderer)
    if not color:
        return picture.alpha, None
    if isinstance(renderer, NeuralMesh):  # black background: rgb has been multiplied by alpha
        return picture.rgba[..., 3], picture.rgba[..., :3]
    return picture.alpha, picture.rgb * picture.alpha[..., None]


def sharp(mesh: Mesh, camera: Camera, *, color: bool) -> tuple[Tensor, Tensor | None]:
    """As :func:`drawn`, not blurred but with smooth edges: the means of 2 x 2 samples; no gradient."""
    with torch.no_grad():
        picture = render(mesh, camera.resized(2 * camera.width, 2 * camera.height))
        planes = [picture.mask[..., None].to(camera.dtype)] + ([picture.rgb] if color else [])
        planes = torch.cat(planes, -1).unflatten(-2, (-1, 2)).unflatten(-4, (-1, 2)).mean((-4, -2))
    return planes[..., 0], planes[..., 1:] if color else None


def discrepancy(alpha: Tensor, color: Tensor | None, target: Target) -> Tensor:
    """How far silhouettes and colours are from the target, a pixel of the union of the two.

    For silhouettes it is the Jaccard distance of soft masks, one minus intersection over union:
    1 - sum min(a, b) / sum max(a, b). The colours' term is the mean absolute difference. Both are means over
    pictures of full, half and quarter size; in small ones thin parts that miss each other still meet.

    The light of the picture is not known: each channel of each render is first multiplied by the number that
    brings it nearest to the target, held towards 1.

    Args:
        alpha: silhouettes, shape (N, S, S).
        color: colours times silhouettes, shape (N, S, S, 3); None to compare silhouettes alone.
        target: the target.

    Returns:
        Shape (N,), from 0 to 1 + ``COLOR``.
    """
    own, wanted = alpha[:, None], target.mask[None, None]
    if color is not None and target.color is not None:
        scaled = color * gains(color, target)[:, None, None]
        own = torch.cat([own, scaled.movedim(-1, 1)], 1)
        wanted = torch.cat([wanted, target.color.movedim(-1, 0)[None]], 1)
    own, wanted = own * target.known, wanted * target.known
    losses = []
    for _ in range(LEVELS):
        difference = (own - wanted).abs().sum((2, 3))
        union = torch.maximum(own[:, 0], wanted[:, 0]).sum((1, 2))
        losses.append((difference[:, 0] + COLOR * difference[:, 1:].sum(1) / 3) / union)
        own, wanted = avg_pool2d(own, 2), avg_pool2d(wanted, 2)
    return torch.stack(losses).mean(0)


@torch.no_grad()
def gains(color: Tensor, target: Target) -> Tensor:
    """The factor on each channel that brings renders (N, S, S, 3) nearest to the target, shape (N, 3)."""
    assert target.color is not None
    weight = (target.mask * target.known)[..., None]
    own = (color.square() * weight).sum((1, 2))
    both = (color * target.color * weight).sum((1, 2))
    hold = _STIFFNESS * own + 1e-3 * target.area
    return (both + hold) / (own + hold)
