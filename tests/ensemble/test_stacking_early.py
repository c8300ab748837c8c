"""What is wrong with a stack is told before any member is fitted."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from soft_labels import Spy, make_votes

from hmsklearn.ensemble import KLBlender, SoftLabelClassifier, StackingKLClassifier

X, Y, PATIENT = make_votes(n_rows=60, n_patients=8)


class Unfittable(Spy):
    def fit(self, X, y):
        raise AssertionError("a member was fitted")


class Unweighted(KLBlender):
    def fit(self, X, y):
        return super().fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"upsample": {"seizure": 2.0}}, r"upsample names 'seizure', which is none of"),
        ({"upsample": {"Seizure": 0.0}}, r"upsample\['Seizure'\] must be a finite num"),
        ({"upsample": "even"}, r"upsample must be None, 'balanced' or a dict"),
        (
            {"upsample": "balanced", "final_estimator": Unweighted()},
            "no sample_w",
        ),
        ({"prediction_features": ["x"]}, "prediction_features must be different names"),
        ({"passthrough": True}, "KLBlender blends probabilities"),
        (
            {"passthrough": ["a"], "final_estimator": LogisticRegression()},
            "names co",
        ),
        ({"final_estimator": KNeighborsClassifier()}, "takes no sample_weight"),
        (
            {"final_estimator": SoftLabelClassifier(LogisticRegression(), repeats=0)},
            "repeats must be an integer",
        ),
        ({"final_estimator": KLBlender(tol=-1)}, "tol must be"),
        ({"n_bootstrap": -1}, "n_bootstrap must be an integer at least 0"),
        ({"memory": 3}, "memory must be a folder or a joblib.Memory, got 3"),
        ({"nested_cv": 20}, "nested_cv: 20 folds need at least 20 groups"),
        ({"nested_cv": "loo"}, "nested_cv: cv='loo' is neither a number of folds"),
    ],
)
def test_before_any_member_is_fitted(params, message):
    stack = StackingKLClassifier([("a", Unfittable())], cv=3, **params)
    with pytest.raises((ValueError, TypeError), match=message):
        stack.fit(X, Y, groups=PATIENT)


def test_a_members_error_comes_through():
    with pytest.raises(AssertionError, match="a member was fitted"):
        StackingKLClassifier([("a", Unfittable())], cv=3).fit(X, np.array(Y))
