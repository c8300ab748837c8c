"""The list of test-time transforms by name, and of the published combinations.

A new transform is one class and one line here.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

from hmsklearn.augmentation import (
    BaseAugmentation,
    FrontBackMirror,
    HorizontalFlip,
    LeftRightMirror,
    PolarityFlip,
    TimeReverse,
    VerticalFlip,
)
from hmsklearn.ensemble._tta_base import Identity, Transform
from hmsklearn.ensemble._tta_transforms import (
    Composition,
    Custom,
    Flip,
    Segment,
    Shift,
)
from hmsklearn.montage import get_montage

__all__ = [
    "TEST_TIME_SCHEMES",
    "TEST_TIME_TRANSFORMS",
    "Entry",
    "Scheme",
    "Surroundings",
    "parse_entries",
]

#: Transforms by name: the augmentation that is applied with certainty, or a class.
TEST_TIME_TRANSFORMS: dict[str, type[BaseAugmentation] | type[Transform]] = {
    "front_back_mirror": FrontBackMirror,
    "horizontal_flip": HorizontalFlip,
    "identity": Identity,
    "left_right_mirror": LeftRightMirror,
    "polarity_flip": PolarityFlip,
    "segment": Segment,
    "shift": Shift,
    "time_reverse": TimeReverse,
    "vertical_flip": VerticalFlip,
}

# Short names, as montages have them too.
_ALIASES = {"mirror": "left_right_mirror", "time_flip": "time_reverse"}

# What an augmentation has for training and a transform has no use for.
_OF_TRAINING = ("p", "random_state", "after_frontend")


class Scheme(NamedTuple):
    """A published combination of transforms.

    Attributes
    ----------
    transforms : tuple
        The transforms, as a user would give them.
    weights : tuple of float or None
        Their weights; None if all are the same.
    """

    transforms: tuple[Any, ...]
    weights: tuple[float, ...] | None = None


#: Combinations by the place that used them.
TEST_TIME_SCHEMES: dict[str, Scheme] = {
    "second": Scheme(("identity", "left_right_mirror")),
    "fourth_yu4u": Scheme(("identity", "time_reverse")),
    "fifth_maxchen": Scheme(("identity", "left_right_mirror")),
    "fifth_uemu": Scheme(
        tuple(("segment", index) for index in range(5)), (0.05, 0.2, 0.5, 0.2, 0.05)
    ),
    "fifteenth": Scheme(("identity", "left_right_mirror", "front_back_mirror")),
    "sixth": Scheme(("identity", ("shift", -2.0), ("shift", 2.0))),
    "seventh": Scheme(
        (
            *("identity", "left_right_mirror", "time_reverse"),
            ["left_right_mirror", "time_reverse"],
        )
    ),
}


@dataclass(frozen=True)
class Surroundings:
    """What a transform must know of the place where it is applied.

    Attributes
    ----------
    montage : object
        Montage, names of channels, or a dict of them by view; None if not known.
    sfreq : float or dict of str to float
        Samples a second.
    """

    montage: Any
    sfreq: Any


@dataclass(frozen=True)
class Entry:
    """One transform as it was given.

    Attributes
    ----------
    label : str
        Name for messages and results.
    parts : tuple of (str or callable, dict)
        Names of the transforms that are applied in turn, with their parameters.
    step : str or None
        The step of a pipeline before which it is applied, if it says one.
    """

    label: str
    parts: tuple[tuple[Any, dict[str, Any]], ...]
    step: str | None = None

    @property
    def is_identity(self) -> bool:
        """Whether it changes nothing."""
        return all(name == "identity" for name, _ in self.parts)

    @property
    def needs_windows(self) -> bool:
        """Whether it has no use for rows of a table, as the user's functions may."""
        names = [name for name, _ in self.parts]
        return not self.is_identity and all(isinstance(name, str) for name in names)

    @property
    def asks_for_names(self) -> bool:
        """Whether it must be told what the channels are."""
        return any(
            isinstance(name, str)
            and "montage" in _parameters(name)
            and "montage" not in params
            for name, params in self.parts
        )

    def build(self, surroundings: Surroundings) -> Transform:
        """Make the transform for a place.

        Parameters
        ----------
        surroundings : Surroundings
            What is known of the place.

        Returns
        -------
        Transform
            The transform.

        Raises
        ------
        ValueError
            If a parameter is unusable, or the channels are not known or have no
            mirror image.
        """
        built = [_build(name, params, surroundings) for name, params in self.parts]
        return built[0] if len(built) == 1 else Composition(built)


def parse_entries(transforms: Any, caller: str) -> list[Entry]:
    """Understand a list of transforms.

    Parameters
    ----------
    transforms : sequence
        Names, (name, parameters) pairs, functions, or lists of them.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    list of Entry
        The transforms, with labels that differ.

    Raises
    ------
    ValueError
        If the list is empty, or a name or parameter is not known; the message has the
        nearest ones.

    Examples
    --------
    >>> entries = parse_entries(["identity", ("shift", 2.0)], "doctest")
    >>> [entry.label for entry in entries]
    ['identity', 'shift(2.0)']
    """
    if _is_pair(transforms) or not isinstance(transforms, Sequence):
        raise ValueError(
            f"{caller}: transforms must be a list of transforms or the name of a "
            f"scheme out of {list(TEST_TIME_SCHEMES)}, got {transforms!r}."
        )
    if not transforms:
        raise ValueError(f"{caller}: transforms is empty. Give at least 'identity'.")
    entries: list[Entry] = []
    for given in transforms:
        entry = _parse(given, caller)
        labels = [other.label for other in entries]
        count = sum(label.split("#")[0] == entry.label for label in labels)
        label = f"{entry.label}#{count + 1}" if count else entry.label
        entries.append(Entry(label, entry.parts, entry.step))
    return entries


def _is_pair(given: Any) -> bool:
    return (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[0], str)
        and (isinstance(given[1], Mapping) or _is_number(given[1]))
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _parse(given: Any, caller: str) -> Entry:
    if isinstance(given, list):
        if not given:
            raise ValueError(f"{caller}: an entry of transforms is an empty list.")
        inner = [_parse(each, caller) for each in given]
        steps = {entry.step for entry in inner if entry.step is not None}
        if len(steps) > 1:
            raise ValueError(
                f"{caller}: the transforms of {given!r} name different steps, "
                f"{sorted(steps)}. What is applied in turn is applied in one place."
            )
        parts = tuple(part for entry in inner for part in entry.parts)
        label = "+".join(entry.label for entry in inner)
        return Entry(label, parts, next(iter(steps), None))
    if isinstance(given, BaseAugmentation):
        return _parse_augmentation(given, caller)
    if callable(given) and not isinstance(given, type):
        label = getattr(given, "__name__", type(given).__name__)
        return Entry(label, ((given, {}),))
    if isinstance(given, str):
        given = (given, {})
    if not _is_pair(given):
        raise ValueError(
            f"{caller}: {given!r} is no transform. Give a name, a tuple of a name and "
            "a dict of parameters (or the first one), a function, or a list of these "
            "to apply in turn."
        )
    name, params = _canonical(given[0], caller), given[1]
    known = _parameters(name)
    if not isinstance(params, Mapping):
        first = next(iter(known), None)
        if first is None or first not in ("seconds", "index"):
            raise ValueError(f"{caller}: {name!r} takes no number, got {params!r}.")
        params = {first: params}
    params = dict(params)
    step = params.pop("step", None)
    _check_step_name(step, caller)
    for parameter in params:
        if parameter not in known:
            close = difflib.get_close_matches(str(parameter), known, n=1, cutoff=0.4)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"{caller}: the transform {name!r} has no parameter {parameter!r}."
                f"{hint} Known are {[*known, 'step']}."
            )
    told = ", ".join(
        f"{value!r}" if key in ("seconds", "index") else f"{key}={value!r}"
        for key, value in params.items()
    )
    label = f"{name}({told})" if told else name
    return Entry(label, ((name, params),), step)


def _parse_augmentation(given: BaseAugmentation, caller: str) -> Entry:
    for name, cls in TEST_TIME_TRANSFORMS.items():
        if type(given) is cls:
            params = {key: getattr(given, key) for key in _parameters(name)}
            return Entry(name, ((name, params),))
    raise ValueError(
        f"{caller}: {type(given).__name__} draws random numbers or changes targets, so "
        "a prediction would depend on the draw. Use one of "
        f"{list(TEST_TIME_TRANSFORMS)}, or a function of your own."
    )


def _check_step_name(step: Any, caller: str) -> None:
    if step is not None and not (isinstance(step, str) and step):
        raise ValueError(
            f"{caller}: step must be the name of a step of the pipeline or None, got "
            f"{step!r}."
        )


def _canonical(name: str, caller: str) -> str:
    name = _ALIASES.get(name, name)
    if name in TEST_TIME_TRANSFORMS:
        return name
    words = [*TEST_TIME_TRANSFORMS, *_ALIASES]
    close = difflib.get_close_matches(name, words, n=2, cutoff=0.4)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise ValueError(
        f"{caller}: the transform {name!r} is not known.{hint} Known are "
        f"{list(TEST_TIME_TRANSFORMS)}."
    )


def _parameters(name: str) -> list[str]:
    known = inspect.signature(TEST_TIME_TRANSFORMS[name]).parameters
    return [parameter for parameter in known if parameter not in _OF_TRAINING]


def _build(
    name: str | Callable[[Any], Any],
    params: dict[str, Any],
    surroundings: Surroundings,
) -> Transform:
    if not isinstance(name, str):
        return Custom(name)
    cls = TEST_TIME_TRANSFORMS[name]
    if issubclass(cls, Transform):
        if "sfreq" in _parameters(name):
            params = {"sfreq": surroundings.sfreq, **params}
        try:
            return cls(**params)
        except TypeError as error:  # a parameter without a default is missing
            raise ValueError(f"{error}. Give it: ({name!r}, {{...}}).") from None
    if "montage" in _parameters(name) and "montage" not in params:
        # Panels and tiles can be told by the chains of the usual montage.
        told = {"panels", "tiles"} & set(params) and surroundings.montage is None
        params = params if told else {**_head(surroundings.montage), **params}
    return Flip(cls(**params, p=1.0))


def _head(montage: Any) -> dict[str, Any]:
    """Say in a flip's words what the channels are: a montage, or panels of chains."""
    if montage is None:
        raise ValueError(
            "the names of the channels are not known. Give montage or ch_names, or a "
            "step behind one that tells its names (get_feature_names_out)."
        )
    if not isinstance(montage, Mapping):
        found, panels = _montage_and_panels(montage)
        return {"montage": found, "panels": panels}
    each = {view: _montage_and_panels(known) for view, known in montage.items()}
    return {
        "montage": {view: found for view, (found, _) in each.items()},
        "panels": {view: panels for view, (_, panels) in each.items()},
    }


def _montage_and_panels(known: Any) -> tuple[Any, list[str] | None]:
    chains = get_montage("double_banana").chains
    named = isinstance(known, Sequence) and not isinstance(known, str) and len(known)
    if named and all(isinstance(name, str) and name in chains for name in known):
        return "double_banana", list(known)
    return known, None
