import math
import sys

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torchmetrics.functional.image import peak_signal_noise_ratio

from unrender.errors import InputError
from unrender.learn.data.light_record import LightRecord, random_lights
from unrender.learn.metrics import (
    angle_between,
    irradiance_error,
    main_direction,
    mask_iou,
    masked_psnr,
    sphere_irradiance,
    ssim,
)


def test_mask_iou_of_overlapping_boxes(device):
    a, b = torch.zeros(2, 8, 8, device=device), torch.zeros(2, 8, 8, device=device)
    a[0, :4], b[0, 2:6] = 0.9, 0.6
    a[0, 7], b[0, 7] = 0.5, 0.5  # not above one half
    assert mask_iou(a, b).tolist() == pytest.approx([2 / 6, 1])


def test_psnr_agrees_with_torchmetrics_inside_the_mask(device):
    predicted, target = torch.rand(2, 3, 9, 7, 3, device=device).unbind(0)
    mask = torch.rand(3, 9, 7, device=device) > 0.4
    mask[2] = False
    found = masked_psnr(predicted, target, mask)
    for k in range(2):
        expected = peak_signal_noise_ratio(predicted[k][mask[k]], target[k][mask[k]], data_range=1.0)
        torch.testing.assert_close(found[k], expected)
    assert math.isnan(float(found[2]))
    assert float(masked_psnr(target, target, mask)[0]) == pytest.approx(100)


def test_psnr_does_not_see_what_is_outside():
    target, mask = torch.zeros(4, 4, 3), torch.zeros(4, 4, dtype=torch.bool)
    mask[0] = True
    predicted = torch.full_like(target, torch.nan)
    predicted[0] = 0.1
    assert float(masked_psnr(predicted, target, mask)) == pytest.approx(20)


def test_ssim_agrees_with_gaussian_filters_of_scipy(device):
    target = torch.rand(2, 3, 20, 24, 3, device=device)
    predicted = (target + 0.2 * torch.randn_like(target)).clamp(0, 1)
    found = ssim(predicted, target)
    assert found.shape == (2, 3)

    def smooth(values):
        return gaussian_filter(values, 1.5, axes=(2, 3), radius=5, mode="mirror")

    a, b = predicted.cpu().double().numpy(), target.cpu().double().numpy()
    mean_a, mean_b = smooth(a), smooth(b)
    spread = smooth(a * a) - mean_a**2 + smooth(b * b) - mean_b**2
    shared = smooth(a * b) - mean_a * mean_b
    index = (2 * mean_a * mean_b + 1e-4) * (2 * shared + 9e-4)
    index /= (mean_a**2 + mean_b**2 + 1e-4) * (spread + 9e-4)
    np.testing.assert_allclose(found.cpu(), index.mean((2, 3, 4)), atol=1e-5)


def test_ssim_of_small_pictures_and_without_torchmetrics(monkeypatch):
    with pytest.raises(InputError, match="at least 11 x 11 pixels, got 10 x 20"):
        ssim(torch.zeros(20, 10, 3), torch.zeros(20, 10, 3))
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    with pytest.raises(ImportError, match=r"ssim needs torchmetrics: pip install 'unrender\[eval\]'"):
        ssim(torch.zeros(20, 20, 3), torch.zeros(20, 20, 3))


def test_angles(device):
    a = torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 2, 0], [1, 0, 0]], device=device)
    b = torch.tensor([[1.0, 1, 0], [-3, 0, 0], [0, 1, 0], [1, 1e-4, 0]], device=device)
    expected = [45, 180, 0, math.degrees(1e-4)]
    assert angle_between(a, b).tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["lambert", "phong"])
def test_main_direction_of_a_beam_is_its_own(kind):
    lights = random_lights(kind, 5, torch.Generator().manual_seed(1))
    assert lights.direction is not None
    found = main_direction(sphere_irradiance(lights))
    assert float(angle_between(found, lights.direction).max()) < 0.5


def test_irradiance_of_a_beam():
    direction = torch.tensor([[0.0, 1.0, 0.0]])
    lights = LightRecord("lambert", direction, torch.tensor([0.25]), torch.tensor([0.5]))
    found = sphere_irradiance(lights)
    assert float(found.max()) == pytest.approx(0.75)
    assert float(found.min()) == pytest.approx(0.25)
    # the mean of max(cos, 0) over the sphere is 1 / 4
    assert float(found.mean()) == pytest.approx(0.25 + 0.5 / 4, rel=1e-3)


def test_irradiance_error_of_harmonics_in_closed_form(device):
    predicted, target = torch.randn(2, 4, 9, 3, dtype=torch.float64, device=device).unbind(0)
    # the harmonics are orthonormal, so errors of coefficients add up in squares
    lobe = torch.tensor([1.0, *[2 / 3] * 3, *[1 / 4] * 5], dtype=torch.float64, device=device)[:, None]
    a, b = lobe * predicted, lobe * target
    first, second = (
        sphere_irradiance(LightRecord("harmonics", coefficients=values)) for values in (predicted, target)
    )
    expected = ((a - b).square().sum((-2, -1)) / b.square().sum((-2, -1))).sqrt()
    torch.testing.assert_close(irradiance_error(first, second), expected)
    cosine = (a * b).sum((-2, -1)) / (a.square().sum((-2, -1)) * b.square().sum((-2, -1))).sqrt()
    best = irradiance_error(first, second, fit_brightness=True)
    torch.testing.assert_close(best, (1 - cosine**2).sqrt())
    grey = predicted.mean(-1)[:, [3, 1, 2]]  # x, y, z
    torch.testing.assert_close(
        angle_between(main_direction(first), grey), torch.zeros_like(expected), atol=1e-5, rtol=0
    )


def test_irradiance_error_up_to_brightness():
    lights = sphere_irradiance(random_lights("harmonics", 3, torch.Generator().manual_seed(0)))
    torch.testing.assert_close(irradiance_error(2 * lights, lights), torch.ones(3))
    assert float(irradiance_error(2 * lights, lights, fit_brightness=True).max()) < 1e-3
    assert irradiance_error(0 * lights, lights, fit_brightness=True).tolist() == [1, 1, 1]


def test_no_light_has_no_irradiance():
    with pytest.raises(InputError, match="kind none has no irradiance"):
        sphere_irradiance(LightRecord("none"))
