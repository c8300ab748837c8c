"""Checks of transformers that also take torch tensors."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from hmsklearn.testing._data import CheckData
from hmsklearn.testing._helpers import assert_close, assert_raises, fit, fresh


def check_tensors(name: str, estimator: Any, data: CheckData) -> None:
    """Check that tensors in are tensors out, with the numbers of the arrays.

    The same step then serves in front of a network, on its device and with a gradient.
    """
    for dtype in (np.float32, np.float64):
        X = data.X.astype(dtype)
        mine = CheckData(data.kind, X, data.votes, data.groups)
        fitted = fit(fresh(estimator), mine)
        expected = fitted.transform(X)
        for how, transformer in (
            ("transform", fitted),
            ("transform after fit on tensors", fresh(estimator).fit(torch.tensor(X))),
        ):
            given = torch.tensor(X)
            result = transformer.transform(given)
            assert isinstance(result, torch.Tensor), f"{name}: {how} gives no tensor"
            assert result.dtype == given.dtype, (
                f"{name}: {how} turns {given.dtype} into {result.dtype}"
            )
            assert_close(
                result.detach().numpy(),
                expected,
                f"{name}: {how} disagrees with arrays",
                rtol=1e-4,
            )
            assert np.array_equal(given.numpy(), X), f"{name}: {how} writes into X"
        result = fresh(estimator).fit_transform(torch.tensor(X))
        assert isinstance(result, torch.Tensor), f"{name}: fit_transform: no tensor"


def check_tensors_refused(name: str, estimator: Any, data: CheckData) -> None:
    """Check that tensors of other types or shapes are errors, as arrays are."""
    X = torch.tensor(data.X)
    fitted = fit(fresh(estimator), data)
    for what, bad in (
        ("half precision", X.half()),
        ("integers", X.long()),
        ("too few axes", X[0, 0]),
        ("one channel more", torch.cat([X, X[:, :1]], dim=1)),
        ("no windows", X[:0]),
    ):
        assert_raises(
            partial(fitted.transform, bad),
            f"{name}: a tensor of {what}",
            named=estimator,
        )
