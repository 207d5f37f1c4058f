from typing import Any

import pytest
import torch

import unrender.predict
from unrender.errors import InputError
from unrender.geometry import Mesh
from unrender.learn.crop import crop_to_object
from unrender.learn.prediction import Prediction
from unrender.learn.registry import save_predictor
from unrender.predict import predict, predict_each
from unrender.predict.job import part
from unrender.render import render


def iou(a, b) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_camera_that_comes_back_is_that_of_the_whole_picture(known, object_, take, far_camera):
    picture = take(object_, far_camera)
    found: Any = predict(picture, predictor=known)
    assert found.camera.batch_shape == (1,)
    assert (found.camera.width, found.camera.height) == (150, 110)
    assert torch.allclose(found.camera.world_to_camera[0], far_camera.world_to_camera, atol=1e-5)
    assert torch.allclose(found.camera.intrinsics[0], far_camera.intrinsics, rtol=0.02, atol=1.0)
    drawn = render(found.mesh, found.camera)
    assert iou(drawn.mask[0], picture[..., 3] > 0.5) > 0.95


def test_networks_see_crops_as_in_training(known, object_, take, far_camera):
    picture = take(object_, far_camera)
    predict(picture, predictor=known)
    premultiplied = torch.cat([picture[..., :3] * picture[..., 3:], picture[..., 3:]], -1)
    expected, _ = crop_to_object(premultiplied, size=48)
    assert torch.allclose(known.seen[0][0], expected)


def test_a_batch_is_its_pictures_one_by_one(network, object_, take, far_camera):
    second = far_camera.replace(intrinsics=far_camera.intrinsics * torch.tensor([[0.7], [0.7], [1.0]]))
    pictures = torch.stack([take(object_, far_camera), take(object_, second)])
    both: Any = predict(pictures, predictor=network)
    assert both.mesh.batch_shape == (2,)
    for i in range(2):
        one: Any = predict(pictures[i], predictor=network)
        rows: Any = part(both, i)
        assert torch.allclose(rows.mesh.vertices, one.mesh.vertices, atol=1e-5)
        assert torch.allclose(rows.mesh.texture, one.mesh.texture, atol=1e-5)
        assert torch.allclose(rows.light.coefficients, one.light.coefficients, atol=1e-4)
        assert torch.allclose(rows.camera.intrinsics, one.camera.intrinsics, rtol=1e-4)
        assert not one.mesh.vertices.requires_grad


def test_pictures_of_different_sizes_go_through_the_network_at_once(known, object_, take, far_camera):
    small = far_camera.resized(75, 55)
    results: Any = predict_each([take(object_, far_camera), take(object_, small)], predictor=known)
    assert len(known.seen) == 1
    assert [r.camera.width for r in results] == [150, 75]
    ratio = results[0].camera.intrinsics[0, 0, 0] / results[1].camera.intrinsics[0, 0, 0]
    assert float(ratio) == pytest.approx(2, rel=0.05)


def test_masks_are_given_or_found(known, object_, take, far_camera):
    picture = take(object_, far_camera)
    alpha = picture[..., 3]
    given: Any = predict(picture[..., :3], alpha, predictor=known)
    grey = picture[..., :3] * alpha[..., None] + 0.5 * (1 - alpha[..., None])
    found: Any = predict(grey, predictor=known)
    expected: Any = predict(picture, predictor=known)
    assert torch.equal(given.camera.intrinsics, expected.camera.intrinsics)
    assert torch.allclose(found.camera.intrinsics, expected.camera.intrinsics, rtol=0.05, atol=3)


def test_predictors_come_from_files(network, object_, take, far_camera, tmp_path):
    save_predictor(network, tmp_path / "net.safetensors")
    picture = take(object_, far_camera)
    from_file: Any = predict(picture, predictor=tmp_path / "net.safetensors")
    direct: Any = predict(picture, predictor=network)
    assert torch.allclose(from_file.mesh.vertices, direct.mesh.vertices)


def test_the_package_is_the_function(known, object_, take, far_camera):
    found: Any = unrender.predict(take(object_, far_camera), predictor=known)
    assert found.mesh.batch_shape == (1,)


def test_refined_predictions_fit_better(network, object_, take, far_camera):
    pictures = torch.stack([take(object_, far_camera)] * 2)
    shares: list[float] = []
    before: Any = predict(pictures[0], predictor=network)
    after: Any = predict(pictures, predictor=network, refine=25, progress=lambda p: shares.append(p.done))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert (after.camera.width, after.camera.height) == (150, 110)
    wanted = pictures[0, ..., 3] > 0.5
    old = iou(render(before.mesh, before.camera).mask[0], wanted)
    for i in range(2):
        assert iou(render(after.mesh, after.camera).mask[i], wanted) > max(0.85, old)


def test_wrong_input_is_named(known, object_, take, far_camera, monkeypatch):
    picture = take(object_, far_camera)
    with pytest.raises(InputError, match="image must have shape"):
        predict(picture[0], predictor=known)
    with pytest.raises(InputError, match="mask must have shape"):
        predict(picture, picture[:50, :, 3], predictor=known)
    with pytest.raises(InputError, match="refine must not be negative"):
        predict(picture, predictor=known, refine=-1)
    with pytest.raises(InputError, match="at least one picture"):
        predict_each([], predictor=known)
    with pytest.raises(InputError, match="does not exist"):
        predict(picture, predictor="nowhere.safetensors")
    monkeypatch.setattr(type(known), "forward", lambda self, x: Prediction(occupancy=torch.zeros(1, 4, 4, 4)))
    with pytest.raises(InputError, match="gives meshes, got 'known'"):
        predict(picture, predictor=known)


def test_objects_without_colours_are_predicted_too(known, object_, take, far_camera):
    known.mesh = Mesh(object_.vertices, object_.faces)
    found: Any = predict(take(object_, far_camera), predictor=known, refine=2)
    assert found.mesh.texture is None
    assert found.mesh.vertices.shape[0] == 1
