"""Folds of whole patients, rows without copies, and predictions out of fold."""

from hmsklearn.model_selection._deduplicate import deduplicate_windows
from hmsklearn.model_selection._imbalance import fold_imbalance
from hmsklearn.model_selection._oof import oof_predict_proba
from hmsklearn.model_selection._vote_stratified import VoteStratifiedGroupKFold

__all__ = [
    "VoteStratifiedGroupKFold",
    "deduplicate_windows",
    "fold_imbalance",
    "oof_predict_proba",
]
