"""Every recipe at the small scale: fit, predict, cross-validate, dump, load offline."""

import json
import os
import subprocess
import sys

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils import estimator_html_repr

from hmsklearn.datasets import load_hms, make_hms, write_submission
from hmsklearn.metrics import kl_scorer
from hmsklearn.neural import BaseNeuralClassifier
from hmsklearn.recipes import list_recipes, make_recipe

ALL = list(list_recipes().index)
HMS = [name for name in ALL if name != "seti"]  # which has a task of its own

# Folds of few recordings are smaller than a batch and may lack a class.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
]


def nets_of(estimator):
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return [part for part in parts if isinstance(part, BaseNeuralClassifier)]


def leaves_of(estimator):
    """Parameters that are no estimators, as text."""
    params = estimator.get_params(deep=True)
    return {
        path: repr(value)
        for path, value in params.items()
        if isinstance(value, (str, int, float, tuple, dict, type(None)))
    }


@pytest.mark.parametrize("scale", ["small", "full"])
@pytest.mark.parametrize("name", ALL)
def test_is_an_unfitted_scikit_learn_estimator(name, scale):
    recipe = make_recipe(name, scale)
    assert leaves_of(clone(recipe)) == leaves_of(recipe)
    assert not any(key.endswith("_") and key[0] != "_" for key in vars(recipe))
    # Nothing comes from the network without being asked for.
    assert {net.weights for net in nets_of(recipe)} == {None}


@pytest.mark.parametrize("name", ["consensus", "hms_10th", "mkanna"])
def test_shows_itself(name):
    recipe = make_recipe(name, "small")
    assert type(recipe).__name__ in repr(recipe)
    assert "<div" in estimator_html_repr(recipe)


@pytest.mark.parametrize("name", ALL)
def test_a_call_is_not_changed_by_the_one_before(name):
    before = leaves_of(make_recipe(name, "small"))
    changed = make_recipe(name, "small", device="cpu", batch_size=3)
    assert {net.batch_size for net in nets_of(changed)} == {3}
    assert leaves_of(make_recipe(name, "small")) == before


@pytest.mark.parametrize("name", ALL)
def test_seeds(name):
    def seeds(first):
        recipe = make_recipe(name, "full", random_state=first)
        parts = [recipe, *recipe.get_params(deep=True).values()]
        # Branches that are not trained alone begin with the seed of their net.
        return [
            part.steps[-1][1].random_state
            for part in parts
            if isinstance(part, Pipeline)
            and isinstance(part.steps[-1][1], BaseNeuralClassifier)
        ]

    assert seeds(0)
    assert None not in seeds(0)
    assert seeds(7) == [seed + 7 for seed in seeds(0)]
    assert set(seeds(None)) == {None}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_hms(
        tmp_path_factory.mktemp("recipes") / "hms",
        24,
        records_per_patient=1,
        windows_per_record=(1, 2),
        n_test=2,
        random_state=0,
    )


OFFLINE = """
import json, socket, sys

def refuse(*args):
    raise RuntimeError("the network is not there")

socket.socket.connect = socket.socket.connect_ex = refuse
import joblib, torch
assert not torch.cuda.is_available()
from hmsklearn.datasets import load_hms
stack = joblib.load(sys.argv[1])
proba = stack.predict_proba(load_hms(sys.argv[2], "test").data)
print(json.dumps(proba.tolist()))
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", HMS)
def test_fits_predicts_cross_validates_dumps_and_loads(name, root, tmp_path):
    train, test = load_hms(root), load_hms(root, "test")
    recipe = make_recipe(name, "small", device="cpu")
    folds = GroupKFold(2)
    scores = cross_val_score(
        recipe,
        train.data,
        train.target,
        groups=train.groups,
        cv=folds,
        scoring=kl_scorer,
        error_score="raise",
    )
    assert np.isfinite(scores).all()
    assert (scores < 0).all()

    fitted = recipe.fit(train.data, train.target)
    proba = fitted.predict_proba(test.data)
    assert proba.shape == (2, 6)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    assert (proba >= 0).all()
    write_submission(tmp_path / "submission.csv", test.data, proba)

    path = tmp_path / "recipe.joblib"
    joblib.dump(fitted, path)
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(path), str(root)],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Another process adds in another order.
    np.testing.assert_allclose(
        np.array(json.loads(done.stdout.splitlines()[-1])), proba, atol=1e-5
    )
