"""Validation inside fit: how often, on what, and never on the scored fold."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import GroupKFold, cross_val_score
from skorch.callbacks import Callback, EpochTimer
from torch import nn

from hmsklearn.metrics import kl_divergence

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


class Net(nn.Module):
    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.stem = nn.Linear(n_chans * n_times, 8)
        self.norm = nn.BatchNorm1d(8)
        self.drop = nn.Dropout(0.2)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.norm(self.stem(x.flatten(1))))))


class Seen(Callback):
    """Rows and windows that were trained on and validated on."""

    def on_train_begin(self, net, **kwargs):
        self.train_, self.valid_ = [], []
        self.states_ = []

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.train_.append(dataset_train.rows)
        self.valid_.append(dataset_valid.rows)

    def on_batch_end(self, net, training=None, **kwargs):
        if training:
            state = net.module_.state_dict()
            self.states_.append({k: v.clone() for k, v in state.items()})


@pytest.fixture
def make(waveform):
    def make(**params):
        settings = {"architecture": Net, "architecture_params": None}
        return waveform(**{**settings, **params})

    return make


class TestNames:
    @pytest.mark.parametrize("name", ["best_epoch", "learning_rate", "fit_progress"])
    def test_any_name_for_a_callback(self, make, data, more_data, name):
        fitted = [
            make(
                evaluations_per_epoch=2, early_stopping=early, callbacks=callbacks
            ).fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
            for early in (True, False)
            for callbacks in (None, [(name, EpochTimer())])
        ]
        for without, beside in (fitted[:2], fitted[2:]):
            assert len(beside.evaluations_) == 4
            assert beside.best_epoch_ == without.best_epoch_
            assert beside.score(more_data.X, more_data.votes) == without.score(
                more_data.X, more_data.votes
            )


class TestSeveralAnEpoch:
    # So high a rate that the validation KL goes up and down.
    params = {"lr": 0.3, "schedule": "constant", "max_epochs": 4, "patience": 9}

    def test_table(self, make, data, more_data):
        clf = make(evaluations_per_epoch=3, early_stopping=True, **self.params)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        table = clf.evaluations_
        assert list(table.columns) == ["epoch", "valid_kl"]
        expected = np.arange(1, 13) / 3
        np.testing.assert_allclose(table["epoch"], expected)
        assert np.isfinite(table["valid_kl"]).all()
        # The last of each epoch is that of the history.
        ends = table["valid_kl"].iloc[2::3].to_numpy()
        np.testing.assert_array_equal(ends, clf.history_["valid_kl"])
        assert clf.best_epoch_ == pytest.approx(expected[table["valid_kl"].argmin()])

    def test_best_within_an_epoch_is_restored(self, make, data, more_data):
        for seed in range(20):
            seen = Seen()
            clf = make(
                evaluations_per_epoch=3,
                early_stopping=True,
                callbacks=[seen],
                random_state=seed,
                **self.params,
            )
            clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
            if clf.best_epoch_ % 1:
                break
        else:
            pytest.fail("the best was at the end of an epoch each time")
        # Six batches an epoch, evaluated after every second one.
        state = seen.states_[round(clf.best_epoch_ * 6) - 1]
        for name, value in clf.net_.module_.state_dict().items():
            assert torch.equal(value, state[name]), name
        kl = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
        assert kl == pytest.approx(clf.evaluations_["valid_kl"].min(), abs=1e-5)

    def test_looking_changes_nothing(self, make, data, more_data):
        fit_params = {"X_val": more_data.X, "y_val": more_data.votes}
        often = make(evaluations_per_epoch=5, ema=0.9, accumulate=4)
        often.fit(data.X, data.votes, **fit_params)
        once = make(ema=0.9, accumulate=4).fit(data.X, data.votes, **fit_params)
        never = make(ema=0.9, accumulate=4).fit(data.X, data.votes)
        for other in (once, never):
            assert np.array_equal(
                often.predict_proba(data.X), other.predict_proba(data.X)
            )
        assert len(often.evaluations_) == 10
        assert len(once.evaluations_) == 2
        assert len(never.evaluations_) == 0

    def test_more_than_batches(self, make, data, more_data):
        clf = make(evaluations_per_epoch=50, max_epochs=1)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        np.testing.assert_allclose(clf.evaluations_["epoch"], np.arange(1, 7) / 6)

    def test_of_averaged_weights(self, make, data, more_data):
        clf = make(evaluations_per_epoch=2, ema=0.8, early_stopping=True, **self.params)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        kl = kl_divergence(more_data.votes, clf.predict_proba(more_data.X))
        assert kl == pytest.approx(clf.evaluations_["valid_kl"].min(), abs=1e-5)


class TestManyVotes:
    def test_only_those_are_validated(self, make, data):
        seen = Seen()
        clf = make(
            early_stopping=True,
            validation_fraction=0.4,
            validation_min_votes=8,
            callbacks=[seen],
        )
        clf.fit(data.X, data.votes, groups=data.groups)
        total = data.votes.sum(axis=1)
        valid, train = seen.valid_[0], seen.train_[0]
        assert total[valid].min() >= 8
        # Those left out are not trained on instead.
        assert not set(data.groups[valid]) & set(data.groups[train])
        assert len(train) + len(valid) < 96
        of_patients = np.isin(data.groups, data.groups[valid])
        assert np.array_equal(valid, np.flatnonzero(of_patients & (total >= 8)))

    def test_of_given_windows(self, make, data, more_data):
        clf = make(validation_min_votes=10)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        many = more_data.votes.sum(axis=1) >= 10
        expected = kl_divergence(
            more_data.votes[many], clf.predict_proba(more_data.X[many])
        )
        assert clf.history_["valid_kl"].iloc[-1] == pytest.approx(expected, abs=1e-5)

    def test_unusable(self, make, data, more_data):
        clf = make(validation_min_votes=99)
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: none of the 96 windows to validate on has "
            r"validation_min_votes=99 votes; the most has 12.*Lower",
        ):
            clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        clf = make(validation_min_votes=5, early_stopping=True)
        with pytest.raises(ValueError, match="fractions do not tell it"):
            clf.fit(data.X, data.fractions, groups=data.groups)
        with pytest.raises(ValueError, match=r"validation_min_votes must be .*got -1"):
            make(validation_min_votes=-1).fit(data.X, data.votes)


class TestTables:
    def test_columns(self, make, data):
        clf = make(max_epochs=3).fit(data.X, data.votes)
        history = clf.history_
        assert isinstance(history, pd.DataFrame)
        assert list(history.columns) == [
            "stage",
            "epoch",
            "train_loss",
            "valid_kl",
            "lr",
            "duration",
        ]
        assert history["stage"].tolist() == [1, 1, 1]
        assert history["epoch"].tolist() == [1, 2, 3]
        assert history["valid_kl"].isna().all()
        assert (history["duration"] > 0).all()
        assert history["train_loss"].dtype == np.float64
        assert list(clf.evaluations_.columns) == ["epoch", "valid_kl"]

    def test_of_the_last_fit(self, make, data):
        clf = make(max_epochs=3).fit(data.X, data.votes)
        clf.set_params(max_epochs=1).fit(data.X, data.votes)
        assert len(clf.history_) == clf.n_iter_ == 1


class TestStages:
    def test_best_of_the_last_stage(self, make, data, more_data):
        clf = make(
            stages=[{"max_epochs": 2}, {"max_epochs": 3, "lr": 0.3}],
            early_stopping=True,
            schedule="constant",
        )
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        kl = clf.history_["valid_kl"].to_numpy()
        assert clf.best_epoch_ == 3 + kl[2:].argmin()
        assert -clf.score(more_data.X, more_data.votes) == pytest.approx(
            kl[2:].min(), abs=1e-5
        )

    def test_patience_of_each(self, make, data, more_data):
        stages = [
            {"max_epochs": 9, "patience": 1, "lr": 0.5, "schedule": "constant"},
            {"max_epochs": 2},
        ]
        clf = make(stages=stages, early_stopping=True)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        counts = clf.history_["stage"].value_counts()
        kl = clf.history_["valid_kl"][: counts[1]].to_numpy()
        # The first one stopped at the first rise.
        assert counts[1] < 9
        assert kl[-1] >= kl[-2]
        assert (np.diff(kl[:-1]) < 0).all()
        assert counts[2] == 2

    def test_one_stage_alone_stops_early(self, make, data):
        seen = Seen()
        clf = make(stages=[{}, {"early_stopping": True}], callbacks=[seen])
        clf.fit(data.X, data.votes, groups=data.groups)
        # The same patients are held out in both.
        assert not set(data.groups[seen.train_[0]]) & set(data.groups[seen.valid_[0]])
        assert 3 <= clf.best_epoch_ <= 4


class TestScoredFold:
    def test_is_never_validated_on(self, make, data):
        # What each fit validated on, as windows: rows count within the fold.
        folds = []

        class Windows(Callback):
            def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kw):
                folds.append((dataset_train.X.copy(), dataset_valid.X.copy()))

        clf = make(
            early_stopping=True,
            validation_fraction=0.25,
            max_epochs=1,
            callbacks=[Windows()],
        )
        cv = GroupKFold(4)
        scores = cross_val_score(
            clf,
            data.X,
            data.votes,
            groups=data.groups,
            cv=cv,
            params={"groups": data.groups},
            error_score="raise",
        )
        assert np.isfinite(scores).all()
        place = {window.tobytes(): row for row, window in enumerate(data.X)}
        assert len(folds) == 4
        for (train, test), (trained, validated) in zip(
            cv.split(data.X, groups=data.groups), folds, strict=True
        ):
            trained = {place[w.tobytes()] for w in trained}
            validated = {place[w.tobytes()] for w in validated}
            assert validated
            assert trained | validated == set(train)
            assert not (trained | validated) & set(test)
            patients = [
                {data.groups[row] for row in rows}
                for rows in (trained, validated, test)
            ]
            assert not patients[0] & patients[1]
            assert not patients[1] & patients[2]
