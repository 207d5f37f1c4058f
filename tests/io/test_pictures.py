import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from unrender.errors import InputError
from unrender.io import contact_sheet, load_picture, save_animation, save_picture
from unrender.io.pictures import depth_to_picture, normals_to_picture


def bytes_picture(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_pictures_survive_saving(tmp_path, device, channels, suffix):
    smooth = torch.linspace(0, 1, 20, device=device)[:, None, None] * torch.linspace(
        0.2, 1, channels, device=device
    )
    picture = (0.3 + 0.7 * smooth).expand(20, 30, channels)
    save_picture(picture, tmp_path / "folder" / f"a{suffix}")
    again = load_picture(tmp_path / "folder" / f"a{suffix}")
    assert again.dtype == torch.float32
    assert again.shape == (20, 30, channels)
    torch.testing.assert_close(again, picture.cpu(), rtol=0, atol=0.51 / 255 if suffix == ".png" else 0.03)


def test_grey_pictures_clip_and_become_rgb(tmp_path, device):
    picture = torch.tensor([[-1.0, 0.0], [0.5, 2.0]], device=device)
    for shaped in (picture, picture[..., None]):
        save_picture(shaped, tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            assert image.mode == "L"
        expected = torch.tensor([[0.0, 0.0], [128 / 255, 1.0]])[..., None].expand(2, 2, 3)
        torch.testing.assert_close(load_picture(tmp_path / "a.png"), expected)


def test_grey_of_16_bits_keeps_its_precision(tmp_path):
    values = np.array([[0, 1, 256], [1000, 40000, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    picture = load_picture(tmp_path / "a.png")
    np.testing.assert_allclose(picture[..., 0], values / 65535, atol=1e-7)
    assert picture.shape == (2, 3, 3)


def test_palette_with_transparency_becomes_rgba(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png", transparency=1)
    assert load_picture(tmp_path / "a.png").tolist() == [[[1, 0, 0, 1], [0, 0, 1, 0]]]
    image.save(tmp_path / "b.png")
    assert load_picture(tmp_path / "b.png").tolist() == [[[1, 0, 0], [0, 0, 1]]]


def test_exif_orientation_is_honoured(tmp_path):
    data = bytes_picture(8, 16, 3) // 4 + np.arange(16, dtype=np.uint8)[:, None] * 8
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate 90 degrees clockwise to view"
    Image.fromarray(data).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_allclose(load_picture(tmp_path / "a.png"), np.rot90(data, -1) / 255, atol=1e-6)


def test_pictures_that_cannot_be_read_or_saved(tmp_path, device):
    (tmp_path / "a.png").write_text("nonsense")
    with pytest.raises(InputError, match=r"a\.png is not a readable picture"):
        load_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"b\.png does not exist"):
        load_picture(tmp_path / "b.png")
    picture = torch.rand(4, 4, 3, device=device)
    for bad, name, rule in (
        (picture[..., :2], "c.png", r"C of 1, 3 or 4, got \(4, 4, 2\)"),
        (picture * torch.nan, "c.png", "must be finite"),
        (picture, "c.xyz", r"must end in \.png"),
        (picture.expand(2, 4, 4, 3), "c.png", r"got \(2, 4, 4, 3\)"),
        (torch.rand(4, 4, 4, device=device), "c.jpg", r"\.jpg does not take a picture of shape \(4, 4, 4\)"),
    ):
        with pytest.raises(InputError, match=rule):
            save_picture(bad, tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def turntable(device, count=16, size=48):
    """A shaded ball that moves over a still, smoothly coloured background."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size, device=device)] * 2, indexing="ij")
    still = torch.stack([0.5 + 0.4 * x, 0.5 + 0.4 * y, 0.7 - 0.2 * x], -1)
    frames = []
    for angle in torch.linspace(0, 2 * torch.pi, count + 1)[:-1].tolist():
        dx, dy = x - 0.4 * np.cos(angle), y - 0.4 * np.sin(angle)
        light = (1 - (dx**2 + dy**2) / 0.09).clamp(min=0)[..., None]
        ball = (light.sqrt() * torch.tensor([1.0, 0.5, 0.2], device=device)).expand(size, size, 3)
        frames.append(torch.where(light > 0, ball, still))
    return torch.stack(frames)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animations_hold_their_frames(tmp_path, device, suffix):
    frames = turntable(device)
    save_animation(frames, tmp_path / f"a{suffix}", fps=20)
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.n_frames == 16
        assert image.info["loop"] == 0
        read = []
        for n in range(16):
            image.seek(n)
            read.append(np.asarray(image.convert("RGB")) / 255)
            assert image.info["duration"] == 50
    error = np.abs(np.stack(read) - frames.cpu().numpy())
    assert error.mean() < 0.02
    if suffix == ".gif":
        # nothing flickers: a pixel that the ball never covers has one colour in all frames
        still = (frames == frames[0]).all(0).all(-1).cpu().numpy()
        assert still.sum() > 500
        assert (np.ptp(np.stack(read), axis=0)[still] == 0).all()


def test_gif_keeps_a_plain_background_plain(tmp_path, device):
    frames = turntable(device)
    frames[:, :, :10] = 1
    save_animation(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as image:
        assert (np.asarray(image.convert("RGB"))[:, :10] >= 254).all()


def test_mp4_of_odd_size(tmp_path, device):
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    frames = turntable(device)[:, :33, :47]
    save_animation(frames, tmp_path / "a.mp4", fps=12.5)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "a.mp4")]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert b"48x34" in done.stderr
    assert b"12.50 fps" in done.stderr
    read = np.frombuffer(done.stdout, np.uint8).reshape(16, 34, 48, 3) / 255
    assert np.abs(read[:, :33, :47] - frames.cpu().numpy()).mean() < 0.03


def test_mp4_without_its_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match=r"pip install 'unrender\[video\]'"):
        save_animation(torch.rand(2, 4, 4, 3), tmp_path / "a.mp4")


def test_animations_that_cannot_be_saved(tmp_path, device):
    frames = torch.rand(2, 4, 4, 3, device=device)
    with pytest.raises(InputError, match=r"frames must have shape \(T, H, W, 3\), got \(4, 4, 3\)"):
        save_animation(frames[0], tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"must end in \.gif, \.webp, \.mp4"):
        save_animation(frames, tmp_path / "a.avi")
    with pytest.raises(InputError, match="fps must be positive, got 0"):
        save_animation(frames, tmp_path / "a.gif", fps=0)


def test_contact_sheet_places_pictures_in_rows(device):
    pictures = [torch.full((4, 6, 3), n / 10, device=device) for n in range(5)]
    sheet = contact_sheet(pictures, columns=3, padding=2, background=0.9)
    assert sheet.shape == (2 * 6 + 2, 3 * 8 + 2, 3)
    for n, picture in enumerate(pictures):
        top, left = n // 3 * 6 + 2, n % 3 * 8 + 2
        assert torch.equal(sheet[top : top + 4, left : left + 6], picture)
        sheet[top : top + 4, left : left + 6] = 0.9
    assert bool((sheet == 0.9).all())
    assert contact_sheet(pictures[:2], columns=5, padding=0).shape == (4, 12, 3)
    uneven = contact_sheet([pictures[0], torch.full((2, 2, 3), 0.5, device=device)], columns=2, padding=0)
    assert bool((uneven[1:3, 8:10] == 0.5).all())
    assert float((uneven[:, 6:] == 0.5).float().sum()) == 12


def test_contact_sheet_rules(device):
    picture = torch.rand(4, 4, 3, device=device)
    with pytest.raises(InputError, match="pictures must have shapes"):
        contact_sheet([], columns=2)
    with pytest.raises(InputError, match="pictures must have shapes"):
        contact_sheet([picture, picture[..., :1]], columns=2)
    with pytest.raises(InputError, match="columns must be at least 1, got 0"):
        contact_sheet([picture], columns=0)


def test_depth_and_normals_as_pictures(device):
    depth = torch.tensor([[0.0, 2.0], [3.0, 4.0]], device=device)
    expected = torch.tensor([[0.0, 1.0], [0.6, 0.2]], device=device)[..., None].expand(2, 2, 3)
    torch.testing.assert_close(depth_to_picture(depth), expected)
    assert float(depth_to_picture(torch.zeros(3, 2, 2, device=device)).max()) == 0
    torch.testing.assert_close(
        depth_to_picture(torch.full((1, 1), 5.0, device=device)), torch.ones(1, 1, 3).to(device)
    )
    normals = torch.tensor([[[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, 0.0, 0.0]]], device=device)
    expected = torch.tensor([[[0.0, 0.0, 0.0], [0.5, 0.5, 1.0], [0.0, 0.5, 0.5]]], device=device)
    torch.testing.assert_close(normals_to_picture(normals), expected)
