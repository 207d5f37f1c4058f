"""The example ``deform_to_picture`` in a short form."""

import importlib.util
import re
from pathlib import Path

from unrender import load_picture

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "deform_to_picture.py"


def test_deform_to_picture(tmp_path, capsys, monkeypatch):
    spec = importlib.util.spec_from_file_location("example_deform_to_picture", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SPOT", tmp_path / "missing.obj")
    out = tmp_path / "new" / "sheet.png"
    result = module.main(["--size", "64", "--effort", "0.1", "--out", str(out)])
    egg = module.striped_egg()
    assert result.mesh.num_faces == egg.num_faces
    assert load_picture(out).shape == (2 * 260 + 4, 3 * 260 + 4, 3)
    found = re.search(r"picture: ([\d.]+) at the start, ([\d.]+) now", capsys.readouterr().out)
    assert found is not None
    assert float(found[2]) > float(found[1]) + 0.02
