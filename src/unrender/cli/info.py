"""``unrender info``: what a mesh or a view set holds."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from ..errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from ..geometry import Mesh
    from ..io import Views

NAMES_SHOWN = 8


@dataclasses.dataclass(frozen=True)
class Info:
    """Say what a mesh file or a view set holds.

    Attributes:
        path: a mesh (.obj, .glb, .gltf, .ply, .stl, .off), or a view set: a folder or its transforms.json.
    """

    path: tyro.conf.Positional[Path]

    def run(self) -> None:
        """Read it and print a table.

        Raises:
            InputError: the path is not there, or cannot be read as either.
        """
        from ..io import load_mesh, load_views
        from ..io.meshes import READ

        if not self.path.exists():
            raise InputError(f"{self.path} does not exist")
        if self.path.suffix.lower() in READ:
            rows = describe_mesh(load_mesh(self.path))
        elif self.path.is_dir() or self.path.suffix.lower() == ".json":
            rows = {"format": view_set_format(self.path), **describe_views(load_views(self.path))}
        else:
            raise InputError(
                f"expected a mesh file ending in {', '.join(READ)}, or a view set (a folder or .json file), "
                f"got {self.path}"
            )
        rows = {"file": f"{self.path}", **rows}
        width = max(len(what) for what in rows)
        for what, value in rows.items():  # not a rich table, which would fold long names in a pipe
            sys.stdout.write(f"{what:{width}}  {value}\n")


def describe_mesh(mesh: Mesh) -> dict[str, str]:
    """Size, shape and appearance of one mesh, in words.

    Args:
        mesh: without batch dimensions.

    Returns:
        Rows of a table: what, and how much.
    """
    from ..geometry import EdgeTopology, connected_components, face_areas

    topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
    low, high = mesh.vertices.amin(0), mesh.vertices.amax(0)
    components = connected_components(topology.edges, mesh.num_vertices)[topology.faces].unique().numel()
    oriented = bool((topology.pair_signs == 1).all())
    flat = _count_degenerate(mesh)
    closed = "closed" if topology.is_closed else f"open ({len(topology.boundary_edges)} boundary edges)"
    rows = {
        "vertices": f"{mesh.num_vertices}",
        "faces": f"{mesh.num_faces}" + (f", {flat} of them degenerate (no area)" if flat else ""),
        "bounds": f"{_vector(low)} to {_vector(high)}",
        "size": _vector(high - low),
        "surface": ", ".join(
            [
                closed,
                "manifold" if topology.is_manifold else "not manifold",
                "consistently oriented" if oriented else "not consistently oriented",
                f"{components} component" + "s" * (components > 1),
            ]
        ),
        "area": f"{float(face_areas(mesh.vertices.double(), mesh.faces).sum()):.6g}",
        "volume": _volume(mesh) if topology.is_closed and oriented else "not defined",
        "appearance": _appearance(mesh),
    }
    broken = [
        f"{name} ({count})"
        for name in ("uvs", "normals", "vertex_colors", "texture")
        if (value := getattr(mesh, name)) is not None and (count := int((~value.isfinite()).sum()))
    ]
    if broken:
        rows["NaN or infinite"] = ", ".join(broken)
    return rows


def view_set_format(path: Path) -> str:
    """The name of the form that :func:`unrender.io.load_views` reads at ``path``."""
    from ..io import colmap, dvr, nerf, softras_pair

    forms = {
        nerf: "NeRF (transforms.json)",
        colmap: "COLMAP",
        dvr: "DVR (cameras.npz)",
        softras_pair: "SoftRas (source.npy, camera.npy)",
    }
    return next((name for form, name in forms.items() if form.matches(path)), "unknown")


def describe_views(views: Views) -> dict[str, str]:
    """Pictures, cameras and masks of a view set, in words.

    Returns:
        Rows of a table: what, and how much.
    """
    import torch

    cameras = views.cameras
    coverage = views.masks.mean((1, 2))
    rows = {
        "views": f"{len(views)}",
        "picture size": f"{views.width} x {views.height}",
        "projection": "orthographic" if cameras.orthographic else "perspective",
    }
    if not cameras.orthographic:
        fields = [
            torch.rad2deg(2 * torch.atan(size / 2 / cameras.intrinsics[:, axis, axis]))
            for axis, size in ((0, views.width), (1, views.height))
        ]
        rows["field of view"] = f"{_range(fields[0])} by {_range(fields[1])} degrees, horizontal by vertical"
    try:
        centre, radius = views.bounds()
        rows["object"] = f"about {_vector(centre)}, within a radius of {radius:.4g}"
        rows["camera distance"] = f"{_range((cameras.center - centre).norm(dim=-1))} from there"
    except InputError as error:
        rows["object"] = f"place unknown: {error}"
        rows["camera distance"] = f"{_range(cameras.center.norm(dim=-1))} from the origin"
    low, mean, high = (100 * float(value) for value in (coverage.amin(), coverage.mean(), coverage.amax()))
    rows["mask coverage"] = f"{low:.1f} % to {high:.1f} %, on average {mean:.1f} %"
    if views.depth is not None:
        known = views.depth > 0
        share = 100 * float(known[views.masks > 0.5].double().mean().nan_to_num())
        rows["depth"] = f"in {int(known.any(2).any(1).sum())} pictures, of {share:.1f} % of the masks"
    for name, chosen in (("empty masks", coverage == 0), ("full masks", coverage == 1)):
        names = [views.names[i] for i in chosen.nonzero()[:, 0].tolist()]
        if names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            rows[name] = f"{len(names)}: {', '.join(names[:NAMES_SHOWN])}{more}"
    return rows


def _count_degenerate(mesh: Mesh) -> int:
    """Faces whose height over their longest edge is nothing beside the rounding of float32 coordinates."""
    from ..geometry import face_areas

    vertices = mesh.vertices.double()
    corners = vertices[mesh.faces]
    longest = (corners - corners.roll(1, 1)).norm(dim=-1).amax(-1)
    extent = float((vertices.amax(0) - vertices.amin(0)).norm())
    return int((2 * face_areas(vertices, mesh.faces) <= 1e-7 * extent * longest).sum())


def _volume(mesh: Mesh) -> str:
    """Enclosed volume: the sum of signed tetrahedra from the faces to the middle."""
    import torch

    vertices = mesh.vertices.double()
    a, b, c = (vertices - vertices.mean(0))[mesh.faces].unbind(1)
    volume = float((a * torch.linalg.cross(b, c)).sum() / 6)
    return f"{abs(volume):.6g}" + (" (inside out: faces are clockwise from outside)" if volume < 0 else "")


def _appearance(mesh: Mesh) -> str:
    if mesh.texture is not None:
        height, width = mesh.texture.shape[-3:-1]
        return f"texture of {width} x {height} pixels"
    if mesh.vertex_colors is not None:
        return "vertex colours"
    return "none" + (" (but texture coordinates)" if mesh.uvs is not None else "")


def _vector(values: Tensor) -> str:
    return "(" + ", ".join(f"{round(value, 6) + 0.0:.4g}" for value in values.tolist()) + ")"


def _range(values: Tensor) -> str:
    low, high = f"{float(values.min()):.4g}", f"{float(values.max()):.4g}"
    return low if low == high else f"{low} to {high}"
