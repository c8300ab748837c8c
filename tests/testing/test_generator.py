"""How checks are chosen, run and reported."""

import numpy as np
import pytest

from hmsklearn.testing import (
    ChannelPowerClassifier,
    check_signal_estimator,
    make_check_data,
    parametrize_with_signal_checks,
)


class Accurate(ChannelPowerClassifier):
    """Has one fault: its score is an accuracy."""

    def score(self, X, y, sample_weight=None):
        return float(np.mean(self.predict_proba(X).argmax(axis=1) == y.argmax(axis=1)))


def names_of(pairs):
    return {getattr(c, "__name__", None) or c.func.__name__ for _, c in pairs}


def test_classifiers_and_transformers_get_their_checks():
    pairs = check_signal_estimator(ChannelPowerClassifier(), generate_only=True)
    names = names_of(pairs)
    assert {"check_vote_forms", "check_sample_weight", "check_copies"} <= names
    assert "check_y_ignored" not in names


def test_failures_are_raised_with_the_estimator_and_the_cause():
    with pytest.raises(AssertionError, match="Accurate: score is not the negative KL"):
        check_signal_estimator(Accurate())


def test_failures_are_reported():
    results = check_signal_estimator(Accurate(), on_fail=None)
    failed = [r for r in results if r["status"] != "passed"]
    assert [r["check_name"] for r in failed] == ["check_score"]
    assert failed[0]["status"] == "failed"
    assert isinstance(failed[0]["exception"], AssertionError)
    with pytest.warns(UserWarning, match="check_score failed"):
        check_signal_estimator(Accurate(), on_fail="warn")


def test_expected_failures_are_strict():
    expected = {"check_score": "accuracy is wanted here"}
    results = check_signal_estimator(Accurate(), expected_failed_checks=expected)
    [result] = [r for r in results if r["expected_to_fail"]]
    assert result["status"] == "xfail"
    assert result["expected_to_fail_reason"] == "accuracy is wanted here"
    with pytest.raises(AssertionError, match="passes although it is expected"):
        check_signal_estimator(
            ChannelPowerClassifier(), expected_failed_checks=expected
        )
    with pytest.raises(ValueError, match="check_scores"):
        check_signal_estimator(Accurate(), expected_failed_checks={"check_scores": ""})


def test_callback_hears_every_result():
    heard = []
    results = check_signal_estimator(
        ChannelPowerClassifier(),
        on_fail=None,
        callback=lambda **result: heard.append(result["check_name"]),
    )
    assert heard == [result["check_name"] for result in results]
    with pytest.raises(ValueError, match="callback"):
        check_signal_estimator(ChannelPowerClassifier(), callback=print)


def test_classes_are_refused():
    with pytest.raises(TypeError, match="instance"):
        check_signal_estimator(ChannelPowerClassifier)


def test_parametrize_marks_expected_failures():
    mark = parametrize_with_signal_checks(
        [Accurate()], expected_failed_checks=lambda e: {"check_score": "accuracy"}
    )
    names, cases = mark.args
    assert names == ("estimator", "check")
    marked = [case for case in cases if case.marks]
    assert len(marked) == 1
    assert marked[0].marks[0].kwargs == {"reason": "accuracy", "strict": True}
    assert marked[0].values[1].__name__ == "check_score"


def test_given_data_are_used():
    data = make_check_data("images", shape=(3, 8, 8), n_windows=13)
    seen = []

    class Watcher(ChannelPowerClassifier):
        def fit(self, X, y, sample_weight=None):
            seen.append(np.shape(X)[1:])
            return super().fit(X, y, sample_weight)

    check_signal_estimator(Watcher(), data=data, on_fail=None)
    assert (3, 8, 8) in seen


@pytest.mark.parametrize("kind", ["windows", "images", "probabilities"])
def test_check_data_hold_every_class_and_no_gap(kind):
    data = make_check_data(kind)
    assert data.X.dtype == np.float32
    assert np.isfinite(data.X).all()
    assert (data.votes.sum(axis=0) > 0).all()
    assert (data.votes.sum(axis=1) > 0).all()
    assert len(np.unique(data.groups)) > 3
    np.testing.assert_array_equal(data.take([4, 2]).X, data.X[[4, 2]])
    with pytest.raises(ValueError, match="not known"):
        make_check_data("sounds")
