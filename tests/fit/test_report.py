import json
import math

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from unrender.errors import InputError
from unrender.fit import FitOptions, FitResult, report
from unrender.fit.report import comparison, describe, measure, report_files, write_report
from unrender.geometry import Mesh, cube, vertex_normals
from unrender.io import Views, load_mesh
from unrender.render import Camera, SphericalHarmonicsLight
from unrender.render.turntable import render_antialiased

VIEWS = 9
SIZE = 40


@pytest.fixture(scope="module")
def result(device) -> FitResult:
    """A cube with a noisy texture under a light from above."""
    texture = 0.2 + 0.6 * torch.rand(48, 64, 3, generator=torch.Generator().manual_seed(1))
    coefficients = torch.zeros(9, 3)
    coefficients[0] = 2 * math.sqrt(math.pi) * torch.tensor([0.8, 0.9, 1.0])
    coefficients[1] = 0.6
    light = SphericalHarmonicsLight(coefficients.to(device))
    return FitResult(cube(size=1.2, device=device).replace(texture=texture.to(device)), light, 12.345)


@pytest.fixture(scope="module")
def views(result, device) -> Views:
    """What the cube looks like: a fit that leaves nothing to be desired."""
    azimuth = torch.arange(VIEWS) * 40.0
    camera = Camera.orbit(4.0, 25.0, azimuth, fov_y=30.0, width=SIZE, height=SIZE).to(device)
    rgba = render_antialiased(result.mesh, camera, result.light, samples=1).clamp(0, 1)
    return Views(rgba[..., :3], rgba[..., 3], camera, [f"{i:02}.png" for i in range(VIEWS)])


@pytest.fixture(scope="module")
def written(result, views, tmp_path_factory):
    out = tmp_path_factory.mktemp("report") / "new" / "object.glb"
    train, held_out = views.split(3)
    options = FitOptions(max_faces=200)
    return out, write_report(result, out, train, held_out, options=options, command="unrender fit x -o y")


def test_the_files(written):
    out, _ = written
    names = {path.name for path in out.parent.iterdir()}
    assert names == {"object.glb", "object.gif", "object-views.png", "object.json"}
    assert set(report_files(out).values()) == set(out.parent.iterdir())


def assert_same_texture(a: Mesh, b: Mesh) -> None:
    """To the 8 bits of a file."""
    assert a.texture is not None
    assert b.texture is not None
    torch.testing.assert_close(a.texture, b.texture.cpu(), atol=0.51 / 255, rtol=0)


def test_the_mesh_has_its_texture_and_smooth_normals(written, result):
    out, _ = written
    assert_same_texture(load_mesh(out), result.mesh)
    (shape,) = trimesh.load_scene(out, process=False).geometry.values()
    mesh_normals = vertex_normals(result.mesh.vertices, result.mesh.faces).cpu()
    corner = torch.cdist(torch.tensor(shape.vertices).float(), result.mesh.vertices.cpu()).argmin(1)
    np.testing.assert_allclose(shape.vertex_normals, mesh_normals[corner], atol=1e-5)


def test_the_turntable_turns(written):
    out, _ = written
    with Image.open(out.with_suffix(".gif")) as image:
        assert image.size == (288, 288)
        assert image.n_frames == 48
        frames = []
        for i in (0, 5, 24, 47):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB"), np.float64) / 255)
    covered = [(frame < 0.9).any(-1).mean() for frame in frames]
    assert all(0.15 < share < 0.7 for share in covered)
    assert np.abs(frames[0] - frames[1]).mean() > 0.02
    assert np.abs(frames[0] - frames[3]).mean() < np.abs(frames[0] - frames[1]).mean()  # it closes


def test_the_metrics_file(written, result):
    out, returned = written
    saved = json.loads(out.with_suffix(".json").read_text())
    assert saved == returned
    assert saved["unrender"]
    assert saved["command"] == "unrender fit x -o y"
    assert saved["options"]["max_faces"] == 200
    assert saved["seconds"] == pytest.approx(12.345, abs=0.01)
    assert saved["mesh"] == {"vertices": 8, "faces": 12, "texture": [48, 64]}
    assert saved["views"]["train"] == 6
    assert saved["views"]["held_out"] == 3
    assert saved["views"]["held_out_names"] == ["02.png", "05.png", "08.png"]
    assert [row["name"] for row in saved["held_out"]["views"]] == ["02.png", "05.png", "08.png"]
    assert len(saved["train"]["views"]) == 6
    np.testing.assert_allclose(saved["light"]["coefficients"], result.light.coefficients.cpu())
    assert len(saved["light"]["order"]) == 9
    assert "radiance" in saved["light"]["convention"]


def test_a_perfect_fit_measures_so(written):
    _, metrics = written
    for part in (metrics["held_out"], metrics["train"]):
        assert part["mask_iou"] == {"mean": 1, "min": 1}
        assert part["psnr"]["min"] > 60


def test_measures_are_those_of_each_view(result, views):
    """A view with a wrong mask counts in its own row, in the mean and as the worst; no mask, no PSNR."""
    masks = views.masks.clone()
    masks[4, :, : SIZE // 2] = 0
    masks[6] = 0
    measured = measure(result, Views(views.pictures, masks, views.cameras, views.names))
    whole = views.masks[4] > 0.5
    kept = float((masks[4] > 0.5).sum() / whole.sum())
    rows = measured["views"]
    assert rows[4]["mask_iou"] == pytest.approx(kept, abs=1e-4)
    assert rows[6]["mask_iou"] == 0
    assert "psnr" not in rows[6]
    assert measured["mask_iou"]["min"] == 0
    assert measured["mask_iou"]["mean"] == pytest.approx((7 + kept) / 9, abs=1e-4)
    assert measured["psnr"]["mean"] > 60


def test_many_training_views_are_sampled(result, views):
    many = views[list(range(VIEWS)) * 4]
    described = describe(result, many)
    assert described["views"]["train"] == 36
    assert len(described["train"]["views"]) == 24
    assert described["train"]["views"][0]["name"] == "00.png"
    assert described["train"]["views"][-1]["name"] == "08.png"
    assert described["held_out"] is None
    assert described["views"]["held_out"] == 0


def cells(sheet: torch.Tensor, columns: int) -> torch.Tensor:
    """The pictures of a sheet, 240 pixels wide and high, but for their titles: (4, columns, 216, 240, 3)."""
    rows = [sheet[4 + 244 * r + 24 : 244 + 244 * r] for r in range(4)]
    return torch.stack(
        [torch.stack([row[:, 4 + 244 * c : 244 + 244 * c] for c in range(columns)]) for row in rows]
    )


def test_comparison_of_a_perfect_fit(result, views):
    """Four rows; 40 pixels become 240; the difference is black but for rims, which targets here have hard."""
    sheet = comparison(result, views)
    assert sheet.shape == (4 + 4 * 244, 4 + 6 * 244, 3)
    target, render, difference, normals = cells(sheet, 6)
    error = (target - render).abs()  # the targets have hard edges, the renders smooth ones
    assert float(error.mean()) < 0.05
    assert float((error > 0.1).float().mean()) < 0.12
    assert float(difference.median()) < 0.02
    covered = (normals > 0).any(-1)
    assert float(normals[covered][:, 2].mean()) > 0.8  # blue, towards the camera
    assert float(normals[:, :, 120:, 0][covered[:, :, 120:]].mean()) > 0.6  # right is red
    assert float(normals[:, :, :120, 0][covered[:, :, :120]].mean()) < 0.4
    assert float(normals[:, :80, :, 1][covered[:, :80]].mean()) > 0.6  # up is green


def test_comparison_shows_what_is_missing(result, views, device):
    """A white part that the mesh lacks stands out although the background is white."""
    pictures, masks = views.pictures.clone(), views.masks.clone()
    pictures[0, 34:, 34:], masks[0, 34:, 34:] = 1, 1
    wrong = Views(pictures, masks, views.cameras, views.names)
    difference = cells(comparison(result, wrong), 6)[2, 0]
    assert float(difference[-30:, -30:].min()) == 1
    assert float(difference[-30:, :30].max()) == 0


def test_comparison_of_large_pictures_is_reduced(result, device):
    camera = Camera.orbit(4.0, 25.0, [0.0, 90.0], fov_y=30.0, width=640, height=320).to(device)
    rgba = render_antialiased(result.mesh, camera, result.light, samples=1).clamp(0, 1)
    sheet = comparison(result, Views(rgba[..., :3], rgba[..., 3], camera, ["a", "b"]))
    assert sheet.shape == (4 + 4 * (128 + 4), 4 + 2 * (256 + 4), 3)


def test_an_obj_keeps_its_texture_beside_it(result, views, tmp_path, monkeypatch):
    """object.png is the texture, which no other picture may overwrite."""
    monkeypatch.setattr(report, "turntable", lambda *_, **__: torch.rand(2, 8, 8, 3))
    write_report(FitResult(result.mesh, None, 1.0), tmp_path / "object.obj", views[:2])
    assert_same_texture(load_mesh(tmp_path / "object.obj"), result.mesh)
    assert json.loads((tmp_path / "object.json").read_text())["light"] is None


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"saved as .glb or .obj, got .*object.ply"):
        report_files(tmp_path / "object.ply")
    (tmp_path / "object.json").mkdir()
    with pytest.raises(InputError, match=r"object.json must be a file, got a folder"):
        report_files(tmp_path / "object.glb")
