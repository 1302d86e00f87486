"""Curves that grow while a network learns."""

from collections.abc import Iterable

from IPython.display import DisplayHandle

from minimlcourse.classroom.figures import learning_curves
from minimlcourse.classroom.style import picture, say
from minimlcourse.training import History


class LiveCurve:
    """A callback for :func:`minimlcourse.training.fit` that redraws the learning curves.

    The figure appears in the cell that makes this object, empty, and grows by a point an epoch; the
    last one stays.

    Parameters
    ----------
    epochs : int
        How many epochs there will be, so that the axis can stand still.
    metrics : iterable of str
        The names of the metrics that ``fit`` will compute: each gets a panel from the start.
    alt : str
        The final figure in words, as for :func:`show`.
    title : str
        What the final figure says, as a sentence.

    Raises
    ------
    ValueError
        If ``epochs`` is not positive or ``alt`` is empty.

    Lesson 00.
    """

    def __init__(
        self, epochs: int, metrics: Iterable[str] = (), *, alt: str, title: str = ""
    ) -> None:
        self._epochs = epochs
        self._alt = alt
        self._title = title
        data, metadata = self._frame(History(metrics={name: [] for name in metrics}))
        self._handle = DisplayHandle()
        self._handle.display(data, metadata=metadata, raw=True)
        say(alt)

    def __call__(self, history: History) -> None:
        data, metadata = self._frame(history)
        self._handle.update(data, metadata=metadata, raw=True)

    def _frame(self, history: History) -> tuple[dict[str, object], dict[str, object]]:
        return picture(learning_curves(history, self._epochs, title=self._title), self._alt)
