"""Stacking under the KL divergence, with votes as targets and patients kept whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.utils import Bunch, check_random_state
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from hmsklearn._compat import routing_enabled
from hmsklearn._groups import check_groups, patients_of
from hmsklearn._params import check_integer
from hmsklearn._predicting import PredictsVotes
from hmsklearn.ensemble._blend import Blend, check_takes_features, taught_by_votes
from hmsklearn.ensemble._blender import KLBlender
from hmsklearn.ensemble._composition import MemberComposition
from hmsklearn.ensemble._cross_fit import Target
from hmsklearn.ensemble._fold_store import record_folder
from hmsklearn.ensemble._gain import answers_of_folds, estimate_gain
from hmsklearn.ensemble._given_oof import check_given_folds, check_given_oof
from hmsklearn.ensemble._learn import (
    Learned,
    blend_rows,
    check_weight_of_folds,
    learn,
)
from hmsklearn.ensemble._member_fits import member_probabilities
from hmsklearn.ensemble._members import (
    check_fitted_members,
    check_members,
    params_without_routing,
)
from hmsklearn.ensemble._nested_gain import nested_answers
from hmsklearn.ensemble._plan import Plan, Rows
from hmsklearn.ensemble._prediction_features import check_prediction_features
from hmsklearn.ensemble._table_of_folds import table_of_folds
from hmsklearn.ensemble._upsample import check_upsample
from hmsklearn.metrics import check_weight
from hmsklearn.model_selection._folds import check_can_predict_proba
from hmsklearn.model_selection._splits import (
    count_rows,
    fold_numbers,
    resolve_splits,
)
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["StackingKLClassifier"]


class StackingKLClassifier(PredictsVotes, ClassifierMixin, MemberComposition):
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
        None stands for ``KLBlender(classes=classes)``. A classifier that does not say
        (in its tags) that it takes three axes, as those of scikit-learn and XGBoost,
        is put into a :class:`SoftLabelClassifier`.
    cv : None, int, splitter, iterable of (train, test) or "prefit", default=None
        None stands for ``GroupKFold(5)`` where ``fit`` gets groups and ``KFold(5)``
        where not, a number for that many folds of the same kind. With ``"prefit"``
        the members are fitted already, and ``fit(..., oof=...)`` gets what they
        predicted out of fold.
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
    passthrough : bool, list of str, callable or transformer, default=False
        Features of the rows for the final estimator. True takes the columns of a
        table, or those of a DataFrame that are numbers and neither votes nor
        identifiers; a list names columns, or views of several; a callable makes a
        table of the rows; a transformer is fitted on the rows that the blend is fitted
        on, in each fold anew. Columns that tell the votes are refused.
    prediction_features : list of str, default=None
        Features of the members' predictions for the final estimator: ``"mean"``,
        ``"max"``, ``"min"``, ``"std"``, ``"delta"`` (largest less smallest) and
        ``"count"`` (members whose favourite it is), each one number a class;
        ``"entropy"`` of the mean, and ``"disagreement"``, the mean divergence of the
        members from their mean.
    upsample : None, "balanced" or dict of label to float, default=None
        Factors by which votes for some classes count more in the fit of the blend: a
        row weighs ``sum_k fraction_k * factor_k`` times as much. "balanced" gives all
        classes the same sum. Divergences stay unweighted.
    nested_cv : None, int, splitter or iterable of (train, test), default=None
        Outer folds for `nested_gain_`. A whole stack is fitted in each, so it costs
        (outer folds) x (members) x (inner folds + 1) more fits.
    n_bootstrap : int, default=1000
        Draws for the intervals of `gain_`; none with zero.
    memory : None, str, path or joblib.Memory, default=None
        Folder that keeps each finished fit of a member, so that a run that was
        killed goes on where it was; see the notes.
    store_oof : bool, default=False
        Whether to keep the out-of-fold probabilities and the fold numbers.
    random_state : int, RandomState or None, default=None
        For the draws of the intervals of `gain_`. Members have their own.
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
        `member_kl_`; only where the blender has one weight a member.
    meta_features_ : list of str
        Names of what the blender gets beside the probabilities, in order.
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
    gain_ : Bunch
        What the blend gains, cross-fitted: divergences ``kl``, ``kl_best_member``
        (chosen for each fold on the others) and ``kl_mean`` (the plain mean);
        ``over_best_member`` and ``over_mean``, positive where the stack is better,
        and ``over_best_member_interval``, ``over_mean_interval``, central 95 % of a
        bootstrap over groups; ``folds``, a dict of the same by fold.
    nested_gain_ : Bunch
        The same from whole stacks that were fitted without the rows that they are
        scored on; only with `nested_cv`.
    cv_results_ : dict of str to ndarray
        One entry a fold: ``n_rows``, ``kl`` of the stack (cross-fitted), and for
        each member ``kl_<name>``, ``seconds_<name>`` (not with ``cv="prefit"``) and,
        where the blender has one weight a member, ``weight_<name>``. Made for
        ``pandas.DataFrame(stack.cv_results_)``. A divergence is NaN where all rows of
        the fold have weight zero.
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
    SoftLabelClassifier : Any classifier, taught by votes.

    Notes
    -----
    `X` goes to the members as it is, cut by row: an array, a DataFrame of rows, a
    list or :class:`~hmsklearn.views.WindowViews`. `y` goes to them untouched too.
    Nothing of either is kept, so a dump holds no training data.

    ``kl_`` compares blends honestly, but the members of the other folds have seen
    the rows that it scores. An estimate without that last leak needs nesting: set
    `nested_cv`, or call ``cross_val_score(stack, X, y, groups=g, params={"groups": g},
    cv=GroupKFold(5), scoring=kl_scorer)``; with metadata routing switched on,
    ``params={"groups": g}`` alone is right for both.

    Groups always decide the inner splits. They reach a member's ``fit`` only if it
    asks: by metadata request where routing is switched on, as
    ``fit(..., mel__net__groups=g)`` where it is off. They reach the blender's ``fit``
    where it takes groups (with routing: requests them). Weights of the rows enter the
    members, the blend and all divergences; a member that takes none is an error.

    With `memory`, what a fit depends on is its name on disk: class, parameters and
    code or version of the member, versions of the packages below it, `X` and `y`,
    the fold's rows, and what ``fit`` is given beside them. Rows of a DataFrame count
    with their values and ``attrs``, not with the recordings that they point to. Where
    any of it changes, the fit is done again; a finished one is read, bit for bit what
    it was. A file that is damaged is fitted again, with a warning. Members without a
    fixed `random_state` are read as they were drawn first. The files are pickles and
    are never deleted; on a cluster the folder must be one that all workers see.

    `n_jobs` goes through joblib, so ``with joblib.parallel_config(backend="dask")``
    sends the fits to a Dask cluster (``pip install "hmsklearn[dask]"``).

    References
    ----------
    Wolpert, "Stacked generalization", Neural Networks 5 (1992). All top solutions
    of HMS blend models of raw signals and of spectrograms in this way. Rare classes
    are up-sampled in the blend of the 4th place (Kaggle discussion 492240); features
    of the predictions are those of the 5th (492652).

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
        passthrough: Any = False,
        prediction_features: Sequence[str] | None = None,
        upsample: Any = None,
        nested_cv: Any = None,
        n_bootstrap: int = 1000,
        memory: Any = None,
        store_oof: bool = False,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.estimators = estimators
        self.final_estimator = final_estimator
        self.cv = cv
        self.n_jobs = n_jobs
        self.refit = refit
        self.classes = classes
        self.passthrough = passthrough
        self.prediction_features = prediction_features
        self.upsample = upsample
        self.nested_cv = nested_cv
        self.n_bootstrap = n_bootstrap
        self.memory = memory
        self.store_oof = store_oof
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
        oof: Any = None,
        folds: Any = None,
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
        oof : array-like, DataFrame or dict, optional
            Only with ``cv="prefit"``: out-of-fold predictions of the members for
            these rows. An array of shape (n, n_members, n_classes) in the stack's
            order of members and classes; a dict of tables by member, each with the
            columns of that member's ``predict_proba`` or with names of classes; or a
            DataFrame with columns ``member/class``. Rows go by position, also those
            of a DataFrame; one that has the labels of `X` in another order is refused.
        folds : array-like of shape (n,), optional
            Only with ``cv="prefit"``: the fold that held each row out, for the
            cross-fitted `kl_`. Without it, five folds by group.
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
            If the members' names, `y`, the weights, the splits or given predictions
            are not usable, or if the members' classes are not those of the stack.
        TypeError
            If a member gives no probabilities or takes no weights, or if a
            parameter belongs to no member.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        members = check_members(self.estimators, set(self.get_params(deep=False)), name)
        if self.final_estimator is not None:
            check_can_predict_proba(self.final_estimator, f"{name}: final_estimator")
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        groups = check_groups(
            patients_of(X) if groups is None else groups, n_rows, caller=name
        )
        plan = self._plan(members, classes)
        params = self._route(plan, groups, weight, fit_params)
        rows = Rows(X, y, groups, Target(votes, weight), params)
        random_state = check_random_state(self.random_state)

        outer = None
        if self.nested_cv is not None:
            where = f"{name}: nested_cv"
            outer = resolve_splits(self.nested_cv, X, y, groups, caller=where)
            check_weight_of_folds(rows.target, outer, where)
        if plan.blend.takes_rows:
            # What is wrong with the features is told before the members are fitted.
            plan.blend.take(X, rows.target)
        for stale in ("oof_", "folds_", "weights_", "nested_gain_"):
            # Only some fits set these; an earlier one's must not stay.
            self.__dict__.pop(stale, None)
        if self._is_prefit:
            learned = self._blend_given(plan, rows, oof, folds)
        else:
            if oof is not None or folds is not None:
                raise ValueError(
                    f"{name}: oof and folds go with cv='prefit'. Without it the "
                    "members make both; given folds are cv=PredefinedSplit(folds)."
                )
            splits = resolve_splits(self.cv, X, y, groups, caller=name)
            self._say(f"{len(members)} members, {len(splits)} folds, {n_rows} rows")
            learned = learn(plan, rows, splits)
        self._keep(learned, rows.target, classes)
        self.gain_ = estimate_gain(
            answers_of_folds(
                learned.crossed.proba,
                learned.oof,
                learned.names,
                rows.target,
                learned.splits,
            ),
            rows.target,
            groups,
            [test for _, test in learned.splits],
            n_bootstrap=self.n_bootstrap,
            random_state=random_state,
        )
        self._say(self._summary())
        if outer is not None:
            self.nested_gain_ = self._nested_gain(plan, rows, outer, random_state)
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
        count_rows(X, caller=name)
        proba = member_probabilities(
            self.estimators_, list(self.member_kl_), X, self.classes_, name
        )
        return self._blend.predict_proba(proba, X)

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
            if not isinstance(estimator, str) and not self._is_prefit:
                router.add(**{member: estimator}, method_mapping=to_fit)
        return router.add(final_estimator=self._blender(), method_mapping=to_fit)

    @property
    def _is_prefit(self) -> bool:
        return isinstance(self.cv, str) and self.cv == "prefit"

    def _blender(self) -> Any:
        if self.final_estimator is None:
            return KLBlender(classes=self.classes)
        return taught_by_votes(clone(self.final_estimator), self.classes)

    def _plan(self, members: list[tuple[str, Any]], classes: np.ndarray) -> Plan:
        """Check the parameters and put them together."""
        name = type(self).__name__
        check_integer(self.n_bootstrap, "n_bootstrap", caller=name, low=0)
        check_upsample(self.upsample, classes, name)
        features = check_prediction_features(self.prediction_features, name)
        blend = Blend(
            self._blender(),
            classes=classes,
            passthrough=self.passthrough,
            features=tuple(features),
            upsample=self.upsample,
            caller=name,
        )
        # Now, not after hours of fitting members.
        check = getattr(blend.final_estimator, "_check_parameters", None)
        if check is not None:
            check()
        if blend.takes_rows or features:
            check_takes_features(blend.final_estimator, name)
        if self.upsample is not None and not has_fit_parameter(
            blend.final_estimator, "sample_weight"
        ):
            raise TypeError(
                f"{name}: upsample weighs the rows, and fit of the final estimator "
                f"{type(blend.final_estimator).__name__} takes no sample_weight."
            )
        if self._is_prefit:
            check_fitted_members(members, classes, name)
            if self.nested_cv is not None:
                raise ValueError(
                    f"{name}: nested_cv fits the members anew, and cv='prefit' says "
                    "that they are fitted. Leave out one of the two."
                )
        return Plan(
            members=members,
            classes=classes,
            blend=blend,
            n_jobs=self.n_jobs,
            refit=self.refit,
            folder=record_folder(self.memory, name),
            caller=name,
            say=self._say,
        )

    def _route(
        self,
        plan: Plan,
        groups: np.ndarray | None,
        weight: np.ndarray | None,
        fit_params: dict[str, Any],
    ) -> dict[str, dict[str, Any]]:
        """Decide what reaches each member's ``fit``, and the blender's."""
        members = [] if self._is_prefit else plan.members
        if routing_enabled():
            metadata = {"groups": groups, "sample_weight": weight, **fit_params}
            given = {key: value for key, value in metadata.items() if value is not None}
            routed = process_routing(self, "fit", **given)
            keys = [member for member, _ in members] + ["final_estimator"]
            return {key: dict(routed[key]["fit"]) for key in keys}
        kept = {member for member, _ in plan.members}
        return params_without_routing(
            members,
            plan.blend.final_estimator,
            groups,
            weight,
            fit_params,
            {member for member, _ in self.estimators} - kept,
            plan.caller,
        )

    def _blend_given(self, plan: Plan, rows: Rows, oof: Any, folds: Any) -> Learned:
        """Blend members that are fitted, by predictions that are there."""
        name = plan.caller
        n_rows = count_rows(rows.X, caller=name)
        index = getattr(rows.X, "index", None)
        given = check_given_oof(oof, plan.members, plan.classes, n_rows, name, index)
        if folds is None and rows.groups is None:
            raise ValueError(
                f"{name}: cv='prefit' needs folds=, the fold that held each row out, "
                "or groups=, the patient of each row: without them the blend cannot "
                "be scored on rows that it has not seen."
            )
        cv = None if folds is None else check_given_folds(folds, n_rows, name)
        splits = resolve_splits(cv, rows.X, rows.y, rows.groups, caller=name)
        check_weight_of_folds(rows.target, splits, name)
        blend, in_sample, crossed = blend_rows(plan, rows, given, splits)
        names = [member for member, _ in plan.members]
        estimators = [estimator for _, estimator in plan.members]
        return Learned(names, splits, [], given, blend, in_sample, crossed, estimators)

    def _keep(self, learned: Learned, target: Target, classes: np.ndarray) -> None:
        """Set the fitted attributes."""
        self._blend = learned.blend
        self.final_estimator_ = learned.blend.final_estimator
        self.meta_features_ = learned.blend.feature_names()
        self.classes_ = classes
        self.member_kl_ = {
            member: target.kl(learned.oof[:, number])
            for number, member in enumerate(learned.names)
        }
        self.kl_ = target.kl(learned.crossed.proba)
        self.kl_in_sample_ = target.kl(learned.in_sample)
        self.cv_results_ = table_of_folds(learned, target)
        weights = np.asarray(getattr(self.final_estimator_, "weights_", None))
        if weights.shape == (len(learned.names),):
            self.weights_ = weights
        self.estimators_ = learned.estimators
        fitted = dict(zip(learned.names, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(
            **{member: fitted.get(member, "drop") for member, _ in self.estimators}
        )
        if self.store_oof:
            self.oof_ = learned.oof
            self.folds_ = fold_numbers(learned.splits)

    def _nested_gain(
        self,
        plan: Plan,
        rows: Rows,
        outer: list[tuple[np.ndarray, np.ndarray]],
        random_state: np.random.RandomState,
    ) -> Bunch:
        """Fit whole stacks on parts of the rows, and score them on the others."""

        def say(number: int) -> Any:
            label = f"nested {number + 1}/{len(outer)}"
            return lambda text: self._say(f"{label}: {text}")

        plans = [replace(plan, say=say(number)) for number in range(len(outer))]
        gain = estimate_gain(
            nested_answers(plans, rows, outer, self.cv),
            rows.target,
            rows.groups,
            [test for _, test in outer],
            n_bootstrap=self.n_bootstrap,
            random_state=random_state,
        )
        self._say(
            f"nested: KL {gain.kl:.4f}, best member {gain.kl_best_member:.4f}, plain "
            f"mean {gain.kl_mean:.4f}"
        )
        return gain

    def _summary(self) -> str:
        text = (
            f"stack: KL {self.kl_:.4f} cross-fitted, {self.kl_in_sample_:.4f} in sample"
        )
        if hasattr(self, "weights_"):
            pairs = zip(self.member_kl_, self.weights_, strict=True)
            text += "; weights " + ", ".join(f"{key} {w:.3f}" for key, w in pairs)
        return text
