"""One row for several copies: the recipes, and the counts that were published."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback

from hmsklearn.model_selection import deduplicate_windows
from hmsklearn.neural import WaveformClassifier
from hmsklearn.votes import VOTE_COLUMNS

VOTES = list(VOTE_COLUMNS)
EEG, SPECTROGRAM = "eeg_label_offset_seconds", "spectrogram_label_offset_seconds"
RECIPES = ["15th", "3rd", "3rd_all", "3rd_validation", "7th", "lhwcv", "public"]


def make_rows(patterns, starts=None, eeg=None, spectrogram=None):
    """Rows whose votes are two numbers: for seizures and for other."""
    rows = pd.DataFrame(0, index=range(len(patterns)), columns=VOTES)
    rows["seizure_vote"], rows["other_vote"] = np.transpose(patterns)
    rows["eeg_id"] = 7 if eeg is None else eeg
    rows["spectrogram_id"] = rows["eeg_id"] + 1000
    rows[EEG] = np.arange(len(rows)) * 4.0 if starts is None else starts
    rows[SPECTROGRAM] = rows[EEG] if spectrogram is None else spectrogram
    return rows


def kept(rows, recipe, **params):
    return deduplicate_windows(rows, recipe, **params).index.tolist()


FEW, MANY, TWICE = (3, 0), (8, 4), (6, 0)


class TestRecipes:
    def test_third_keeps_the_row_that_the_others_cover_most(self):
        starts = [0, 100, 110, 120, 650]
        rows = make_rows([MANY] * 5, starts)
        assert kept(rows, "3rd") == [2]
        # Windows further apart than 600 s do not see each other; the first wins.
        assert kept(make_rows([MANY] * 2, [0, 700]), "3rd") == [0]
        # It is the spectrogram's offset that counts.
        rows = make_rows([MANY] * 3, [0, 2, 4], spectrogram=[300, 301, 0])
        assert kept(rows, "3rd") == [0]

    def test_third_groups_counts_that_are_apart_in_time(self):
        rows = make_rows([MANY, FEW, MANY, FEW])
        assert kept(rows, "3rd") == [0]
        assert kept(rows, "3rd_all") == [0, 1]
        assert kept(rows, "3rd", min_votes=1) == kept(rows, "3rd_all")

    def test_third_takes_more_than_eight_votes(self):
        rows = make_rows([(8, 0), (9, 0), (10, 0)])
        assert kept(rows, "3rd") == [1, 2]
        assert kept(rows, "3rd_validation") == [1]

    def test_seventh_keeps_the_middle_of_runs(self):
        rows = make_rows([FEW, FEW, FEW, MANY, FEW, FEW])
        assert kept(rows, "7th") == [1, 3, 5]
        # The same shares are another pattern.
        assert kept(make_rows([FEW, TWICE, FEW]), "7th") == [0, 1, 2]

    def test_a_run_ends_with_its_eeg(self):
        rows = make_rows([FEW] * 4, starts=[0, 4, 0, 4], eeg=[5, 5, 6, 6])
        assert kept(rows, "7th") == [1, 3]

    def test_dropped_rows_still_end_runs(self):
        rows = make_rows([MANY, FEW, MANY])
        assert kept(rows, "7th", min_votes=10) == [0, 2]

    def test_order_of_the_table_does_not_matter(self):
        rows = make_rows([FEW, FEW, FEW, MANY, FEW, FEW])
        for recipe in RECIPES[:-1]:
            shuffled = rows.iloc[[5, 2, 0, 3, 1, 4]]
            assert sorted(kept(shuffled, recipe)) == kept(rows, recipe)

    def test_lhwcv_keeps_most_votes_of_equal_shares(self):
        rows = make_rows([FEW, TWICE, TWICE, (1, 1), (5, 5), (2, 2)])
        assert kept(rows, "lhwcv") == [1, 4]

    def test_fifteenth_keeps_rows_that_are_apart(self):
        starts = [0, 10, 24, 25, 49, 50, 74]
        rows = make_rows([MANY] * 7, starts)
        assert kept(rows, "15th") == [0, 3, 5]
        assert kept(rows, "15th", min_gap=24) == [0, 2, 4, 6]
        assert kept(rows, "15th", min_gap=0) == list(range(7))
        rows = make_rows([FEW, MANY, FEW, (4, 8)], [0, 30, 60, 90])
        assert kept(rows, "15th") == [1, 3]

    def test_public_adds_votes_and_takes_the_middle(self):
        rows = make_rows(
            [FEW, MANY, FEW, FEW],
            starts=[0, 6, 20, 2],
            eeg=[7, 7, 7, 8],
            spectrogram=[4, 10, 25, 9],
        )
        merged = deduplicate_windows(rows, "public")
        assert merged.index.tolist() == [0, 3]
        assert merged[["seizure_vote", "other_vote"]].to_numpy().tolist() == [
            [14, 4],
            [3, 0],
        ]
        assert merged[EEG].tolist() == [10, 2]
        assert merged[SPECTROGRAM].tolist() == [14.5, 9]
        merged = deduplicate_windows(rows, "public", min_votes=10)
        assert merged.index.tolist() == [1]
        assert merged[SPECTROGRAM].tolist() == [10]

    def test_missing_values(self):
        rows = make_rows([FEW, TWICE, (1, 2)])
        shares = [0.0, 0.3, 0.2]
        assert kept(rows, "lhwcv", eeg_nan_share=shares) == [0, 2]
        assert kept(rows, "lhwcv", eeg_nan_share=shares, max_eeg_nan_share=0.3) == [
            1,
            2,
        ]
        assert kept(rows, "7th", spectrogram_nan_share=[0.4, 0.6, 0.5]) == [0, 2]
        rows["empty"] = shares
        assert kept(rows, "lhwcv", eeg_nan_share="empty") == [0, 2]
        assert kept(rows, "7th", eeg_nan_share=np.ones(3)) == []

    def test_all_rows_of_the_periods(self):
        rows = make_rows([FEW, FEW, FEW, MANY, FEW, FEW])
        every = deduplicate_windows(rows, "7th", keep="all", period_column="period")
        assert every["period"].tolist() == [0, 0, 0, 1, 2, 2]
        one = deduplicate_windows(rows, "7th", period_column="period")
        assert one["period"].tolist() == [0, 1, 2]
        many = deduplicate_windows(rows, "7th", keep="all", min_votes=9)
        assert many.index.tolist() == [3]
        assert kept(rows, "lhwcv", keep="all") == list(range(6))


@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
def test_a_net_draws_one_window_of_each_period(rng):
    rows = make_rows([FEW, FEW, FEW, MANY, FEW, FEW])
    every = deduplicate_windows(rows, "7th", keep="all", period_column="period")
    drawn = []

    class Seen(Callback):
        def on_batch_end(self, net, batch=None, training=None, **kwargs):
            drawn.append(training)

    net = WaveformClassifier(
        sampling="eeg",
        architecture_params={"width": 8, "n_blocks": 1, "gru_hidden": 0},
        max_epochs=2,
        batch_size=1,
        device="cpu",
        random_state=0,
        callbacks=[("seen", Seen())],
    )
    windows = rng.normal(size=(len(every), 2, 64)).astype(np.float32)
    net.fit(windows, every[VOTES], eeg_id=every["period"])
    assert drawn == [True] * 2 * 3


def by_hand(rows, recipe):
    """The recipes once more, one row after the other."""
    found = []
    for _, eeg in rows.groupby("eeg_id", sort=False):
        total = eeg[VOTES].sum(axis=1)
        if recipe == "15th":
            last = -1e9
            for index in eeg.index[total == total.max()]:
                if eeg.loc[index, EEG] >= last + 25:
                    found.append(index)
                    last = eeg.loc[index, EEG]
            continue
        periods = {}
        before, run = None, 0
        for index in eeg.index:
            votes = tuple(eeg.loc[index, VOTES])
            run += votes != before
            before = votes
            key = {
                "7th": run,
                "lhwcv": tuple(np.round(np.divide(votes, sum(votes)), 9)),
            }.get(recipe, votes)
            periods.setdefault(key, []).append(index)
        of_eeg = []
        for members in periods.values():
            if recipe == "7th":
                of_eeg.append(members[len(members) // 2])
            elif recipe == "lhwcv":
                of_eeg.append(total[members].idxmax())
            elif recipe == "3rd_all" or total[members[0]] > 8:
                seconds = np.zeros(2000)
                starts = eeg.loc[members, SPECTROGRAM].astype(int)
                for start in starts:
                    seconds[start : start + 600] += 1
                covered = [seconds[start : start + 600].sum() for start in starts]
                of_eeg.append(members[int(np.argmax(covered))])
        found += of_eeg
    return sorted(found)


class TestProperties:
    @settings(deadline=None, max_examples=40)
    @given(
        st.lists(
            st.tuples(
                st.integers(0, 2), st.integers(1, 12), st.integers(0, 2), st.booleans()
            ),
            min_size=1,
            max_size=30,
        ),
        st.sampled_from(RECIPES[:-1]),
    )
    def test_same_as_by_hand(self, drawn, recipe):
        drawn = sorted(drawn, key=lambda entry: entry[0])
        eeg = [entry[0] for entry in drawn]
        starts = np.cumsum([2 + 40 * entry[3] for entry in drawn])
        rows = make_rows([e[1:3] for e in drawn], starts, np.array(eeg))
        rows[SPECTROGRAM] += np.arange(len(rows)) % 2
        rows.index = range(len(rows))
        expected = by_hand(rows, recipe)
        if recipe == "3rd_validation":
            first = {}
            for index in by_hand(rows, "3rd"):
                first.setdefault(rows.loc[index, "eeg_id"], index)
            expected = sorted(first.values())
        assert kept(rows, recipe) == expected

    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 10_000), st.sampled_from(RECIPES[:-1]))
    def test_nothing_is_left_to_do(self, seed, recipe):
        """What a recipe keeps, it keeps."""
        rng = np.random.default_rng(seed)
        eeg = np.sort(rng.integers(0, 5, 40))
        patterns = np.array([FEW, MANY, (0, 11)])[rng.integers(0, 3, 40)]
        rows = make_rows(patterns, np.arange(40) * 4.0, eeg)
        once = deduplicate_windows(rows, recipe)
        if recipe != "7th":  # whose neighbours change
            assert deduplicate_windows(once, recipe).equals(once)
        assert once.equals(rows.loc[once.index])


class TestInterface:
    rows = make_rows([FEW, FEW, MANY])

    def test_index_columns_and_attrs_stay(self):
        rows = self.rows.set_index(pd.Index(["a", "b", "c"], name="row"))
        rows["note"] = ["x", "y", "z"]
        rows.attrs["root"] = "somewhere"
        before = rows.copy(deep=True)
        for recipe in RECIPES:
            got = deduplicate_windows(rows, recipe, period_column="period")
            assert got.attrs == {"root": "somewhere"}
            assert got.columns.tolist() == [*rows.columns, "period"]
            assert set(got.index) <= {"a", "b", "c"}
            assert got.index.name == "row"
            got["note"] = "changed"
        pd.testing.assert_frame_equal(rows, before)

    def test_repeated_index_labels(self):
        rows = self.rows.set_axis([0, 0, 0])
        got = deduplicate_windows(rows, "7th")
        assert got[EEG].tolist() == [4.0, 8.0]

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"recipe": "7"}, r"recipe='7' is not known.*'3rd_validation'.*'7th'"),
            ({"recipe": "lhwc"}, r"Did you mean 'lhwcv'\?"),
            ({"keep": "some"}, r"keep='some', expected"),
            ({"keep": "all", "recipe": "public"}, r"'public' merges"),
            ({"min_gap": -1}, r"min_gap=-1"),
            ({"period_column": "eeg_id"}, r"column 'eeg_id', which would be lost"),
            ({"min_votes": -1}, r"min_votes=-1"),
            ({"eeg_nan_share": [0.1]}, r"eeg_nan_share has shape \(1,\)"),
            ({"eeg_nan_share": [0.1, 2, 0]}, r"a share from 0 to 1"),
            ({"eeg_nan_share": [0.1, np.nan, 0]}, r"a share from 0 to 1"),
            ({"spectrogram_nan_share": "nan"}, r"'nan' names no column"),
            (
                {"eeg_nan_share": [0, 0, 0], "max_eeg_nan_share": 20},
                r"max_eeg_nan_share=20",
            ),
        ],
    )
    def test_wrong_parameters(self, params, message):
        with pytest.raises(ValueError, match=f"deduplicate_windows: .*{message}"):
            deduplicate_windows(self.rows, **params)

    @pytest.mark.parametrize(
        ("rows", "recipe", "message"),
        [
            (rows.drop(columns=EEG), "7th", r"no column \['eeg_label_offset_sec"),
            (rows.drop(columns=SPECTROGRAM), "3rd", r"no column \['spectrogram_la"),
            (rows.drop(columns="lpd_vote"), "7th", r"no column \['lpd_vote'\]"),
            (rows.iloc[:0], "7th", r"rows is empty"),
            (rows.assign(eeg_id=[1, np.nan, 1]), "7th", r"eeg_id is missing in 1"),
            (rows.assign(**{EEG: [0, 2, np.nan]}), "7th", r"first in row 2"),
            (rows.assign(seizure_vote=0), "7th", r"rows without any vote"),
            (rows.assign(seizure_vote=[-1, 1, 1]), "7th", r"negative votes"),
            (rows.assign(spectrogram_id=[1, 2, 2]), "public", r"EEG 7 has windows"),
        ],
    )
    def test_wrong_rows(self, rows, recipe, message):
        with pytest.raises(ValueError, match=message):
            deduplicate_windows(rows, recipe)

    def test_spectrograms_are_needed_where_they_are_looked_at(self):
        rows = self.rows.drop(columns=SPECTROGRAM)
        for recipe in ("7th", "lhwcv", "15th"):
            deduplicate_windows(rows, recipe)

    def test_fractions_are_refused(self):
        rows = self.rows.copy()
        rows[VOTES] = rows[VOTES].div(rows[VOTES].sum(axis=1), axis=0)
        with pytest.raises(ValueError, match="hold fractions"):
            deduplicate_windows(rows)

    def test_no_frame(self):
        with pytest.raises(TypeError, match="rows is a ndarray, expected a DataFrame"):
            deduplicate_windows(self.rows.to_numpy())


def populations(rows):
    total = rows[VOTES].sum(axis=1)
    few, many = total < 3, total >= 10
    return [int(few.sum()), int((~few & ~many).sum()), int(many.sum())]


class TestPublishedCounts:
    """What the 106,519 known of the 106,800 rows give, and what the rest adds.

    The 281 rows that are not known belong to 88 EEGs. The 7th's table has these: 109
    rows, of which it tells fractions but not votes.
    """

    @pytest.fixture
    def rows(self, hms_data):
        return pd.read_csv(hms_data / "train_metadata.csv")

    @pytest.fixture
    def seventh(self, hms_data):
        return pd.read_parquet(hms_data / "oof" / "targets.parquet")

    @pytest.fixture
    def unknown(self, rows, seventh):
        unknown = seventh[~seventh["eeg_id"].isin(rows["eeg_id"])]
        assert len(rows) == 106_800 - 281
        assert unknown["eeg_id"].nunique() == 88
        assert len(unknown) == 109
        return unknown

    def test_seventh(self, rows, seventh, unknown):
        ours = deduplicate_windows(rows, "7th")
        assert len(ours) == 21_381 == 21_490 - len(unknown)
        # Row by row the 7th's table, in its order.
        known = seventh.drop(index=unknown.index)
        np.testing.assert_array_equal(ours["eeg_id"], known["eeg_id"])
        fractions = ours[VOTES].div(ours[VOTES].sum(axis=1), axis=0)
        np.testing.assert_array_equal(fractions, known[VOTES])
        # Published 5,948, 9,176 and 6,366: the 109 rows more.
        assert populations(ours) == [5_948 - 31, 9_176 - 41, 6_366 - 37]
        assert len(unknown) == 31 + 41 + 37
        many = ours[ours[VOTES].sum(axis=1) >= 10]
        assert many["eeg_id"].nunique() == 5_939 - 36
        assert many["patient_id"].nunique() == 1_063 - 9

    def test_third(self, rows, unknown):
        lengths = {
            name: len(deduplicate_windows(rows, name))
            for name in RECIPES
            if "3" in name
        }
        # Published 6,351, 5,940 and 20,184.
        assert lengths == {
            "3rd": 6_351 - 38,
            "3rd_validation": 5_940 - 37,
            "3rd_all": 20_184 - 104,
        }
        # An EEG's patterns are at most its periods, and at least its fractions.
        fractions = unknown.groupby(["eeg_id", *VOTES]).ngroups
        assert fractions == 99 <= 104 <= len(unknown) == 109

    def test_one_eeg_of_nine_votes(self, rows, unknown):
        """The 3rd's validation has one EEG more than the 7th's: of nine votes."""
        assert 5_940 - 5_939 == 1
        total = rows[VOTES].sum(axis=1)
        assert not total.isin([8, 9]).any()
        ninths = np.abs(unknown[VOTES] * 9 - (unknown[VOTES] * 9).round())
        halves = np.abs(unknown[VOTES] * 3 - (unknown[VOTES] * 3).round())
        nine = (ninths.max(axis=1) < 1e-9) & (halves.max(axis=1) > 1e-3)
        assert unknown.loc[nine, "eeg_id"].tolist() == [975631111]

    def test_the_other_recipes(self, rows):
        lengths = {
            name: len(deduplicate_windows(rows, name))
            for name in ("15th", "lhwcv", "public")
        }
        assert lengths == {"15th": 26_625, "lhwcv": 19_664, "public": 17_001}
        every = deduplicate_windows(rows, "7th", keep="all", period_column="period")
        assert len(every) == len(rows)
        assert every["period"].nunique() == 21_381
