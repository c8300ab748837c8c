import numpy as np
import pandas as pd
import pytest

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")

from sklearn.linear_model import LogisticRegression  # noqa: E402

from hmsklearn.metrics import (  # noqa: E402
    expected_calibration_error,
    reliability_curve,
)
from hmsklearn.plotting import ReliabilityDisplay  # noqa: E402
from hmsklearn.votes import CLASSES  # noqa: E402

HOW = {"groups": np.arange(300) // 5, "n_bins": 5, "n_boot": 50, "random_state": 0}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def data(rng):
    truth = rng.dirichlet(np.ones(6), size=300)
    return rng.multinomial(12, truth), truth


def test_points_are_those_of_the_curve(data):
    votes, truth = data
    display = ReliabilityDisplay.from_predictions(votes, truth, classes="hms", **HOW)
    curve = reliability_curve(votes, truth, classes="hms", **HOW)
    pd.testing.assert_frame_equal(display.curve, curve)
    display.plot()
    assert len(display.axes_) == len(display.lines_) == 6
    for k, line in enumerate(display.lines_):
        part = curve[curve["class"] == CLASSES[k]]
        np.testing.assert_allclose(line.get_xdata(), part["predicted"])
        np.testing.assert_allclose(line.get_ydata(), part["voted"])
        (bars,) = [
            c for c in display.axes_[k].collections if hasattr(c, "get_segments")
        ]
        ends = np.array(bars.get_segments())
        sure = part["low"].notna().to_numpy()
        assert len(ends) == sure.sum()
        np.testing.assert_allclose(ends[:, :, 1], part[["low", "high"]][sure])


def test_titles_tell_the_error(data):
    votes, truth = data
    display = ReliabilityDisplay.from_predictions(votes, truth, classes="hms", **HOW)
    errors = expected_calibration_error(
        votes, truth, classes="hms", n_bins=5, average=None
    )
    titles = [ax.get_title(loc="left") for ax in display.plot(title="all").axes_]
    expected = zip(CLASSES, errors, strict=True)
    assert titles == [f"{name}   ECE {error:.3f}" for name, error in expected]
    assert display.figure_.get_suptitle() == "all"


def test_two_models_in_one_picture(data):
    votes, truth = data
    flat = 0.5 * truth + 0.5 / 6
    first = ReliabilityDisplay.from_predictions(votes, flat, name="flat", **HOW).plot()
    second = ReliabilityDisplay.from_predictions(votes, truth, name="true", **HOW)
    second.plot(first.axes_, color="red")
    assert second.figure_ is first.figure_
    assert " → " in second.axes_[0].get_title(loc="left")
    legend = [text.get_text() for text in second.axes_[0].get_legend().get_texts()]
    assert legend == ["flat", "true"]
    # The diagonal is drawn once.
    assert [line.get_linestyle() for line in first.axes_[0].lines].count("--") == 1


def test_top_label_has_one_panel(data):
    votes, truth = data
    display = ReliabilityDisplay.from_predictions(
        votes, truth, kind="top-label", **HOW
    ).plot()
    assert len(display.axes_) == 1
    assert display.axes_[0].get_title(loc="left").startswith("top label")
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert display.plot(ax).axes_[0] is ax


def test_points_of_one_patient_are_hollow(data):
    votes, truth = data
    display = ReliabilityDisplay.from_predictions(
        votes, truth, groups=np.zeros(300), n_bins=3
    ).plot()
    for ax in display.axes_:
        (points,) = [c for c in ax.collections if hasattr(c, "get_sizes")][-1:]
        assert (points.get_facecolor()[:, :3] == 1).all()


def test_from_estimator_puts_columns_in_class_order(rng):
    X = rng.normal(size=(300, 3))
    y = np.array(CLASSES)[rng.integers(0, 6, 300)]
    clf = LogisticRegression().fit(X, y)
    display = ReliabilityDisplay.from_estimator(clf, X, y, **HOW)
    order = [clf.classes_.tolist().index(name) for name in CLASSES]
    proba = clf.predict_proba(X)[:, order]
    expected = ReliabilityDisplay.from_predictions(y, proba, **HOW)
    pd.testing.assert_frame_equal(display.curve, expected.curve)
    assert display.name == "LogisticRegression"
    assert list(display.curve["class"].unique()) == list(CLASSES)


def test_wrong_number_of_axes(data):
    votes, truth = data
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(1, 2)
    display = ReliabilityDisplay.from_predictions(votes, truth, **HOW)
    with pytest.raises(ValueError, match="ax holds 2 axes, expected 6"):
        display.plot(axes)
