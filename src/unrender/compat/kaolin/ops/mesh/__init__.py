"""Indexing, normals, adjacency, sampling and subdivision of meshes."""

from . import trianglemesh
from .mesh import adjacency_matrix, compute_vertex_normals, index_vertices_by_faces, uniform_laplacian
from .trianglemesh import face_areas, face_normals, sample_points, subdivide_trianglemesh

__all__ = [
    "adjacency_matrix",
    "compute_vertex_normals",
    "face_areas",
    "face_normals",
    "index_vertices_by_faces",
    "sample_points",
    "subdivide_trianglemesh",
    "trianglemesh",
    "uniform_laplacian",
]
