"""What lesson 05 looks at: the regions a network decides by, and its adjoints layer by layer."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from html import escape
from typing import Any, NamedTuple

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from minimlcourse.classroom.style import COLORS, picture

# ---- decision regions

#: The classes of a plane, in the order of their numbers.
_CLASS_COLORS = [COLORS["blue"], COLORS["orange"], COLORS["green"], COLORS["purple"]]


class Panel(NamedTuple):
    """One panel of :func:`decision_regions`: a classifier of the plane, and points it is shown."""

    predict: Callable[[NDArray[np.float64]], ArrayLike]  # (n, 2) to classes (n,)
    X: ArrayLike  # (n, 2)
    y: ArrayLike  # (n,)


def decision_regions(
    panels: Mapping[str, Panel], *, columns: int = 4, side: int = 120, title: str = ""
) -> Figure:
    """Where in the plane each classifier answers what, under the points that it is shown.

    A point that is answered wrongly is drawn as a cross. All panels show the same square, which
    holds all the points.

    Parameters
    ----------
    panels : mapping of Panel
        What stands above each panel, and what it shows; at most four classes.
    columns : int
        Panels in a row.
    side : int
        The plane is asked on a grid of ``side`` by ``side`` points.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If there is no panel, or if points are not (n, 2) with a class from 0 to 3 each.

    Examples
    --------
    >>> right = Panel(lambda X: X[:, 0] > 0, [[1, 0], [-1, 1]], [1, 1])
    >>> figure = decision_regions({"right of the axis": right})
    >>> [len(points.get_offsets()) for points in figure.axes[0].collections]  # right, wrong
    [1, 1]

    Lesson 05b.
    """
    if not panels:
        raise ValueError("decision_regions: panels is empty, expected at least one")
    for name, panel in panels.items():
        X, y = np.asarray(panel.X), np.asarray(panel.y)
        sound = X.ndim == 2 and X.shape[1] == 2 and len(X) and y.shape == X.shape[:1]
        if not sound or y.min() < 0 or y.max() >= len(_CLASS_COLORS):
            raise ValueError(
                f"decision_regions: {name!r} has X of shape {X.shape} and y of shape {y.shape}, "
                "expected (n, 2) and (n,) with classes 0 to 3, n at least 1"
            )
    limit = 1.05 * max(float(np.abs(panel.X).max()) for panel in panels.values())
    ticks = np.linspace(-limit, limit, side)
    plane = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    # A sentence above is set at the width of three panels or more.
    width = max(1.8 * columns, 5.4 if title else 3.0)
    figure = Figure(figsize=(width, 2.05 * rows + 0.35 * bool(title)))
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, (name, (predict, points, labels)) in zip(figure.axes, panels.items(), strict=False):
        X, y = np.asarray(points, dtype=float), np.asarray(labels, dtype=int)
        axes.imshow(
            np.asarray(predict(plane)).astype(int).reshape(side, side),
            cmap=ListedColormap(_CLASS_COLORS),
            vmin=0,
            vmax=len(_CLASS_COLORS) - 1,
            origin="lower",
            extent=(-limit, limit, -limit, limit),
            alpha=0.25,
        )
        right = np.asarray(predict(X)).astype(int) == y
        colors = np.array(_CLASS_COLORS)[y]
        for chosen, style in (
            (right, {"s": 5, "lw": 0}),
            (~right, {"s": 14, "lw": 1, "marker": "x"}),
        ):
            axes.scatter(X[chosen, 0], X[chosen, 1], c=colors[chosen], **style)
        axes.set_title(name, fontsize=9, loc="center", pad=3)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


# ---- adjoints by depth

MAX_DEPTH = 50
_WIDTH = 100
_ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "relu": (lambda a: np.maximum(a, 0.0), lambda a: (a > 0).astype(float)),
    "tanh": (np.tanh, lambda a: 1 - np.tanh(a) ** 2),
    "identity": (lambda a: a, np.ones_like),
}


class AdjointNorms(NamedTuple):
    """What :func:`adjoint_norms` returns: for the layers 1 to H, arrays of H numbers."""

    measured: NDArray[np.float64]
    bound: NDArray[np.float64]
    typical: NDArray[np.float64]


@lru_cache(maxsize=1)
def _draws() -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weights of variance 1/width for every layer, their largest singular values, two vectors."""
    rng = np.random.default_rng(5)
    weights = rng.standard_normal((MAX_DEPTH, _WIDTH, _WIDTH)) / np.sqrt(_WIDTH)
    ends = rng.standard_normal((2, _WIDTH))
    return weights, np.linalg.norm(weights, 2, axis=(1, 2)), ends


def adjoint_norms(gain: float, depth: int = 30, activation: str = "relu") -> AdjointNorms:
    r"""Norms of the adjoints of the pre-activations, layer by layer, with a bound and a forecast.

    The network has layers of width 100 with independent Gaussian weights of variance
    :math:`\sigma^2 = \text{gain}/100`, the same draws for every gain, and no biases. With
    :math:`\delta^{(\ell-1)} = (W^{(\ell)\top}\delta^{(\ell)}) \odot \phi'(a^{(\ell-1)})` and
    :math:`\lVert\delta^{(H)}\rVert = 1`:

    .. math:: \lVert\delta^{(\ell)}\rVert \le \prod_{k>\ell} \lVert W^{(k)}\rVert_{op}\,\phi'_{max},
        \qquad \lVert\delta^{(\ell)}\rVert \approx \prod_{k>\ell}
        \sqrt{\text{gain}\cdot\overline{\phi'(a^{(k-1)})^2}}.

    Parameters
    ----------
    gain : float
        Width times the variance of a weight: 2 is He's choice, 1 Xavier's.
    depth : int
        H, from 1 to 50.
    activation : str
        "relu", "tanh" or "identity".

    Returns
    -------
    AdjointNorms
        What was measured, the bound, and the typical size.

    Raises
    ------
    ValueError
        If gain is not positive and finite, or depth or activation is none of the above.

    Examples
    --------
    >>> norms = adjoint_norms(gain=2.0, depth=30)  # He's choice, for ReLU
    >>> bool(0.1 < norms.measured[0] < 10), bool(norms.bound[0] > 1e9)
    (True, True)

    Lesson 05b; the report, section 4.2.6, errata E41 and E42.
    """
    if not 0 < gain < np.inf:
        raise ValueError(f"adjoint_norms: gain is {gain}, expected a positive number")
    if not 1 <= depth <= MAX_DEPTH:
        raise ValueError(f"adjoint_norms: depth is {depth}, expected 1 to {MAX_DEPTH}")
    if activation not in _ACTIVATIONS:
        raise ValueError(
            f"adjoint_norms: activation is {activation!r}, expected {', '.join(_ACTIVATIONS)}"
        )
    value, slope = _ACTIVATIONS[activation]
    weights, largest, (z, delta) = _draws()
    slopes = []
    for W in weights[:depth]:
        a = np.sqrt(gain) * W @ z
        z = value(a)
        slopes.append(slope(a))
    delta = delta / np.linalg.norm(delta)
    measured, bound, typical = [1.0], [1.0], [1.0]
    for layer in range(depth - 1, 0, -1):
        delta = np.sqrt(gain) * (weights[layer].T @ delta) * slopes[layer - 1]
        measured.append(float(np.linalg.norm(delta)))
        # The slopes of all three activations are at most 1.
        bound.append(bound[-1] * np.sqrt(gain) * largest[layer])
        typical.append(typical[-1] * np.sqrt(gain * np.mean(slopes[layer - 1] ** 2)))
    return AdjointNorms(*(np.array(norms[::-1]) for norms in (measured, bound, typical)))


def draw_adjoints(axes: Axes, gain: float, depth: int = 30, activation: str = "relu") -> str:
    """Draw :func:`adjoint_norms` on logarithmic axes, and say in words what one sees.

    Parameters
    ----------
    axes : Axes
        Where to draw.
    gain, depth, activation
        As for :func:`adjoint_norms`.

    Returns
    -------
    str
        How large the adjoint of the first layer is, and its bound.

    Lesson 05b.
    """
    norms = adjoint_norms(gain, depth, activation)
    layers = np.arange(1, depth + 1)
    curves = {
        "bound": (norms.bound, COLORS["vermilion"], "-"),
        "measured": (norms.measured, COLORS["blue"], "-"),
        "typical": (norms.typical, COLORS["grey"], "--"),
    }
    for name, (values, color, line) in curves.items():
        axes.semilogy(layers, values, line, color=color, label=name)
    # As the walk goes: from the last layer to the first. The scale is the same for every gain.
    axes.set(xlabel=r"layer $\ell$", xlim=(depth + 0.5, 0.5))
    axes.set_ylim(10.0 ** (-0.5 * depth), 10.0 ** (0.6 * depth))
    axes.minorticks_off()
    first, most = norms.measured[0], norms.bound[0]
    verdict = "vanished" if first < 0.03 else "exploded" if first > 30 else "kept its size"
    return (
        f"{activation}, gain {gain:g}, {depth} layers: the adjoint has {verdict}. At layer 1 it is "
        f"{first:.0e} of what it was at layer {depth}; the bound is {most:.0e}."
    )


def adjoint_profiles(
    gains: ArrayLike, depth: int = 30, activation: str = "relu", *, title: str = ""
) -> Figure:
    """Panels of :func:`draw_adjoints`, one for each gain, on the same axes.

    Parameters
    ----------
    gains : array_like of n floats
        What differs between the panels.
    depth, activation
        As for :func:`adjoint_norms`.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Not yet shown: :func:`show` does that.

    Raises
    ------
    ValueError
        If there is no gain, or an argument is not as :func:`adjoint_norms` expects.

    Examples
    --------
    >>> figure = adjoint_profiles([1, 2, 3])
    >>> [axes.get_title(loc="center") for axes in figure.axes]
    ['gain 1', 'gain 2', 'gain 3']

    Lesson 05b.
    """
    values = np.asarray(gains, dtype=float).reshape(-1)
    if not len(values):
        raise ValueError("adjoint_profiles: gains is empty, expected at least one")
    figure = Figure(figsize=(max(2.4 * len(values), 4.5), 2.7 + 0.3 * bool(title)))
    panels = figure.subplots(1, len(values), squeeze=False, sharey=True)[0]
    for axes, gain in zip(panels, values, strict=True):
        draw_adjoints(axes, float(gain), depth, activation)
        axes.set_title(f"gain {gain:g}", fontsize=10, loc="center")
    panels[0].set_ylabel(r"$\|\delta^{(\ell)}\|$")
    panels[-1].legend(loc="lower left")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


class AdjointExplorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Move the scale of the weights, and see the adjoint vanish or explode on its way back.

    Parameters
    ----------
    gain, depth, activation
        Where to start, as for :func:`adjoint_norms`.

    Examples
    --------
    >>> AdjointExplorer()
    A slider for the scale of the weights, and the adjoints by layer: run this cell in JupyterLab.

    Lesson 05b.
    """

    def __init__(self, gain: float = 1.0, depth: int = 30, activation: str = "relu") -> None:
        adjoint_norms(gain, depth, activation)  # refuses what is no setting
        label: dict[str, Any] = {"style": {"description_width": "5em"}}
        self.gain = widgets.FloatSlider(
            value=gain, min=0.25, max=4.0, step=0.25, description="gain", **label
        )
        self.depth = widgets.IntSlider(
            value=depth, min=2, max=MAX_DEPTH, description="layers", **label
        )
        self.activation = widgets.Dropdown(
            options=list(_ACTIVATIONS), value=activation, description="activation", **label
        )
        reset = widgets.Button(description="Reset", icon="undo")
        # What the figure shows is told in words as well, for a reader who does not see it.
        self.words = widgets.HTML()
        self.image = widgets.Image(format="png", width="480")
        for control in (self.gain, self.depth, self.activation):
            control.observe(self._draw, "value")
        reset.on_click(lambda _: self._start(gain, depth, activation))
        super().__init__(
            [
                widgets.HBox([self.activation, reset]),
                *(self.gain, self.depth, self.words, self.image),
            ]
        )
        self._draw()

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return (
            "A slider for the scale of the weights, and the adjoints by layer: "
            "run this cell in JupyterLab."
        )

    def _start(self, gain: float, depth: int, activation: str) -> None:
        self.gain.value, self.depth.value, self.activation.value = gain, depth, activation

    def _draw(self, _: Any = None) -> None:
        # Placed by hand: finding the room would take longer than drawing, and a slider is waiting.
        figure = Figure(figsize=(5.0, 3.2))
        figure.set_layout_engine("none")
        axes = figure.add_axes((0.14, 0.16, 0.82, 0.8))
        words = draw_adjoints(axes, self.gain.value, self.depth.value, self.activation.value)
        axes.set_ylabel(r"$\|\delta^{(\ell)}\|$")
        axes.legend(loc="lower left")
        self.words.value = escape(words)
        self.image.value = picture(figure, words)[0]["image/png"]
