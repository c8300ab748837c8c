"""Which checks an estimator gets, and the two ways to run them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from unittest import SkipTest

from sklearn import config_context
from sklearn.base import is_classifier
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks as sklearn_checks

from hmsklearn.testing import (
    _checks_api,
    _checks_classifier,
    _checks_input,
    _checks_invariance,
    _checks_tensor,
    _checks_transformer,
)
from hmsklearn.testing._data import (
    TABLES,
    CheckData,
    guess_kind,
    make_check_data,
    suited,
)
from hmsklearn.testing._helpers import accepts
from hmsklearn.testing._instances import find_case

__all__ = ["check_signal_estimator", "parametrize_with_signal_checks"]

# scikit-learn's checks that build and ask an estimator without giving it data.
# The others need 2-D input and run through an adapter.
_WITHOUT_DATA = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)


def _yield_checks(estimator: Any, data_kind: str) -> Iterator[Callable[..., None]]:
    """Yield the checks that apply, by what the estimator is and what it takes."""
    is_array = data_kind not in TABLES
    transforms = hasattr(estimator, "transform")
    classifies = is_classifier(estimator)

    for check_name in _WITHOUT_DATA:
        yield getattr(sklearn_checks, check_name)

    yield _checks_api.check_init_stores_params
    yield _checks_api.check_default_arguments
    yield _checks_api.check_params_round_trip
    yield _checks_api.check_fit_returns_self
    yield _checks_api.check_fit_keeps_params
    yield _checks_api.check_fitted_names
    yield _checks_api.check_methods_keep_state
    yield _checks_api.check_unfitted
    yield _checks_api.check_html_repr
    yield _checks_api.check_pipeline
    if accepts(estimator, "groups") or accepts(estimator, "sample_weight"):
        yield _checks_api.check_metadata_requests

    yield _checks_input.check_input_not_written
    yield _checks_input.check_no_windows
    if is_array:
        yield _checks_api.check_n_features_in
        yield _checks_input.check_read_only_input
        yield _checks_input.check_memmap_input
        yield _checks_input.check_memory_layout
        yield _checks_input.check_integer_input
        yield _checks_input.check_nan_policy
        yield _checks_input.check_infinity
        yield _checks_input.check_wrong_ndim
        yield _checks_input.check_wrong_channels
        yield _checks_input.check_not_numbers
        yield _checks_input.check_sparse
    else:
        yield _checks_input.check_rows_refused
        yield _checks_input.check_row_labels

    yield _checks_invariance.check_batch_invariance
    yield _checks_invariance.check_order_invariance
    yield _checks_invariance.check_single_window
    yield _checks_invariance.check_copies
    yield _checks_invariance.check_fit_idempotent
    yield _checks_invariance.check_refit_overwrites
    yield _checks_invariance.check_seed
    yield _checks_invariance.check_global_random_state
    yield _checks_invariance.check_no_data_kept

    if transforms:
        if is_array:
            yield _checks_transformer.check_dtype_kept
            yield _checks_transformer.check_output_is_new
            if getattr(estimator, "_takes_tensors", False):
                yield _checks_tensor.check_tensors
                yield _checks_tensor.check_tensors_refused
        else:
            yield _checks_transformer.check_output_dtype
        yield _checks_transformer.check_y_ignored
        yield _checks_transformer.check_feature_names_out
        yield _checks_transformer.check_set_output
        yield _checks_transformer.check_fit_transform
    if classifies:
        yield _checks_classifier.check_classes
        yield _checks_classifier.check_vote_forms
        yield _checks_classifier.check_probabilities
        yield _checks_classifier.check_score
        yield _checks_classifier.check_wrong_votes
        yield _checks_classifier.check_encoded_votes_refused
        yield _checks_classifier.check_cross_val_score
        if accepts(estimator, "sample_weight"):
            yield _checks_classifier.check_sample_weight


def _bind(check: Callable[..., None], name: str, make: Callable[[], CheckData]) -> Any:
    """Turn a check into ``check(estimator)``, its data made when it runs."""
    if check.__module__ == sklearn_checks.__name__:
        return partial(check, name)

    def run(estimator: Any) -> None:
        check(name, estimator, make())

    run.__name__ = run.__qualname__ = check.__name__
    run.__doc__ = check.__doc__
    return run


def name_of_check(check: Any) -> str:
    """Name of a check's function, also behind ``functools.partial``."""
    if isinstance(check, partial):
        return name_of_check(check.func)
    return getattr(check, "__wrapped__", check).__name__


def _checks_of(estimator: Any, data: CheckData | None) -> Iterator[tuple[Any, Any]]:
    if isinstance(estimator, type):
        raise TypeError(
            f"check_signal_estimator: pass an instance of {estimator.__name__}, not "
            "the class."
        )
    case = find_case(estimator)
    if data is not None:
        kind, make = data.kind, lambda: data
    elif case is not None:
        kind, make = case.kind, case.make_data
    else:
        kind = guess_kind(estimator)
        make = partial(suited, make_check_data(kind), estimator)
    name = type(estimator).__name__
    for check in _yield_checks(estimator, kind):
        yield estimator, _bind(check, name, make)


def check_signal_estimator(
    estimator: Any,
    *,
    data: CheckData | None = None,
    generate_only: bool = False,
    expected_failed_checks: dict[str, str] | None = None,
    on_skip: str | None = "warn",
    on_fail: str | None = "raise",
    callback: Callable[..., None] | None = None,
) -> Any:
    """Check that an estimator on windows keeps the conventions.

    The three-dimensional counterpart of
    :func:`sklearn.utils.estimator_checks.check_estimator`, which gives up on
    estimators that do not take tables. It adds what matters for signals: float32
    and the input are kept, transformers are blind to the target, classifiers take
    votes in every form, NaN is refused or harmless, windows do not influence each
    other, and no training data stay in the model.

    Parameters
    ----------
    estimator : estimator instance
        A transformer or classifier. It is cloned, never fitted itself; give it small
        parameters, as it is fitted some hundred times.
    data : CheckData, optional
        Input to check with, from :func:`make_check_data`. By default what suits the
        estimator: known for those of this package, else guessed from the tags,
        (23, 4, 200) windows or (23, 2, 32, 32) images.
    generate_only : bool, default=False
        Return the pairs of estimator and check instead of running them.
    expected_failed_checks : dict of str to str, optional
        Names of checks that are known to fail, with the reason. One that passes is an
        error: the entry is out of date.
    on_skip : {"warn", None}, default="warn"
        Whether to warn about checks that cannot run here.
    on_fail : {"raise", "warn", None}, default="raise"
        Raise the first failure, warn about each, or only report them in the result.
    callback : callable, optional
        Called with the entries of each result as keyword arguments. Not together with
        ``on_fail="raise"``.

    Returns
    -------
    list of dict or generator of (estimator, check)
        For each check the keys ``estimator``, ``check_name``, ``exception``,
        ``status`` ("passed", "failed", "skipped" or "xfail"), ``expected_to_fail``
        and ``expected_to_fail_reason``, as in scikit-learn. With ``generate_only``
        the pairs, to be run as ``check(estimator)``.

    Raises
    ------
    Exception
        What the first failing check raised, with ``on_fail="raise"``.
    TypeError
        If `estimator` is a class.
    ValueError
        If `expected_failed_checks` names a check that the estimator does not get, or
        if `callback` comes with ``on_fail="raise"``.

    See Also
    --------
    parametrize_with_signal_checks : One pytest case for each check.
    WindowAdapter : Runs scikit-learn's own checks on an estimator of windows.

    Notes
    -----
    Each check is a function with a docstring that says why it is there. The data are
    float32 microvolt at 200 Hz without NaN; checks on NaN and infinity add them.

    Examples
    --------
    >>> from hmsklearn.testing import ChannelPowerClassifier, check_signal_estimator
    >>> results = check_signal_estimator(ChannelPowerClassifier())
    >>> {result["status"] for result in results}
    {'passed'}
    """
    pairs = list(_checks_of(estimator, data))
    if generate_only:
        return iter(pairs)
    if on_fail == "raise" and callback is not None:
        raise ValueError("callback cannot be provided together with on_fail='raise'")
    expected = dict(expected_failed_checks or {})
    _refuse_unknown(expected, pairs)
    results = []
    for _, check in pairs:
        result = _run(estimator, check, expected)
        results.append(result)
        if result["status"] == "failed":
            if on_fail == "raise":
                raise result["exception"]
            if on_fail == "warn":
                warnings.warn(
                    f"{result['check_name']} failed: {result['exception']}",
                    stacklevel=2,
                )
        elif result["status"] == "skipped" and on_skip == "warn":
            warnings.warn(
                f"{result['check_name']} was skipped: {result['exception']}",
                SkipTestWarning,
                stacklevel=2,
            )
        if callback is not None:
            callback(**result)
    return results


def _run(estimator: Any, check: Any, expected: dict[str, str]) -> dict[str, Any]:
    name = name_of_check(check)
    error: Exception | None = None
    status = "passed"
    try:
        check(estimator)
    except SkipTest as skip:
        error, status = skip, "skipped"
    except Exception as failure:
        error, status = failure, "xfail" if name in expected else "failed"
    if status == "passed" and name in expected:
        status = "failed"
        error = AssertionError(
            f"{name} passes although it is expected to fail ({expected[name]}). "
            "Remove it from expected_failed_checks."
        )
    return {
        "estimator": estimator,
        "check_name": name,
        "exception": error,
        "status": status,
        "expected_to_fail": name in expected,
        "expected_to_fail_reason": expected.get(name, ""),
    }


def _refuse_unknown(expected: dict[str, str], pairs: list[tuple[Any, Any]]) -> None:
    unknown = set(expected) - {name_of_check(check) for _, check in pairs}
    if unknown:
        raise ValueError(
            f"check_signal_estimator: expected_failed_checks names {sorted(unknown)}, "
            "which this estimator does not get. Remove them."
        )


def _pytest_id(value: Any) -> str | None:
    if hasattr(value, "get_params"):
        with config_context(print_changed_only=True):
            return re.sub(r"\s", "", repr(value))
    return name_of_check(value) if callable(value) else None


def parametrize_with_signal_checks(
    estimators: list[Any],
    *,
    expected_failed_checks: Callable[[Any], dict[str, str]] | None = None,
) -> Any:
    """Make one pytest case of every check of every estimator.

    Parameters
    ----------
    estimators : list of estimator instances
        What to check, see :func:`check_signal_estimator`.
    expected_failed_checks : callable, optional
        Takes an estimator, returns the names of the checks that are known to fail
        with the reasons. They become strict ``xfail`` marks: passing is an error.

    Returns
    -------
    pytest.MarkDecorator
        Decorates ``def test(estimator, check): check(estimator)``.

    Raises
    ------
    ValueError
        If a name among the expected failures belongs to no check of the estimator.

    Examples
    --------
    >>> from hmsklearn.testing import (
    ...     ChannelPowerClassifier, parametrize_with_signal_checks
    ... )
    >>> @parametrize_with_signal_checks([ChannelPowerClassifier()])
    ... def test_conventions(estimator, check):
    ...     check(estimator)
    """
    import pytest

    cases = []
    for estimator in estimators:
        expected = expected_failed_checks(estimator) if expected_failed_checks else {}
        pairs = list(_checks_of(estimator, None))
        _refuse_unknown(expected, pairs)
        for instance, check in pairs:
            reason = expected.get(name_of_check(check))
            marks = (
                [pytest.mark.xfail(reason=reason, strict=True)]
                if reason is not None
                else []
            )
            cases.append(pytest.param(instance, check, marks=marks))
    return pytest.mark.parametrize(("estimator", "check"), cases, ids=_pytest_id)
