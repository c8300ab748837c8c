"""Signal to signal transformers."""

from hmsklearn.preprocessing._amplitude_scaler import AmplitudeScaler
from hmsklearn.preprocessing._butterworth import ButterworthFilter
from hmsklearn.preprocessing._centre_crop import CentreCrop
from hmsklearn.preprocessing._channel_quality import ChannelQuality
from hmsklearn.preprocessing._decimator import Decimator
from hmsklearn.preprocessing._fir import FIRFilter
from hmsklearn.preprocessing._montage import MontageTransformer
from hmsklearn.preprocessing._nan_imputer import NaNImputer
from hmsklearn.preprocessing._notch import NotchFilter
from hmsklearn.preprocessing._robust_channel_scaler import RobustChannelScaler

__all__ = [
    "AmplitudeScaler",
    "ButterworthFilter",
    "CentreCrop",
    "ChannelQuality",
    "Decimator",
    "FIRFilter",
    "MontageTransformer",
    "NaNImputer",
    "NotchFilter",
    "RobustChannelScaler",
]
