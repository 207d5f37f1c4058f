"""The Python blocks of README.md and docs/ run, and their commands have the options that they show."""

import re
import shlex
from pathlib import Path

import pytest
import tyro

from unrender.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Line on which each block of a language begins, and its text."""
    text = page.read_text(encoding="utf-8")
    found = [(text.count("\n", 0, m.start(2)), m[2]) for m in BLOCK.finditer(text) if m[1] == language]
    return found


def commands(page: Path) -> list[str]:
    lines = [line for _, block in blocks(page, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("unrender ")]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    for line, block in blocks(page, "python"):
        exec(compile("\n" * line + block, str(page), "exec"), names)


@pytest.mark.parametrize("command", [c for p in PAGES for c in commands(p)])
def test_commands_have_the_options_that_are_shown(command):
    _, *words = shlex.split(command, comments=True)
    tyro.extras.subcommand_cli_from_dict(COMMANDS, args=words, config=(tyro.conf.FlagCreatePairsOff,))


def test_blocks_are_found():
    assert len([p for p in PAGES if blocks(p, "python")]) >= 5
    assert len([c for p in PAGES for c in commands(p)]) >= 5
