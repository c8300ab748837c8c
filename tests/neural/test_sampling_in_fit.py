"""Which windows an epoch takes in a fit, what they learn, how the EEGs get there."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural import DecayingVoteWeight

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


class Linear(nn.Module):
    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        return self.head(x.flatten(1))


class Epochs(Callback):
    """Keep windows and targets of every epoch."""

    def on_train_begin(self, net, **kwargs):
        self.x_, self.y_, self.votes_ = [], [], []

    def on_epoch_begin(self, net, **kwargs):
        for kept in (self.x_, self.y_, self.votes_):
            kept.append([])

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            self.x_[-1].append(batch[0]["x"])
            self.votes_[-1].append(batch[0]["total_votes"])
            self.y_[-1].append(batch[1])

    def rows(self, X):
        """Rows of `X` that each epoch took, in order."""
        place = {window.tobytes(): row for row, window in enumerate(X)}
        return [
            np.array([place[w.numpy().tobytes()] for w in torch.cat(epoch)])
            for epoch in self.x_
        ]

    def targets(self):
        return [torch.cat(epoch).numpy() for epoch in self.y_]


SMALL = {"architecture": Linear, "architecture_params": None, "lr": 1e-3}


@pytest.fixture
def eeg_id():
    # Sixteen EEGs of six windows, not side by side, with names instead of numbers.
    return np.array([f"eeg{i % 16}" for i in range(96)])


class Weights(Callback):
    """Keep the weights and totals of all windows that are drawn."""

    def on_train_begin(self, net, **kwargs):
        self.weights_, self.votes_ = [], []

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            self.weights_.append(batch[0]["sample_weight"])
            self.votes_.append(batch[0]["total_votes"])


class TestWeights:
    @pytest.mark.parametrize("sampling", ["votes", "eeg_by_votes", "class"])
    def test_mean_is_one_over_what_is_drawn(self, waveform, data, eeg_id, sampling):
        seen = Weights()
        clf = waveform(
            sampling=sampling,
            vote_weight="linear",
            max_epochs=30,
            callbacks=[seen],
            **SMALL,
        )
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        weights = torch.cat(seen.weights_).numpy()
        error = weights.std() / np.sqrt(weights.size)
        assert abs(weights.mean() - 1) < 4 * error
        ratio = weights / torch.cat(seen.votes_).numpy()
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-5)
        # By rows, windows with many votes would have weighed more than that.
        total = data.votes.sum(axis=1)
        if sampling == "votes":
            assert ratio[0] == pytest.approx(total.sum() / (total**2).sum(), rel=1e-5)

    def test_weights_that_change(self, waveform, data):
        seen = Weights()
        clf = waveform(
            sampling="votes",
            vote_weight=DecayingVoteWeight(),
            max_epochs=2,
            callbacks=[seen],
            **SMALL,
        )
        clf.fit(data.X, data.votes)
        weights = torch.cat(seen.weights_).numpy().reshape(2, 96)
        votes = torch.cat(seen.votes_).numpy().reshape(2, 96)
        total = data.votes.sum(axis=1).astype(float)
        for epoch in range(2):
            by_hand = DecayingVoteWeight()(total, epoch, 2)
            mean = np.average(by_hand, weights=total)
            expected = dict(zip(total, by_hand / mean, strict=True))
            np.testing.assert_allclose(
                weights[epoch], [expected[v] for v in votes[epoch]], rtol=1e-5
            )

    def test_batch_is_compared_with_what_is_drawn(self, waveform, data, eeg_id):
        clf = waveform(sampling="eeg", max_epochs=1, batch_size=32, **SMALL)
        with pytest.warns(
            UserWarning,
            match="batch_size=32 is larger than the data, 16 windows to train on an "
            "epoch, by sampling",
        ):
            clf.fit(data.X, data.votes, eeg_id=eeg_id)

    def test_more_drawn_than_there_are(self, waveform, data):
        def twice(rows, generator, **kwargs):
            return np.concatenate([rows, rows])

        clf = waveform(sampling=twice, max_epochs=1, batch_size=128, **SMALL)
        clf.fit(data.X, data.votes)  # warns of nothing
        assert clf.n_iter_ == 1


class TestOneOfEachEeg:
    def test_another_one_in_the_next_epoch(self, waveform, data, eeg_id):
        seen = Epochs()
        clf = waveform(sampling="eeg", max_epochs=6, callbacks=[seen], **SMALL)
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        epochs = seen.rows(data.X)
        assert len(epochs) == 6
        for rows in epochs:
            assert sorted(eeg_id[rows]) == sorted(set(eeg_id))
        assert len({tuple(np.sort(rows)) for rows in epochs}) == 6
        # Every window of an EEG comes at some time.
        clf.set_params(max_epochs=40).fit(data.X, data.votes, eeg_id=eeg_id)
        assert len(np.unique(np.concatenate(seen.rows(data.X)))) == 96

    def test_from_the_seed(self, waveform, data, eeg_id):
        drawn = []
        for seed in (0, 0, 1):
            seen = Epochs()
            clf = waveform(sampling="eeg", callbacks=[seen], **SMALL)
            clf.set_params(random_state=seed)
            clf.fit(data.X, data.votes, eeg_id=eeg_id)
            drawn.append(np.concatenate(seen.rows(data.X)).tolist())
        assert drawn[0] == drawn[1] != drawn[2]

    def test_likelier_with_more_votes(self, waveform, data, eeg_id):
        seen = Epochs()
        clf = waveform(
            sampling="eeg_by_votes", max_epochs=150, callbacks=[seen], **SMALL
        )
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        count = np.bincount(np.concatenate(seen.rows(data.X)), minlength=96)
        total = data.votes.sum(axis=1).astype(float)
        of_eeg = np.array([total[eeg_id == name].sum() for name in eeg_id])
        expected = 150 * total / of_eeg
        # Five standard deviations of a count.
        assert (np.abs(count - expected) < 5 * np.sqrt(expected)).all()
        assert np.corrcoef(count, expected)[0, 1] > 0.8

    def test_not_those_validated_on(self, waveform, data, eeg_id):
        seen = Epochs()
        clf = waveform(sampling="eeg", early_stopping=True, callbacks=[seen], **SMALL)
        eeg = data.groups  # an EEG for each patient
        clf.fit(data.X, data.votes, groups=data.groups, eeg_id=eeg)
        for rows in seen.rows(data.X):
            assert len(rows) == 22  # 24 patients, two of them validated on
            assert len(set(eeg[rows])) == 22


class TestOtherDraws:
    def test_by_votes(self, waveform, data):
        seen = Epochs()
        clf = waveform(
            sampling="votes", batch_size=96, max_epochs=100, callbacks=[seen], **SMALL
        )
        clf.fit(data.X, data.votes)
        rows = seen.rows(data.X)
        assert {len(one) for one in rows} == {96}
        count = np.bincount(np.concatenate(rows), minlength=96)
        total = data.votes.sum(axis=1)
        expected = 100 * 96 * total / total.sum()
        assert (np.abs(count - expected) < 5 * np.sqrt(expected)).all()

    def test_classes_alike(self, waveform, data):
        # Thirty of the first class, two of each of the others.
        label = np.r_[np.zeros(30, int), np.arange(1, 6).repeat(2)]
        X, y = data.X[: label.size], np.eye(6)[label]
        seen = Epochs()
        clf = waveform(sampling="top_class", max_epochs=60, callbacks=[seen], **SMALL)
        clf.fit(X, y)
        drawn = label[np.concatenate(seen.rows(X))]
        share = np.bincount(drawn) / drawn.size
        np.testing.assert_allclose(share, 1 / 6, atol=0.04)

    def test_one_of_each_period(self, waveform, data):
        # Two EEGs of eight windows; the votes change after three, five and never.
        eeg_id = np.repeat([7, 9], 8)
        period = np.r_[0, 0, 0, 1, 1, 2, 2, 2, [3] * 8]
        y = data.votes[[0, 1, 0, 2]][period]
        seen = Epochs()
        clf = waveform(
            sampling="period", max_epochs=5, batch_size=2, callbacks=[seen], **SMALL
        )
        clf.fit(data.X[:16], y, eeg_id=eeg_id)
        for rows in seen.rows(data.X[:16]):
            assert sorted(period[rows]) == [0, 1, 2, 3]
        # By pattern the first and the third period are one.
        clf.set_params(sampling="pattern").fit(data.X[:16], y, eeg_id=eeg_id)
        assert {len(rows) for rows in seen.rows(data.X[:16])} == {3}

    def test_function(self, waveform, data, eeg_id):
        def draw(rows, fractions, total_votes, eeg_id, generator):
            assert eeg_id[0] == "eeg0"
            u = torch.rand(10, generator=generator)
            return rows[(u * rows.size).long().numpy()]

        seen = Epochs()
        clf = waveform(sampling=draw, batch_size=5, callbacks=[seen], **SMALL)
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        first, second = seen.rows(data.X)
        assert len(first) == len(second) == 10
        assert not np.array_equal(first, second)


class TestTargets:
    @pytest.mark.parametrize("target", ["eeg", "eeg_votes"])
    def test_mean_of_the_eeg(self, waveform, data, eeg_id, target):
        seen = Epochs()
        clf = waveform(target=target, callbacks=[seen], max_epochs=1, **SMALL)
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        [rows], [targets] = seen.rows(data.X), seen.targets()
        assert sorted(rows) == list(range(96))
        for row, learned in zip(rows, targets, strict=True):
            of_eeg = eeg_id == eeg_id[row]
            if target == "eeg":
                expected = data.fractions[of_eeg].mean(axis=0)
            else:
                votes = data.votes[of_eeg].sum(axis=0)
                expected = votes / votes.sum()
            np.testing.assert_allclose(learned, expected, atol=1e-6)

    def test_windows_keep_their_numbers_of_votes(self, waveform, data, eeg_id):
        seen = Epochs()
        clf = waveform(target="eeg", callbacks=[seen], max_epochs=1, **SMALL)
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        [rows] = seen.rows(data.X)
        votes = torch.cat(seen.votes_[0]).numpy()
        assert np.array_equal(votes, data.votes.sum(axis=1)[rows])

    def test_validated_windows_take_no_part(self, waveform, data, eeg_id):
        # Half of each EEG is validated on: its targets come from the other half.
        train = np.arange(96) % 32 < 16
        seen, votes = Epochs(), []

        class Validated(Callback):
            def on_batch_end(self, net, batch=None, training=None, **kwargs):
                if not training:
                    votes.append(batch[1])

        clf = waveform(
            target="eeg", callbacks=[seen, Validated()], max_epochs=1, **SMALL
        )
        X_val, y_val = data.X[~train], data.votes[~train]
        weight = train.astype(float)
        clf.fit(
            data.X,
            data.votes,
            sample_weight=weight,
            eeg_id=eeg_id,
            X_val=X_val,
            y_val=y_val,
        )
        [rows], [targets] = seen.rows(data.X), seen.targets()
        for row, learned in zip(rows, targets, strict=True):
            of_eeg = (eeg_id == eeg_id[row]) & train
            np.testing.assert_allclose(
                learned, data.fractions[of_eeg].mean(axis=0), atol=1e-6
            )
        # What is validated are the windows' own votes.
        np.testing.assert_allclose(torch.cat(votes), data.fractions[~train], atol=1e-6)


class TestTheWayThere:
    def test_through_a_pipeline(self, waveform, data, eeg_id):
        half = FunctionTransformer(lambda X: X[..., ::2], validate=False)
        seen = Epochs()
        net = waveform(sampling="eeg", target="eeg", callbacks=[seen], **SMALL)
        pipe = Pipeline([("half", half), ("net", net)])
        pipe.fit(data.X, data.votes, net__eeg_id=eeg_id)
        for rows in seen.rows(np.ascontiguousarray(data.X[..., ::2])):
            assert len(rows) == 16
        assert pipe.predict_proba(data.X).shape == (96, 6)
        with pytest.raises(ValueError, match="which EEG each window is from"):
            pipe.fit(data.X, data.votes)

    def test_through_cross_validation(self, waveform, data):
        # Each fold gets the EEGs of its own windows.
        eeg_id = np.arange(96) // 2
        drawn = []

        class Drawn(Callback):
            def on_epoch_begin(self, net, **kwargs):
                drawn.append(net.sampling.n_rows)

        clf = waveform(sampling="eeg", max_epochs=1, callbacks=[Drawn()], **SMALL)
        scores = cross_val_score(
            clf,
            data.X,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(4),
            params={"eeg_id": eeg_id},
            error_score="raise",
        )
        assert scores.shape == (4,)
        assert drawn == [36] * 4  # three quarters of 48

    def test_through_cross_validation_of_a_pipeline(self, waveform, data):
        net = waveform(sampling="eeg", max_epochs=1, **SMALL)
        same = FunctionTransformer(None, validate=False)
        scores = cross_val_score(
            Pipeline([("same", same), ("net", net)]),
            data.X,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(2),
            params={"net__eeg_id": np.arange(96) // 2},
            error_score="raise",
        )
        assert np.isfinite(scores).all()


class TestUnusable:
    @pytest.mark.parametrize(
        "params",
        [
            {"sampling": "eeg"},
            {"sampling": "eeg_by_votes"},
            {"sampling": "period"},
            {"sampling": "pattern"},
            {"target": "eeg"},
            {"target": "eeg_votes"},
            {"stages": [{}, {"sampling": "eeg"}]},
        ],
    )
    def test_eeg_missing(self, waveform, data, params):
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: .*which EEG each window is from\. Pass fit",
        ):
            waveform(**params, **SMALL).fit(data.X, data.votes)

    def test_one_eeg_alone(self, waveform, data):
        clf = waveform(sampling="eeg", **SMALL)
        with pytest.raises(ValueError, match="leaves one window for an epoch"):
            clf.fit(data.X, data.votes, eeg_id=np.zeros(96))

    def test_wrong_number_of_eegs(self, waveform, data):
        with pytest.raises(ValueError, match=r"eeg_id has shape \(5,\), expected"):
            waveform(**SMALL).fit(data.X, data.votes, eeg_id=np.arange(5))

    def test_missing_eegs(self, waveform, data):
        eeg_id = np.arange(96.0)
        eeg_id[5] = np.nan
        with pytest.raises(
            ValueError, match=r"eeg_id is missing in 1 rows \(first in row 5"
        ):
            waveform(sampling="eeg", **SMALL).fit(data.X, data.votes, eeg_id=eeg_id)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"sampling": "votes"}, "sampling='votes' needs the number of votes"),
            ({"target": "eeg_votes"}, "target='eeg_votes' needs the number of votes"),
        ],
    )
    def test_counts_missing(self, waveform, data, params, message):
        with pytest.raises(ValueError, match=message):
            waveform(**params, **SMALL).fit(
                data.X, data.fractions, eeg_id=np.arange(96) // 2
            )

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"sampling": "eegs"}, "sampling='eegs' is not known. Did you mean 'eeg'"),
            ({"target": "windows"}, "target must be one of .*got 'windows'"),
        ],
    )
    def test_unknown_name(self, waveform, data, params, message):
        with pytest.raises(ValueError, match=f"WaveformClassifier: {message}"):
            waveform(**params, **SMALL).fit(data.X, data.votes)
