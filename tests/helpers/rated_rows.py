"""Rows that many or few experts have rated, and classifiers that tell what they saw.

In a file of its own, found through sys.path, so that joblib's workers can import it.
"""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin

from hmsklearn.votes import check_votes, resolve_classes


def two_populations(
    random_state=0,
    *,
    n_many=120,
    n_few=600,
    n_test=1000,
    n_features=20,
    bias=1.0,
):
    """Many good votes on few rows, few votes of raters who over-call on many.

    Ten of the 125 patients have rows of both kinds. Returns features, votes and
    patients to train on, then features and true distributions to test on.
    """
    rng = np.random.default_rng(random_state)
    n = n_many + n_few + n_test
    X = rng.normal(size=(n, n_features))
    score = X @ rng.normal(scale=0.5, size=(n_features, 6))
    truth = softmax(score, axis=1)
    called = softmax(0.7 * score + bias * np.eye(6)[0], axis=1)
    few = (np.arange(n) >= n_many) & (np.arange(n) < n_many + n_few)
    y = np.array(
        [
            rng.multinomial(3, called[row]) if few[row] else rng.multinomial(14, p)
            for row, p in enumerate(truth)
        ]
    )
    patient = np.where(few, 15 + rng.integers(110, size=n), rng.integers(25, size=n))
    train, test = slice(0, n_many + n_few), slice(n_many + n_few, None)
    return X[train], y[train], patient[train], X[test], truth[test]


class Recorder(ClassifierMixin, BaseEstimator):
    """Writes down what every fit and every question is about; predicts class means.

    The first column of X numbers the rows. `log` is kept by clones and filled in this
    process.
    """

    def __init__(self, log=None, who="student", classes="hms"):
        self.log = log
        self.who = who
        self.classes = classes

    def __sklearn_clone__(self):
        return Recorder(self.log, self.who, self.classes)

    def fit(self, X, y, sample_weight=None, groups=None):
        rows = np.asarray(X)[:, 0].astype(int)
        table = np.asarray(y, dtype=float)
        entry = {"who": self.who, "rows": rows, "y": table, "groups": groups}
        self.entry_ = {**entry, "weight": sample_weight, "asked": None}
        self.log.append(self.entry_)
        share = check_votes(y, classes=self.classes).fractions
        weight = np.ones(len(rows)) if sample_weight is None else sample_weight
        self.mean_ = np.average(share, axis=0, weights=weight)
        self.classes_ = resolve_classes(self.classes, table)
        return self

    def predict_proba(self, X):
        rows = np.asarray(X)[:, 0].astype(int)
        self.entry_["asked"] = rows
        return np.tile(self.mean_, (len(rows), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]
