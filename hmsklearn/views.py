"""Several views of the same windows in one container that is cut by window.

scikit-learn hands one `X` around. A net with several branches wants several arrays of
the same windows, of different shapes. A plain dict of them has no length that means
windows, and cannot be cut by row.
"""

from __future__ import annotations

import difflib
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from numbers import Integral
from typing import Any, NoReturn

import numpy as np

__all__ = ["WindowViews"]


class WindowViews(Mapping):
    """Arrays of the same windows by name, which cross-validation cuts as one.

    Parameters
    ----------
    views : mapping of str to array-like, optional
        The views by name, for instance a dict or skorch's ``SliceDict``.
    **more : array-like
        Further views by keyword.

    Raises
    ------
    ValueError
        If there is no view, two have different numbers of windows, one has no first
        axis, or a name is given twice.
    TypeError
        If there are no names.

    See Also
    --------
    hmsklearn.imaging.ViewUnion : The transformer that gives such a container.
    hmsklearn.imaging.WindowUnion : Puts several views into one image instead.

    Notes
    -----
    The first axis of every view is windows. A view is a NumPy array of any type, a
    memory map, a torch tensor or a DataFrame, and is kept by reference as it is: no
    copy, no change of type, no look at its values, so NaN stay. Lists are turned into
    arrays.

    ``len`` and ``shape`` count windows; iterating gives names, as in a dict. In square
    brackets, a name gives its view. Anything that picks windows (a slice, row numbers,
    a mask, as array or list) gives a container of all views with these windows; slices
    that go forwards share memory with the whole, as those of arrays do. A single number
    is refused, since one window has no first axis.

    The container cannot be changed. ``WindowViews(views, more=array)`` and
    ``WindowViews({"eeg": views["eeg"]})`` make one with more views or with fewer.

    It goes through ``cross_val_score``, ``GroupKFold``, ``GridSearchCV``, ``Pipeline``,
    ``joblib.dump`` and this package's out-of-fold predictions, stacking and unions. A
    step that takes one of the views is
    ``FunctionTransformer(operator.itemgetter("eeg"))``.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.views import WindowViews
    >>> X = WindowViews(eeg=np.zeros((5, 18, 2000), "f4"), image=np.ones((5, 1, 9, 8)))
    >>> X
    WindowViews of 5 windows: eeg (18, 2000) float32, image (1, 9, 8) float64
    >>> X[[4, 0]]["image"].shape
    (2, 1, 9, 8)
    >>> len(X), X.shape, list(X)
    (5, (5,), ['eeg', 'image'])
    """

    def __init__(self, views: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        name = type(self).__name__
        if views is not None and not isinstance(views, Mapping):
            raise TypeError(
                f"{name}: views must be a mapping of names to arrays, got "
                f"{type(views).__name__}. Give each view a name, for instance "
                f"{name}(eeg=..., spectrogram=...)."
            )
        given = {} if views is None else dict(views.items())
        twice = sorted(set(given) & set(more))
        if twice:
            raise ValueError(f"{name}: the names {twice} are given twice.")
        given.update(more)
        if not given:
            raise ValueError(f"{name}: there are no views. Give one or more.")
        self._views = {key: _as_view(key, view, name) for key, view in given.items()}
        lengths = {key: int(view.shape[0]) for key, view in self._views.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} {length}" for key, length in lengths.items())
            raise ValueError(
                f"{name}: the views have different numbers of windows: {told}. Row i "
                "of every view must be the same window."
            )
        self._n_windows = next(iter(lengths.values()))

    @property
    def shape(self) -> tuple[int]:
        """Number of windows, as the shape of an array with one axis."""
        return (self._n_windows,)

    def __len__(self) -> int:
        return self._n_windows

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def keys(self) -> KeysView[str]:
        """List the names.

        Returns
        -------
        view of str
            The names, in order; as many as there are views.
        """
        # The mixin's would have the length of the container, the number of windows.
        return self._views.keys()

    def values(self) -> ValuesView[Any]:
        """List the arrays.

        Returns
        -------
        view of array
            The arrays, in order; as many as there are views.
        """
        return self._views.values()

    def items(self) -> ItemsView[str, Any]:
        """List names and arrays.

        Returns
        -------
        view of (str, array)
            The pairs, in order; as many as there are views.
        """
        return self._views.items()

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._view(key)
        # scikit-learn asks for array[rows, ...].
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]
        rows = self._rows(key)
        return type(self)({name: _cut(view, rows) for name, view in self.items()})

    # Two containers are the same if they are one object: comparing arrays by value is
    # slow and has several meanings where there are NaN.
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __array__(self, *args: Any, **kwargs: Any) -> NoReturn:
        # Without this, NumPy would take the names for the values.
        raise TypeError(
            f"{type(self).__name__}: the views {list(self)} make no single array. Take "
            "one by its name, or put them together with hmsklearn.imaging.WindowUnion."
        )

    def __repr__(self) -> str:
        told = ", ".join(f"{name} {_describe(view)}" for name, view in self.items())
        return f"{type(self).__name__} of {len(self)} windows: {told}"

    def _view(self, name: str) -> Any:
        try:
            return self._views[name]
        except KeyError:
            close = difflib.get_close_matches(name, self._views, n=1, cutoff=0.4)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise KeyError(
                f"{type(self).__name__}: there is no view {name!r}.{hint} There are "
                f"{list(self)}."
            ) from None

    def _rows(self, key: Any) -> slice | np.ndarray:
        """Turn what picks windows into a slice or an array of row numbers."""
        if isinstance(key, slice):
            # Tensors cannot be cut backwards.
            if key.step is None or key.step > 0:
                return key
            return np.arange(len(self))[key].copy()
        name = type(self).__name__
        if isinstance(key, Integral) or getattr(key, "shape", None) == ():
            raise TypeError(
                f"{name}: the number {key} picks one window, which has no first axis. "
                f"Give a slice, [{key}:{int(key) + 1}], or a list, [[{key}]]."
            )
        rows = key
        if hasattr(key, "detach"):
            rows = key.detach().cpu().numpy()
        elif isinstance(key, (list, range)) or hasattr(key, "iloc"):
            rows = np.asarray(key)
        if isinstance(rows, np.ndarray) and rows.size == 0 and rows.dtype.kind == "f":
            rows = rows.astype(np.intp)  # an empty list
        if (
            not isinstance(rows, np.ndarray)
            or rows.ndim != 1
            or rows.dtype.kind not in "iub"
        ):
            raise TypeError(
                f"{name}: {key!r} picks no windows. Give the name of a view, a slice, "
                "row numbers or a mask."
            )
        if rows.dtype == bool:
            if rows.shape != self.shape:
                raise IndexError(
                    f"{name}: the mask has {rows.size} entries for {len(self)} windows."
                )
            return np.flatnonzero(rows)
        outside = rows[(rows < -len(self)) | (rows >= len(self))]
        if outside.size:
            raise IndexError(
                f"{name}: there is no window {outside[0]}, only 0 .. {len(self) - 1}."
            )
        return np.where(rows < 0, rows + len(self), rows).astype(np.intp, copy=False)


def _as_view(name: Any, view: Any, caller: str) -> Any:
    if not isinstance(name, str) or not name:
        raise TypeError(f"{caller}: the name of a view must be text, got {name!r}.")
    if isinstance(view, Mapping):
        raise ValueError(
            f"{caller}: view {name!r} is a {type(view).__name__}, which holds views "
            "itself. Give one array."
        )
    if not hasattr(view, "shape"):
        if not isinstance(view, Iterable) or isinstance(view, (str, bytes)):
            raise ValueError(
                f"{caller}: view {name!r} is a {type(view).__name__}, not an array."
            )
        try:
            view = np.asarray(view)
        except ValueError as error:
            raise ValueError(
                f"{caller}: view {name!r} makes no array: {error}"
            ) from None
    if len(view.shape) == 0:
        raise ValueError(
            f"{caller}: view {name!r} is a single number. The first axis must be "
            "windows."
        )
    return view


def _cut(view: Any, rows: slice | np.ndarray) -> Any:
    return view.iloc[rows] if hasattr(view, "iloc") else view[rows]


def _describe(view: Any) -> str:
    shape = tuple(int(size) for size in view.shape[1:])
    dtype = getattr(view, "dtype", type(view).__name__)
    return f"{shape} {str(dtype).removeprefix('torch.')}"
