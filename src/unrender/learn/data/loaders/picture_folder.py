"""A plain folder of pictures with masks, or of view sets.

::

    <root>/NAME.png                  a picture is an object of the category "object"
    <root>/CATEGORY/NAME.png         a picture is an object of that category
    <root>/NAME/ , CATEGORY/NAME/    a folder that :func:`unrender.io.load_views` reads is an object as well
    <root>/{train,val,test}.lst      NAME or CATEGORY/NAME, one a line; without lists, everything is ``train``

A picture's mask is ``NAME.mask.png`` beside it, else ``mask/NAME.png`` in a folder beside it, else its alpha
channel. If the folder itself is a view set, that is the one object.

Pictures have no cameras. Those of a view set come in a world of any place and scale; the ball that all of
them see whole (:meth:`unrender.io.Views.bounds`) is moved to the origin and gets the radius 1 / sqrt(2),
which it has under the cameras of N3MR's data. Which way the object faces stays as it is.
"""

from __future__ import annotations

import dataclasses
import math
import os
from pathlib import Path

from ....errors import InputError
from ....io import Views, colmap, dvr, load_views, nerf, softras_pair
from ....io.view_pictures import PICTURE_SUFFIXES, read_pictures
from ....render import Camera
from ..object_views import ObjectViews
from .reading import pack_rgba, read_names, reading

SPLITS = ("train", "val", "test")
BALL = math.sqrt(0.5)
NO_CATEGORY = "object"


def matches(root: Path) -> bool:
    """Whether there are pictures, view sets or lists of them."""
    listed = any((root / f"{split}.lst").is_file() for split in SPLITS)
    return listed or _is_view_set(root) or bool(_find(root))


@dataclasses.dataclass(frozen=True)
class _Item:
    category: str
    name: str
    path: Path


class PictureFolder:
    """Objects of one split.

    Args:
        path: the folder.
        split: train, val or test.

    Raises:
        InputError: nothing says what belongs to the split.
    """

    def __init__(self, path: str | os.PathLike[str], *, split: str = "train") -> None:
        root = Path(path)
        lists = {name: root / f"{name}.lst" for name in SPLITS if (root / f"{name}.lst").is_file()}
        if split not in (lists or ("train",)):
            raise InputError(
                f"{root} has no {split}.lst; "
                + (f"it has {', '.join(lists)}" if lists else "without lists, all of it is the split train")
            )
        if lists:
            items = [_listed(root, line) for line in read_names(lists[split])]
        elif _is_view_set(root):
            items = [_Item(NO_CATEGORY, root.resolve().name, root)]
        else:
            items = _find(root)
        self._paths = [item.path for item in items]
        self.names = [item.name for item in items]
        self.categories = [item.category for item in items]

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> ObjectViews:
        """Read an object.

        Raises:
            InputError: it is missing or broken, or a picture has neither mask nor alpha.
        """
        path = self._paths[index]
        with reading(path):
            if path.is_dir():
                views = load_views(path)
                pictures, masks, cameras = views.pictures, views.masks, _in_object_frame(views)
            else:
                advice = "save it as RGBA, or put its mask into NAME.mask.png or mask/NAME.png"
                pictures, masks = read_pictures([path], [_mask(path)], advice=advice)
                cameras = None
            return ObjectViews(self.names[index], self.categories[index], pack_rgba(pictures, masks), cameras)


def _is_view_set(folder: Path) -> bool:
    return any(form.matches(folder) for form in (nerf, colmap, dvr, softras_pair))


def _find(root: Path) -> list[_Item]:
    """Objects in the folder and in its sub-folders."""
    items = [_Item(NO_CATEGORY, path.stem, path) for path in _objects(root)]
    for folder in sorted(root.iterdir()):
        if folder.is_dir() and folder.name != "mask" and not _is_view_set(folder):
            items += [_Item(folder.name, path.stem, path) for path in _objects(folder)]
    return items


def _objects(folder: Path) -> list[Path]:
    """Pictures, other than masks, and view sets."""
    return [
        path
        for path in sorted(folder.iterdir())
        if (_is_picture(path) and not path.stem.endswith(".mask")) or (path.is_dir() and _is_view_set(path))
    ]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and path.is_file()


def _listed(root: Path, line: str) -> _Item:
    """What a line of a list names; if it is not there, reading it will say so."""
    path = root / line
    candidates = [path, *(path.with_name(path.name + suffix) for suffix in PICTURE_SUFFIXES)]
    found = next((candidate for candidate in candidates if candidate.exists()), path)
    category, _, name = line.rpartition("/")
    return _Item(category or NO_CATEGORY, name, found)


def _mask(picture: Path) -> Path | None:
    """The file of a picture's mask; None means its alpha channel."""
    stems = (picture.with_name(f"{picture.stem}.mask"), picture.parent / "mask" / picture.stem)
    candidates = (stem.with_name(stem.name + suffix) for stem in stems for suffix in PICTURE_SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _in_object_frame(views: Views) -> Camera:
    """The cameras when the ball that they all see is moved and scaled to stand for the unit cube."""
    centre, radius = views.bounds()
    pose = views.cameras.world_to_camera.clone()
    pose[:, :3, 3] = (pose[:, :3, :3] @ centre + pose[:, :3, 3]) * (BALL / radius)
    return views.cameras.replace(world_to_camera=pose)
