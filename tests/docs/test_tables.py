"""The tables of measured numbers say what benchmarks/results holds."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tables():
    spec = importlib.util.spec_from_file_location("docs_tables", ROOT / "docs" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_are_up_to_date(tables):
    for page in tables.PAGES:
        text = page.read_text(encoding="utf-8")
        assert tables.fill(text) == text, f"{page.name} is older than benchmarks/results: run docs/tables.py"


def test_tables_of_a_run(tables, tmp_path):
    machine = {"device": "cpu", "cpu": "Some CPU", "cores": 2, "threads": 1, "torch": "2.13", "warp": "1.19"}
    machine["date"] = "2026-11-21T00:00:00+00:00"
    warp = {"forward_ms": 1.0, "backward_ms": 2.0, "total_ms": 3.0, "times_warp": 1.0, "peak_mb": 5.2}
    warp["gradients_repeat"] = True
    torch = {"forward_ms": 10.0, "backward_ms": 20.0, "total_ms": 36.0, "times_warp": 12.0}
    case = {"size": 64, "faces": 1280, "batch": 8, "pass": "dibr"}
    case["results"] = {"warp": warp, "torch": torch, "pytorch3d": {"skipped": "not there"}}
    timed = tmp_path / "rasterize-cpu.json"
    timed.write_text(json.dumps({"machine": machine, "cases": [case]}))
    row = {"object": "spot", "views": 24, "held_out": 8, "size": 256, "faces": 8000, "seconds": 123.4}
    row |= {"mask_iou": 0.98765, "mask_iou_min": 0.97, "psnr": 31.26, "psnr_min": 29.0}
    fitted = {"machine": {"processor": "x86_64", "threads": 2}, "rows": [row]}
    page = (
        "before\n<!-- table rasterize -->\nold\n<!-- end -->\n<!-- table summary -->\n<!-- end -->\nafter\n"
    )

    filled = tables.fill(page, tmp_path)
    assert (
        "| 64² | 1280 | 8 | dibr | 1.00 + 2.00 = 3.00 | 10.00 + 20.00 = 36.00 (12.0x) | 5, – | yes, – |"
        in filled
    )
    assert "PyTorch3D" not in filled
    assert "<!-- table summary -->\n@@fit-cpu.json@@\n<!-- end -->\nafter\n" in filled

    (tmp_path / "fit-cpu.json").write_text(json.dumps(fitted))
    filled = tables.fill(filled, tmp_path)
    assert "mask IoU 0.988, PSNR 31.3 dB on 8 held-out views, in 123 s" in filled
    assert "3.0 ms an image; the PyTorch reference takes 12 times as long" in filled
    assert "@@" not in filled
    assert "old" not in filled
