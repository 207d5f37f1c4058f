"""Mesh files: OBJ with MTL and texture, GLB, PLY; reading also glTF, STL and OFF."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..geometry.mesh import TAILS, Mesh
from .atlas import bake_faces, pad_texture, texel_coverage
from .files import write_file
from .gltf import glb_bytes, gltf_parts, read_header
from .obj import NamedFiles, mtl_text, obj_parts, obj_text
from .parts import Part, join_parts
from .pictures import pillow_image, png_bytes, texture_array

READ = (".obj", ".glb", ".gltf", ".ply", ".stl", ".off")
WRITTEN = (".obj", ".glb", ".ply")


def load_mesh(path: str | os.PathLike[str], *, device: torch.device | str | None = None) -> Mesh:
    """Read a mesh file as one mesh with the right colours everywhere.

    Node transforms of a scene are applied. Flat and vertex colours become ``vertex_colors``; as soon as any
    part has a picture, everything becomes one ``texture``, an atlas where there are several pictures or
    colours. A file that states no colour gives a mesh without appearance, a part that states none beside
    others is white. Colours are display-referred; alpha, metalness and normals are left out (normals are
    computed when rendering).

    Vertices of one part (of the whole file for OBJ) that lie at the same point become one, unless their
    vertex colours differ; ``uvs`` keep their seams through ``uv_faces``. Faces with a repeated vertex and
    unused vertices are left out. A single texture keeps its coordinates, also outside [0, 1] where it
    repeats; in an atlas repeats are baked.

    Args:
        path: .obj, .glb, .gltf, .ply, .stl or .off.
        device: where to put the tensors; the CPU by default.

    Returns:
        The mesh, float32.

    Raises:
        InputError: the file is missing, of another kind, unreadable, or has no face or a NaN vertex.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in READ:
        raise InputError(f"a mesh file must end in {', '.join(READ)}, got {path}")
    if not path.is_file():
        raise InputError(f"mesh file {path} does not exist")
    from trimesh.exchange.load import mesh_loaders

    files = NamedFiles(path)
    try:
        with path.open("rb") as stream:
            loaded: dict[str, Any] = mesh_loaders[suffix[1:]](stream, file_type=suffix[1:], resolver=files)
    except Exception as error:  # a broken file can fail anywhere in trimesh's loaders
        raise InputError(f"{path} is not a readable {suffix} file: {error!r}") from error
    try:
        if suffix in (".glb", ".gltf"):
            parts = gltf_parts(loaded, read_header(path), files.problems)
        elif suffix == ".obj":
            parts = obj_parts(loaded)
        else:
            parts = _plain_parts(loaded)
        mesh = join_parts(parts)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    for problem in dict.fromkeys(files.problems):
        warnings.warn(f"{path}: {problem}", UserWarning, stacklevel=2)
    return mesh if device is None else mesh.to(torch.device(device))


def save_mesh(mesh: Mesh, path: str | os.PathLike[str]) -> None:
    """Write a mesh file that trimesh, Blender and browsers show with the same colours.

    OBJ writes ``name.obj``, and with a texture ``name.mtl`` and ``name.png`` beside it. GLB holds
    everything in one file, with vertices doubled at seams as the format demands, and vertex colours as
    linear floats. PLY holds positions, faces and vertex colours of 8 bits. Textures have 8 bits; texels
    that no face shows are filled from their neighbours so that seams do not show; face textures and face
    cubes become a UV texture. Normals are written where the mesh has its own. Files appear whole or not at
    all.

    Args:
        mesh: one mesh, not a batch.
        path: .obj, .glb or .ply; folders are made.

    Raises:
        InputError: the mesh is a batch, has no face or a NaN, its colours do not have 3 channels, or the
            format cannot hold it.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise InputError(f"a mesh is saved as {', '.join(WRITTEN)}, got {path}")
    _require_savable(mesh)
    if mesh.face_textures is not None or mesh.face_cubes is not None:
        mesh = bake_faces(mesh)
    mesh = mesh.detach().to("cpu")
    if suffix == ".ply":
        if mesh.texture is not None:
            raise InputError("PLY holds vertex colours, not a texture; save the mesh as .glb or .obj")
        write_file(path, _ply_bytes(mesh))
        return

    vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()
    normals, colors = _numpy(mesh.normals), _numpy(mesh.vertex_colors)
    uvs, uv_faces = _numpy(mesh.uvs), _numpy(mesh.uv_faces)
    picture = None
    if mesh.texture is not None and mesh.uvs is not None and mesh.uv_faces is not None:
        coverage = texel_coverage(mesh.uvs, mesh.uv_faces, *mesh.texture.shape[:2])
        picture = pillow_image(pad_texture(mesh.texture, coverage))
    if suffix == ".obj":
        material_file = None
        if picture is not None:
            stem = path.stem.replace(" ", "_")  # many readers end a name at a space
            write_file(path.with_name(f"{stem}.png"), png_bytes(picture))
            material_file = f"{stem}.mtl"
            write_file(path.with_name(material_file), mtl_text(f"{stem}.png").encode())
        text = obj_text(
            vertices,
            faces,
            normals=normals,
            colors=colors,
            uvs=uvs,
            uv_faces=uv_faces,
            material_file=material_file,
        )
        write_file(path, text.encode())
        return
    if uvs is not None and uv_faces is not None:  # one vertex for each pair of position and uv
        pairs, corner = np.unique(np.stack([faces, uv_faces], -1).reshape(-1, 2), axis=0, return_inverse=True)
        vertices, uvs, faces = vertices[pairs[:, 0]], uvs[pairs[:, 1]], corner.reshape(-1, 3)
        normals = None if normals is None else normals[pairs[:, 0]]
        colors = None if colors is None else colors[pairs[:, 0]]
    write_file(path, glb_bytes(vertices, faces, normals=normals, colors=colors, uvs=uvs, picture=picture))


def _plain_parts(loaded: dict[str, Any]) -> list[Part]:
    """PLY, STL and OFF: picture over vertex colours over face colours."""
    from trimesh.geometry import triangulate_quads
    from trimesh.visual.color import to_float

    parts = []
    for shell, geometry in enumerate(loaded["geometry"].values() if "geometry" in loaded else [loaded]):
        vertices, faces = np.asarray(geometry["vertices"]), geometry.get("faces")
        faces = np.zeros((0, 3), np.int64) if faces is None else triangulate_quads(faces)
        visual = geometry.get("visual")
        image = None if visual is None else visual.material.image
        uvs = None if visual is None else visual.uv
        picture = None if image is None else texture_array(image)
        colors, face_colors = geometry.get("vertex_colors"), geometry.get("face_colors")
        if picture is not None:
            colors = None
        elif colors is not None and len(colors) == len(vertices):
            colors = to_float(colors)[:, :3]
        elif face_colors is not None and len(face_colors) == len(faces):
            colors = np.repeat(to_float(face_colors)[:, :3], 3, axis=0)
            corners = faces.reshape(-1)
            vertices, uvs = vertices[corners], None if uvs is None else uvs[corners]
            faces = np.arange(len(corners)).reshape(-1, 3)
        parts.append(Part(vertices, faces, shell, uvs=uvs, colors=colors, picture=picture))
    return parts


def _require_savable(mesh: Mesh) -> None:
    if mesh.num_faces == 0:
        raise InputError("a mesh needs at least one face to be saved, got none")
    for name, tail in TAILS.items():
        value = getattr(mesh, name)
        if value is None:
            continue
        if value.ndim > tail:
            raise InputError(
                f"save one mesh at a time: {name} has batch dimensions, got shape {tuple(value.shape)}"
            )
        if not bool(torch.isfinite(value).all()):
            raise InputError(f"{name} must be finite to be saved, got NaN or infinity")
        if name in ("vertex_colors", "face_textures", "face_cubes", "texture") and value.shape[-1] != 3:
            raise InputError(f"{name} must have 3 channels to be saved, got {value.shape[-1]}")


def _numpy(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.numpy()


def _ply_bytes(mesh: Mesh) -> bytes:
    import trimesh
    from trimesh.exchange.ply import export_ply

    colors = None
    if mesh.vertex_colors is not None:
        colors = (mesh.vertex_colors.clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    exported = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), vertex_colors=colors, process=False)
    return export_ply(exported, vertex_normal=False)
