"""Montages: weights, names, chains, flips, aliases, errors that name the nearest."""

import copy
import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import (
    CH_NAMES,
    MONTAGES,
    Derivation,
    Montage,
    canonical_name,
    front_back_electrode,
    get_montage,
    mirror_electrode,
    pick_channels,
)
from hmsklearn.signal import derive, group_means
from hmsklearn.signal.host_spectrogram import HOST_PANELS

LL = ["Fp1-F7", "F7-T3", "T3-T5", "T5-O1"]
RL = ["Fp2-F8", "F8-T4", "T4-T6", "T6-O2"]
LP = ["Fp1-F3", "F3-C3", "C3-P3", "P3-O1"]
RP = ["Fp2-F4", "F4-C4", "C4-P4", "P4-O2"]
Z = ["Fz-Cz", "Cz-Pz"]
SCALP = list(CH_NAMES[:19])

#: What the sources list, name by name.
TABLES = {
    "host": [*LL, *RL, *LP, *RP, *Z],
    "4th_yu4u": [*LL, *RL, *LP, *RP, *Z],
    "7th": [*LL, *RL, *LP, *RP, *Z],
    "adamnarai": [*LL, *RL, *LP, *RP, *Z],
    "double_banana_19": [*LL, *RL, *LP, *RP, *Z, "EKG"],
    "2nd": [*LL, *RL, *LP, *RP],
    "6th_raw": [*LL, *RL, *LP, *RP],
    "chris": [*LL, *LP, *RL, *RP],
    "4th_tattaka": [*LL, *LP, *RL, *RP],
    "5th_kazumax": [*LL, *LP, *RL, *RP],
    "5th_full": [*LL, *LP, *RL, *RP],
    "6th_spectrogram": [*LL, *LP, *RL, *RP],
    "lhwcv_3": [*LL, *LP, *RL, *RP],
    "3rd": (
        "Fp1-F7 Fp2-F8 F7-T3 F8-T4 T3-T5 T4-T6 T5-O1 T6-O2 "
        "Fp1-F3 Fp2-F4 F3-C3 F4-C4 C3-P3 C4-P4 P3-O1 P4-O2"
    ),
    "4th_bilzard": [*LL, *LP, *Z, *RP, *RL],
    "4th_bilzard_left": [*LL, *LP, *Z],
    "4th_bilzard_right": [*RL, *RP, *Z],
    "4th_bilzard_20": [*LL, *LP, *Z, *RL, *RP, *Z],
    "5th_half": "Fp1-T3 T3-O1 Fp1-C3 C3-O1 Fp2-T4 T4-O2 Fp2-C4 C4-O2",
    "resnet1d_gru": "Fp1-T3 T3-O1 Fp1-C3 C3-O1 Fp2-C4 C4-O2 Fp2-T4 T4-O2",
    "5th_double": [
        *(*LL, *LP, "Fp1-Fz", "Fz-Cz", "Cz-Pz", "Pz-O1"),
        *(*RL, *RP, "Fp2-Fz", "Fz-Cz", "Cz-Pz", "Pz-O2"),
    ],
    "15th": (
        "O1-T5 T5-T3 T3-F7 F7-Fp1 O2-T6 T6-T4 T4-F8 F8-Fp2 "
        "O1-P3 P3-C3 C3-F3 F3-Fp1 O2-P4 P4-C4 C4-F4 F4-Fp2 "
        "Fz-F7 Fz-F8 Cz-T3 Cz-T4 Pz-T5 Pz-T6 P3-P4 F3-F4"
    ),
    "lhwcv_1": (
        "Fp1-T3 T3-O1 F7-T5 Fp1-C3 C3-O1 F3-P3 Fp2-T4 T4-O2 F8-T6 Fp2-C4 C4-O2 F4-P4"
    ),
    "lhwcv_2": (
        "O1-T5 T5-T3 T3-F7 F7-Fp1 O1-P3 P3-C3 C3-F3 F3-Fp1 "
        "O2-T6 T6-T4 T4-F8 F8-Fp2 O2-P4 P4-C4 C4-F4 F4-Fp2"
    ),
    "lhwcv_4": (
        "Fp1-T3 T3-O1 F7-T5 Fp1-C3 C3-O1 F3-P3 F7-P3 F3-T5 "
        "F8-P4 F4-T6 Fp2-T4 T4-O2 F8-T6 Fp2-C4 C4-O2 F4-P4"
    ),
    "average_reference": [f"{name}-avg" for name in SCALP],
    "average_reference_ekg": [*(f"{name}-avg" for name in SCALP), "EKG"],
    "referential": SCALP,
    "competition_columns": list(CH_NAMES),
}

MIRROR = {
    **dict(zip(CH_NAMES[:8], CH_NAMES[11:19], strict=True)),
    **{name: name for name in ("Fz", "Cz", "Pz", "EKG")},
    **dict(zip(CH_NAMES[11:19], CH_NAMES[:8], strict=True)),
}
FRONT_BACK = {name: name for name in ("C3", "C4", "T3", "T4", "Cz", "EKG")}
for _pair in ("Fp1 O1", "Fp2 O2", "F3 P3", "F4 P4", "F7 T5", "F8 T6", "Fz Pz"):
    _front, _back = _pair.split()
    FRONT_BACK |= {_front: _back, _back: _front}

OPEN = {"left_10", "right_10"}
CLOSED = sorted(set(MONTAGES) - OPEN)


def columns(mapping):
    return [CH_NAMES.index(mapping[name]) for name in CH_NAMES]


# -- electrodes ------------------------------------------------------------------------


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
        ("ECG EKG", "EKG"),
        ("ECG 1", "ECG 1"),
        ("EKG1", "EKG1"),
        ("EKG", "EKG"),
        (" Cz ", "Cz"),
        ("A1", "A1"),
    ],
)
def test_aliases(given, expected):
    assert canonical_name(given) == expected


def test_leads_of_the_heart_have_no_side():
    for name in ("EKG", "EKG1", "ECG 2", "ecg"):
        assert mirror_electrode(name) == canonical_name(name)


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


def test_electrodes_trade_places():
    assert {name: mirror_electrode(name) for name in CH_NAMES} == MIRROR
    assert {name: front_back_electrode(name) for name in CH_NAMES} == FRONT_BACK
    assert [mirror_electrode(n) for n in ("A1", "AF8", "T7", "Oz")] == [
        *("A2", "AF7", "T4", "Oz")
    ]
    assert [front_back_electrode(n) for n in ("P7", "eeg fp2-ref")] == ["F7", "O2"]


def test_electrodes_without_a_known_place():
    with pytest.raises(ValueError, match=r"side of 'REF' is not known.*Leave"):
        mirror_electrode("REF")
    with pytest.raises(ValueError, match=r"place of 'A1' is not known.*Leave"):
        front_back_electrode("A1")


# -- the ready ones --------------------------------------------------------------------


@pytest.mark.parametrize("alias", TABLES)
def test_ready_montages_are_those_of_the_sources(alias):
    table = TABLES[alias]
    names = table.split() if isinstance(table, str) else table
    assert list(get_montage(alias).names) == names


def test_every_ready_montage_is_in_a_table_and_answers_to_its_names():
    assert {get_montage(alias).name for alias in TABLES} == set(MONTAGES)
    for name, montage in MONTAGES.items():
        assert montage.name == name
        for known in (name, *montage.aliases):
            assert get_montage(known) is montage


def test_double_banana_in_the_organisers_order():
    full = get_montage("double_banana")
    assert list(full.chains) == ["LL", "RL", "LP", "RP", "Z"]
    for name, chain in {"LL": LL, "RL": RL, "LP": LP, "RP": RP, "Z": Z}.items():
        assert [full.names[i] for i in full.chains[name]] == chain
    half = get_montage("double_banana_16")
    assert list(half.chains) == ["LL", "RL", "LP", "RP"]


def test_panels_are_named_after_electrodes_and_not_after_the_notebook():
    """The third block of the public notebook is the right lateral chain."""
    public = get_montage("chris")
    assert list(public.chains) == ["LL", "LP", "RL", "RP"]
    assert [public.names[i] for i in public.chains["RL"]] == RL
    kaggle = [HOST_PANELS.index(chain) for chain in public.chains]
    assert kaggle == [0, 2, 1, 3]


@pytest.mark.parametrize("name", MONTAGES)
def test_matrix_holds_the_weights_by_electrode(name):
    montage = MONTAGES[name]
    matrix = montage.matrix()
    assert matrix.shape == (len(montage), 20)
    for row, line in zip(matrix, montage.names, strict=True):
        expected = dict.fromkeys(CH_NAMES, 0.0)
        if line.endswith("-avg"):
            expected |= dict.fromkeys(SCALP, -1 / 19)
            expected[line.removesuffix("-avg")] += 1
        elif "-" in line:
            anode, cathode = line.split("-")
            expected |= {anode: 1.0, cathode: -1.0}
        else:
            expected[line] = 1.0
        np.testing.assert_allclose(row, list(expected.values()), atol=1e-15)


@pytest.mark.parametrize("name", MONTAGES)
def test_pairs_and_indices_are_those_of_the_matrix(name):
    montage = MONTAGES[name]
    if any(derivation.pair is None for derivation in montage.derivations):
        with pytest.raises(ValueError, match=r"no difference of two.*matrix"):
            montage.indices()
        return
    X = np.random.default_rng(0).normal(size=(len(CH_NAMES), 5))
    anodes, cathodes = montage.indices()
    np.testing.assert_allclose(montage.matrix() @ X, X[anodes] - X[cathodes])
    for (anode, cathode), i, j in zip(montage.pairs, anodes, cathodes, strict=True):
        assert (CH_NAMES[i], CH_NAMES[j]) == (anode, cathode)


# Long pairs overlap, and single electrodes are no pairs.
@pytest.mark.parametrize(
    "name",
    [n for n in MONTAGES if not n.startswith(("long", "average", "referential"))],
)
def test_a_chain_telescopes(name):
    montage = MONTAGES[name]
    chains = {c: members for c, members in montage.chains.items() if c != "T"}
    assert chains
    for members in chains.values():  # all but those across
        pairs = [montage.derivations[i].pair for i in members]
        for before, after in pairwise(pairs):
            assert before[1] == after[0]


def test_user_guide_lists_every_ready_montage():
    guide = Path(__file__).parents[1] / "docs" / "user_guide" / "montages.rst"
    text = guide.read_text(encoding="utf-8")
    for montage in MONTAGES.values():
        for name in (montage.name, *montage.aliases):
            assert f"``{name}``" in text


# -- flips -----------------------------------------------------------------------------


def test_flips_of_the_columns_and_panels_are_those_of_the_table():
    columns_of_a_file = get_montage("referential_ekg").mirror()
    assert list(columns_of_a_file.permutation) == columns(MIRROR)
    assert list(columns_of_a_file.permutation) == [
        *(11, 12, 13, 14, 15, 16, 17, 18, 8, 9, 10, 0, 1, 2, 3, 4, 5, 6, 7, 19)
    ]
    assert set(columns_of_a_file.signs) == {1}
    host = get_montage("double_banana_16").mirror()
    assert host.chain_permutation(HOST_PANELS) == (1, 0, 3, 2)
    assert get_montage("chris").mirror().chain_permutation(
        ["LL", "LP", "RL", "RP"]
    ) == (2, 3, 0, 1)
    assert host.permutation == (4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
    by_turns = get_montage("3rd").mirror()
    assert by_turns.permutation == tuple(i + 1 - 2 * (i % 2) for i in range(16))
    for flip in (host, by_turns):
        assert set(flip.signs) == {1}


def test_transverse_pairs_change_their_sign_in_the_mirror():
    montage = get_montage("15th")
    flip = montage.mirror()
    image = {
        name: (montage.names[i], sign)
        for name, i, sign in zip(
            montage.names, flip.permutation, flip.signs, strict=True
        )
    }
    assert image["Fz-F7"] == ("Fz-F8", 1)
    assert image["P3-P4"] == ("P3-P4", -1)
    assert image["F3-F4"] == ("F3-F4", -1)
    assert flip.signs.count(-1) == 2
    assert flip.chains == {"LL": "RL", "RL": "LL", "LP": "RP", "RP": "LP", "T": "T"}


def test_front_to_back_reverses_the_chains():
    flip = get_montage("double_banana_16").front_back()
    assert flip.permutation == tuple(i + 3 - 2 * (i % 4) for i in range(16))
    assert set(flip.signs) == {-1}
    assert flip.chains == {chain: chain for chain in ("LL", "RL", "LP", "RP")}


def test_a_midline_that_occurs_twice_changes_sides():
    for name in ("5th_double", "4th_bilzard_20"):
        montage = get_montage(name)
        half = len(montage) // 2
        flip = montage.mirror()
        assert flip.permutation == (*range(half, 2 * half), *range(half))
        assert (flip.chains["LZ"], flip.chains["RZ"]) == ("RZ", "LZ")
        assert montage.front_back().chains["LZ"] == "LZ"


@pytest.mark.parametrize("name", MONTAGES)
@pytest.mark.parametrize("kind", ["mirror", "front_back"])
def test_flip_of_the_montage_is_montage_of_the_flip(name, kind, rng):
    montage = MONTAGES[name]
    if name in OPEN and kind == "mirror":
        with pytest.raises(
            ValueError, match=rf"'{name}' is not closed under the left-right mirror: Fp"
        ):
            montage.mirror()
        return
    flip = getattr(montage, kind)()
    X = rng.normal(0, 30, (2, 20, 50))
    mapping = MIRROR if kind == "mirror" else FRONT_BACK
    expected = derive(X[:, columns(mapping)], montage.matrix())
    before = derive(X, montage.matrix())
    signs = np.array(flip.signs)[:, None]
    np.testing.assert_allclose(
        before[:, flip.permutation] * signs, expected, atol=1e-12
    )
    np.testing.assert_allclose(derive(before, flip.matrix), expected, atol=1e-12)


@pytest.mark.parametrize("name", CLOSED)
@pytest.mark.parametrize("kind", ["mirror", "front_back"])
def test_twice_is_the_identity(name, kind):
    flip = getattr(MONTAGES[name], kind)()
    np.testing.assert_array_equal(flip.matrix @ flip.matrix, np.eye(len(flip.signs)))
    assert all(flip.chains[flip.chains[chain]] == chain for chain in flip.chains)
    assert set(flip.chains) == set(MONTAGES[name].chains)


@pytest.mark.parametrize("name", CLOSED)
def test_chain_means_of_the_mirror_image(name, rng):
    """Power has no sign: its chain means trade places as whole panels."""
    montage = MONTAGES[name]
    flip = montage.mirror()
    X = rng.normal(0, 30, (2, 20, 50))
    groups = list(montage.chains.values())
    power = derive(X, montage.matrix()) ** 2
    mirrored = derive(X[:, columns(MIRROR)], montage.matrix()) ** 2
    panels = group_means(power, groups)
    places = flip.chain_permutation(list(montage.chains))
    np.testing.assert_allclose(
        panels[:, places], group_means(mirrored, groups), rtol=1e-9
    )


electrode = st.sampled_from(CH_NAMES)
lines = st.lists(
    st.tuples(electrode, electrode).filter(lambda pair: pair[0] != pair[1]),
    min_size=1,
    max_size=12,
)


@settings(deadline=None, max_examples=25)
@given(lines=lines, front_back=st.booleans())
def test_any_montage_with_its_image_is_closed(lines, front_back):
    mapping = FRONT_BACK if front_back else MIRROR
    images = [(mapping[anode], mapping[cathode]) for anode, cathode in lines]
    each_once = {frozenset(pair): pair for pair in [*images, *lines]}
    montage = get_montage(each_once.values())
    flip = montage.front_back() if front_back else montage.mirror()
    image = montage.matrix()[:, columns(mapping)]
    np.testing.assert_array_equal(flip.matrix @ montage.matrix(), image)
    np.testing.assert_array_equal(flip.matrix @ flip.matrix, np.eye(len(montage)))


def test_flips_that_do_not_exist_say_why():
    lopsided = get_montage(["Fp1-F7", "Fp1-F7", "Fp2-F8"])
    with pytest.raises(ValueError, match=r"Fp1-F7 becomes Fp2-F8.*holds only 1 times"):
        lopsided.mirror()
    with pytest.raises(ValueError, match=r"Cz-0.5\*C4.*does not hold"):
        get_montage([{"Cz": 1, "C3": -0.5, "T3": -0.5}]).mirror()
    with pytest.raises(ValueError, match=r"side of 'REF' is not known"):
        get_montage([("Fp1", "REF")]).mirror()
    with pytest.raises(ValueError, match=r"chain 'LL' becomes 'RL', which is not"):
        get_montage("2nd").mirror().chain_permutation(["LL", "LP"])
    with pytest.raises(ValueError, match=r"chain 'LR' becomes None"):
        get_montage("2nd").mirror().chain_permutation(["LR"])


# -- making montages -------------------------------------------------------------------


def test_lines_in_every_form():
    montage = get_montage(
        [("Fp1", "T7"), "T7-O1", "ECG", "EEG Fp2-REF", {"cz": 1, "C3": -0.5}]
    )
    assert montage.names == ("Fp1-T3", "T3-O1", "EKG", "Fp2", "1*Cz-0.5*C3")
    assert montage.derivations[-1].weights == (("Cz", 1.0), ("C3", -0.5))
    assert montage.electrodes == ("Fp1", "T3", "O1", "EKG", "Fp2", "Cz", "C3")
    again = Montage("again", montage.derivations)
    assert again.derivations == montage.derivations


def test_a_montage_of_ones_own():
    mine = Montage("mine", (("Fp1", "O1"), "EKG"), {"L": [0]}, ("also",))
    assert get_montage(mine) is mine
    assert len(mine) == 2
    assert mine.chains == {"L": (0,)}
    assert repr(mine) == "<Montage 'mine': 2 derivations, chains L>"
    for twin in (copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))):
        assert twin == mine
        assert hash(twin) == hash(mine)
    assert mine != Montage("mine", (("Fp1", "O1"), "EKG"))


@pytest.mark.parametrize("chain", [(0, 1), (-1,), ()])
def test_chains_hold_positions_of_derivations(chain):
    with pytest.raises(ValueError, match=r"chain 'L' .* positions 0 \.\. 0"):
        Montage("mine", (("Fp1", "O1"),), {"L": chain})


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (((),), "holds no derivation"),
        ((("Fp1-O1",), {}, (), (1,)), "order of 'mine' must hold each of 0 .. 0"),
        (
            ((Derivation("a", {"C3": 1}), Derivation("a", {"C4": 1})),),
            "two different derivations 'a'",
        ),
    ],
)
def test_unusable_montages(arguments, text):
    with pytest.raises(ValueError, match=f"^Montage: .*{text}"):
        Montage("mine", *arguments)


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"Cz": 0.0}, "no electrode has a weight"),
        ({"Cz": np.inf}, "must be finite"),
        ({"Cz": np.nan}, "must be finite"),
        ((("Cz", 1), ("Cz", 2)), "two weights"),
    ],
)
def test_unusable_weights(weights, text):
    with pytest.raises(ValueError, match=f"^Derivation: .*'a'.*{text}"):
        Derivation("a", weights)


def test_unknown_montage_names_the_nearest():
    with pytest.raises(ValueError, match=r"Name: montage 'banana'.*Nearest:.*banana"):
        get_montage("banana", caller="Name")
    with pytest.raises(ValueError, match=r"montage '3d' is not known.*Nearest: 3rd"):
        get_montage("3d")


@pytest.mark.parametrize(
    "given",
    [None, 3, [1], [("Fp1",)], ["a-b-c"], ["Fp1-Fp1"], [{"T3": 1, "T7": 1}], [{}]],
)
def test_unusable_lines(given):
    with pytest.raises(ValueError, match=r"must be a name or a list of pairs"):
        get_montage(given)


def test_no_lines():
    with pytest.raises(ValueError, match=r"holds no pair"):
        get_montage([])


def test_missing_electrodes_are_named():
    with pytest.raises(ValueError, match=r"^Me: electrode 'EKG' is not among"):
        get_montage("double_banana_ekg").matrix(CH_NAMES[:19], caller="Me")


# -- parts, sums, products -------------------------------------------------------------


def test_parts_keep_what_is_left_of_their_chains():
    full = get_montage("double_banana")
    right = full.select(chains=["RP", "RL"])
    assert list(right.names) == [*RP, *RL]
    assert right.chains == {"RP": (0, 1, 2, 3), "RL": (4, 5, 6, 7)}
    some = full.select(names=["T5-O1", "Fz-Cz", "F7-T3"])
    assert some.names == ("T5-O1", "Fz-Cz", "F7-T3")
    assert some.chains == {"LL": (2, 0), "Z": (1,)}
    assert full.select(chains="Z").names == tuple(Z)
    X = np.random.default_rng(0).normal(size=(1, 20, 9))
    np.testing.assert_array_equal(
        derive(X, some.matrix()), derive(X, full.matrix())[:, [3, 16, 1]]
    )


def test_the_views_of_the_fourth_place_are_parts():
    both = get_montage("4th_bilzard")
    for view, chains in (("left", ["LL", "LP", "Z"]), ("right", ["RL", "RP", "Z"])):
        expected = get_montage(f"4th_bilzard_{view}")
        part = both.select(chains=chains)
        assert (part.names, part.chains) == (expected.names, expected.chains)


def test_parts_that_do_not_exist():
    full = get_montage("double_banana")
    with pytest.raises(ValueError, match=r"no chain 'LR'. It has LL, RL.*Nearest"):
        full.select(chains=["LR"])
    with pytest.raises(
        ValueError, match=r"no derivation 'Fp1-F8'. It has Fp1-F7.*Nearest: Fp"
    ):
        full.select(names=["Fp1-F8"])
    for arguments in ({}, {"chains": ["LL"], "names": ["Fz-Cz"]}):
        with pytest.raises(ValueError, match=r"either chains or names"):
            full.select(**arguments)
    for positions in ([0, 0], [18], [-1]):
        with pytest.raises(ValueError, match=r"positions must be different ones"):
            full.take(positions)


def test_sums_keep_chains_and_refuse_clashes():
    full = get_montage("double_banana")
    left, rest = full.select(chains=["LL", "LP"]), full.select(chains=["Z", "RL"])
    both = left + rest
    assert list(both.names) == [*LL, *LP, *Z, *RL]
    assert both.chains["RL"] == (10, 11, 12, 13)
    np.testing.assert_array_equal(
        both.matrix(), np.concatenate([left.matrix(), rest.matrix()])
    )
    with pytest.raises(ValueError, match=r"both have the chain 'RL'"):
        full + rest
    with pytest.raises(ValueError, match=r"both have the derivation 'Fz-Cz'"):
        get_montage(["Fz-Cz", "EKG"]) + rest
    with pytest.raises(TypeError):
        full + "EKG"


def test_plot_order_is_chain_after_chain():
    by_turns = get_montage("3rd")
    assert [by_turns.names[i] for i in by_turns.plot_order] == [*LL, *RL, *LP, *RP]
    assert get_montage("double_banana_ekg").plot_order == tuple(range(19))
    custom = Montage("mine", ("Cz", "C3", "C4"), {"Z": (0,)}, order=(1, 0, 2))
    assert custom.plot_order == (1, 0, 2)
    assert custom.take([0, 1]).plot_order == (1, 0)
    more = custom + Montage("more", ("EKG",))
    assert more.plot_order == (1, 0, 2, 3)
    assert (get_montage(["EKG"]) + custom).plot_order == (0, 2, 1, 3)


def test_an_average_reference_changes_no_difference():
    average = get_montage("average_reference")
    both = average.then(get_montage("double_banana"))
    assert both.names == get_montage("double_banana").names
    assert both.pairs == get_montage("double_banana").pairs
    assert both.chains == get_montage("double_banana").chains


@settings(deadline=None, max_examples=25)
@given(
    name=st.sampled_from(sorted(MONTAGES)),
    weights=st.lists(
        st.dictionaries(st.integers(0, 7), st.integers(-3, 3), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    ),
)
def test_composition_is_the_product_of_the_matrices(name, weights):
    first = MONTAGES[name]
    first = first.take([first.names.index(n) for n in dict.fromkeys(first.names)])
    rows = [{first.names[i]: w for i, w in row.items()} for row in weights]
    product = [
        sum(w * first.matrix()[first.names.index(n)] for n, w in row.items())
        for row in rows
    ]
    if any(np.abs(row).max() < 1e-12 for row in product):
        with pytest.raises(ValueError, match=r"zero whatever the signal"):
            first.then(
                Montage("m", [Derivation(f"d{i}", r) for i, r in enumerate(rows)])
            )
        return
    second = Montage("second", [Derivation(f"d{i}", r) for i, r in enumerate(rows)])
    both = first.then(second)
    assert both.names == second.names
    np.testing.assert_allclose(both.matrix(), product, atol=1e-12)
    X = np.random.default_rng(0).normal(size=(1, 20, 9))
    place = np.zeros((len(second), len(first)))
    for row, line in zip(place, rows, strict=True):
        for electrode, weight in line.items():
            row[first.names.index(electrode)] = weight
    np.testing.assert_allclose(
        derive(X, both.matrix()),
        derive(derive(X, first.matrix()), place),
        atol=1e-10,
    )


def test_composition_needs_what_it_takes():
    with pytest.raises(ValueError, match=r"^Montage.then: electrode 'Fp1'"):
        get_montage("2nd").then(get_montage("2nd"))


def test_contrasts_of_the_third_place():
    """Minus the mean of the other 15, and of the two that share an electrode."""
    montage = get_montage("3rd")
    neighbours = [
        *([2, 8], [3, 9], [4, 0], [5, 1], [6, 2], [7, 3], [14, 4], [15, 5]),
        *([10, 0], [11, 1], [12, 8], [13, 9], [14, 10], [15, 11], [6, 12], [7, 13]),
    ]
    X = np.random.default_rng(0).normal(size=(2, 16, 30))
    others = derive(X, montage.minus_others().matrix(montage.names))
    near = derive(X, montage.minus_neighbours().matrix(montage.names))
    for i, pair in enumerate(neighbours):
        rest = [j for j in range(16) if j != i]
        np.testing.assert_allclose(others[:, i], X[:, i] - X[:, rest].mean(1))
        np.testing.assert_allclose(near[:, i], X[:, i] - X[:, pair].mean(1))
    assert montage.minus_neighbours().names[0] == "Fp1-F7-neighbours"
    assert montage.minus_others().chains == montage.chains
    from_electrodes = montage.then(montage.minus_neighbours())
    np.testing.assert_allclose(
        from_electrodes.matrix(),
        montage.minus_neighbours().matrix(montage.names) @ montage.matrix(),
        atol=1e-15,
    )
    assert from_electrodes.mirror().permutation == montage.mirror().permutation


def test_contrasts_that_do_not_exist():
    with pytest.raises(ValueError, match=r"'EKG' of .* has no neighbours"):
        get_montage("double_banana_ekg").minus_neighbours()
    with pytest.raises(ValueError, match=r"'EKG' of .* has no others"):
        get_montage(["EKG"]).minus_others()
    with pytest.raises(ValueError, match=r"holds a derivation twice"):
        get_montage("5th_double").minus_others()


def test_electrode_minus_the_others_is_a_scaled_average_reference():
    referential = get_montage("referential")
    others = referential.then(referential.minus_others()).matrix()
    average = get_montage("average_reference").matrix()
    np.testing.assert_allclose(others, average * 19 / 18, atol=1e-15)
