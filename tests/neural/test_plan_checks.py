"""Parameters of a training that do not go together: class, cause and remedy."""

import numpy as np
import pytest

from hmsklearn.augmentation import Mixup, OneOf, PolarityFlip, RandomNaNBlocks
from hmsklearn.neural import MultiViewClassifier, VoteKLLoss
from hmsklearn.preprocessing import AmplitudeScaler, NaNImputer

PER_EPOCH = {"decay": 0.8, "per": "epoch"}


class TestAverages:
    def test_of_epochs_within_an_epoch(self, waveform, data, more_data):
        clf = waveform(ema=PER_EPOCH, evaluations_per_epoch=2)
        valid = {"X_val": more_data.X, "y_val": more_data.votes}
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: evaluations_per_epoch=2 .*same averaged "
            r"weights 2 times.*ema=0\.995",
        ):
            clf.fit(data.X, data.votes, **valid)
        clf.fit(data.X, data.votes)  # nothing is validated
        clf.set_params(evaluations_per_epoch=1).fit(data.X, data.votes, **valid)
        clf.set_params(evaluations_per_epoch=2, ema=0.9)
        clf.fit(data.X, data.votes, **valid)
        assert clf.evaluations_["valid_kl"].nunique() == 4

    def test_stage_is_named(self, waveform, data, more_data):
        clf = waveform(
            evaluations_per_epoch=2, stages=[{"max_epochs": 1}, {"ema": PER_EPOCH}]
        )
        with pytest.raises(ValueError, match="stage 2: evaluations_per_epoch=2"):
            clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)


class TestMissing:
    @pytest.mark.parametrize("wrapped", [False, True])
    @pytest.mark.parametrize("method", ["fit", "partial_fit"])
    def test_nothing_fills_it(self, waveform, data, wrapped, method):
        blocks = RandomNaNBlocks(n_channels=1)
        if wrapped:
            blocks = OneOf([PolarityFlip(), blocks])
        clf = waveform(augment=[blocks])
        with pytest.raises(
            ValueError, match=r"RandomNaNBlocks, which puts NaN into .*NaNImputer\(\)"
        ):
            getattr(clf, method)(data.X, data.votes)

    @pytest.mark.parametrize(
        ("fill", "frontend"), [(0.0, None), (np.nan, NaNImputer())]
    )
    def test_remedies(self, waveform, data, fill, frontend):
        blocks = RandomNaNBlocks(n_channels=1, fill=fill, p=1.0)
        clf = waveform(augment=[blocks], frontend=frontend).fit(data.X, data.votes)
        assert np.isfinite(clf.history_["train_loss"]).all()

    def test_by_view(self, waveform, data):
        branches = [("a", waveform(frontend=NaNImputer())), ("b", waveform())]
        views = {"a": data.X, "b": data.X}

        def clf(names):
            return MultiViewClassifier(
                branches,
                max_epochs=1,
                augment=[RandomNaNBlocks(n_channels=1, views=names)],
                device="cpu",
                random_state=0,
            )

        clf(["a"]).fit(views, data.votes)
        for names in (["b"], ["a", "b"], None):
            with pytest.raises(ValueError, match=r"MultiViewClassifier: .*puts NaN"):
                clf(names).fit(views, data.votes)

    def test_frontend_that_leaves_it(self, waveform, data):
        """It is named as a cause, and only where there is a frontend."""
        told = "NaN that the frontend leaves in the windows"
        blocks = RandomNaNBlocks(n_channels=1, p=1.0)
        clf = waveform(augment=[blocks], frontend=AmplitudeScaler(32.0))
        with pytest.raises(ValueError, match=f"training loss became nan.*{told}"):
            clf.fit(data.X, data.votes)
        with pytest.raises(ValueError, match=r"became (nan|inf)") as without:
            waveform(lr=1e30, schedule="constant").fit(data.X, data.votes)
        assert told not in str(without.value)


class TestTargets:
    @pytest.mark.parametrize("mode", ["or", "add"])
    @pytest.mark.parametrize("loss", ["kl", "dirichlet_multinomial", VoteKLLoss])
    def test_more_than_one(self, waveform, data, mode, loss):
        mixup = Mixup(mode=mode)
        for augment in ([mixup], [OneOf([mixup, Mixup()])]):
            clf = waveform(augment=augment, loss=loss)
            with pytest.raises(
                ValueError,
                match=rf"WaveformClassifier: augment holds Mixup\(mode='{mode}'\).*sum "
                "to more than one.*loss='bce' or 'focal'",
            ):
                clf.fit(data.X, data.votes)

    @pytest.mark.parametrize("loss", ["bce", "focal"])
    def test_losses_of_each_class(self, waveform, data, loss):
        clf = waveform(augment=[Mixup(mode="or", p=1.0)], loss=loss)
        assert clf.fit(data.X, data.votes).n_iter_ == 2

    def test_weighted_means(self, waveform, data):
        assert waveform(augment=[Mixup(p=1.0)]).fit(data.X, data.votes).n_iter_ == 2
