"""Signal to signal transformers."""

from hmsklearn.preprocessing._amplitude_scaler import AmplitudeScaler
from hmsklearn.preprocessing._butterworth import ButterworthFilter
from hmsklearn.preprocessing._centre_crop import CentreCrop
from hmsklearn.preprocessing._decimator import Decimator
from hmsklearn.preprocessing._montage import MontageTransformer
from hmsklearn.preprocessing._nan_imputer import NaNImputer

__all__ = [
    "AmplitudeScaler",
    "ButterworthFilter",
    "CentreCrop",
    "Decimator",
    "MontageTransformer",
    "NaNImputer",
]
