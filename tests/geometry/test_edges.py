import torch
import trimesh

from unrender.geometry import EdgeTopology, connected_components, icosphere, unique_edges, uv_sphere

# Three faces that share the edge 0-1, and one apart from them.
FIN = [[0, 1, 2], [1, 0, 3], [0, 1, 4], [5, 6, 7]]


def test_edges_agree_with_trimesh(device):
    mesh = uv_sphere(5, 7, device=device)
    edges, face_edges = unique_edges(mesh.faces)
    reference = trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)
    assert {tuple(e) for e in edges.tolist()} == {tuple(sorted(e)) for e in reference.edges_unique.tolist()}
    for k in range(3):
        ends = mesh.faces[:, [(k + 1) % 3, (k + 2) % 3]].sort(-1).values
        assert torch.equal(edges[face_edges[:, k]], ends)


def test_pairs_of_a_closed_mesh_agree_with_trimesh(device):
    mesh = icosphere(2, device=device)
    topology = EdgeTopology.from_faces(mesh.faces, mesh.num_vertices)
    reference = trimesh.Trimesh(mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy(), process=False)
    pairs = {tuple(sorted(p)) for p in topology.face_pairs.tolist()}
    assert pairs == {tuple(sorted(p)) for p in reference.face_adjacency.tolist()}
    assert topology.face_pairs.shape[0] == topology.num_edges == 480
    for column in range(2):
        corners = torch.cat(
            [topology.edges[topology.pair_edges], topology.pair_opposites[:, column, None]], -1
        )
        faces = topology.faces[topology.face_pairs[:, column]]
        assert torch.equal(corners.sort(-1).values, faces.sort(-1).values)
    assert bool((topology.pair_signs == 1).all())
    assert topology.is_closed
    assert topology.is_manifold
    assert topology.boundary_edges.shape == (0, 2)


def test_three_faces_on_an_edge_give_three_pairs(device):
    topology = EdgeTopology.from_faces(torch.tensor(FIN, device=device), 8)
    assert topology.face_pairs.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert topology.pair_opposites.tolist() == [[2, 3], [2, 4], [3, 4]]
    assert topology.pair_signs.tolist() == [1, -1, 1]
    assert not topology.is_closed
    assert not topology.is_manifold
    assert topology.boundary_edges.shape[0] == 9


def test_open_strip(device):
    topology = EdgeTopology.from_faces(torch.tensor([[0, 1, 2], [2, 1, 3]], device=device), 5)
    assert topology.boundary_edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert topology.degrees.tolist() == [2, 3, 3, 2, 0]
    assert topology.is_manifold
    assert not topology.is_closed


def test_two_fans_at_one_vertex_are_not_manifold(device):
    first = icosphere(1, device=device).faces
    second = torch.where(first == 0, 0, first + 41)
    together = EdgeTopology.from_faces(torch.cat([first, second]), 83)
    assert together.is_closed
    assert not together.is_manifold
    assert EdgeTopology.from_faces(torch.cat([first, first + 42]), 84).is_manifold


def test_faces_that_name_a_vertex_twice_are_left_out(device):
    topology = EdgeTopology.from_faces(torch.tensor([[0, 1, 1], [0, 1, 2], [3, 3, 3]], device=device), 4)
    assert topology.faces.tolist() == [[0, 1, 2]]
    assert topology.edges.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_no_faces(device):
    topology = EdgeTopology.from_faces(torch.zeros(0, 3, dtype=torch.long, device=device), 2)
    assert topology.num_edges == 0
    assert topology.face_pairs.shape == (0, 2)
    assert topology.degrees.tolist() == [0, 0]


def test_connected_components(device):
    links = torch.tensor([[5, 4], [4, 3], [0, 1], [1, 6]], device=device)
    assert connected_components(links, 8).tolist() == [0, 0, 2, 3, 3, 3, 0, 7]
    path = torch.randperm(500).to(device)
    long = connected_components(torch.stack([path[:-1], path[1:]], -1), 500)
    assert bool((long == 0).all())


def test_topology_moves(device):
    topology = EdgeTopology.from_faces(torch.tensor(FIN), 8).to(device)
    assert topology.face_pairs.device.type == device.type
    assert topology.num_vertices == 8
