import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")

from hmsklearn.montage import CH_NAMES  # noqa: E402
from hmsklearn.plotting import (  # noqa: E402
    KLBarDisplay,
    SpectrogramDisplay,
    TracesDisplay,
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_traces_draw_the_derivations_of_the_montage():
    window = np.zeros((20, 400))
    window[CH_NAMES.index("Fp1")] = np.sin(np.arange(400) / 10) * 30
    display = TracesDisplay.from_window(window).plot(spacing=100)
    by_name = dict(zip(display.ch_names, display.lines_, strict=True))
    assert np.ptp(by_name["Fp1-F7"].get_ydata()) == pytest.approx(60, abs=1)
    assert np.ptp(by_name["Fp1-F3"].get_ydata()) == pytest.approx(60, abs=1)
    assert np.ptp(by_name["F7-T3"].get_ydata()) == 0


def test_traces_run_top_to_bottom_in_montage_order():
    display = TracesDisplay.from_window(np.zeros((20, 100))).plot()
    heights = [line.get_ydata()[0] for line in display.lines_]
    assert heights == sorted(heights, reverse=True)
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert tuple(labels) == display.ch_names


def test_traces_of_any_montage_run_chain_after_chain():
    by_turns = TracesDisplay.from_window(np.zeros((20, 100)), montage="3rd")
    assert by_turns.ch_names[:4] == ("Fp1-F7", "F7-T3", "T3-T5", "T5-O1")
    assert by_turns.chains["RL"] == (4, 5, 6, 7)
    window = np.arange(20.0)[:, None] * np.ones(100)
    average = TracesDisplay.from_window(window, montage="average_reference")
    np.testing.assert_allclose(average.signals[:, 0], np.arange(19) - 9, atol=1e-12)


def test_traces_shade_the_rated_centre():
    display = TracesDisplay.from_window(np.zeros((20, 10_000))).plot()
    (span,) = display.ax_.patches
    left = span.get_x()
    assert left == pytest.approx(20, abs=0.01)
    assert left + span.get_width() == pytest.approx(30, abs=0.01)


def test_traces_leave_gaps_at_nan():
    window = np.zeros((20, 100))
    window[0] = np.nan
    display = TracesDisplay.from_window(window).plot()
    assert np.isnan(display.lines_[0].get_ydata()).all()
    assert np.isfinite(display.lines_[1].get_ydata()).all()


def test_traces_refuse_a_batch():
    with pytest.raises(ValueError, match=r"TracesDisplay.*one window"):
        TracesDisplay.from_window(np.zeros((2, 20, 100)))


def test_spectrogram_puts_low_frequencies_at_the_bottom():
    image = np.zeros((1, 4, 3))
    image[0, 0] = 1.0  # the lowest bin
    display = SpectrogramDisplay(image).plot()
    assert display.image_.get_array()[-1].tolist() == [1, 1, 1]
    assert display.image_.get_array()[0].tolist() == [0, 0, 0]


def test_spectrogram_names_its_planes():
    display = SpectrogramDisplay(
        np.zeros((2, 4, 3)), plane_names=np.array(["LL", "RL"], dtype=object)
    ).plot()
    labels = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert labels == ["LL", "RL"]


def test_spectrogram_refuses_a_batch():
    with pytest.raises(ValueError, match=r"SpectrogramDisplay.*images\[i\]"):
        SpectrogramDisplay(np.zeros((1, 2, 4, 3))).plot()


def test_bars_are_sorted_and_coloured_by_role():
    display = KLBarDisplay(
        {"mean": 1.2, "stack": 0.4, "mel": 0.6},
        baselines=["mean"],
        highlight=["stack"],
    ).plot()
    widths = [bar.get_width() for bar in display.bars_]
    assert widths == [0.4, 0.6, 1.2]
    colours = {bar.get_facecolor() for bar in display.bars_}
    assert len(colours) == 3


def test_spectrogram_labels_the_edges_of_every_plane():
    display = SpectrogramDisplay(np.zeros((2, 4, 3)), frequency_range=(0.5, 40)).plot()
    labels = [text.get_text() for text in display.ax_.texts]
    assert labels == ["40 Hz", "0.5 Hz"] * 2
