"""The first step of a pipeline on SETI cadences: rows of a table in, images out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from hmsklearn._params import check_choice
from hmsklearn.datasets._row_reader import RowReader
from hmsklearn.datasets._seti_layout import CADENCE, CADENCE_SHAPE, ON
from hmsklearn.datasets._seti_rows import locate_cadences

__all__ = ["SETIReader"]

_CHANNELS = {"on": ON, "all": tuple(range(len(CADENCE)))}


class SETIReader(RowReader, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Read the cadences that rows of ``train_labels.csv`` refer to.

    With this as its first step a pipeline takes the table itself as `X`, so that
    cross-validation, grid search and stacking split rows and nothing large is held
    or pickled.

    Parameters
    ----------
    root : str or path, optional
        The competition folder. Rows that :func:`hmsklearn.datasets.load_seti` loaded
        carry their folder in ``X.attrs["root"]``, which takes precedence (with a
        warning where `root` names another one).
    channels : {"on", "all"}, default="on"
        Which observations: the three that point at the star, or all six.
    n_jobs : int, optional
        Number of threads that read files. None means one, unless a
        ``joblib.parallel_config`` says otherwise; -1 means all processors.

    See Also
    --------
    hmsklearn.datasets.load_seti : Loads the table.
    hmsklearn.imaging.ImageTiler : Puts the observations above each other.

    Notes
    -----
    `X` is a DataFrame with the column ``id``; other columns are ignored, index and
    order are free and rows may repeat. Rows of the training and of the test set may
    come together: a file is looked for in ``train`` and in ``test``.

    The output is a new float32 array ``(n, 3, 273, 256)`` or ``(n, 6, 273, 256)``:
    observations as planes, the moments of each on the height, frequency on the width.
    Values are those of the files, which are float16.

    ``fit`` learns nothing: it checks parameters, columns, folder and that every file
    exists. What is in the files is checked when they are read. Only one file for each
    thread is in memory beside the output.

    References
    ----------
    Kaggle, SETI Breakthrough Listen - E.T. Signal Search, data page. Observations of
    the star only: most solutions.

    Examples
    --------
    >>> import tempfile
    >>> from hmsklearn.datasets import SETIReader, load_seti, make_seti
    >>> folder = tempfile.TemporaryDirectory()
    >>> rows = load_seti(make_seti(folder.name, 2, n_test=1, random_state=0)).data
    >>> SETIReader().fit_transform(rows).shape
    (2, 3, 273, 256)
    >>> SETIReader(channels="all").get_feature_names_out().tolist()
    ['A1', 'B', 'A2', 'C', 'A3', 'D']
    >>> folder.cleanup()
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        *,
        channels: str = "on",
        n_jobs: int | None = None,
    ) -> None:
        self.root = root
        self.channels = channels
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any = None) -> SETIReader:
        """Check parameters, columns and that the files exist.

        Parameters
        ----------
        X : DataFrame
            Rows with the column ``id``.
        y : object, optional
            Ignored.

        Returns
        -------
        self : object
            The reader.

        Raises
        ------
        TypeError
            If `X` is not a DataFrame.
        ValueError
            If a parameter or an id is not usable, the column is missing, there are
            no rows, or nothing says where the cadences are.
        FileNotFoundError
            If the folder or a file is missing; names the first file and its row.
        """
        self._check_parameters()
        locate_cadences(X, self.root, caller=type(self).__name__)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Read the cadences.

        Parameters
        ----------
        X : DataFrame
            Rows with the column ``id``.

        Returns
        -------
        ndarray of float32
            Shape (n, 3, 273, 256) or (n, 6, 273, 256).

        Raises
        ------
        TypeError, ValueError, FileNotFoundError
            As ``fit``; ValueError also if a file cannot be read or holds something
            else. The message names file and row.
        """
        caller = type(self).__name__
        channels = list(self._check_parameters())
        places = locate_cadences(X, self.root, caller=caller)
        out = np.empty((len(X), len(channels), *CADENCE_SHAPE[1:]), dtype=np.float32)
        # Threads share `out`; a process would write into its own copy of it.
        Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(_read_cadence)(path, label, channels, cadence, caller)
            for (path, label), cadence in zip(places, out, strict=True)
        )
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the output's observations (axis 1).

        Parameters
        ----------
        input_features : object, optional
            Ignored: the names do not depend on the columns of the table.

        Returns
        -------
        ndarray of str objects
            A1, A2, A3 point at the star; B, C, D elsewhere.
        """
        names = [CADENCE[i] for i in self._check_parameters()]
        return np.asarray(names, dtype=object)

    def _check_parameters(self) -> tuple[int, ...]:
        """Return the positions of the observations."""
        name = type(self).__name__
        check_choice(self.channels, "channels", tuple(_CHANNELS), caller=name)
        self._check_n_jobs()
        return _CHANNELS[self.channels]


def _read_cadence(
    path: Path, label: str, channels: list[int], out: np.ndarray, caller: str
) -> None:
    """Read a file's observations into the output."""
    try:
        # Mapped: observations that are not asked for are not read from the disk.
        cadence = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError as error:
        raise PermissionError(
            f"{caller}: {path} (needed by {label}) may not be read ({error}). Change "
            "its permissions."
        ) from error
    except (OSError, ValueError, EOFError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else "no more"
        raise ValueError(
            f"{caller}: {path} (needed by {label}) is not a readable array: it is "
            f"{path.stat().st_size} bytes long and NumPy says: {said}. The file is "
            "truncated or of another kind: download it again."
        ) from error
    good = isinstance(cadence, np.ndarray) and cadence.shape == CADENCE_SHAPE
    if not good or cadence.dtype.kind not in "fiu":
        what = (
            f"{cadence.dtype} of shape {cadence.shape}"
            if isinstance(cadence, np.ndarray)
            else f"a {type(cadence).__name__}"
        )
        raise ValueError(
            f"{caller}: {path} (needed by {label}) holds {what}, not numbers of shape "
            f"{CADENCE_SHAPE}: six observations of 273 moments and 256 frequencies. "
            "Download it again."
        )
    for place, channel in enumerate(channels):
        out[place] = cadence[channel]
