"""Reading the competitions' folders, and simulating them."""

from hmsklearn.datasets._load import load_hms
from hmsklearn.datasets._reader import HMSReader
from hmsklearn.datasets._seti_load import load_seti
from hmsklearn.datasets._seti_reader import SETIReader
from hmsklearn.datasets._seti_simulate import make_seti
from hmsklearn.datasets._simulate import make_hms
from hmsklearn.datasets._submission import write_submission

__all__ = [
    "HMSReader",
    "SETIReader",
    "load_hms",
    "load_seti",
    "make_hms",
    "make_seti",
    "write_submission",
]
