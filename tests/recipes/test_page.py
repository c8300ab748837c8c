"""The table of the guide says what the recipes say."""

import re
from pathlib import Path

import pytest

from hmsklearn.recipes import list_recipes

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "recipes.rst"


@pytest.fixture(scope="module")
def table():
    text = PAGE.read_text(encoding="utf-8")
    cell = r"     - (.+)\n"
    last = r"     - ((?:.+\n(?:       .*\n)*))"
    rows = re.findall(rf"^   \* - ``(\w+)``\n{cell}{cell}{last}", text, flags=re.M)
    return {name: (system, score, differs) for name, system, score, differs in rows}


def test_every_recipe_has_a_row_in_order(table):
    assert list(table) == list(list_recipes().index)


def test_scores_are_those_of_the_recipes(table):
    for name, recipe in list_recipes().iterrows():
        stated = [recipe[score] for score in ("cv", "public", "private")]
        words = {
            f"{what} {value:.3f}"
            for what, value in zip(("CV", "public", "private"), stated, strict=True)
            if value == value
        }
        said = set(re.findall(r"(?:CV|public|private) [\d.]+", table[name][1]))
        assert said == words, name
        if not words:
            assert table[name][1] == "none published"


def test_it_is_said_what_differs(table):
    for name, (system, _, differs) in table.items():
        assert len(system) > 2, name
        assert len(differs.split()) > 8, name
