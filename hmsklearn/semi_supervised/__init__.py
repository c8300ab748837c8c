"""Learning from what few or no experts have rated."""

from hmsklearn.semi_supervised._blend import blend_pseudo_labels
from hmsklearn.semi_supervised._filter_rules import (
    AgreeingTeachers,
    ClassBelow,
    ConfidentTeachers,
    PseudoLabels,
    VotedClass,
)
from hmsklearn.semi_supervised._filters import (
    PSEUDO_LABEL_FILTERS,
    select_pseudo_labels,
)
from hmsklearn.semi_supervised._pseudo_label import PseudoLabelClassifier
from hmsklearn.semi_supervised._shot import HMS_CLASS_PRIOR, SHOTClassifier

__all__ = [
    "HMS_CLASS_PRIOR",
    "PSEUDO_LABEL_FILTERS",
    "AgreeingTeachers",
    "ClassBelow",
    "ConfidentTeachers",
    "PseudoLabelClassifier",
    "PseudoLabels",
    "SHOTClassifier",
    "VotedClass",
    "blend_pseudo_labels",
    "select_pseudo_labels",
]
