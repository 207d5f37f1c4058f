"""Masks of single pictures: as they come, from a file, or found by looking."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .pictures import load_picture

MaskMethod = Literal["grabcut", "rembg"]
ADVICE = (
    "give a mask (--mask FILE, white on the object), a PNG whose alpha channel is the mask, or, with rembg "
    "installed, --masks rembg"
)
WORK_SIZE = 320  # longer side at which grabCut looks at a picture [pixels]
BORDERS = (0.03, 0.15)  # widths of the rims that the two cuts take for background [longer sides]
AGREE = 0.6  # IoU that the two cuts must reach within the wider rim
LEAST, MOST = 0.005, 0.8  # share of the picture that an object may cover
ALONG = 0.2  # share of the rim's inner side that the object may lie against
ALONE = 0.6  # share that the largest piece must have of all that is cut out
SMALL_HOLE = 0.005  # holes up to this share of the object are closed
STEPS = 5


def load_masked(
    path: str | os.PathLike[str],
    mask: str | os.PathLike[str] | None = None,
    *,
    method: MaskMethod = "grabcut",
) -> Tensor:
    """Read a picture with the mask of its object as alpha; see :func:`with_mask`.

    Args:
        path: picture file.
        mask: file of the mask: the alpha channel where it has transparency, else its brightness; a file that
            holds nothing but 0 and 1 of 255 is read as labels, 1 for the object.
        method: how to find the mask of a picture that has none.

    Returns:
        Straight colours and alpha in [0, 1], shape (H, W, 4).

    Raises:
        InputError: a file is missing or unreadable, or as :func:`with_mask`; the message names the file.
        ImportError: what finds masks is not installed.
    """
    picture = load_picture(path)
    given = None
    if mask is not None:
        stored = load_picture(mask)
        given = stored[..., 3] if has_mask(stored) else stored[..., :3].mean(-1)
        if 0 < float(given.max()) < 1.5 / 255:
            given = given * 255
    try:
        return with_mask(picture, given, method=method)
    except InputError as error:
        raise InputError(f"{Path(path)}: {error}") from error


def with_mask(picture: Tensor, mask: Tensor | None = None, *, method: MaskMethod = "grabcut") -> Tensor:
    """A picture with the mask of its object as alpha.

    A given mask goes first, then the picture's own alpha if it is transparent anywhere, and only then a mask
    is looked for.

    Args:
        picture: in [0, 1], shape (H, W, 3) or (H, W, 4).
        mask: share of each pixel that the object covers, shape (H, W).
        method: how to find one: ``"grabcut"`` (:func:`grabcut_mask`) or ``"rembg"`` (:func:`rembg_mask`).

    Returns:
        Straight colours and alpha, shape (H, W, 4).

    Raises:
        InputError: a shape is wrong, a value is not finite or lies outside [0, 1], the mask is empty or full,
            or none can be found.
        ImportError: what finds masks is not installed.
    """
    if picture.ndim != 3 or picture.shape[-1] not in (3, 4) or 0 in picture.shape:
        raise InputError(f"a picture must have shape (H, W, 3) or (H, W, 4), got {tuple(picture.shape)}")
    if mask is not None and mask.shape != picture.shape[:2]:
        raise InputError(
            f"a mask must have the size of its picture, {tuple(picture.shape[:2])}, got {tuple(mask.shape)}"
        )
    if method not in get_args(MaskMethod):
        raise InputError(f"masks are found by {' or '.join(get_args(MaskMethod))}, got {method!r}")
    for name, values in (("picture", picture), ("mask", mask)):
        if values is not None and not bool(((values >= 0) & (values <= 1)).all()):
            raise InputError(f"the {name} must lie in [0, 1], got values outside or NaN")
    if mask is None and has_mask(picture):
        mask = picture[..., 3]
    if mask is None:
        mask = grabcut_mask(picture[..., :3]) if method == "grabcut" else rembg_mask(picture[..., :3])
    mask = mask.to(picture)
    inside = mask > 0.5
    if not bool(inside.any()) or bool(inside.all()):
        state = "full" if bool(inside.any()) else "empty"
        raise InputError(f"the mask must show an object and some background, got a mask that is {state}")
    return torch.cat([picture[..., :3], mask[..., None]], -1)


def has_mask(picture: Tensor) -> bool:
    """Whether a picture (H, W, C) has an alpha channel that is transparent anywhere."""
    return picture.shape[-1] == 4 and bool((picture[..., 3] <= 0.5).any())


def grabcut_mask(picture: Tensor) -> Tensor:
    """Cut an object out of a picture whose rim shows background.

    GrabCut (Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
    cuts", SIGGRAPH 2004) starts from a rim that is surely background and an ellipse that may be object. It
    looks twice, with a narrow and a wider rim. An object that stands out is found both times; where the
    background has colours that the rim does not show, or nothing stands out, the two differ, and the mask is
    refused rather than guessed.

    Args:
        picture: in [0, 1], shape (H, W, 3).

    Returns:
        Share of each pixel that the object covers, shape (H, W).

    Raises:
        InputError: no object stands out; the message says why and what to do.
        ImportError: OpenCV is not installed.
    """
    cv2 = _opencv()
    height, width = picture.shape[:2]
    scale = min(1.0, WORK_SIZE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    data = (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    small = cv2.resize(data, size, interpolation=cv2.INTER_AREA)
    if min(size) < 8:
        raise InputError(
            f"a picture must have at least 8 pixels a side to find its object, got {width} x {height}"
        )
    first, second = (_cut(cv2, small, rim) for rim in BORDERS)
    _require_plausible(cv2, first)
    mask, other = (clean_mask(torch.from_numpy(cut.astype(np.float32))) > 0.5 for cut in (first, second))
    edge = _rim(first, BORDERS[1])
    inner = slice(edge, -edge), slice(edge, -edge)
    agreement = float((mask & other)[inner].sum() / (mask | other)[inner].sum().clamp(min=1))
    if agreement < AGREE:
        raise InputError(
            "no object stands out from its background: two cuts that start from different guesses "
            f"agree by an IoU of {agreement:.2f}, which must be at least {AGREE}; {ADVICE}"
        )
    full = cv2.resize(mask.numpy().astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(full).to(picture)


def rembg_mask(picture: Tensor) -> Tensor:
    """Cut an object out with rembg's network, which downloads its weights when it is used first.

    Args:
        picture: in [0, 1], shape (H, W, 3).

    Returns:
        Share of each pixel that the object covers, shape (H, W).

    Raises:
        ImportError: rembg is not installed.
    """
    try:
        from rembg import remove  # type: ignore[import-not-found]
    except ImportError as error:
        raise ImportError("masks by rembg need rembg: pip install 'rembg[cpu]'") from error
    data = (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()
    found = torch.from_numpy(np.array(remove(data, only_mask=True))).to(picture) / 255
    return clean_mask(found)


def clean_mask(mask: Tensor) -> Tensor:
    """Keep the largest piece of a mask, and close its small holes.

    Holes are closed up to 0.5 % of the object: a teapot keeps the hole under its handle.

    Args:
        mask: in [0, 1], shape (H, W).

    Returns:
        Shape (H, W); soft edges stay.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = _opencv()
    inside = (mask > 0.5).cpu().numpy()
    pieces, label, sizes = _pieces(cv2, inside)
    if pieces == 0:
        return mask
    largest = label == 1 + sizes.argmax()
    _, hole, areas = _pieces(cv2, ~largest)
    small = np.concatenate([[False], areas <= SMALL_HOLE * largest.sum()])[hole]
    near = cv2.dilate((largest | small).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    filled = torch.from_numpy(small).to(mask.device)
    kept = torch.where(torch.from_numpy(near & ~(inside & ~largest)).to(mask.device), mask, 0)
    return torch.where(filled, 1, kept)


def _cut(cv2: Any, picture: NDArray[np.uint8], rim: float) -> NDArray[np.bool_]:
    """GrabCut of a picture (H, W, 3) from a rim [longer sides]."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[0:height, 0:width] + 0.5
    radius = np.hypot(2 * x / width - 1, 2 * y / height - 1)
    guess = np.where(radius < 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    edge = _rim(guess, rim)
    guess[:edge] = guess[-edge:] = guess[:, :edge] = guess[:, -edge:] = cv2.GC_BGD
    if not (guess == cv2.GC_PR_FGD).any():
        return np.zeros((height, width), bool)
    cv2.setRNGSeed(0)  # of the clustering of colours
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(picture[..., ::-1]), guess, None, *models, STEPS, cv2.GC_INIT_WITH_MASK)
    return (guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)


def _rim(plane: NDArray[Any], share: float) -> int:
    """Width of a rim [pixels]."""
    return max(1, round(share * max(plane.shape)))


def _require_plausible(cv2: Any, cut: NDArray[np.bool_]) -> None:
    """Raise unless a cut looks like that of one object."""
    share = cut.mean()
    if not LEAST <= share <= MOST:
        raise InputError(
            f"no object stands out from its background: what was cut out covers {share:.1%} of the picture, "
            f"which must lie between {LEAST:.1%} and {MOST:.0%}; {ADVICE}"
        )
    edge = _rim(cut, BORDERS[0])
    inner = cut[edge:-edge, edge:-edge]
    along = np.concatenate([inner[0], inner[-1], inner[1:-1, 0], inner[1:-1, -1]]).mean()
    if along > ALONG:
        raise InputError(
            "the rim of the picture must show background alone, but what was cut out lies against "
            f"{along:.0%} of it; leave more room around the object, cut off frames and bars, or {ADVICE}"
        )
    _, _, sizes = _pieces(cv2, cut)
    alone = sizes.max() / sizes.sum()
    if alone < ALONE:
        raise InputError(
            f"the picture must show one object, but the largest of {len(sizes)} pieces has {alone:.0%} of "
            f"what was cut out; {ADVICE}"
        )


def _pieces(cv2: Any, inside: NDArray[np.bool_]) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Number of connected pieces, the piece of each pixel from 1 on (0 outside), and their sizes."""
    count, label, statistics, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    return count - 1, label, statistics[1:, cv2.CC_STAT_AREA]


def _opencv() -> Any:
    try:
        import cv2
    except ImportError as error:
        raise ImportError("finding masks needs OpenCV: pip install 'unrender[masks]'") from error
    return cv2
