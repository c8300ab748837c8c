"""Checks of repeatability: batches, order, copies, seeds, and what is kept."""

from __future__ import annotations

import functools
import pickle
import random
import tempfile
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import is_classifier

from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import (
    assert_close,
    assert_same_outputs,
    fit,
    fresh,
    outputs,
    predictors,
)

# Sums in another order differ in the last bits of float32, and a network amplifies
# them a little.
_BATCH_RTOL = 1e-4


def check_batch_invariance(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a window's result does not depend on the windows next to it.

    Window by window and in uneven batches come the numbers of one call; anything
    else means statistics over the batch, and a score that depends on its size.
    """
    fitted = fit(fresh(estimator), data)
    n = len(data)
    for method, call in predictors(fitted):
        if method == "predict":
            continue
        expected = call(data.X)
        for step in (1, 5):
            parts = [
                call(data.take(slice(start, start + step)).X)
                for start in range(0, n, step)
            ]
            assert_close(
                np.concatenate(parts),
                expected,
                f"{name}: {method} in batches of {step} differs from one call",
                rtol=_BATCH_RTOL,
            )


def check_order_invariance(name: str, estimator: Any, data: CheckData) -> None:
    """Check that windows in another order give the same results in that order."""
    fitted = fit(fresh(estimator), data)
    order = np.random.RandomState(1).permutation(len(data))
    expected = {m: result[order] for m, result in outputs(fitted, data.X).items()}
    actual = outputs(fitted, data.take(order).X)
    assert_same_outputs(
        actual, expected, f"{name}: the order of windows matters", rtol=_BATCH_RTOL
    )


def check_single_window(name: str, estimator: Any, data: CheckData) -> None:
    """Check that one window is enough for a result, and keeps its first axis.

    A transformer must also be content with one window in ``fit``.
    """
    one = data.take(slice(0, 1))
    stages = [fit(fresh(estimator), data)]
    if not is_classifier(estimator):
        stages.append(fit(fresh(estimator), one))
    for fitted in stages:
        for method, call in predictors(fitted):
            length = len(call(one.X))
            assert length == 1, f"{name}: {method} of one window has length {length}"


def check_copies(name: str, estimator: Any, data: CheckData) -> None:
    """Check that copies by pickle and joblib give the same results bit for bit.

    Also where joblib maps the file into memory, which makes arrays read-only.
    """
    fitted = fit(fresh(estimator), data)
    expected = outputs(fitted, data.X)
    copies = {"pickle": pickle.loads(pickle.dumps(fitted))}
    unfitted = pickle.loads(pickle.dumps(fresh(estimator)))
    copies["pickle before fit"] = fit(unfitted, data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "estimator.joblib"
        joblib.dump(fitted, path)
        copies["joblib"] = joblib.load(path)
        results = {how: outputs(copy, data.X) for how, copy in copies.items()}
        mapped = joblib.load(path, mmap_mode="r")
        results["joblib, memory-mapped"] = outputs(mapped, data.X)
        del mapped
    for how, actual in results.items():
        assert_same_outputs(actual, expected, f"{name}: differs after {how}")


def check_fit_idempotent(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a second ``fit`` on the same data changes nothing."""
    fitted = fit(fresh(estimator), data)
    expected = outputs(fitted, data.X)
    actual = outputs(fit(fitted, data), data.X)
    assert_same_outputs(actual, expected, f"{name}: fitting twice changes the result")


def check_refit_overwrites(name: str, estimator: Any, data: CheckData) -> None:
    """Check that ``fit`` on other data forgets the data before."""
    other = data.take(slice(0, None, -1)) if len(data) < 12 else data.take(slice(4, 20))
    expected = outputs(fit(fresh(estimator), other), data.X)
    actual = outputs(fit(fit(fresh(estimator), data), other), data.X)
    assert_same_outputs(actual, expected, f"{name}: an earlier fit leaves traces")


def check_seed(name: str, estimator: Any, data: CheckData) -> None:
    """Check that with a fixed ``random_state`` two fits agree bit for bit.

    Also when the global generators stand elsewhere: the result must come from the
    seed alone.
    """
    first = outputs(fit(fresh(estimator), data), data.X)
    with _global_seeds(1234):
        second = outputs(fit(fresh(estimator), data), data.X)
    assert_same_outputs(second, first, f"{name}: two fits with one seed differ")


def check_global_random_state(name: str, estimator: Any, data: CheckData) -> None:
    """Check that the global random generators are left where they stand.

    An estimator that seeds them makes every other part of a program repeat itself.
    """
    before = _global_states()
    outputs(fit(fresh(estimator), data), data.X)
    for library, state in _global_states().items():
        assert state == before[library], (
            f"{name}: moves the global random state of {library}"
        )


class _global_seeds:
    """Seed the global generators, and put them back at the end."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        import torch

        self.before = (
            np.random.get_state(),  # noqa: NPY002
            torch.get_rng_state(),
            random.getstate(),
        )
        np.random.seed(self.seed)  # noqa: NPY002 - the global one is the point
        torch.default_generator.manual_seed(self.seed)
        random.seed(self.seed)

    def __exit__(self, *error: object) -> None:
        import torch

        np.random.set_state(self.before[0])  # noqa: NPY002
        torch.set_rng_state(self.before[1])
        random.setstate(self.before[2])


def _global_states() -> dict[str, Any]:
    import torch

    state: Any = np.random.get_state()  # noqa: NPY002
    return {
        "numpy.random": (state[1].tobytes(), *state[2:]),
        "torch": torch.get_rng_state().numpy().tobytes(),
        "random": random.getstate(),
    }


def check_no_data_kept(name: str, estimator: Any, data: CheckData) -> None:
    """Check that a fitted estimator holds no training data: no view and no copy.

    A dumped model would carry patients' recordings and be as large as they are.
    """
    mine = data.take(slice(None))
    fitted = fit(fresh(estimator), mine)
    outputs(fitted, mine.X)
    arrays = {"X": mine.X, "y": mine.votes, "groups": mine.groups}
    n = len(mine)
    for where, value in _walk(fitted, name):
        for which, array in arrays.items():
            assert not _shares(value, array), (
                f"{name}: {where} is the training data ({which}) or a view of it"
            )
        shape = getattr(value, "shape", None)
        long = shape[0] if shape else len(value) if isinstance(value, list) else 0
        assert long != n, f"{name}: {where} has one entry for each training window"
        assert shape is None or n not in tuple(shape), (
            f"{name}: {where} of shape {tuple(shape)} has an axis of training windows"
        )
    many = mine.take(np.tile(np.arange(n), 4))
    more = len(pickle.dumps(fit(fresh(estimator), many)))
    growth = more - len(pickle.dumps(fitted))
    added = 3 * _nbytes(mine.X)
    assert growth < 0.1 * added + 1024, (
        f"{name}: four times the windows add {growth} bytes to the pickle, where the "
        f"windows themselves are {added} bytes"
    )


def _nbytes(X: Any) -> int:
    return int(X.nbytes if isinstance(X, np.ndarray) else X.memory_usage().sum())


def _shares(value: Any, data: Any) -> bool:
    if value is data:
        return True
    if hasattr(value, "detach") and hasattr(value, "numpy"):  # a torch tensor
        if value.device.type != "cpu" or value.dtype.is_floating_point is None:
            return False
        value = value.detach().numpy()
    if isinstance(value, np.ndarray) and isinstance(data, np.ndarray):
        return bool(np.shares_memory(value, data))
    if hasattr(value, "to_numpy") and hasattr(data, "equals"):
        return bool(data.equals(value))
    return False


def _walk(root: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every array, tensor, table and list that can be reached from `root`.

    Through attributes, containers, partial functions, closures and bound methods.
    Modules and classes are not entered: they belong to the program.
    """
    stack: list[tuple[str, Any]] = [(name, root)]
    seen: set[int] = set()
    keep: list[Any] = []  # an id is only unique while its object lives
    while stack:
        where, value = stack.pop()
        if id(value) in seen or value is None:
            continue
        seen.add(id(value))
        keep.append(value)
        if isinstance(value, (str, bytes, int, float, type, types.ModuleType)):
            continue
        if hasattr(value, "shape") and not callable(value.shape):
            yield where, value
            base = getattr(value, "base", None)
            if isinstance(base, np.ndarray):
                stack.append((f"{where}.base", base))
            continue
        if isinstance(value, list):
            yield where, value
        stack.extend(_parts(where, value))


def _parts(where: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, Mapping):
        return [(f"{where}[{key!r}]", part) for key, part in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [(f"{where}[{i}]", part) for i, part in enumerate(value)]
    if isinstance(value, functools.partial):
        return [
            (f"{where} (partial)", part)
            for part in (value.func, value.args, value.keywords)
        ]
    if isinstance(value, types.MethodType):
        return [(f"{where}.__self__", value.__self__)]
    if isinstance(value, types.FunctionType):
        return [
            (f"{where} (closure)", cell.cell_contents)
            for cell in value.__closure__ or ()
            if _filled(cell)
        ]
    parts = list(getattr(value, "__dict__", {}).items())
    for cls in type(value).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            if isinstance(slot, str) and slot not in ("__dict__", "__weakref__"):
                with_slot = getattr(value, slot, None)
                parts.append((slot, with_slot))
    return [(f"{where}.{attribute}", part) for attribute, part in parts]


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - raises where the cell is empty
    except ValueError:
        return False
    return True
