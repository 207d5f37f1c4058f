"""What SoftRas's own examples do, shortened: their calls with another import and without ``.cuda()``."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import unrender.compat.soft_renderer as sr
from unrender.geometry import icosphere
from unrender.io import load_mesh


def test_render_a_textured_model_blur_it_and_save_it(shared_data, tmp_path):
    mesh = sr.Mesh.from_obj(
        str(shared_data / "meshes" / "spot" / "spot_triangulated.obj"),
        load_texture=True,
        texture_res=5,
        texture_type="surface",
    )
    renderer = sr.SoftRenderer(camera_mode="look_at")

    turned = []
    for azimuth in (0, 120, 240):
        mesh.reset_()
        renderer.transform.set_eyes_from_angles(2.732, 30, azimuth)
        images = renderer.render_mesh(mesh)
        assert images.shape == (1, 4, 256, 256)
        turned.append(images[0])
    for picture in turned:
        assert 0.05 < float(picture[3].mean()) < 0.5
        assert float(picture[:3].max()) <= 1
    assert float((turned[0] - turned[1]).abs().mean()) > 0.01

    renderer.transform.set_eyes_from_angles(2.732, 30, 45)
    reached = []
    for gamma_power in (-4, -3, -2):
        mesh.reset_()
        renderer.set_gamma(10**gamma_power)
        renderer.set_sigma(10 ** (gamma_power - 1))
        alpha = renderer.render_mesh(mesh)[0, 3]
        reached.append(int((alpha > 0.05).sum()))
    assert reached[0] < reached[1] < reached[2]

    mesh.reset_()
    mesh.save_obj(str(tmp_path / "saved_spot.obj"), save_texture=True)
    saved = load_mesh(tmp_path / "saved_spot.obj")
    assert saved.texture is not None
    assert saved.num_faces == 5856
    again = sr.Mesh.from_obj(str(tmp_path / "saved_spot.obj"), load_texture=True, texture_res=5)
    assert float((again.textures - mesh.textures).abs().mean()) < 0.02


class Model(nn.Module):
    """A sphere with an offset for each vertex that keeps it in its octant, and a centre."""

    vertices: torch.Tensor
    faces: torch.Tensor
    laplacian_loss: sr.LaplacianLoss
    flatten_loss: sr.FlattenLoss

    def __init__(self, template_path):
        super().__init__()
        self.template_mesh = sr.Mesh.from_obj(template_path)
        self.register_buffer("vertices", self.template_mesh.vertices * 0.5)
        self.register_buffer("faces", self.template_mesh.faces)
        self.displace = nn.Parameter(torch.zeros_like(self.template_mesh.vertices))
        self.center = nn.Parameter(torch.zeros(1, 1, 3))
        self.laplacian_loss = sr.LaplacianLoss(self.vertices[0].cpu(), self.faces[0].cpu())
        self.flatten_loss = sr.FlattenLoss(self.faces[0].cpu())

    def forward(self, batch_size):
        base = torch.logit(self.vertices.abs())
        centroid = torch.tanh(self.center)
        vertices = torch.sigmoid(base + self.displace) * torch.sign(self.vertices)
        outward, inward = functional.relu(vertices), functional.relu(-vertices)
        vertices = outward * (1 - centroid) - inward * (1 + centroid) + centroid
        mesh = sr.Mesh(vertices.repeat(batch_size, 1, 1), self.faces.repeat(batch_size, 1, 1))
        return mesh, self.laplacian_loss(vertices).mean(), self.flatten_loss(vertices).mean()


def neg_iou_loss(predict, target):
    intersection = (predict * target).sum((1, 2))
    union = (predict + target - predict * target).sum((1, 2)) + 1e-6
    return 1 - (intersection / union).mean()


def fit_the_airplane(shared_data, tmp_path, device, *, views, steps):
    """The losses of each step, and the model."""
    sphere = icosphere(3)
    sr.functional.save_obj(tmp_path / "sphere.obj", sphere.vertices, sphere.faces)
    model = Model(str(tmp_path / "sphere.obj")).to(device)
    renderer = sr.SoftRenderer(
        image_size=64, sigma_val=1e-4, aggr_func_rgb="hard", camera_mode="look_at", viewing_angle=15
    )
    images = np.load(shared_data / "airplane" / "source.npy")[views].astype("float32") / 255.0
    cameras = np.load(shared_data / "airplane" / "camera.npy")[views].astype("float32")
    optimizer = torch.optim.Adam(model.parameters(), 0.01, betas=(0.5, 0.99))
    renderer.transform.set_eyes_from_angles(*(torch.from_numpy(column) for column in cameras.T))
    images_gt = torch.from_numpy(images).to(device)

    losses = []
    for _ in range(steps):
        mesh, laplacian, flatten = model(len(images))
        images_pred = renderer.render_mesh(mesh)
        iou = neg_iou_loss(images_pred[:, 3], images_gt[:, 3])
        optimizer.zero_grad()
        (iou + 0.03 * laplacian + 0.0003 * flatten).backward()
        optimizer.step()
        losses.append(iou.item())
    return losses, model


def test_a_sphere_grows_towards_an_airplane(shared_data, tmp_path, device):
    losses, model = fit_the_airplane(shared_data, tmp_path, device, views=slice(0, 120, 15), steps=20)
    assert all(later < before for before, later in zip(losses, losses[5:], strict=False))
    assert losses[-1] < losses[0] - 0.03  # Adam moves vertices by no more than 0.01 a step
    assert model.center.grad is not None
    assert float(model.center.grad.abs().max()) > 0
    model(1)[0].save_obj(str(tmp_path / "plane.obj"), save_texture=False)
    assert load_mesh(tmp_path / "plane.obj").num_faces == 1280


@pytest.mark.slow
def test_the_airplane_comes_out(shared_data, tmp_path, device):
    losses, _ = fit_the_airplane(shared_data, tmp_path, device, views=slice(0, 120, 5), steps=400)
    assert losses[-1] < 0.25


def test_colours_of_a_mesh_are_found_from_its_picture(device):
    sphere = icosphere(1)
    vertices, faces = sphere.vertices.to(device), sphere.faces.to(device)
    generator = torch.Generator().manual_seed(1)
    true = torch.rand(1, 42, 3, generator=generator).to(device)
    renderer = sr.SoftRenderer(32, camera_mode="look_at", sigma_val=1e-4, gamma_val=1e-3)
    renderer.transform.set_eyes_from_angles(torch.full((6,), 2.732), torch.zeros(6), torch.arange(6) * 60.0)

    def draw(colors):
        repeated = vertices.expand(6, -1, -1), faces.expand(6, -1, -1), colors.expand(6, -1, -1)
        return renderer(*repeated, texture_type="vertex")

    target = draw(true)
    colors = torch.full_like(true, 0.5).requires_grad_()
    optimizer = torch.optim.Adam([colors], 0.05)
    for _ in range(60):
        optimizer.zero_grad()
        loss = (draw(colors) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert float((colors.detach() - true).abs().mean()) < 0.03
