import importlib.util
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from unrender.errors import InputError
from unrender.io import load_picture, save_picture
from unrender.io.masks import clean_mask, grabcut_mask, has_mask, load_masked, rembg_mask, with_mask


def iou(a: torch.Tensor, b: torch.Tensor) -> float:
    a, b = a > 0.5, b > 0.5
    return float((a & b).sum() / (a | b).sum())


def noise(height: int, width: int, color, strength: float = 0.08) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    values = torch.randn(height, width, 3, generator=generator) * strength
    return (torch.tensor(color) + values).clamp(0, 1)


@pytest.fixture(scope="module")
def ring_scene() -> tuple[torch.Tensor, torch.Tensor]:
    """A picture of an orange ring on a bluish, noisy ground, and the ring's mask."""
    rows, columns = torch.arange(150) + 0.5, torch.arange(200) + 0.5
    radius = torch.hypot(columns - 105, rows[:, None] - 70)
    mask = (radius < 50) & (radius > 22)
    object_, ground = noise(150, 200, (0.9, 0.5, 0.1)), noise(150, 200, (0.2, 0.3, 0.45))
    return torch.where(mask[..., None], object_, ground), mask.float()


def test_an_object_is_cut_out_with_its_hole(ring_scene):
    picture, mask = ring_scene
    found = grabcut_mask(picture)
    assert found.shape == (150, 200)
    assert iou(found, mask) > 0.95
    assert float(found[70, 105]) == 0  # the hole


def test_large_pictures_are_cut_out_too(ring_scene):
    picture, mask = ring_scene
    large = picture.repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert iou(grabcut_mask(large), mask.repeat_interleave(4, 0).repeat_interleave(4, 1)) > 0.95


def test_a_picture_without_an_object_is_refused():
    with pytest.raises(InputError, match=r"no object stands out.*--mask FILE"):
        grabcut_mask(torch.rand(120, 160, 3))
    with pytest.raises(InputError, match="no object stands out"):
        grabcut_mask(torch.full((120, 160, 3), 0.5))


def test_bars_around_a_picture_are_not_its_background(ring_scene):
    """Everything between black bars differs from them; that is no reason to call it the object."""
    framed = torch.zeros(170, 220, 3)
    framed[10:-10, 10:-10] = ring_scene[0]
    with pytest.raises(InputError, match=r"bars|stands out"):
        grabcut_mask(framed)


def test_pictures_of_several_things_are_refused():
    picture = noise(120, 200, (0.2, 0.3, 0.45))
    for x in (30, 85, 140):
        picture[40:80, x : x + 35] = noise(40, 35, (0.9, 0.5, 0.1))
    with pytest.raises(InputError, match="largest of 3 pieces has 33%"):
        grabcut_mask(picture)


def test_tiny_pictures_are_refused():
    with pytest.raises(InputError, match="at least 8 pixels"):
        grabcut_mask(torch.rand(5, 40, 3))


def test_cleaning_keeps_the_largest_piece_and_large_holes():
    mask = torch.zeros(60, 80)
    mask[10:50, 10:50] = 1
    mask[10:50, 50] = 0.3  # a soft edge
    mask[20:30, 20:30] = 0  # a hole of 100 of 1600
    mask[40, 40] = 0.1  # a hole of 1
    mask[5:12, 60:70] = 1  # another piece
    expected = mask.clone()
    expected[40, 40] = 1
    expected[5:12, 60:70] = 0
    assert torch.equal(clean_mask(mask), expected)
    assert torch.equal(clean_mask(torch.zeros(4, 4)), torch.zeros(4, 4))


def test_masks_are_taken_before_they_are_looked_for(ring_scene):
    picture, _ = ring_scene
    alpha = torch.zeros(150, 200)
    alpha[20:50, 30:60] = 1
    given = torch.zeros(150, 200)
    given[70:90, 80:90] = 0.9
    rgba = torch.cat([picture, alpha[..., None]], -1)
    assert torch.equal(with_mask(rgba), rgba)
    assert torch.equal(with_mask(rgba, given)[..., 3], given)
    assert torch.equal(with_mask(rgba, given)[..., :3], picture)


def test_an_opaque_alpha_channel_is_no_mask(ring_scene):
    picture, mask = ring_scene
    opaque = torch.cat([picture, torch.ones(150, 200, 1)], -1)
    assert not has_mask(opaque)
    assert iou(with_mask(opaque)[..., 3], mask) > 0.95


def test_files_with_masks_of_all_kinds(ring_scene, tmp_path):
    picture, mask = ring_scene
    save_picture(picture, tmp_path / "ring.png")
    save_picture(mask, tmp_path / "grey.png")
    save_picture(torch.cat([picture, mask[..., None]], -1), tmp_path / "cut.png")
    Image.fromarray(mask.numpy().astype(np.uint8)).save(tmp_path / "labels.png")  # 0 and 1 of 255
    for name in ("grey.png", "cut.png", "labels.png"):
        masked = load_masked(tmp_path / "ring.png", tmp_path / name)
        assert torch.equal(masked[..., 3], mask)
        assert torch.equal(masked[..., :3], load_picture(tmp_path / "ring.png"))
    assert torch.equal(load_masked(tmp_path / "cut.png")[..., 3], mask)
    assert iou(load_masked(tmp_path / "ring.png")[..., 3], mask) > 0.95


def test_wrong_input_is_named(ring_scene, tmp_path):
    picture, mask = ring_scene
    with pytest.raises(InputError, match="size of its picture"):
        with_mask(picture, mask[:100])
    with pytest.raises(InputError, match="empty"):
        with_mask(picture, torch.zeros_like(mask))
    with pytest.raises(InputError, match="full"):
        with_mask(picture, torch.ones_like(mask))
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        with_mask(picture * 255, mask)
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        with_mask(picture, mask * torch.nan)
    with pytest.raises(InputError, match="shape"):
        with_mask(picture[..., 0])
    with pytest.raises(InputError, match="grabcut or rembg"):
        with_mask(picture, method="sam")  # type: ignore[arg-type]
    save_picture(torch.rand(60, 60, 3), tmp_path / "noise.png")
    with pytest.raises(InputError, match=r"noise\.png: no object"):
        load_masked(tmp_path / "noise.png")


def test_what_is_not_installed_is_named(ring_scene, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"unrender\[masks\]"):
        grabcut_mask(ring_scene[0])
    if importlib.util.find_spec("rembg") is None:
        with pytest.raises(ImportError, match="rembg"):
            rembg_mask(ring_scene[0])


@pytest.mark.parametrize(("name", "least"), [("animal-1", 0.88), ("car-1", None), ("plants-1", None)])
def test_photographs(shared_data, name, least):
    """The tiger stands out; car (black bars, a woman) and plants (many pots) do not, and are refused."""
    folder = shared_data / "photos"
    if least is None:
        with pytest.raises(InputError, match="no object stands out"):
            load_masked(folder / f"{name}.jpg")
        return
    matte = load_picture(folder / f"{name}.out.png")[..., 3]
    assert iou(load_masked(folder / f"{name}.jpg")[..., 3], matte) > least
