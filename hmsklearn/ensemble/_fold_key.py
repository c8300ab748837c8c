"""The name of a fit: everything that its result depends on, as digits.

Rows count with their values, a folder of recordings that they point to with its path:
reading all recordings would take longer than what is saved.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import os
import platform
import sys
import types
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.base import clone

__all__ = ["digest_data", "digest_estimator", "join_digests"]

#: Packages whose version may change what a fit gives, whatever is fitted.
_EVERYWHERE = ("hmsklearn", "scikit-learn", "numpy", "scipy", "torch")

#: Methods of a class, in the forms that a class holds them.
_METHODS = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
)

#: Rows of a memory map that are read, for its name.
_ROWS_OF_A_MAP = 64


def join_digests(*parts: Any) -> str:
    """Make one name out of several.

    Parameters
    ----------
    *parts : object
        Texts, numbers or arrays.

    Returns
    -------
    str
        Thirty-two hexadecimal digits.

    Examples
    --------
    >>> join_digests("a", 1) == join_digests("a", 1) != join_digests("a1")
    True
    """
    return _digest(list(parts))


def digest_data(data: Any) -> str:
    """Name data: arrays, tables, lists, views.

    Parameters
    ----------
    data : object
        What ``fit`` was given.

    Returns
    -------
    str
        Thirty-two hexadecimal digits.

    Notes
    -----
    Arrays and tables count with all their values, a table with its index and its
    ``attrs`` too. A memory map counts with its file, the time that it was changed,
    its place in it, and 64 of its rows.

    Examples
    --------
    >>> digest_data(np.zeros(3)) == digest_data(np.zeros(3))
    True
    >>> digest_data(np.zeros(3)) == digest_data(np.ones(3))
    False
    """
    return _digest(data)


def digest_estimator(estimator: Any) -> str:
    """Name an estimator: its class, its parameters, the versions of packages.

    Parameters
    ----------
    estimator : estimator
        What will be cloned and fitted.

    Returns
    -------
    str
        Thirty-two hexadecimal digits.

    Notes
    -----
    Classes and functions of installed packages count with the package's version,
    others with their code, so that an edited script fits again.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> one, other = LogisticRegression(C=1.0), LogisticRegression(C=2.0)
    >>> digest_estimator(one) == digest_estimator(other)
    False
    """
    versions = [platform.python_version()]
    versions += [f"{name} {_installed(name)}" for name in _EVERYWHERE]
    # A clone: what an earlier fit has left on the estimator does not matter.
    return _digest([versions, clone(estimator)])


class _Hash:
    """A hash, and the classes and functions whose code it holds already."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self._told: dict[int, Any] = {}

    def update(self, data: Any) -> None:
        self._hash.update(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def first_time(self, code: Any) -> bool:
        """Tell whether code is met for the first time, so that each counts once."""
        if id(code) in self._told:
            return False
        self._told[id(code)] = code
        return True


def _digest(value: Any) -> str:
    state = _Hash()
    _feed(state, value, ())
    return state.hexdigest()


def _feed(state: Any, value: Any, within: tuple[int, ...]) -> None:
    """Feed a value to a hash, in a form that is the same in another process."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        _text(state, f"{type(value).__name__} {value!r}")
        return
    if id(value) in within:
        _text(state, "itself")  # an object that holds itself
        return
    within = (*within, id(value))
    if isinstance(value, np.memmap):
        _feed_map(state, value, within)
    elif isinstance(value, np.ndarray):
        _feed_array(state, value, within)
    elif isinstance(value, (pd.DataFrame, pd.Series, pd.Index)):
        _feed_table(state, value, within)
    elif isinstance(value, Mapping):
        _text(state, f"{type(value).__name__} {len(value.keys())}")
        pairs = sorted((str(key), key) for key in value.keys())  # noqa: SIM118
        for text, key in pairs:
            _text(state, text)
            _feed(state, value[key], within)
    elif isinstance(value, (list, tuple)):
        _text(state, f"{type(value).__name__} {len(value)}")
        for part in value:
            _feed(state, part, within)
    elif isinstance(value, (set, frozenset)):
        _text(state, f"{type(value).__name__} {sorted(map(_digest, value))}")
    elif isinstance(value, os.PathLike):
        _text(state, f"path {os.fspath(value)}")
    elif isinstance(value, types.CodeType):
        _feed(state, [value.co_code, value.co_names, value.co_consts], within)
    elif isinstance(value, (staticmethod, classmethod)):
        _feed(state, [type(value), value.__func__], within)
    elif isinstance(value, property):
        _feed(state, ["property", value.fget, value.fset, value.fdel], within)
    elif isinstance(value, functools.cached_property):
        _feed(state, ["cached_property", value.func], within)
    elif isinstance(value, type):
        _feed_class(state, value, within)
    elif isinstance(value, types.FunctionType):
        _feed_function(state, value, within)
    elif isinstance(value, types.MethodType):
        _feed(state, [value.__self__, value.__func__], within)
    elif isinstance(value, functools.partial):
        _feed(state, [value.func, value.args, value.keywords], within)
    elif isinstance(value, types.ModuleType):
        _text(state, f"module {value.__name__}")
    elif hasattr(value, "detach") and hasattr(value, "numpy"):
        _feed_array(state, value.detach().cpu().numpy(), within)
    elif _is_told_by_its_dict(value):
        _feed_class(state, type(value), within)
        _feed(state, vars(value), within)
    else:
        # Objects without a dict, such as random generators: their pickled state.
        try:
            _text(state, f"{type(value).__name__} {joblib.hash(value)}")
        except Exception as error:  # a pickle can fail in any way
            raise TypeError(
                f"With memory, what is fitted must be told from what is not, and "
                f"{value!r} cannot be: {error}. Fit without memory, or give it a "
                "__dict__ or a pickle."
            ) from error


def _is_told_by_its_dict(value: Any) -> bool:
    if getattr(value, "__dict__", None):
        return True
    # Without parameters the dict is empty, and the class is all there is to tell;
    # but for what pickles itself in a way of its own.
    kind = type(value)
    return (
        hasattr(value, "__dict__")
        and kind.__reduce__ is object.__reduce__
        and kind.__reduce_ex__ is object.__reduce_ex__
    )


def _text(state: Any, text: str) -> None:
    # The length first, so that "a" + "bc" is not "ab" + "c".
    data = text.encode("utf-8", "surrogatepass")
    state.update(f"{len(data)}:".encode())
    state.update(data)


def _feed_array(state: Any, array: np.ndarray, within: tuple[int, ...]) -> None:
    _text(state, f"array {array.shape} {array.dtype}")
    if array.dtype == object:
        _feed(state, array.tolist(), within)
        return
    if array.nbytes == 0:
        return
    if array.flags.c_contiguous:
        state.update(array.reshape(-1).view(np.uint8).data)
        return
    # A copy of all of a large array, only to read it, is avoided.
    for row in array if array.ndim else array[None]:
        state.update(np.ascontiguousarray(row).tobytes())


def _feed_map(state: Any, array: np.memmap, within: tuple[int, ...]) -> None:
    place = array.__array_interface__["data"][0]
    whole = array
    while isinstance(whole.base, np.memmap):
        whole = whole.base
    name = getattr(array, "filename", None)
    changed = os.stat(name).st_mtime_ns if name and os.path.exists(name) else None
    offset = place - whole.__array_interface__["data"][0] + int(whole.offset)
    where = [array.shape, str(array.dtype), array.strides, offset]
    rows = np.unique(np.linspace(0, len(array) - 1, _ROWS_OF_A_MAP).astype(int))
    _feed(state, [str(name), changed, *where, np.asarray(array[rows])], within)


def _feed_table(state: Any, table: Any, within: tuple[int, ...]) -> None:
    _text(state, f"{type(table).__name__} {table.shape}")
    if isinstance(table, pd.DataFrame):
        _feed(state, [str(name) for name in table.columns], within)
        columns = [table.iloc[:, number] for number in range(table.shape[1])]
    else:
        columns = [table]
    for column in columns:
        _text(state, str(column.dtype))
        try:
            values = pd.util.hash_pandas_object(column, index=False).to_numpy()
        except TypeError:  # lists, arrays and the like in the cells
            values = np.asarray(column, dtype=object)
        _feed_array(state, values, within)
    if not isinstance(table, pd.Index):
        _feed_table(state, table.index, within)
        _feed(state, dict(table.attrs), within)


def _feed_class(state: Any, kind: type, within: tuple[int, ...]) -> None:
    _text(state, f"class {kind.__module__}.{kind.__qualname__}")
    if kind.__module__ == "builtins":
        return
    version = _version(kind.__module__.partition(".")[0])
    if version is not None:
        _text(state, version)
        return
    if not state.first_time(kind):
        return
    # What Python itself writes into a class, some of it while the class is used
    # (`__slotnames__`), is not what it does.
    parts = {
        name: part
        for name, part in vars(kind).items()
        if isinstance(part, _METHODS)
        or (_is_plain(part) and not (name.startswith("__") and name.endswith("__")))
    }
    _feed(state, parts, within)
    for base in kind.__bases__:
        _feed_class(state, base, within)


def _feed_function(
    state: Any, function: types.FunctionType, within: tuple[int, ...]
) -> None:
    module = str(function.__module__)
    _text(state, f"function {module}.{function.__qualname__}")
    version = _version(module.partition(".")[0])
    if version is not None and "<locals>" not in function.__qualname__:
        _text(state, version)
        return
    if not state.first_time(function):
        return
    cells = []
    for cell in function.__closure__ or ():
        try:
            cells.append(cell.cell_contents)
        except ValueError:  # nothing is in it yet
            cells.append("empty")
    does = [function.__code__, function.__defaults__, function.__kwdefaults__, cells]
    _feed(state, does, within)
    # What it finds by name: constants, functions and classes of one's own.
    names = sorted(_names(function.__code__))
    for name in names:
        found = function.__globals__.get(name)
        if _is_plain(found) or _is_own_code(found):
            _text(state, name)
            _feed(state, found, within)
        elif isinstance(found, types.ModuleType) and _is_own(found.__name__):
            for inner in names:
                part = vars(found).get(inner)
                if _is_plain(part) or _is_own_code(part):
                    _text(state, f"{name}.{inner}")
                    _feed(state, part, within)


def _names(code: types.CodeType) -> set[str]:
    """Names that code looks up, functions and comprehensions within it included."""
    names = set(code.co_names)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            names |= _names(part)
    return names


def _is_plain(value: Any) -> bool:
    """Tell constants, and tables of constants and of code."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_is_plain(part) or _is_own_code(part) for part in value)
    if isinstance(value, dict):
        return all(_is_plain(part) or _is_own_code(part) for part in value.values())
    return isinstance(value, (bool, int, float, complex, str, bytes, np.ndarray))


def _is_own_code(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, type)) and _is_own(value.__module__)


def _is_own(module: Any) -> bool:
    """Tell modules whose code no version tells."""
    package = str(module).partition(".")[0]
    return package not in sys.stdlib_module_names and _version(package) is None


def _version(package: str) -> str | None:
    """Version that a package tells; None for scripts and modules of one's own."""
    if package == "__main__":
        return None  # a script is edited more often than the version that it tells
    version = getattr(sys.modules.get(package), "__version__", None)
    return version if isinstance(version, str) else _installed(package)


@functools.cache
def _installed(package: str) -> str | None:
    """Version of an installed distribution, imported or not."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
