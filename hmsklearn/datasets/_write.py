"""One simulated patient: recordings cut into files, and their rows of the table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hmsklearn.datasets._layout import SPECTROGRAM_COLUMNS
from hmsklearn.datasets._patient import draw_patient
from hmsklearn.datasets._patterns import SFREQ
from hmsklearn.datasets._plan import EEG_START, LabelledEEG, draw_eeg
from hmsklearn.datasets._recording import simulate_recording
from hmsklearn.montage import CH_NAMES
from hmsklearn.signal.blas import one_blas_thread
from hmsklearn.signal.host_spectrogram import host_spectrogram
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

__all__ = ["MARK", "write_patient"]

#: Metadata of the parquet files by which a simulated folder is known.
MARK: Mapping[bytes, bytes] = {b"hmsklearn": b"simulated"}

# The first spectrogram row is centred at second 1 of the file and spans 4 s.
_LEAD = 1

_SPLITS = {"train": 0, "test": 1}


# The files of a seed must not depend on the number of cores or workers.
@one_blas_thread()
def write_patient(
    folder: Path,
    split: str,
    index: int,
    *,
    seed: int,
    records: tuple[int, int],
    windows: tuple[int, int],
    missing: float,
) -> list[dict]:
    """Simulate a patient and write the files.

    Parameters
    ----------
    folder : Path
        The competition folder, with its four folders of recordings.
    split : {"train", "test"}
        Which of them to write to. A test patient has one recording with one window.
    index : int
        Number of the patient within the split.
    seed : int
        Seed of the whole folder.
    records, windows : (int, int)
        Bounds of the numbers of recordings and of windows in an EEG.
    missing : float
        Probability of lost samples in a training EEG.

    Returns
    -------
    list of dict
        The rows of ``train.csv`` or ``test.csv``.
    """
    stream = np.random.SeedSequence(seed, spawn_key=(_SPLITS[split], index))
    rng = np.random.default_rng(stream)
    patient = draw_patient(rng)
    ids = _Ids(seed, split, index)
    train = split == "train"
    n_records = int(rng.integers(records[0], records[1] + 1)) if train else 1
    rows = []
    for record in range(n_records):
        main = CLASSES[index % len(CLASSES)]
        if record > 0 and rng.uniform() < 0.5:
            main = CLASSES[int(rng.integers(len(CLASSES)))]
        eegs = _plan_record(rng, main, windows if train else (1, 1), train)
        last = max(eeg.shift + eeg.offsets[-1] for eeg in eegs)
        n_rows = (last + 600) // 2
        episodes = [episode for eeg in eegs for episode in eeg.episodes]
        n_times = (2 * n_rows + 2 * _LEAD) * SFREQ
        recording = simulate_recording(rng, patient, episodes, n_times, lead=_LEAD)
        starts = [(_LEAD + EEG_START + eeg.shift) * SFREQ for eeg in eegs]
        if train:
            for eeg, start in zip(eegs, starts, strict=True):
                if rng.uniform() < missing:
                    _lose_samples(rng, recording, start, eeg.n_seconds * SFREQ)
        spectrogram_id = ids.spectrogram(record)
        _write_spectrogram(
            folder / f"{split}_spectrograms" / f"{spectrogram_id}.parquet",
            recording,
            np.int64 if train else np.int16,
        )
        sub_id = 0
        for which, (eeg, start) in enumerate(zip(eegs, starts, strict=True)):
            eeg_id = ids.eeg(record, which)
            _write_eeg(
                folder / f"{split}_eegs" / f"{eeg_id}.parquet",
                recording[:, start : start + eeg.n_seconds * SFREQ],
            )
            for window, (offset, votes) in enumerate(
                zip(eeg.offsets, eeg.votes, strict=True)
            ):
                rows.append(
                    {
                        "eeg_id": eeg_id,
                        "eeg_sub_id": window,
                        "eeg_label_offset_seconds": float(offset),
                        "spectrogram_id": spectrogram_id,
                        "spectrogram_sub_id": sub_id,
                        "spectrogram_label_offset_seconds": float(eeg.shift + offset),
                        "label_id": ids.label(record, which, window),
                        "patient_id": ids.patient,
                        "expert_consensus": CLASSES[int(votes.argmax())],
                        **dict(zip(VOTE_COLUMNS, votes.tolist(), strict=True)),
                    }
                )
                sub_id += 1
    return rows


class _Ids:
    """File names and other numbers: scattered like the real ones, never repeated.

    A count times an odd number, modulo a power of two, is a permutation. Test
    patients count from the far end.
    """

    def __init__(self, seed: int, split: str, index: int) -> None:
        shifts = np.random.SeedSequence(seed).generate_state(4).tolist()
        self._eeg, self._spectrogram, self._label, shift = shifts
        self._count = index if split == "train" else 2**16 - 1 - index
        self.patient = (self._count * 40503 + shift) % 2**16

    def spectrogram(self, record: int) -> int:
        count = self._count * 64 + record
        return (count * 1640531527 + self._spectrogram) % 2**31

    def eeg(self, record: int, which: int) -> int:
        count = (self._count * 64 + record) * 2 + which
        return (count * 2654435761 + self._eeg) % 2**32

    def label(self, record: int, which: int, window: int) -> int:
        count = ((self._count * 64 + record) * 2 + which) * 256 + window
        return (count * 2246822519 + self._label) % 2**32


def _plan_record(
    rng: np.random.Generator, main: str, windows: tuple[int, int], train: bool
) -> list[LabelledEEG]:
    """One labelled EEG, or in one training recording of five two."""
    eegs: list[LabelledEEG] = []
    shift = 0
    for _ in range(2 if train and rng.uniform() < 0.2 else 1):
        # The fewest windows in four EEGs of ten, else any number alike.
        low, high = windows
        n_windows = int(low if rng.uniform() < 0.37 else rng.integers(low, high + 1))
        eegs.append(
            draw_eeg(
                rng,
                main=main,
                many=not train or bool(rng.uniform() < 0.4),
                n_windows=n_windows,
                shift=shift,
                may_change=train,
            )
        )
        # Nearly all offsets are even, in the real files too.
        odd = int(rng.uniform() < 0.1)
        shift = eegs[-1].offsets[-1] + 2 * int(rng.integers(20, 50)) + odd
    return eegs


def _lose_samples(
    rng: np.random.Generator, recording: np.ndarray, start: int, n_times: int
) -> None:
    """Set a stretch of an EEG to NaN, and rarely a longer one before it."""
    n = int(rng.uniform(1, 6) * SFREQ)
    begin = start + int(rng.integers(0, n_times - n))
    if rng.uniform() < 0.5:
        channel = int(rng.integers(len(CH_NAMES) - 1))
        recording[channel, begin : begin + n] = np.nan
        return
    recording[:, begin : begin + n] = np.nan
    if rng.uniform() < 0.5:
        n = int(rng.uniform(10, 60) * SFREQ)
        begin = int(rng.integers(0, start - n))
        recording[:, begin : begin + n] = np.nan


def _write_eeg(path: Path, eeg: np.ndarray) -> None:
    columns = [pa.array(channel, from_pandas=True) for channel in eeg]
    table = pa.table(columns, names=list(CH_NAMES))
    pq.write_table(table.replace_schema_metadata(dict(MARK)), path)


def _write_spectrogram(path: Path, recording: np.ndarray, time_dtype: type) -> None:
    power = host_spectrogram(recording, decimals=2, ends="whole")
    n_rows = power.shape[-1]
    lost = np.isnan(recording[:-1]).all(axis=0)
    if lost.any():
        frames = np.lib.stride_tricks.sliding_window_view(lost, 4 * SFREQ)
        power[..., frames[:: 2 * SFREQ].all(axis=1)] = np.nan
    time = np.arange(1, 2 * n_rows, 2, dtype=time_dtype)
    columns = [pa.array(time)]
    columns += [pa.array(row, from_pandas=True) for row in power.reshape(-1, n_rows)]
    table = pa.table(columns, names=["time", *SPECTROGRAM_COLUMNS])
    pq.write_table(table.replace_schema_metadata(dict(MARK)), path)
