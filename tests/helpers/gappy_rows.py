"""Rows whose recordings have what real ones have: lost samples and a silent EKG."""

import numpy as np
import pandas as pd

from hmsklearn.datasets import load_hms, make_hms


def gappy_rows(folder):
    """Simulate two recordings with NaN, an electrode that is missing, a flat EKG."""
    root = make_hms(
        folder, 2, records_per_patient=1, windows_per_record=1, n_test=1, random_state=0
    )
    rows = load_hms(root).data
    for eeg_id in rows["eeg_id"].unique():
        path = root / "train_eegs" / f"{eeg_id}.parquet"
        eeg = pd.read_parquet(path)
        eeg["EKG"] = np.float32(0)
        eeg["T3"] = np.float32(np.nan)
        eeg.loc[4000:4400, ["Fp1", "O2"]] = np.float32(np.nan)
        eeg.to_parquet(path)
    for spectrogram_id in rows["spectrogram_id"].unique():
        path = root / "train_spectrograms" / f"{spectrogram_id}.parquet"
        power = pd.read_parquet(path)
        columns = list(power.columns)
        power[columns[101:201]] = np.float32(np.nan)  # a whole panel
        power.loc[140:160, columns[1:]] = np.float32(np.nan)
        power.to_parquet(path)
    return rows
