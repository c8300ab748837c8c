"""RowPipeline: what rows tell reaches the last step, and nothing else changes."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline

from hmsklearn.datasets import HMSReader, load_hms
from hmsklearn.ensemble import StackingKLClassifier, TestTimeAugmenter
from hmsklearn.metrics import kl_scorer
from hmsklearn.model_selection import deduplicate_windows
from hmsklearn.neural import WaveformClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import CentreCrop, NaNImputer
from hmsklearn.votes import VOTE_COLUMNS


class Offsets(TransformerMixin, BaseEstimator):
    """Table of two numbers of each row."""

    def fit(self, X, y=None):
        self.n_seen_ = len(X)
        return self

    def transform(self, X):
        return X[["eeg_label_offset_seconds", "total"]].to_numpy(float)


class Listener(ClassifierMixin, BaseEstimator):
    """Keeps what fit gets, and says the same of all rows."""

    __metadata_request__fit = {"groups": True, "eeg_id": True}

    def fit(self, X, y, sample_weight=None, groups=None, eeg_id=None, extra=None):
        self.got_ = {
            "X": X,
            "y": np.asarray(y),
            "sample_weight": sample_weight,
            "groups": groups,
            "eeg_id": eeg_id,
            "extra": extra,
        }
        self.classes_ = np.arange(6)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 6), 1 / 6)


class Deaf(Listener):
    """Takes nothing but X and y."""

    __metadata_request__fit = {"groups": None, "eeg_id": None}

    def fit(self, X, y):
        return super().fit(X, y)


@pytest.fixture
def rows():
    """Three EEGs of two patients; of four windows of one two have the same votes."""
    votes = np.array(
        [[3, 0, 0, 0, 0, 0]] * 2 + [[0, 12, 0, 0, 0, 0]] * 2 + [[0, 0, 5, 9, 0, 0]] * 2
    )
    table = pd.DataFrame(votes, columns=list(VOTE_COLUMNS))
    table["eeg_id"] = [1, 1, 1, 1, 2, 3]
    table["patient_id"] = [10, 10, 10, 10, 20, 20]
    table["eeg_label_offset_seconds"] = [0, 4, 8, 12, 0, 0]
    table["spectrogram_id"] = [1, 1, 1, 1, 2, 3]
    table["spectrogram_label_offset_seconds"] = [0, 4, 8, 12, 0, 0]
    table["total"] = votes.sum(axis=1)
    table.index = [9, 8, 7, 6, 5, 4]
    table.attrs["root"] = "somewhere"
    return table


def votes_of(rows):
    return rows[list(VOTE_COLUMNS)].to_numpy()


def listen(rows, *fit_args, final=None, deduplicate=None, y=None, **params):
    pipe = RowPipeline(
        [("offsets", Offsets()), ("net", final or Listener())], deduplicate=deduplicate
    )
    return pipe.fit(rows, votes_of(rows) if y is None else y, *fit_args, **params)


def test_the_last_step_is_told(rows):
    got = listen(rows)["net"].got_
    assert got["eeg_id"].tolist() == [1, 1, 1, 1, 2, 3]
    assert got["groups"].tolist() == [10, 10, 10, 10, 20, 20]
    assert got["sample_weight"] is None
    np.testing.assert_array_equal(got["y"], votes_of(rows))


def test_what_is_given_goes_before_what_is_told(rows):
    own = np.array(list("abcdef"))
    for params in ({"groups": own}, {"net__groups": own}):
        got = listen(rows, **params)["net"].got_
        assert list(got["groups"]) == list("abcdef")
        assert got["eeg_id"].tolist() == [1, 1, 1, 1, 2, 3]


def test_weights_and_other_parameters(rows):
    weight = np.arange(6.0)
    got = listen(rows, sample_weight=weight, net__extra="hello")["net"].got_
    np.testing.assert_array_equal(got["sample_weight"], weight)
    assert got["extra"] == "hello"


def test_a_last_step_that_does_not_ask(rows):
    assert "net" in listen(rows, final=Deaf()).named_steps
    with pytest.raises(TypeError, match=r"RowPipeline: .*'net' takes none"):
        listen(rows, sample_weight=np.ones(6), final=Deaf())


def test_data_without_columns():
    X = np.arange(12.0).reshape(6, 2)
    pipe = RowPipeline([("net", Listener())]).fit(X, np.eye(6))
    assert pipe["net"].got_["eeg_id"] is None
    assert pipe.n_rows_ == 6
    with pytest.raises(ValueError, match="needs the rows of"):
        RowPipeline([("net", Listener())], deduplicate="7th").fit(X, np.eye(6))


@pytest.mark.parametrize(
    "recipe", ["7th", "3rd", {"recipe": "3rd_all", "min_votes": 4}]
)
def test_copies_are_left_out(rows, recipe):
    params = {"recipe": recipe} if isinstance(recipe, str) else recipe
    kept = deduplicate_windows(rows, **params)
    assert 0 < len(kept) < len(rows)
    pipe = listen(
        rows,
        sample_weight=np.arange(6.0),
        net__extra=np.array(list("abcdef")),
        deduplicate=recipe,
    )
    positions = sorted(rows.index.get_loc(label) for label in kept.index)
    got = pipe["net"].got_
    assert pipe.n_rows_ == pipe["offsets"].n_seen_ == len(kept)
    np.testing.assert_array_equal(got["y"], votes_of(rows)[positions])
    np.testing.assert_array_equal(got["sample_weight"], positions)
    assert list(got["extra"]) == [*np.array(list("abcdef"))[positions]]
    assert got["groups"].tolist() == rows["patient_id"].iloc[positions].tolist()
    # What is left knows where its recordings are; predictions are of all.
    assert pipe.predict_proba(rows).shape == (6, 6)


def test_targets_of_copies_may_be_others(rows):
    y = np.random.default_rng(0).dirichlet(np.ones(6), 6)
    pipe = listen(rows, deduplicate="7th", y=y)
    kept = deduplicate_windows(rows, "7th")
    positions = sorted(rows.index.get_loc(label) for label in kept.index)
    np.testing.assert_array_equal(pipe["net"].got_["y"], y[positions])


@pytest.mark.parametrize(
    ("deduplicate", "message"),
    [
        ("public", "Apply deduplicate_windows before fit"),
        (7, "neither the name of a recipe nor a dict"),
        ({"recipe": "3rd", "min_votes": 50}, "leaves none of the 6 rows"),
        ("eighth", "eighth"),
    ],
)
def test_bad_recipes(rows, deduplicate, message):
    with pytest.raises(ValueError, match=message):
        listen(rows, deduplicate=deduplicate)


def test_the_rows_stay_as_they_are(rows):
    before = rows.copy(deep=True)
    listen(rows, deduplicate="7th")
    pd.testing.assert_frame_equal(rows, before)
    assert rows.attrs == before.attrs


def test_is_a_pipeline(rows):
    pipe = RowPipeline([("a", Offsets()), ("net", Listener())], deduplicate="7th")
    assert isinstance(pipe, Pipeline)
    assert clone(pipe).get_params()["deduplicate"] == "7th"
    assert pipe.set_params(deduplicate=None, net="passthrough").deduplicate is None
    assert pipe[:1].fit_transform(rows).shape == (6, 2)
    assert pipe.fit(rows).transform(rows).shape == (6, 2)


def test_metadata_routing(rows):
    with sklearn.config_context(enable_metadata_routing=True):
        got = listen(rows)["net"].got_
        assert got["eeg_id"].tolist() == [1, 1, 1, 1, 2, 3]
        assert got["groups"].tolist() == [10, 10, 10, 10, 20, 20]
        assert "net" in listen(rows, final=Deaf()).named_steps
        weighted = Listener().set_fit_request(sample_weight=True)
        got = listen(rows, sample_weight=np.arange(6.0), final=weighted)["net"].got_
        np.testing.assert_array_equal(got["sample_weight"], np.arange(6.0))
        # What the caller gives and nobody asks for is an error, as in scikit-learn.
        with pytest.raises(Exception, match="sample_weight"):
            listen(rows, sample_weight=np.arange(6.0))


def test_requests():
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = RowPipeline([("a", Offsets()), ("net", Deaf())])
        names = ["groups", "eeg_id", "sample_weight"]
        assert pipe.get_metadata_routing().consumes("fit", names) == set(names[:2])
        pipe.set_params(net=Listener().set_fit_request(sample_weight=True))
        assert pipe.get_metadata_routing().consumes("fit", names) == set(names)


def net(**params):
    return WaveformClassifier(
        architecture_params={"width": 8, "gru_hidden": 0, "n_blocks": 1},
        sampling="eeg",
        target="eeg",
        max_epochs=1,
        batch_size=4,
        random_state=0,
        **params,
    )


def steps():
    return [("read", HMSReader()), ("impute", NaNImputer()), ("crop", CentreCrop(2))]


@pytest.mark.filterwarnings("ignore:.*is larger than the data")
@pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
def test_nets_draw_windows_of_eegs(hms_root):
    train = load_hms(hms_root)
    X, y, groups = train.data, train.target, train.groups
    pipe = RowPipeline([*steps(), ("net", net())])
    with pytest.raises(ValueError, match="eeg_id"):  # which is what it is for
        Pipeline(pipe.steps).fit(X, y)
    told = clone(pipe).fit(X, y).predict_proba(X[:2])
    given = Pipeline([*steps(), ("net", net())])
    given.fit(X, y, net__eeg_id=X["eeg_id"].to_numpy(), net__groups=groups)
    np.testing.assert_array_equal(told, given.predict_proba(X[:2]))

    cv = GroupKFold(2)
    scores = cross_val_score(
        pipe, X, y, groups=groups, cv=cv, scoring=kl_scorer, error_score="raise"
    )
    assert np.isfinite(scores).all()
    looks = TestTimeAugmenter(pipe, ["identity", "time_reverse"], step="net")
    stack = StackingKLClassifier([("a", looks), ("b", pipe)], cv=cv, n_bootstrap=0)
    assert stack.fit(X, y).predict_proba(X[:2]).shape == (2, 6)
