"""Stacking under the KL divergence, with votes as targets and patients kept whole."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from hmsklearn._compat import routing_enabled, slice_fit_params
from hmsklearn.ensemble._blender import KLBlender
from hmsklearn.ensemble._composition import MemberComposition
from hmsklearn.ensemble._cross_fit import CrossFit, Target, cross_fit
from hmsklearn.ensemble._fold_average import FoldAverage
from hmsklearn.ensemble._members import (
    check_members,
    columns_in_order,
    split_fit_params,
    weighted_fit_params,
)
from hmsklearn.metrics import check_weight, kl_divergence
from hmsklearn.model_selection._folds import (
    Fold,
    check_can_predict_proba,
    check_estimator_proba,
    in_row_order,
    run_folds,
)
from hmsklearn.model_selection._splits import (
    count_rows,
    fold_numbers,
    resolve_splits,
)
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["StackingKLClassifier"]

_Splits = list[tuple[np.ndarray, np.ndarray]]


class StackingKLClassifier(ClassifierMixin, MemberComposition):
    """Stack of classifiers that learn from votes, blended to the smallest KL.

    Every member predicts every row out of fold, with the same folds; a blender finds
    the weights of the members on those predictions; the members are fitted once more
    on all rows. No group (patient) is on both sides of any split.

    Parameters
    ----------
    estimators : list of (str, estimator)
        The members: classifiers with ``predict_proba``, usually pipelines. Their
        parameters are reached as ``name__parameter``; a member is left out by
        setting it to ``"drop"``. Members may start with different readers of the
        same rows.
    final_estimator : estimator, default=None
        The blender, fitted on probabilities of shape (n, n_members, n_classes);
        None stands for ``KLBlender(classes=classes)``.
    cv : None, int, splitter or iterable of (train, test), default=None
        None stands for ``GroupKFold(5)`` where ``fit`` gets groups and ``KFold(5)``
        where not, a number for that many folds of the same kind.
    n_jobs : int, default=None
        Number of folds (and of refitted members) at a time, as in joblib. The result
        does not depend on it.
    refit : bool, default=True
        True fits every member once more on all rows, for predictions. False keeps
        the members' fold models and averages their probabilities: no further fit,
        but as many models as folds to store and to predict with.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`. Members
        with the same labels in another order are put into this one.
    store_oof : bool, default=False
        Whether to keep the out-of-fold probabilities and the fold numbers.
    verbose : int, default=0
        Above zero, print a line for every member and fold: KL divergence, seconds.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members that are not dropped.
    named_estimators_ : Bunch
        The fitted members by name; ``"drop"`` for dropped ones.
    final_estimator_ : estimator
        The blender, fitted on all out-of-fold predictions.
    weights_ : ndarray of shape (n_members,)
        The blender's weights, in the order of `estimators_` and of the keys of
        `member_kl_`; only where the blender has weights.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    member_kl_ : dict of str to float
        Out-of-fold divergence of every member.
    kl_ : float
        Divergence of the stack, cross-fitted: each fold's rows are blended with
        weights found on the other folds' rows.
    kl_in_sample_ : float
        Divergence of the stack with the final weights on the rows that they were
        found on. Lower than `kl_`, and not an estimate of anything to come.
    cv_results_ : dict of str to ndarray
        One entry a fold: ``n_rows``, ``kl`` of the stack (cross-fitted), and for
        each member ``kl_<name>``, ``seconds_<name>`` and, where the blender has
        weights, ``weight_<name>``. Made for ``pandas.DataFrame(stack.cv_results_)``. A
        divergence is NaN where all rows of the fold have weight zero.
    oof_ : ndarray of shape (n, n_members, n_classes)
        Out-of-fold probabilities of the members; only with `store_oof`.
    folds_ : ndarray of shape (n,)
        Number of the fold that held each row out; only with `store_oof`.
    n_features_in_ : int
        What the first member saw; only where it tells.

    See Also
    --------
    hmsklearn.model_selection.oof_predict_proba : The out-of-fold part alone.
    KLBlender : The blend alone, for probabilities that exist already.

    Notes
    -----
    `X` goes to the members as it is, cut by row: an array, a DataFrame of rows, a
    list or :class:`~hmsklearn.views.WindowViews`. `y` goes to them untouched too.
    Nothing of either is kept, so a dump holds no training data.

    ``kl_`` compares blends honestly, but the members of the other folds have seen
    the rows that it scores. An estimate without that last leak needs nesting:
    ``cross_val_score(stack, X, y, groups=g, params={"groups": g},
    cv=GroupKFold(5), scoring=kl_scorer)``; with metadata routing switched on,
    ``params={"groups": g}`` alone is right for both.

    Groups always decide the inner splits. They reach a member's ``fit`` only if it
    asks: by metadata request where routing is switched on, as
    ``fit(..., mel__net__groups=g)`` where it is off. Weights of the rows enter the
    members, the blend and all divergences; a member that takes none is an error.

    References
    ----------
    Wolpert, "Stacked generalization", Neural Networks 5 (1992). All top solutions
    of HMS blend models of raw signals and of spectrograms in this way.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.naive_bayes import GaussianNB
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(60, 3))
    >>> y = (X[:, 0] + rng.normal(size=60) > 0).astype(int)
    >>> patient = np.arange(60) // 4
    >>> stack = StackingKLClassifier(
    ...     [("linear", LogisticRegression()), ("bayes", GaussianNB())],
    ...     cv=3, classes="infer",
    ... ).fit(X, y, groups=patient)
    >>> list(stack.member_kl_), float(stack.weights_.sum().round(6))
    (['linear', 'bayes'], 1.0)
    >>> stack.predict_proba(X[:2]).shape
    (2, 2)
    """

    # The inner splits ask for the groups wherever metadata is routed, as the group
    # splitters of scikit-learn do.
    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimators: list[tuple[str, Any]],
        *,
        final_estimator: Any = None,
        cv: Any = None,
        n_jobs: int | None = None,
        refit: bool = True,
        classes: str | Sequence[Any] | None = "hms",
        store_oof: bool = False,
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.n_jobs = n_jobs
        self.refit = refit
        self.classes = classes
        self.store_oof = store_oof
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
        **fit_params: Any,
    ) -> StackingKLClassifier:
        """Fit the members out of fold, blend them, fit them on all rows.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, see :func:`hmsklearn.votes.check_votes`.
        groups : array-like of shape (n,), optional
            Group of each row, usually the patient, kept whole by all splits.
            Without them, the column ``patient_id`` of a DataFrame `X` that has one.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.
        **fit_params : dict
            Without metadata routing: ``name__parameter=value`` for the ``fit`` of
            the member of that name, cut by row where it has one entry a row. With
            routing: metadata that the members or the blender request.

        Returns
        -------
        self : StackingKLClassifier
            The fitted stack.

        Raises
        ------
        ValueError
            If the members' names, `y`, the weights or the splits are not usable, or
            if the members' classes are not those of the stack.
        TypeError
            If a member gives no probabilities or takes no weights, or if a
            parameter belongs to no member.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        members = check_members(self.estimators, set(self.get_params(deep=False)), name)
        blender = self._blender()
        check_can_predict_proba(blender, f"{name}: final_estimator")
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        target = Target(votes, weight)
        params = self._route(members, blender, groups, weight, fit_params)
        splits = resolve_splits(self.cv, X, y, groups, caller=name)

        for stale in ("oof_", "folds_", "weights_"):
            # Only some fits set these; an earlier one's must not stay.
            self.__dict__.pop(stale, None)
        self._say(f"{len(members)} members, {len(splits)} folds, {n_rows} rows")
        oof = np.empty((n_rows, len(members), classes.size))
        runs = []
        for number, (member, estimator) in enumerate(members):
            folds = self._run_member(
                member, estimator, X, y, splits, params[member], target, classes
            )
            oof[:, number] = in_row_order(folds, splits)
            self._say(f"{member}: out of fold KL {target.kl(oof[:, number]):.4f}")
            runs.append(folds)

        blender_params = params["final_estimator"]
        crossed = cross_fit(blender, oof, target, splits, blender_params)
        self.final_estimator_ = blender.fit(oof, target.table, **blender_params)
        self.classes_ = classes
        self.member_kl_ = {
            member: target.kl(oof[:, number])
            for number, (member, _) in enumerate(members)
        }
        self.kl_ = target.kl(crossed.proba)
        self.kl_in_sample_ = target.kl(self.final_estimator_.predict_proba(oof))
        self.cv_results_ = _table_of_folds(
            list(self.member_kl_), runs, oof, target, splits, crossed
        )
        if hasattr(self.final_estimator_, "weights_"):
            self.weights_ = np.asarray(self.final_estimator_.weights_)
        self._say(self._summary())

        if self.refit:
            self.estimators_ = self._fit_on_all_rows(members, X, y, params)
        else:
            self.estimators_ = [
                FoldAverage([fold.estimator for fold in folds]) for folds in runs
            ]
        fitted = dict(zip(self.member_kl_, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(
            **{member: fitted.get(member, "drop") for member, _ in self.estimators}
        )
        if self.store_oof:
            self.oof_ = oof
            self.folds_ = fold_numbers(splits)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Blend the probabilities of the fitted members.

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
        n_rows = count_rows(X, caller=name)
        members = [
            self._member_proba(member, estimator, X, n_rows)
            for member, estimator in zip(self.member_kl_, self.estimators_, strict=True)
        ]
        return self.final_estimator_.predict_proba(np.stack(members, axis=1))

    def predict(self, X: Any) -> np.ndarray:
        """Name the most probable class.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows, as in ``fit``.

        Returns
        -------
        ndarray of shape (n,)
            Labels out of ``classes_``.
        """
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Negative KL divergence; greater is better.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows.

        Returns
        -------
        float
            The negative divergence in nat.
        """
        proba = self.predict_proba(X)
        return -float(
            kl_divergence(y, proba, sample_weight=sample_weight, classes=self.classes_)
        )

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata ``fit`` takes and passes on.

        Returns
        -------
        MetadataRouter
            The stack as a consumer of `groups` and `sample_weight`, and as a router
            to the members' and the blender's ``fit``.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        for member, estimator in self.estimators:
            if not isinstance(estimator, str):
                router.add(**{member: estimator}, method_mapping=to_fit)
        return router.add(final_estimator=self._blender(), method_mapping=to_fit)

    def _blender(self) -> Any:
        if self.final_estimator is None:
            return KLBlender(classes=self.classes)
        return clone(self.final_estimator)

    def _route(
        self,
        members: list[tuple[str, Any]],
        blender: Any,
        groups: Any,
        weight: np.ndarray | None,
        fit_params: dict[str, Any],
    ) -> dict[str, dict[str, Any]]:
        """Decide what reaches each member's ``fit``, and the blender's."""
        name = type(self).__name__
        if routing_enabled():
            metadata = {"groups": groups, "sample_weight": weight, **fit_params}
            given = {key: value for key, value in metadata.items() if value is not None}
            routed = process_routing(self, "fit", **given)
            keys = [member for member, _ in members] + ["final_estimator"]
            return {key: dict(routed[key]["fit"]) for key in keys}
        names = [member for member, _ in members]
        dropped = {member for member, _ in self.estimators} - set(names)
        params = split_fit_params(fit_params, names, dropped, name)
        params = {
            member: weighted_fit_params(
                estimator, params[member], weight, f"{name}: member {member!r}"
            )
            for member, estimator in members
        }
        params["final_estimator"] = weighted_fit_params(
            blender, {}, weight, f"{name}: final_estimator"
        )
        return params

    def _run_member(
        self,
        member: str,
        estimator: Any,
        X: Any,
        y: Any,
        splits: _Splits,
        fit_params: dict[str, Any],
        target: Target,
        classes: np.ndarray,
    ) -> list[Fold]:
        """Run one member over the folds; its columns come back in stack order."""
        caller = f"{type(self).__name__}: member {member!r}"

        def report(number: int, fold: Fold) -> None:
            test = splits[number][1]
            proba = columns_in_order(fold.proba, fold.classes, classes, caller)
            self._say(
                f"{member}: fold {number + 1}/{len(splits)}, {test.size} rows held "
                f"out, KL {target.kl(proba, test):.4f}, {fold.seconds:.1f} s"
            )

        folds = run_folds(
            estimator,
            X,
            y,
            splits,
            fit_params=fit_params,
            n_jobs=self.n_jobs,
            keep_estimators=not self.refit,
            report=report,
            caller=caller,
        )
        return [
            fold._replace(
                proba=columns_in_order(fold.proba, fold.classes, classes, caller)
            )
            for fold in folds
        ]

    def _fit_on_all_rows(
        self,
        members: list[tuple[str, Any]],
        X: Any,
        y: Any,
        params: dict[str, dict[str, Any]],
    ) -> list[Any]:
        running = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_fit)(clone(estimator), X, y, params[member])
            for member, estimator in members
        )
        fitted = []
        for (member, _), (estimator, seconds) in zip(members, running, strict=True):
            self._say(f"{member}: fitted on all rows, {seconds:.1f} s")
            fitted.append(estimator)
        return fitted

    def _member_proba(
        self, member: str, estimator: Any, X: Any, n_rows: int
    ) -> np.ndarray:
        caller = f"{type(self).__name__}: member {member!r}"
        proba, found = check_estimator_proba(
            estimator, estimator.predict_proba(X), n_rows, caller
        )
        return columns_in_order(proba, found, self.classes_, caller)

    def _summary(self) -> str:
        text = (
            f"stack: KL {self.kl_:.4f} cross-fitted, {self.kl_in_sample_:.4f} in sample"
        )
        if hasattr(self.final_estimator_, "weights_"):
            pairs = zip(self.member_kl_, self.weights_, strict=True)
            text += "; weights " + ", ".join(f"{key} {w:.3f}" for key, w in pairs)
        return text

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"[{type(self).__name__}] {text}", flush=True)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "estimators_")


def _fit(
    estimator: Any, X: Any, y: Any, fit_params: dict[str, Any]
) -> tuple[Any, float]:
    start = time.perf_counter()
    estimator.fit(X, y, **slice_fit_params(X, params=fit_params))
    return estimator, time.perf_counter() - start


def _table_of_folds(
    names: list[str],
    runs: list[list[Fold]],
    oof: np.ndarray,
    target: Target,
    splits: _Splits,
    crossed: CrossFit,
) -> dict[str, np.ndarray]:
    """Make ``cv_results_``: one entry a fold."""
    tests = [test for _, test in splits]
    table = {
        "n_rows": np.array([test.size for test in tests]),
        "kl": np.array([target.kl(crossed.proba[test], test) for test in tests]),
    }
    for number, (name, folds) in enumerate(zip(names, runs, strict=True)):
        kl = [target.kl(oof[test, number], test) for test in tests]
        table[f"kl_{name}"] = np.array(kl)
        table[f"seconds_{name}"] = np.array([fold.seconds for fold in folds])
        if all(hasattr(blender, "weights_") for blender in crossed.blenders):
            table[f"weight_{name}"] = np.array(
                [blender.weights_[number] for blender in crossed.blenders]
            )
    return table
