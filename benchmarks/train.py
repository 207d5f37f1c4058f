"""What a training reached: keeps the numbers of its training.json, without the losses of each step.

python benchmarks/train.py [TRAINING.JSON [NAME]]

Those of ``make train`` go to results/train-cpu.json, others to results/NAME-cpu.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

from unrender.io.files import write_file

ROOT = Path(__file__).resolve().parents[1]

if __name__ == "__main__":
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "out" / "train" / "training.json"
    report = json.loads(file.read_text())
    del report["losses"]
    report |= {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    name = sys.argv[2] if len(sys.argv) > 2 else "train"
    out = ROOT / "benchmarks" / "results" / f"{name}-cpu.json"
    write_file(out, (json.dumps(report, indent=1) + "\n").encode())
    sys.stdout.write(f"{out}\n")
