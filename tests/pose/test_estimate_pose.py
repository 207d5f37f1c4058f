import json
import math

import pytest
import torch

from unrender import Camera, InputError, Mesh, estimate_pose, icosphere, load_picture, render, save_mesh
from unrender.cli import main
from unrender.geometry import cube, merge
from unrender.io import save_picture
from unrender.pose import PoseOptions, rotation_error, symmetry_rotations
from unrender.pose.compare import discrepancy, sharp
from unrender.pose.placement import free_motions
from unrender.pose.starts import even_rotations, placed
from unrender.pose.target import target_of
from unrender.render.quaternion import rotation_from_quaternion
from unrender.render.turntable import render_antialiased

QUICK = PoseOptions(starts=300, effort=0.6, picture_size=64)


def figure(device) -> Mesh:
    """A body with a head and one arm, in three colours: no two views are alike."""
    parts = []
    for place, size, color in (
        ((0.0, -0.3, 0.0), (0.5, 0.9, 0.35), (0.9, 0.3, 0.2)),
        ((0.1, 0.5, 0.1), (0.4, 0.4, 0.4), (0.2, 0.7, 0.3)),
        ((0.55, 0.1, 0.2), (0.7, 0.2, 0.2), (0.2, 0.3, 0.9)),
    ):
        box = cube(device=device).replace(uvs=None, uv_faces=None)
        vertices = box.vertices * torch.tensor(size, device=device) + torch.tensor(place, device=device)
        colors = torch.tensor(color, device=device).expand(len(vertices), 3)
        parts.append(box.replace(vertices=vertices, vertex_colors=colors))
    return merge(parts)


def view(device, *, fov_y: float = 35.0) -> Camera:
    """Off the middle of the picture, and turned about its axis."""
    eye, target = (1.6, 1.2, 2.9), (0.25, -0.1, 0.0)
    return Camera.look_at(eye, target, (0.3, 1.0, 0.1), fov_y=fov_y, width=96, height=80).to(device)


def seen(mesh: Mesh, camera: Camera) -> torch.Tensor:
    rgba = render_antialiased(mesh, camera, samples=3)
    return torch.cat([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], -1)


@pytest.mark.parametrize("renderer", ["softras", "dibr", "nmr"])
def test_a_known_pose_is_found(device, renderer):
    mesh, camera = figure(device), view(device)
    options = PoseOptions(renderer=renderer, starts=300, effort=0.6, picture_size=64)
    steps = []
    result = estimate_pose(
        mesh, seen(mesh, camera), fov_y=35.0, options=options, progress=lambda p: steps.append(p.done)
    )
    found = result.camera
    turned = rotation_error(found.world_to_camera[:3, :3], camera.world_to_camera[:3, :3])
    assert float(turned) < 3
    assert float((found.center - camera.center).norm() / camera.center.norm()) < 0.05
    assert result.best.mask_iou > 0.95
    assert result.best.color_error is not None
    assert result.best.color_error < 0.05
    assert steps == sorted(steps)
    assert steps[-1] == 1
    others = [c.turned for c in result.candidates[1:]]
    assert all(angle >= 10 for angle in others)
    # the same seed gives the same pose
    again = estimate_pose(mesh, seen(mesh, camera), fov_y=35.0, options=options).camera
    assert torch.equal(again.world_to_camera, found.world_to_camera)


def test_by_the_mask_alone(device):
    mesh, camera = figure(device), view(device)
    mask = seen(mesh, camera)[..., 3]
    result = estimate_pose(mesh, mask=mask, intrinsics=camera.intrinsics, options=QUICK)
    assert result.best.color_error is None
    assert result.best.mask_iou > 0.93
    turned = [
        float(rotation_error(c.camera.world_to_camera[:3, :3], camera.world_to_camera[:3, :3]))
        for c in result.candidates
    ]
    assert min(turned) < 8  # from behind a silhouette is nearly the same


def test_the_focal_length_is_found_roughly(device):
    mesh, camera = figure(device), view(device, fov_y=60.0)
    camera = Camera.look_at((0.8, 0.6, 1.3), fov_y=60.0, width=96, height=80).to(device)
    result = estimate_pose(mesh, seen(mesh, camera), options=QUICK)
    ratio = float(result.camera.intrinsics[1, 1] / camera.intrinsics[1, 1])
    assert 0.7 < ratio < 1.4  # the guess is 1.59
    assert result.best.mask_iou > 0.93


def test_starts_lie_on_the_mask(device):
    mesh, camera = figure(device), view(device)
    rgba = seen(mesh, camera)
    centre = (mesh.vertices.amax(0) + mesh.vertices.amin(0)) / 2
    unit = mesh.replace(vertices=(mesh.vertices - centre) / (mesh.vertices - centre).norm(dim=-1).max())
    frame, target = target_of(rgba[..., 3], None, camera.intrinsics)
    target = target.resized(32)
    poses = placed(unit, even_rotations(20).to(device), frame, target)
    alpha, _ = sharp(unit, poses.camera(frame, 32), color=False)
    torch.testing.assert_close(
        alpha.sum((1, 2)) / target.mask.sum(), torch.ones(20).to(alpha), atol=0.2, rtol=0
    )
    loss = discrepancy(alpha, None, target)
    assert float(loss.max()) < 0.9  # all overlap
    assert torch.equal(free_motions(device, focal=False)[-1:], torch.zeros(1, device=device))


def test_even_rotations_are_spread():
    rotations = even_rotations(500, seed=3)
    torch.testing.assert_close(rotations @ rotations.mT, torch.eye(3).expand(500, 3, 3), atol=1e-5, rtol=0)
    asked = rotation_from_quaternion(torch.randn(200, 4))
    nearest = rotation_error(asked[:, None], rotations).amin(1)
    assert float(nearest.max()) < 35  # at random the worst of so many would be farther
    assert not torch.allclose(even_rotations(500, seed=4), rotations)


def test_rotation_error_is_the_angle():
    angle = torch.tensor([1e-4, 1.0, 90.0, 179.0])
    half = torch.deg2rad(angle) / 2
    axis = torch.tensor([2.0, -1.0, 2.0]) / 3
    turn = rotation_from_quaternion(torch.cat([half.cos()[:, None], half.sin()[:, None] * axis], -1).double())
    base = rotation_from_quaternion(torch.tensor([0.3, 0.2, -0.5, 0.8]).double())
    torch.testing.assert_close(rotation_error(turn @ base, base).float(), angle, rtol=1e-4, atol=1e-5)


def test_symmetries(device):
    box = cube(device=device).replace(uvs=None, uv_faces=None)
    assert len(symmetry_rotations(box)) == 24
    long = box.replace(vertices=box.vertices * torch.tensor([1.0, 2.0, 1.0], device=device))
    assert len(symmetry_rotations(long)) == 8
    tinted = long.replace(vertex_colors=(long.vertices[:, 1:2] > 0).float().expand(-1, 3))
    assert len(symmetry_rotations(tinted)) == 4  # not upside down
    assert len(symmetry_rotations(icosphere(3, device=device))) > 100
    assert len(symmetry_rotations(figure(device))) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p[..., :3], "a pose needs to know which pixels show the object"),
        (lambda p: p * torch.tensor([1.0, 1, 1, 0]), "mask must not be empty"),
        (torch.ones_like, "mask must leave some background"),
        (lambda p: p.masked_fill(p > 0.3, math.nan), "must be finite, got NaN"),
        (lambda p: p[..., :2], r"picture must have shape \(H, W, 3\) or \(H, W, 4\), got \(80, 96, 2\)"),
    ],
)
def test_wrong_pictures_are_refused(change, message):
    mesh = figure(torch.device("cpu"))
    with pytest.raises(InputError, match=message):
        estimate_pose(mesh, change(seen(mesh, view(torch.device("cpu")))), options=QUICK)


def test_wrong_options_are_refused():
    with pytest.raises(InputError, match="starts must be at least 1, got 0"):
        PoseOptions(starts=0)
    with pytest.raises(InputError, match="effort must be positive, got nan"):
        PoseOptions(effort=math.nan)
    with pytest.raises(InputError, match="'blender'"):
        PoseOptions(renderer="blender")  # type: ignore[arg-type]
    mesh = figure(torch.device("cpu"))
    picture = seen(mesh, view(torch.device("cpu")))
    with pytest.raises(InputError, match="give fov_y or intrinsics, got both"):
        estimate_pose(mesh, picture, fov_y=30.0, intrinsics=torch.eye(3))


def test_the_command(tmp_path, capsys):
    """A picture file becomes a JSON file, from which the object renders onto its mask."""
    mesh, camera = figure(torch.device("cpu")), view(torch.device("cpu"))
    save_mesh(mesh, tmp_path / "figure.glb")
    save_picture(seen(mesh, camera), tmp_path / "photo.png")
    out = tmp_path / "pose.json"
    words = ["pose", str(tmp_path / "figure.glb"), str(tmp_path / "photo.png"), "-o", str(out), "--fov", "35"]
    assert main([*words, "--starts", "300", "--effort", "0.5", "--picture-size", "64"]) == 0
    assert "mask IoU" in capsys.readouterr().out
    pose = json.loads(out.read_text())
    found = Camera(
        torch.tensor(pose["world_to_camera"]), torch.tensor(pose["intrinsics"]), pose["width"], pose["height"]
    )
    drawn, wanted = render(mesh, found).mask, load_picture(tmp_path / "photo.png")[..., 3] > 0.5
    iou = float((drawn & wanted).sum() / (drawn | wanted).sum())
    assert iou > 0.93
    assert pose["mask_iou"] == pytest.approx(iou, abs=0.02)
    assert "OpenCV" in pose["convention"]


def test_the_command_refuses(tmp_path, capsys):
    mesh, camera = figure(torch.device("cpu")), view(torch.device("cpu"))
    save_mesh(mesh, tmp_path / "figure.glb")
    save_picture(seen(mesh, camera)[..., :3], tmp_path / "photo.png")
    words = ["pose", str(tmp_path / "figure.glb"), str(tmp_path / "photo.png"), "-o"]
    assert main([*words, str(tmp_path / "pose.json")]) == 2
    assert "--mask FILE" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "pose.txt")]) == 2
    assert "--out must end in .json" in capsys.readouterr().err
    assert main([*words, str(tmp_path / "pose.json"), "--fov", "30", "--focal", "100"]) == 2
    assert "give --fov or --focal, got both" in capsys.readouterr().err
