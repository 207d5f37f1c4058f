"""Sphinx configuration: `make docs`."""

from importlib.metadata import version as installed_version

project = "unrender"
author = "the unrender authors"
version = release = installed_version("unrender")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = "unrender"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
# Attributes of data classes are part of the class's text, not entries of their own.
napoleon_use_ivar = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
