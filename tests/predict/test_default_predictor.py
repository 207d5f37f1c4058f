"""The predictors that come with the package."""

from pathlib import Path

import pytest
import torch

from unrender import load_picture, predict
from unrender.errors import InputError
from unrender.learn.prediction import Prediction
from unrender.learn.registry import read_card
from unrender.predict.job import WEIGHTS, default_predictor
from unrender.render import render

PICTURE = Path(__file__).resolve().parents[2] / "examples" / "picture.png"


@pytest.fixture(scope="module", params=list(WEIGHTS))
def method(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def found(method) -> Prediction:
    return predict(load_picture(PICTURE), method=method)


def test_their_files_are_small_and_say_where_they_come_from(method):
    assert WEIGHTS[method].stat().st_size < 30e6
    card = read_card(WEIGHTS[method])
    assert {"data", "creators", "training", "protocol", "3D IoU on val", "fails on"} <= set(card)
    assert "CC-BY" in card["creators"]
    predictor = default_predictor(method=method)
    assert predictor.method == method
    assert predictor.crops
    assert predictor.config.camera
    assert default_predictor(torch.device("cpu"), method) is predictor  # loaded once


def test_they_predict_what_the_picture_shows(method, found):
    picture = load_picture(PICTURE)
    assert found.mesh is not None
    assert found.camera is not None
    assert (found.light is None) == (method == "dvr")
    inside = picture[..., 3] > 0.5
    drawn = render(found.mesh[0], found.camera[0], None if found.light is None else found.light[0].lights())
    assert float((drawn.mask & inside).sum() / (drawn.mask | inside).sum()) > 0.6
    both = drawn.mask & inside
    difference = (drawn.rgb - picture[..., :3])[both].abs().mean()
    grey = (picture[..., :3][both].mean() - picture[..., :3][both]).abs().mean()
    assert float(difference) < float(grey)


def test_they_predict_the_same_every_time(method, found):
    again = predict(load_picture(PICTURE), method=method).mesh
    assert again is not None
    assert torch.equal(again.vertices, found.mesh.vertices)


def test_dibr_is_the_usual_one():
    assert default_predictor() is default_predictor(method="dibr")
    assert predict(load_picture(PICTURE)).light is not None


def test_methods_that_cannot_be(method):
    picture = load_picture(PICTURE)
    with pytest.raises(InputError, match="method must be one of dibr, dvr, got 'voxel'"):
        predict(picture, method="voxel")
    with pytest.raises(InputError, match=f"not both: got a predictor and method '{method}'"):
        predict(picture, method=method, predictor=default_predictor())
