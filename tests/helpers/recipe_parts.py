"""Taking recipes apart: their pipelines, what their nets see, one step of training."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from hmsklearn.neural import BaseNeuralClassifier
from hmsklearn.votes import CLASSES


def pipelines_of(estimator):
    """Pipelines from rows to a net, by their path in the recipe.

    Pipelines that differ in seeds alone are listed once.
    """
    found = {}
    seen = set()
    parts = {"": estimator, **estimator.get_params(deep=True)}
    for path, part in parts.items():
        if not isinstance(part, Pipeline):
            continue
        if not isinstance(part.steps[-1][1], BaseNeuralClassifier):
            continue
        same = clone(part)
        net = same.steps[-1][1]
        seeds = [key for key in net.get_params() if key.endswith("random_state")]
        net.set_params(**dict.fromkeys(seeds))  # those of branches too
        text = _text(same)
        if text not in seen:
            seen.add(text)
            found[path] = part
    return found


def _text(estimator):
    params = estimator.get_params(deep=True)
    return str({key: _told(value) for key, value in sorted(params.items())})


def _told(value):
    """Like repr, but for estimators, whose own parameters are told beside them."""
    if isinstance(value, BaseEstimator):
        return type(value).__name__
    if isinstance(value, (list, tuple)):
        return [_told(each) for each in value]
    return repr(value)


def net_input(pipe, rows):
    """What the classifier at the end of a pipeline is given for these rows."""
    return clone(Pipeline(pipe.steps[:-1])).fit_transform(rows)


def frontend_output(pipe, X):
    """Shape of one window behind the frontend, a dict of them for several views."""
    clf = pipe.steps[-1][1]
    if hasattr(clf, "branches"):
        views = clf.views or {}
        return {
            name: _behind(branch, _view(X, views.get(name, name)))
            for name, branch in clf.branches
        }
    return _behind(clf, X)


def _view(X, name):
    return X if isinstance(X, np.ndarray) else X[name]


def _behind(clf, X):
    if clf.frontend is None:
        return X.shape[1:]
    return clone(clf.frontend).fit_transform(X).shape[1:]


def meta_body(pipe, X):
    """The net at its size on torch's meta device: shapes without numbers."""
    clf = clone(pipe.steps[-1][1]).set_params(amp="auto", device="cpu")
    if getattr(clf, "pretrain", False):  # which changes weights and no shape
        clf.set_params(pretrain=False)
    X = clf._check_X(X)
    classes = np.arange(len(CLASSES))
    data = SimpleNamespace(classes=classes, given={"y": None}, parts={})
    net = clf._new_net(X, data, "cpu")
    with torch.device("meta"):
        body = net.factory(**net.factory_params)
        if clf.head:
            body.reset_head(len(CLASSES), **clf.head)
    return body


def n_params(module):
    """Number of weights of a net."""
    return sum(parameter.numel() for parameter in module.parameters())


def train_on_two(pipe, X, y, *, eeg_id=(0, 1)):
    """Forward and backward pass of the net on two windows: one step of training.

    Stages and sampling need more windows than two; the net, its frontend, its
    augmentations and its loss are the recipe's.
    """
    clf = copy.deepcopy(clone(pipe.steps[-1][1]))
    clf.set_params(
        stages=None,
        sampling=None,
        vote_weight=None,
        max_epochs=1,
        batch_size=2,
        accumulate=1,
        early_stopping=False,
        evaluations_per_epoch=1,
        schedule="constant",
        warmup=0.0,
        ema=None,
        amp="auto",
        device="cpu",
    )
    if getattr(clf, "pretrain", False):
        clf.set_params(pretrain=False)
    clf.fit(X, y, eeg_id=np.asarray(eeg_id))
    loss = clf.history_["train_loss"].iloc[-1]
    proba = clf.predict_proba(X)
    return loss, proba
