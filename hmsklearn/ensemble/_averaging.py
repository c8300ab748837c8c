"""AveragingKLClassifier: members that learn from votes, averaged by given weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from hmsklearn._compat import routing_enabled, safe_indexing
from hmsklearn._groups import check_groups, patients_of
from hmsklearn._params import check_choice
from hmsklearn._predicting import PredictsVotes
from hmsklearn.ensemble._average import (
    AVERAGES,
    average_probabilities,
    check_member_weights,
)
from hmsklearn.ensemble._composition import MemberComposition
from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._member_fits import each_probabilities, fit_on_all_rows
from hmsklearn.ensemble._members import (
    check_fitted_members,
    check_members,
    member_fit_params,
)
from hmsklearn.ensemble._plan import MemberPlan, Rows
from hmsklearn.metrics import check_weight
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["AveragingKLClassifier"]


class AveragingKLClassifier(PredictsVotes, ClassifierMixin, MemberComposition):
    """Average of classifiers that learn from votes, with weights that are given.

    Every member is fitted on all rows; the probabilities of all, or their logarithms,
    are averaged. This is :class:`sklearn.ensemble.VotingClassifier` with
    ``voting="soft"`` for votes, which that one would take for labels.

    Parameters
    ----------
    estimators : list of (str, estimator)
        The members: classifiers with ``predict_proba``, usually pipelines, also other
        averages and stacks. Their parameters are reached as ``name__parameter``; a
        member is left out by setting it to ``"drop"``. One that is fitted already is
        wrapped in :class:`sklearn.frozen.FrozenEstimator` and used as it is.
    weights : None, sequence of float or dict of str to float, default=None
        Weights of the members: equal ones, one for each in the order of `estimators`
        (dropped ones included), or by name. Those of dropped members fall away.
    average : {"probability", "log"}, default="probability"
        Whether probabilities are averaged, or their logarithms, which is what
        averaging logits does. Weights of probabilities are divided by their sum. The
        sum of weights of logarithms is one over a temperature, and it is kept: below
        one it makes the average less sure, above one surer.
    n_jobs : int, default=None
        Number of members that are fitted at a time, as in joblib. The result does not
        depend on it.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`. Members
        with the same labels in another order are put into this one.
    verbose : int, default=0
        Above zero, print a line for every member: the seconds that it took.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members that are not dropped.
    named_estimators_ : Bunch
        The fitted members by name; ``"drop"`` for dropped ones.
    weights_ : ndarray of shape (n_members,)
        Weights in the order of `estimators_`, as they are applied.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    n_features_in_ : int
        What the first member saw; only where it tells.

    See Also
    --------
    StackingKLClassifier : Finds the weights, out of fold.
    KLBlender : Finds the weights for probabilities that exist already.
    TestTimeAugmenter : Averages what one classifier says of changed windows.

    Notes
    -----
    `X` and `y` go to the members untouched, and nothing of either is kept, so a dump
    holds no training data. Predictions go member by member: beside `X`, one table of
    shape (n, n_classes) and the sum exist at a time. Members without weight are fitted
    but not asked. Probabilities are clipped at 1e-15 before their logarithm is taken;
    everything is float64 from there on.

    No row is held out, so there is no estimate of the divergence among the attributes:
    ``cross_val_score(average, X, y, groups=g, cv=GroupKFold(5), scoring=kl_scorer)``.

    Groups reach a member's ``fit`` only if it asks, as in
    :class:`StackingKLClassifier`: by metadata request where routing is switched on
    (without `groups`, the column ``patient_id`` of a DataFrame `X`), as
    ``fit(..., mel__net__groups=g)`` where it is off. Weights of the rows go to all
    members, save frozen ones; a member that takes none is an error.

    References
    ----------
    Fixed weights of HMS solutions: the 2nd place averaged six models' probabilities by
    .1, .1, .2, .2, .2, .2 (Kaggle discussion 492254), the 7th raw signals, short-time
    Fourier and multitaper spectrograms by .2, .65, .15 (492281).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    >>> average = AveragingKLClassifier(
    ...     [("linear", LogisticRegression()), ("bayes", GaussianNB())],
    ...     weights={"linear": 3, "bayes": 1}, classes="infer",
    ... ).fit(X, y)
    >>> average.weights_.tolist()
    [0.75, 0.25]
    >>> average.predict_proba(X[:2]).shape
    (2, 2)
    """

    # Members may ask for the groups wherever metadata is routed.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        *,
        weights: Any = None,
        average: str = "probability",
        n_jobs: int | None = None,
        classes: str | Sequence[Any] | None = "hms",
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.weights = weights
        self.average = average
        self.n_jobs = n_jobs
        self.classes = classes
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> AveragingKLClassifier:
        """Fit every member on all rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        groups : array-like of shape (n,), optional
            Group of each row, usually the patient, for members that ask for it.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        **fit_params : dict
            Without metadata routing: ``name__parameter=value`` for the ``fit`` of
            the member of that name. With routing: metadata that the members request.

        Returns
        -------
        self : AveragingKLClassifier
            The fitted average.

        Raises
        ------
        ValueError
            If the members' names, `y` or the weights are not usable, or if the
            members' classes are not those of the average.
        TypeError
            If a member gives no probabilities or takes no weights, or if a
            parameter belongs to no member that is fitted.
        NotFittedError
            If a frozen member is not fitted.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        members = check_members(self.estimators, set(self.get_params(deep=False)), name)
        check_choice(self.average, "average", AVERAGES, caller=name)
        names = [member for member, _ in self.estimators]
        kept = [member for member, _ in members]
        weights = check_member_weights(self.weights, names, kept, self.average, name)
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        groups = check_groups(
            patients_of(X) if groups is None else groups, n_rows, caller=name
        )
        frozen = [each for each in members if isinstance(each[1], FrozenEstimator)]
        check_fitted_members(frozen, classes, name, because="FrozenEstimator")
        params = self._route(members, groups, weight, fit_params)
        plan = MemberPlan(
            members=members,
            classes=classes,
            n_jobs=self.n_jobs,
            folder=None,
            caller=name,
            say=self._say,
        )
        rows = Rows(X, y, groups, Target(votes, weight), params)
        fitted = fit_on_all_rows(plan, rows)
        # What is wrong with an answer is told now, not after all rows are read again.
        first = safe_indexing(X, [0])
        for _ in each_probabilities(fitted, kept, first, classes, name):
            pass
        self.estimators_ = fitted
        by_name = dict(zip(kept, fitted, strict=True))
        self.named_estimators_ = Bunch(
            **{member: by_name.get(member, "drop") for member in names}
        )
        self.weights_ = weights
        self.classes_ = classes
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Average the probabilities of the fitted members.

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
        name = type(self).__name__
        count_rows(X, caller=name)
        kept = [
            member
            for member, estimator in self.named_estimators_.items()
            if not isinstance(estimator, str)
        ]
        used = np.flatnonzero(self.weights_).tolist()
        tables = each_probabilities(
            [self.estimators_[at] for at in used],
            [kept[at] for at in used],
            X,
            self.classes_,
            name,
        )
        weighted = zip(self.weights_[used].tolist(), tables, strict=True)
        return average_probabilities(weighted, self.average)

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata ``fit`` takes and passes on.

        Returns
        -------
        MetadataRouter
            The average as a consumer of `groups` and `sample_weight`, and as a router
            to the ``fit`` of members that are not frozen.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        for member, estimator in self.estimators:
            if not isinstance(estimator, (str, FrozenEstimator)):
                router.add(**{member: estimator}, method_mapping=to_fit)
        return router

    def _route(
        self,
        members: list[tuple[str, Any]],
        groups: np.ndarray | None,
        weight: np.ndarray | None,
        fit_params: dict[str, Any],
    ) -> dict[str, dict[str, Any]]:
        """Decide what reaches each member's ``fit``."""
        name = type(self).__name__
        to_fit = [each for each in members if not isinstance(each[1], FrozenEstimator)]
        params: dict[str, dict[str, Any]] = {member: {} for member, _ in members}
        if routing_enabled():
            metadata = {"groups": groups, "sample_weight": weight, **fit_params}
            given = {key: value for key, value in metadata.items() if value is not None}
            routed = process_routing(self, "fit", **given)
            return params | {key: dict(routed[key]["fit"]) for key, _ in to_fit}
        frozen = params.keys() - {member for member, _ in to_fit}
        for key in fit_params:
            if key.partition("__")[0] in frozen:
                raise TypeError(
                    f"{name}.fit got {key!r}, and that member is frozen: its fit does "
                    "nothing. Leave the argument out."
                )
        dropped = {member for member, _ in self.estimators} - params.keys()
        return params | member_fit_params(to_fit, weight, fit_params, dropped, name)
