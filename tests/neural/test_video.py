"""VideoClassifier: films as they are, and films that a frontend makes of signals."""

import io

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from hmsklearn.imaging import ImageTiler, WindowUnion
from hmsklearn.montage import CH_NAMES
from hmsklearn.neural import VideoClassifier
from hmsklearn.preprocessing import CentreCrop, MontageTransformer, NaNImputer
from hmsklearn.spectrogram import STFTSpectrogramizer

# Small parts of the data hold no votes for some classes.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")

SMALL_X3D = {
    "depth_factor": 0.2,
    "width_factor": 0.34,
    "head_width": 16,
    "drop_rate": 0.0,
}


def video(**params):
    settings = {
        "architecture_params": SMALL_X3D,
        "max_epochs": 3,
        "batch_size": 8,
        "lr": 1e-2,
        "device": "cpu",
        "random_state": 0,
    }
    return VideoClassifier("x3d_xs", **{**settings, **params})


@pytest.fixture(scope="module")
def data(data):
    """Fewer windows."""
    return type(data)(n=48)


@pytest.fixture(scope="module")
def films(data):
    """Spectra of the three channels, one frame each."""
    return np.ascontiguousarray(data.images[:, None, :, ::2, ::2])


@pytest.fixture(scope="module")
def fitted(films, data):
    """One that has learned from films; do not fit it again."""
    return video().fit(films, data.votes)


class TestFilms:
    def test_learns(self, fitted, films, data):
        prob = fitted.predict_proba(films)
        np.testing.assert_allclose(prob.sum(axis=1), 1)
        assert -fitted.score(films, data.votes) < data.baseline_kl
        assert fitted.input_shape_ == (1, 3, 16, 16)
        assert fitted.n_features_in_ == 1

    def test_saved(self, fitted, films):
        file = io.BytesIO()
        joblib.dump(fitted, file)
        file.seek(0)
        prob = joblib.load(file).predict_proba(films)
        assert np.array_equal(prob, fitted.predict_proba(films))

    def test_same_seed_same_result(self, fitted, films, data):
        again = clone(fitted).fit(films, data.votes)
        assert np.array_equal(again.predict_proba(films), fitted.predict_proba(films))

    def test_planes_are_channels(self, films, data):
        three = np.repeat(films, 3, axis=1)
        clf = video(max_epochs=1).fit(three, data.votes)
        assert clf.n_features_in_ == 3
        with pytest.raises(ValueError, match="X has 1 channels"):
            clf.predict_proba(films)

    @pytest.mark.parametrize(
        "cut", [lambda x: x[:, :, :2], lambda x: x[..., :8], lambda x: x[..., :8, :]]
    )
    def test_another_shape_than_in_fit(self, cut, fitted, films):
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            fitted.predict_proba(cut(films))

    def test_wrong_number_of_axes(self, films, data):
        with pytest.raises(ValueError, match=r"expected \(n_windows, n_planes, n_fra"):
            video().fit(films[:, 0], data.votes)

    def test_nan(self, films, data):
        films = films.copy()
        films[3, 0, 1, 2, 3] = np.nan
        with pytest.raises(ValueError, match=r"VideoClassifier: .*NaN"):
            video().fit(films, data.votes)

    def test_nets_for_other_input(self, films, data):
        clf = video(architecture_params=None).set_params(architecture="resnet1d_gru")
        with pytest.raises(ValueError, match=r"net for signals.*x3d_s"):
            clf.fit(films, data.votes)

    def test_tags(self):
        tags = get_tags(video()).input_tags
        assert not tags.three_d_array
        assert get_tags(video(frontend=NaNImputer())).input_tags.three_d_array


def two_zooms():
    """From electrodes to a film: spectra of the whole window, then of its middle."""
    frames = ImageTiler("planes", frames=True)
    spectra = {"n_fft": 32, "win_length": 32, "n_bins": 16, "output": "log1p"}
    zooms = [
        (
            "middle",
            make_pipeline(
                CentreCrop(n_times=64), STFTSpectrogramizer(hop_length=4, **spectra)
            ),
        ),
        ("whole", STFTSpectrogramizer(hop_length=8, **spectra)),
    ]
    return make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        WindowUnion(
            [(name, make_pipeline(zoom, frames)) for name, zoom in zooms],
            join="frames",
        ),
    )


@pytest.fixture(scope="module")
def electrodes(data):
    """Twenty electrodes that record the three sources in different mixtures."""
    mixing = np.random.default_rng(1).standard_normal((len(CH_NAMES), 3))
    X = np.einsum("ec,nct->net", mixing, data.X).astype(np.float32)
    X[::5, 3, 10:20] = np.nan
    return X


@pytest.fixture(scope="module")
def from_signals(electrodes, data):
    """One that has learned from signals; do not fit it again."""
    return video(frontend=two_zooms(), max_epochs=4).fit(electrodes, data.votes)


class TestFrontend:
    """The 2nd place's film, small: derivations of two zooms, one after the other."""

    def test_frames_are_derivations(self, from_signals, electrodes):
        frontend = from_signals.net_.module_.frontend
        made = two_zooms().fit_transform(electrodes)
        assert frontend.output_shape == made.shape[1:]
        assert made.shape[1:4] == (1, 2 * 16, 16)

    def test_learns_from_signals(self, from_signals, electrodes, data):
        assert from_signals.input_shape_ == (20, 128)
        assert from_signals.n_features_in_ == 20
        assert -from_signals.score(electrodes, data.votes) < data.baseline_kl

    def test_same_as_films_made_before(self, electrodes, data):
        # At rate zero, nothing but the frontend makes a difference.
        params = {"lr": 1e-30, "weight_decay": 0.0, "max_epochs": 1, "batch_size": 48}
        inside = video(frontend=two_zooms(), **params).fit(electrodes, data.votes)
        made = two_zooms().fit_transform(electrodes)
        outside = video(**params).fit(made, data.votes)
        np.testing.assert_allclose(
            inside.predict_proba(electrodes), outside.predict_proba(made), atol=1e-5
        )

    def test_saved(self, from_signals, electrodes):
        file = io.BytesIO()
        joblib.dump(from_signals, file)
        file.seek(0)
        prob = joblib.load(file).predict_proba(electrodes)
        assert np.array_equal(prob, from_signals.predict_proba(electrodes))

    def test_augmentations_on_both_sides(self, electrodes, data):
        clf = video(
            frontend=two_zooms(),
            max_epochs=1,
            augment=[
                ("left_right_mirror", {"montage": "referential_ekg", "p": 0.5}),
                ("mixup", {"after_frontend": True}),
            ],
        )
        clf.fit(electrodes, data.votes)
        assert np.isfinite(clf.predict_proba(electrodes)).all()

    def test_cross_validation(self, electrodes, data):
        clf = video(frontend=two_zooms(), max_epochs=1)
        scores = cross_val_score(
            clf,
            electrodes,
            data.votes,
            groups=data.groups,
            cv=GroupKFold(2),
            error_score="raise",
        )
        assert np.isfinite(scores).all()

    def test_frontend_that_makes_no_film(self, electrodes, data):
        with pytest.raises(ValueError, match="frontend gives windows of shape"):
            video(frontend=NaNImputer()).fit(electrodes, data.votes)
