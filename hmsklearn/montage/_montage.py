"""Montage: derivations that can be taken apart, joined, chained and turned round."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hmsklearn.montage._derivation import Derivation
from hmsklearn.montage._flip import Flip, find_flip
from hmsklearn.montage._lines import Lines
from hmsklearn.montage._names import (
    front_back_electrode,
    mirror_electrode,
    pick_channels,
)

__all__ = ["Montage"]


@dataclass(frozen=True, repr=False)
class Montage(Lines):
    """Derivations with their names, order and chains.

    Attributes
    ----------
    name : str
        Name of the montage.
    derivations : tuple of Derivation
        The lines of the montage. Whatever :meth:`Derivation.of` understands is taken
        too: ``("Fp1", "F7")``, ``"Fp1-F7"``, ``"EKG"``, weights by electrode.
    chains : mapping of str to tuple of int
        Positions of the derivations of each chain or other group that belongs
        together, in the order of the montage's reading, mostly front to back.
    aliases : tuple of str
        Other names of the montage.
    order : tuple of int
        Positions top to bottom for a plot, where the chains in their order, and after
        them what is in none, would not do. See :attr:`plot_order`.

    Raises
    ------
    ValueError
        If there is no derivation, if a chain is empty or holds a position that is none,
        or if one name means two things.

    Examples
    --------
    >>> from hmsklearn.montage import get_montage
    >>> montage = get_montage("double_banana")
    >>> len(montage), montage.names[:2], montage.chains["LP"]
    (18, ('Fp1-F7', 'F7-T3'), (8, 9, 10, 11))
    >>> (montage.select(chains=["Z"]) + get_montage(["EKG"])).names
    ('Fz-Cz', 'Cz-Pz', 'EKG')
    """

    def take(self, positions: Sequence[int], name: str | None = None) -> Montage:
        """Return some of the derivations, or all of them in another order.

        Parameters
        ----------
        positions : sequence of int
            Positions of the derivations to keep, each at most once.
        name : str, optional
            Name of the new montage; that of this one with the number of derivations.

        Returns
        -------
        Montage
            The derivations with what is left of their chains.

        Raises
        ------
        ValueError
            If a position is none, or comes twice.
        """
        places = list(positions)
        if len(set(places)) < len(places) or not set(places) <= set(range(len(self))):
            raise ValueError(
                f"Montage: positions must be different ones of 0 .. {len(self) - 1}, "
                f"got {places}."
            )
        new = {old: i for i, old in enumerate(places)}
        chains = {
            chain: tuple(new[i] for i in members if i in new)
            for chain, members in self.chains.items()
        }
        return Montage(
            name or f"{self.name}[{len(places)}]",
            tuple(self.derivations[i] for i in places),
            {chain: members for chain, members in chains.items() if members},
            order=tuple(new[i] for i in self.order if i in new),
        )

    def select(
        self,
        *,
        chains: Sequence[str] | None = None,
        names: Sequence[str] | None = None,
    ) -> Montage:
        """Return the derivations of some chains, or those of some names.

        Parameters
        ----------
        chains : sequence of str, optional
            Chains to keep, in this order.
        names : sequence of str, optional
            Names of the derivations to keep, in this order. A name that occurs twice
            in the montage means its first occurrence.

        Returns
        -------
        Montage
            The derivations with what is left of their chains.

        Raises
        ------
        ValueError
            Unless one of the two is given, or if a name is not known.
        """
        if (chains is None) == (names is None):
            raise ValueError("Montage: give select either chains or names.")
        if chains is not None:
            wanted = self._known(chains, self.chains, "chain")
            parts = Montage(
                self.name, self.derivations, {c: self.chains[c] for c in wanted}
            )
            positions = list(dict.fromkeys(i for c in wanted for i in self.chains[c]))
            return parts.take(positions, f"{self.name}[{'+'.join(wanted)}]")
        wanted = self._known(names, self.names, "derivation")
        return self.take([self.names.index(name) for name in wanted])

    def _known(self, wanted: Any, known: Any, what: str) -> list[str]:
        wanted = [wanted] if isinstance(wanted, str) else list(wanted)
        for name in wanted:
            if name not in known:
                close = difflib.get_close_matches(str(name), list(known), 2, 0.5)
                hint = f" Nearest: {', '.join(close)}." if close else ""
                raise ValueError(
                    f"Montage: {self.name!r} has no {what} {name!r}. It has "
                    f"{', '.join(known)}.{hint}"
                )
        return wanted

    def __add__(self, other: Montage) -> Montage:
        """Put the derivations of another montage below these, chains and all."""
        if not isinstance(other, Montage):
            return NotImplemented
        for what, mine, theirs in (
            ("chain", self.chains, other.chains),
            ("derivation", self.names, other.names),
        ):
            both = [name for name in mine if name in set(theirs)]
            if both:
                raise ValueError(
                    f"Montage: {self.name!r} and {other.name!r} both have the {what} "
                    f"{both[0]!r}. Select the rest of one of them, or build a Montage "
                    "with other names."
                )
        n = len(self)
        moved = {c: tuple(i + n for i in m) for c, m in other.chains.items()}
        order: tuple[int, ...] = ()
        if self.order or other.order:
            order = (*self.plot_order, *(i + n for i in other.plot_order))
        return Montage(
            f"{self.name}+{other.name}",
            (*self.derivations, *other.derivations),
            {**self.chains, **moved},
            order=order,
        )

    def then(self, other: Montage, name: str | None = None) -> Montage:
        """Apply another montage to what comes out of this one.

        Parameters
        ----------
        other : Montage
            A montage whose electrodes are the derivations of this one, by name.
        name : str, optional
            Name of the new montage.

        Returns
        -------
        Montage
            One montage that does both: the names and chains are those of `other`, the
            matrix is ``other.matrix(self.names) @ self.matrix()``.

        Raises
        ------
        ValueError
            If `other` uses something that this montage does not put out.
        """
        used = list(other.electrodes)
        if set(used) <= set(self.names):
            places = [self.names.index(electrode) for electrode in used]
        else:
            places = pick_channels(used, self.names, caller="Montage.then").tolist()
        place = dict(zip(used, places, strict=True))
        derivations = []
        for derivation in other.derivations:
            total: dict[str, float] = {}
            for line, weight in derivation.weights:
                for electrode, inner in self.derivations[place[line]].weights:
                    total[electrode] = total.get(electrode, 0.0) + weight * inner
            derivations.append(Derivation(derivation.name, tuple(total.items())))
        return replace(
            other,
            name=name or f"{self.name}.then({other.name})",
            derivations=tuple(derivations),
            aliases=(),
        )

    def minus_others(self) -> Montage:
        """Each derivation minus the mean of all others, as a second montage.

        Returns
        -------
        Montage
            A montage whose electrodes are the derivations of this one. Apply it to
            their signals or spectrograms, or to electrodes with :meth:`then`.

        Raises
        ------
        ValueError
            If there is only one derivation, or two of one name.
        """
        names = self.names
        others = [[other for other in names if other != name] for name in names]
        return self._minus(others, "others")

    def minus_neighbours(self) -> Montage:
        """Each derivation minus the mean of those that share an electrode with it.

        Returns
        -------
        Montage
            A montage whose electrodes are the derivations of this one. In the double
            banana everyone off the midline has two neighbours: the chains meet at Fp1,
            Fp2, O1 and O2. Apply it as that of :meth:`minus_others`.

        Raises
        ------
        ValueError
            If a derivation has no neighbour, or two have one name.
        """
        used = [{name for name, _ in line.weights} for line in self.derivations]
        near = [
            [self.names[j] for j, other in enumerate(used) if j != i and mine & other]
            for i, mine in enumerate(used)
        ]
        return self._minus(near, "neighbours")

    def _minus(self, others: list[list[str]], what: str) -> Montage:
        if len(set(self.names)) < len(self):
            raise ValueError(
                f"Montage: {self.name!r} holds a derivation twice. Take each once."
            )
        derivations = []
        for name, mean in zip(self.names, others, strict=True):
            if not mean:
                raise ValueError(
                    f"Montage: {name!r} of {self.name!r} has no {what}. Leave it out."
                )
            weights = {name: 1.0, **dict.fromkeys(mean, -1.0 / len(mean))}
            derivations.append(Derivation(f"{name}-{what}", tuple(weights.items())))
        return replace(
            self,
            name=f"{self.name}.minus_{what}",
            derivations=tuple(derivations),
            aliases=(),
        )

    def mirror(self) -> Flip:
        """Find what the exchange of left and right does to the derivations.

        Returns
        -------
        Flip
            Permutation and signs.

        Raises
        ------
        ValueError
            If the montage lacks the mirror image of a derivation.
        """
        swap = str.maketrans("LR", "RL")
        return find_flip(
            self,
            mirror_electrode,
            what="left-right mirror",
            twin=lambda chain: chain[:1].translate(swap) + chain[1:],
        )

    def front_back(self) -> Flip:
        """Find what the exchange of front and back does to the derivations.

        Returns
        -------
        Flip
            Permutation and signs.

        Raises
        ------
        ValueError
            If the montage lacks the counterpart of a derivation.
        """
        return find_flip(
            self, front_back_electrode, what="front-back flip", twin=lambda chain: chain
        )
