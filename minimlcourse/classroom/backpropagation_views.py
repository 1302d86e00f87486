"""Backpropagation to look at: the shapes of every product, and adjoints that follow a weight.

:func:`draw_shapes` draws a network's way there and back as products of rectangles. Above
:class:`WeightExplorer`, one parameter of a small network is moved with a slider; :func:`one_pass`
computes what it shows, by hand and with the names of the homeworks: ``ha`` is the hidden layer
before its non-linearity (*activations*), ``hs`` after it (*sorties*), ``oa`` and ``os`` the same of
the output layer. The homeworks' vectors are columns; the network drawn has only one example, so
that they are one-dimensional here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from numpy.typing import ArrayLike, NDArray

from minimlcourse.classroom.style import COLORS, picture

__all__ = [
    "LIMIT",
    "PARAMETERS",
    "START",
    "Product",
    "WeightExplorer",
    "draw_adjoints",
    "draw_shapes",
    "narrate",
    "one_pass",
    "products",
]

Array = NDArray[np.float64]
Shape = tuple[int, int]

# -- shapes ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Product:
    """A product of two matrices, with names and shapes.

    Attributes
    ----------
    result, left, right : tuple of str and (int, int)
        The name of a matrix, as the figure writes it, and its shape.
    """

    result: tuple[str, Shape]
    left: tuple[str, Shape]
    right: tuple[str, Shape]


def products(sizes: Sequence[int], n: int) -> list[tuple[Product, ...]]:
    r"""The three products of each layer: one on the way there, two on the way back.

    With samples in rows, :math:`A = Z W^\top + b` has the two rules
    :math:`\bar W = \bar A^\top Z` and :math:`\bar Z = \bar A W`.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, of units of each layer, of outputs.
    n : int
        Number of examples.

    Returns
    -------
    list of tuple of Product
        For each layer, first to last: forward, gradient of the weights and, but for the first
        layer, whose input is data, adjoint of its input.

    Raises
    ------
    ValueError
        If there is no layer, or a size is not positive.

    Examples
    --------
    >>> forward, weights = products([2, 3], n=5)[0]
    >>> [shape for _, shape in (forward.left, forward.right, forward.result)]
    [(5, 2), (2, 3), (5, 3)]
    >>> [shape for _, shape in (weights.left, weights.right, weights.result)]
    [(3, 5), (5, 2), (3, 2)]

    Lesson 05, "From columns to rows".
    """
    if len(sizes) < 2 or min(*sizes, n) < 1:
        raise ValueError(
            f"products: sizes is {list(sizes)} and n is {n}, expected two positive sizes or more, "
            "and a positive n"
        )
    layers = []
    for h in range(1, len(sizes)):
        d, m = sizes[h - 1], sizes[h]
        z = "X" if h == 1 else f"Z^{{({h - 1})}}"
        a, w = f"A^{{({h})}}", f"W^{{({h})}}"
        forward = Product((a, (n, m)), (z, (n, d)), (f"W^{{({h})\\top}}", (d, m)))
        bar_t = f"\\bar A^{{({h})\\top}}"
        weights = Product((f"\\bar {w}", (m, d)), (bar_t, (m, n)), (z, (n, d)))
        layer = [forward, weights]
        if h > 1:
            layer.append(Product((f"\\bar {z}", (n, d)), (f"\\bar {a}", (n, m)), (w, (m, d))))
        layers.append(tuple(layer))
    return layers


_SIDE = 1.25  # of the longest rectangle, in units of the drawing
_SLOT = 1.75  # from one rectangle of a product to the next
_NAMES = 0.95  # what the names above and below a product take


def draw_shapes(sizes: Sequence[int], n: int, *, title: str = "") -> Figure:
    """A network's way there and back, each product as rectangles with their shapes.

    Sides are as long as the square roots of what they count. Left, read downwards: forward. Right,
    read upwards: backward.

    Parameters
    ----------
    sizes : sequence of int
        Number of inputs, of units of each layer, of outputs.
    n : int
        Number of examples.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Blue: values. Grey: parameters. Vermilion, hatched: adjoints.

    Raises
    ------
    ValueError
        As :func:`products`.

    Examples
    --------
    >>> figure = draw_shapes([2, 3], n=5)
    >>> sorted({text.get_text() for text in figure.axes[0].texts if "×" in text.get_text()})
    ['2×3', '3×2', '3×5', '5×2', '5×3']

    Lesson 05, "From columns to rows".
    """
    layers = products(sizes, n)
    longest = max(*sizes, n)
    # A layer's products stand as far apart as the longest of its rectangles asks for.
    bands = [_side(max(n, *sizes[h : h + 2]), longest) + _NAMES for h in range(len(layers))]
    heights = [band * (len(layer) - 1) + 0.75 for band, layer in zip(bands, layers, strict=True)]
    height = sum(heights) + 0.7
    width = 2 * (3 * _SLOT + 0.45)
    scale = 0.7
    figure = Figure(figsize=(width * scale, height * scale + 0.35 * bool(title)))
    axes = figure.add_subplot()
    axes.set(xlim=(0, width), ylim=(-height, 0), aspect="equal")
    axes.set_axis_off()
    right = width / 2 + 0.4
    _words(axes, 0.1, -0.35, "forward, read downwards ↓", COLORS["blue"])
    _words(axes, right, -0.35, "backward, read upwards ↑", COLORS["vermilion"])
    top = -0.7
    for h, (forward, *backward) in enumerate(layers, start=1):
        band = bands[h - 1]
        axes.axhline(top, color="#DDDDDD", lw=0.8)
        last = h == len(layers)
        there = "logits" if last else f"$Z^{{({h})}} = \\phi(A^{{({h})}})$"
        start = "from the loss" if last else f"\\bar Z^{{({h})}} \\odot \\phi'(A^{{({h})}})"
        back = f"$\\bar A^{{({h})}}$ {start}" if last else f"$\\bar A^{{({h})}} = {start}$"
        # Upwards: first the adjoint of A, at the foot of its layer, then what is made of it.
        for place, product in enumerate(reversed(backward)):
            _draw_product(axes, product, (right, top - (place + 0.5) * band), longest)
        _draw_product(axes, forward, (0.1, top - len(backward) * band / 2), longest)
        top -= heights[h - 1]
        bias = f"$+\\ b^{{({h})}}$ in every row,  "
        _words(axes, 0.1, top + 0.45, bias + there, COLORS["blue"])
        sums = f",  $\\bar b^{{({h})}}$: sum of its rows"
        _words(axes, right, top + 0.45, back + sums, COLORS["vermilion"])
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _words(axes: Axes, x: float, y: float, text: str, color: str) -> None:
    axes.text(x, y, text, color=color, fontsize=9, va="center")


def _side(count: int, longest: int) -> float:
    return float(max(0.14, _SIDE * (count / longest) ** 0.5))


def _draw_product(axes: Axes, product: Product, start: tuple[float, float], longest: int) -> None:
    """``left right = result``, from the middle of its left edge on."""
    x, y = start[0] + _SIDE / 2, start[1]
    for k, (name, shape) in enumerate((product.left, product.right, product.result)):
        kind = "vermilion" if "bar" in name else "grey" if name.startswith("W") else "blue"
        h, w = (_side(count, longest) for count in shape)
        axes.add_patch(
            Rectangle(
                (x - w / 2, y - h / 2),
                *(w, h),
                facecolor=COLORS[kind] + "33",
                edgecolor=COLORS[kind],
                hatch="//" if kind == "vermilion" else None,
                lw=1.2,
            )
        )
        # The name stands above its rectangle and the shape below it.
        axes.text(x, y + h / 2 + 0.08, f"${name}$", fontsize=9, ha="center", va="bottom")
        size = f"{shape[0]}×{shape[1]}"
        axes.text(x, y - h / 2 - 0.08, size, fontsize=8, ha="center", va="top", color="#444444")
        if k < 2:
            axes.text(x + _SLOT / 2, y, "·="[k], fontsize=15, ha="center", va="center")
        x += _SLOT


# -- a small network -------------------------------------------------------------------------------

#: Two inputs, two hidden units with ReLU, two classes. The second hidden unit is off.
#: All are multiples of 1/4, so that it comes on exactly where it should.
START: dict[str, Array] = {
    "W1": np.array([[0.75, -0.25], [-0.5, 0.5]]),
    "b1": np.array([0.25, -1.0]),
    "W2": np.array([[1.0, -1.0], [-0.5, 1.0]]),
    "b2": np.array([0.0, 0.25]),
}
_X = np.array([1.0, 2.0])
_Y = 0

#: Parameters move between minus this and this.
LIMIT = 3.0

#: Every entry of every parameter, by its name in NumPy.
PARAMETERS: dict[str, tuple[str, tuple[int, ...]]] = {
    f"{name}{list(index)}": (name, index)
    for name, array in START.items()
    for index in np.ndindex(array.shape)
}


def one_pass(parameters: Mapping[str, ArrayLike]) -> dict[str, Array]:
    r"""Forward and backward through one hidden layer, for the example x = (1, 2) of class 0.

    .. math::

        h^a = W^{(1)} x + b^{(1)},\quad h^s = \max(h^a, 0),\quad o^a = W^{(2)} h^s + b^{(2)},\quad
        o^s = \mathrm{softmax}(o^a),\quad L = -\log o^s_y

    Parameters
    ----------
    parameters : mapping of str to array_like
        ``W1`` and ``W2`` of shape (2, 2), ``b1`` and ``b2`` of shape (2,).

    Returns
    -------
    dict of str to ndarray
        ``ha``, ``hs``, ``oa``, ``os``, ``loss``; and ``grad_…`` of each of the first three, of
        ``x``, and of each parameter.

    Examples
    --------
    >>> done = one_pass(START)
    >>> done["hs"].round(2).tolist(), done["grad_ha"].round(2).tolist()
    ([0.5, 0.0], [-0.57, 0.0])

    Lesson 05, "Move a weight".
    """
    W1, b1, W2, b2 = (np.asarray(parameters[name], dtype=float) for name in START)
    ha = W1 @ _X + b1
    hs = np.maximum(ha, 0.0)
    oa = W2 @ hs + b2
    largest = oa.max()
    log_sum = largest + np.log(np.exp(oa - largest).sum())
    os = np.exp(oa - log_sum)
    grad_oa = os - np.eye(2)[_Y]
    grad_hs = W2.T @ grad_oa
    grad_ha = grad_hs * (ha > 0)
    return {
        **{"ha": ha, "hs": hs, "oa": oa, "os": os, "loss": log_sum - oa[_Y]},
        **{"grad_oa": grad_oa, "grad_hs": grad_hs, "grad_ha": grad_ha, "grad_x": W1.T @ grad_ha},
        **{"grad_W2": np.outer(grad_oa, hs), "grad_b2": grad_oa},
        **{"grad_W1": np.outer(grad_ha, _X), "grad_b1": grad_ha},
    }


def narrate(parameters: Mapping[str, ArrayLike], moved: str) -> str:
    """What the figure shows, in words.

    Examples
    --------
    >>> narrate(START, "b1[1]")
    'b1[1] = -1, with gradient 0. Hidden units: 0 on, 1 off. The loss is 0.474.'
    """
    done = one_pass(parameters)
    name, index = PARAMETERS[moved]
    value = float(np.asarray(parameters[name])[index])
    units = ", ".join(f"{j} {'on' if a > 0 else 'off'}" for j, a in enumerate(done["ha"]))
    return (
        f"{moved} = {value:.3g}, with gradient {_short(done[f'grad_{name}'][index])}. "
        f"Hidden units: {units}. The loss is {float(done['loss']):.3g}."
    )


def _short(value: float) -> str:
    return f"{value:.2g}" if abs(value) >= 0.005 else "0"


_X_OF = (0.85, 3.55, 6.55)  # the middle of a column of boxes
_Y_OF = (2.75, 0.85)  # the middle of a row of boxes
_BOX = (1.4, 0.92)  # width and height of a box


def draw_adjoints(parameters: Mapping[str, ArrayLike], moved: str, *, title: str = "") -> Figure:
    """The small network with all its values and, under each, its adjoint.

    An arrow is as wide as the gradient of its weight is large; dashed, where that is zero.

    Parameters
    ----------
    parameters : mapping of str to array_like
        As :func:`one_pass` takes them.
    moved : str
        The parameter that stands out, one of :data:`PARAMETERS`.
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Dark: values. Vermilion, after a ∂: adjoints.

    Raises
    ------
    ValueError
        If there is no such parameter.

    Examples
    --------
    >>> figure = draw_adjoints(START, "b1[1]")
    >>> any(text.get_text() == "b1[1] = -1" for text in figure.axes[0].texts)
    True

    Lesson 05, "Move a weight".
    """
    if moved not in PARAMETERS:
        raise ValueError(f"draw_adjoints: moved is {moved!r}, expected one of {list(PARAMETERS)}")
    values = {name: np.asarray(array, dtype=float) for name, array in parameters.items()}
    done = one_pass(values)
    figure = Figure(figsize=(7.6, 3.0 + 0.35 * bool(title)))
    figure.set_layout_engine("none")
    axes = figure.add_axes((0.0, 0.0, 1.0, 3.0 / figure.get_figheight()))
    axes.set(xlim=(0, 8.6), ylim=(0.05, 3.4))
    axes.set_axis_off()

    for layer, name in enumerate(("W1", "W2")):
        for k, j in np.ndindex(2, 2):
            value, gradient = (float(a[k, j]) for a in (values[name], done[f"grad_{name}"]))
            text = f"{name}[{k}, {j}] = {value:.3g}" if f"{name}[{k}, {j}]" == moved else ""
            start = (_X_OF[layer] + _BOX[0] / 2, _Y_OF[j])
            end = (_X_OF[layer + 1] - _BOX[0] / 2, _Y_OF[k] + 0.2 * (0.5 - j))
            _draw_weight(axes, start, end, text or f"{value:.3g}", gradient, moved=bool(text))
    for j in range(2):
        lines = [f"x[{j}] = {_X[j]:.2g}"]
        _draw_box(axes, (_X_OF[0], _Y_OF[j]), lines, [done["grad_x"][j]], COLORS["grey"])
        pair = [f"ha[{j}] = {_short(done['ha'][j])}", f"hs[{j}] = {_short(done['hs'][j])}"]
        on = COLORS["blue"] if done["ha"][j] > 0 else COLORS["grey"]
        both = [done["grad_ha"][j], done["grad_hs"][j]]
        _draw_box(axes, (_X_OF[1], _Y_OF[j]), pair, both, on)
        pair = [f"oa[{j}] = {_short(done['oa'][j])}", f"os[{j}] = {done['os'][j]:.2f}"]
        _draw_box(axes, (_X_OF[2], _Y_OF[j]), pair, [done["grad_oa"][j]], COLORS["blue"])
        for layer, name in ((1, "b1"), (2, "b2")):
            label = f"{name}[{j}]"
            x, y = _X_OF[layer], _Y_OF[j] - _BOX[1] / 2 - 0.17
            _write(axes, x, y, f"{label} = {values[name][j]:.3g}", label == moved)
    _write(axes, 7.32, _Y_OF[_Y], f"the true class:\n-log os[{_Y}]", False, ha="left")
    loss = f"loss = {float(done['loss']):.3f}"
    _write(axes, 7.32, _Y_OF[_Y] - 0.5, loss, False, ha="left", weight="bold")
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return figure


def _draw_weight(
    axes: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    text: str,
    gradient: float,
    *,
    moved: bool,
) -> None:
    zero = _short(gradient) == "0"
    style = {"arrowstyle": "-|>", "shrinkA": 0, "shrinkB": 0, "linestyle": "--" if zero else "-"}
    style["color"] = COLORS["grey"] if zero else "#E8A87C"
    axes.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={**style, "lw": 0.8 + 3.0 * min(abs(gradient), 1.2)},
        zorder=1,
    )
    # A third of the way: there, no two of the four arrows of a layer meet.
    x, y = (a + 0.3 * (b - a) for a, b in zip(start, end, strict=True))
    _write(axes, x, y + 0.11, text, moved)
    _write(axes, x, y - 0.13, f"∂ {_short(gradient)}", False, color=COLORS["vermilion"])


def _draw_box(
    axes: Axes,
    middle: tuple[float, float],
    lines: Sequence[str],
    adjoints: Sequence[float],
    color: str,
) -> None:
    (x, y), (width, height) = middle, _BOX
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            *(width, height),
            boxstyle="round,pad=0,rounding_size=0.1",
            facecolor="#F4F7FA",
            edgecolor=color,
            linewidth=1.4,
            zorder=2,
        )
    )
    for k, line in enumerate(lines):
        place = y + 0.2 * (len(lines) - 1) - 0.4 * k
        _write(axes, x, place + 0.1, line, False, zorder=4)
        if k < len(adjoints):
            text = f"∂ {_short(adjoints[k])}"
            _write(axes, x, place - 0.1, text, False, color=COLORS["vermilion"], zorder=4)


def _write(
    axes: Axes,
    x: float,
    y: float,
    text: str,
    moved: bool,
    *,
    color: str = "#222222",
    ha: str = "center",
    weight: str = "normal",
    zorder: int = 3,
) -> None:
    """Text, on a yellow ground if it names what is moved, else on a white one over arrows."""
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75}
    if moved:
        ground = {"facecolor": "#FFF3B0", "edgecolor": COLORS["orange"], "pad": 1.5}
    axes.text(
        *(x, y, text),
        color=color,
        fontsize=8.5,
        fontweight="bold" if moved else weight,
        ha=ha,
        va="center",
        zorder=zorder + moved,
        bbox=ground if zorder < 4 else None,
    )


# -- the widget ------------------------------------------------------------------------------------


class WeightExplorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Choose a parameter of a small network, move it, and see every value and adjoint follow.

    Parameters
    ----------
    moved : str
        The parameter to start with, one of :data:`PARAMETERS`.

    Examples
    --------
    >>> WeightExplorer("b1[1]")
    A small network, a slider for its weights, all adjoints: run this in JupyterLab.

    Lesson 05, "Move a weight".
    """

    def __init__(self, moved: str = "b1[1]") -> None:
        self._start = moved
        self._values = {name: array.copy() for name, array in START.items()}
        self._choice = widgets.Dropdown(
            options=list(PARAMETERS),
            value=moved,
            description="parameter",
            layout=widgets.Layout(width="14em"),
        )
        self._slider = widgets.FloatSlider(
            value=self._current(),
            min=-LIMIT,
            max=LIMIT,
            step=0.05,
            readout_format=".2f",
            description="value",
            layout=widgets.Layout(width="26em"),
        )
        self._reset = widgets.Button(description="Reset", icon="undo")
        # What happens is told in words as well, for a reader who does not see the figure.
        self._words = widgets.HTML()
        self._image = widgets.Image(format="png")
        controls = widgets.HBox(
            [self._choice, self._slider, self._reset], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([controls, self._words, self._image])
        self._choice.observe(lambda _: self._choose(), "value")
        self._slider.observe(lambda _: self._move(), "value")
        self._reset.on_click(lambda _: self._restart())
        self._show()

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return "A small network, a slider for its weights, all adjoints: run this in JupyterLab."

    def _current(self) -> float:
        name, index = PARAMETERS[self._choice.value]
        return float(self._values[name][index])

    def _choose(self) -> None:
        if self._slider.value == self._current():
            self._show()
        else:
            self._slider.value = self._current()  # which shows it

    def _move(self) -> None:
        name, index = PARAMETERS[self._choice.value]
        self._values[name][index] = self._slider.value
        self._show()

    def _restart(self) -> None:
        self._values = {name: array.copy() for name, array in START.items()}
        self._choice.value = self._start
        self._choose()

    def _show(self) -> None:
        figure = draw_adjoints(self._values, self._choice.value)
        words = narrate(self._values, self._choice.value)
        data, _ = picture(figure, words)
        self._image.value = data["image/png"]
        self._image.width = round(96 * figure.get_size_inches()[0])
        self._words.value = escape(words)
