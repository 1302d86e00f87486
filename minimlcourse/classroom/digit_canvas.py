"""Paper to draw a digit on, beside what a network makes of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from ipywidgets.widgets.trait_types import bytes_serialization
from numpy.typing import ArrayLike, NDArray

from minimlcourse.classroom.drawing import PAPER, PEN, mnist_style, rasterise

_HERE = Path(__file__).parent


class DigitCanvas(anywidget.AnyWidget):
    """Draw a digit with mouse, pen, finger or keyboard, and watch ten probabilities move.

    The browser sends the path of the pen; Python turns it into the 28×28 grey levels that MNIST's
    authors would have made of it (:func:`rasterise`, :func:`mnist_style`), asks the network, and
    the page shows both the grey levels and the answer.

    Parameters
    ----------
    predict : callable
        From pixels of shape (1, 784), float32 between 0 and 1, to the ten probabilities, of shape
        (10,) or (1, 10). What it raises is shown on the page.
    example : sequence of array_like of shape (k, 2)
        Strokes that lie on the paper until the reader draws, as :func:`rasterise` takes them.

    Attributes
    ----------
    pixels : bytes
        What the network saw last: 784 float32.
    probabilities : bytes
        What it answered: ten float32, or nothing when the paper is empty or something failed.
    error : str
        What failed, in words.

    Examples
    --------
    >>> DigitCanvas(lambda pixels: np.full(10, 0.1), example=[[(140, 40), (140, 240)]])
    Paper to draw a digit on: run this cell in JupyterLab.

    Lesson 00.
    """

    _esm = _HERE / "digit_canvas.js"
    _css = _HERE / "digit_canvas.css"

    paper = traitlets.Float(PAPER, read_only=True).tag(sync=True)
    pen = traitlets.Float(PEN, read_only=True).tag(sync=True)

    # x0 y0 x1 y1 … as float32; a pair of NaN lifts the pen. It comes from the browser, which has
    # no use for an echo of it.
    strokes = traitlets.Bytes().tag(sync=True, echo_update=False, **bytes_serialization)

    pixels = traitlets.Bytes().tag(sync=True)
    probabilities = traitlets.Bytes().tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    # Counts the answers: two equal ones would otherwise look like none.
    answers = traitlets.Int().tag(sync=True)

    def __init__(
        self,
        predict: Callable[[NDArray[np.float32]], ArrayLike],
        example: Sequence[ArrayLike] = (),
    ) -> None:
        self._predict = predict
        super().__init__()
        self.strokes = pack_strokes(example)

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return "Paper to draw a digit on: run this cell in JupyterLab."

    @traitlets.observe("strokes")
    def _answer(self, change: Any) -> None:
        pixels = np.zeros((28, 28), dtype=np.float32)
        probabilities = np.empty(0, dtype=np.float32)
        error = ""
        try:
            strokes = unpack_strokes(change["new"])
            pixels = mnist_style(rasterise(strokes))
            if strokes:
                probabilities = _ten_probabilities(self._predict(pixels.reshape(1, 784)))
        except Exception as failure:  # whatever the reader's function raises belongs on the page
            error = f"{type(failure).__name__}: {failure}"
        with self.hold_sync():  # one message, so that no view shows half an answer
            self.pixels = pixels.tobytes()
            self.probabilities = probabilities.tobytes()
            self.error = error
            self.answers += 1


def pack_strokes(strokes: Sequence[ArrayLike]) -> bytes:
    """Strokes as the browser and Python exchange them: float32 pairs, NaN between strokes."""
    gap = np.full((1, 2), np.nan)
    pieces = [piece for stroke in strokes for piece in (np.asarray(stroke, dtype=float), gap)]
    return np.concatenate(pieces).astype("<f4").tobytes() if pieces else b""


def unpack_strokes(packed: bytes) -> list[NDArray[np.float32]]:
    """The strokes, each of shape (k, 2), out of what :func:`pack_strokes` made."""
    points = np.frombuffer(packed, dtype="<f4").reshape(-1, 2)
    lifts = np.isnan(points[:, 0]).nonzero()[0]
    pieces = [piece[~np.isnan(piece[:, 0])] for piece in np.split(points, lifts)]
    return [piece for piece in pieces if len(piece)]


def _ten_probabilities(answer: ArrayLike) -> NDArray[np.float32]:
    values = np.asarray(answer, dtype=np.float32)
    if values.shape not in {(10,), (1, 10)}:
        raise ValueError(
            f"DigitCanvas: predict returned shape {values.shape}, expected (10,) or (1, 10)"
        )
    # Written so that a NaN fails it too.
    if not (values.min() >= 0.0 and abs(values.sum() - 1.0) < 1e-3):
        raise ValueError(
            f"DigitCanvas: predict returned numbers from {values.min():.3g} to {values.max():.3g} "
            f"that sum to {values.sum():.3g}: no probabilities (is a softmax missing?)"
        )
    return values.reshape(10)
