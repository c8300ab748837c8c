"""Derivation: one line of a montage, a weighted sum of electrodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from hmsklearn.montage._names import CH_NAMES, canonical_name

__all__ = ["Derivation"]

# Sums of weights come this close to the whole number or zero that they are.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Derivation:
    """A weighted sum of electrodes, with a name.

    Attributes
    ----------
    name : str
        Name of the derivation, such as ``"Fp1-F7"``.
    weights : tuple of (str, float)
        Electrodes and their weights. A mapping is taken too. Weights of zero are left
        out, and weights within 1e-12 of a whole number become that number.

    Raises
    ------
    ValueError
        If no weight is left, one is not finite, or an electrode comes twice.

    Examples
    --------
    >>> Derivation("Fp1-F7", {"Fp1": 1, "F7": -1}).pair
    ('Fp1', 'F7')
    >>> Derivation("C3-others", {"C3": 1, "Cz": -0.5, "C4": -0.5}).pair is None
    True
    """

    name: str
    weights: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        given: Any = self.weights
        items = given.items() if isinstance(given, Mapping) else given
        weights = [(str(electrode), _clean(weight)) for electrode, weight in items]
        electrodes = [electrode for electrode, _ in weights]
        if len(set(electrodes)) < len(electrodes):
            raise ValueError(
                f"Derivation: {self.name!r} gives an electrode two weights: "
                f"{electrodes}. Add them up."
            )
        if not all(isfinite(weight) for _, weight in weights):
            raise ValueError(
                f"Derivation: the weights of {self.name!r} must be finite, got "
                f"{dict(weights)}."
            )
        kept = tuple((electrode, weight) for electrode, weight in weights if weight)
        if not kept:
            raise ValueError(
                f"Derivation: {self.name!r} is zero whatever the signal: no electrode "
                "has a weight. Leave it out."
            )
        object.__setattr__(self, "weights", kept)

    @classmethod
    def of(cls, item: Any) -> Derivation:
        """Make a derivation out of whatever says clearly what it is.

        Parameters
        ----------
        item : Derivation, str, pair of str or mapping of str to float
            ``"Fp1-F7"`` or ``("Fp1", "F7")`` for a difference, ``"EKG"`` for a single
            electrode, ``{"Cz": 1, "C3": -0.5, "C4": -0.5}`` for a weighted sum. The
            electrodes get their canonical names.

        Returns
        -------
        Derivation
            The derivation, named after its electrodes.

        Raises
        ------
        ValueError, TypeError
            If `item` is none of these.
        """
        if isinstance(item, Derivation):
            return item
        if isinstance(item, Mapping):
            weights = {canonical_name(name): weight for name, weight in item.items()}
            if len(weights) < len(item):
                raise ValueError(f"Derivation: {item!r} names an electrode twice.")
            return cls(_sum_name(weights), tuple(weights.items()))
        if isinstance(item, str):
            # First as a whole: "EEG Fp1-REF" is one electrode.
            whole = canonical_name(item)
            if whole in CH_NAMES or "-" not in whole:
                return cls(whole, ((whole, 1.0),))
            item = item.split("-")
        anode, cathode = map(canonical_name, item)
        if anode == cathode:
            raise ValueError(f"Derivation: {anode}-{cathode} is zero for any signal.")
        return cls(f"{anode}-{cathode}", ((anode, 1.0), (cathode, -1.0)))

    @property
    def pair(self) -> tuple[str, str] | None:
        """Anode and cathode of a difference of two electrodes, else None."""
        by_weight = {weight: electrode for electrode, weight in self.weights}
        if len(self.weights) == 2 and set(by_weight) == {1.0, -1.0}:
            return by_weight[1.0], by_weight[-1.0]
        return None

    def renamed(self, rename: Callable[[str], str]) -> Derivation:
        """Put other electrodes in the places of these.

        Parameters
        ----------
        rename : callable
            Takes the name of an electrode and returns another one.

        Returns
        -------
        Derivation
            The same sum of the other electrodes, named after them.
        """
        weights = {rename(electrode): weight for electrode, weight in self.weights}
        pair = self.pair
        if pair is not None:
            return Derivation.of((rename(pair[0]), rename(pair[1])))
        return Derivation(_sum_name(weights), tuple(weights.items()))


def _clean(weight: Any) -> float:
    weight = float(weight)
    if isfinite(weight) and abs(weight - round(weight)) < _ROUNDING:
        return float(round(weight))
    return weight


def _sum_name(weights: Mapping[str, float]) -> str:
    if list(weights.values()) == [1]:
        return next(iter(weights))
    text = "".join(f"{float(weight):+.3g}*{name}" for name, weight in weights.items())
    return text.removeprefix("+")
