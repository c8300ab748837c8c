"""Filling, robust scaling and channel quality beside pandas, NumPy, scikit-learn."""

import numpy as np
import pandas as pd
from harness import Contender, Job
from simulated import eeg
from sklearn.preprocessing import RobustScaler

from hmsklearn.preprocessing import ChannelQuality, NaNImputer, RobustChannelScaler


def close(tolerance):
    def agree(ours, theirs):
        for one, other in zip(ours, theirs, strict=False):
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * scale)

    return agree


def jobs():
    X = eeg(n_windows=8, n_channels=20)
    gappy = X.copy()
    gappy[:, ::4, 3000:3500] = np.nan
    gappy[2, 7] = np.nan
    return [fill(gappy), interpolate(gappy), whole(X), scale(X), quality(X)]


def fill(X):
    def published():
        out = X.copy()
        for window in out:
            for i, channel in enumerate(window):
                gone = np.isnan(channel)
                window[i] = (
                    0 if gone.all() else np.nan_to_num(channel, nan=np.nanmean(channel))
                )
        return out

    def by_pandas():
        tables = [pd.DataFrame(window.T) for window in X]
        return [t.fillna(t.mean()).fillna(0).to_numpy().T for t in tables]

    imputer = NaNImputer("mean").fit(X)
    return Job(
        "fill gaps with the mean",
        Contender("NaNImputer", lambda: imputer.transform(X), len(X)),
        [
            Contender("nanmean, channel by channel", published, len(X), close(1e-6), 2),
            Contender("pandas fillna", by_pandas, len(X), close(1e-6), 4),
        ],
    )


def interpolate(X):
    def by_pandas():
        tables = [pd.DataFrame(window.T) for window in X]
        tables = [t.interpolate("linear", limit_area="inside") for t in tables]
        return [table.fillna(0).to_numpy().T for table in tables]

    imputer = NaNImputer("linear").fit(X)
    return Job(
        "fill gaps with lines",
        Contender("NaNImputer", lambda: imputer.transform(X), len(X)),
        [Contender("pandas interpolate", by_pandas, len(X), close(1e-6), 2)],
    )


def whole(X):
    def published():
        return np.where(np.isnan(X), np.nanmean(X, axis=-1, keepdims=True), X)

    imputer = NaNImputer("mean").fit(X)
    return Job(
        "find that there is no gap",
        Contender("NaNImputer", lambda: imputer.transform(X), len(X)),
        [
            Contender("where isnan", published, len(X), close(0), 4),
            Contender("copy (floor)", X.copy, len(X)),
        ],
    )


def scale(X):
    def by_sklearn():
        return [RobustScaler().fit_transform(window.T).T for window in X]

    def by_numpy():
        low, middle, high = np.percentile(X, [25, 50, 75], axis=-1, keepdims=True)
        return (X - middle) / (high - low)

    scaler = RobustChannelScaler().fit(X)
    return Job(
        "median and interquartile range",
        Contender("RobustChannelScaler", lambda: scaler.transform(X), len(X)),
        [
            Contender("RobustScaler, window by window", by_sklearn, 8, close(1e-5), 5),
            Contender("numpy.percentile", by_numpy, 8, close(1e-5), 2.5),
        ],
    )


def quality(X):
    X = np.ascontiguousarray(X[:, :, :2000])

    def by_pandas():
        x = X[0, :19]
        rows = pd.DataFrame(((x[:, None] - x[None]) ** 2).reshape(361, -1).T)
        distance = rows.ewm(halflife=13).mean().to_numpy().T.reshape(19, 19, -1) + 100
        nearest = np.sort(distance, axis=1)[:, 1:4].mean(axis=1)
        gof = nearest / (np.sort(nearest, axis=0)[:3].mean(axis=0) + 100)
        return [1 / (gof / 10 + 1)]

    step = ChannelQuality(sfreq=40.0).fit(X)
    return Job(
        "channel quality at 40 Hz",
        Contender("ChannelQuality", lambda: step.transform(X), len(X)),
        [Contender("pandas ewm of all pairs", by_pandas, 1, close(1e-5), 3)],
    )
