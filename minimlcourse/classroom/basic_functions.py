"""Six functions beside their derivatives, and lines that a graph lies above, or does not.

Lesson 03 shows them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import minimlcourse.functional as F
from minimlcourse.classroom.style import COLORS, picture

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class BasicFunction:
    """A function of one variable, its derivative away from 0, and where each of them jumps.

    Attributes
    ----------
    formula, slope_formula : str
        The function and its derivative, as LaTeX.
    value, slope : callable
        The same, elementwise on an array; the slope at 0 is the usual convention.
    jumps, slope_jumps : bool
        Whether the function, and its derivative, is discontinuous at 0.
    """

    formula: str
    slope_formula: str
    value: Curve
    slope: Curve
    jumps: bool = False
    slope_jumps: bool = False


#: The functions of the lesson, by name.
FUNCTIONS = {
    "sigmoid": BasicFunction(
        r"$\sigma(x)$", r"$\sigma(1 - \sigma)$", F.sigmoid, lambda x: F.sigmoid(x) * F.sigmoid(-x)
    ),
    "tanh": BasicFunction(r"$\tanh x$", r"$1 - \tanh^2 x$", np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "softplus": BasicFunction(r"$\ln(1 + e^x)$", r"$\sigma(x)$", F.softplus, F.sigmoid),
    "sign": BasicFunction(
        r"$\mathrm{sign}(x)$", r"$0$ for $x \neq 0$", np.sign, np.zeros_like, jumps=True
    ),
    "abs": BasicFunction(r"$|x|$", r"$\mathrm{sign}(x)$", np.abs, np.sign, slope_jumps=True),
    "rect": BasicFunction(
        r"$\max(x, 0)$",
        r"$\mathbf{1}_{x>0}$",
        F.relu,
        lambda x: np.where(x > 0, 1.0, 0.0),
        slope_jumps=True,
    ),
}


def draw_slopes(names: Sequence[str] = tuple(FUNCTIONS), *, title: str = "") -> Figure:
    """Functions and their derivatives, a panel each, three in a row.

    Where a curve jumps, hollow points stand for the limits from both sides, and a full one for the
    value at 0.

    Parameters
    ----------
    names : sequence of str
        Keys of :data:`FUNCTIONS`.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If there is no name, or one that is not in :data:`FUNCTIONS`.

    Lesson 03.
    """
    if not names or (unknown := [name for name in names if name not in FUNCTIONS]):
        wrong = unknown if names else "nothing"
        raise ValueError(f"draw_slopes: names has {wrong}, expected some of {list(FUNCTIONS)}")
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(2.45 * columns, 2.15 * rows + 0.35 * bool(title)))
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    for axes, name in zip(grid.flat, names, strict=False):
        function = FUNCTIONS[name]
        for curve, jumps, color in (
            (function.slope, function.slope_jumps, COLORS["vermilion"]),
            (function.value, function.jumps, COLORS["blue"]),
        ):
            _plot_halves(axes, curve, jumps, color)
        axes.set(xlim=(-4, 4), ylim=(-2.1, 2.6), xticks=[-3, 0, 3], yticks=[-1, 0, 1, 2])
        axes.set_title(name, fontsize=10)
        left = {"transform": axes.transAxes, "fontsize": 10}
        axes.text(0.04, 0.86, function.formula, color=COLORS["blue"], **left)
        axes.text(0.04, 0.04, function.slope_formula, color=COLORS["vermilion"], **left)
    for axes in grid[-1]:
        axes.set_xlabel("$x$")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _plot_halves(axes: Axes, curve: Curve, jumps: bool, color: str) -> None:
    """A curve, in two pieces where it jumps at 0, so that no vertical line joins them."""
    if not jumps:
        x = np.linspace(-4, 4, 401)
        axes.plot(x, curve(x), color=color)
        return
    for side in (-1.0, 1.0):
        x = side * np.linspace(1e-9, 4, 201)
        axes.plot(x, curve(x), color=color)
        axes.plot(0, curve(x[:1]), "o", color=color, markerfacecolor="white", zorder=3)
    axes.plot(0, curve(np.zeros(1)), "o", color=color, zorder=4)


# ---- lines through the kink


@dataclass(frozen=True)
class Kink:
    """A function with f(0) = 0, and the slopes of the lines through 0 that it lies above.

    Attributes
    ----------
    formula : str
        The function, as LaTeX.
    value : callable
        The same, elementwise on an array.
    subgradients : pair of float or None
        The smallest and the largest of the slopes g such that f(x) >= g x for all x.
    """

    formula: str
    value: Curve
    subgradients: tuple[float, float] | None


#: What the slider of :class:`SupportLine` can be tried on, by name.
KINKS = {
    "|x|": Kink("$|x|$", np.abs, (-1.0, 1.0)),
    "rect(x)": Kink(r"$\mathrm{rect}(x)$", F.relu, (0.0, 1.0)),
    "x²": Kink("$x^2$", np.square, (0.0, 0.0)),
    "−|x|": Kink("$-|x|$", lambda x: -np.abs(x), None),
}


def stays_below(name: str, g: float) -> bool:
    """Whether the line of slope g through 0 stays below the graph, touching it allowed.

    Examples
    --------
    >>> [stays_below("|x|", g) for g in (-1.25, -1.0, 0.5)]
    [False, True, True]
    """
    slopes = KINKS[name].subgradients
    return slopes is not None and slopes[0] <= g <= slopes[1]


def verdict(name: str, g: float) -> str:
    """What a line of slope g through 0 is to the function, in words.

    Examples
    --------
    >>> verdict("rect(x)", 0.25)
    'The line of slope 0.25 stays below the graph of rect(x): 0.25 is a sub-gradient at 0.'
    """
    slope = f"{g:g}".replace("-", "−")
    if stays_below(name, g):
        return (
            f"The line of slope {slope} stays below the graph of {name}: "
            f"{slope} is a sub-gradient at 0."
        )
    return (
        f"The line of slope {slope} is above the graph of {name} somewhere: "
        f"{slope} is no sub-gradient at 0."
    )


def draw_support_line(name: str, g: float) -> Figure:
    """A graph, the line of slope g through its point at 0, and where the line is above the graph.

    Parameters
    ----------
    name : str
        A key of :data:`KINKS`.
    g : float
        The slope.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If the name is not in :data:`KINKS`.

    Lesson 03.
    """
    if name not in KINKS:
        raise ValueError(f"draw_support_line: name is {name!r}, expected one of {list(KINKS)}")
    kink = KINKS[name]
    x = np.linspace(-2, 2, 801)
    graph, line = kink.value(x), g * x
    below = stays_below(name, g)
    color = COLORS["green" if below else "vermilion"]
    figure = Figure(figsize=(5.4, 3.0))
    axes = figure.add_subplot()
    axes.plot(x, graph, color=COLORS["blue"], lw=2.5, label=kink.formula)
    axes.plot(x, line, color=color, ls="-" if below else "--", label=f"slope {g:g}")
    axes.fill_between(x, graph, line, where=line > graph, color=color, alpha=0.25, lw=0)
    axes.plot(0, 0, "o", color="black", zorder=3)
    axes.set(xlim=(-2, 2), ylim=(-2.1, 2.1), xlabel="$x$", ylabel="value")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    slope = f"{g:g}".replace("-", "−")
    axes.set_title(f"{slope} is {'a' if below else 'no'} sub-gradient at 0")
    return figure


class SupportLine(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Turn a line about the kink of a graph, and see whether the graph stays above it.

    Parameters
    ----------
    name : str
        What to start with, a key of :data:`KINKS`.
    g : float
        The slope to start with, a multiple of 1/4 between -2 and 2.

    Examples
    --------
    >>> SupportLine("|x|", 0.5)
    A graph with a kink, and a slider that turns a line about it: run this cell in JupyterLab.

    Lesson 03, "Lines below a graph".
    """

    def __init__(self, name: str = "|x|", g: float = 1.25) -> None:
        self._start = name, g
        label = {"description_width": "5em"}
        self._name = widgets.Dropdown(options=list(KINKS), description="function", style=label)
        self._slope = widgets.FloatSlider(
            description="slope g", min=-2.0, max=2.0, step=0.25, style=label
        )
        self._reset = widgets.Button(description="Reset", icon="undo")
        # What happens is told in words as well, for a reader who does not see the figure.
        self._words = widgets.HTML()
        self._image = widgets.Image(format="png")
        super().__init__(
            [widgets.HBox([self._name, self._slope, self._reset]), self._words, self._image]
        )
        self._restart()
        self._show()
        self._name.observe(lambda _: self._show(), "value")
        self._slope.observe(lambda _: self._show(), "value")
        self._reset.on_click(lambda _: self._restart())

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return (
            "A graph with a kink, and a slider that turns a line about it: "
            "run this cell in JupyterLab."
        )

    def _restart(self) -> None:
        self._name.value, self._slope.value = self._start

    def _show(self) -> None:
        name, g = self._name.value, self._slope.value
        figure = draw_support_line(name, g)
        self._words.value = verdict(name, g)
        data, _ = picture(figure, self._words.value)
        self._image.value = data["image/png"]
        self._image.width = round(96 * figure.get_size_inches()[0])
