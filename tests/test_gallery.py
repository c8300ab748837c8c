"""Every page of the gallery runs from top to bottom and ends in a picture."""

import ast
import runpy
from pathlib import Path

import numpy as np
import pytest

from hmsklearn.recipes import list_recipes

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGES = sorted(EXAMPLES.glob("plot_*.py"))

# What shows a family of recipes.
FAMILIES = {
    "start here": "plot_consensus.py",
    "ensembles": "plot_ensembles.py",
    "multi-view": "plot_multi_view.py",
    "single images": "plot_single_images.py",
    "other tasks": "plot_seti.py",
}


def test_every_family_has_its_page():
    assert set(list_recipes()["family"]) == set(FAMILIES)
    assert {page.name for page in PAGES} >= set(FAMILIES.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_form(page):
    text = page.read_text(encoding="utf-8")
    title, line, *_ = ast.get_docstring(ast.parse(text)).splitlines()
    assert line == "=" * len(title)
    assert text.count("\n# %%\n") >= 3


@pytest.mark.slow(seconds=90)
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore:.*is larger than the data")
@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    pictures = []

    def show():
        for number in pyplot.get_fignums():
            figure = pyplot.figure(number)
            figure.canvas.draw()
            pictures.append(figure.canvas.buffer_rgba())
        pyplot.close("all")

    monkeypatch.setattr(pyplot, "show", show)
    runpy.run_path(str(page), run_name="__main__")
    assert pictures
    pixels = np.asarray(pictures[-1])[..., :3] / 255
    assert min(pixels.shape[:2]) > 100
    assert pixels.std() > 0.05  # not an empty sheet
    assert not list(tmp_path.iterdir())  # and nothing is left behind
