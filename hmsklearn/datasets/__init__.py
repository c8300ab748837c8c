"""Reading the competition's folder, and simulating one."""

from hmsklearn.datasets._load import load_hms
from hmsklearn.datasets._reader import HMSReader
from hmsklearn.datasets._simulate import make_hms
from hmsklearn.datasets._submission import write_submission

__all__ = ["HMSReader", "load_hms", "make_hms", "write_submission"]
