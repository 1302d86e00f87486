"""How a network learned, pictures of digits, and what the network makes of them."""

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter
from numpy.typing import ArrayLike, NDArray

from minimlcourse.classroom.drawing import mnist_style, rasterise
from minimlcourse.classroom.style import COLORS
from minimlcourse.training import History


def learning_curves(history: History, epochs: int, *, title: str = "") -> Figure:
    """Loss and metrics of a run, one panel each, over the epochs.

    The loss is on a logarithmic axis where it is positive. The training loss of an epoch is a mean
    over its steps, so that it is drawn at the middle of the epoch; all that is measured on the
    validation data is drawn at the end of it.

    Parameters
    ----------
    history : History
        The run, which may have no epoch yet.
    epochs : int
        Where the horizontal axis ends.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If ``epochs`` is not positive.

    Examples
    --------
    >>> figure = learning_curves(History(train_loss=[0.5, 0.3]), epochs=5)
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['loss']

    Lesson 00.
    """
    if epochs < 1:
        raise ValueError(f"learning_curves: epochs is {epochs}, expected a positive number")
    epoch = np.array(history.epoch, dtype=float)
    losses = {"training": (epoch - 0.5, history.train_loss, COLORS["blue"])}
    if history.val_loss:
        losses["validation"] = (epoch, history.val_loss, COLORS["vermilion"])
    panels = {"loss": losses}
    for metric, values in history.metrics.items():
        name = f"{values[-1]:.3f}" if values else ""
        panels[f"validation {metric}"] = {name: (epoch, values, COLORS["vermilion"])}

    figure = Figure(figsize=(max(3.5 * len(panels), 5.0), 2.8 + 0.3 * bool(title)))
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (quantity, curves) in zip(all_axes, panels.items(), strict=True):
        axes.set(xlabel="epoch", ylabel=quantity)
        # Room for the names of the curves: on the right, and below the lower one.
        axes.set_xlim(0, 1.3 * epochs)
        axes.margins(y=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        if not len(epoch):
            axes.set_yticks([])
            axes.text(
                0.5,
                0.5,
                "the first epoch is under way",
                transform=axes.transAxes,
                ha="center",
                color=COLORS["grey"],
            )
            continue
        lowest = min(values[-1] for _, values, _ in curves.values())
        for name, (x, values, color) in curves.items():
            axes.plot(x, values, "o-", color=color, markersize=3)
            below = values[-1] == lowest  # so that the names never meet
            axes.annotate(
                name,
                (x[-1], values[-1]),
                xytext=(5, -2 if below else 2),
                textcoords="offset points",
                va="top" if below else "bottom",
                color=color,
            )
    seen = history.train_loss + history.val_loss
    if seen and min(seen) > 0:
        axis = all_axes[0].yaxis
        all_axes[0].set_yscale("log")
        # Inside half a decade, the round numbers 1, 2, 5 may all be missing.
        wide = max(seen) > 5 * min(seen)
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5))
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def digit_grid(
    images: ArrayLike, captions: Sequence[str], *, columns: int = 5, title: str = ""
) -> Figure:
    """Digits in rows, each under its caption.

    Parameters
    ----------
    images : array_like of shape (n, 784) or (n, 28, 28)
        Ink between 0 and 1.
    captions : sequence of n str
        What stands above each digit.
    columns : int
        Digits in a row.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If the images are not 28×28, or if there is not one caption for each.

    Examples
    --------
    >>> figure = digit_grid(np.zeros((3, 784)), ["white", "white", "white"])
    >>> len(figure.axes)
    3

    Lesson 00.
    """
    digits = np.asarray(images, dtype=float)
    if digits.shape[1:] not in {(784,), (28, 28)} or not len(digits):
        raise ValueError(
            f"digit_grid: images has shape {digits.shape}, expected (n, 784) or (n, 28, 28)"
        )
    if len(captions) != len(digits):
        raise ValueError(f"digit_grid: {len(digits)} images have {len(captions)} captions")
    columns = min(columns, len(digits))
    rows = -(-len(digits) // columns)
    # The sentence above the digits is set at the width of five of them.
    figure = Figure(figsize=(max(1.25 * columns, 6.25), 1.45 * rows + 0.35 * bool(title)))
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, digit, caption in zip(figure.axes, digits, captions, strict=False):
        axes.imshow(digit.reshape(28, 28), vmin=0, vmax=1)
        axes.set_title(caption, fontsize=10, loc="center", pad=3)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def readings(
    drawings: Sequence[Sequence[ArrayLike]],
    predict: Callable[[NDArray[np.float32]], ArrayLike],
    *,
    title: str = "",
) -> Figure:
    """What :class:`DigitCanvas` shows, standing still: one row for each drawing.

    Left the pen's path, in the middle the 28×28 grey levels that the network sees, right the ten
    probabilities that it returns.

    Parameters
    ----------
    drawings : sequence of drawings
        Each a sequence of strokes, as :func:`rasterise` takes them.
    predict : callable
        From pixels of shape (1, 784) to ten probabilities.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Examples
    --------
    >>> one = [[(140, 40), (140, 240)]]  # a single stroke, from top to bottom
    >>> figure = readings([one], lambda pixels: np.full(10, 0.1))
    >>> [axes.get_title() for axes in figure.axes]
    ['your drawing', 'what the network sees', 'its ten probabilities']

    Lesson 00.
    """
    figure = Figure(figsize=(7.0, 2.0 * len(drawings) + 0.6))
    table = figure.subplots(len(drawings), 3, squeeze=False, width_ratios=[1, 1, 1.7])
    for (paper, seen, bars), strokes in zip(table, drawings, strict=True):
        picture = rasterise(strokes)
        pixels = mnist_style(picture)
        probabilities = np.asarray(predict(pixels.reshape(1, 784))).reshape(10)
        for axes, image in ((paper, picture), (seen, pixels)):
            axes.imshow(image, vmin=0, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(True)
        best = int(probabilities.argmax())
        colors = [COLORS["blue"] if digit == best else COLORS["grey"] for digit in range(10)]
        bars.bar(range(10), probabilities, color=colors)
        bars.set(xticks=range(10), ylim=(0, 1.15), yticks=[0, 0.5, 1])
        bars.grid(axis="x", visible=False)
        bars.annotate(
            f"{100 * probabilities[best]:.0f} %",
            (best, probabilities[best]),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    for axes, heading in zip(
        table[0], ("your drawing", "what the network sees", "its ten probabilities"), strict=True
    ):
        axes.set_title(heading, fontsize=10, loc="center")
    table[-1][2].set_xlabel("digit")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure
