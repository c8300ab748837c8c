"""New labels out of old ones and teachers'."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hmsklearn.semi_supervised import blend_pseudo_labels


def fractions(draw, n, k):
    raw = draw(arrays(float, (n, k), elements=st.floats(0.01, 1)))
    return raw / raw.sum(axis=1, keepdims=True)


@st.composite
def cases(draw):
    n, m, k = (draw(st.integers(1, 5)) for _ in range(3))
    teachers = np.stack([fractions(draw, n, k) for _ in range(m)], axis=1)
    return fractions(draw, n, k), teachers


WEIGHTS = st.floats(0.01, 10)


def test_the_8th_place():
    old = np.array([[1.0, 0.0, 0.0]])
    m1, m2, m3 = np.array([[[0.5, 0.5, 0.0]], [[0.0, 0.0, 1.0]], [[0.2, 0.2, 0.6]]])
    new = blend_pseudo_labels(old, np.stack([m1, m2, m3], axis=1))
    np.testing.assert_allclose(new, 0.1 * old + 0.3 * (m1 + m2 + m3), rtol=1e-12)


@given(cases(), WEIGHTS, WEIGHTS)
def test_is_a_mixture(case, a, b):
    old, teachers = case
    raw = blend_pseudo_labels(
        old, teachers, old_weight=a, teacher_weight=b, normalize=False
    )
    np.testing.assert_allclose(raw, a * old + b * teachers.mean(axis=1), rtol=1e-9)
    new = blend_pseudo_labels(old, teachers, old_weight=a, teacher_weight=b)
    np.testing.assert_allclose(new, raw / (a + b), rtol=1e-9)
    np.testing.assert_allclose(new.sum(axis=1), 1.0, rtol=1e-12)


@given(cases(), WEIGHTS)
def test_only_the_relation_of_the_weights_counts(case, factor):
    old, teachers = case
    scaled = blend_pseudo_labels(
        old, teachers, old_weight=0.1 * factor, teacher_weight=0.9 * factor
    )
    np.testing.assert_allclose(scaled, blend_pseudo_labels(old, teachers), rtol=1e-9)


@given(cases())
def test_rows_without_label_get_the_teachers(case):
    old, teachers = case
    old[0] = np.nan
    for normalize in (True, False):
        new = blend_pseudo_labels(old, teachers, normalize=normalize)
        np.testing.assert_allclose(new[0], teachers[0].mean(axis=0), rtol=1e-9)
    nobody = blend_pseudo_labels(None, teachers)
    np.testing.assert_allclose(nobody, teachers.mean(axis=1), rtol=1e-9)


def test_a_silent_teacher_is_left_out_of_the_mean():
    teachers = np.array([[[0.2, 0.8], [np.nan, np.nan], [0.6, 0.4]]])
    np.testing.assert_allclose(blend_pseudo_labels(None, teachers), [[0.4, 0.6]])


def test_input_is_not_written():
    old, teachers = np.full((2, 2), 0.5), np.full((2, 3, 2), 0.5)
    for array in (old, teachers):
        array.setflags(write=False)
    new = blend_pseudo_labels(old, teachers, old_weight=0)
    assert not np.shares_memory(new, teachers)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"old": [[0.5, 0.5, 0.0]] * 2}, "old has shape"),
        ({"old": [[2.0, 1.0]] * 2}, "no fractions"),
        ({"old": [[0.5, np.nan]] * 2}, "no fractions"),
        ({"teachers": np.full((2, 2, 2, 2), 0.5)}, "expected"),
        ({"teachers": [[0.5, 0.6], [0.5, 0.5]]}, "no probabilities.*row 0"),
        ({"teachers": [[1.5, -0.5], [0.5, 0.5]]}, "no probabilities"),
        ({"teachers": [[np.nan, np.nan], [0.5, 0.5]]}, "no teacher speaks.*row 0"),
        ({"old_weight": -1}, "old_weight"),
        ({"teacher_weight": np.inf}, "teacher_weight"),
        ({"old_weight": 0, "teacher_weight": 0}, "both zero"),
        ({"old": None, "teacher_weight": 0}, "no old label"),
    ],
)
def test_refusals(change, match):
    given_ = {"old": [[0.5, 0.5]] * 2, "teachers": [[0.5, 0.5]] * 2, **change}
    old, teachers = given_.pop("old"), given_.pop("teachers")
    with pytest.raises(ValueError, match=match):
        blend_pseudo_labels(old, teachers, **given_)
