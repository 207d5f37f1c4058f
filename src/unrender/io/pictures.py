"""Picture files: loading, saving, animations, contact sheets."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .files import write_file

if TYPE_CHECKING:
    from PIL import Image

ANIMATIONS = (".gif", ".webp", ".mp4")


def load_picture(path: str | os.PathLike[str]) -> Tensor:
    """Read a picture file, turned upright as its EXIF orientation says.

    Args:
        path: any format that Pillow reads. Grey becomes RGB; palettes and grey with transparency become RGBA.
            Grey of 16 bits keeps its precision; colour of 16 bits is read by Pillow with 8.

    Returns:
        RGB or, where the file has transparency, RGBA in [0, 1], shape (H, W, C), float32.

    Raises:
        InputError: the file is missing or not a picture.
    """
    from PIL import Image, ImageOps

    if not Path(path).is_file():
        raise InputError(f"picture file {path} does not exist")
    try:
        with Image.open(path) as image:
            return torch.from_numpy(picture_array(ImageOps.exif_transpose(image)))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} is not a readable picture: {error}") from error


def save_picture(picture: Tensor, path: str | os.PathLike[str]) -> None:
    """Write a picture with 8 bits a channel; values outside [0, 1] are clipped.

    Args:
        picture: shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        path: .png, .jpg, .webp or another suffix that Pillow writes; folders are made.

    Raises:
        InputError: the shape is another one, a value is not finite, or the suffix does not take the picture.
    """
    from PIL import Image

    path = Path(path)
    name = Image.registered_extensions().get(path.suffix.lower())
    if name is None or name not in Image.SAVE:
        raise InputError(f"a picture file must end in .png, .jpg, .webp or the like, got {path}")
    stream = io.BytesIO()
    try:
        pillow_image(picture).save(stream, format=name, quality=95)
    except OSError as error:
        raise InputError(
            f"{path.suffix} does not take a picture of shape {tuple(picture.shape)}: {error}"
        ) from error
    write_file(path, stream.getvalue())


def save_animation(frames: Tensor, path: str | os.PathLike[str], *, fps: float = 24) -> None:
    """Write an endless animation.

    GIF gets one palette for all frames and a fixed dither pattern, so that nothing flickers. MP4 is H.264,
    its sides made even by repeating the last row or column.

    Args:
        frames: RGB in [0, 1], shape (T, H, W, 3).
        path: .gif, .webp or .mp4; folders are made.
        fps: frames a second; GIF rounds the time of a frame to 10 ms, WebP to 1 ms.

    Raises:
        InputError: the shape or suffix is another one, a value is not finite, or fps is not positive.
        ImportError: .mp4 without imageio-ffmpeg.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in ANIMATIONS:
        raise InputError(f"an animation file must end in {', '.join(ANIMATIONS)}, got {path}")
    if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
        raise InputError(f"frames must have shape (T, H, W, 3), got {tuple(frames.shape)}")
    if not fps > 0:
        raise InputError(f"fps must be positive, got {fps}")
    data = _bytes(frames, "frames")
    if suffix == ".mp4":
        write_file(path, _mp4(data, fps))
        return
    from PIL import Image

    if suffix == ".gif":
        images = _gif_images(data)
        options = {"format": "GIF", "optimize": False}
    else:
        images = [Image.fromarray(frame) for frame in data]
        options = {"format": "WEBP", "quality": 90}
    stream = io.BytesIO()
    images[0].save(
        stream, save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0, **options
    )
    write_file(path, stream.getvalue())


def contact_sheet(
    pictures: Sequence[Tensor], *, columns: int, padding: int = 4, background: float = 1.0
) -> Tensor:
    """Lay pictures out in rows, each in the middle of its cell.

    Args:
        pictures: shapes (H_i, W_i, C), one C for all.
        columns: pictures in a row.
        padding: space around pictures [pixels].
        background: grey between the pictures.

    Returns:
        Shape (H, W, C).

    Raises:
        InputError: no picture, channels that differ, or no columns.
    """
    shapes = [tuple(p.shape) for p in pictures]
    if not shapes or any(len(s) != 3 or s[2] != shapes[0][-1] for s in shapes):
        raise InputError(f"pictures must have shapes (H, W, C) with one C, got {shapes}")
    if columns < 1:
        raise InputError(f"columns must be at least 1, got {columns}")
    columns = min(columns, len(shapes))
    height, width = (max(s[i] for s in shapes) + padding for i in (0, 1))
    rows = -(-len(shapes) // columns)
    sheet = pictures[0].new_full(
        (rows * height + padding, columns * width + padding, shapes[0][2]), background
    )
    for n, (picture, (h, w, _)) in enumerate(zip(pictures, shapes, strict=True)):
        top = n // columns * height + padding + (height - padding - h) // 2
        left = n % columns * width + padding + (width - padding - w) // 2
        sheet[top : top + h, left : left + w] = picture
    return sheet


def depth_to_picture(depth: Tensor) -> Tensor:
    """Show depth as grey: the nearest point white, the farthest dark, nothing black.

    Args:
        depth: camera z, 0 where nothing is, shape (..., H, W); batches share one scale.

    Returns:
        Shape (..., H, W, 3), in [0, 1].
    """
    hit = depth > 0
    if not bool(hit.any()):
        return depth.new_zeros(*depth.shape, 3)
    near, far = depth[hit].min(), depth[hit].max()
    grey = 1 - 0.8 * (depth - near) / (far - near).clamp(min=torch.finfo(depth.dtype).tiny)
    return torch.where(hit, grey, torch.zeros_like(grey))[..., None].expand(*depth.shape, 3)


def normals_to_picture(normals: Tensor) -> Tensor:
    """Show normals as colours: red, green and blue are x, y and z from -1 to 1; nothing is black.

    Args:
        normals: unit vectors, 0 where nothing is, shape (..., H, W, 3).

    Returns:
        Shape (..., H, W, 3), in [0, 1].
    """
    hit = (normals != 0).any(-1, keepdim=True)
    return torch.where(hit, (normals + 1) / 2, torch.zeros_like(normals)).clamp(0, 1)


def picture_array(image: Image.Image) -> NDArray[np.float32]:
    """A Pillow image as RGB or, with transparency, RGBA in [0, 1].

    Args:
        image: of any mode.

    Returns:
        Shape (H, W, 3 or 4).
    """
    if image.mode.startswith("I"):  # 16-bit grey
        grey = np.divide(np.asarray(image), 65535, dtype=np.float32)[..., None]
        return np.repeat(np.clip(grey, 0, 1), 3, axis=-1)
    data = np.asarray(image.convert("RGBA" if image.has_transparency_data else "RGB"))
    return np.divide(data, 255, dtype=np.float32)


def texture_array(image: Image.Image) -> NDArray[np.float32]:
    """A Pillow image as an opaque texture.

    Meshes here are opaque, and what stands under a transparent texel is often black; such texels take the
    colour of the nearest opaque ones.

    Args:
        image: of any mode.

    Returns:
        Shape (H, W, 3).
    """
    from .atlas import pad_texture

    picture = picture_array(image)
    if picture.shape[-1] == 3:
        return picture
    opaque = torch.from_numpy(picture[..., 3] > 0.5)
    if bool(opaque.all()) or not bool(opaque.any()):
        return picture[..., :3]
    color = torch.from_numpy(np.ascontiguousarray(picture[..., :3]))
    return pad_texture(color, opaque, pixels=max(opaque.shape)).numpy()


def pillow_image(picture: Tensor) -> Image.Image:
    """A picture as an 8-bit Pillow image.

    Args:
        picture: values in [0, 1], shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    Returns:
        The image, of mode L, RGB or RGBA.

    Raises:
        InputError: the shape is another one, or a value is not finite.
    """
    from PIL import Image

    shape = tuple(picture.shape)
    if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise InputError(f"a picture must have shape (H, W) or (H, W, C) with C of 1, 3 or 4, got {shape}")
    data = _bytes(picture, "a picture")
    return Image.fromarray(data[..., 0] if len(shape) == 3 and shape[2] == 1 else data)


def png_bytes(image: Image.Image) -> bytes:
    """The PNG file of a Pillow image."""
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def _bytes(values: Tensor, what: str) -> NDArray[np.uint8]:
    values = values.detach()
    if not bool(torch.isfinite(values).all()):
        raise InputError(f"{what} must be finite, got NaN or infinity")
    return (values.clamp(0, 1) * 255).round().to(torch.uint8).cpu().numpy()


def _gif_images(frames: NDArray[np.uint8]) -> list[Image.Image]:
    from PIL import Image

    sample = frames[:: -(-len(frames) // 12), 1::3, 1::3] if min(frames.shape[1:3]) > 8 else frames
    mosaic = Image.fromarray(np.ascontiguousarray(sample).reshape(-1, *sample.shape[2:]))
    palette = mosaic.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=1)
    colors = np.array(palette.getpalette() or []).reshape(-1, 3)
    # the background, the most frequent colour, keeps its exact value: near white looks wrong on a white page
    tones, counts = np.unique(sample.reshape(-1, 3), axis=0, return_counts=True)
    background = tones[counts.argmax()]
    colors[np.abs(colors - background).sum(-1).argmin()] = background
    table = colors.reshape(-1).tolist()
    palette.putpalette(table)

    def nearest(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE))

    bayer = np.zeros((1, 1))
    for _ in range(3):
        bayer = np.block([[4 * bayer, 4 * bayer + 2], [4 * bayer + 3, 4 * bayer + 1]])
    height, width = frames.shape[1:3]
    pattern = np.tile(bayer / 64 - 0.5, (-(-height // 8), -(-width // 8)))[:height, :width, None] * 10
    images = []
    for frame in frames:
        plain = nearest(frame)
        dithered = nearest(np.clip(np.round(frame + pattern), 0, 255).astype(np.uint8))
        exact = (np.abs(colors[plain] - frame) <= 1).all(-1)
        image = Image.fromarray(np.where(exact, plain, dithered))
        image.putpalette(table)
        images.append(image)
    return images


def _mp4(frames: NDArray[np.uint8], fps: float) -> bytes:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ImportError(".mp4 needs imageio-ffmpeg: pip install 'unrender[video]'") from error
    height, width = frames.shape[1:3]
    even = np.pad(frames, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    size = f"{even.shape[2]}x{even.shape[1]}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "animation.mp4"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", str(fps), "-i", "-"]
        command += [
            "-c:v",
            "libx264",
            "-crf",
            "18",
            "-pix_fmt",
            "yuv420p",
            "-movflags",
            "+faststart",
            str(path),
        ]
        subprocess.run(command, input=even.tobytes(), check=True)
        return path.read_bytes()
