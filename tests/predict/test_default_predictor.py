"""The predictor that comes with the package."""

from pathlib import Path

import torch

from unrender import load_picture, predict
from unrender.learn.registry import read_card
from unrender.predict.job import WEIGHTS, default_predictor
from unrender.render import render

PICTURE = Path(__file__).resolve().parents[2] / "examples" / "picture.png"


def test_its_file_is_small_and_says_where_it_comes_from():
    assert WEIGHTS.stat().st_size < 30e6
    card = read_card(WEIGHTS)
    assert {"data", "creators", "training", "protocol", "3D IoU on val", "fails on"} <= set(card)
    assert "CC-BY" in card["creators"]
    predictor = default_predictor()
    assert predictor.crops
    assert predictor.config.camera


def test_it_predicts_what_the_picture_shows():
    picture = load_picture(PICTURE)
    found = predict(picture)
    assert found.mesh is not None
    assert found.camera is not None
    assert found.light is not None
    inside = picture[..., 3] > 0.5
    drawn = render(found.mesh[0], found.camera[0], found.light[0].lights())
    assert float((drawn.mask & inside).sum() / (drawn.mask | inside).sum()) > 0.6
    both = drawn.mask & inside
    difference = (drawn.rgb - picture[..., :3])[both].abs().mean()
    grey = (picture[..., :3][both].mean() - picture[..., :3][both]).abs().mean()
    assert float(difference) < float(grey)
    again = predict(picture).mesh
    assert again is not None
    assert torch.equal(again.vertices, found.mesh.vertices)  # the same every time
