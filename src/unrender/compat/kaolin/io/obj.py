"""Wavefront OBJ files as Kaolin reads them: every index as it stands in the file, materials apart."""

import dataclasses
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ....errors import InputError
from .materials import MaterialFileError, MaterialLoadError, MaterialNotFoundError
from .utils import NonHomogeneousMeshError, mesh_handler_naive_triangulate

__all__ = [
    "MaterialFileError",
    "MaterialLoadError",
    "MaterialNotFoundError",
    "ObjMesh",
    "create_missing_materials_error_handler",
    "default_error_handler",
    "ignore_error_handler",
    "import_mesh",
    "load_mtl",
    "skip_error_handler",
]

Material = dict[str, Any]


class ObjMesh(NamedTuple):
    """What an OBJ file holds; the fields of Kaolin's ``SurfaceMesh`` that a file can fill.

    Attributes:
        vertices: shape (V, 3), float32.
        faces: shape (F, S), int64.
        normals: shape (N, 3), or None.
        face_normals_idx: indices into ``normals``, -1 where a face has none, shape (F, S), or None.
        uvs: shape (U, 2), v up, or None.
        face_uvs_idx: indices into ``uvs``, -1 where a face has none, shape (F, S), or None.
        materials: one dictionary for each material, sorted by ``"material_name"``, or None.
        material_assignments: indices into ``materials``, -1 where a face has none, shape (F,), int16, or
            None.
    """

    vertices: Tensor
    faces: Tensor
    normals: Tensor | None
    face_normals_idx: Tensor | None
    uvs: Tensor | None
    face_uvs_idx: Tensor | None
    materials: list[Material] | None
    material_assignments: Tensor | None


def ignore_error_handler(error: Exception, **kwargs: Any) -> None:
    """Pass over every error in silence."""


def skip_error_handler(error: Exception, **kwargs: Any) -> None:
    """Pass over every error with a warning."""
    warnings.warn(str(error), UserWarning, stacklevel=2)


def default_error_handler(error: Exception, **kwargs: Any) -> None:
    """Raise every error."""
    raise error


def create_missing_materials_error_handler(error: Exception, **kwargs: Any) -> Material | None:
    """Put a random colour in the place of a material that is not defined; warn of other errors."""
    if isinstance(error, MaterialNotFoundError):
        warnings.warn(f"{error}; a random colour takes its place", UserWarning, stacklevel=2)
        return {"Ka": torch.rand(3), "error": f"stands for a missing material: {error}"}
    if not isinstance(error, MaterialFileError | MaterialLoadError):
        raise error
    warnings.warn(str(error), UserWarning, stacklevel=2)
    return None


def import_mesh(
    path: str | os.PathLike[str],
    with_materials: bool = False,
    with_normals: bool = False,
    error_handler: Callable[..., Material | None] | None = None,
    heterogeneous_mesh_handler: Callable[..., Any] | None = None,
    triangulate: bool = False,
    raw_materials: bool = True,
) -> ObjMesh | None:
    """Read an OBJ file as one mesh on the CPU.

    Args:
        path: the file.
        with_materials: also read UVs and materials (Ka, Kd, Ks and their maps).
        with_normals: also read normals.
        error_handler: called with each error about a material; it raises it, passes over it, or, for a
            material that is not defined, returns one. :func:`default_error_handler` if None.
        heterogeneous_mesh_handler: called when faces differ in their number of corners, as
            :func:`~unrender.compat.kaolin.io.utils.mesh_handler_naive_triangulate` is.
        triangulate: cut faces of more than three corners into triangles.
        raw_materials: must be True; Kaolin's physically based material class has no counterpart here.

    Returns:
        The mesh, or None if ``heterogeneous_mesh_handler`` returned None.

    Raises:
        MaterialNotFoundError: faces use a material that no library defines.
        MaterialFileError: a material library cannot be opened.
        MaterialLoadError: a material library cannot be read.
        NonHomogeneousMeshError: faces differ in their number of corners, and there is no handler.
        InputError: ``raw_materials`` is False, or the file has no faces.
    """
    if not raw_materials:
        raise InputError("raw_materials must be True: materials are returned as they stand in the file")
    on_error = error_handler or default_error_handler
    parsed = _parse(Path(path), with_materials, with_normals, on_error)
    if not parsed.faces:
        raise InputError(f"{path} has no faces")

    vertices = torch.tensor(parsed.vertices, dtype=torch.float32).reshape(-1, 3)
    counts = torch.tensor([len(face) for face in parsed.faces])
    columns = [parsed.faces, parsed.face_uvs_idx, parsed.face_normals_idx]
    assignments = {name: torch.tensor(ranges) for name, ranges in parsed.assignments.items()}
    handler = mesh_handler_naive_triangulate if triangulate and bool((counts != 3).any()) else None
    if bool((counts != counts[0]).any()):
        if heterogeneous_mesh_handler is None and not triangulate:
            raise NonHomogeneousMeshError(
                f"the faces of {path} have from {int(counts.min())} to {int(counts.max())} corners; "
                "give triangulate=True or a heterogeneous_mesh_handler"
            )
        handler = heterogeneous_mesh_handler or handler
    indices: list[Any]
    if handler is None:
        indices = [torch.tensor(column) if column else None for column in columns]
    else:
        flat = [[index for face in column for index in face] or None for column in columns]
        handled = handler(vertices, counts, *flat, face_assignments=assignments)
        if handled is None:
            return None
        vertices, _, *indices, assignments = handled
    faces, face_uvs_idx, face_normals_idx = indices

    materials = material_assignments = None
    if with_materials:
        materials, material_assignments = _assign(parsed.materials, assignments, len(faces), on_error)
    return ObjMesh(
        vertices,
        faces,
        torch.tensor(parsed.normals, dtype=torch.float32).reshape(-1, 3) if with_normals else None,
        face_normals_idx if with_normals else None,
        torch.tensor(parsed.uvs, dtype=torch.float32).reshape(-1, 2) if with_materials else None,
        face_uvs_idx if with_materials else None,
        materials,
        material_assignments,
    )


def load_mtl(
    mtl_path: str | os.PathLike[str], error_handler: Callable[..., Material | None]
) -> dict[str, Material]:
    """Read a material library.

    Args:
        mtl_path: the file.
        error_handler: called with each error.

    Returns:
        For each name, a dictionary with ``"material_name"`` and what the file gives of ``"Ka"``, ``"Kd"`` and
        ``"Ks"``, of shape (3,), and ``"map_Ka"``, ``"map_Kd"`` and ``"map_Ks"``, of shape (H, W, 3), uint8.

    Raises:
        MaterialFileError: through the default handler, the file cannot be opened.
        MaterialLoadError: through the default handler, a line of it cannot be read.
    """
    path = Path(mtl_path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        error_handler(
            MaterialFileError(f"cannot open the material library {path}: {error}"), mtl_path=str(path)
        )
        return {}
    materials: dict[str, Material] = {}
    current: Material = {}
    for line in lines:
        key, *values = line.split() or [""]
        try:
            if key == "newmtl":
                name = " ".join(values)
                current = materials[name] = {"material_name": name}
            elif key in ("Ka", "Kd", "Ks"):
                current[key] = torch.tensor([float(value) for value in values])
            elif key in ("map_Ka", "map_Kd", "map_Ks"):
                current[key] = _picture(path.parent, values)
        except (OSError, ValueError, IndexError) as error:
            error_handler(MaterialLoadError(f"cannot read {line.strip()!r} of {path}: {error}"), data=line)
    return materials


@dataclasses.dataclass
class _Parsed:
    """An OBJ file line by line; indices count from 0, and -1 stands for none."""

    vertices: list[list[float]] = dataclasses.field(default_factory=list)
    normals: list[list[float]] = dataclasses.field(default_factory=list)
    uvs: list[list[float]] = dataclasses.field(default_factory=list)
    faces: list[list[int]] = dataclasses.field(default_factory=list)
    face_uvs_idx: list[list[int]] = dataclasses.field(default_factory=list)
    face_normals_idx: list[list[int]] = dataclasses.field(default_factory=list)
    materials: dict[str, Material] = dataclasses.field(default_factory=dict)
    assignments: dict[str, list[list[int]]] = dataclasses.field(default_factory=dict)


def _parse(path: Path, with_materials: bool, with_normals: bool, on_error: Callable[..., Any]) -> _Parsed:
    parsed = _Parsed()
    material, first_face = "", 0

    def close_group() -> None:
        if material and first_face < len(parsed.faces):
            parsed.assignments.setdefault(material, []).append([first_face, len(parsed.faces)])

    with path.open(encoding="utf-8") as file:
        for line in file:
            key, *values = line.split() or [""]
            if key == "v":
                parsed.vertices.append([float(value) for value in values[:3]])
            elif key == "vt" and with_materials:
                parsed.uvs.append([float(value) for value in values[:2]])
            elif key == "vn" and with_normals:
                parsed.normals.append([float(value) for value in values[:3]])
            elif key == "f":
                corners = [value.split("/") for value in values]
                parsed.faces.append(_indices(corners, 0, len(parsed.vertices)))
                if with_materials:
                    parsed.face_uvs_idx.append(_indices(corners, 1, len(parsed.uvs)))
                if with_normals:
                    parsed.face_normals_idx.append(_indices(corners, 2, len(parsed.normals)))
            elif key == "usemtl" and with_materials:
                close_group()
                material, first_face = " ".join(values), len(parsed.faces)
            elif key == "mtllib" and with_materials:
                parsed.materials.update(load_mtl(path.parent / " ".join(values), on_error))
    close_group()
    return parsed


def _indices(corners: list[list[str]], column: int, count: int) -> list[int]:
    """One index of each corner, from 0; -1 where it is left out. Negative ones count from the end."""
    numbers = [int(corner[column]) if len(corner) > column and corner[column] else 0 for corner in corners]
    return [number + count if number < 0 else number - 1 for number in numbers]


def _picture(folder: Path, values: list[str]) -> Tensor:
    import numpy as np
    from PIL import Image

    # Options such as "-s 1 1 1" come before the name, which may hold spaces when there are none.
    name = values[-1] if values[0].startswith("-") else " ".join(values)
    with Image.open(folder / name.replace("\\", "/")) as picture:
        return torch.from_numpy(np.array(picture.convert("RGB")))


def _assign(
    defined: dict[str, Material],
    ranges: dict[str, Tensor],
    num_faces: int,
    on_error: Callable[..., Material | None],
) -> tuple[list[Material], Tensor]:
    """Materials sorted by name, and the index of each face's own."""
    materials = dict(defined)
    for name in ranges:
        if name not in materials:
            stand_in = on_error(
                MaterialNotFoundError(f"material {name!r} is used but not defined"), material_name=name
            )
            if stand_in is not None:
                materials[name] = {**stand_in, "material_name": name}
    names = sorted(materials)
    assignments = torch.full((num_faces,), -1, dtype=torch.int16)
    for name, spans in ranges.items():
        if name in materials:
            for start, end in spans.tolist():
                assignments[start:end] = names.index(name)
    return [materials[name] for name in names], assignments
