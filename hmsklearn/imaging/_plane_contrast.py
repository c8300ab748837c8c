"""PlaneContrast: what one derivation shows that the others do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.panels import plane_contrasts

__all__ = ["PlaneContrast"]


class PlaneContrast(BaseSignalTransformer):
    """Subtract from each plane the mean of others.

    Parameters
    ----------
    references : "others" or sequence of sequences of int, default="others"
        What is subtracted: the mean of all other planes, or for each plane the
        positions of those whose mean it is; none leaves a plane as it is.

    Attributes
    ----------
    n_features_in_ : int
        Number of planes seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if `references` has not one entry for each plane, or names a plane
        that is none.

    See Also
    --------
    hmsklearn.montage.Montage.minus_others : The same by names, as a montage.
    hmsklearn.montage.Montage.minus_neighbours : Minus those beside each one.

    Notes
    -----
    Images ``(n_windows, n_planes, height, width)`` or signals ``(n_windows,
    n_channels, n_times)`` in and out, same unit, same dtype; planes keep their names.
    NaN in a plane is NaN in those that refer to it. A single plane has no others and
    stays as it is.

    References
    ----------
    The 3rd place of HMS (discussion 492471), whose second and third plane these are:
    relative to all others, and to the two neighbours in the ring of outer and inner
    chain of a side. ``MontageTransformer(montage.minus_neighbours(),
    ch_names=montage.names)`` finds the neighbours by itself.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import PlaneContrast
    >>> X = np.array([1.0, 3.0, 8.0]).reshape(1, 3, 1, 1)
    >>> PlaneContrast().fit_transform(X).ravel()
    array([-4.5, -1.5,  6. ])
    """

    _ndim = (3, 4)
    _allow_nan = True

    def __init__(self, references: str | Sequence[Sequence[int]] = "others") -> None:
        self.references = references

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        n_planes = X.shape[1]
        if isinstance(self.references, str):
            check_choice(self.references, "references", ("others",), caller=caller)
            planes = range(n_planes)
            self._references = [[j for j in planes if j != i] for i in planes]
            return
        try:
            references = [list(others) for others in self.references]
        except TypeError:
            raise ValueError(
                f"{caller}: references must be 'others' or lists of positions, one for "
                f"each plane, got {self.references!r}."
            ) from None
        if len(references) != n_planes:
            raise ValueError(
                f"{caller}: X has {n_planes} planes (axis 1), references has "
                f"{len(references)} entries. Give one for each plane."
            )
        for plane, others in enumerate(references):
            for other in others:
                check_integer(
                    other,
                    f"references[{plane}]",
                    caller=caller,
                    low=0,
                    high=n_planes - 1,
                )
        self._references = [[int(other) for other in others] for others in references]

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return plane_contrasts(X, self._references, out=out)
