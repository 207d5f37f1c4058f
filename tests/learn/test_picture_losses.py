"""Losses on pictures against closed forms and slow loops."""

import pytest
import torch

from unrender.errors import InputError
from unrender.geometry import icosphere
from unrender.learn.losses import color_loss, mirror_partners, silhouette_loss, symmetry_loss


def test_silhouette_loss_of_binary_masks_is_one_minus_iou():
    a = torch.zeros(2, 4, 4)
    b = torch.zeros(2, 4, 4)
    a[0, :2], b[0, 1:3] = 1, 1  # 8 and 8 pixels, 4 in both
    assert silhouette_loss(a, b).tolist() == pytest.approx([1 - 4 / 12, 0.0])


def test_silhouette_loss_multiplies_soft_values():
    a, b = torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), 0.25)
    assert silhouette_loss(a, b).item() == pytest.approx(1 - 0.125 / 0.625)


def test_color_loss_sums_channels_and_averages_pixels():
    colors, target = torch.zeros(2, 2, 3), torch.zeros(2, 2, 3)
    colors[0, 0] = torch.tensor([0.1, 0.2, 0.3])
    assert color_loss(colors, target).item() == pytest.approx(0.6 / 4)


def test_mirror_partners_of_a_sphere_are_mirror_images():
    sphere = icosphere(2).vertices
    partners = mirror_partners(sphere)
    flipped = sphere[partners] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(flipped, sphere, atol=1e-6)
    assert torch.equal(partners[partners], torch.arange(len(sphere)))


def test_a_lopsided_template_is_refused():
    with pytest.raises(InputError, match="mirror image"):
        mirror_partners(icosphere(1).vertices + torch.tensor([0.2, 0.0, 0.0]))


def test_symmetry_loss_measures_the_shift():
    sphere = icosphere(2).vertices
    partners = mirror_partners(sphere)
    assert symmetry_loss(sphere, partners).item() == pytest.approx(0, abs=1e-10)
    shifted = sphere + torch.tensor([0.1, 0.3, 0.0])  # the mirror image of a shift by 0.1 is 0.2 away
    assert symmetry_loss(shifted, partners).item() == pytest.approx(0.04, rel=1e-4)
