import json

import pytest

from unrender.errors import InputError
from unrender.evaluate import EvaluateOptions, ObjectScores, Report, markdown, save_json
from unrender.evaluate.protocol import definitions, metrics

OPTIONS = EvaluateOptions(thresholds=(0.01,), points=500, views=3, seed=7)


def report(name="best", objects=None, **fields):
    objects = objects or [
        ObjectScores("a", "chair", 3, {"iou": 0.5, "psnr": 20.0}),
        ObjectScores("b", "chair", 1, {"iou": 0.7}),
        ObjectScores("c", "lamp", 0, {"iou": 0.2, "psnr": 30.0}),
    ]
    settings = {"skipped": ["x.npz is broken"], "seconds": 61.4, "notes": {"data": "DIR", "split": "val"}}
    return Report(name, "dibr", OPTIONS, objects, **{**settings, **fields})


def test_means_count_categories_alike():
    assert report().categories() == {"chair": {"iou": 0.6, "psnr": 20.0}, "lamp": {"iou": 0.2, "psnr": 30.0}}
    assert report().mean() == pytest.approx({"iou": 0.4, "psnr": 25.0})


def test_json_holds_numbers_and_protocol(tmp_path):
    save_json([report(), report("second")], tmp_path / "folder" / "report.json")
    read = json.loads((tmp_path / "folder" / "report.json").read_text())
    first, second = read["predictors"]
    assert (first["name"], second["name"], first["method"]) == ("best", "second", "dibr")
    assert first["protocol"] == {
        "data": "DIR", "split": "val", "views": 3, "points": 500, "thresholds": [0.01], "level": 0.5,
        "samples": 2, "seed": 7,
    }  # fmt: skip
    assert first["mean"] == pytest.approx({"iou": 0.4, "psnr": 25.0})
    assert first["categories"]["chair"] == {"objects": 2, "iou": 0.6, "psnr": 20.0}
    assert first["objects"][1] == {"name": "b", "category": "chair", "view": 1, "scores": {"iou": 0.7}}
    assert first["skipped"] == ["x.npz is broken"]
    assert read["definitions"] == definitions(OPTIONS)


def rows(text, heading):
    """Cells of the table under a heading."""
    lines = text.split(heading + "\n")[1].strip().splitlines()
    table = [line for line in lines[: lines.index("")] if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


def test_markdown_has_a_row_a_predictor_and_a_table_each():
    bare = report("bare", objects=[ObjectScores("a", "chair", 0, {"iou": 0.1})], skipped=[])
    text = markdown([report(), bare])
    head, _, first, second = rows(text, "## Mean over categories")
    assert head == ["Predictor", "3D IoU ↑", "PSNR ↑"]
    assert first == ["best", "0.400", "25.00"]
    assert second == ["bare", "0.100", "-"]
    assert rows(text, "## best")[2:] == [
        ["chair (2)", "0.600", "20.00"], ["lamp (1)", "0.200", "30.00"], ["mean", "0.400", "25.00"],
    ]  # fmt: skip
    assert rows(text + "\n", "## bare")[0] == ["Category (objects)", "3D IoU ↑"]
    assert "- x.npz is broken" in text
    protocol = text.split("## Protocol")[1]
    assert "best (dibr): data: DIR; split: val; 61 s" in protocol
    assert "seed 7" in protocol
    assert "500 points" in protocol
    assert "3 views" in protocol


def test_every_metric_is_explained():
    explained = " ".join(definitions(OPTIONS))
    for name, metric in metrics(OPTIONS).items():
        word = "F@t" if name.startswith("f_score") else metric.label.split(" x10")[0].split(",")[0]
        word = word.removeprefix("the same of ").split(" of ")[-1].split(" up to ")[0]
        assert word in explained, name


def test_reports_of_one_table_share_their_options(tmp_path):
    different = Report("other", "dibr", EvaluateOptions(seed=1), report().objects)
    with pytest.raises(InputError, match="same options"):
        save_json([report(), different], tmp_path / "report.json")
    with pytest.raises(InputError, match="at least one report"):
        markdown([])
