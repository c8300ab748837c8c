"""Parameters of a neural estimator that fractions alone cannot satisfy."""

from __future__ import annotations

from typing import Any

__all__ = ["refuse_vote_parameters"]

_BY_VOTES = ("votes", "eeg_by_votes")
_STAGE_KEYS = ("min_votes", "max_votes")


def refuse_vote_parameters(estimator: Any, *, caller: str) -> None:
    """Raise if a student asks for the number of votes behind its labels.

    A pseudo-label has none. Said before the teachers are trained, not hours later.

    Parameters
    ----------
    estimator : estimator
        The student; also the parts of a pipeline are looked at.
    caller : str
        Name that starts the error message.

    Raises
    ------
    ValueError
        If one of its parameters needs votes.

    Examples
    --------
    >>> from sklearn.naive_bayes import GaussianNB
    >>> refuse_vote_parameters(GaussianNB(), caller="doctest")
    """
    params = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
    for key, value in params.items():
        if _needs_votes(key.rpartition("__")[2], value):
            raise ValueError(
                f"{caller}: the student learns from fractions, of which nobody knows "
                f"how many votes they stand for, and its {key}={value!r} needs that. "
                "Leave it out; weigh rows by fit(..., sample_weight=...) and by "
                "pseudo_weight. Teachers may have it, given as teachers=."
            )


def _needs_votes(name: str, value: Any) -> bool:
    if name in ("vote_weight", "validation_min_votes"):
        return value is not None
    if name == "sampling":
        return value in _BY_VOTES if isinstance(value, str) else False
    if name == "target":
        return isinstance(value, str) and value == "eeg_votes"
    if name == "loss":
        return isinstance(value, str) and value == "dirichlet_multinomial"
    if name == "head":
        return isinstance(value, dict) and value.get("vote_threshold") is not None
    if name == "stages" and isinstance(value, (list, tuple)):
        return any(
            isinstance(stage, dict)
            and any(
                (key in _STAGE_KEYS and entry is not None) or _needs_votes(key, entry)
                for key, entry in stage.items()
            )
            for stage in value
        )
    return False
