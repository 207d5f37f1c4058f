"""``unrender pose``: a picture of a known object becomes the pose of its camera."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from ..errors import InputError
from .device import pick_device
from .progress import progress_display

if TYPE_CHECKING:
    from ..pose import PoseResult

NEARLY = 1.2  # runners-up whose discrepancy is at most this many times the best one's are pointed out
ADVICE = (
    "give --mask FILE, white on the object, or a PNG whose alpha channel is the mask; "
    "if the picture is itself a mask: --mask PICTURE --no-color"
)


@dataclasses.dataclass(frozen=True)
class Pose:
    """Find the camera that took a picture of a known object.

    Writes OUT: world_to_camera (4 x 4), intrinsics (3 x 3, in pixels), how well a render fits the picture,
    and other poses that fit nearly as well. Without --fov and --focal, the focal length is estimated too,
    which one picture tells only roughly.

    Attributes:
        mesh: mesh file: .obj, .glb, .gltf, .ply, .stl or .off.
        picture: picture of the object; its alpha channel is the mask, unless --mask gives one.
        out: JSON file to write.
        mask: picture file that is white on the object and black elsewhere.
        fov: full vertical angle of view of the picture [degrees].
        focal: focal length [pixels], instead of --fov.
        renderer: what draws.
        color: compare silhouettes alone.
        starts: rotations that are tried before the best are optimised.
        picture_size: the object's surroundings are seen at no more than this many pixels a side.
        effort: multiplies the number of steps.
        seed: turns the set of starts as a whole.
        device: auto, cpu, cuda or cuda:NUMBER.
    """

    mesh: tyro.conf.Positional[Path]
    picture: tyro.conf.Positional[Path]
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    mask: Path | None = None
    fov: float | None = None
    focal: float | None = None
    renderer: Literal["softras", "dibr", "nmr"] = "softras"
    color: bool = True
    starts: int = 1000
    picture_size: int = 160
    effort: float = 1.0
    seed: int = 0
    device: str = "auto"

    def run(self) -> None:
        """Read, estimate, write.

        Raises:
            InputError: an option, the mesh or the picture breaks a rule.
        """
        if self.out.suffix.lower() != ".json":
            raise InputError(f"--out must end in .json, got {self.out}")
        if self.fov is not None and self.focal is not None:
            raise InputError(f"give --fov or --focal, got both: {self.fov} and {self.focal}")
        if self.focal is not None and not 0 < self.focal < math.inf:
            raise InputError(f"--focal must be positive and finite, got {self.focal}")
        device = pick_device(self.device)

        from ..io import load_mesh
        from ..io.view_pictures import read_pictures
        from ..pose import PoseOptions, estimate_pose
        from ..pose.report import save_pose

        options = PoseOptions(
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(PoseOptions)}
        )
        mesh = load_mesh(self.mesh, device=device)
        pictures, masks = read_pictures([self.picture], [self.mask], advice=ADVICE)
        fov = self.fov
        if self.focal is not None:
            fov = math.degrees(2 * math.atan(masks.shape[1] / (2 * self.focal)))
        with progress_display("starts") as show:
            result = estimate_pose(mesh, pictures[0], masks[0], fov_y=fov, options=options, progress=show)
        save_pose(
            result,
            self.out,
            focal_estimated=fov is None,
            mesh=f"{self.mesh}",
            picture=f"{self.picture}",
            options=dataclasses.asdict(options),
        )
        for what, value in [*describe_pose(result), ("wrote", f"{self.out}")]:
            sys.stdout.write(f"{what:12}  {value}\n")


def describe_pose(result: PoseResult) -> list[tuple[str, str]]:
    """Rows of the table that pose estimation ends with."""
    best, *others = result.candidates
    camera = best.camera
    eye = ", ".join(f"{number:.4g}" for number in camera.center.tolist())
    focal = float(camera.intrinsics[1, 1])
    fov = math.degrees(2 * math.atan(camera.height / (2 * focal)))
    rows = [
        ("camera at", eye),
        ("focal length", f"{focal:.1f} pixels, {fov:.1f} degrees from top to bottom"),
        ("mask IoU", f"{best.mask_iou:.3f}"),
    ]
    if best.color_error is not None:
        rows.append(("colour error", f"{best.color_error:.3f}"))
    rows += [
        ("ambiguous", f"{other.turned:.0f} degrees away, mask IoU {other.mask_iou:.3f}")
        for other in others
        if other.discrepancy <= NEARLY * best.discrepancy
    ]
    return rows
