"""The user guide's code about stacks runs, and says what is so."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "user_guide" / "stacking.rst"

SECTIONS = [
    "Stacking",
    "Members that are fitted already",
    "Another final estimator",
    "Features beside the predictions",
    "Rare classes",
    "What the blend gains",
    "Runs that are killed",
    "On a cluster",
]


def blocks_of_sections():
    text = PAGE.read_text(encoding="utf-8")
    parts = re.split(r"^(.+)\n(?:=+|-+)\n", text, flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    pattern = r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)"
    for name in SECTIONS:
        for block in re.findall(pattern, sections[name], flags=re.M):
            yield name, textwrap.dedent(block)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    pytest.importorskip("distributed")
    names = {"__name__": "stacking_page"}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("page"))
        for section, block in blocks_of_sections():
            exec(compile(block, f"stacking.rst, {section}", "exec"), names)
        names["files"] = len(list(Path("stack_memory").rglob("*.joblib")))
    return names


def test_what_the_page_says(names):
    assert names["stack"].weights_.sum() == pytest.approx(1)
    assert set(names["prefit"].member_kl_) == {"linear", "bayes"}
    assert names["prefit"].kl_ == pytest.approx(names["stack"].kl_)
    assert len(names["fifth"].meta_features_) == 36
    assert names["gain"].folds["over_best_member"].shape == (5,)
    # Two members: five folds and a refit each, for two fits of the stack.
    assert names["files"] == 12


def test_every_parameter_of_the_stack_is_on_the_page(names):
    page = PAGE.read_text(encoding="utf-8")
    said = set(re.findall(r"\w+", page))
    own = {"final_estimator", "cv", "n_jobs", "refit", "passthrough", "upsample"}
    own |= {"prediction_features", "nested_cv", "memory"}
    assert own <= set(names["stack"].get_params(deep=False))
    assert own <= said


def test_blocks_are_valid():
    for _, block in blocks_of_sections():
        ast.parse(block)
