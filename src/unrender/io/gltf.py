"""glTF: what trimesh leaves to do when reading, and GLB files for saving.

Colour factors and vertex colours of glTF are linear, its pictures and our colours are display-referred, so
the former are converted by the sRGB curve. Files that trimesh itself wrote are an exception: it stores
colours of other formats as they are, so they are taken as they are.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .parts import Part
from .pictures import texture_array

TRIANGLES, MODES_READ = (4, 5), (0, 1, 4, 5)  # GL's numbers; trimesh reads points and lines too
LINEAR, LINEAR_MIPMAP_LINEAR, REPEAT = 9729, 9987, 10497
UNREAD = (
    "KHR_draco_mesh_compression",
    "KHR_meshopt_compression",
    "EXT_meshopt_compression",
    "KHR_mesh_quantization",
)


def srgb_from_linear(values: NDArray) -> NDArray:
    """The sRGB curve (IEC 61966-2-1): from light to display-referred values, both in [0, 1]."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)


def linear_from_srgb(values: NDArray) -> NDArray:
    """The inverse of :func:`srgb_from_linear`."""
    values = np.clip(values, 0, 1)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def read_header(path: Path) -> dict[str, Any]:
    """The JSON of a .glb or .gltf file.

    Args:
        path: the file.

    Returns:
        The parsed header.

    Raises:
        InputError: the file needs an extension that is not read.
    """
    data = path.read_bytes()
    if path.suffix.lower() == ".glb":
        (length,) = struct.unpack("<I", data[12:16])
        data = data[20 : 20 + length]
    header = json.loads(data)
    for name in header.get("extensionsRequired", []):
        if name in UNREAD:
            raise InputError(f"glTF extension {name} is not read; save the file without compression")
    return header


def gltf_parts(loaded: dict[str, Any], header: dict[str, Any], problems: list[str]) -> list[Part]:
    """The parts of a scene.

    Args:
        loaded: what trimesh's loader returns.
        header: the file's JSON.
        problems: takes a sentence for each thing that is left out.

    Returns:
        One part for each triangle primitive of each node, in the order of the file.

    Raises:
        InputError: texture coordinates are stored as integers.
    """
    from trimesh.scene.transforms import SceneGraph

    graph = SceneGraph(base_frame=loaded["base_frame"])
    for edge in loaded["graph"]:
        graph.update(**edge)
    nodes = [(edge["geometry"], edge["frame_to"]) for edge in loaded["graph"] if "geometry" in edge]
    primitives = [
        p for mesh in header.get("meshes", []) for p in mesh["primitives"] if p.get("mode", 4) in MODES_READ
    ]
    of_name = dict(zip(loaded["geometry"], primitives, strict=True))
    order = {name: i for i, name in enumerate(of_name)}
    pictures: dict[Any, NDArray[np.float32]] = {}
    parts = []
    for name, frame in sorted(nodes, key=lambda node: order[node[0]]):
        if of_name[name].get("mode", 4) in TRIANGLES:
            part = _part(loaded["geometry"][name], of_name[name], header, pictures, problems)
            matrix = np.asarray(graph[frame][0], np.float64)
            parts.append(dataclasses.replace(part, shell=len(parts), matrix=matrix))
    return parts


def _part(
    geometry: dict[str, Any],
    primitive: dict[str, Any],
    header: dict[str, Any],
    pictures: dict[Any, NDArray],
    problems: list[str],
) -> Part:
    from trimesh.visual.color import to_float

    as_written = "trimesh" in header.get("asset", {}).get("generator", "").lower()
    display, linear = (np.asarray, np.asarray) if as_written else (srgb_from_linear, linear_from_srgb)

    material = header["materials"][primitive["material"]] if "material" in primitive else {}
    base = material.get("pbrMetallicRoughness", {})
    factor = None if "baseColorFactor" not in base else np.array(base["baseColorFactor"][:3], np.float64)
    visual = geometry.get("visual")
    image = None if visual is None else visual.material.baseColorTexture
    if "baseColorTexture" in base and image is None:
        problems.append(f"the picture of material {material.get('name')!r} could not be read")
    colors = geometry.get("vertex_colors")
    if colors is None and visual is not None:
        colors = visual.vertex_attributes.get("color")
    if colors is not None:
        colors = to_float(colors)[:, :3]
    picture = None
    if image is not None:
        key = (id(image), None if factor is None else factor.tobytes())
        if key not in pictures:
            pictures[key] = texture_array(image)
            if factor is not None and (factor != 1).any():
                pictures[key] = display(linear(pictures[key]) * factor).astype(np.float32)
        picture = pictures[key]
        if colors is not None:
            colors = None if (colors == 1).all() else display(colors)
    elif colors is not None:
        colors = display(colors * (1 if factor is None else factor))
    elif factor is not None:
        colors = np.tile(display(factor), (len(geometry["vertices"]), 1))
    uvs = None if visual is None else visual.uv
    if uvs is not None:
        texture = base.get("baseColorTexture", {})
        if texture.get("texCoord", 0) != 0:
            problems.append("a material uses a second set of texture coordinates, but only the first is read")
        uvs = _texture_transform(uvs, texture)
    return Part(geometry["vertices"], geometry["faces"], uvs=uvs, colors=colors, picture=picture)


def _texture_transform(uvs: NDArray, texture: dict[str, Any]) -> NDArray:
    """Apply KHR_texture_transform, which is defined with v down."""
    if uvs.dtype.kind != "f":
        raise InputError(f"texture coordinates must be stored as floats, got {uvs.dtype}")
    transform = texture.get("extensions", {}).get("KHR_texture_transform")
    if transform is None:
        return uvs
    angle = transform.get("rotation", 0.0)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    down = np.c_[uvs[:, 0], 1 - uvs[:, 1]] * transform.get("scale", [1, 1]) @ rotation.T
    down = down + transform.get("offset", [0, 0])
    return np.c_[down[:, 0], 1 - down[:, 1]]


def glb_bytes(
    vertices: NDArray,
    faces: NDArray,
    *,
    normals: NDArray | None = None,
    colors: NDArray | None = None,
    uvs: NDArray | None = None,
    picture: Any = None,
) -> bytes:
    """A GLB file of one mesh with a rough, non-metallic, double-sided material.

    Args:
        vertices: shape (V, 3).
        faces: shape (F, 3).
        normals: shape (V, 3).
        colors: display-referred, shape (V, 3); stored as linear floats.
        uvs: v up, shape (V, 2).
        picture: Pillow image, stored as PNG.

    Returns:
        The bytes of the file.
    """
    import trimesh
    from trimesh.exchange.gltf import export_glb
    from trimesh.visual.material import PBRMaterial
    from trimesh.visual.texture import TextureVisuals

    material = PBRMaterial(
        name="material", baseColorTexture=picture, metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    mesh = trimesh.Trimesh(
        vertices,
        faces,
        vertex_normals=normals,
        visual=TextureVisuals(uv=uvs, material=material),
        process=False,
    )
    if colors is not None:
        # trimesh would round COLOR_0 to bytes; an attribute of one's own keeps its type.
        mesh.vertex_attributes["_COLOR_0"] = linear_from_srgb(colors).astype(np.float32)

    def finish(tree: dict[str, Any]) -> None:
        tree["asset"]["generator"] = "unrender"
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        if "_COLOR_0" in attributes:
            attributes["COLOR_0"] = attributes.pop("_COLOR_0")
        if picture is not None:
            tree["samplers"] = [
                {"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR, "wrapS": REPEAT, "wrapT": REPEAT}
            ]
            for texture in tree["textures"]:
                texture["sampler"] = 0

    return export_glb(trimesh.Scene(mesh), include_normals=normals is not None, tree_postprocessor=finish)
