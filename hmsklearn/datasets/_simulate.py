"""Writing a simulated competition folder, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from joblib import Parallel, delayed
from sklearn.utils import check_random_state

from hmsklearn.datasets._folders import written_whole
from hmsklearn.datasets._layout import TEST_COLUMNS, TRAIN_COLUMNS, VIEWS
from hmsklearn.datasets._write import MARK, write_patient
from hmsklearn.votes import CLASSES, VOTE_COLUMNS

__all__ = ["make_hms"]

# Ids are numbered by odd factors modulo powers of two, which never repeats.
_MOST_PATIENTS = 2**16
_MOST_RECORDS = 64
_MOST_WINDOWS = 256


def make_hms(
    root: str | os.PathLike[str],
    n_patients: int = 40,
    *,
    n_test: int = 6,
    records_per_patient: int | tuple[int, int] = (1, 3),
    windows_per_record: int | tuple[int, int] = (1, 8),
    missing: float = 0.05,
    random_state: Any = None,
    overwrite: bool = False,
    n_jobs: int | None = None,
) -> Path:
    """Write a simulated competition folder.

    The layout is that of the real one, file by file and column by column, so that
    whatever runs on the one runs on the other: for trying things out, for tests, and
    where the real data may not go.

    Parameters
    ----------
    root : str or path
        Folder to write; it must not exist or be empty.
    n_patients : int, default=40
        Patients of the training set. Their main patterns go through the six classes
        in turn.
    n_test : int, default=6
        Test recordings, each of a patient of its own.
    records_per_patient : int or (int, int), default=(1, 3)
        Number of recordings (spectrograms) of a training patient, or its bounds.
        One in five has two EEGs cut from it.
    windows_per_record : int or (int, int), default=(1, 8)
        Number of labelled windows of a training EEG, or its bounds; one window is
        the most frequent.
    missing : float, default=0.05
        Probability that a training EEG has a stretch of NaN, in one electrode or in
        all. Test recordings have none.
    random_state : int, RandomState instance or None, default=None
        Seed. Every patient has a stream of its own: more patients, other test
        recordings or more jobs leave the earlier patients' files as they are.
    overwrite : bool, default=False
        Whether a folder that this function wrote earlier may be replaced. Others
        never are.
    n_jobs : int, optional
        Number of processes that simulate patients (joblib).

    Returns
    -------
    Path
        The folder, absolute.

    Raises
    ------
    FileExistsError
        If the folder holds something and `overwrite` is false, or if it holds
        something that this function did not write.
    NotADirectoryError
        If `root` is a file.
    ValueError
        If a number is out of range.

    See Also
    --------
    hmsklearn.datasets.load_hms : Loads the table of the folder.

    Notes
    -----
    Six patterns by the definitions of the ACNS: lateralised and generalised periodic
    discharges (0.5 to 2 per second, sharp, nearly regular), lateralised and
    generalised rhythmic delta (1 to 3 Hz, the latter frontal), seizures that evolve
    in frequency, height and place, and none of these. They ride on pink noise with
    a posterior rhythm, theta, irregular slow waves or burst suppression, and are
    disturbed by blinks, muscle, mains, loose electrodes, offsets and the heart.
    Patients differ in frequencies, sides, amplitudes and background, and their
    recordings resemble each other, so validation must be grouped by patient.

    Each window has either 1 to 7 votes, mostly unanimous, or 10 and more, mostly
    split, drawn from shares that also set the heights of the patterns: where votes
    are split the signal is faint or a mixture. An optimal prediction therefore
    exists, and the KL divergence of a good model lies between it and the class mean.

    Spectrograms are computed from the recordings with
    :func:`hmsklearn.signal.host_spectrogram.host_spectrogram`; the EEG files are
    cut from them as in the competition. A recording takes about 0.2 s on one core
    and 1.5 MB on disk. The folder is built beside `root` and renamed when complete: a
    run that is killed leaves nothing at `root`, at most a hidden folder beside it
    whose name ends in ``.partial``.

    References
    ----------
    L. J. Hirsch et al., American Clinical Neurophysiology Society's Standardized
    Critical Care EEG Terminology: 2021 version, J. Clin. Neurophysiol. 38, 2021.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = make_hms(folder.name, n_patients=1, n_test=1, random_state=0)
    >>> sorted(path.name for path in root.iterdir())
    ['sample_submission.csv', 'test.csv', 'test_eegs', 'test_spectrograms', \
'train.csv', 'train_eegs', 'train_spectrograms']
    >>> folder.cleanup()
    """
    _check_number("n_patients", n_patients, 1, _MOST_PATIENTS // 2)
    _check_number("n_test", n_test, 1, _MOST_PATIENTS // 2)
    records = _check_range("records_per_patient", records_per_patient, _MOST_RECORDS)
    windows = _check_range("windows_per_record", windows_per_record, _MOST_WINDOWS)
    if not isinstance(missing, Real) or not 0 <= missing <= 1:
        raise ValueError(
            f"make_hms: missing={missing!r} is not a probability. Give 0 to 1."
        )
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    root = Path(root).expanduser().absolute()
    _check_target(root, overwrite)

    with written_whole(root) as partial:
        for split in ("train", "test"):
            for view in VIEWS.values():
                (partial / f"{split}_{view.folder}").mkdir(parents=True)
        options = {
            "seed": seed,
            "records": records,
            "windows": windows,
            "missing": missing,
        }
        jobs = [("train", i) for i in range(n_patients)]
        jobs += [("test", i) for i in range(n_test)]
        tables = Parallel(n_jobs=n_jobs)(
            delayed(write_patient)(partial, split, i, **options) for split, i in jobs
        )
        _write_tables(partial, tables[:n_patients], tables[n_patients:])
    return root


def _write_tables(
    folder: Path, train: Sequence[list[dict]], test: Sequence[list[dict]]
) -> None:
    rows = [row for rows in train for row in rows]
    pd.DataFrame(rows)[list(TRAIN_COLUMNS)].to_csv(folder / "train.csv", index=False)
    table = pd.DataFrame([row for rows in test for row in rows])[list(TEST_COLUMNS)]
    table.to_csv(folder / "test.csv", index=False)
    sample = table[["eeg_id"]].copy()
    sample[list(VOTE_COLUMNS)] = 1 / len(CLASSES)
    sample.to_csv(folder / "sample_submission.csv", index=False)


def _check_target(root: Path, overwrite: bool) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise NotADirectoryError(f"make_hms: {root} is a file. Name a folder.")
    entries = sorted(path.name for path in root.iterdir())
    if not entries:
        return
    if not overwrite:
        raise FileExistsError(
            f"make_hms: {root} is not empty ({', '.join(entries[:4])}, ...). Name "
            "another folder, or pass overwrite=True to replace an earlier simulation."
        )
    known = {
        f"{split}_{view.folder}"
        for split in ("train", "test")
        for view in VIEWS.values()
    }
    known |= {"train.csv", "test.csv", "sample_submission.csv"}
    foreign = [name for name in entries if name not in known]
    if foreign or not _is_simulated(root):
        reason = (
            f"it also holds {', '.join(foreign[:4])}"
            if foreign
            else "its recordings are not simulated ones"
        )
        raise FileExistsError(
            f"make_hms: {root} was not written by make_hms alone: {reason}. It is not "
            "replaced, even with overwrite=True. Move it away yourself, or name "
            "another folder."
        )


def _is_simulated(root: Path) -> bool:
    for path in sorted(root.glob("train_eegs/*.parquet")):
        try:
            metadata = pq.read_schema(path).metadata or {}
        except (OSError, ValueError):
            return False
        if not MARK.items() <= metadata.items():
            return False
    return any(root.glob("train_eegs/*.parquet"))


def _check_number(name: str, value: Any, low: int, high: int) -> None:
    usable = isinstance(value, Integral) and not isinstance(value, bool)
    if not usable or not low <= value <= high:
        raise ValueError(
            f"make_hms: {name}={value!r} is out of range. Give a whole number from "
            f"{low} to {high}."
        )


def _check_range(name: str, value: Any, high: int) -> tuple[int, int]:
    bounds = (value, value) if isinstance(value, Integral) else value
    if not isinstance(bounds, Sequence) or len(bounds) != 2 or bounds[0] > bounds[1]:
        raise ValueError(
            f"make_hms: {name}={value!r} is neither a number nor a pair of bounds. "
            "Give for instance 2 or (1, 3)."
        )
    for bound in bounds:
        _check_number(name, bound, 1, high)
    return int(bounds[0]), int(bounds[1])
