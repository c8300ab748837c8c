"""The name of a training: what its result depends on, as a few digits."""

from __future__ import annotations

import dis
import functools
import hashlib
import re
import types
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd
import torch
from torch import nn

__all__ = ["fingerprint"]


def fingerprint(
    params: Mapping[str, Any], X: Any, *arrays: Any, X_val: Any = None
) -> str:
    """Name a training by its parameters and data.

    Parameters
    ----------
    params : mapping
        Parameters that the result depends on.
    X : ndarray or mapping of str to ndarray
        Windows: their shape and some of their values count, since reading all of a
        memory map would take as long as an epoch.
    *arrays : ndarray or None
        Targets, weights, rows; all of their values count.
    X_val : ndarray or mapping of str to ndarray, optional
        Windows to validate on, which count as `X` does.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Notes
    -----
    A function counts with what it does: its code, its constants and defaults, and the
    values of its closure and of plain global names. A class counts with its name.

    Examples
    --------
    >>> X = np.zeros((3, 2, 4))
    >>> fingerprint({"lr": 0.1}, X) == fingerprint({"lr": 0.2}, X)
    False
    >>> one, other = (lambda votes: votes >= 5), (lambda votes: votes >= 9)
    >>> fingerprint({"vote_weight": one}, X) == fingerprint({"vote_weight": other}, X)
    False
    """
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(f"{name}={_text_of(params[name])};".encode())
    for windows in (X, X_val):
        if windows is None:
            digest.update(b"None")
            continue
        views = windows if isinstance(windows, Mapping) else {"X": windows}
        for name, view in views.items():
            digest.update(f"{name}{view.shape}{view.dtype}".encode())
            for row in np.unique(np.linspace(0, len(view) - 1, 8).astype(int)):
                digest.update(np.ascontiguousarray(view[row]).tobytes())
    for array in arrays:
        if array is None:
            digest.update(b"None")
            continue
        array = np.asarray(array)
        if array.dtype == object:
            array = array.astype(str)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


#: What every torch module has, besides what its class says.
_OF_ANY_MODULE = frozenset(vars(nn.Module()))


def _text_of(value: Any, within: tuple[int, ...] = ()) -> str:
    """Text that is the same in another process, for anything a parameter may be."""
    if id(value) in within and not isinstance(value, (str, int, float, tuple)):
        return "itself"  # a function that calls itself, an object that holds itself
    within = (*within, id(value))

    def text(part: Any) -> str:
        return _text_of(part, within)

    if isinstance(value, Mapping):
        pairs = sorted(f"{text(key)}: {text(part)}" for key, part in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(text, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"<{', '.join(sorted(map(text, value)))}>"
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return f"{value.shape}{text(value.tolist())}"
        data = np.ascontiguousarray(value).tobytes()
        return f"{value.shape}{value.dtype}{hashlib.sha256(data).hexdigest()}"
    if isinstance(value, torch.Tensor):
        raw = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        return f"{tuple(value.shape)}{value.dtype}{text(raw.numpy())}"
    if isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        # Their own text leaves out the middle.
        return str(joblib.hash(value))
    if isinstance(value, types.CodeType):
        return _text_of_code(value, within)
    if isinstance(value, nn.Module):
        own = {k: v for k, v in vars(value).items() if k not in _OF_ANY_MODULE}
        parts = [value._parameters, value._buffers, value._modules]
        return f"{_name_of(type(value))}{text([own, *parts])}"
    if isinstance(value, type):
        return _name_of(value)
    if hasattr(value, "get_params"):
        return f"{type(value).__name__}{text(value.get_params(deep=False))}"
    if isinstance(value, functools.partial):
        return text([value.func, value.args, value.keywords])
    if isinstance(value, types.MethodType):
        return text([value.__self__, value.__func__])
    if isinstance(value, types.FunctionType):
        return _text_of_function(value, within)
    if isinstance(value, types.BuiltinFunctionType):
        return _name_of(value)
    if isinstance(value, types.ModuleType):
        return value.__name__
    if getattr(value, "__dict__", None):
        # Not its own text, which may leave out what matters and hold addresses.
        return f"{_name_of(type(value))}{text(vars(value))}"
    return re.sub(" at 0x[0-9a-fA-F]+", "", repr(value))


def _name_of(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _text_of_function(function: types.FunctionType, within: tuple[int, ...]) -> str:
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # nothing is in it yet
            cells.append("empty")
    does = [
        function.__code__,
        function.__defaults__,
        function.__kwdefaults__,
        cells,
        _plain_globals(function),
    ]
    return f"{_name_of(function)}{_text_of(does, within)}"


def _plain_globals(function: types.FunctionType) -> dict[str, Any]:
    """Numbers, texts, tuples, arrays and functions that a function finds by name."""
    found = {}
    for name in _names_of(function.__code__):
        value = function.__globals__.get(name)
        # Functions of libraries count with their version, which is not looked at.
        same = getattr(value, "__module__", None) == function.__module__
        plain = isinstance(value, (bool, int, float, str, tuple, np.ndarray))
        if plain or (same and isinstance(value, types.FunctionType)):
            found[name] = value
    return found


def _names_of(code: types.CodeType) -> set[str]:
    names = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            names |= _names_of(part)
    return names


def _text_of_code(code: types.CodeType, within: tuple[int, ...]) -> str:
    return _text_of([code.co_code.hex(), code.co_names, code.co_consts], within)
