"""The command line: ``unrender predict``, ``fit``, ``deform``, ``pose``, ``render``, ``data`` and so on.

A command is a dataclass of options with a ``run`` method, in a file of its own; a new one is an import and
an entry in ``COMMANDS``. Command files import torch and the rest of the package inside ``run``, so that
``--help`` is quick.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any

import tyro

from ..errors import InputError
from .data import Data
from .deform import Deform
from .evaluate import Evaluate
from .fit import Fit
from .info import Info
from .pose import Pose
from .predict import Predict
from .render import Render
from .train import Train

__all__ = ["main"]

COMMANDS: dict[str, type[Any]] = {
    "predict": Predict,
    "fit": Fit,
    "deform": Deform,
    "pose": Pose,
    "render": Render,
    "data": Data,
    "train": Train,
    "evaluate": Evaluate,
    "info": Info,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that ``arguments`` (``sys.argv`` when None) name.

    What a user can mend becomes one line on stderr; anything else is a bug and keeps its traceback.

    Returns:
        The exit code: 0, 2 for wrong input, or 130 when stopped with Ctrl-C.

    Raises:
        SystemExit: with code 2 for arguments that cannot be parsed, with 0 after ``--help``.
    """
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="unrender",
        description="Pictures of 3D meshes, and 3D meshes from pictures.",
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    # Read when torch loads: its threads sleep instead of spinning while they wait, which is several times
    # faster on a machine that others use too.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            command.run()
    except KeyboardInterrupt:
        return 130
    except InputError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.strerror}: {error.filename}" if error.filename else str(error))
    except ImportError as error:
        if error.name is not None:  # Python names the module it misses; our advice on extras names none
            raise
        return _fail(str(error))
    return 0


def _fail(message: str) -> int:
    _say("error", message)
    return 2


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _say("warning", str(message))


def _say(kind: str, message: str) -> None:
    sys.stderr.write(f"unrender: {kind}: {' '.join(message.split())}\n")
