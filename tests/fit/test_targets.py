import pytest
import torch

from unrender.fit.targets import SoftTargets, distance_to_mask
from unrender.geometry import icosphere
from unrender.render import DIBR, Camera, NeuralMesh, SoftRas, render


@pytest.mark.parametrize("blur", [0.5, 0.7, 1.0])
@pytest.mark.parametrize("kind", [DIBR, SoftRas])
def test_the_target_of_a_meshs_own_mask_is_its_silhouette(device, blur, kind):
    """On average over the soft rim, so that a mesh that fits is neither grown nor shrunk."""
    mesh = icosphere(3, device=device)
    camera = Camera.orbit(4.0, 15.0, [0.0, 50.0, 200.0], fov_y=35.0, width=96, height=80).to(device)
    renderer = kind(blur=blur)
    picture = render(mesh, camera, renderer=renderer)
    targets = SoftTargets(picture.mask.float(), renderer)
    targets.calibrate(picture.alpha, picture.mask)
    target = targets[torch.arange(3)]
    distance = distance_to_mask(picture.mask.float())
    inside = distance_to_mask((~picture.mask).float())
    rim = (distance < 2.5 * blur + 0.5) & (inside < 2.5 * blur + 0.5)
    if kind is DIBR:
        rim &= ~picture.mask
        assert float(target[picture.mask].min()) == 1
    assert float(target[inside > 4 * blur + 1].min()) > 0.99
    assert float(picture.alpha[rim].mean()) > 0.3
    assert abs(float((target - picture.alpha)[rim].mean())) < 0.02
    assert float(target[distance > 4 * blur + 1].max()) < 1e-3


def test_without_blur_the_target_is_the_mask(device):
    masks = torch.rand(2, 5, 9, device=device)
    targets = SoftTargets(masks, NeuralMesh())
    targets.calibrate(masks, masks > 0.5)
    assert torch.equal(targets[torch.tensor([1])], masks[1:])


def test_calibration_follows_slowly(device):
    mesh = icosphere(3, device=device)
    camera = Camera.orbit(4.0, 0.0, [0.0], fov_y=35.0, width=64, height=64).to(device)
    picture = render(mesh, camera, renderer=DIBR(blur=1.0))
    targets = SoftTargets(picture.mask.float(), DIBR(blur=1.0))
    targets.calibrate(picture.alpha, picture.mask)
    first = targets.faces
    targets.calibrate(torch.zeros_like(picture.alpha), picture.mask)
    assert targets.faces == pytest.approx(0.7 * first, rel=1e-6)


def test_distances_to_a_half_plane(device):
    masks = torch.zeros(2, 5, 9, device=device)
    masks[0, :, :4] = 1
    masks[1, 2, 3] = 0.6
    masks[1, 2, 4] = 0.5  # not inside
    distances = distance_to_mask(masks)
    column = torch.arange(9.0, device=device)
    torch.testing.assert_close(distances[0], (column - 3).clamp(min=0).expand(5, 9))
    row = torch.arange(5.0, device=device)[:, None]
    torch.testing.assert_close(distances[1], torch.hypot(row - 2, column - 3))
