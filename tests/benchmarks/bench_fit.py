"""Training through the estimators, against loops that are written by hand."""

from functools import partial

import numpy as np
from hand_written import seed_of, train
from harness import Contender, Job
from simulated import eeg
from torch import nn

from hmsklearn.augmentation import AmplitudeScale, ChannelDrop
from hmsklearn.nets import TimmNet, create_net
from hmsklearn.neural import TimmClassifier, WaveformClassifier

N_CLASSES = 6
DECAY = 0.9


class SmallNet(nn.Module):
    """A few thousand weights: what is around the net shows most."""

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.layers = nn.Sequential(
            nn.AvgPool1d(n_times // 10),
            nn.Flatten(),
            nn.Linear(10 * n_chans, 20),
            nn.ReLU(),
            nn.Linear(20, n_outputs),
        )

    def forward(self, x):
        return self.layers(x)


def votes(n, seed=0):
    """Vote fractions of a few experts each."""
    counts = np.random.default_rng(seed).multinomial(7, np.ones(N_CLASSES) / 6, size=n)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def agree(ours, theirs, limit=1e-4):
    """In the loss of every epoch, and in the KL where it is measured."""
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=limit, equal_nan=True)


def by_estimator(clf, X, y, valid):
    clf.fit(X, y, X_val=valid[0], y_val=valid[1])
    return clf.history_[["train_loss", "valid_kl"]].to_numpy()


def by_hand(*args, **kwargs):
    return np.array(train(*args, **kwargs))


def job(name, clf, make, X, n_valid, target, what):
    """Both train the same net on the same batches, and validate it."""
    y = votes(len(X))
    valid = X[:n_valid], y[:n_valid]
    n = clf.max_epochs * len(X)
    settings = {
        "seed": seed_of(clf.random_state),
        "n_epochs": clf.max_epochs,
        "batch_size": clf.batch_size,
        "lr": clf.lr,
        "augment": clf.augment or (),
        "decay": clf.ema,
        "valid": valid,
    }
    return Job(
        name,
        Contender(
            f"{type(clf).__name__}.fit", partial(by_estimator, clf, X, y, valid), n
        ),
        [
            Contender(
                what,
                partial(by_hand, make, X, y, **settings),
                n,
                agrees=agree,
                target=target,
                target_2=target,
            )
        ],
    )


def jobs():
    shared = {"device": "cpu", "random_state": 0, "ema": DECAY}
    waves = eeg(64, 18, 2000)
    augment = [ChannelDrop(), AmplitudeScale()]
    eegnet = WaveformClassifier(
        "eegnet", max_epochs=1, batch_size=16, augment=augment, **shared
    )
    small = WaveformClassifier(SmallNet, max_epochs=10, batch_size=16, **shared)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((32, 1, 128, 256)).astype(np.float32)
    timm = TimmClassifier(
        "tf_efficientnet_b0", max_epochs=1, batch_size=16, lr=1e-4, **shared
    )
    return [
        job(
            "fit: EEGNet, 18 x 2000",
            eegnet,
            partial(create_net, "eegnet", 18, N_CLASSES, 2000),
            waves,
            16,
            0.97,
            "loop by hand",
        ),
        job(
            "fit: 4,000 weights, 18 x 2000",
            small,
            partial(SmallNet, 18, N_CLASSES, 2000),
            waves,
            16,
            0.97,
            "loop by hand",
        ),
        job(
            "fit: EfficientNet-B0, 1 x 128 x 256",
            timm,
            partial(TimmNet, 1, N_CLASSES, (128, 256), backbone="tf_efficientnet_b0"),
            images,
            4,
            1.25,
            "loop by hand, contiguous",
        ),
    ]
