"""What scikit-learn does not promise stays behind one door."""

import ast
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn

import hmsklearn
from hmsklearn import _compat

PACKAGE = Path(hmsklearn.__file__).parent


def test_routing_enabled_follows_the_configuration():
    for value in (True, False):
        with sklearn.config_context(enable_metadata_routing=value):
            assert _compat.routing_enabled() is value


def test_fit_params_are_cut_where_they_have_one_entry_a_row():
    params = {
        "weight": np.arange(4),
        "groups": pd.Series(list("aabb"), index=[9, 8, 7, 6]),
        "labels": ["x", "y", "z", "w"],
        "epochs": 3,
        "other": np.arange(3),
    }
    cut = _compat.slice_fit_params(np.zeros((4, 2)), params=params, indices=[3, 1])
    assert cut["weight"].tolist() == [3, 1]
    assert cut["groups"].tolist() == ["b", "a"]
    assert cut["labels"] == ["w", "y"]
    assert cut["epochs"] == 3
    assert cut["other"].tolist() == [0, 1, 2]
    whole = _compat.slice_fit_params(np.zeros((4, 2)), params=params)
    assert whole["weight"].tolist() == [0, 1, 2, 3]


def test_attrs_survive_indexing():
    frame = pd.DataFrame({"a": range(4)})
    frame.attrs["root"] = "somewhere"
    part = _compat.safe_indexing(frame, np.array([2, 0]))
    assert part["a"].tolist() == [2, 0]
    assert part.attrs == {"root": "somewhere"}


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_only_compat_imports_private_parts_of_scikit_learn(path):
    if path.name == "_compat.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "sklearn"
        ):
            parts = [*node.module.split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            parts = [
                part
                for name in names
                if name.startswith("sklearn")
                for part in name.split(".")
            ]
        else:
            continue
        private = [part for part in parts if part.startswith("_")]
        assert not private, f"{path}:{node.lineno} imports {private} from scikit-learn"
