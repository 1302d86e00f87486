"""What lesson 10 looks at: the bytes of a file, the digits of a test set, a network's mistakes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from minimlcourse.classroom.style import COLORS, picture

# ---- the bytes of an IDX file

_MAX_BYTES = 1024
_TYPE_NAMES = {
    0x08: "uint8",
    0x09: "int8",
    0x0B: "int16",
    0x0C: "int32",
    0x0D: "float32",
    0x0E: "float64",
}
_FIELD_COLORS = {
    "zeros": COLORS["grey"],
    "type": COLORS["vermilion"],
    "rank": COLORS["green"],
    "size": COLORS["blue"],
}


def hex_view(content: bytes, columns: int = 16, *, title: str = "") -> Figure:
    """The first bytes of an IDX file, in hexadecimal, coloured by what they mean.

    The header stands on lines of four bytes, each with its meaning; the data follow, ``columns`` to
    a line, on a ground as dark as the byte is large. Nothing is checked: a damaged header is shown
    as it would be understood.

    Parameters
    ----------
    content : bytes
        From 1 to 1,024 bytes, the beginning of a file that is not (or no longer) compressed.
    columns : int
        How many bytes of data stand on a line, at least 1.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If there are no bytes or too many of them, or no column.

    Examples
    --------
    >>> figure = hex_view(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> [text.get_text() for text in figure.axes[0].texts][4:7]
    ['two zeros', 'type 0x08: uint8', 'rank 1']

    Lesson 10.
    """
    if not 1 <= len(content) <= _MAX_BYTES:
        raise ValueError(
            f"hex_view: content has {len(content)} bytes, expected 1 to {_MAX_BYTES}: take a slice"
        )
    if columns < 1:
        raise ValueError(f"hex_view: columns is {columns}, expected at least 1")
    header_end = min(4 + 4 * content[3] if len(content) > 3 else 4, len(content))
    lines = [range(at, min(at + 4, header_end)) for at in range(0, header_end, 4)]
    lines += [
        range(at, min(at + columns, len(content)))
        for at in range(header_end, len(content), columns)
    ]
    width = max(columns, 16)  # room for the words beside the header
    figure = Figure(figsize=(0.235 * width + 0.75, 0.2 * len(lines) + 0.2 + 0.3 * bool(title)))
    axes = figure.subplots()
    ground = np.ones((len(lines), width, 3))
    for row, line in enumerate(lines):
        for column, at in enumerate(line):
            ground[row, column], ink = _byte_colors(content, at, header_end)
            axes.text(
                column, row, f"{content[at]:02X}", color=ink, fontsize=7.5, ha="center", va="center"
            )
        if line.start < header_end:
            _explain(axes, row, _meanings(content, line))
    axes.imshow(ground, aspect="auto")
    axes.set_xticks([])
    # Long data need no number on every line.
    marked = [row for row, line in enumerate(lines) if line.start <= header_end or row % 4 == 0]
    axes.set_yticks(marked, [f"byte {lines[row].start}" for row in marked], fontsize=7.5)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _byte_colors(content: bytes, at: int, header_end: int) -> tuple[NDArray[np.float64], str]:
    """Ground and ink of one byte."""
    if at >= header_end:
        grey = 1 - 0.85 * content[at] / 255
        faint = "#999999" if content[at] == 0 else "#222222"
        return np.full(3, grey), "white" if grey < 0.55 else faint
    field = ("zeros", "zeros", "type", "rank")[at] if at < 4 else "size"
    return 0.65 + 0.35 * np.array(to_rgb(_FIELD_COLORS[field])), "#222222"


def _meanings(content: bytes, line: range) -> list[tuple[str, str]]:
    """The fields that one line of the header holds, each with its words."""
    found = content[line.start : line.stop]
    if len(found) < 4:
        return [("zeros", "cut short")]
    if line.start > 0:
        size = int.from_bytes(found, "big")
        return [("size", f"size of axis {line.start // 4 - 1}: {size:,}")]
    zeros = "two zeros" if found[:2] == b"\0\0" else "not two zeros: no IDX file"
    name = _TYPE_NAMES.get(found[2], "unknown")
    return [
        ("zeros", zeros),
        ("type", f"type 0x{found[2]:02X}: {name}"),
        ("rank", f"rank {found[3]}"),
    ]


def _explain(axes: Any, row: int, meanings: Sequence[tuple[str, str]]) -> None:
    """Write words to the right of a line of four bytes, in the colours of their fields."""
    place: dict[str, Any] = {"xy": (4.1, row), "xycoords": "data"}
    for field, words in meanings:
        said = axes.annotate(
            words,
            **place,
            xytext=(6, 0),
            textcoords="offset points",
            color=_FIELD_COLORS[field],
            fontsize=8.5,
            va="center",
        )
        place = {"xy": (1, 0.5), "xycoords": said}  # the next words begin where these end


# ---- what a projection keeps


def projection_figure(
    variances: ArrayLike, k: int, by_pca: ArrayLike, by_chance: ArrayLike
) -> Figure:
    """Principal components against random directions: variance kept, distances kept.

    Parameters
    ----------
    variances : array_like of shape (d,)
        The eigenvalues of the covariance matrix, the largest first.
    k : int
        The number of directions to mark, from 1 to d.
    by_pca, by_chance : array_like of shape (n,)
        The distance of a pair of points after the projection, over that before.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If k is not between 1 and d.

    Lesson 10.
    """
    variances = np.asarray(variances, dtype=float)
    d = len(variances)
    if not 1 <= k <= d:
        raise ValueError(f"projection_figure: k is {k}, expected 1 to {d}")
    figure = Figure(figsize=(7.4, 3.0))
    left, right = figure.subplots(1, 2)
    kept = np.concatenate([[0], np.cumsum(variances) / variances.sum()])
    left.plot(kept, color=COLORS["blue"])
    left.plot([0, d], [0, 1], color=COLORS["vermilion"])
    left.axvline(k, color=COLORS["grey"], linewidth=1)
    left.text(0.28 * d, 0.86, "PCA", color=COLORS["blue"])
    left.text(0.54 * d, 0.45, f"random: k/{d}", color=COLORS["vermilion"])
    left.set(xlabel=f"directions k (line: {k})", ylabel="share of the variance")
    left.set_title("PCA keeps most of the variance")

    ratios = {"PCA": (np.asarray(by_pca), "blue"), "random": (np.asarray(by_chance), "vermilion")}
    reach = max(np.abs(ratio - 1).max() for ratio, _ in ratios.values()) or 1.0
    for name, (ratio, color) in ratios.items():
        heights, _, _ = right.hist(
            ratio, np.linspace(1 - reach, 1 + reach, 61), color=COLORS[color], alpha=0.75
        )
        side = "right" if np.median(ratio) < 1 else "left"
        place = np.quantile(ratio, 0.05 if side == "right" else 0.8)
        right.text(place, 0.8 * heights.max(), name, color=COLORS[color], ha=side)
    right.axvline(1, color=COLORS["grey"], linewidth=1)
    right.set(xlabel="distance after / before", ylabel="pairs of images")
    right.set_title("Chance keeps distances on average")
    return figure


# ---- mistakes, weights, confidence


def confusion_figure(counts: ArrayLike, *, title: str = "") -> Figure:
    """A confusion matrix whose colours show the mistakes.

    The diagonal, which would drown everything else, is left without colour.

    Parameters
    ----------
    counts : array_like of int, (K, K)
        True classes in rows, predicted classes in columns.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If the matrix is not square.

    Lesson 10.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ValueError(f"confusion_figure: counts has shape {counts.shape}, expected (K, K)")
    mistakes = np.where(np.eye(len(counts), dtype=bool), 0, counts)
    most = max(int(mistakes.max()), 1)
    side = 0.42 * len(counts)
    figure = Figure(figsize=(max(side + 1.0, 3.5), side + 0.7 + 0.3 * bool(title)))
    axes = figure.subplots()
    axes.imshow(mistakes, cmap="Oranges", vmin=0, vmax=1.3 * most)
    for (true, predicted), count in np.ndenumerate(counts):
        if count:
            ink = COLORS["grey"] if true == predicted else "#222222"
            axes.text(predicted, true, f"{count}", color=ink, fontsize=8, ha="center", va="center")
    labels = range(len(counts))
    axes.set(xlabel="read as", ylabel="true digit", xticks=labels, yticks=labels)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def weight_images(weights: ArrayLike, *, columns: int = 16, title: str = "") -> Figure:
    """Rows of 784 weights as images: orange adds where there is ink, purple takes away.

    All images share one scale, symmetric around 0 and cut at the 99.5 % quantile of the
    magnitudes, so that a few large weights do not make the others pale.

    Parameters
    ----------
    weights : array_like of shape (n, 784)
        A row for each unit of the first layer.
    columns : int
        Images in a row.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If the rows are not 784 long, or there is none.

    Lesson 10.
    """
    W = np.asarray(weights, dtype=float)
    if W.ndim != 2 or W.shape[1] != 784 or not len(W):
        raise ValueError(f"weight_images: weights has shape {W.shape}, expected (n, 784)")
    columns = min(columns, len(W))
    rows = -(-len(W) // columns)
    mosaic = np.full((30 * rows - 2, 30 * columns - 2), np.nan)  # NaN is left white: the gaps
    for unit, row in enumerate(W):
        top, left = 30 * (unit // columns), 30 * (unit % columns)
        mosaic[top : top + 28, left : left + 28] = row.reshape(28, 28)
    limit = float(np.quantile(np.abs(W), 0.995)) or 1.0
    figure = Figure(figsize=(7.0, max(6.0 * rows / columns, 0.8) + 0.15 + 0.3 * bool(title)))
    axes = figure.subplots()
    drawn = axes.imshow(mosaic, cmap="PuOr_r", vmin=-limit, vmax=limit)
    axes.set_axis_off()
    bar = figure.colorbar(drawn, ax=axes, shrink=0.6, ticks=[-limit, 0, limit], format="%.2g")
    bar.set_label("weight")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


class CalibrationBins(NamedTuple):
    """What :func:`calibration_bins` found in each bin that is not empty, arrays of equal length."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    number: NDArray[np.int64]


def calibration_bins(
    confidence: ArrayLike, correct: ArrayLike, n_bins: int = 10
) -> CalibrationBins:
    r"""Sort predictions by their confidence into bins of equal width, and score each bin.

    Bin :math:`b` holds the confidences in :math:`[b/B, (b+1)/B)`, the last one 1 as well.

    Parameters
    ----------
    confidence : array_like of shape (n,)
        The probability that the model gave to its answer, from 0 to 1.
    correct : array_like of bool, (n,)
        Whether that answer was right.
    n_bins : int
        B, at least 1.

    Returns
    -------
    CalibrationBins
        Mean confidence, accuracy and number of the predictions in each bin that is not empty.

    Raises
    ------
    ValueError
        If the arguments are not two vectors of the same length, at least 1, of confidences from 0
        to 1; or if there is no bin.

    Examples
    --------
    >>> bins = calibration_bins([0.9, 0.8, 0.3], [True, False, True], n_bins=2)
    >>> bins.accuracy.tolist(), bins.number.tolist()
    ([1.0, 0.5], [1, 2])

    Notes
    -----
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On calibration of modern neural networks*, 2017.
    Lesson 10.
    """
    p, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if p.ndim != 1 or p.shape != right.shape or not len(p):
        raise ValueError(
            f"calibration_bins: confidence has shape {p.shape} and correct {right.shape}, "
            "expected twice (n,), n at least 1"
        )
    if n_bins < 1:
        raise ValueError(f"calibration_bins: n_bins is {n_bins}, expected at least 1")
    # A probability of float32 may exceed 1 by its rounding; written so that a NaN fails it too.
    if not (p.min() >= 0 and p.max() <= 1 + 1e-6):
        raise ValueError(
            f"calibration_bins: confidence runs from {p.min():g} to {p.max():g}, expected 0 to 1"
        )
    bins = np.minimum((n_bins * p).astype(int), n_bins - 1)
    number = np.bincount(bins, minlength=n_bins)
    filled = number > 0
    sums = np.bincount(bins, p, n_bins), np.bincount(bins, right, n_bins)
    confidence_mean, accuracy = (total[filled] / number[filled] for total in sums)
    return CalibrationBins(confidence_mean, accuracy, number[filled])


def reliability_diagram(networks: Mapping[str, CalibrationBins], *, title: str = "") -> Figure:
    """How often networks are right, against how sure they were; a panel for each network.

    The bar through a point is Wilson's interval of 95 % for the fraction: a bin of few predictions
    says little.

    Parameters
    ----------
    networks : mapping of CalibrationBins
        What stands above each panel, and its bins.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If there is no network.

    Lesson 10.
    """
    if not networks:
        raise ValueError("reliability_diagram: networks is empty, expected at least one")
    figure = Figure(figsize=(max(2.4 * len(networks), 4.0), 2.75 + 0.3 * bool(title)))
    panels = figure.subplots(1, len(networks), squeeze=False, sharey=True)[0]
    for axes, (name, (confidence, accuracy, number)) in zip(panels, networks.items(), strict=True):
        axes.plot([0, 1], [0, 1], color=COLORS["grey"], linewidth=1)
        axes.vlines(
            confidence, accuracy, confidence, color=COLORS["vermilion"], linewidth=5, alpha=0.4
        )
        low, high = _wilson_interval(accuracy, number)
        axes.vlines(confidence, low, high, color=COLORS["blue"], linewidth=1)
        axes.plot(confidence, accuracy, "o", color=COLORS["blue"])
        axes.set(xlim=(0, 1.03), ylim=(0, 1.05), xlabel="confidence", aspect="equal")
        axes.set_title(name, fontsize=10)
    panels[0].set_ylabel("fraction right")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _wilson_interval(
    fraction: NDArray[np.float64], number: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the true fraction lies, with 95 % confidence; not a point even where all are right."""
    z = 1.96
    centre = (fraction + z**2 / (2 * number)) / (1 + z**2 / number)
    spread = np.sqrt(fraction * (1 - fraction) / number + (z / (2 * number)) ** 2)
    half = z * spread / (1 + z**2 / number)
    return centre - half, centre + half


# ---- a walk through a test set

_CHOICES = ["any", *map(str, range(10))]
_PAGE_INCHES = (6.0, 2.3)


def find_digits(
    y_true: ArrayLike, probabilities: ArrayLike, true: str = "any", read: str = "any"
) -> NDArray[np.int64]:
    """Which images of a true digit were read as a given one, those with the largest loss first.

    Parameters
    ----------
    y_true : array_like of int, (n,)
        The labels.
    probabilities : array_like, (n, 10)
        What the network answered.
    true : str
        A digit, or "any".
    read : str
        A digit, "any", or "wrong" for any other than the label.

    Returns
    -------
    ndarray of int64
        Positions between 0 and n - 1, possibly none.

    Raises
    ------
    ValueError
        If ``true`` or ``read`` is none of these words.

    Lesson 10.
    """
    if true not in _CHOICES or read not in [*_CHOICES, "wrong"]:
        raise ValueError(
            f"find_digits: true is {true!r} and read is {read!r}, expected '0' to '9' or 'any', "
            "or for read 'wrong'"
        )
    y, p = np.asarray(y_true), np.asarray(probabilities)
    answer = p.argmax(axis=1)
    chosen = np.ones(len(y), dtype=bool) if true == "any" else y == int(true)
    if read == "wrong":
        chosen &= answer != y
    elif read != "any":
        chosen &= answer == int(read)
    found = np.flatnonzero(chosen)
    # The loss is −log p of the label: the smaller that probability, the larger the loss.
    return found[np.argsort(p[found, y[found]], kind="stable")]


def digit_page(
    images: ArrayLike,
    y_true: ArrayLike,
    probabilities: ArrayLike,
    *,
    true: str = "any",
    read: str = "any",
    place: int = 1,
) -> tuple[Figure, str]:
    """What :class:`DigitBrowser` shows: one image, its ten probabilities, and a line of words.

    Parameters
    ----------
    images : array_like of shape (n, 784)
        Ink between 0 and 1.
    y_true, probabilities, true, read
        As for :func:`find_digits`.
    place : int
        Which of the images found, counted from 1.

    Returns
    -------
    figure : Figure
        The image and its bars, or an empty pair of panels if no image was found.
    words : str
        Which image this is, and how it was read.

    Raises
    ------
    ValueError
        If images were found, but not so many as ``place`` says.

    Lesson 10.
    """
    y, p = np.asarray(y_true), np.asarray(probabilities)
    found = find_digits(y, p, true, read)
    if len(found) and not 1 <= place <= len(found):
        raise ValueError(f"digit_page: place is {place}, expected 1 to {len(found)}")
    # Placed by hand: finding the room would take longer than drawing, and a slider is waiting.
    figure = Figure(figsize=_PAGE_INCHES)
    figure.set_layout_engine("none")
    paper = figure.add_axes((0.02, 0.08, 0.32, 0.84))
    bars = figure.add_axes((0.44, 0.2, 0.54, 0.7))
    paper.set(xticks=[], yticks=[])
    paper.grid(visible=False)
    bars.set(xticks=range(10), xlim=(-0.6, 9.6), ylim=(0, 1.15), yticks=[0, 0.5, 1])
    bars.set(xlabel="digit", ylabel="probability")
    bars.grid(axis="x", visible=False)
    if not len(found):
        paper.text(0.5, 0.5, "none", ha="center", color=COLORS["grey"], transform=paper.transAxes)
        return figure, f"None of the {len(y):,} images: true digit {true}, read as {read}."
    chosen = found[place - 1]
    label, answer = int(y[chosen]), int(p[chosen].argmax())
    paper.imshow(np.asarray(images)[chosen].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
    paper.spines[:].set_visible(True)
    colors = [COLORS["grey"]] * 10
    colors[answer] = COLORS["vermilion"]
    colors[label] = COLORS["blue"]
    bars.bar(range(10), p[chosen], color=colors)
    for digit, name in {label: "label", answer: "read" if answer != label else "label"}.items():
        height = p[chosen, digit]
        bars.text(digit, height + 0.03, name, color=colors[digit], ha="center", fontsize=9)
    words = (
        f"{place:,} of {len(found):,}: image {chosen:,}, a {label} read as {answer} "
        f"with {100 * p[chosen, answer]:.0f} %."
    )
    return figure, words


class DigitBrowser(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Walk through a test set by true and predicted digit, the largest loss first.

    Parameters
    ----------
    images, y_true, probabilities
        As for :func:`digit_page`.
    true, read : str
        Where the walk starts, and where the button leads back to.

    Raises
    ------
    ValueError
        If ``true`` or ``read`` is none of the choices.

    Lesson 10.
    """

    def __init__(
        self,
        images: ArrayLike,
        y_true: ArrayLike,
        probabilities: ArrayLike,
        *,
        true: str = "4",
        read: str = "9",
    ) -> None:
        self._data = (images, y_true, probabilities)
        find_digits(y_true, probabilities, true, read)  # refuses what is no choice
        self.true = widgets.Dropdown(options=_CHOICES, value=true, description="true digit")
        self.read = widgets.Dropdown(
            options=["any", "wrong", *_CHOICES[1:]], value=read, description="read as"
        )
        self.place = widgets.IntSlider(
            value=1, min=1, max=1, description="place", continuous_update=True
        )
        reset = widgets.Button(description="Reset")
        self.image = widgets.Image(format="png", width=f"{96 * _PAGE_INCHES[0]:.0f}")
        self.words = widgets.Label()
        self.true.observe(self._choose, "value")
        self.read.observe(self._choose, "value")
        self.place.observe(self._draw, "value")
        reset.on_click(lambda _: self._start(true, read))
        super().__init__(
            [widgets.HBox([self.true, self.read, reset]), self.place, self.words, self.image]
        )
        self._choose()

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return "A walk through the test set: run this cell in JupyterLab."

    def _start(self, true: str, read: str) -> None:
        self.true.value, self.read.value, self.place.value = true, read, 1

    def _choose(self, _: Any = None) -> None:
        if self.place.value != 1:
            self.place.value = 1  # which draws
        else:
            self._draw()
        _, y_true, probabilities = self._data
        found = len(find_digits(y_true, probabilities, self.true.value, self.read.value))
        self.place.max = max(found, 1)
        self.place.disabled = found < 2

    def _draw(self, _: Any = None) -> None:
        figure, words = digit_page(
            *self._data, true=self.true.value, read=self.read.value, place=self.place.value
        )
        self.image.value = picture(figure, words)[0]["image/png"]
        self.words.value = words
