"""From a drawing to the 28×28 grey levels that a network trained on MNIST expects.

MNIST's authors [1]_ made every digit fit a box of 20×20 pixels without changing its proportions,
with grey levels where an edge crosses a pixel, then moved it until its centre of mass lay in the
middle of a 28×28 image. A network has never seen anything else: a drawing must go the same way.

.. [1] Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
   recognition", Proceedings of the IEEE, 1998, section III-A.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Side of the square paper, in the units of a stroke's coordinates.
PAPER = 280.0
#: Width of the pen, in the same units: about two pixels of a digit that fills the paper.
PEN = 22.0

_FIELD = 28  # side of MNIST's images
_BOX = 20  # side of the box inside which its digits fit
_MIDDLE = 14  # the pixel of the field, counted from 0, where the centre of mass comes to lie


def rasterise(strokes: Sequence[ArrayLike], side: int = 140) -> NDArray[np.float32]:
    r"""The picture that a round pen leaves on paper.

    A pixel at distance :math:`r` from the pen's path, on a paper where the pen has radius
    :math:`R` (both in pixels), receives :math:`\min(1, \max(0, R - r + 1/2))` of ink.

    Parameters
    ----------
    strokes : sequence of array_like of shape (k, 2)
        The path of the pen, from where it is put down to where it is lifted: points (x, y) in
        units of the paper (:data:`PAPER` a side), x to the right, y down. Paths that leave the
        paper are cut at its edge.
    side : int
        Side of the picture, in pixels.

    Returns
    -------
    ndarray of shape (side, side), float32
        Ink between 0 (paper) and 1 (pen).

    Raises
    ------
    ValueError
        If a stroke is no list of points, or a coordinate is not finite.

    Examples
    --------
    >>> ink = rasterise([[(140, 40), (140, 240)]], side=28)  # one vertical stroke
    >>> ink[14].nonzero()[0].tolist()
    [12, 13, 14, 15]

    Lesson 00.
    """
    image = np.zeros((side, side), dtype=np.float32)
    radius = PEN / 2 * side / PAPER
    reach = radius + 0.5
    for number, stroke in enumerate(strokes):
        points = np.asarray(stroke, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2 or not len(points):
            raise ValueError(
                f"rasterise: strokes[{number}] has shape {points.shape}, expected (k, 2), k >= 1"
            )
        if not np.isfinite(points).all():
            raise ValueError(f"rasterise: strokes[{number}] has a coordinate that is not finite")
        # The centre of pixel i lies at i + 1/2.
        points = points * (side / PAPER) - 0.5
        # A single point is a segment of length zero: a dot.
        ends = points[1:] if len(points) > 1 else points
        for a, b in zip(points, ends, strict=False):
            # Only the pixels near the segment can change.
            low = np.maximum(np.ceil(np.minimum(a, b) - reach), 0).astype(int)
            high = np.minimum(np.floor(np.maximum(a, b) + reach), side - 1).astype(int) + 1
            if (low >= high).any():
                continue
            y, x = np.ogrid[low[1] : high[1], low[0] : high[0]]
            along = b - a
            length2 = along @ along
            t = ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / length2 if length2 else 0.0
            t = np.clip(t, 0.0, 1.0)
            distance = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
            window = image[low[1] : high[1], low[0] : high[0]]
            np.maximum(window, np.clip(reach - distance, 0.0, 1.0), out=window)
    return image


def mnist_style(image: ArrayLike) -> NDArray[np.float32]:
    """Centre and scale a drawing as MNIST's digits are.

    The ink's bounding box is scaled until its longer side is 20 pixels, each new pixel being the
    mean of the area that it covers, then moved by whole pixels until its centre of mass lies in
    pixel (14, 14). A digit of MNIST comes back as it went in.

    Parameters
    ----------
    image : array_like of shape (height, width)
        Ink between 0 (paper) and 1 (pen), at any size and place. It must be finite.

    Returns
    -------
    ndarray of shape (28, 28), float32
        Ink between 0 and 1; all zero where the drawing is empty.

    Raises
    ------
    ValueError
        If the image is not a matrix of numbers between 0 and 1.

    Examples
    --------
    >>> paper = np.zeros((300, 400))
    >>> paper[10:110, 350:370] = 1.0  # a bar, 100 by 20, in a corner
    >>> digit = mnist_style(paper)
    >>> rows, columns = digit.nonzero()
    >>> int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())
    (4, 23, 12, 15)

    Lesson 00.
    """
    ink = np.asarray(image, dtype=float)
    if ink.ndim != 2:
        raise ValueError(f"mnist_style: image has shape {ink.shape}, expected (height, width)")
    field = np.zeros((_FIELD, _FIELD), dtype=np.float32)
    if not ink.size:
        return field
    # Written so that a NaN fails it too.
    if not (ink.min() >= 0.0 and ink.max() <= 1.0):
        raise ValueError(
            f"mnist_style: image has values from {ink.min():g} to {ink.max():g}, expected 0 to 1"
        )
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        return field
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]

    longest = max(ink.shape)
    height, width = (max(1, round(side * _BOX / longest)) for side in ink.shape)
    box = _area_means(ink.shape[0], height) @ ink @ _area_means(ink.shape[1], width).T

    top = _offset(box.sum(axis=1))
    left = _offset(box.sum(axis=0))
    # Rounding may leave a mean of ones a hair above one.
    field[top : top + height, left : left + width] = np.minimum(box, 1.0)
    return field


def _area_means(old: int, new: int) -> NDArray[np.float64]:
    """The matrix (new, old) that turns ``old`` pixels into ``new`` by the means of their areas."""
    edges = np.arange(new + 1) * (old / new)
    pixels = np.arange(old)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(overlap, 0.0) * (new / old)


def _offset(mass: NDArray[np.float64]) -> int:
    """Where a box with this mass along one axis starts, so that its centre is in the middle."""
    centre = mass @ np.arange(len(mass)) / mass.sum()
    # The centre of symmetric ink lies half-way between two pixels: let no rounding error choose.
    nearest = np.floor(centre + 0.5 + 1e-6)
    # Very lopsided ink would leave the field: keeping all of it comes before centring it.
    return int(np.clip(_MIDDLE - nearest, 0, _FIELD - len(mass)))
