"""PASCAL3D+, photographs of aeroplanes and cars, with the annotations of CMR's branch ``p3d``.

::

    <root>/PASCAL3D+_release1.1/Images/<category>_{pascal,imagenet}/<photograph>
    <root>/cachedir/p3d/data/<category>_{train,val}.mat
    <root>/cachedir/p3d/data/<category>_kps.mat           kp_names, kp_perm_inds (counted from 1)
    <root>/cachedir/p3d/sfm/<category>_{train,val}.mat

See :mod:`.cmr` for what the files hold.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ....errors import InputError
from .cmr import CMRAnnotations, KeypointViews, read_mat


def matches(root: Path) -> bool:
    """Whether the folder holds CMR's annotations of PASCAL3D+."""
    return (root / "cachedir" / "p3d").is_dir()


class Pascal3D:
    """Objects of one split, one photograph each.

    Args:
        path: the folder.
        split: train or val.
        size: sides of the cut pictures [pixels].

    Raises:
        InputError: there is no such split, or an annotation file is missing or broken.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train", size: int = 256) -> None:
        data, sfm = (Path(path) / "cachedir" / "p3d" / name for name in ("data", "sfm"))
        files = sorted(data.glob(f"*_{split}.mat"))
        if not files:
            raise InputError(f"{data} has no CATEGORY_{split}.mat")
        self._objects: list[tuple[CMRAnnotations, int]] = []
        self.names: list[str] = []
        self.categories: list[str] = []
        for file in files:
            category = file.name.removesuffix(f"_{split}.mat")
            points = data / f"{category}_kps.mat"
            part = CMRAnnotations(
                file,
                sfm / file.name,
                Path(path) / "PASCAL3D+_release1.1" / "Images",
                category=category,
                keypoint_names=[str(name) for name in read_mat(points, "kp_names")],
                mirrored=(np.asarray(read_mat(points, "kp_perm_inds"), dtype=np.int64) - 1).tolist(),
                size=size,
            )
            self._objects += [(part, i) for i in range(len(part))]
            self.names += part.names
            self.categories += [category] * len(part)

    def __len__(self) -> int:
        return len(self._objects)

    def __getitem__(self, index: int) -> KeypointViews:
        """Read a photograph; raises as :class:`~.cmr.CMRAnnotations` does."""
        part, place = self._objects[index]
        return part[place]
