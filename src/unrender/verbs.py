"""Packages that share the name of their main function: ``unrender.render`` is a package and can be called."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any


def make_callable(package: str, function: Callable[..., Any]) -> None:
    """Let ``package(...)`` call ``function``, so that ``from unrender import render`` gives what one expects.

    Importing a package binds its name in its parent, over any function of that name; so instead of a second
    name for one of them, the package itself answers calls.
    """

    class CallableModule(types.ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    sys.modules[package].__class__ = CallableModule
