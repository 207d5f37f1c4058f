import json
from typing import Any

import numpy as np
import pytest
import torch

from unrender.errors import InputError
from unrender.io import load_mesh, load_picture
from unrender.learn.data.light_record import random_lights
from unrender.learn.prediction import Prediction
from unrender.predict import ReportOptions, load_cameras, predict, report, write_report
from unrender.predict.files import camera_entries, light_entries, load_lights
from unrender.render import render


@pytest.fixture(autouse=True)
def short_turntable(monkeypatch):
    """Drawing whole turns would take most of the time of these tests."""
    monkeypatch.setattr(report, "FRAMES", 3)
    monkeypatch.setattr(report, "VIEW", 48)
    monkeypatch.setattr(report, "CELL", 40)


@pytest.fixture
def written(known, object_, take, far_camera, tmp_path):
    picture = take(object_, far_camera)
    prediction: Any = predict(picture, predictor=known)
    return prediction, picture, write_report(prediction, picture, tmp_path / "a", ReportOptions(views=3))


def test_files_hold_what_they_say(written, tmp_path):
    prediction, picture, said = written
    folder = tmp_path / "a"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        *("object.glb", "light.json", "camera.json", "depth.npy", "depth.png", "normals.png"),
        *("turntable.gif", "views/00.png", "views/01.png", "views/02.png", "relight.png", "sheet.png"),
    }
    assert {path.relative_to(folder).as_posix() for path in said["files"].values()} == names

    mesh = load_mesh(folder / "object.glb")
    assert mesh.num_faces == prediction.mesh.num_faces
    assert torch.allclose(mesh.vertices.amax(0), prediction.mesh.vertices[0].amax(0), atol=1e-6)
    seen = render(prediction.mesh[0], prediction.camera[0])
    assert np.allclose(np.load(folder / "depth.npy"), seen.depth.numpy())
    assert load_picture(folder / "normals.png").shape == (110, 150, 3)
    inside = picture[..., 3] > 0.5
    iou = float((seen.mask & inside).sum() / (seen.mask | inside).sum())
    assert said["mask_iou"] == pytest.approx(iou)
    assert json.loads((folder / "camera.json").read_text())["mask_iou"] == pytest.approx(iou)


def test_cameras_come_back_from_their_file(written, tmp_path):
    prediction, _, _ = written
    camera = load_cameras(tmp_path / "a" / "camera.json")
    for name in ("world_to_camera", "intrinsics"):
        assert torch.allclose(getattr(camera, name), getattr(prediction.camera, name))
    assert (camera.width, camera.height, camera.near) == (150, 110, prediction.camera.near)


def test_views_from_given_cameras(written, tmp_path):
    """From the picture's own camera they show the picture."""
    prediction, picture, _ = written
    options = ReportOptions(cameras=load_cameras(tmp_path / "a" / "camera.json"), animation="none")
    said = write_report(prediction, picture, tmp_path / "b", options)
    view = load_picture(said["files"]["view 0"])
    assert view.shape == (110, 150, 4)
    assert float((view[..., 3] - picture[..., 3]).abs().mean()) < 0.01
    assert not (tmp_path / "b" / "turntable.gif").exists()


@pytest.mark.parametrize("kind", ["none", "lambert", "phong", "harmonics"])
def test_lights_come_back_from_their_files(kind, tmp_path):
    lights = random_lights(kind, 2, torch.Generator().manual_seed(0))
    paths = []
    for i in range(2):
        one = lights if kind == "none" else lights[i]
        paths.append(tmp_path / f"{i}.json")
        paths[-1].write_text(json.dumps(light_entries(one)))
    found = load_lights(paths)
    assert found.kind == kind
    for name in ("direction", "ambient", "diffuse", "specular", "shininess", "coefficients"):
        value = getattr(lights, name)
        assert (getattr(found, name) is None) == (value is None)
        assert value is None or torch.allclose(getattr(found, name), value)


def test_relighting_by_given_lights(written, tmp_path):
    prediction, picture, _ = written
    lights = random_lights("lambert", 3, torch.Generator().manual_seed(0))
    options = ReportOptions(lights=lights, views=0, animation="none")
    said = write_report(prediction, picture, tmp_path / "c", options)
    relit = load_picture(said["files"]["relight"])
    assert relit.shape == (48, 136, 3)  # three cells of 40, and space between
    assert not torch.equal(relit[4:44, 4:44], relit[4:44, 48:88])


def test_depth_of_large_pictures_is_smaller(known, object_, take, far_camera, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "LARGEST", 75)
    picture = take(object_, far_camera)
    options = ReportOptions(views=0, animation="none")
    write_report(predict(picture, predictor=known), picture, tmp_path, options)
    assert np.load(tmp_path / "depth.npy").shape == (55, 75)


def test_wrong_files_are_named(far_camera, tmp_path):
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "light.json").write_text('{"kind": "lambert", "direction": [0, 1, 0]}')
    (tmp_path / "none.json").write_text('{"kind": "none"}')
    (tmp_path / "lamp.json").write_text('{"kind": "lamp"}')
    entries = camera_entries(far_camera)
    del entries["width"]
    (tmp_path / "camera.json").write_text(json.dumps(entries))
    for name, rule in (
        ("missing.json", "does not exist"),
        ("broken.json", "not readable JSON"),
        ("list.json", "must hold an object"),
        ("light.json", "not a light of kind lambert"),
        ("lamp.json", "no light of kind"),
    ):
        with pytest.raises(InputError, match=rule):
            load_lights([tmp_path / name])
    with pytest.raises(InputError, match="is not a camera"):
        load_cameras(tmp_path / "camera.json")
    with pytest.raises(InputError, match="mesh and camera"):
        write_report(Prediction(), torch.zeros(4, 4, 4), tmp_path)
    with pytest.raises(InputError, match="views"):
        ReportOptions(views=-1)
