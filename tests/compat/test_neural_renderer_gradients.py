"""neural_renderer's gradients: its published numbers, finite differences where they are true, and descent."""

import pytest
import torch
from neural_renderer_scenes import ball, plain_renderer, triangle

import unrender.compat.neural_renderer as nr

# Published with the original: a loss on one pixel, outside of the triangle or on it, and what it gives.
LITERALS = {
    "outside": (
        [[0.8, 0.8, 1.0], [0.0, -0.5, 1.0], [0.2, -0.4, 1.0]],
        (25, 35, 1.0),
        [[1.6725862, -0.26021874, 0.0], [1.41986704, -1.64284933, 0.0], [0.0, 0.0, 0.0]],
    ),
    "inside": (
        [[0.8, 0.8, 1.0], [-0.5, -0.8, 1.0], [0.8, -0.8, 1.0]],
        (40, 50, 0.0),
        [[0.98646867, 1.04628897, 0.0], [-1.03415668, -0.10403691, 0.0], [3.00094461, -1.55173182, 0.0]],
    ),
}


def third_of_four(tensor, device):
    """The batch of the original's tests: zeros but for the third of four items."""
    batch = torch.zeros(4, *tensor.shape, dtype=tensor.dtype, device=device)
    batch[2] = tensor.to(device)
    return batch


@pytest.mark.parametrize("place", LITERALS)
@pytest.mark.parametrize("mode", ["silhouettes", "rgb", None])
def test_published_gradients(device, place, mode):
    corners, (row, column, target), expected = LITERALS[place]
    renderer = plain_renderer(image_size=64, perspective=False)
    vertices = third_of_four(torch.tensor(corners), device).requires_grad_()
    faces = third_of_four(torch.tensor([[0, 1, 2]], dtype=torch.int32), device)
    textures = third_of_four(torch.ones(1, 4, 4, 4, 3), device)
    pictures = renderer(vertices, faces, textures, mode=mode)
    pictures = pictures[0] if mode is None else pictures
    pictures = pictures if mode == "silhouettes" else pictures.mean(1)
    (pictures[:, row, column] - target).abs().sum().backward()
    assert vertices.grad is not None
    torch.testing.assert_close(vertices.grad[2].cpu(), torch.tensor(expected), rtol=1e-2, atol=1e-8)
    assert not vertices.grad[[0, 1, 3]].any()


def test_published_depth_gradient(device):
    """The original holds it to finite differences: its depth is differentiable in earnest."""
    renderer = plain_renderer(image_size=64, perspective=False)
    renderer.camera_mode = "none"
    corners = [[-0.9, -0.9, 2.0], [-0.8, 0.8, 1.0], [0.8, 0.8, 0.5]]
    vertices = torch.tensor([corners], dtype=torch.float64, device=device)
    faces = torch.tensor([[[0, 1, 2]]], device=device)

    def loss(vertices):
        return (renderer(vertices, faces, mode="depth")[0, 15, 20] - 1) ** 2

    assert loss(vertices) < 1  # the pixel shows the triangle
    assert torch.autograd.gradcheck(loss, vertices.requires_grad_(), eps=1e-6, atol=1e-5)


def test_eps_bounds_the_pull_of_near_pixels(device):
    """An edge right beside a pixel centre pulls with 1 / (distance + eps)."""
    gap = 1e-3
    corners = ((-2.0, -3.0, 1.0), (1 / 8 - gap, -3.0, 1.0), (1 / 8 - gap, 3.0, 1.0))

    def pull(eps):
        faces = triangle(device, *corners).requires_grad_()
        alpha = nr.rasterize_silhouettes(faces, 8, False, eps=eps)
        (-alpha[0, 3, 4]).backward()
        assert faces.grad is not None
        return faces.grad[..., 0].sum().item()

    # the two ends of the edge share it, each as if it moved alone: 1 / (d / t + eps) with t and 1 - t
    share = (1 / 8 + 3) / 6
    for eps in (1e-4, 1e-2):
        expected = -sum(1 / (gap / t + eps) for t in (share, 1 - share))
        assert pull(eps) == pytest.approx(expected, rel=1e-6)


def test_renderer_passes_eps_on(device):
    vertices, faces, _ = ball(device)
    grads = []
    for eps in (1e-3, 1e-1):
        renderer = plain_renderer()
        assert renderer.rasterizer_eps == 1e-3
        renderer.rasterizer_eps = eps
        leaf = vertices.clone().requires_grad_()
        (-renderer(leaf, faces, mode="silhouettes")).sum().backward()
        assert leaf.grad is not None
        grads.append(leaf.grad.abs().sum())
    assert grads[1] < 0.9 * grads[0]


def test_colors_and_alpha_pull_as_one(device):
    """White on black: alpha alone, the mean of colours alone and both have gradients g, g and 2 g."""
    vertices, faces, textures = ball(device)
    pulls = []
    for a, c in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
        leaf = vertices.clone().requires_grad_()
        rgb, _, alpha = plain_renderer()(leaf, faces, torch.ones_like(textures))
        (-a * alpha.sum() - c * rgb.mean(1).sum()).backward()
        pulls.append(leaf.grad)
    assert pulls[0] is not None
    assert pulls[0].abs().max() > 0.1
    torch.testing.assert_close(pulls[1], pulls[0])
    torch.testing.assert_close(pulls[2], 2 * pulls[0])


def test_anti_aliasing_scans_the_large_picture(device):
    faces = triangle(device, (-0.8, -0.7, 1.0), (0.9, -0.5, 1.0), (-0.2, 0.8, 1.0))
    weights = torch.rand(1, 8, 8, device=device, dtype=torch.float64) - 0.5
    grads = []
    for anti_aliasing in (True, False):
        leaf = faces.clone().requires_grad_()
        alpha = nr.rasterize_silhouettes(leaf, 8 if anti_aliasing else 16, anti_aliasing)
        alpha = alpha if anti_aliasing else alpha.view(1, 8, 2, 8, 2).mean((2, 4))
        (alpha * weights).sum().backward()
        grads.append(leaf.grad)
    assert grads[0] is not None
    assert grads[0].abs().max() > 0
    torch.testing.assert_close(grads[0], grads[1])


def test_texture_gradient(device):
    vertices, faces, textures = ball(device, size=2)
    renderer = plain_renderer(image_size=6, light_intensity_directional=0.5)
    weights = torch.rand(1, 3, 6, 6, device=device, dtype=torch.float64)

    def loss(textures):
        return (renderer(vertices, faces, textures, mode="rgb") * weights).sum()

    assert torch.autograd.gradcheck(loss, textures.requires_grad_(), fast_mode=True)


def test_light_moves_vertices(device):
    """Colours of the light on a face that covers the picture depend on nothing but its normal."""
    corners = triangle(device, (-9.0, -9.0, 2.0), (9.0, -9.0, 2.5), (0.0, 9.0, 3.0))[:, 0]
    faces = torch.tensor([[[0, 1, 2]]], device=device)
    textures = torch.tensor([0.4, 0.7, 0.9], device=device, dtype=torch.float64).expand(1, 1, 2, 2, 2, 3)
    renderer = nr.Renderer(camera_mode="look", image_size=4, light_direction=[0.1, 0.2, -0.9])
    renderer.camera_mode = "none"
    assert torch.autograd.gradcheck(
        lambda v: renderer(v, faces, textures, mode="rgb").mean(),
        corners.requires_grad_(),
        eps=1e-7,
        atol=1e-5,
        rtol=1e-3,
    )


def test_depth_gradient_reaches_the_eye(device):
    vertices, faces, _ = ball(device)
    weights = plain_renderer()(vertices, faces, mode="silhouettes")
    inside = torch.nn.functional.avg_pool2d(weights, 3, 1, 1) == 1  # no pixel that a small step uncovers

    def loss(eye):
        renderer = plain_renderer()
        renderer.eye = eye
        depth = renderer(vertices, faces, mode="depth")
        return depth[:, 10:22:3, 10:22:3].sum()

    assert bool(inside[:, 10:22:3, 10:22:3].all())
    eye = torch.tensor([0.3, 0.2, -2.7], device=device, dtype=torch.float64)
    assert torch.autograd.gradcheck(loss, eye.requires_grad_(), eps=1e-7, atol=1e-4)


def test_silhouette_brings_the_eye_back(device):
    """Descent on the silhouette alone, as in the original's fourth example."""
    vertices, faces, _ = (t.float() if t.is_floating_point() else t for t in ball(device))
    stretched = vertices * torch.tensor([1.5, 0.7, 1.0], device=device)
    renderer = plain_renderer()
    with torch.no_grad():
        target = renderer(stretched, faces, mode="silhouettes")
    eye = torch.nn.Parameter(torch.tensor([0.7, 0.6, -2.4], device=device))
    renderer.eye = eye
    optimizer = torch.optim.Adam([eye], lr=0.03)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (renderer(stretched, faces, mode="silhouettes") - target).square().sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert min(losses) < 0.25 * losses[0]
