"""Montages: pairs, names, chains, aliases, and errors that name the nearest."""

from itertools import pairwise

import numpy as np
import pytest

from hmsklearn.montage import (
    CH_NAMES,
    MONTAGES,
    Montage,
    canonical_name,
    get_montage,
    pick_channels,
)

LL = ["Fp1-F7", "F7-T3", "T3-T5", "T5-O1"]
RL = ["Fp2-F8", "F8-T4", "T4-T6", "T6-O2"]
LP = ["Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]
RP = ["Fp2-F4", "F4-C4", "C4-P4", "P4-O2"]
Z = ["Fz-Cz", "Cz-Pz"]


def test_channels_are_the_columns_of_a_competition_file():
    assert " ".join(CH_NAMES) == (
        "Fp1 F3 C3 P3 F7 T3 T5 O1 Fz Cz Pz Fp2 F4 C4 P4 F8 T4 T6 O2 EKG"
    )


def test_channels_are_the_columns_of_real_files(hms_data):
    import pyarrow.parquet

    paths = sorted(hms_data.glob("hms/*_eegs/*.parquet"))
    assert paths
    for path in paths:
        names = pyarrow.parquet.read_schema(path).names
        assert tuple(name for name in names if name in CH_NAMES) == CH_NAMES


def test_double_banana_in_the_organisers_order():
    full = get_montage("double_banana")
    assert list(full.names) == LL + RL + LP + RP + Z
    assert list(full.chains) == ["LL", "RL", "LP", "RP", "Z"]
    for name, chain in {"LL": LL, "RL": RL, "LP": LP, "RP": RP, "Z": Z}.items():
        assert [full.names[i] for i in full.chains[name]] == chain
    half = get_montage("double_banana_16")
    assert list(half.names) == LL + RL + LP + RP
    assert list(half.chains) == ["LL", "RL", "LP", "RP"]


@pytest.mark.parametrize("name", MONTAGES)
def test_matrix_and_indices_say_the_same(name):
    montage = MONTAGES[name]
    X = np.random.default_rng(0).normal(size=(len(CH_NAMES), 5))
    anodes, cathodes = montage.indices()
    np.testing.assert_allclose(montage.matrix() @ X, X[anodes] - X[cathodes])
    assert (montage.matrix().sum(axis=1) == 0).all()
    for (anode, cathode), i, j in zip(montage.pairs, anodes, cathodes, strict=True):
        assert (CH_NAMES[i], CH_NAMES[j]) == (anode, cathode)


@pytest.mark.parametrize("name", MONTAGES)
def test_a_chain_telescopes(name):
    montage = MONTAGES[name]
    for chain in montage.chains.values():
        pairs = [montage.pairs[i] for i in chain]
        for before, after in pairwise(pairs):
            assert before[1] == after[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("FP1", "Fp1"),
        ("EEG Fp1-REF", "Fp1"),
        ("EEG fp1-LE", "Fp1"),
        ("T7", "T3"),
        ("t8", "T4"),
        ("P7", "T5"),
        ("EEG P8-REF", "T6"),
        ("ECG", "EKG"),
        ("EKG", "EKG"),
        (" Cz ", "Cz"),
        ("A1", "A1"),
    ],
)
def test_aliases(given, expected):
    assert canonical_name(given) == expected


def test_every_channel_is_its_own_canonical_name():
    assert tuple(map(canonical_name, CH_NAMES)) == CH_NAMES
    assert tuple(canonical_name(name.upper()) for name in CH_NAMES) == CH_NAMES


def test_picking_by_alias_and_order():
    modern = ["EEG O1-REF", "EEG T7-REF", "EEG Fp1-REF"]
    assert pick_channels(["Fp1", "T3"], modern).tolist() == [2, 1]


def test_missing_and_doubled_electrodes():
    with pytest.raises(ValueError, match=r"^Name: electrode 'F9'.*Nearest:.*F7"):
        pick_channels(["F9"], CH_NAMES, caller="Name")
    with pytest.raises(ValueError, match=r"same electrode .T3.*Drop one"):
        pick_channels(["O1"], ["T3", "T7", "O1"])


def test_montages_from_pairs():
    assert get_montage([("Fp1", "T7"), "T7-O1"]).names == ("Fp1-T3", "T3-O1")
    mine = Montage("mine", (("Fp1", "O1"),), {"L": (0,)})
    assert get_montage(mine) is mine
    assert len(mine) == 1


@pytest.mark.parametrize("chain", [(0, 1), (-1,), ()])
def test_chains_hold_positions_of_pairs(chain):
    with pytest.raises(ValueError, match=r"chain 'L' .* positions 0 \.\. 0"):
        Montage("mine", (("Fp1", "O1"),), {"L": chain})


def test_unknown_montage_names_the_nearest():
    with pytest.raises(ValueError, match=r"Name: montage 'banana'.*Nearest:.*banana"):
        get_montage("banana", caller="Name")


@pytest.mark.parametrize("given", [None, 3, [1], ["Fp1"], [("Fp1",)], ["a-b-c"]])
def test_unusable_pairs(given):
    with pytest.raises(ValueError, match=r"must be a name or a list of pairs"):
        get_montage(given)


def test_no_pairs():
    with pytest.raises(ValueError, match=r"holds no pair"):
        get_montage([])
