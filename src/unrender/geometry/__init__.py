"""Triangle meshes: the data type, templates, differential quantities, losses, sampling and remeshing."""

from .arap import arap_energy
from .corners import gather_corners, gather_rows, scatter_corners
from .distances import (
    NearestOnMesh,
    NearestPoints,
    chamfer_l1,
    chamfer_squared,
    f_score,
    nearest_on_triangle,
    nearest_points,
    point_to_mesh_distance,
)
from .edges import EdgeTopology, connected_components, unique_edges
from .laplacian import apply_laplacian, cotangent_laplacian, cotangent_weights, uniform_laplacian
from .merge import merge
from .mesh import Mesh
from .normals import face_areas, face_normals, vertex_normals
from .packed import PackedMeshes
from .regularizers import (
    adjacent_normal_cosines,
    edge_length_loss,
    flatten_loss,
    laplacian_loss,
    normal_consistency_loss,
)
from .remesh import remesh
from .sampling import SurfaceSamples, interpolate_on_faces, sample_surface
from .subdivision import loop_subdivide, subdivide
from .templates import cube, fibonacci_sphere, icosphere, spherical_uvs, uv_sphere
from .voxels import voxel_iou, voxelize
from .winding import winding_number

__all__ = [
    "EdgeTopology",
    "Mesh",
    "NearestOnMesh",
    "NearestPoints",
    "PackedMeshes",
    "SurfaceSamples",
    "adjacent_normal_cosines",
    "apply_laplacian",
    "arap_energy",
    "chamfer_l1",
    "chamfer_squared",
    "connected_components",
    "cotangent_laplacian",
    "cotangent_weights",
    "cube",
    "edge_length_loss",
    "f_score",
    "face_areas",
    "face_normals",
    "fibonacci_sphere",
    "flatten_loss",
    "gather_corners",
    "gather_rows",
    "icosphere",
    "interpolate_on_faces",
    "laplacian_loss",
    "loop_subdivide",
    "merge",
    "nearest_on_triangle",
    "nearest_points",
    "normal_consistency_loss",
    "point_to_mesh_distance",
    "remesh",
    "sample_surface",
    "scatter_corners",
    "spherical_uvs",
    "subdivide",
    "uniform_laplacian",
    "unique_edges",
    "uv_sphere",
    "vertex_normals",
    "voxel_iou",
    "voxelize",
    "winding_number",
]
