"""Every net of every recipe at its published size: one step of training on two windows.

Sizes of images, features and weights are compared with the published ones in the test
of each recipe; here the whole of it runs, forward and backward, on a CPU.
"""

import gc

import numpy as np
import pytest
from recipe_parts import net_input, pipelines_of, train_on_two

from hmsklearn.datasets import load_seti, make_seti
from hmsklearn.recipes import list_recipes, make_recipe

# Seconds of processor time of a recipe's nets, for sharing out the slow tests.
SECONDS = {
    "hms_1st": 300,
    "hms_2nd": 200,
    "hms_3rd": 200,
    "hms_4th": 300,
    "hms_5th": 300,
    "hms_6th": 400,
    "hms_7th": 200,
    "hms_8th": 150,
    "hms_9th": 150,
}


# A task of its own, with two cadences and two labels in the place of rows and votes.
OTHER = "seti"


@pytest.fixture(scope="module")
def two_cadences(tmp_path_factory):
    root = make_seti(tmp_path_factory.mktemp("cadences") / "seti", 2, n_test=1)
    return load_seti(root).data, np.array([0, 1])


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow(seconds=SECONDS.get(name, 60)))


@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore:.*is larger than the data")
@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
@pytest.mark.parametrize("name", [slow(name) for name in list_recipes().index])
def test_one_step_of_every_net(name, two_rows, two_votes, two_cadences):
    two_rows, two_votes = two_cadences if name == OTHER else (two_rows, two_votes)
    n_classes = 2 if name == OTHER else 6
    found = pipelines_of(make_recipe(name, "full"))
    assert found
    for path, pipe in found.items():
        print(name, path, flush=True)
        X = net_input(pipe, two_rows)
        loss, proba = train_on_two(pipe, X, two_votes)
        assert np.isfinite(loss), path
        assert proba.shape == (2, n_classes), path
        np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5, err_msg=path)
        # The larger nets hold gigabytes.
        del X, proba
        gc.collect()
