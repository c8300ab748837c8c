"""Every registered net through the estimator of its kind: trained, cloned, saved."""

import io

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from small_nets import SMALL

from hmsklearn.nets import list_nets, net_config
from hmsklearn.neural import ImageClassifier, VideoClassifier, WaveformClassifier

ESTIMATORS = {3: WaveformClassifier, 4: ImageClassifier, 5: VideoClassifier}

#: Epochs, of one step each, in which a net learns eight windows by heart. Those that
#: look at them through attention, gates or dropout take longer, and are quick.
N_EPOCHS = 12
N_EPOCHS_OF_SLOW = 40
SLOW = {
    *("ast_base", "ast_small", "ast_tiny"),
    *("node_attention", "resnet1d_gru", "wavenet"),
}


def n_epochs(name):
    return N_EPOCHS_OF_SLOW if name in SLOW else N_EPOCHS


def windows(name):
    """Draw eight windows of noise, with votes that have nothing to do with them."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, *SMALL[name].shape)).astype(np.float32)
    return X, 10 * np.eye(2, dtype=int)[np.arange(8) % 2]


def make(name):
    small = SMALL[name]
    return ESTIMATORS[net_config(name).ndim](
        name,
        architecture_params=small.params,
        classes=["even", "odd"],
        max_epochs=n_epochs(name),
        batch_size=8,
        lr=small.lr,
        schedule="constant",
        weight_decay=0.0,
        device="cpu",
        random_state=0,
    )


@pytest.mark.parametrize("name", list_nets())
def test_every_net(name):
    X, y = windows(name)
    clf = clone(make(name))
    assert not hasattr(clf, "net_")
    clf.fit(X, y)

    loss = clf.history_["train_loss"].to_numpy()
    assert len(loss) == n_epochs(name)
    assert loss[-1] < 0.5 * loss[0], loss

    prob = clf.predict_proba(X)
    assert prob.shape == (8, 2)
    np.testing.assert_allclose(prob.sum(axis=1), 1, rtol=1e-12)

    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    assert np.array_equal(joblib.load(file).predict_proba(X), prob)

    few = clone(clf).set_params(max_epochs=1)
    first = few.fit(X, y).predict_proba(X)
    again = clone(few).fit(X, y).predict_proba(X)
    assert np.array_equal(again, first)
    other = clone(few).set_params(random_state=1).fit(X, y).predict_proba(X)
    assert not np.array_equal(other, first)
