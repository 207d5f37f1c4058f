import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_meshes import FAST, N3MR, contents, write_meshes

from unrender.errors import InputError
from unrender.learn.data.npz_writer import NpzWriter
from unrender.learn.data.rendering import RenderingProgress, render_dataset
from unrender.learn.data.shards import ShardWriter
from unrender.learn.data.sources import find_meshes

FORMATS = ("tree", "npz", "shards")

KILLED = """
import sys
from pathlib import Path
from small_meshes import N3MR
from unrender.learn.data.npz_writer import NpzWriter
from unrender.learn.data.rendering import render_dataset
from unrender.learn.data.shards import ShardWriter
from unrender.learn.data.sources import find_meshes

if __name__ == "__main__":
    NpzWriter.block_size = ShardWriter.block_size = 2
    meshes, root, format = sys.argv[1:]
    render_dataset(find_meshes([meshes]), root, N3MR, format=format, workers=2)
"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    for writer in (NpzWriter, ShardWriter):
        monkeypatch.setattr(writer, "block_size", 2)


@pytest.fixture
def sources(tmp_path):
    return find_meshes([write_meshes(tmp_path / "meshes")])


@pytest.mark.parametrize("format", FORMATS)
def test_broken_meshes_are_named_and_counted(sources, tmp_path, format):
    shown: list[RenderingProgress] = []
    report = render_dataset(sources, tmp_path / "set", N3MR, format=format, progress=shown.append)
    assert (report.rendered, report.kept) == (5, 0)
    assert list(report.skipped) == ["chair/chair1b", "lamp/flat"]
    assert "NaN" in report.skipped["chair/chair1b"] or "finite" in report.skipped["chair/chair1b"]
    assert "area" in report.skipped["lamp/flat"]
    assert shown[0] == RenderingProgress(0, 7, 0)
    assert shown[-1] == RenderingProgress(7, 7, 2)
    assert [progress.objects for progress in shown] == sorted(progress.objects for progress in shown)


@pytest.mark.parametrize("format", FORMATS)
def test_a_second_call_changes_nothing(sources, tmp_path, format):
    first = render_dataset(sources, tmp_path / "set", N3MR, format=format)
    before = contents(tmp_path / "set")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.npz")}
    second = render_dataset(sources, tmp_path / "set", N3MR, format=format)
    assert (second.rendered, second.kept) == (0, 5)
    assert second.skipped == first.skipped
    assert contents(tmp_path / "set") == before
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "set").rglob("*.npz")}


@pytest.mark.parametrize("format", FORMATS)
def test_machines_share_the_work(sources, tmp_path, format):
    whole = tmp_path / "whole"
    render_dataset(sources, whole, N3MR, format=format)
    parts = tmp_path / "parts"
    reports = [render_dataset(sources, parts, N3MR, format=format, machine=(index, 3)) for index in (2, 0, 1)]
    assert sum(report.rendered for report in reports) == 5
    assert all(report.rendered < 5 for report in reports)
    last = render_dataset(sources, parts, N3MR, format=format)
    assert (last.rendered, last.kept, len(last.skipped)) == (0, 5, 2)
    assert contents(parts) == contents(whole)


def test_more_meshes_join_a_tree(sources, tmp_path):
    root = tmp_path / "set"
    render_dataset(sources[:2], root, FAST)
    assert (root / "chair" / "softras_train.lst").read_text() == "chair0\nchair1\n"
    render_dataset(sources[3:], root, FAST)
    assert (root / "chair" / "softras_train.lst").read_text() == "chair0\nchair1\nchair2\n"
    assert (root / "lamp" / "softras_train.lst").read_text() == "lamp0\nlamp1\n"


@pytest.mark.parametrize("format", ["npz", "shards"])
def test_more_meshes_do_not_join_archives(sources, tmp_path, format):
    render_dataset(sources[:2], tmp_path / "set", N3MR, format=format)
    with pytest.raises(InputError, match=r"set was begun with other meshes; .* give another folder"):
        render_dataset(sources, tmp_path / "set", N3MR, format=format)


def test_other_options_are_refused(sources, tmp_path):
    render_dataset(sources[:1], tmp_path / "set", FAST)
    with pytest.raises(InputError, match="begun with other size 8, not 16"):
        render_dataset(sources[:1], tmp_path / "set", dataclasses.replace(FAST, size=16))
    with pytest.raises(InputError, match="begun with other format tree, not shards"):
        render_dataset(sources[:1], tmp_path / "set", FAST, format="shards")
    (tmp_path / "set" / "render.json").write_text("{")
    with pytest.raises(InputError, match=r"render.json is not readable JSON"):
        render_dataset(sources[:1], tmp_path / "set", FAST)


def test_wrong_numbers(sources, tmp_path):
    with pytest.raises(InputError, match="workers must be at least 1, got 0"):
        render_dataset(sources, tmp_path / "set", FAST, workers=0)
    for machine in ((3, 3), (-1, 2)):
        with pytest.raises(InputError, match="machine must be 0 to N - 1 of N"):
            render_dataset(sources, tmp_path / "set", FAST, machine=machine)
    assert not (tmp_path / "set").exists()


def test_an_object_that_is_half_there_is_made_anew(sources, tmp_path):
    root = tmp_path / "set"
    render_dataset(sources, root, FAST)
    before = contents(root)
    chair = root / "chair" / "chair0"
    (chair / "done.json").unlink()
    (chair / "image" / "0001.png").write_bytes(b"half")
    (chair / "depth.npz").unlink()
    (chair / ".left.tmp").write_text("of a killed process")
    report = render_dataset(sources, root, FAST)
    assert (report.rendered, report.kept) == (1, 4)
    assert contents(root) == before


@pytest.mark.slow
@pytest.mark.parametrize("format", FORMATS)
def test_killed_in_the_middle(tmp_path, format):
    """Also the worker processes end, and the next call leaves the files of a job that was not stopped."""
    for index in range(4):
        write_meshes(tmp_path / "meshes" / f"{index}", broken=index == 0)
    sources = find_meshes([tmp_path / "meshes"])
    render_dataset(sources, tmp_path / "whole", N3MR, format=format)

    root = tmp_path / "set"
    script = tmp_path / "job.py"
    script.write_text(KILLED)
    path = os.pathsep.join([f"{Path(__file__).parent}", os.environ.get("PYTHONPATH", "")])
    job = subprocess.Popen(
        [sys.executable, f"{script}", f"{tmp_path / 'meshes'}", f"{root}", format],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    pattern = {"tree": "*/*/done.json", "npz": "parts/*.npz", "shards": "*.tar"}[format]
    deadline = time.monotonic() + 60
    while len(list(root.glob(pattern))) < 2 and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(job.pid, signal.SIGKILL)
    assert job.wait() == -signal.SIGKILL
    while _alive(job.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(job.pid)

    report = render_dataset(sources, root, N3MR, format=format)
    assert report.kept >= 2
    assert report.rendered >= 1
    assert contents(root) == contents(tmp_path / "whole")


def _alive(session: int) -> bool:
    """Whether a process of the session is left (zombies, whom nobody waits for in a container, are not)."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_session) == session and state != "Z":
            return True
    return False


@pytest.mark.slow
def test_workers_write_the_same(sources, tmp_path):
    render_dataset(sources, tmp_path / "one", N3MR)
    report = render_dataset(sources, tmp_path / "two", N3MR, workers=2)
    assert (report.rendered, len(report.skipped)) == (5, 2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
def test_a_worker_that_dies(sources, tmp_path, monkeypatch):
    """What the kernel does to a process that wants too much memory."""
    monkeypatch.setattr("unrender.learn.data.rendering._render_block", _die)
    with pytest.raises(InputError, match=r"a worker process died, .* fewer workers goes on"):
        render_dataset(sources, tmp_path / "set", FAST, workers=2)


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_options_are_recorded(sources, tmp_path):
    render_dataset(sources[:1], tmp_path / "set", FAST)
    record = json.loads((tmp_path / "set" / "render.json").read_text())
    assert record == {"format": "tree", **dataclasses.asdict(FAST)}
