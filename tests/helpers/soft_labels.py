"""Small classifiers that learn from votes, for tests of what is built around them.

In a file of its own, found through sys.path, so that joblib's workers can import it.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin

from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes


class SoftLogistic(ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression on vote fractions."""

    guard = True

    def __init__(self, C=1.0, classes="hms", columns=None):
        self.C = C
        self.classes = classes
        self.columns = columns

    def _design(self, X):
        X = np.asarray(X, dtype=float)
        X = X if self.columns is None else X[:, self.columns]
        return np.column_stack([X, np.ones(len(X))])

    def fit(self, X, y, sample_weight=None):
        if self.guard:
            refuse_encoded_votes(type(self).__name__, classes=self.classes)
        votes = check_votes(
            y, classes=self.classes, n_windows=len(X), caller=type(self).__name__
        )
        self.classes_ = resolve_classes(self.classes, y)
        design, target = self._design(X), votes.fractions
        weight = np.ones(len(design)) if sample_weight is None else sample_weight
        weight = np.asarray(weight, dtype=float) / np.sum(weight)
        shape = (design.shape[1], self.classes_.size)

        def loss(flat):
            coef = flat.reshape(shape)
            score = design @ coef
            value = -(weight[:, None] * target * log_softmax(score, axis=1)).sum()
            slope = design.T @ (weight[:, None] * (softmax(score, axis=1) - target))
            ridge = 0.5 / (self.C * len(design))
            return value + ridge * flat @ flat, slope.ravel() + 2 * ridge * flat

        self.coef_ = minimize(
            loss, np.zeros(np.prod(shape)), jac=True, method="L-BFGS-B"
        ).x.reshape(shape)
        self.n_features_in_ = np.shape(X)[1]
        return self

    def predict_proba(self, X):
        return softmax(self._design(X) @ self.coef_, axis=1)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class SoftForestlike(SoftLogistic):
    """The same with random features: a learner that depends on its random state."""

    def __init__(self, C=1.0, classes="hms", columns=None, random_state=None):
        super().__init__(C=C, classes=classes, columns=columns)
        self.random_state = random_state

    def _design(self, X):
        X = np.asarray(X, dtype=float)
        rng = np.random.default_rng(self.random_state)
        return np.tanh(X @ rng.normal(size=(X.shape[1], 8)))


class Spy(ClassifierMixin, BaseEstimator):
    """Remembers what ``fit`` was given; predicts the class means. No guard."""

    def __init__(self, classes="hms"):
        self.classes = classes

    def fit(self, X, y, groups=None, sample_weight=None):
        self.seen_X_, self.seen_y_ = X, y
        self.seen_groups_, self.seen_weight_ = groups, sample_weight
        table = np.asarray(y, dtype=float)
        table = table.reshape(table.shape[:2])
        share = table / np.maximum(table.sum(axis=1, keepdims=True), 1e-9)
        mean = share.mean(axis=0) + 1e-6
        self.mean_ = mean / mean.sum()
        self.classes_ = resolve_classes(self.classes, np.asarray(y))
        return self

    def predict_proba(self, X):
        self.asked_X_ = X
        return np.tile(self.mean_, (len(X), 1))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Broken(Spy):
    """Predicts what is no probability."""

    def __init__(self, classes="hms", how="nan"):
        super().__init__(classes=classes)
        self.how = how

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        if self.how == "nan":
            proba[1] = np.nan
        elif self.how == "logits":
            proba[1] *= 3
        elif self.how == "negative":
            proba[1, :2] = [-0.5, proba[1, 0] + proba[1, 1] + 0.5]
        elif self.how == "width":
            proba = proba[:, 1:]
        elif self.how == "rows":
            proba = proba[1:]
        elif self.how == "nameless":
            del self.classes_
        return proba


class Attrs(TransformerMixin, BaseEstimator):
    """Turns rows into features found through ``DataFrame.attrs``."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.attrs["root"][X["window"].to_numpy()]

    def __sklearn_is_fitted__(self):
        return True


def make_votes(n_rows=120, n_patients=12, n_features=4, random_state=0):
    """Features, vote counts and patients with a signal to be found."""
    rng = np.random.default_rng(random_state)
    patient = np.sort(rng.integers(n_patients, size=n_rows))
    patient[:n_patients] = np.arange(n_patients)
    offset = rng.normal(scale=0.5, size=(n_patients, n_features))
    X = rng.normal(size=(n_rows, n_features)) + offset[patient]
    score = X @ rng.normal(scale=1.5, size=(n_features, 6))
    truth = softmax(score + rng.normal(scale=0.3, size=score.shape), axis=1)
    total = rng.integers(3, 20, size=n_rows)
    y = np.array([rng.multinomial(t, p) for t, p in zip(total, truth, strict=True)])
    return X, y, np.array([f"p{number}" for number in patient])
