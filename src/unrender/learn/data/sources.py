"""Meshes to make training sets from: where they are, what they are called, which split they are in."""

from __future__ import annotations

import abc
import csv
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...geometry import Mesh
from ...io import load_mesh

SUFFIXES = (".obj", ".glb", ".ply")
SPLITS = ("train", "val", "test")
PROCEDURAL = "procedural:"
VALIDATION_EVERY = 11  # of generated objects; it has no factor in common with the number of categories
CREDITS = {"name": "title", "creator": "creator", "license": "license"}  # of a manifest, and as we call them
SHAPENET = {
    "02691156": "airplane",
    "02828884": "bench",
    "02933112": "cabinet",
    "02958343": "car",
    "03001627": "chair",
    "03211117": "display",
    "03636649": "lamp",
    "03691459": "speaker",
    "04090263": "rifle",
    "04256520": "sofa",
    "04379243": "table",
    "04401088": "telephone",
    "04530566": "vessel",
}
"""The 13 classes of ShapeNetCore that the papers use."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshSource(abc.ABC):
    """A mesh that can be had, and how its data set calls it.

    Attributes:
        category: its class.
        name: unique within the category; letters that file systems and lists of names can hold.
        split: train, val or test.
        credits: title, creator and licence, as far as they are known.
    """

    category: str
    name: str
    split: str = "train"
    credits: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def label(self) -> str:
        """``category/name``."""
        return f"{self.category}/{self.name}"

    @property
    @abc.abstractmethod
    def origin(self) -> str:
        """Where the mesh comes from, in words."""

    @abc.abstractmethod
    def load(self) -> Mesh:
        """The mesh, +Y up, front +Z.

        Raises:
            InputError: there is no mesh to be had.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeshFile(MeshSource):
    """A mesh in a file that :func:`unrender.io.load_mesh` reads.

    Attributes:
        file: its path.
    """

    file: Path

    @property
    def origin(self) -> str:
        """The path."""
        return f"{self.file}"

    def load(self) -> Mesh:
        """Read the file."""
        return load_mesh(self.file)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProceduralMesh(MeshSource):
    """A mesh that :func:`unrender.learn.data.procedural.random_object` makes.

    Attributes:
        index: number of the object.
        seed: of the whole set.
    """

    index: int
    seed: int

    @property
    def origin(self) -> str:
        """Index and seed."""
        return f"{PROCEDURAL} object {self.index} of seed {self.seed}"

    def load(self) -> Mesh:
        """Generate it."""
        from .procedural import random_object

        return random_object(self.index, self.seed, category=self.category).mesh


def find_meshes(places: Iterable[str | Path], split: str = "all") -> list[MeshSource]:
    """List the meshes of several places, each being one of

    - a ``manifest.json``, or a folder with one: ``{"train": [...], "val": [...]}`` with ``file``,
      ``category`` and, if known, ``name``, ``creator`` and ``license``; files are relative to its folder;
    - a ShapeNetCore tree: ``<synset>/<model>/model.obj`` (v1) or
      ``<synset>/<model>/models/model_normalized.obj`` (v2). Splits come from an ``all.csv`` in the root
      (columns id, synsetId, subSynsetId, modelId, split) or from ``<synset>/{train,val,test}.lst``; models
      that these do not name are left out, and without them everything is ``train``;
    - another folder: every .obj, .glb and .ply below it; the first sub-folder is the category ("object" where
      there is none), the rest of the path the name, all ``train``;
    - a mesh file, of the category "object";
    - ``procedural:N`` or ``procedural:N:SEED``: N generated objects, of each category in turn; every eleventh
      is ``val``, the others ``train``.

    Args:
        places: paths or words as above.
        split: ``all``, ``train``, ``val`` or ``test``.

    Returns:
        Sorted by split, category and name.

    Raises:
        InputError: a place is none of these or holds no mesh, a manifest or list is malformed, two meshes
            have one category and name, or the split is empty.
    """
    found: list[MeshSource] = []
    for place in places:
        text = f"{place}"
        here = _procedural(text) if text.startswith(PROCEDURAL) else _in_path(Path(place))
        if not here:
            raise InputError(f"{text} holds no mesh; meshes end in {', '.join(SUFFIXES)}")
        found += here
    seen: dict[str, MeshSource] = {}
    for source in found:
        other = seen.setdefault(source.label, source)
        if other is not source:
            raise InputError(
                f"each mesh needs a category and name of its own, but {other.origin} and {source.origin} "
                f"would both be {source.label}"
            )
    chosen = [source for source in found if split in ("all", source.split)]
    if not chosen:
        raise InputError(f"none of the {len(found)} meshes is in split {split}")
    return sorted(chosen, key=lambda source: (SPLITS.index(source.split), source.category, source.name))


def _in_path(path: Path) -> list[MeshSource]:
    if path.is_file() and path.suffix == ".json":
        return _manifest(path)
    if path.is_file():
        return [MeshFile(category="object", name=_legal(path.stem), file=path)]
    if not path.is_dir():
        raise InputError(f"{path} does not exist")
    if (path / "manifest.json").is_file():
        return _manifest(path / "manifest.json")
    synsets = sorted(p for p in path.iterdir() if p.is_dir() and len(p.name) == 8 and p.name.isdecimal())
    return _shapenet(path, synsets) if synsets else _folder(path)


def _manifest(file: Path) -> list[MeshSource]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not readable JSON: {error}") from error
    if not isinstance(content, dict) or not set(content) <= set(SPLITS):
        raise InputError(f"{file} must be an object of lists named {', '.join(SPLITS)}")
    return [_entry(file, split, entry) for split, entries in content.items() for entry in entries]


def _entry(file: Path, split: str, entry: Any) -> MeshSource:
    missing = [key for key in ("file", "category") if not isinstance(entry, dict) or key not in entry]
    if missing:
        raise InputError(f"every entry of {file} must have file and category, got {entry!r} in {split}")
    credits = {ours: str(entry[theirs]) for theirs, ours in CREDITS.items() if entry.get(theirs)}
    mesh = file.parent / entry["file"]
    return MeshFile(
        category=_legal(entry["category"]), name=_legal(mesh.stem), split=split, credits=credits, file=mesh
    )


def _shapenet(root: Path, synsets: Sequence[Path]) -> list[MeshSource]:
    splits = _shapenet_splits(root, synsets)
    found = []
    for synset in synsets:
        for model in sorted(p for p in synset.iterdir() if p.is_dir()):
            split = "train" if splits is None else splits.get((synset.name, model.name))
            files = [model / "models" / "model_normalized.obj", model / "model.obj"]
            if split is not None:
                # a model without its file is listed, so that it is named and counted as missing
                file = next((file for file in files if file.is_file()), files[1])
                category = SHAPENET.get(synset.name, synset.name)
                found.append(MeshFile(category=category, name=_legal(model.name), split=split, file=file))
    return found


def _shapenet_splits(root: Path, synsets: Sequence[Path]) -> dict[tuple[str, str], str] | None:
    """The split of each (synset, model); None where nothing says."""
    table = root / "all.csv"
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            missing = {"synsetId", "modelId", "split"} - set(rows.fieldnames or ())
            if missing:
                raise InputError(f"{table} must have the columns synsetId, modelId and split")
            splits = {(row["synsetId"].zfill(8), row["modelId"]): row["split"] for row in rows}
    else:
        lists = [(synset, split, synset / f"{split}.lst") for synset in synsets for split in SPLITS]
        splits = {
            (synset.name, name): split
            for synset, split, file in lists
            if file.is_file()
            for name in file.read_text(encoding="utf-8").split()
        }
    unknown = sorted(set(splits.values()) - set(SPLITS))
    if unknown:
        raise InputError(f"{table} may name the splits {', '.join(SPLITS)}, got {unknown[0]!r}")
    return splits or None


def _folder(root: Path) -> list[MeshSource]:
    found = []
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in SUFFIXES and file.is_file():
            *folders, _ = file.relative_to(root).parts
            name = "-".join((*folders[1:], file.stem))
            found.append(
                MeshFile(category=_legal(folders[0] if folders else "object"), name=_legal(name), file=file)
            )
    return found


def _procedural(text: str) -> list[MeshSource]:
    from .procedural import CATEGORIES

    numbers = text.removeprefix(PROCEDURAL).split(":")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers) or int(numbers[0]) < 1:
        raise InputError(f"generated objects are procedural:N or procedural:N:SEED, N at least 1, got {text}")
    seed = int(numbers[1]) if len(numbers) == 2 else 0
    return [
        ProceduralMesh(
            category=CATEGORIES[index % len(CATEGORIES)],
            name=f"procedural-{seed}-{index:06d}",
            split="val" if index % VALIDATION_EVERY == VALIDATION_EVERY - 1 else "train",
            index=index,
            seed=seed,
        )
        for index in range(int(numbers[0]))
    ]


def _legal(name: str) -> str:
    """A name that can be a folder, a line of a list and a key of a tar file."""
    legal = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)
    if not legal:
        raise InputError("categories and names of meshes must not be empty")
    return legal
