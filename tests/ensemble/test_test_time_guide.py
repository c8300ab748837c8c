"""The user guide's page on test-time augmentation runs, and names what there is."""

import ast
import re
import textwrap
from pathlib import Path

import pytest
from sklearn.utils.validation import check_is_fitted

from hmsklearn.ensemble import TEST_TIME_SCHEMES, TEST_TIME_TRANSFORMS

GUIDE = Path(__file__).parents[2] / "docs" / "user_guide"
PAGE = (GUIDE / "test_time_augmentation.rst").read_text(encoding="utf-8")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


def run(page):
    """Run the blocks from top to bottom; compare what their comments say they give."""
    pattern = r"^\.\. code-block:: python\n\n((?:(?:   .*)?\n)+)"
    names, compared = {"__name__": "guide"}, 0
    for block in re.findall(pattern, page, flags=re.M):
        code = textwrap.dedent(block)
        for node in ast.parse(code).body:
            if not isinstance(node, ast.Expr):
                exec(compile(ast.Module([node], []), "guide", "exec"), names)
                continue
            value = eval(compile(ast.Expression(node.value), "guide", "eval"), names)
            line = code.splitlines()[node.end_lineno - 1][node.end_col_offset :]
            try:
                said = ast.literal_eval(line.strip().removeprefix("#").strip())
            except (SyntaxError, ValueError):
                continue
            assert value == said
            compared += 1
    return names, compared


def test_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, compared = run(PAGE)
    assert compared == 2
    assert names["tta"].weights_.sum() == pytest.approx(1)
    check_is_fitted(names["both"])


def test_page_names_every_transform_and_scheme():
    tables = re.findall(r"^=+ =+\n(.*?)^=+ =+\n", PAGE, flags=re.M | re.S)
    named = set(re.findall(r"^``(\w+)``", "".join(tables), flags=re.M))
    assert named == {*TEST_TIME_SCHEMES, *TEST_TIME_TRANSFORMS}
