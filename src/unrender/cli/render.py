"""``unrender render``: a mesh file becomes pictures or a turntable."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .outputs import Output, output_colors

if TYPE_CHECKING:
    from torch import Tensor

    from ..geometry import Mesh
    from ..render import Camera, MeshPicture

STILLS = (".png", ".jpg", ".jpeg")
TURNTABLES = (".gif", ".webp", ".mp4")

Color = tuple[float, float, float]
COLORS: dict[str, Color | None] = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "transparent": None}


@dataclasses.dataclass(frozen=True)
class Render:
    """Draw a mesh: one picture (.png, .jpg), or a turntable (.gif, .webp, .mp4).

    The mesh is shown as it is, from a camera on a sphere about the middle of its bounding box, +Y up.

    Attributes:
        mesh: mesh file: .obj, .glb, .gltf, .ply, .stl or .off.
        out: file to write; its suffix decides between a picture and a turntable.
        size: width and height [pixels].
        elevation: angle of the camera above the horizontal plane [degrees].
        azimuth: angle of the camera about +Y: 0 looks from +Z, 90 from +X; a turntable starts here
            [degrees].
        distance: from the camera to the middle of the mesh [world units]; when not given, the mesh's
            bounding ball fills 90 % of the picture.
        fov: full vertical angle of view [degrees].
        orthographic: parallel instead of perspective projection.
        frames: pictures in a turntable.
        fps: pictures a second in a turntable.
        background: behind rgb and albedo: white, black, transparent, or red, green and blue from 0 to 1
            such as 0.9,0.9,1; other outputs have a black background, or a transparent one.
        light: several lights around the camera, one at the camera, or none: the surface's own colours.
        flat: shade every face evenly.
        renderer: what draws.
        output: what to draw; the first goes to OUT, each other beside it: out.png, out-depth.png. Depth
            is white at the near side of the mesh's bounding ball and dark at its far side. Normals are
            red to the right, green upwards and blue towards the camera; world-normals are red, green
            and blue along +X, +Y and +Z.
        save_depth: also write depth to this NumPy file (.npy): camera z [world units], 0 where nothing
            is, shape (H, W), or for a turntable (frames, H, W).
        samples: smooth edges by drawing SAMPLES x SAMPLES finer pixels for each.
        texture_filter: how textures are read.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    mesh: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    size: tuple[int, int] = (512, 512)
    elevation: float = 20.0
    azimuth: float = 30.0
    distance: float | None = None
    fov: float = 35.0
    orthographic: bool = False
    frames: int = 60
    fps: float = 24.0
    background: str = "white"
    light: Literal["studio", "headlight", "none"] = "studio"
    flat: bool = False
    renderer: Literal["dibr"] = "dibr"
    output: tuple[Output, ...] = ("rgb",)
    save_depth: Path | None = None
    samples: int = 2
    texture_filter: Literal["nearest", "bilinear", "trilinear"] = "bilinear"
    device: str = "auto"

    def run(self) -> None:
        """Read, draw, write.

        Raises:
            InputError: an option or the mesh breaks a rule.
        """
        self._check()
        device = pick_device(self.device)

        import torch
        from rich.console import Console
        from rich.progress import track

        from ..io import load_mesh
        from ..render.turntable import frame_batches

        mesh = load_mesh(self.mesh, device=device)
        if "uv" in self.output and mesh.uvs is None:
            raise InputError(f"--output uv needs a mesh with texture coordinates, got {self.mesh} without")
        cameras, near, far = self._cameras(mesh)
        pictures: dict[Output, list[Tensor]] = {name: [] for name in self.output}
        depths: list[Tensor] = []
        console = Console(stderr=True)
        with torch.no_grad():
            for batch in track(
                frame_batches(cameras, samples=self.samples),
                description="drawing",
                console=console,
                transient=True,
                disable=not (self._turns and console.is_terminal),
            ):
                drawn = self._draw(mesh, cameras[batch], self.samples)
                for name in pictures:
                    colors = output_colors(drawn, name, near=near, far=far)
                    pictures[name] += self._resolve(colors, drawn.mask, name)
                if self.save_depth is not None:
                    sharp = drawn if self.samples == 1 else self._draw(mesh, cameras[batch], 1)
                    depths += sharp.depth.cpu()
        self._save(pictures, depths)

    @property
    def _turns(self) -> bool:
        return self.out.suffix.lower() in TURNTABLES

    def _check(self) -> None:
        """Refuse what can be refused before the mesh is read."""
        suffix = self.out.suffix.lower()
        if suffix not in STILLS + TURNTABLES:
            raise InputError(
                f"--out must end in {', '.join(STILLS)} for a picture or {', '.join(TURNTABLES)} "
                f"for a turntable, got {self.out}"
            )
        if self.save_depth is not None and self.save_depth.suffix.lower() != ".npy":
            raise InputError(f"--save-depth must end in .npy, got {self.save_depth}")
        if min(self.size) < 1:
            raise InputError(f"--size must be at least 1 x 1, got {self.size[0]} x {self.size[1]}")
        for name in ("frames", "samples"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} must be at least 1, got {getattr(self, name)}")
        for name in ("elevation", "azimuth"):
            if not math.isfinite(getattr(self, name)):
                raise InputError(f"--{name} must be finite, got {getattr(self, name)}")
        for name in ("fps", "distance"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"--{name} must be positive and finite, got {value}")
        if not 0 < self.fov < 180:
            raise InputError(f"--fov must lie between 0 and 180 degrees, got {self.fov}")
        if not self.output:
            raise InputError("--output needs at least one name")
        if _color(self.background) is None and suffix != ".png":
            raise InputError(f"--background transparent needs a .png file, got {self.out}")

    def _cameras(self, mesh: Mesh) -> tuple[Camera, float, float]:
        """The cameras, a batch of one for a still, and the depths between which the mesh's ball lies."""
        import torch

        from ..render import Camera
        from ..render.turntable import bounding_ball, framing_camera, full_turn

        pose: dict[str, Any] = {
            "elevation": self.elevation,
            "azimuth": full_turn(self.frames if self._turns else 1, start=self.azimuth),
            "fov_y": self.fov,
            "width": self.size[0],
            "height": self.size[1],
            "orthographic": self.orthographic,
        }
        centre, ball = bounding_ball(mesh)
        radius = float(ball)
        if self.distance is None:
            cameras = framing_camera(mesh, **pose)
        else:
            near = max(self.distance - radius, self.distance / 1000) / 2
            cameras = Camera.orbit(centre.new_tensor(self.distance), target=centre, near=near, **pose)
            if self.distance < radius and any(_is_inside(mesh, eye) for eye in cameras.center):
                raise InputError(
                    f"--distance must put the camera outside the object, which reaches {radius:.4g} from its "
                    f"middle, got {self.distance:g}; leave it out to frame the object"
                )
        middle = float(torch.linalg.vector_norm(cameras.center[0] - centre))
        return cameras, max(middle - radius, 0.0), middle + radius

    def _draw(self, mesh: Mesh, camera: Camera, samples: int) -> MeshPicture:
        """The mesh, with ``samples`` x ``samples`` pixels for each of the camera's."""
        from ..render import DIBR, render
        from ..render.turntable import headlight, studio_light

        lights = {"studio": studio_light, "headlight": headlight, "none": None}[self.light]
        return render(
            mesh,
            camera.resized(camera.width * samples, camera.height * samples),
            None if lights is None else lights(camera),
            renderer={"dibr": DIBR}[self.renderer](),
            flat=self.flat,
            texture_filter=self.texture_filter,
        )

    def _resolve(self, colors: Tensor, mask: Tensor, name: Output) -> Tensor:
        """Pictures to save, on their background: shape (N, H, W, 3), or (N, H, W, 4) if transparent."""
        from ..render.turntable import composite, resolve_samples

        rgba = resolve_samples(colors, mask, self.samples).cpu()
        background = _color(self.background)
        if background is None:
            return rgba
        return composite(rgba, background if name in ("rgb", "albedo") else 0.0)

    def _save(self, pictures: dict[Output, list[Tensor]], depths: list[Tensor]) -> None:
        import numpy as np
        import torch

        from ..io import save_animation, save_picture
        from ..io.files import write_file

        for name, done in pictures.items():
            path = self.out if name == self.output[0] else self.out.with_stem(f"{self.out.stem}-{name}")
            if self._turns:
                save_animation(torch.stack(done), path, fps=self.fps)
            else:
                save_picture(done[0], path)
        if self.save_depth is not None:
            stream = io.BytesIO()
            np.save(stream, (torch.stack(depths) if self._turns else depths[0]).numpy())
            write_file(self.save_depth, stream.getvalue())


def _color(text: str) -> Color | None:
    """The colour that ``--background`` names; None is transparent."""
    if text in COLORS:
        return COLORS[text]
    try:
        red, green, blue = (float(number) for number in text.split(","))
        if not all(0 <= channel <= 1 for channel in (red, green, blue)):
            raise ValueError
    except ValueError:
        raise InputError(
            "--background must be white, black, transparent or three numbers from 0 to 1 such as 0.9,0.9,1, "
            f"got {text}"
        ) from None
    return red, green, blue


def _is_inside(mesh: Mesh, point: Tensor) -> bool:
    """Whether a mesh encloses a point (3,): its winding number there is more than one half.

    The winding number is the sum of the solid angles of the faces over 4π (Jacobson et al., "Robust
    inside-outside segmentation using generalized winding numbers", 2013); the solid angle is that of
    van Oosterom and Strackee, 1983.
    """
    import torch

    a, b, c = (mesh.vertices[mesh.faces] - point).unbind(-2)
    la, lb, lc = (torch.linalg.vector_norm(corner, dim=-1) for corner in (a, b, c))
    volume = (a * torch.linalg.cross(b, c)).sum(-1)
    flatness = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return float(torch.atan2(volume, flatness).sum().abs()) / (2 * math.pi) > 0.5
