"""A classifier that lets teachers relabel what few experts have rated."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import check_random_state, get_tags
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from hmsklearn._compat import (
    BaseComposition,
    VisualBlock,
    safe_indexing,
    slice_fit_params,
)
from hmsklearn._fit_key import fit_key
from hmsklearn._params import check_integer
from hmsklearn.ensemble._members import check_members
from hmsklearn.metrics import check_weight
from hmsklearn.model_selection._folds import check_can_predict_proba
from hmsklearn.model_selection._splits import count_rows
from hmsklearn.semi_supervised._fit_params import (
    extend_params,
    route_params,
    with_weight,
)
from hmsklearn.semi_supervised._history import describe_round
from hmsklearn.semi_supervised._material import Material, prepare_material
from hmsklearn.semi_supervised._needs_labels import refuse_label_learners
from hmsklearn.semi_supervised._needs_votes import refuse_vote_parameters
from hmsklearn.semi_supervised._predictions import PredictionsOfEstimator
from hmsklearn.semi_supervised._student import LabelRules, Labels, make_labels
from hmsklearn.semi_supervised._teachers import (
    Lesson,
    fold_of_rows,
    refuse_frozen,
    teach,
)
from hmsklearn.votes import check_votes, refuse_encoded_votes, resolve_classes

__all__ = ["PseudoLabelClassifier"]

_Params = dict[str, dict[str, Any]]


class PseudoLabelClassifier(PredictionsOfEstimator, BaseComposition):
    """Train on well rated rows, and on what teachers say about the others.

    Teachers are fitted on the rows that many experts have rated. They label the rows
    that few have rated, and those that nobody has; where there is an old label, the
    new one is a mixture, ``old_weight * old + teacher_weight * mean(teachers)``. The
    student, a clone of `estimator`, is fitted on both kinds of rows.

    Parameters
    ----------
    estimator : estimator
        The student: a classifier with ``predict_proba`` that learns from vote
        fractions, usually a pipeline. One that takes labels only goes into a
        :class:`~hmsklearn.ensemble.SoftLabelClassifier`.
    teachers : estimator, list of (str, estimator) or None, default=None
        Who labels. None stands for a clone of `estimator`. A teacher is left out by
        setting it to ``"drop"``; parameters of named ones are reached as
        ``name__parameter``.
    min_votes : float or None, default=10
        Rows with at least so many votes are labelled: teachers learn from them, and
        their labels stay. None takes all rows of `X` for labelled.
    old_weight : float, default=0.1
        Weight of the old label of a row with fewer votes.
    teacher_weight : float, default=0.9
        Weight of the mean of the teachers. New labels are divided by their sum, so
        that only the relation of the two counts.
    labeled_copies : int, default=2
        How often the student gets each labelled row.
    pseudo_copies : int, default=1
        How often it gets each of the others.
    copies : {"rows", "weights"}, default="rows"
        ``"rows"`` repeats rows, which any estimator takes. ``"weights"`` hands the
        numbers over as `sample_weight` instead: an epoch is shorter, and `X` is not
        copied if no row is left out.
    pseudo_weight : float or callable, default=1.0
        Weight of a pseudo-labelled row beside a labelled one, or a function of the
        :class:`PseudoLabels` that gives one for each. Needs a student that takes
        `sample_weight`.
    pseudo_probability : float, default=1.0
        With this probability, drawn once an iteration, a rated row gets its new label;
        else it keeps the old one.
    filter : str, callable, sequence of them or None, default=None
        Which pseudo-labels are taken: names out of :data:`PSEUDO_LABEL_FILTERS` such as
        ``"not_other"``, or functions of the :class:`PseudoLabels`. A row must pass all.
    rejected : {"drop", "old"}, default="drop"
        What becomes of rated rows that do not pass: they are left out, or keep their
        old label. Unrated ones are left out.
    n_iter : int, default=1
        Number of rounds. From the second on, students are the teachers.
    teacher_cv : None, "all", int, splitter or iterable of (train, test), default=None
        How teachers are fitted. In folds by patient, a row is labelled by those that
        have not been trained on its patient. ``"all"`` fits each teacher once, on all
        labelled rows. None stands for ``GroupKFold(5)`` of the rows of `X`, and for
        ``"all"``, with a warning, where patients are not known.
    find_unlabeled : callable, default=None
        Function of `X` that gives the rows that nobody has rated, where ``fit`` gets no
        `X_unlabeled`: the test rows of the same folder, for instance.
    classes : "hms", "infer", None or sequence of labels, default="hms"
        Labels in column order, see :func:`hmsklearn.votes.resolve_classes`.
    store_teachers : bool, default=True
        Whether to keep the fitted teachers.
    random_state : int, RandomState instance or None, default=None
        Where it is drawn from which rows get their new label. Teachers and student
        have their own.
    n_jobs : int, default=None
        Number of folds of a teacher at a time, as in joblib. The result does not
        depend on it.
    verbose : int, default=0
        Above zero, print a line for every teacher, fold and round.

    Attributes
    ----------
    estimator_ : estimator
        The student of the last round, which predicts.
    classes_ : ndarray of shape (n_classes,)
        Class labels in column order.
    teachers_ : list of estimators
        The teachers of all rounds, those of the last one at the end; only with
        `store_teachers`.
    teacher_names_ : list of str
        Their rounds, names and folds, in the same order.
    teacher_groups_ : list of ndarray, or None
        The patients that each teacher was trained on; None where patients are not
        known.
    pseudo_groups_ : list of ndarray, or None
        The patients whose rows each teacher has labelled. With folds no patient is in
        both, which is what a leak audit can check.
    n_labeled_ : int
        Number of rows with enough votes.
    n_pseudo_ : int
        Number of rows that the last student learned a pseudo-label of.
    history_ : DataFrame
        One row a round: ``n_teachers``, ``n_labeled``, ``n_few`` (rated by few),
        ``n_unlabeled``, ``n_pseudo``; ``teacher_kl``, the divergence of the few votes
        from the teachers' mean, and ``agreement``, the share of those rows where the
        teachers' class has the most votes; ``labeled_kl``, the divergence of the
        labelled rows from teachers who have not seen the patient; ``shift``, the mean
        total variation between old and new labels; ``seconds``.
    n_features_in_ : int
        What the student saw; only where it tells.

    Warns
    -----
    UserWarning
        If there is nothing to label, or patients are not known.

    See Also
    --------
    SHOTClassifier : Moves a fitted net towards unlabelled windows.
    blend_pseudo_labels : The new labels alone.

    Notes
    -----
    `X` goes to all parts as it is, cut by row. Teachers learn from vote counts, where
    these are known; the student from fractions, since nobody knows how many votes a
    pseudo-label stands for. A neural student can therefore have no `vote_weight`; give
    `sample_weight` to ``fit``. Rows are labelled again in each round, also those that
    a filter has left out before.

    Copies of a row have the same patient: a student that stops early must get the
    groups (``fit(..., estimator__groups=patient)``), or it validates on copies of what
    it trains on.

    Everything happens inside the rows that ``fit`` gets, so a teacher never sees what
    a cross-validation holds out. From the second round on a teacher has learned from
    labels that other folds' teachers made; it has never seen the patient's own rows.

    ``pseudo_probability=p`` with the teachers' labels alone (``old_weight=0``) has, for
    the KL loss, the mean gradient of ``old_weight=1 - p, teacher_weight=p``.

    References
    ----------
    8th place of HMS (discussion 492482): three teachers on at least 10 votes, ``.1 *
    old + .3 * (m1 + m2 + m3)``, two copies of the well rated rows and one of the
    others; the defaults. 16th place: teachers on more than 7 votes, labels of the
    others taken over where "Other" is below .8 (``min_votes=8, old_weight=0,
    filter="not_other"``), a gain of about .001. 15th place: noisy-student labels with
    probability .15. 9th place: pseudo-labels in a third stage (492429). Q. Xie et al.
    (2020), Self-training with Noisy Student improves ImageNet classification.

    Examples
    --------
    >>> from hmsklearn.testing import ChannelPowerClassifier, make_check_data
    >>> data = make_check_data(n_windows=60)
    >>> clf = PseudoLabelClassifier(ChannelPowerClassifier(), teacher_cv=3)
    >>> clf.fit(data.X, data.votes, groups=data.groups).n_labeled_
    31
    >>> clf.history_[["n_teachers", "n_few", "n_pseudo"]].values.tolist()
    [[3, 29, 29]]
    >>> [set(seen) & set(labelled) for seen, labelled
    ...  in zip(clf.teacher_groups_, clf.pseudo_groups_)]
    [set(), set(), set()]
    >>> clf.predict_proba(data.X[:2]).shape
    (2, 6)
    """

    # The folds of the teachers ask for these, and whoever routes them means that.
    __metadata_request__fit = {
        "groups": True,
        "total_votes": True,
        "X_unlabeled": True,
        "groups_unlabeled": True,
    }

    def __init__(
        self,
        estimator: Any,
        *,
        teachers: Any = None,
        min_votes: float | None = 10,
        old_weight: float = 0.1,
        teacher_weight: float = 0.9,
        labeled_copies: int = 2,
        pseudo_copies: int = 1,
        copies: str = "rows",
        pseudo_weight: float | Callable[..., Any] = 1.0,
        pseudo_probability: float = 1.0,
        filter: Any = None,
        rejected: str = "drop",
        n_iter: int = 1,
        teacher_cv: Any = None,
        find_unlabeled: Callable[[Any], Any] | None = None,
        classes: str | Sequence[Any] | None = "hms",
        store_teachers: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.teachers = teachers
        self.min_votes = min_votes
        self.old_weight = old_weight
        self.teacher_weight = teacher_weight
        self.labeled_copies = labeled_copies
        self.pseudo_copies = pseudo_copies
        self.copies = copies
        self.pseudo_weight = pseudo_weight
        self.pseudo_probability = pseudo_probability
        self.filter = filter
        self.rejected = rejected
        self.n_iter = n_iter
        self.teacher_cv = teacher_cv
        self.find_unlabeled = find_unlabeled
        self.classes = classes
        self.store_teachers = store_teachers
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, with `deep` those of student and teachers as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``estimator__parameter``, named teachers and their
            ``name__parameter``.

        Returns
        -------
        dict
            Parameter names and values.
        """
        if isinstance(self.teachers, (list, tuple)):
            return self._get_params("teachers", deep=deep)
        return super().get_params(deep=deep)

    def set_params(self, **params: Any) -> PseudoLabelClassifier:
        """Set parameters of the classifier, of its student and its teachers.

        Parameters
        ----------
        **params : dict
            Arguments of the constructor, named teachers (an estimator or ``"drop"``),
            ``estimator__parameter`` or ``name__parameter``.

        Returns
        -------
        self : PseudoLabelClassifier
            The classifier.
        """
        self._set_params("teachers", **params)
        return self

    def fit(
        self,
        X: Any,
        y: Any,
        groups: Any = None,
        sample_weight: Any = None,
        total_votes: Any = None,
        X_unlabeled: Any = None,
        groups_unlabeled: Any = None,
        **fit_params: Any,
    ) -> PseudoLabelClassifier:
        """Fit teachers, label the rows that need it, fit the student.

        Parameters
        ----------
        X : array-like, DataFrame, list or WindowViews
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, see :func:`hmsklearn.votes.check_votes`: counts, or fractions or
            labels together with `total_votes`.
        groups : array-like of shape (n,), optional
            Patient of each row. Without them, the column ``patient_id`` of a DataFrame
            `X` that has one.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows, for teachers and student. Unlabelled rows have the
            mean weight.
        total_votes : array-like of shape (n,), optional
            Number of votes behind each row, where `y` does not tell.
        X_unlabeled : array-like, DataFrame, list or WindowViews, optional
            Rows that nobody has rated, such as the test windows, of the same kind as
            `X`; those of `find_unlabeled` by default. Pipelines and cross-validation
            hand it on as it is, unless it has as many rows as `X`, which scikit-learn
            takes for one entry a row.
        groups_unlabeled : array-like of shape (n_unlabeled,), optional
            Their patients. Without them, the column ``patient_id``; without that, they
            count as patients whom no teacher has seen.
        **fit_params : dict
            Without metadata routing: ``estimator__parameter=value`` for the ``fit`` of
            the student (and of teachers that are its clones),
            ``name__parameter=value`` for that of a teacher (``teachers__parameter`` for
            a single one), cut by row where it has one entry a row. With routing:
            metadata that they request.

        Returns
        -------
        self : PseudoLabelClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If `y`, weights, votes or splits are not usable, if too few rows have
            enough votes, if a teacher is frozen, or if the student needs the number of
            votes of its labels.
        TypeError
            If a part gives no probabilities, learns from labels only or takes no
            weights, or a parameter belongs to no part.
        """
        name = type(self).__name__
        refuse_encoded_votes(name, classes=self.classes)
        rules = self._rules(name)
        teachers = self._checked_teachers(name)
        refuse_vote_parameters(self.estimator, caller=name)
        n_rows = count_rows(X, caller=name)
        votes = check_votes(y, classes=self.classes, n_windows=n_rows, caller=name)
        classes = resolve_classes(self.classes, y, caller=name)
        weight = check_weight(sample_weight, n_rows, name)
        if weight is not None and weight.sum() == 0:
            raise ValueError(f"{name}: sample_weight is zero in every row.")
        if X_unlabeled is None and self.find_unlabeled is not None:
            X_unlabeled = self.find_unlabeled(X)
        material = prepare_material(
            X,
            votes,
            groups,
            total_votes,
            X_unlabeled,
            groups_unlabeled,
            min_votes=self.min_votes,
            caller=name,
        )
        params = self._params(teachers, material, groups, weight, fit_params)
        random_state = check_random_state(self.random_state)

        lessons, labels = self._rounds(
            teachers, material, params, rules, classes, random_state
        )
        start = time.perf_counter()
        self.estimator_ = self._fit_student(material, labels, params)
        self._say(
            f"student: fitted on {labels.rows.size} rows, "
            f"{time.perf_counter() - start:.1f} s"
        )
        self.classes_ = classes
        self.n_labeled_ = int(material.labeled.sum())
        self.n_pseudo_ = int(labels.n_pseudo)
        self._remember(lessons, material)
        return self

    # -- steps of fit -----------------------------------------------------------

    def _rules(self, name: str) -> LabelRules:
        check_integer(self.n_iter, "n_iter", caller=name, low=1)
        return LabelRules(
            self.old_weight,
            self.teacher_weight,
            self.labeled_copies,
            self.pseudo_copies,
            self.copies,
            self.pseudo_weight,
            self.pseudo_probability,
            self.filter,
            self.rejected,
            name,
        )

    def _checked_teachers(self, name: str) -> list[tuple[str, Any]]:
        check_can_predict_proba(self.estimator, f"{name}: estimator")
        if self.teachers is None:
            teachers = [("estimator", self.estimator)]
        elif isinstance(self.teachers, (list, tuple)):
            reserved = {*self.get_params(deep=False), "groups"}
            teachers = check_members(self.teachers, reserved, f"{name}: teachers")
        else:
            check_can_predict_proba(self.teachers, f"{name}: teachers")
            teachers = [("teachers", self.teachers)]
        for who, teacher in teachers:
            refuse_frozen(teacher, caller=f"{name}: {who}")
            refuse_label_learners(teacher, caller=f"{name}: {who}")
        refuse_label_learners(self.estimator, caller=f"{name}: estimator")
        needs_weights = self.copies == "weights" or self.pseudo_weight != 1
        if needs_weights and fit_key(self.estimator) is None:
            # Said before the teachers are trained.
            with_weight(self.estimator, {}, np.ones(1), f"{name}: estimator")
        return teachers

    def _params(
        self,
        teachers: list[tuple[str, Any]],
        material: Material,
        groups: Any,
        weight: np.ndarray | None,
        fit_params: dict[str, Any],
    ) -> _Params:
        """Decide what reaches each part's ``fit``, with an entry for every row."""
        name = type(self).__name__
        targets = {"estimator": self.estimator, **dict(teachers)}
        routed = route_params(
            self,
            targets,
            groups=groups,
            sample_weight=weight,
            fit_params=fit_params,
            caller=name,
        )
        return {
            who: extend_params(
                params, material.n_rows, material.groups, material.codes, caller=name
            )
            for who, params in routed.items()
        }

    def _rounds(
        self,
        teachers: list[tuple[str, Any]],
        material: Material,
        params: _Params,
        rules: LabelRules,
        classes: np.ndarray,
        random_state: np.random.RandomState,
    ) -> tuple[list[Lesson], Labels]:
        name = rules.caller
        if material.labeled.all():
            warnings.warn(
                f"{name}: all {material.n_all} rows are labelled (min_votes="
                f"{self.min_votes}), so that there is nothing for teachers to do, and "
                "the student is fitted alone. Raise min_votes, or give X_unlabeled.",
                UserWarning,
                stacklevel=3,
            )
            self.history_ = pd.DataFrame()
            return [], make_labels(material, None, rules, classes, random_state)
        if self.teacher_cv is None and material.groups is None:
            warnings.warn(
                f"{name}: without groups a row may be labelled by a teacher that was "
                "trained on other rows of its patient, and knows them by heart. Pass "
                "fit(..., groups=patient_id), or teacher_cv='all' where rows are "
                "independent.",
                UserWarning,
                stacklevel=3,
            )
        folds = fold_of_rows(self.teacher_cv, material, caller=name)
        lessons: list[Lesson] = []
        history = []
        targets, rows = material.table, np.flatnonzero(material.labeled)
        students = params["estimator"]
        for number in range(1, self.n_iter + 1):
            start = time.perf_counter()
            lesson = teach(
                teachers,
                material,
                folds,
                targets=targets,
                rows=rows,
                fit_params=params,
                classes=classes,
                n_jobs=self.n_jobs,
                report=self._say,
                caller=name,
            )
            labels = make_labels(material, lesson.proba, rules, classes, random_state)
            seconds = time.perf_counter() - start
            history.append(describe_round(number, material, lesson, labels, seconds))
            self._say(
                f"round {number}: {labels.n_pseudo} pseudo-labels, KL of the few votes "
                f"{history[-1]['teacher_kl']:.4f}, of the labelled rows "
                f"{history[-1]['labeled_kl']:.4f}"
            )
            if not self.store_teachers:
                lesson = lesson._replace(estimators=[])
            lessons.append(lesson._replace(proba=lesson.proba[:0]))
            # Students teach the next round.
            teachers = [("estimator", self.estimator)]
            targets, rows = labels.targets, labels.rows
            params = {"estimator": self._weighted(students, labels)}
        if labels.n_pseudo == 0:
            warnings.warn(
                f"{name}: filter={self.filter!r} has left no pseudo-label, so that the "
                "student learns nothing new. Loosen it.",
                UserWarning,
                stacklevel=3,
            )
        self.history_ = pd.DataFrame(history).set_index("round")
        return lessons, labels

    def _weighted(self, params: dict[str, Any], labels: Labels) -> dict[str, Any]:
        return with_weight(
            self.estimator, params, labels.weight, f"{type(self).__name__}: estimator"
        )

    def _fit_student(self, material: Material, labels: Labels, params: _Params) -> Any:
        X, rows = material.X, labels.rows
        own = self._weighted(params["estimator"], labels)
        own = slice_fit_params(X, params=own, indices=rows)
        every = np.array_equal(rows, np.arange(material.n_all))
        return clone(self.estimator).fit(
            X if every else safe_indexing(X, rows), labels.targets[rows], **own
        )

    def _remember(self, lessons: list[Lesson], material: Material) -> None:
        self.__dict__.pop("teachers_", None)
        if self.store_teachers:
            self.teachers_ = [one for lesson in lessons for one in lesson.estimators]
        self.teacher_names_ = [
            f"round {number}: {who}"
            for number, lesson in enumerate(lessons, start=1)
            for who in lesson.names
        ]
        self.teacher_groups_ = self.pseudo_groups_ = None
        if material.groups is None:
            return
        few = ~material.labeled
        groups = material.groups
        self.teacher_groups_ = [
            _distinct(groups[rows]) for lesson in lessons for rows in lesson.trained
        ]
        self.pseudo_groups_ = [
            _distinct(groups[rows[few[rows]]])
            for lesson in lessons
            for rows in lesson.asked
        ]

    def _say(self, text: str) -> None:
        if self.verbose > 0:
            print(f"[{type(self).__name__}] {text}", flush=True)

    # -- what scikit-learn asks -------------------------------------------------

    def get_metadata_routing(self) -> MetadataRouter:
        """Describe which metadata ``fit`` takes and passes on.

        Returns
        -------
        MetadataRouter
            The classifier as a consumer of `groups`, `sample_weight`, `total_votes`,
            `X_unlabeled` and `groups_unlabeled`, and as a router to the ``fit`` of
            student and teachers.
        """
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        router = MetadataRouter(owner=self).add_self_request(self)
        for name, estimator in self._named_parts():
            router.add(**{name: estimator}, method_mapping=to_fit)
        return router

    def _named_parts(self) -> list[tuple[str, Any]]:
        parts = [("estimator", self.estimator)]
        if isinstance(self.teachers, (list, tuple)):
            parts += [pair for pair in self.teachers if not isinstance(pair[1], str)]
        elif self.teachers is not None:
            parts.append(("teachers", self.teachers))
        return parts

    def _sk_visual_block_(self) -> Any:
        (_, student), *teachers = self._named_parts()
        if not teachers:
            teachers = [("teachers (clones of estimator)", student)]
        names, estimators = zip(*teachers, strict=True)
        above = VisualBlock("parallel", estimators, names=names, dash_wrapped=False)
        below = VisualBlock(
            "parallel", [student], names=["estimator"], dash_wrapped=False
        )
        return VisualBlock("serial", (above, below), dash_wrapped=False)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        try:
            inputs = [get_tags(part).input_tags for _, part in self._named_parts()]
        except (AttributeError, TypeError, ValueError):
            # Not scikit-learn estimators: fit says what is wrong.
            return tags
        for tag in ("two_d_array", "three_d_array", "sparse", "allow_nan"):
            setattr(tags.input_tags, tag, all(getattr(each, tag) for each in inputs))
        return tags


def _distinct(groups: np.ndarray) -> np.ndarray:
    """Different groups, in order of appearance: they need not compare."""
    return pd.unique(groups)
