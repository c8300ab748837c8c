"""Folds of whole patients, rows without copies, predictions out of fold, and leaks."""

from hmsklearn.model_selection._audit import audit_leakage
from hmsklearn.model_selection._deduplicate import deduplicate_windows
from hmsklearn.model_selection._imbalance import fold_imbalance
from hmsklearn.model_selection._leakage_report import LeakageError, LeakageReport
from hmsklearn.model_selection._oof import oof_predict_proba
from hmsklearn.model_selection._vote_stratified import VoteStratifiedGroupKFold

__all__ = [
    "LeakageError",
    "LeakageReport",
    "VoteStratifiedGroupKFold",
    "audit_leakage",
    "deduplicate_windows",
    "fold_imbalance",
    "oof_predict_proba",
]
