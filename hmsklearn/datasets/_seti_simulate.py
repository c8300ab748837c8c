"""Writing a simulated folder of the SETI competition, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.utils import check_random_state

from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.datasets._folders import written_whole
from hmsklearn.datasets._seti_cadence import simulate_cadence
from hmsklearn.datasets._seti_layout import (
    ID_COLUMN,
    SPLITS,
    TABLES,
    TARGET_COLUMN,
    cadence_path,
)
from hmsklearn.datasets._seti_signals import NEEDLES

__all__ = ["make_seti"]

_CALLER = "make_seti"

# A hidden file by which a simulated folder is known.
_MARK = ".hmsklearn-simulated"

_HEX = "0123456789abcdef"


def make_seti(
    root: str | os.PathLike[str],
    n_train: int = 60,
    *,
    n_test: int = 20,
    positive: float = 0.5,
    snr: tuple[float, float] = (15.0, 120.0),
    shapes: Sequence[str] = NEEDLES,
    test_shapes: Sequence[str] | None = None,
    random_state: Any = None,
    overwrite: bool = False,
    n_jobs: int | None = None,
) -> Path:
    """Write a simulated folder of the SETI competition: needles in noise.

    The layout is that of the real one, so that whatever runs on the one runs on the
    other: ``train_labels.csv`` and ``sample_submission.csv`` with the columns ``id``
    and ``target``, and for each id the file ``train/<first digit>/<id>.npy`` (or
    ``test/...``), float16 of shape (6, 273, 256).

    Parameters
    ----------
    root : str or path
        Folder to write; it must not exist or be empty.
    n_train, n_test : int, default=60 and 20
        Numbers of cadences.
    positive : float, default=0.5
        Share of cadences with a needle; one in ten in the competition's training set.
        Of any number of rows that follow each other from the first on, this share
        is positive, rounded.
    snr : (float, float), default=(15.0, 120.0)
        Bounds of a needle's signal-to-noise ratio, drawn evenly on a logarithmic
        scale: that of a matched filter that knows where the needle is in all three
        observations. Below about 15 it cannot be found among the many places where
        it might be.
    shapes : sequence of {"line", "pulsed", "sine"}, default=all three
        Needles of the training set: a line that drifts, the same switched on and off,
        a wave about a line.
    test_shapes : sequence of str, optional
        Those of the test set, `shapes` by default.
    random_state : int, RandomState instance or None, default=None
        Seed. Every cadence has a stream of its own: more of them, or more jobs, leave
        the earlier files as they are.
    overwrite : bool, default=False
        Whether a folder that this function wrote earlier may be replaced. Others
        never are.
    n_jobs : int, optional
        Number of processes that simulate (joblib).

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
        If a parameter is out of range.

    See Also
    --------
    hmsklearn.datasets.load_seti : Loads the table of the folder.

    Notes
    -----
    A cadence is six observations in a row, 273 moments of 256 frequencies each. The
    telescope points at a star in the observations 0, 2 and 4 and elsewhere in 1, 3
    and 5. The noise is that of averaged power (gamma distributed) under a band-pass
    with slope, curvature and ripple. Interference, narrow lines and broad blobs that
    drift, comes in whatever direction the telescope points and is in two observations
    or more that follow each other; a needle is in the observations of the star only,
    one of which it may miss. Each observation has mean 0 and standard deviation 1, so
    that strong interference makes the rest faint.

    The target of a test row is not written, as in the competition: the table holds
    0.5. A cadence takes about 50 ms and 0.8 MB. The folder is built beside `root` and
    renamed when complete.

    References
    ----------
    Kaggle, SETI Breakthrough Listen - E.T. Signal Search, data page. Waves only in the
    test set, ``test_shapes``: its 1st place (discussion 266385).

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> root = make_seti(folder.name, 2, n_test=1, random_state=0)
    >>> sorted(path.name for path in root.glob("[a-z]*"))
    ['sample_submission.csv', 'test', 'train', 'train_labels.csv']
    >>> folder.cleanup()
    """
    check_integer(n_train, "n_train", caller=_CALLER, low=1)
    check_integer(n_test, "n_test", caller=_CALLER, low=1)
    check_real(positive, "positive", caller=_CALLER, low=0, high=1)
    ratios = _check_snr(snr)
    kinds = {"train": _check_shapes("shapes", shapes)}
    kinds["test"] = kinds["train"]
    if test_shapes is not None:
        kinds["test"] = _check_shapes("test_shapes", test_shapes)
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    root = Path(root).expanduser().absolute()
    _check_target(root, overwrite)

    counts = {"train": int(n_train), "test": int(n_test)}
    with written_whole(root) as partial:
        for split in SPLITS:
            for digit in _HEX:
                (partial / split / digit).mkdir(parents=True)
        (partial / _MARK).touch()
        rows = Parallel(n_jobs=n_jobs)(
            delayed(_write_cadence)(
                partial,
                split,
                i,
                seed=seed,
                share=float(positive),
                snr=ratios,
                shapes=kinds[split],
            )
            for split in SPLITS
            for i in range(counts[split])
        )
        _write_tables(partial, rows[: counts["train"]], rows[counts["train"] :])
    return root


def _write_cadence(
    folder: Path,
    split: str,
    index: int,
    *,
    seed: int,
    share: float,
    snr: tuple[float, float],
    shapes: tuple[str, ...],
) -> tuple[str, int]:
    """Simulate a cadence, write its file and return its row of the table."""
    stream = np.random.SeedSequence(seed, spawn_key=(SPLITS.index(split), index))
    rng = np.random.default_rng(stream)
    # Sixty random bits: two alike are as good as impossible.
    cadence_id = f"{int(rng.integers(2**60)):015x}"
    # The numbers rounded up so far grow by one at every positive.
    positive = int(np.floor((index + 1) * share + 0.5) - np.floor(index * share + 0.5))
    cadence = simulate_cadence(rng, positive=bool(positive), snr=snr, shapes=shapes)
    np.save(folder / split / cadence_path(cadence_id), cadence)
    return cadence_id, positive


def _write_tables(
    folder: Path, train: Sequence[tuple[str, int]], test: Sequence[tuple[str, int]]
) -> None:
    columns = [ID_COLUMN, TARGET_COLUMN]
    table = pd.DataFrame(train, columns=columns)
    table.to_csv(folder / TABLES["train"], index=False)
    table = pd.DataFrame(test, columns=columns).assign(**{TARGET_COLUMN: 0.5})
    table.to_csv(folder / TABLES["test"], index=False)


def _check_snr(snr: Any) -> tuple[float, float]:
    if not isinstance(snr, (tuple, list)) or len(snr) != 2:
        raise ValueError(f"{_CALLER}: snr must be a pair (low, high), got {snr!r}.")
    low, high = (
        check_real(end, f"snr[{i}]", caller=_CALLER, low=0, low_open=True)
        for i, end in enumerate(snr)
    )
    if low > high:
        raise ValueError(f"{_CALLER}: snr={snr!r}: the lower bound comes first.")
    return low, high


def _check_shapes(name: str, shapes: Any) -> tuple[str, ...]:
    if isinstance(shapes, str) or not isinstance(shapes, Sequence) or not shapes:
        raise ValueError(
            f"{_CALLER}: {name} must be a list out of {', '.join(NEEDLES)}, got "
            f"{shapes!r}."
        )
    for shape in shapes:
        check_choice(shape, name, NEEDLES, caller=_CALLER)
    return tuple(shapes)


def _check_target(root: Path, overwrite: bool) -> None:
    if not root.exists():
        return
    if not root.is_dir():
        raise NotADirectoryError(f"{_CALLER}: {root} is a file. Name a folder.")
    entries = sorted(path.name for path in root.iterdir())
    if not entries:
        return
    if not overwrite:
        raise FileExistsError(
            f"{_CALLER}: {root} is not empty ({', '.join(entries[:4])}, ...). Name "
            "another folder, or pass overwrite=True to replace an earlier simulation."
        )
    foreign = sorted(set(entries) - {_MARK, *SPLITS, *TABLES.values()})
    if foreign or _MARK not in entries:
        reason = (
            f"it also holds {', '.join(foreign[:4])}"
            if foreign
            else f"it lacks the file {_MARK}"
        )
        raise FileExistsError(
            f"{_CALLER}: {root} was not written by {_CALLER} alone: {reason}. It is "
            "not replaced, even with overwrite=True. Move it away yourself, or name "
            "another folder."
        )
