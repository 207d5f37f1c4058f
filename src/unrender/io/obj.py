"""Wavefront OBJ: the files it names, the colours it means, and its text for saving."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from .parts import Part
from .pictures import texture_array

# Options before the file name of a map: "-s 1 1 1 wood.png", "-clamp on wood.png".
MAP_OPTIONS = re.compile(r"^(-\w+(\s+(on|off|[rgbmlz]|[-+.\de]+))+\s+)+")


class NamedFiles:
    """Gives trimesh the files that a mesh file names, from its folder only, and remembers what is wrong.

    Attributes:
        problems: one sentence for each file that could not be given.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path.resolve().parent
        self.problems: list[str] = []

    def get(self, name: str) -> bytes:
        """The bytes of a file.

        Args:
            name: as written in the mesh file.

        Returns:
            The bytes.

        Raises:
            OSError: there is no such file in the folder, or it is a picture that Pillow does not know.
        """
        from PIL import Image

        clean = MAP_OPTIONS.sub("", name.strip()).replace("\\", "/")
        for candidate in (clean, unquote(clean), clean.rsplit("/", 1)[-1]):
            path = (self.folder / candidate).resolve()
            if path.is_relative_to(self.folder) and path.is_file():
                break
        else:
            self.problems.append(f"{clean} is not there; its parts get a flat colour")
            raise FileNotFoundError(clean)
        if path.suffix.lower() in Image.registered_extensions():
            try:
                Image.open(path).close()
            except OSError:
                self.problems.append(
                    f"{clean} is not a picture that can be read; its parts get a flat colour"
                )
                raise
        return path.read_bytes()

    def __getitem__(self, name: str) -> bytes:
        return self.get(name)


def obj_parts(loaded: dict[str, Any]) -> list[Part]:
    """The parts of an OBJ file, one a material.

    A picture (map_Kd) wins over vertex colours, and these over Kd: exporters write Kd 0.8 or 0 beside a
    picture without meaning it, and PyTorch3D, SoftRas and trimesh leave it out as well. Colours are
    display-referred.

    Args:
        loaded: what trimesh's loader returns.

    Returns:
        The parts in the order of the file.
    """
    from trimesh.geometry import triangulate_quads

    pictures: dict[int, NDArray[np.float32]] = {}
    parts = []
    for geometry in reversed(loaded.get("geometry", {}).values()):
        visual = geometry.get("visual")
        material = None if visual is None else visual.material
        colors, picture = geometry.get("vertex_colors"), None
        if material is not None and material.image is not None:
            image = material.image
            if id(image) not in pictures:
                pictures[id(image)] = texture_array(image)
            colors, picture = None, pictures[id(image)]
        elif colors is not None:
            colors = np.asarray(colors, np.float64) / (255 if np.max(colors, initial=0) > 1 else 1)
        elif material is not None and "kd" in material.kwargs:
            kd = np.clip(np.broadcast_to(material.kwargs["kd"], 3), 0, 1)
            colors = np.tile(kd, (len(geometry["vertices"]), 1))
        parts.append(
            Part(
                geometry["vertices"],
                triangulate_quads(geometry["faces"]),
                uvs=None if visual is None else visual.uv,
                colors=colors,
                picture=picture,
            )
        )
    return parts


def obj_text(
    vertices: NDArray,
    faces: NDArray,
    *,
    normals: NDArray | None = None,
    colors: NDArray | None = None,
    uvs: NDArray | None = None,
    uv_faces: NDArray | None = None,
    material_file: str | None = None,
) -> str:
    """The text of an OBJ file, with as many digits as the numbers have.

    Args:
        vertices: shape (V, 3).
        faces: shape (F, 3).
        normals: shape (V, 3).
        colors: written after the positions, shape (V, 3).
        uvs: shape (U, 2).
        uv_faces: shape (F, 3), given with ``uvs``.
        material_file: the MTL file, whose material is named ``material``.

    Returns:
        The text.
    """
    digits = 17 if vertices.dtype == np.float64 else 9
    lines = [] if material_file is None else [f"mtllib {material_file}"]

    def numbers(key: str, rows: NDArray) -> None:
        form = " ".join([key] + [f"%.{digits}g"] * rows.shape[1])
        lines.extend(form % tuple(row) for row in rows.tolist())

    numbers("v", vertices if colors is None else np.concatenate([vertices, colors], axis=1))
    indices = [faces + 1]
    if uvs is not None and uv_faces is not None:
        numbers("vt", uvs)
        indices.append(uv_faces + 1)
    if normals is not None:
        numbers("vn", normals)
        indices.append(faces + 1)
    if material_file is not None:
        lines.append("usemtl material")
    corner = {1: "%d", 2: "%d/%d" if normals is None else "%d//%d", 3: "%d/%d/%d"}[len(indices)]
    form = f"f {corner} {corner} {corner}"
    lines.extend(form % tuple(row) for row in np.stack(indices, axis=-1).reshape(len(faces), -1).tolist())
    return "\n".join(lines) + "\n"


def mtl_text(picture_file: str) -> str:
    """The text of an MTL file with one material, ``material``, that shows a picture.

    Args:
        picture_file: name of the picture beside it.

    Returns:
        The text.
    """
    return f"newmtl material\nKa 0 0 0\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {picture_file}\n"
