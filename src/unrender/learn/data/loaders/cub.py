"""CUB-200-2011, photographs of birds, with the annotations of CMR.

::

    <root>/CUB_200_2011/images/<species>/<photograph>.jpg
    <root>/cachedir/cub/data/{train,val,test}_cub_cleaned.mat
    <root>/cachedir/cub/sfm/anno_{train,val,test}.mat

See :mod:`.cmr` for what the files hold.
"""

from __future__ import annotations

import os
from pathlib import Path

from .cmr import CMRAnnotations, KeypointViews

KEYPOINTS = (
    *("back", "beak", "belly", "breast", "crown", "forehead", "left eye", "left leg", "left wing", "nape"),
    *("right eye", "right leg", "right wing", "tail", "throat"),
)
MIRRORED = (0, 1, 2, 3, 4, 5, 10, 11, 12, 9, 6, 7, 8, 13, 14)
CATEGORY = "bird"


def matches(root: Path) -> bool:
    """Whether the folder holds CMR's annotations of CUB."""
    return (root / "cachedir" / "cub").is_dir()


class CUB:
    """Birds of one split, one photograph each, of the category "bird".

    Args:
        path: the folder.
        split: train, val or test.
        size: sides of the cut pictures [pixels].

    Raises:
        InputError: an annotation file is missing or broken.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train", size: int = 256) -> None:
        cache = Path(path) / "cachedir" / "cub"
        self._birds = CMRAnnotations(
            cache / "data" / f"{split}_cub_cleaned.mat",
            cache / "sfm" / f"anno_{split}.mat",
            Path(path) / "CUB_200_2011" / "images",
            category=CATEGORY,
            keypoint_names=KEYPOINTS,
            mirrored=MIRRORED,
            size=size,
        )
        self.names = self._birds.names
        self.categories = [CATEGORY] * len(self.names)

    def __len__(self) -> int:
        return len(self._birds)

    def __getitem__(self, index: int) -> KeypointViews:
        """Read a photograph; raises as :class:`~.cmr.CMRAnnotations` does."""
        return self._birds[index]
