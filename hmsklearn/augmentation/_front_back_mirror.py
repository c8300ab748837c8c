"""FrontBackMirror: the head turned round."""

from __future__ import annotations

from hmsklearn.augmentation._turn import HeadFlip

__all__ = ["FrontBackMirror"]


class FrontBackMirror(HeadFlip):
    """Exchange front and back.

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
    LeftRightMirror : Exchanges left and right.

    Notes
    -----
    Signals are permuted with the signs of
    :meth:`hmsklearn.montage.Montage.front_back`: Fp1-F7 becomes O1-T5, which is T5-O1
    upside down. Images are permuted without signs. With several views, `montage`,
    `panels`, `tiles` and `axis` may be dicts by view. NaN moves with its channel.

    References
    ----------
    HMS: 15th place, p 0.5.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import FrontBackMirror
    >>> X = np.arange(1.0, 4.0).reshape(1, 3, 1)
    >>> FrontBackMirror(["Fp1-F7", "Cz", "T5-O1"], p=1.0)(X).ravel().tolist()
    [-3.0, 2.0, -1.0]
    """

    _flip = "front_back"
