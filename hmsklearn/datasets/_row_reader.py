"""What every reader of rows owes to scikit-learn."""

from __future__ import annotations

from numbers import Integral
from typing import Any, TypeVar

from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["RowReader"]

ReaderT = TypeVar("ReaderT", bound="RowReader")


class RowReader(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Base class of readers: they learn nothing and give arrays of three axes or more.

    Subclasses have the parameters `root` and `n_jobs`, and set
    ``auto_wrap_output_keys=None`` as this class does.
    """

    n_jobs: int | None

    def set_output(self: ReaderT, *, transform: Any = None) -> ReaderT:
        """Accept scikit-learn's output configuration and change nothing.

        What is read has three axes or more and stays a NumPy array; the method exists
        so that ``Pipeline.set_output`` works.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : object
            The reader.
        """
        return self

    def _check_n_jobs(self) -> None:
        if self.n_jobs is not None and (
            not isinstance(self.n_jobs, Integral) or self.n_jobs == 0
        ):
            raise ValueError(
                f"{type(self).__name__}: n_jobs={self.n_jobs!r} is not a number of "
                "threads. Give None, a positive number, or -1 for all processors."
            )

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = []
        return tags
