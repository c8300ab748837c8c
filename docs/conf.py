"""Sphinx configuration: ``sphinx-build -W docs docs/_build``."""

from importlib.metadata import version as _version

project = "hmsklearn"
author = "the hmsklearn developers"
release = version = _version("hmsklearn")
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.mathjax",
    "numpydoc",
]
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = f"hmsklearn {release}"
