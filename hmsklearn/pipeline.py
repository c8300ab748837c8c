"""A pipeline that knows that its rows are windows of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from hmsklearn._compat import routing_enabled, safe_indexing, slice_fit_params
from hmsklearn._groups import patients_of
from hmsklearn.model_selection import deduplicate_windows

__all__ = ["RowPipeline"]


class RowPipeline(Pipeline):
    """Pipeline from rows of ``train.csv`` that hands on what the rows tell.

    A :class:`sklearn.pipeline.Pipeline` whose first step is a reader. The arrays that
    the reader makes no longer tell which EEG and which patient a window is of, but
    training one random window of each EEG (``sampling="eeg"``), averaging targets over
    an EEG (``target="eeg"``) and stopping early by patient need to know. This pipeline
    takes both from the rows and gives them to its last step.

    Parameters
    ----------
    steps : list of (str, estimator)
        The steps, as in scikit-learn.
    deduplicate : str, dict or None, default=None
        Which rows are learned from: a recipe of
        :func:`hmsklearn.model_selection.deduplicate_windows`, or a dict of its
        parameters such as ``{"recipe": "3rd", "min_votes": 9}``. The others are not
        even read. Predictions are of all rows.
    transform_input : list of str, default=None
        As in scikit-learn.
    memory : None, str or joblib.Memory, default=None
        As in scikit-learn.
    verbose : bool, default=False
        As in scikit-learn.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of the last step.
    n_features_in_ : int
        What the first step saw; only where it tells.
    n_rows_ : int
        Number of rows that were learned from.

    See Also
    --------
    hmsklearn.datasets.HMSReader : The first step.
    hmsklearn.model_selection.deduplicate_windows : The recipes.

    Notes
    -----
    The last step gets ``eeg_id`` from the column of that name and ``groups`` from
    ``patient_id``, if its ``fit`` takes them and the caller gives none. Where metadata
    routing is switched on, it gets what it requests, and the neural classifiers
    request both. Rows without these columns, and data that are no DataFrame, are
    handed on without. Everything else is scikit-learn's.

    Steps learn from the rows that are left, steps that learn nothing included.

    References
    ----------
    One random window of each EEG in each epoch: 2nd place of HMS (discussion 492254),
    6th (492619). Copies of windows left out: 3rd (492471), 7th (492281).

    Examples
    --------
    >>> import tempfile
    >>> from hmsklearn.datasets import HMSReader, load_hms, make_hms
    >>> from hmsklearn.neural import WaveformClassifier
    >>> from hmsklearn.preprocessing import CentreCrop, NaNImputer
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = make_hms(folder.name, n_patients=6, n_test=1, random_state=0)
    >>> train = load_hms(root)
    >>> net = WaveformClassifier(
    ...     architecture_params={"width": 8, "gru_hidden": 0, "n_blocks": 1},
    ...     sampling="eeg", target="eeg", max_epochs=1, batch_size=4, random_state=0)
    >>> pipe = RowPipeline(
    ...     [("read", HMSReader()), ("impute", NaNImputer()), ("crop", CentreCrop(2)),
    ...      ("net", net)],
    ...     deduplicate="7th")
    >>> pipe.fit(train.data, train.target).n_rows_ <= len(train.data)
    True
    >>> pipe.predict_proba(train.data[:2]).shape
    (2, 6)
    >>> folder.cleanup()
    """

    # What the rows tell may also be given, and is wanted wherever metadata is routed.
    __metadata_request__fit = {"groups": True, "eeg_id": True}

    def __init__(
        self,
        steps: list[tuple[str, Any]],
        *,
        deduplicate: str | Mapping[str, Any] | None = None,
        transform_input: list[str] | None = None,
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        super().__init__(
            steps, transform_input=transform_input, memory=memory, verbose=verbose
        )
        self.deduplicate = deduplicate

    def fit(
        self,
        X: Any,
        y: Any = None,
        groups: Any = None,
        sample_weight: Any = None,
        eeg_id: Any = None,
        **params: Any,
    ) -> RowPipeline:
        """Fit the steps one after the other.

        Parameters
        ----------
        X : DataFrame or array-like
            The rows.
        y : array-like of shape (n, n_classes) or (n,)
            Votes, fractions or labels, as the last step takes them.
        groups : array-like of shape (n,), optional
            Patient of each row, for the last step; the column ``patient_id`` without.
        sample_weight : array-like of shape (n,), optional
            Weights of the rows, for the last step.
        eeg_id : array-like of shape (n,), optional
            EEG of each row, for the last step; the column ``eeg_id`` without.
        **params : dict
            Without metadata routing ``step__parameter=value``, as in scikit-learn;
            with routing, metadata that steps request.

        Returns
        -------
        self : RowPipeline
            The fitted pipeline.

        Raises
        ------
        ValueError
            If rows cannot be told apart as `deduplicate` asks for, or none is left.
        TypeError
            If weights are given and the last step takes none.
        """
        given = {"groups": groups, "sample_weight": sample_weight, "eeg_id": eeg_id}
        told = {"groups": patients_of(X), "eeg_id": _column(X, "eeg_id")}
        kept = self._kept(X)
        if kept is not None:
            params = slice_fit_params(X, params, kept)
            X = X.iloc[kept]
            y = None if y is None else safe_indexing(y, kept)
            given = {
                key: value if value is None else safe_indexing(value, kept)
                for key, value in given.items()
            }
            told = {
                key: value if value is None else value[kept]
                for key, value in told.items()
            }
        for key, value in {**told, **_without_none(given)}.items():
            # What the rows tell is offered; what the caller gives is handed over.
            self._hand_on(params, key, value, offered=given[key] is None)
        super().fit(X, y, **params)
        self.n_rows_ = len(X) if hasattr(X, "__len__") else X.shape[0]
        return self

    def get_metadata_routing(self) -> Any:
        """Tell what ``fit`` takes for itself and for its steps.

        Returns
        -------
        MetadataRouter
            The routing of the steps, and the pipeline's own requests.
        """
        return super().get_metadata_routing().add_self_request(self)

    def _kept(self, X: Any) -> np.ndarray | None:
        """Positions of the rows to learn from; None for all."""
        if self.deduplicate is None:
            return None
        name = type(self).__name__
        if not isinstance(X, pd.DataFrame):
            raise ValueError(
                f"{name}: deduplicate={self.deduplicate!r} needs the rows of train.csv "
                f"as a DataFrame, got {type(X).__name__}. Give the table, or set "
                "deduplicate=None."
            )
        how = self.deduplicate
        if isinstance(how, str):
            how = {"recipe": how}
        if not isinstance(how, Mapping):
            raise ValueError(
                f"{name}: deduplicate={how!r} is neither the name of a recipe nor a "
                "dict of parameters of deduplicate_windows."
            )
        if how.get("recipe") == "public":
            raise ValueError(
                f"{name}: the recipe 'public' adds votes and moves windows, so its "
                "rows are not rows of X. Apply deduplicate_windows before fit, and "
                "take the votes from what it returns."
            )
        rows = X.set_axis(np.arange(len(X)))
        kept = np.sort(deduplicate_windows(rows, **how).index.to_numpy())
        if not kept.size:
            raise ValueError(
                f"{name}: deduplicate={self.deduplicate!r} leaves none of the {len(X)} "
                "rows: too few votes, for instance. Give other rows, or lower "
                "min_votes."
            )
        return kept

    def _hand_on(
        self, params: dict[str, Any], key: str, value: Any, *, offered: bool
    ) -> None:
        """Put metadata for the last step into `params`, in place."""
        if value is None:
            return
        step, final = self.steps[-1]
        if routing_enabled():
            if not offered or _requests(final, key):
                params.setdefault(key, value)
            return
        if final is None or final == "passthrough" or not has_fit_parameter(final, key):
            if not offered and key == "sample_weight":
                raise TypeError(
                    f"{type(self).__name__}: fit got sample_weight, but its last step "
                    f"{step!r} takes none. Leave it out, or choose a classifier that "
                    "takes weights."
                )
            return
        params.setdefault(f"{step}__{key}", value)


def _column(X: Any, name: str) -> np.ndarray | None:
    columns = getattr(X, "columns", None)
    return None if columns is None or name not in columns else X[name].to_numpy()


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _requests(estimator: Any, key: str) -> bool:
    """Tell whether a step, or something inside of it, requests metadata in ``fit``."""
    routing = getattr(estimator, "get_metadata_routing", None)
    if routing is None:
        return False
    return key in routing().consumes("fit", [key])
