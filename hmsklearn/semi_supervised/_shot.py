"""A classifier that moves a fitted net towards windows that nobody has labelled."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from hmsklearn._compat import routing_enabled
from hmsklearn._fit_key import fit_key
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.neural import BaseNeuralClassifier
from hmsklearn.semi_supervised._adapt import AdaptationSettings, adapt_net
from hmsklearn.semi_supervised._predictions import PredictionsOfEstimator
from hmsklearn.votes import CLASSES

__all__ = ["HMS_CLASS_PRIOR", "SHOTClassifier"]

#: Mean vote fractions of the EEGs that at least 10 experts have rated, one window an
#: EEG, in the order of :data:`hmsklearn.votes.CLASSES`: what the competition's test
#: windows are like.
HMS_CLASS_PRIOR: tuple[float, ...] = (0.050, 0.184, 0.123, 0.077, 0.090, 0.476)


class SHOTClassifier(PredictionsOfEstimator, BaseEstimator):
    """Adapt a neural classifier to unlabelled windows of another source.

    Another hospital's amplifiers, electrodes or filters change what a net sees, and not
    what the classes are. Source hypothesis transfer keeps the head, which knows the
    classes, as it is, and trains the rest of the net until the new windows fall into
    them: sure about each, spread over all, and next to others of their kind.

    Parameters
    ----------
    estimator : estimator
        A neural classifier of :mod:`hmsklearn.neural`, or a pipeline that ends in one.
        It may be fitted: ``adapt`` then needs no ``fit``, and
        ``sklearn.frozen.FrozenEstimator(estimator)`` keeps ``fit`` from training anew.
    beta : float, default=0.3
        Weight of the loss of the pseudo-labels by centroids.
    entropy_weight : float, default=1.0
        Weight of the mean entropy of the predictions.
    entropy_floor : float, default=0.0
        Mean entropy, in nat, below which predictions are not made any surer.
    diversity_weight : float, default=1.0
        Weight of the divergence of the mean prediction from `class_prior`.
    class_prior : "hms", array-like of shape (n_classes,) or None, default=None
        How often classes occur among the windows to adapt to, as shares of the votes.
        None stands for equally often, as in the paper; ``"hms"`` for
        :data:`HMS_CLASS_PRIOR`.
    centroid_labels : {"soft", "hard"}, default="soft"
        What windows learn that are next to the same class centroid: the mean of their
        predictions, or the class.
    max_epochs : int, default=15
        Number of passes over the windows. Pseudo-labels are made anew for each.
    batch_size : int, default=64
        Number of windows in a batch. The mean prediction is taken of a batch.
    optimizer : str or torch optimizer class, default="sgd"
        The optimizer; ``"sgd"`` has Nesterov momentum 0.9.
    lr : float, default=1e-3
        Rate of the first step; it falls as ``(1 + 10 * progress) ** -0.75``.
    weight_decay : float, default=1e-3
        Weight decay.
    adapt_input_norm : bool, default=False
        Whether to normalise by mean and deviation of the new windows first.
    find_target : callable, default=None
        Function of `X` that gives the windows to adapt to, where ``fit`` gets no
        `X_target`: the test rows of the same folder, for instance.
    random_state : int, RandomState instance or None, default=None
        Seed of the order of the batches and of dropout.
    verbose : int, default=0
        Above zero, print a line for every epoch.

    Attributes
    ----------
    estimator_ : estimator
        The adapted estimator, which predicts; `source_` itself before ``adapt``.
    source_ : estimator
        The fitted estimator that it was made of, unchanged.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    history_ : DataFrame
        One row an epoch of the adaptation: ``epoch``, ``loss``, ``entropy`` of the
        predictions, ``divergence`` of their mean from the prior, ``pseudo_loss``, and
        ``moved``, the share of windows whose nearest centroid is another than in the
        epoch before. Empty before ``adapt``.
    n_features_in_ : int
        What the estimator saw; only where it tells.

    See Also
    --------
    PseudoLabelClassifier : Trains anew on labels of teachers.

    Notes
    -----
    Frozen are the parameters and batch-norm statistics of the head, as
    ``freeze="head"`` of the neural classifiers means it; those of the other batch norms
    follow the new windows. The adapted copy is trained in single precision on the
    device of the source and is, afterwards, an estimator like any other.

    The paper's loss is made for classes that exclude one another: it makes every
    prediction as sure as it can. Expert votes are not like that: among rows with at
    least 10 votes their entropy is .70 nat in the mean, and a surer prediction costs
    divergence. Soft pseudo-labels and `entropy_floor` (0.7 there) keep predictions as
    undecided as votes are; `class_prior` keeps "Other" from being dealt out evenly.
    Nothing in the loss looks at a label, so nothing tells whether it has helped:
    compare on labelled windows of the new source, a few dozen are enough, before it is
    trusted.

    Adapting to test windows uses them all at once. A submission that must predict
    windows one at a time cannot do it.

    References
    ----------
    J. Liang, D. Hu and J. Feng (2020), Do we really need to access the source data?
    Source hypothesis transfer for unsupervised domain adaptation, ICML. 5th place of
    SETI Breakthrough Listen, together with pseudo-labels.

    Examples
    --------
    >>> from hmsklearn.neural import WaveformClassifier
    >>> from hmsklearn.testing import make_check_data
    >>> data = make_check_data("windows", shape=(4, 64), n_windows=30)
    >>> small = {"width": 4, "kernels": (3,), "n_blocks": 1, "gru_hidden": 0}
    >>> net = WaveformClassifier(architecture_params=small, max_epochs=2,
    ...                          batch_size=8, random_state=0, device="cpu")
    >>> clf = SHOTClassifier(net, max_epochs=2, random_state=0)
    >>> clf = clf.fit(data.X, data.votes, X_target=3 * data.X)
    >>> clf.history_["epoch"].tolist(), clf.predict_proba(3 * data.X).shape
    ([1, 2], (30, 6))
    """

    # Whoever routes them means the net, or this.
    __metadata_request__fit = {"groups": True, "X_target": True}

    def __init__(
        self,
        estimator: Any,
        *,
        beta: float = 0.3,
        entropy_weight: float = 1.0,
        entropy_floor: float = 0.0,
        diversity_weight: float = 1.0,
        class_prior: str | Sequence[float] | None = None,
        centroid_labels: str = "soft",
        max_epochs: int = 15,
        batch_size: int = 64,
        optimizer: Any = "sgd",
        lr: float = 1e-3,
        weight_decay: float = 1e-3,
        adapt_input_norm: bool = False,
        find_target: Callable[[Any], Any] | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.beta = beta
        self.entropy_weight = entropy_weight
        self.entropy_floor = entropy_floor
        self.diversity_weight = diversity_weight
        self.class_prior = class_prior
        self.centroid_labels = centroid_labels
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.lr = lr
        self.weight_decay = weight_decay
        self.adapt_input_norm = adapt_input_norm
        self.find_target = find_target
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        X_target: Any = None,
        **fit_params: Any,
    ) -> SHOTClassifier:
        """Fit a clone of the estimator, and adapt it to other windows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            Labelled windows, as the estimator takes them.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the windows, for the estimator.
        groups : array-like of shape (n,), optional
            Patient of each window, for the estimator.
        X_target : array-like, DataFrame, list or WindowViews, optional
            Unlabelled windows to adapt to, by default those of `find_target`. Without
            either the estimator is as it was trained, until ``adapt`` is called.
        **fit_params : dict
            Further parameters of the estimator's ``fit``.

        Returns
        -------
        self : SHOTClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter or the windows are not usable.
        TypeError
            If the estimator does not end in a neural one, or takes no weights.
        """
        self._check_parameters()
        params = self._params(sample_weight, groups, fit_params)
        fitted = _thawed(clone(self.estimator).fit(X, y, **params))
        if isinstance(self.estimator, FrozenEstimator):
            # Its clone is itself, and the caller may go on to train it.
            fitted = copy.deepcopy(fitted)
        self._start_from(fitted)
        if X_target is None and self.find_target is not None:
            X_target = self.find_target(X)
        return self if X_target is None else self.adapt(X_target)

    def adapt(self, X_target: Any) -> SHOTClassifier:
        """Adapt the source estimator to unlabelled windows.

        Starts from the source each time: a second call does not build upon the first.
        Where `estimator` has been set to another fitted one, that is the source.

        Parameters
        ----------
        X_target : array-like, DataFrame, list or WindowViews
            The windows, as the estimator takes them.

        Returns
        -------
        self : SHOTClassifier
            The adapted classifier.

        Raises
        ------
        NotFittedError
            If neither its estimator is fitted nor ``fit`` was called since it was set.
        ValueError
            If a parameter or the windows are not usable.
        """
        name = type(self).__name__
        self._check_parameters()
        # Another estimator may have been set since the source was made.
        if getattr(self, "_source_of", None) is not self.estimator:
            inner = _thawed(self.estimator)
            if not hasattr(_last(inner), "net_"):
                raise NotFittedError(
                    f"{name}: there is nothing to adapt, since the estimator is not "
                    "fitted, and no source_ is made of it. Call fit first, or give a "
                    "fitted estimator."
                )
            # The caller may go on to train the one that was given.
            self._start_from(copy.deepcopy(inner))
        settings = self._settings()
        adapted = copy.deepcopy(self.source_)
        if isinstance(adapted, Pipeline):
            X_target = (
                adapted[:-1].transform(X_target) if len(adapted) > 1 else X_target
            )
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        history = adapt_net(
            _last(adapted), X_target, settings, seed=int(seed), report=self._say
        )
        self.estimator_, self.history_ = adapted, history
        return self

    def _start_from(self, fitted: Any) -> None:
        self.source_ = self.estimator_ = fitted
        self._source_of = self.estimator
        self.classes_ = np.asarray(fitted.classes_)
        self.history_ = pd.DataFrame()

    def _check_parameters(self) -> None:
        name = type(self).__name__
        inner = _thawed(self.estimator)
        if not isinstance(_last(inner), BaseNeuralClassifier):
            raise TypeError(
                f"{name}: estimator is a {type(inner).__name__} that does not end in a "
                "neural classifier of hmsklearn.neural. Give one of those."
            )
        for parameter in ("beta", "entropy_weight", "entropy_floor", "weight_decay"):
            check_real(getattr(self, parameter), parameter, caller=name, low=0)
        check_real(self.diversity_weight, "diversity_weight", caller=name, low=0)
        check_real(self.lr, "lr", caller=name, low=0, low_open=True)
        check_integer(self.max_epochs, "max_epochs", caller=name, low=1)
        check_integer(self.batch_size, "batch_size", caller=name, low=2)
        check_choice(
            self.centroid_labels, "centroid_labels", ("soft", "hard"), caller=name
        )
        if isinstance(self.class_prior, str):
            check_choice(self.class_prior, "class_prior", ("hms", None), caller=name)

    def _settings(self) -> AdaptationSettings:
        return AdaptationSettings(
            self.beta,
            self.entropy_weight,
            self.diversity_weight,
            self.entropy_floor,
            self._prior(),
            self.centroid_labels,
            self.max_epochs,
            self.batch_size,
            self.optimizer,
            self.lr,
            self.weight_decay,
            self.adapt_input_norm,
            type(self).__name__,
        )

    def _prior(self) -> np.ndarray | None:
        name = type(self).__name__
        if self.class_prior is None:
            return None
        if isinstance(self.class_prior, str):
            if self.classes_.tolist() != list(CLASSES):
                raise ValueError(
                    f"{name}: class_prior='hms' is for the classes {list(CLASSES)}, "
                    f"the estimator has {self.classes_.tolist()}. Give an array."
                )
            return np.asarray(HMS_CLASS_PRIOR)
        prior = np.asarray(self.class_prior, dtype=np.float64)
        if prior.shape != self.classes_.shape:
            raise ValueError(
                f"{name}: class_prior has shape {prior.shape}, expected "
                f"{self.classes_.shape}, one share for each class."
            )
        if not np.isfinite(prior).all() or (prior <= 0).any():
            raise ValueError(
                f"{name}: class_prior must be finite and above zero, got "
                f"{prior.tolist()}. A class that never occurs has a small share."
            )
        if abs(prior.sum() - 1) > 1e-3:
            raise ValueError(
                f"{name}: class_prior sums to {prior.sum():g}, expected one."
            )
        return prior / prior.sum()

    def _params(
        self, sample_weight: Any, groups: Any, fit_params: dict[str, Any]
    ) -> dict[str, Any]:
        """Decide what reaches the estimator's ``fit``."""
        metadata = {"sample_weight": sample_weight, "groups": groups}
        given = {key: value for key, value in metadata.items() if value is not None}
        if routing_enabled():
            routed = process_routing(self, "fit", **given, **fit_params)
            return dict(routed["estimator"]["fit"])
        params = dict(fit_params)
        for parameter, value in given.items():
            key = fit_key(_thawed(self.estimator), parameter)
            if key is None:
                raise TypeError(
                    f"{type(self).__name__}: fit of {type(self.estimator).__name__} "
                    f"takes no {parameter}. Leave it out."
                )
            params.setdefault(key, value)
        return params

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"[{type(self).__name__}] {text}", flush=True)

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata ``fit`` takes and passes on.

        Returns
        -------
        MetadataRouter
            The classifier as a consumer of `groups`, `sample_weight` and `X_target`,
            and as a router to the estimator's ``fit``.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(estimator=self.estimator, method_mapping=to_fit)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        try:
            tags.input_tags = get_tags(self.estimator).input_tags
        except (AttributeError, TypeError, ValueError):
            # Not a scikit-learn estimator: fit says what is wrong.
            return tags
        return tags


def _thawed(estimator: Any) -> Any:
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def _last(estimator: Any) -> Any:
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
