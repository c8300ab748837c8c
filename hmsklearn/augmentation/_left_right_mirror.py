"""LeftRightMirror: the head seen in a mirror."""

from __future__ import annotations

from hmsklearn.augmentation._turn import HeadFlip

__all__ = ["LeftRightMirror"]


class LeftRightMirror(HeadFlip):
    """Exchange left and right.

    Parameters
    ----------
    montage : str, Montage, Flip, sequence of str or of int, default="double_banana"
        What the channels are: a montage or its name, names of electrodes or
        derivations, a flip, or the permutation itself.
    panels : sequence of str or int, default=None
        What stands along `axis` of images, where it is not one plane for each
        derivation: names of chains, names of derivations or their positions. Of panels
        with one name, the first trades places with the first of the other name.
    tiles : sequence of sequences of str or int, default=None
        What the tiles of a mosaic show, row by row from the first row of pixels, for
        images that are one picture of many panels. None is an empty tile.
    axis : {1, 2}, default=1
        Axis along which derivations or panels stand; 2 for the frames of films.
    after_frontend : bool, default=False
        Whether it acts on what the frontend makes of the signals.
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    FrontBackMirror : Exchanges front and back.

    Notes
    -----
    The label does not depend on the side: lateralised patterns are called so on
    either. Signals are permuted with the signs of
    :meth:`hmsklearn.montage.Montage.mirror`, images without: spectra have none.
    With several views, `montage`, `panels`, `tiles` and `axis` may be dicts by view,
    so that one draw flips signals and images of a window together. Without flips
    of its own, a view must be left out of `views`. NaN moves with its channel.

    References
    ----------
    HMS: p 0.5 (3rd and 15th place, discussion 492471), also 1st, 2nd, 4th, 5th, 7th,
    16th (492560, 492254, 492240, 492652, 492281).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import LeftRightMirror
    >>> X = np.arange(4.0).reshape(1, 4, 1)
    >>> LeftRightMirror(["Fp1", "Cz", "Fp2", "EKG"], p=1.0)(X).ravel().tolist()
    [2.0, 1.0, 0.0, 3.0]
    >>> panels = np.arange(4.0).reshape(1, 4, 1, 1)
    >>> mirror = LeftRightMirror(panels=["LL", "RL", "LP", "RP"], p=1.0)
    >>> mirror(panels).ravel().tolist()
    [1.0, 0.0, 3.0, 2.0]
    """
