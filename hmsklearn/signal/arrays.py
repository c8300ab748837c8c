"""NumPy arrays and torch tensors through the same functions.

A function of this room computes on whatever it is given: an array comes back as an
array, a tensor as a tensor on the same device, with its gradient. What both ways share
are the constants (filters, windows, transforms), which are derived once in float64 and
handed over in the type and on the device of the data.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import torch

__all__ = ["Constant", "as_float", "empty", "is_tensor", "namespace", "refuse_out"]

#: An array of NumPy or a tensor of torch.
Array: TypeAlias = Any


def is_tensor(X: Any) -> bool:
    """Tell whether something is a torch tensor.

    Parameters
    ----------
    X : object
        Anything.

    Returns
    -------
    bool
        True for tensors.

    Examples
    --------
    >>> is_tensor(np.zeros(3)), is_tensor(torch.zeros(3))
    (False, True)
    """
    return isinstance(X, torch.Tensor)


def namespace(X: Array) -> ModuleType:
    """Return the module whose functions work on `X`.

    Only what NumPy and torch spell alike may be taken from it: ``abs``, ``log``,
    ``sqrt``, ``where``, ``stack``, ``clip`` and their like.

    Parameters
    ----------
    X : ndarray or Tensor
        The data.

    Returns
    -------
    module
        Either ``numpy`` or ``torch``.

    Examples
    --------
    >>> namespace(torch.zeros(3)).__name__
    'torch'
    """
    return torch if is_tensor(X) else np


def as_float(X: Any, caller: str) -> Array:
    """Return signals as float32 or float64.

    Parameters
    ----------
    X : ndarray or Tensor
        Signals.
    caller : str
        Name that starts the error message.

    Returns
    -------
    ndarray or Tensor
        `X` itself if it is float32 or float64 in the machine's byte order, else a copy
        of the array: float64 stays float64, other numbers become float32.

    Raises
    ------
    ValueError
        If `X` is neither array nor tensor, its values are no real numbers, or it is a
        tensor of another type: whether and where a tensor is converted is up to its
        owner.

    Examples
    --------
    >>> as_float(np.array([1, 2]), "doctest")
    array([1., 2.], dtype=float32)
    >>> as_float([1, 2], "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: expected a NumPy array or a torch tensor, got list. Convert \
it, e.g. with numpy.asarray.
    """
    if is_tensor(X):
        if X.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{caller}: a tensor has to be float32 or float64, got {X.dtype}. "
                "Convert it, e.g. with .float()."
            )
        return X
    if not isinstance(X, np.ndarray):
        raise ValueError(
            f"{caller}: expected a NumPy array or a torch tensor, got "
            f"{type(X).__name__}. Convert it, e.g. with numpy.asarray."
        )
    if X.dtype in (np.float32, np.float64):
        return X
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"{caller}: an array has to hold real numbers, got {X.dtype}. Convert it, "
            "e.g. with .astype('float32')."
        )
    double = X.dtype.newbyteorder("=") == np.float64
    return X.astype(np.float64 if double else np.float32)


def empty(X: Array, shape: tuple[int, ...]) -> Array:
    """Allocate an array of the kind, type and device of `X`.

    Parameters
    ----------
    X : ndarray or Tensor
        The data.
    shape : tuple of int
        Shape of the new array.

    Returns
    -------
    ndarray or Tensor
        Memory with arbitrary content.

    Examples
    --------
    >>> empty(torch.zeros(3, dtype=torch.float64), (2, 2)).dtype
    torch.float64
    """
    if is_tensor(X):
        return X.new_empty(shape)
    return np.empty(shape, dtype=X.dtype)


def refuse_out(X: Array, out: Any, caller: str) -> None:
    """Refuse an output buffer for a tensor, whose gradient could not pass it.

    Parameters
    ----------
    X : ndarray or Tensor
        The data.
    out : object
        What the caller gave as ``out``.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If `X` is a tensor and `out` is given.

    Examples
    --------
    >>> refuse_out(torch.zeros(3), torch.zeros(3), "doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: out= is for NumPy arrays, got a tensor. Leave it out.
    """
    if out is not None and is_tensor(X):
        raise ValueError(
            f"{caller}: out= is for NumPy arrays, got a tensor. Leave it out."
        )


class Constant:
    """A float64 array, and its copies for the types and devices it is asked for.

    Parameters
    ----------
    value : array-like of float
        The constant.

    Notes
    -----
    Copies are made on first use and kept, so that a loop over batches on a GPU never
    waits for the same matrix twice. They are left out of pickles. Treat what comes
    back as read-only.

    Examples
    --------
    >>> half = Constant([0.5])
    >>> half.like(np.zeros(1, dtype="float32")).dtype, half.like(torch.zeros(1))
    (dtype('float32'), tensor([0.5000]))
    """

    def __init__(self, value: Any) -> None:
        self.value = np.array(value, dtype=np.float64)
        self.value.setflags(write=False)
        self._copies: dict[Any, Array] = {}

    def like(self, X: Array) -> Array:
        """Return the constant in the type and on the device of `X`.

        Parameters
        ----------
        X : ndarray or Tensor
            The data. Its real type counts where it is complex.

        Returns
        -------
        ndarray or Tensor
            The constant.
        """
        if is_tensor(X):
            dtype = X.dtype.to_real() if X.is_complex() else X.dtype
            key: Any = (dtype, X.device)
        else:
            key = np.dtype(np.finfo(X.dtype).dtype)
        copy = self._copies.get(key)
        if copy is None:
            if is_tensor(X):
                # Not an inference tensor, whoever asks first: training may be next.
                with torch.inference_mode(False):
                    copy = torch.tensor(self.value, dtype=dtype, device=X.device)
            else:
                copy = self.value.astype(key)
                copy.setflags(write=False)
            self._copies[key] = copy
        return copy

    def __getstate__(self) -> dict[str, Any]:
        return {"value": self.value, "_copies": {}}

    def __repr__(self) -> str:
        return f"Constant(shape={self.value.shape})"
