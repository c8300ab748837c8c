"""Two sizes of one recipe."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["SCALES", "Scale"]

SCALES = ("full", "small")

FullT = TypeVar("FullT")
SmallT = TypeVar("SmallT")


class Scale:
    """Choose between the published number and that of a small try.

    Recipes are written with both numbers side by side, so that reading one is reading
    the solution and what a quick run makes of it.

    Parameters
    ----------
    name : {"full", "small"}
        Which of the two numbers counts.
    random_state : int or None, default=0
        First seed; every net of a recipe gets one of its own.

    Attributes
    ----------
    small : bool
        Whether this is the small scale.

    Examples
    --------
    >>> s = Scale("small")
    >>> s("efficientnet_b5", "test_efficientnet"), s(15, 1)
    ('test_efficientnet', 1)
    >>> Scale("full", random_state=7).seed(), Scale("full", random_state=7).seed(3)
    (7, 10)
    """

    def __init__(self, name: str, random_state: int | None = 0) -> None:
        if name not in SCALES:
            raise ValueError(
                f"make_recipe: scale={name!r} is not known. Give 'full' for the "
                "published sizes or 'small' for a quick try."
            )
        self.name = name
        self.random_state = random_state

    @property
    def small(self) -> bool:
        """Whether this is the small scale."""
        return self.name == "small"

    def __call__(self, full: FullT, small: SmallT) -> FullT | SmallT:
        """Return the value of this scale.

        Parameters
        ----------
        full : object
            The published value.
        small : object
            Its counterpart for a quick try.

        Returns
        -------
        object
            One of the two.
        """
        return small if self.small else full

    def seed(self, number: int = 0) -> int | None:
        """Return the seed of a net.

        Parameters
        ----------
        number : int, default=0
            Number of the net in the recipe.

        Returns
        -------
        int or None
            The first seed and this number; None where runs need not repeat.
        """
        return None if self.random_state is None else self.random_state + number
