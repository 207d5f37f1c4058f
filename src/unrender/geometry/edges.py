"""Edges of a triangle mesh and the faces that meet in them."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..errors import InputError


def unique_edges(faces: Tensor) -> tuple[Tensor, Tensor]:
    """Every edge once, and the edges of every face.

    Args:
        faces: vertex indices, shape (F, 3).

    Returns:
        edges (E, 2), the smaller vertex first, in ascending order; and face_edges (F, 3), where
        ``face_edges[f, k]`` is the edge opposite corner k of face f, so it joins corners k + 1 and k + 2.
    """
    if faces.ndim != 2 or faces.shape[-1] != 3:
        raise InputError(f"faces must have shape (F, 3), got {tuple(faces.shape)}")
    faces = faces.long()
    ends = torch.stack([faces[:, [1, 2, 0]], faces[:, [2, 0, 1]]], -1).sort(-1).values
    stride = int(faces.max()) + 1 if faces.numel() else 1
    keys, face_edges = torch.unique(ends[..., 0] * stride + ends[..., 1], return_inverse=True)
    return torch.stack([keys // stride, keys % stride], -1), face_edges


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeTopology:
    """The edges of a mesh and what meets in them; computed once, good for as long as the faces stay.

    Faces that name a vertex twice have no area and no edges of their own: they are left out. Boundary edges
    (one face) and non-manifold edges (three or more) are welcome.

    Attributes:
        num_vertices: V.
        faces: the faces that name three different vertices, shape (F, 3).
        edges: vertex indices, the smaller first, shape (E, 2).
        face_edges: the edge opposite each corner, shape (F, 3).
        face_counts: how many faces meet in each edge, shape (E,).
        face_pairs: indices into ``faces`` of every two faces that share an edge, shape (P, 2). An edge of n
            faces gives n (n - 1) / 2 pairs.
        pair_edges: the edge that each pair shares, shape (P,).
        pair_opposites: the vertex opposite that edge in each face of the pair, shape (P, 2).
        pair_signs: 1 where the two faces run along the edge in opposite directions, as they do on a
            consistently oriented mesh, and -1 where one of them is turned over, shape (P,), integer.
    """

    num_vertices: int
    faces: Tensor
    edges: Tensor
    face_edges: Tensor
    face_counts: Tensor
    face_pairs: Tensor
    pair_edges: Tensor
    pair_opposites: Tensor
    pair_signs: Tensor

    @classmethod
    def from_faces(cls, faces: Tensor, num_vertices: int) -> EdgeTopology:
        """Find the edges of ``faces`` (F, 3), which index ``num_vertices`` vertices."""
        if faces.ndim != 2 or faces.shape[-1] != 3:
            raise InputError(f"faces must have shape (F, 3), got {tuple(faces.shape)}")
        faces = faces.long()
        faces = faces[(faces != faces.roll(1, -1)).all(-1)]
        edges, face_edges = unique_edges(faces)

        # Corners sorted by the edge opposite them: those of one edge lie together, and the one at place n
        # of its group pairs with the n before it.
        edge_of_corner, corners = torch.sort(face_edges.reshape(-1), stable=True)
        face_counts = torch.bincount(edge_of_corner, minlength=edges.shape[0])
        starts = face_counts.cumsum(0) - face_counts
        positions = torch.arange(corners.shape[0], device=faces.device)
        places = positions - starts[edge_of_corner]
        second = positions.repeat_interleave(places)
        first_of_run = (places.cumsum(0) - places).repeat_interleave(places)
        within = torch.arange(second.shape[0], device=faces.device) - first_of_run
        first = starts[edge_of_corner[second]] + within
        pair_corners = corners[torch.stack([first, second], -1)]
        upward = faces[:, [1, 2, 0]] < faces[:, [2, 0, 1]]
        opposed = upward.reshape(-1)[pair_corners[:, 0]] != upward.reshape(-1)[pair_corners[:, 1]]
        return cls(
            num_vertices=num_vertices,
            faces=faces,
            edges=edges,
            face_edges=face_edges,
            face_counts=face_counts,
            face_pairs=pair_corners // 3,
            pair_edges=edge_of_corner[second],
            pair_opposites=faces.reshape(-1)[pair_corners],
            pair_signs=opposed.long() * 2 - 1,
        )

    @property
    def num_edges(self) -> int:
        """E."""
        return self.edges.shape[0]

    @property
    def boundary_edges(self) -> Tensor:
        """The edges of a single face, shape (N, 2)."""
        return self.edges[self.face_counts == 1]

    @property
    def degrees(self) -> Tensor:
        """The number of neighbours of every vertex, shape (V,)."""
        return torch.bincount(self.edges.reshape(-1), minlength=self.num_vertices)

    @property
    def is_closed(self) -> bool:
        """Whether no edge has a single face."""
        return not bool((self.face_counts == 1).any())

    @property
    def is_manifold(self) -> bool:
        """Whether at most two faces meet in every edge and the faces round every vertex form one fan."""
        if bool((self.face_counts > 2).any()):
            return False
        # Corners at one vertex are joined across the edges that leave it; each vertex needs one component.
        pair_faces = self.face_pairs.repeat_interleave(2, 0)
        ends = self.edges[self.pair_edges].reshape(-1)
        corner = (self.faces[pair_faces] == ends[:, None, None]).int().argmax(-1)
        fans = connected_components(pair_faces * 3 + corner, self.faces.numel())
        return int(fans.unique().numel()) == int(self.faces.unique().numel())

    def to(self, device: torch.device | str) -> EdgeTopology:
        """A copy on another device."""
        fields = {n: getattr(self, n).to(device) for n in _TENSORS}
        return dataclasses.replace(self, **fields)


_TENSORS = tuple(f.name for f in dataclasses.fields(EdgeTopology) if f.name != "num_vertices")


def as_topology(faces: Tensor | EdgeTopology, num_vertices: int) -> EdgeTopology:
    """The topology itself, or that of a tensor of faces.

    Args:
        faces: vertex indices, shape (F, 3), or a topology computed before.
        num_vertices: V.

    Raises:
        InputError: the topology was made for another number of vertices.
    """
    if isinstance(faces, Tensor):
        return EdgeTopology.from_faces(faces, num_vertices)
    if faces.num_vertices != num_vertices:
        raise InputError(f"topology must have {num_vertices} vertices, got {faces.num_vertices}")
    return faces


def connected_components(links: Tensor, count: int) -> Tensor:
    """The smallest index in the connected component of every node.

    Args:
        links: pairs of nodes that belong together, shape (N, 2); the edges of a mesh, for instance.
        count: number of nodes.

    Returns:
        Labels, shape (count,); nodes have the same label exactly when links join them.
    """
    labels = torch.arange(count, device=links.device)
    while True:
        ends = labels[links]
        least = ends.amin(-1, keepdim=True).expand_as(ends)
        hooked = labels.scatter_reduce(0, ends.reshape(-1), least.reshape(-1), "amin")
        hooked = hooked[hooked]
        if torch.equal(hooked, labels):
            return labels
        labels = hooked
