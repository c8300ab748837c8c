"""Designs of recursive filters: SciPy's sections, edges where they belong, errors."""

import numpy as np
import pytest
from scipy.signal import butter, iirnotch, sosfreqz

from hmsklearn.signal import butterworth_sos, notch_sos
from hmsklearn.signal.filter_design import MAX_ORDER
from hmsklearn.signal.filter_padding import default_padlen, ringing_samples

BANDS = [(0.5, 20.0), (None, 20.0), (0.5, None), (1.6, 30.0), (0.5, 40.0)]
ORDERS = range(1, MAX_ORDER + 1)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
def test_design_is_scipys_and_stable(band, order):
    sos = butterworth_sos(*band, order=order)
    kind = {(True, True): "band", (False, True): "low", (True, False): "high"}
    edges = [edge for edge in band if edge is not None]
    expected = butter(
        order,
        edges if len(edges) > 1 else edges[0],
        kind[band[0] is not None, band[1] is not None],
        fs=200,
        output="sos",
    )
    np.testing.assert_array_equal(sos, expected)
    assert sos.dtype == np.float64
    for section in sos:
        assert (np.abs(np.roots(section[3:])) < 1).all()


@pytest.mark.parametrize("order", ORDERS)
def test_band_stop(order):
    sos = butterworth_sos(57.5, 62.5, order=order, btype="bandstop")
    expected = butter(order, [57.5, 62.5], "bandstop", fs=200, output="sos")
    np.testing.assert_array_equal(sos, expected)


@pytest.mark.parametrize(
    ("btype", "band"),
    [("lowpass", (None, 20)), ("highpass", (0.5, None)), ("bandpass", (0.5, 20))],
)
def test_kind_may_be_said(btype, band):
    np.testing.assert_array_equal(
        butterworth_sos(*band, btype=btype), butterworth_sos(*band)
    )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("band", BANDS)
def test_edges_are_three_decibels_down(band, order):
    edges = [edge for edge in band if edge is not None]
    _, response = sosfreqz(butterworth_sos(*band, order=order), worN=edges, fs=200)
    np.testing.assert_allclose(np.abs(response), np.sqrt(0.5), rtol=1e-6)


@pytest.mark.parametrize("sfreq", [100.0, 200.0, 256.0])
@pytest.mark.parametrize("method", ["butterworth", "resonator"])
def test_notches_stop_what_they_should(method, sfreq):
    freqs, widths = (20.0, 40.0), (2.0, 3.0)
    sos = notch_sos(freqs, width=widths, method=method, sfreq=sfreq)
    edges = [f + s * w / 2 for f, w in zip(freqs, widths, strict=True) for s in (-1, 1)]
    _, at_centres = sosfreqz(sos, worN=freqs, fs=sfreq)
    _, at_edges = sosfreqz(sos, worN=edges, fs=sfreq)
    _, elsewhere = sosfreqz(sos, worN=[0.0, 5.0, 49.9], fs=sfreq)
    assert (np.abs(at_centres) < 0.01).all()
    # The digital resonator's edges are those of the bilinear transform, not quite
    # symmetric, and each notch still reaches a little into the other.
    np.testing.assert_allclose(np.abs(at_edges), np.sqrt(0.5), atol=0.03)
    assert (np.abs(elsewhere) > 0.9).all()


def test_one_notch_is_scipys():
    np.testing.assert_array_equal(
        notch_sos(60.0), butter(3, [57.5, 62.5], "bandstop", fs=200, output="sos")
    )
    np.testing.assert_array_equal(
        notch_sos(60.0, width=2.0, order=5),
        butter(5, [59, 61], "bandstop", fs=200, output="sos"),
    )
    b, a = iirnotch(60.0, 30.0, fs=200)
    np.testing.assert_allclose(
        notch_sos(60.0, method="resonator"), [[*b, *a]], rtol=1e-12
    )


def test_notches_come_in_a_row():
    sos = notch_sos((90.0, 30.0, 60.0))
    single = [notch_sos(freq) for freq in (30.0, 60.0, 90.0)]
    np.testing.assert_array_equal(sos, np.concatenate(single))


@pytest.mark.parametrize("band", [*BANDS, (0.1, 20.0), (8.0, 13.0), (90.0, None)])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 8])
def test_ringing_is_mnes(band, order):
    mne = pytest.importorskip("mne")
    sos = butterworth_sos(*band, order=order)
    assert ringing_samples(sos) == mne.filter.estimate_ringing_samples(sos)


def test_ringing_has_an_end():
    assert ringing_samples(butterworth_sos(None, 0.001)) == 100_000


def test_default_padding_counts_coefficients():
    assert default_padlen(butterworth_sos(0.5, 20.0, order=4)) == 27
    assert default_padlen(butterworth_sos(None, 20.0, order=1)) == 6
    assert default_padlen(butterworth_sos(None, 20.0, order=3)) == 12


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"l_freq": 20.0, "h_freq": 0.5}, "l_freq=20.0 must be below h_freq=0.5.*Swap"),
        ({"l_freq": 5, "h_freq": 5}, "must be below"),
        ({"l_freq": None, "h_freq": None}, "both None"),
        ({"l_freq": 0, "h_freq": 20}, "l_freq must be .*above 0.*l_freq=None"),
        ({"l_freq": -1, "h_freq": 20}, "l_freq must be .*above 0, got -1"),
        ({"l_freq": 1, "h_freq": 0}, "h_freq must be .*h_freq=None"),
        ({"l_freq": 1, "h_freq": 100}, "h_freq=100 Hz must be below .*Nyquist.*100 Hz"),
        ({"l_freq": 150, "h_freq": None}, "l_freq=150 Hz must be below .*Nyquist"),
        ({"l_freq": 1, "h_freq": 30, "sfreq": 50}, "25 Hz at sfreq=50"),
        ({"l_freq": "1", "h_freq": 30}, "l_freq must be a finite number"),
        ({"l_freq": 1, "h_freq": np.nan}, "h_freq must be a finite number"),
        ({"l_freq": 1, "h_freq": 30, "sfreq": 0}, "sfreq must be .*above 0"),
        (
            {"l_freq": 1, "h_freq": 30, "order": 0},
            "order must be an integer at least 1",
        ),
        ({"l_freq": 1, "h_freq": 30, "order": 9}, "at most 8, got 9. Put two filters"),
        ({"l_freq": 1, "h_freq": 30, "order": 2.0}, "order must be an integer"),
        ({"l_freq": 1, "h_freq": 30, "btype": "band"}, "btype must be .*'bandpass'"),
        (
            {"l_freq": 1, "h_freq": 30, "btype": "lowpass"},
            "btype='lowpass' takes h_freq, and l_freq=None, got l_freq=1, h_freq=30",
        ),
        (
            {"l_freq": None, "h_freq": 30, "btype": "highpass"},
            "btype='highpass' takes l_freq, and h_freq=None",
        ),
        (
            {"l_freq": 59, "h_freq": None, "btype": "bandstop"},
            "btype='bandstop' takes l_freq and h_freq, got l_freq=59, h_freq=None",
        ),
        (
            {"l_freq": 61, "h_freq": 59, "btype": "bandstop"},
            "lower and the upper edge of what stops. Swap",
        ),
    ],
)
def test_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        butterworth_sos(**kwargs, caller="Name")


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"freqs": ()}, "freqs is empty"),
        ({"freqs": 0}, "freqs must be .*above 0, got 0"),
        ({"freqs": 120}, "freqs=120 Hz must be below .*Nyquist.*100 Hz"),
        ({"freqs": (60, "50")}, "freqs must be a finite number.*'50'"),
        ({"freqs": None}, "freqs must be a finite number"),
        ({"freqs": 98}, "reaches from 95.5 to 100.5 Hz, beyond 0 or the Nyquist"),
        ({"freqs": 2}, "reaches from -0.5 to 4.5 Hz, beyond 0"),
        ({"freqs": (60, 50), "width": (1, 2, 3)}, "width has 3 entries for 2 freqs"),
        ({"width": 0}, "width must be .*above 0, got 0"),
        ({"freqs": (60, 62)}, "notch at 62 Hz overlaps"),
        ({"freqs": (60, 60), "width": 0.5}, "notch at 60 Hz overlaps"),
        ({"method": "comb"}, "method must be one of 'butterworth', 'resonator'"),
        ({"order": 9}, "order must be an integer"),
        ({"sfreq": 0}, "sfreq must be"),
    ],
)
def test_notch_errors(kwargs, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        notch_sos(**kwargs, caller="Name")
