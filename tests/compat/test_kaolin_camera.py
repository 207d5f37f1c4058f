"""Kaolin's cameras against look-at matrices worked out by hand and by numpy."""

import math

import numpy as np
import pytest
import torch

import unrender.compat.kaolin as kal
from unrender.errors import InputError

camera = kal.render.camera


def look_at(eye, target, up):
    """Rows right, up, backward: the textbook matrix, in numpy."""
    back = (eye - target) / np.linalg.norm(eye - target)
    right = np.cross(up, back)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(back, right), back])


def poses(device, dtype):
    eye = torch.tensor([[0.0, 0.0, 4.0], [1.0, 2.0, -3.0], [-2.0, 0.5, 0.1]], device=device, dtype=dtype)
    target = torch.tensor([[0.0, 0.0, 0.0], [0.2, -0.1, 0.4], [0.0, 0.3, 0.0]], device=device, dtype=dtype)
    up = torch.tensor([[0.0, 1.0, 0.0]], device=device, dtype=dtype)
    return eye, target, up


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rotation_rows_are_right_up_backward(device, dtype):
    eye, target, up = poses(device, dtype)
    rotation, translation = camera.generate_rotate_translate_matrices(eye, target, up)
    assert rotation.dtype == dtype
    assert torch.equal(translation, eye)
    for i in range(3):
        want = look_at(eye[i].cpu().numpy(), target[i].cpu().numpy(), np.array([0.0, 1.0, 0.0]))
        np.testing.assert_allclose(rotation[i].cpu().numpy(), want, atol=1e-6)
    assert torch.allclose(rotation[0], torch.eye(3, device=device, dtype=dtype))


def test_transformation_matrix_does_what_rotation_and_translation_do(device):
    eye, target, up = poses(device, torch.float64)
    points = torch.randn(3, 7, 3, dtype=torch.float64, device=device)
    rotation, translation = camera.generate_rotate_translate_matrices(eye, target, up)
    apart = camera.rotate_translate_points(points, rotation, translation)
    matrix = camera.generate_transformation_matrix(eye, target, up)
    assert matrix.shape == (3, 4, 3)
    joint = torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) @ matrix
    assert torch.allclose(apart, joint, atol=1e-12)
    with_columns = camera.rotate_translate_points(points, rotation, translation[..., None])
    assert torch.equal(apart, with_columns)


def test_one_eye_serves_many_up_directions(device):
    eye, target, _ = poses(device, torch.float64)
    ups = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64, device=device)
    rotation, _ = camera.generate_rotate_translate_matrices(eye[:1], target[:1], ups)
    assert rotation.shape == (2, 3, 3)
    assert torch.allclose(rotation[:, 2], rotation[:1, 2].expand(2, 3))
    assert camera.generate_transformation_matrix(eye[:1], target[:1], ups).shape == (2, 4, 3)


def test_inputs_are_left_alone(device):
    eye, target, up = poses(device, torch.float32)
    copies = eye.clone(), target.clone(), up.clone()
    camera.generate_transformation_matrix(eye, target, up)
    assert all(torch.equal(a, b) for a, b in zip((eye, target, up), copies, strict=True))


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_edge_of_the_view_projects_to_one(device, ratio):
    fov = math.radians(50)
    projection = camera.generate_perspective_projection(fov, ratio).to(device)
    assert projection.shape == (3, 1)
    assert projection.dtype == torch.float32
    half = math.tan(fov / 2)
    points = torch.tensor(
        [[[half * ratio * 3, half * 3, -3.0], [-half * ratio * 5, 0.0, -5.0]]], device=device
    )
    want = torch.tensor([[[1.0, 1.0], [-1.0, 0.0]]], device=device)
    assert torch.allclose(camera.perspective_camera(points, projection), want, atol=1e-6)


def test_projection_of_a_known_angle():
    projection = camera.generate_perspective_projection(
        2 * math.atan(1 / 2.5), ratio=2.0, dtype=torch.float64
    )
    assert torch.allclose(projection, torch.tensor([[1.25], [2.5], [-1.0]], dtype=torch.float64))
    assert camera.legacy.generate_perspective_projection is camera.generate_perspective_projection


def test_prepare_vertices_takes_either_camera(device):
    eye, target, up = poses(device, torch.float64)
    vertices = torch.randn(3, 6, 3, dtype=torch.float64, device=device)
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]], device=device)
    projection = camera.generate_perspective_projection(0.8, dtype=torch.float64).to(device)
    rotation, translation = camera.generate_rotate_translate_matrices(eye, target, up)
    matrix = camera.generate_transformation_matrix(eye, target, up)
    apart = kal.render.mesh.prepare_vertices(vertices, faces, projection, rotation, translation)
    joint = kal.render.mesh.prepare_vertices(vertices, faces, projection, camera_transform=matrix)
    for a, b, shape in zip(apart, joint, [(3, 2, 3, 3), (3, 2, 3, 2), (3, 2, 3)], strict=True):
        assert a.shape == shape
        assert torch.allclose(a, b, atol=1e-10)
    corners, image, normals = apart
    assert torch.allclose(image, -corners[..., :2] * projection[:2, 0] / corners[..., 2:], atol=1e-12)
    assert torch.allclose(normals.norm(dim=-1), torch.ones(3, 2, dtype=torch.float64, device=device))
    edge = corners[:, :, 1] - corners[:, :, 0]
    assert torch.allclose((edge * normals).sum(-1), torch.zeros_like(normals[..., 0]), atol=1e-9)
    for arguments in ({}, {"camera_rot": rotation}, {"camera_rot": rotation, "camera_transform": matrix}):
        with pytest.raises(InputError, match="camera_rot and camera_trans"):
            kal.render.mesh.prepare_vertices(vertices, faces, projection, **arguments)
