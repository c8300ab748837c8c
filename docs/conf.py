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
    "sphinx_gallery.gen_gallery",
]
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_inherited_class_members = False
# Pages of the gallery are scripts that are run; the other examples are programs with
# arguments of their own.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"/(?!plot_)[^/]*\.py$",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
}
exclude_patterns = ["_build"]
html_theme = "pydata_sphinx_theme"
html_title = f"hmsklearn {release}"
