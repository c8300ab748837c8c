"""TestTimeAugmenter: one classifier that looks at every window in several ways."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from hmsklearn._compat import safe_indexing
from hmsklearn._params import check_choice
from hmsklearn._predicting import PredictsVotes
from hmsklearn._wrapping import FeaturesOfEstimator, RoutesToEstimator
from hmsklearn.ensemble._average import AVERAGES, average_probabilities
from hmsklearn.ensemble._blender import KLBlender
from hmsklearn.ensemble._tta_plan import Plan, Ready, find_places
from hmsklearn.ensemble._tta_registry import (
    TEST_TIME_SCHEMES,
    Entry,
    parse_entries,
)
from hmsklearn.ensemble._tta_weights import (
    check_transform_weights,
    fit_transform_weights,
    unseen_proba,
)
from hmsklearn.metrics import EPSILON, check_weight
from hmsklearn.model_selection._folds import check_can_predict_proba
from hmsklearn.model_selection._splits import count_rows, resolve_splits
from hmsklearn.votes import check_votes

__all__ = ["TestTimeAugmenter"]


class TestTimeAugmenter(
    PredictsVotes,
    FeaturesOfEstimator,
    RoutesToEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Average a classifier's predictions over changed versions of every window.

    The classifier is fitted on the data as they are. At prediction it sees each
    window several times, for instance as it is and mirrored, and the probabilities
    are averaged with weights.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, often a pipeline. One that is fitted
        already is wrapped in :class:`sklearn.frozen.FrozenEstimator`: it is used as it
        is, and ``fit`` only checks, or finds the weights.
    transforms : list or str, default=("identity", "left_right_mirror")
        What is done to the windows, or the name of a published combination with its
        weights (:data:`TEST_TIME_SCHEMES`). Each entry is a name out of
        :data:`TEST_TIME_TRANSFORMS` (``"mirror"`` and ``"time_flip"`` are short for
        two of them), a tuple of a name and a dict of parameters (or of a name and the
        number that matters: ``("shift", 2.0)``, ``("segment", 0)``), an augmentation
        that is one of these, a function of the windows, or a list of these, applied in
        turn.
    weights : None, "fit" or array-like of shape (n_transforms,), default=None
        Weight of each transform; they are divided by their sum. None are equal
        weights, or those of the combination. ``"fit"`` finds those with the smallest
        KL divergence, out of fold.
    average : {"probability", "log"}, default="probability"
        Whether probabilities are averaged, or their logarithms, which is what
        averaging logits does.
    step : str, default=None
        Name of the step of a pipeline in front of which the windows are changed; what
        stands before it runs once. ``"union__view"`` and ``"union__view__step"`` are
        places inside one view of a union, whose other views stay as they are. None
        changes `X` itself. A transform may have a ``"step"`` of its own among its
        parameters.
    montage : str, Montage, Flip, sequence or dict by view, default=None
        What the channels are where the windows are changed, for mirrors, as in
        :class:`hmsklearn.augmentation.LeftRightMirror`.
    ch_names : sequence of str or dict by view, default=None
        The same by the names of electrodes, derivations (``"Fp1-F7"``) or chains
        (``"LL"``). Without both, the steps in front of `step` are asked.
    sfreq : float or dict of str to float, default=200.0
        Samples (of images, columns) a second, for shifts.
    cv : None, int, splitter or iterable of (train, test), default=None
        Folds for ``weights="fit"``, see
        :func:`hmsklearn.model_selection.oof_predict_proba`.

    Attributes
    ----------
    estimator_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    transform_names_ : list of str
        Names of the transforms, each another.
    weights_ : ndarray of shape (n_transforms,)
        Weights of the transforms; they sum to one. What has none is not computed.
    transform_kl_ : dict of str to float
        Divergence of the unseen rows under each transform alone; only with
        ``weights="fit"``.
    kl_ : float
        Divergence of the average, cross-fitted: the rows of each fold are averaged
        with weights of the other folds; only with ``weights="fit"``.
    kl_in_sample_ : float
        Divergence of the average on the rows that the weights were found on; only
        with ``weights="fit"``.
    n_features_in_ : int
        What the classifier saw; only where it tells.

    Raises
    ------
    ValueError
        In ``fit``: for an unknown transform, step or channel, for weights that are
        none, and for windows that a transform does not suit.

    See Also
    --------
    StackingKLClassifier : Averages different classifiers.
    hmsklearn.augmentation : Random changes in training.

    Notes
    -----
    `X` goes to the classifier as it is, and where the windows are changed it is
    ``(n_windows, n_channels, n_times)`` signals, ``(n_windows, n_planes, height,
    width)`` images with the time on the width, films with one axis more, or
    :class:`~hmsklearn.views.WindowViews`, whose views are all changed alike unless a
    transform names some in ``views``. Rows of ``train.csv`` have no time axis: name
    the step behind the reader in `step`. NaN moves with its sample.

    Shifts and segments take real samples: ``("shift", 2.0)`` gives the longest part of
    the window whose middle is 2 s later, so that a crop behind it
    (:class:`hmsklearn.preprocessing.CentreCrop`) cuts 2 s later. Where a classifier
    insists on the length of its training windows, as neural ones do, and crops them
    itself, ``{"ends": "edge"}`` keeps the length; what is filled in at one end must
    then be cropped away.

    One changed copy of the windows exists at a time, none for cut shifts and segments
    and for ``"identity"``. Probabilities are clipped at 1e-15 before their logarithm is
    taken. Everything is float64 from there on.

    ``groups`` keep patients whole in the folds of ``weights="fit"`` and reach the
    classifier's ``fit`` where it takes them; a pipeline's step gets them as
    ``fit(..., net__groups=g)``, or by metadata request where routing is on. The same
    goes for `sample_weight`, which also weighs the rows in the search for weights.

    References
    ----------
    HMS, discussion 480775 (test-time augmentation). Mirror: 2nd place (492254), 5th
    (492652), 15th, which turns front to back too. Time reversed: 4th (492240). Five
    parts of 10 s weighted .05, .2, .5, .2, .05, averaged as logits: 5th (492652). The
    10 s view moved by 2 s either way: 6th (492619). Three flips: 7th (492281).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.ensemble import TestTimeAugmenter
    >>> from hmsklearn.testing import ChannelPowerClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(40, 2, 100))
    >>> y = np.arange(40) % 2
    >>> X[y == 1, 0] *= 2.0
    >>> clf = ChannelPowerClassifier(classes="infer")
    >>> both = TestTimeAugmenter(clf, ["identity", "mirror"], ch_names=["T3", "T4"])
    >>> both.fit(X, y).weights_.tolist(), both.transform_names_
    ([0.5, 0.5], ['identity', 'left_right_mirror'])
    >>> mirrored = X[:, [1, 0]]
    >>> proba = both.predict_proba(X[:3])
    >>> bool(np.allclose(proba, both.predict_proba(mirrored[:3])))
    True
    """

    # What pytest would take for a class of tests, by its name.
    __test__ = False

    # The inner splits ask for the groups wherever metadata is routed.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimator: Any,
        transforms: Any = ("identity", "left_right_mirror"),
        *,
        weights: Any = None,
        average: str = "probability",
        step: str | None = None,
        montage: Any = None,
        ch_names: Any = None,
        sfreq: Any = 200.0,
        cv: Any = None,
    ) -> None:
        self.estimator = estimator
        self.transforms = transforms
        self.weights = weights
        self.average = average
        self.step = step
        self.montage = montage
        self.ch_names = ch_names
        self.sfreq = sfreq
        self.cv = cv

    def fit(
        self,
        X: Any,
        y: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> TestTimeAugmenter:
        """Fit the classifier on the data as they are, and find the weights.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, as the classifier takes them. A frozen one with
            given weights needs none.
        groups : array-like of shape (n,), optional
            Group of each row, usually the patient, kept whole by the folds of
            ``weights="fit"``.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        **fit_params : dict
            Further arguments of the classifier's ``fit``.

        Returns
        -------
        self : TestTimeAugmenter
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter is unusable, or a transform does not suit the windows.
        TypeError
            If the classifier gives no probabilities or takes no weights.
        """
        name = type(self).__name__
        check_can_predict_proba(self.estimator, f"{name}: estimator")
        check_choice(self.average, "average", AVERAGES, caller=name)
        entries, weights = self._entries(name)
        places = find_places(entries, self.step, self.estimator, name)
        montage = self.ch_names if self.montage is None else self.montage
        plan = Plan(name, entries, places, montage, self.sfreq)
        n_rows = count_rows(X, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        params = self._route(groups, weight, fit_params)
        for stale in ("transform_kl_", "kl_", "kl_in_sample_"):
            # Only some fits set these; an earlier one's must not stay.
            self.__dict__.pop(stale, None)

        first = safe_indexing(X, [0]) if n_rows else None
        # None where something in front of a place must learn before it can be asked.
        ready = plan.make_ready(self.estimator, first)
        if weights is None:
            weights = self._find_weights(X, y, groups, weight, params, plan, ready)
        fitted = clone(self.estimator).fit(X, y, **params)
        ready = ready or plan.make_ready_behind(fitted, first)
        ready.try_each(fitted, first)
        self._ready = ready
        self.transform_names_ = list(ready.labels)
        self.weights_ = weights
        self.classes_ = np.asarray(fitted.classes_)
        self.estimator_ = fitted
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Average the probabilities under all transforms.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Probabilities, columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        used = set(np.flatnonzero(self.weights_).tolist())
        weighted = (
            (self.weights_[number], proba)
            for number, proba in self._ready.each(self.estimator_, X, used)
        )
        return average_probabilities(weighted, self.average)

    def predict_proba_by_transform(self, X: Any) -> np.ndarray:
        """Predict under each transform alone.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n, n_transforms, n_classes)
            Probabilities in the order of ``transform_names_``: what
            :class:`KLBlender` takes, with a transform for a model.
        """
        check_is_fitted(self)
        return self._ready.stack(self.estimator_, X)

    def _entries(self, name: str) -> tuple[list[Entry], np.ndarray | None]:
        """Return what to do, and the weights unless they are to be found."""
        if self.montage is not None and self.ch_names is not None:
            raise ValueError(
                f"{name}: montage and ch_names both say what the channels are. Give "
                "one of them."
            )
        given, default = self.transforms, None
        if isinstance(given, str):
            if given not in TEST_TIME_SCHEMES:
                raise ValueError(
                    f"{name}: transforms={given!r} is no published combination. Known "
                    f"are {list(TEST_TIME_SCHEMES)}; a single transform is given as a "
                    "list."
                )
            given, default = TEST_TIME_SCHEMES[given]
        entries = parse_entries(given, name)
        weights = check_transform_weights(self.weights, default, len(entries), name)
        return entries, weights

    def _route(
        self, groups: Any, weight: np.ndarray | None, fit_params: dict[str, Any]
    ) -> dict[str, Any]:
        """Decide what reaches the classifier's ``fit``."""
        if isinstance(self.estimator, FrozenEstimator):
            return {}
        return super()._route(groups, weight, fit_params)

    def _fit_key(self, parameter: str) -> str | None:
        # Steps of a pipeline get nothing unless they are named.
        return parameter if has_fit_parameter(self.estimator, parameter) else None

    def _find_weights(
        self,
        X: Any,
        y: Any,
        groups: Any,
        weight: np.ndarray | None,
        params: dict[str, Any],
        plan: Plan,
        ready: Ready | None,
    ) -> np.ndarray:
        """Find the weights with the smallest divergence on unseen rows."""
        name = type(self).__name__
        if y is None:
            raise ValueError(
                f"{name}: weights='fit' requires y to be passed, but the target y is "
                "None. Give the votes that the weights are to suit, or the weights."
            )

        def predict(fitted: Any, rows: Any) -> tuple[np.ndarray, np.ndarray]:
            own = ready or plan.make_ready_behind(fitted, safe_indexing(rows, [0]))
            return own.stack(fitted, rows), np.asarray(fitted.classes_)

        splits = resolve_splits(self.cv, X, y, groups, caller=name)
        proba, classes = unseen_proba(
            self.estimator, X, y, splits, params, predict, name
        )
        votes = check_votes(
            y, classes=classes.tolist(), n_windows=len(proba), caller=name
        )
        pool = KLBlender(
            "log" if self.average == "log" else "linear",
            temperature=False,
            nonnegative=True,
            clip=EPSILON,
            classes=classes.tolist(),
        )
        found = fit_transform_weights(pool, proba, votes, weight, splits)
        labels = [entry.label for entry in plan.entries]
        self.transform_kl_ = dict(zip(labels, found.transform_kl, strict=True))
        self.kl_, self.kl_in_sample_ = found.kl, found.kl_in_sample
        return found.weights

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        try:
            inner = get_tags(self.estimator)
        except (AttributeError, TypeError, ValueError):
            # No estimator of scikit-learn: fit says what is wrong.
            return tags
        tags.input_tags = inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        if inner.classifier_tags is not None:
            tags.classifier_tags = inner.classifier_tags
        tags.target_tags = inner.target_tags
        tags.target_tags.required = True
        return tags
