"""MontageTransformer."""

import numpy as np
import pytest
from sklearn.base import clone

from hmsklearn.montage import CH_NAMES, MONTAGES, Montage
from hmsklearn.preprocessing import MontageTransformer


@pytest.mark.parametrize("name", MONTAGES)
def test_ready_montages(signals, name):
    montage = MontageTransformer(name).fit(signals)
    result = montage.transform(signals)
    anodes, cathodes = MONTAGES[name].indices()
    np.testing.assert_array_equal(result, signals[:, anodes] - signals[:, cathodes])
    assert result.flags.c_contiguous
    assert result.dtype == np.float32
    assert montage.get_feature_names_out().tolist() == list(MONTAGES[name].names)
    assert montage.get_feature_names_out(CH_NAMES).tolist() == list(
        MONTAGES[name].names
    )
    assert montage.montage_ is MONTAGES[name]


def test_default_is_the_double_banana_of_the_competition_columns(signals):
    result = MontageTransformer().fit_transform(signals)
    assert result.shape == (6, 18, 400)
    np.testing.assert_array_equal(result[:, 0], signals[:, 0] - signals[:, 4])


def test_custom_pairs_names_and_aliases(signals):
    pairs = [("FP1", "T7"), "P8-O2", ("ECG", "Cz")]
    montage = MontageTransformer(pairs).fit(signals)
    names = [("Fp1", "T3"), ("T6", "O2"), ("EKG", "Cz")]
    assert montage.get_feature_names_out().tolist() == ["-".join(n) for n in names]
    where = CH_NAMES.index
    expected = [signals[:, where(a)] - signals[:, where(b)] for a, b in names]
    np.testing.assert_array_equal(montage.transform(signals), np.stack(expected, 1))


def test_order_of_channels_is_given_by_name(signals):
    order = np.random.default_rng(0).permutation(len(CH_NAMES))
    names = [f"EEG {CH_NAMES[i].upper()}-REF" for i in order]
    np.testing.assert_array_equal(
        MontageTransformer(ch_names=names).fit_transform(signals[:, order]),
        MontageTransformer().fit_transform(signals),
    )


def test_recordings_without_ekg(signals):
    montage = MontageTransformer(ch_names=CH_NAMES[:19])
    np.testing.assert_array_equal(
        montage.fit_transform(signals[:, :19]),
        MontageTransformer().fit_transform(signals),
    )


def test_a_montage_object(signals):
    mine = Montage("mine", (("C3", "Cz"), ("Cz", "C4")), {"row": (0, 1)})
    montage = clone(MontageTransformer(mine)).fit(signals)
    assert montage.get_feature_names_out().tolist() == ["C3-Cz", "Cz-C4"]


def test_nan_stays_where_it_is(signals):
    X = signals.copy()
    X[2, CH_NAMES.index("T3"), 7] = np.nan
    result = MontageTransformer().fit_transform(X)
    names = np.array(MONTAGES["double_banana"].names)
    windows, pairs, times = np.nonzero(np.isnan(result))
    assert set(windows) == {2}
    assert set(times) == {7}
    assert names[pairs].tolist() == ["F7-T3", "T3-T5"]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"montage": "double_bananna"}, "not known.*Nearest: double_banana"),
        ({"montage": ["Fp1-F9"]}, "electrode 'F9'.*Nearest"),
        ({"montage": None}, "montage must be a name or a list of pairs"),
        ({"ch_names": CH_NAMES[:19]}, "X has 20 channels .*ch_names has 19 names"),
        ({"ch_names": "Fp1"}, "ch_names must be a list of names"),
        ({"ch_names": ["T3", "T7", *CH_NAMES[2:]]}, "same electrode"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^MontageTransformer: .*{text}"):
        MontageTransformer(**params).fit(signals)


def test_wrong_number_of_channels_names_the_remedy(signals):
    with pytest.raises(ValueError, match=r"19 channels.*20 columns.*Pass ch_names"):
        MontageTransformer().fit(signals[:, :19])
    with pytest.raises(ValueError, match=r"19 channels.*expecting 20"):
        MontageTransformer().fit(signals).transform(signals[:, :19])
