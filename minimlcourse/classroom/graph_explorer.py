"""A formula as a graph: type it, look at it, and send the adjoints back one step at a time.

A program is a line such as ``x = 2; y = 3; x * y + sin(x)``. A number given to a name makes a
variable, other numbers are constants, and what comes last is the root. It is read by
:func:`trace` with Python's own parser and a short list of what is allowed; nothing is ever
evaluated as code. Values and adjoints come from the primitives of the package and their rules.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse.autodiff import Primitive
from minimlcourse.classroom.style import COLORS, picture

__all__ = ["EXAMPLES", "GraphExplorer", "Step", "Vertex", "draw_graph", "trace", "walk_back"]

#: Programs to start from, by what they show.
EXAMPLES = {
    "a product and a sine": "x = 2; y = 3; x * y + sin(x)",
    "twice the same input": "a = 3; b = a + a; c = b + b",
    "a diamond": "x = 2; u = x * x; v = u + x; w = u * x; v * w",
    "a node that leads nowhere": "x = 3; beside = x * x; 2 * x",
    "one neuron": "x = 1; w = 0.5; b = -1; tanh(w * x + b)",
    "a logistic loss": "z = 2; -log(sigmoid(z))",
}

MAX_LENGTH = 200
MAX_VERTICES = 24
MAX_COLUMNS = 10  # what a page is wide enough for

_BINARY: dict[type[ast.operator], tuple[str, Primitive]] = {
    ast.Add: ("+", ad.add),
    ast.Sub: ("−", ad.subtract),
    ast.Mult: ("×", ad.multiply),
    ast.Div: ("÷", ad.divide),
    ast.Pow: ("power", ad.power),
}
_FUNCTIONS: dict[str, Primitive] = {
    "exp": ad.exp,
    "log": ad.log,
    "sqrt": ad.sqrt,
    "sin": ad.sin,
    "cos": ad.cos,
    "tanh": ad.tanh,
    "abs": ad.absolute,
    "relu": F.relu,
    "sigmoid": F.sigmoid,
}


@dataclass(frozen=True)
class Vertex:
    """One value of the graph.

    Attributes
    ----------
    name : str
        The name that the program gives it, or nothing.
    operation : str
        How the figure calls the operation; nothing for variables and constants.
    primitive : Primitive or None
        The operation.
    inputs : tuple of int
        The places of its inputs in the graph, which are all smaller than its own.
    value : float
    flows : bool
        Whether it depends on a variable, so that gradients flow to it.
    """

    name: str
    operation: str
    primitive: Primitive | None
    inputs: tuple[int, ...]
    value: float
    flows: bool

    @property
    def label(self) -> str:
        """What to call it in a figure or a sentence."""
        if self.primitive is None:
            return self.name or f"{self.value:.4g}"
        return f"{self.name}: {self.operation}" if self.name else self.operation


@dataclass(frozen=True)
class Step:
    """The state after one step of the backward pass.

    Attributes
    ----------
    turn : int or None
        The place of the vertex whose turn it was; None before the first.
    messages : tuple of float or None
        What that vertex sent to each of its inputs; None to a constant.
    adjoints : tuple of float or None
        What has arrived at each vertex so far; None where nothing has.
    """

    turn: int | None
    messages: tuple[float | None, ...]
    adjoints: tuple[float | None, ...]


def trace(program: str) -> list[Vertex]:
    """Read a program and compute the value of each of its vertices, inputs first.

    Raises
    ------
    ValueError
        In words for the one who typed it: what cannot be read, is not allowed or has no value.

    Examples
    --------
    >>> [vertex.label for vertex in trace("x = 2; y = 3; x * y + 1")]
    ['x', 'y', '×', '1', '+']

    Lesson 04, "Step through it".
    """
    if len(program) > MAX_LENGTH:
        raise ValueError(f"the program has {len(program)} characters, at most {MAX_LENGTH} fit")
    try:
        lines = ast.parse(program.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise ValueError(f"this cannot be read: {reason}") from None
    reader = _Reader()
    root = -1
    for line in lines:
        root = reader.statement(line)
    if root < 0 or not reader.graph[root].flows:
        raise ValueError("there is no variable to differentiate by: start with one, as in x = 2;")
    # Only the root may come last: it is where the walk begins.
    if root != len(reader.graph) - 1:
        raise ValueError("the last part computes nothing new: end with the result")
    if max(_columns(reader.graph)) >= MAX_COLUMNS:
        raise ValueError(f"more than {MAX_COLUMNS - 1} operations in a row do not fit")
    return reader.graph


def _number(node: ast.expr) -> float | None:
    """The number that is written here, or None."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number = _number(node.operand)
        return None if number is None else -number
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return None if isinstance(node.value, bool) else float(node.value)
    return None


class _Reader:
    """Turns syntax into vertices; whatever is not listed here is refused."""

    def __init__(self) -> None:
        self.graph: list[Vertex] = []
        self.names: dict[str, int] = {}

    def statement(self, line: ast.stmt) -> int:
        if isinstance(line, ast.Expr):
            return self.expression(line.value)
        if not (
            isinstance(line, ast.Assign)
            and len(line.targets) == 1
            and isinstance(line.targets[0], ast.Name)
        ):
            raise ValueError(f"'{ast.unparse(line)}' is neither a formula nor name = formula")
        name = line.targets[0].id
        if name in self.names or name in _FUNCTIONS:
            raise ValueError(f"{name} has a meaning already: choose another name")
        start = len(self.graph)
        place = self.expression(line.value)
        vertex = self.graph[place]
        if not vertex.flows:  # a number, or computed from numbers alone: a variable
            del self.graph[start:]
            place = start
            self.graph.append(Vertex(name, "", None, (), vertex.value, True))
        elif not vertex.name:
            self.graph[place] = replace(vertex, name=name)
        self.names[name] = place
        return place

    def expression(self, node: ast.expr) -> int:
        number = _number(node)
        if number is not None:
            return self.add("", None, (), number)
        if isinstance(node, ast.Name):
            if node.id not in self.names:
                raise ValueError(f"{node.id} has no value yet: begin with {node.id} = 2;")
            return self.names[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
            symbol, primitive = _BINARY[type(node.op)]
            return self.apply(symbol, primitive, [node.left, node.right])
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitXor):
            raise ValueError("^ is not a power here: write x**2")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.apply("neg", ad.negative, [node.operand])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            name = node.func.id
            if name in _FUNCTIONS and len(node.args) == 1 and not node.keywords:
                return self.apply(name, _FUNCTIONS[name], node.args)
        raise ValueError(
            f"'{ast.unparse(node)}' is not allowed: use numbers, names, + - * / ** and "
            f"{', '.join(_FUNCTIONS)} of one argument"
        )

    def apply(self, symbol: str, primitive: Primitive, operands: Sequence[ast.expr]) -> int:
        inputs = tuple(self.expression(operand) for operand in operands)
        values = [np.float64(self.graph[i].value) for i in inputs]
        with np.errstate(all="ignore"):
            value = float(primitive(*values))
        return self.add(symbol, primitive, inputs, value)

    def add(
        self, symbol: str, primitive: Primitive | None, inputs: tuple[int, ...], value: float
    ) -> int:
        if not np.isfinite(value):
            given = ", ".join(f"{self.graph[i].value:.4g}" for i in inputs)
            raise ValueError(
                f"{symbol} of {given} is {value:g}" if inputs else "a number is too large"
            )
        if len(self.graph) == MAX_VERTICES:
            raise ValueError(f"more than {MAX_VERTICES} values do not fit into the figure")
        flows = any(self.graph[i].flows for i in inputs)
        self.graph.append(Vertex("", symbol, primitive, inputs, value, flows))
        return len(self.graph) - 1


def walk_back(graph: Sequence[Vertex]) -> list[Step]:
    """The backward pass, step by step: first nothing, then the root's 1, then a vertex at a time.

    Vertices have their turn from the youngest to the oldest, as in the package. Those that do not
    lead to the root never have one.

    Examples
    --------
    >>> steps = walk_back(trace("a = 3; b = a + a; c = b + b"))
    >>> [step.adjoints for step in steps]  # a, b, c
    [(None, None, None), (None, None, 1.0), (None, 2.0, 1.0), (4.0, 2.0, 1.0)]

    Lesson 04, "Step through it".
    """
    adjoints: list[float | None] = [None] * len(graph)
    steps = [Step(None, (), tuple(adjoints))]
    adjoints[-1] = 1.0
    steps.append(Step(None, (), tuple(adjoints)))
    for turn in reversed(range(len(graph))):
        vertex, g = graph[turn], adjoints[turn]
        if vertex.primitive is None or g is None:
            continue
        values = [np.float64(graph[i].value) for i in vertex.inputs]
        messages: list[float | None] = []
        for i, rule in zip(vertex.inputs, vertex.primitive.rules, strict=True):
            if not graph[i].flows:
                messages.append(None)
                continue
            with np.errstate(all="ignore"):
                message = float(rule(np.float64(g), np.float64(vertex.value), *values))
            messages.append(message)
            adjoints[i] = (adjoints[i] or 0.0) + message
        steps.append(Step(turn, tuple(messages), tuple(adjoints)))
    return steps


def narrate(graph: Sequence[Vertex], steps: Sequence[Step], number: int) -> str:
    """One step in words.

    Examples
    --------
    >>> graph = trace("a = 3; b = a + a; c = b + b")
    >>> narrate(graph, walk_back(graph), 2)
    'Turn of c: +, whose adjoint 1 is complete. It sends 1 to b: +, 1 to b: +.'
    """
    step = steps[number]
    if number == 0:
        return "Forward: every value is there, no adjoint yet. Move the slider."
    if step.turn is None:
        return f"The root, {graph[-1].label}, starts with adjoint 1."
    vertex = graph[step.turn]
    sent = [
        f"{message:.4g} to {graph[i].label}"
        for i, message in zip(vertex.inputs, step.messages, strict=True)
        if message is not None
    ]
    text = (
        f"Turn of {vertex.label}, whose adjoint {step.adjoints[step.turn]:.4g} is complete. "
        f"It sends {', '.join(sent)}."
    )
    return text + " The walk is over." * (number == len(steps) - 1)


# -- the figure ------------------------------------------------------------------------------------

_WIDTH, _HEIGHT = 1.25, 0.62  # of a box, in units of the drawing
_COLUMN, _ROW = 2.45, 1.3  # from one box to the next

Point = tuple[float, float]


def draw_graph(program: str, step: int = 0, *, title: str = "") -> Figure:
    """The graph of a program with its values, and the adjoints after some steps back.

    Parameters
    ----------
    program : str
        As :func:`trace` reads it.
    step : int
        How many steps of :func:`walk_back` have been made, from 0 (values only).
    title : str
        What the figure says, as a sentence.

    Returns
    -------
    Figure
        Blue boxes hold values, the numbers in vermilion under them are adjoints. The vertex whose
        turn it is, and what it sends, stand out. A vertex that does not lead to the root is dashed.

    Raises
    ------
    ValueError
        If the program cannot be read, or has fewer steps.

    Examples
    --------
    >>> figure = draw_graph("x = 2; x * x", step=2)
    >>> sorted(filter(None, (text.get_text() for text in figure.axes[0].texts)))
    ['+2', '+2', '2', '4', 'adjoint 1', 'adjoint 4', 'x', '×']

    Lesson 04, "Step through it".
    """
    graph = trace(program)
    steps = walk_back(graph)
    if not 0 <= step < len(steps):
        raise ValueError(f"draw_graph: step is {step}, expected 0 to {len(steps) - 1}")
    return _draw(graph, steps, step, title)


def _draw(graph: Sequence[Vertex], steps: Sequence[Step], number: int, title: str = "") -> Figure:
    places, ways = _layout(graph)
    step = steps[number]
    leads = [adjoint is not None for adjoint in steps[-1].adjoints]
    xs, ys = zip(*places, *(point for way in ways.values() for point in way), strict=True)
    left, right = min(xs) - _WIDTH, max(xs) + _WIDTH
    low, high = min(ys) - 0.95, max(ys) + 0.65
    scale = min(0.62, 9.6 / (right - left))
    figure = Figure(
        figsize=(max((right - left) * scale, 4.5), (high - low) * scale + 0.35 * bool(title)),
        layout="constrained",
    )
    axes = figure.add_subplot()
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    axes.set_axis_off()
    font = max(16.0 * scale, 6.0)
    for (turn, k), way in ways.items():
        active = turn == step.turn and step.messages[k] is not None
        _draw_edge(axes, way, active)
        message = step.messages[k] if active else None
        if message is not None:
            (x, y), (x2, y2) = way[:2]
            axes.text(
                *((x + x2) / 2, (y + y2) / 2),
                f"{message:+.3g}",
                color=COLORS["vermilion"],
                fontsize=font,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
                zorder=4,
            )
    for k, (vertex, (x, y)) in enumerate(zip(graph, places, strict=True)):
        _draw_vertex(axes, vertex, (x, y), font, leads=leads[k], active=k == step.turn)
        adjoint = step.adjoints[k]
        if adjoint is not None:
            axes.text(
                *(x, y - _HEIGHT / 2 - 0.08),
                f"adjoint {adjoint:.3g}",
                color=COLORS["vermilion"],
                fontsize=font,
                ha="center",
                va="top",
            )
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    return figure


def _draw_vertex(
    axes: Axes, vertex: Vertex, place: Point, font: float, *, leads: bool, active: bool
) -> None:
    x, y = place
    edge = COLORS["vermilion"] if active else COLORS["blue"] if leads else COLORS["grey"]
    axes.add_patch(
        FancyBboxPatch(
            (x - _WIDTH / 2, y - _HEIGHT / 2),
            _WIDTH,
            _HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.15",
            facecolor="#EAF3F9" if leads else "#F2F2F2",
            edgecolor=edge,
            linewidth=2.2 if active else 1.2,
            linestyle="-" if leads or not vertex.flows else "--",
            zorder=2,
        )
    )
    if vertex.label == f"{vertex.value:.4g}":  # a constant is its own label
        axes.text(x, y, vertex.label, fontsize=font, ha="center", va="center", zorder=3)
        return
    axes.text(*(x, y + 0.14), vertex.label, fontsize=font, ha="center", va="center", zorder=3)
    axes.text(
        *(x, y - 0.14),
        f"{vertex.value:.4g}",
        fontsize=font,
        color=COLORS["blue"],
        ha="center",
        va="center",
        zorder=3,
    )


def _draw_edge(axes: Axes, way: Sequence[Point], active: bool) -> None:
    """A smooth line through the points of a way, level at each of them."""
    points, codes = [way[0]], [Path.MOVETO]
    for (x, y), (x2, y2) in pairwise(way):
        middle = (x + x2) / 2
        points += [(middle, y), (middle, y2), (x2, y2)]
        codes += [Path.CURVE4] * 3
    color = COLORS["vermilion"] if active else "#AAAAAA"
    width = 2.0 if active else 1.2
    axes.add_patch(
        PathPatch(Path(points, codes), facecolor="none", edgecolor=color, lw=width, zorder=1)
    )
    # Values flow forward, to the right; what the vertex in turn sends flows to the left.
    tip, way_in = (way[0], 0.2) if active else (way[-1], -0.2)
    axes.annotate(
        "",
        xy=tip,
        xytext=(tip[0] + way_in, tip[1]),
        arrowprops={"arrowstyle": "-|>", "color": color, "lw": width, "shrinkA": 0, "shrinkB": 0},
    )


def _columns(graph: Sequence[Vertex]) -> list[int]:
    """How far from the inputs each vertex stands; inputs stand just before their first use."""
    column = [0] * len(graph)
    for k, vertex in enumerate(graph):
        if vertex.inputs:
            column[k] = 1 + max(column[i] for i in vertex.inputs)
    for k in range(len(graph)):
        uses = [column[j] for j, vertex in enumerate(graph) if k in vertex.inputs]
        if not graph[k].inputs and uses:
            column[k] = min(uses) - 1
    return column


def _layout(
    graph: Sequence[Vertex],
) -> tuple[list[Point], dict[tuple[int, int], list[Point]]]:
    """Where each vertex stands, and the points that each edge (vertex, input number) goes through.

    Columns are distances from the inputs; an edge that skips columns gets a place of its own in
    each of them, and within a column things stand in the order of what they are joined to.
    """
    column = _columns(graph)
    # Things in columns: a vertex is (k,), a place on the way of an edge is (k, input, column).
    columns: list[list[tuple[int, ...]]] = [[] for _ in range(max(column) + 1)]
    joined: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    chains: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    for k in range(len(graph)):
        columns[column[k]].append((k,))
        joined[(k,)] = []
    for k, vertex in enumerate(graph):
        for n, i in enumerate(vertex.inputs):
            between = [(k, n, c) for c in range(column[i] + 1, column[k])]
            for thing in between:
                columns[thing[2]].append(thing)
                joined[thing] = []
            chain = [(i,), *between, (k,)]
            chains[k, n] = chain
            for a, b in pairwise(chain):
                joined[a].append(b)
                joined[b].append(a)

    height: dict[tuple[int, ...], float] = {}
    for things in columns:
        _spread(things, height)
    for things in 2 * [*columns, *reversed(columns)]:
        # The mean height of what a thing is joined to, downwards: the highest comes first.
        depth = {t: -float(np.mean([height[u] for u in joined[t]] or [height[t]])) for t in things}
        things.sort(key=depth.__getitem__)
        _spread(things, height)

    places = [(column[k] * _COLUMN, height[(k,)] * _ROW) for k in range(len(graph))]
    ways = {}
    for (k, n), chain in chains.items():
        same = [m for m, i in enumerate(graph[k].inputs) if i == graph[k].inputs[n]]
        shift = 0.3 * (len(same) - 1) * (0.5 - same.index(n))  # x * x: two edges side by side
        side = 0.26 * (len(graph[k].inputs) > 1) * (0.5 - n) if len(same) == 1 else shift
        (x, y), (x2, y2) = places[chain[0][0]], places[k]
        inner = [(c * _COLUMN, height[k2, n2, c] * _ROW) for k2, n2, c in chain[1:-1]]
        ways[k, n] = [(x + _WIDTH / 2, y + shift), *inner, (x2 - _WIDTH / 2, y2 + side)]
    return places, ways


def _spread(things: Sequence[tuple[int, ...]], height: dict[tuple[int, ...], float]) -> None:
    """Give the things of a column heights one apart, centred, the first one highest."""
    for n, thing in enumerate(things):
        height[thing] = (len(things) - 1) / 2 - n


# -- the widget ------------------------------------------------------------------------------------


class GraphExplorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Choose or type a formula, see its graph, and move a slider through the backward pass.

    Parameters
    ----------
    program : str
        What to start with, as :func:`trace` reads it.
    step : int
        How many steps back to show at first.

    Examples
    --------
    >>> GraphExplorer("x = 2; x * x")
    A formula, its graph and a slider through the backward pass: run this cell in JupyterLab.

    Lesson 04, "Step through it".
    """

    def __init__(self, program: str = EXAMPLES["a product and a sine"], step: int = 2) -> None:
        self._start = program, step
        wide = widgets.Layout(width="100%", max_width="46em")
        label = {"description_width": "5em"}
        self._example = widgets.Dropdown(
            options=[*EXAMPLES.items(), ("your own", "")],
            description="example",
            style=label,
            layout=widgets.Layout(width="24em"),
        )
        self._reset = widgets.Button(description="Reset", icon="undo")
        self._text = widgets.Text(
            description="formula", style=label, layout=wide, continuous_update=False
        )
        self._slider = widgets.IntSlider(description="step", min=0, max=1, style=label, layout=wide)
        # What happens is told in words as well, for a reader who does not see the figure.
        self._words = widgets.HTML()
        self._image = widgets.Image(format="png")
        super().__init__(
            [
                widgets.HBox([self._example, self._reset]),
                *(self._text, self._slider, self._words, self._image),
            ]
        )
        self._example.observe(self._choose, "value")
        self._text.observe(lambda _: self._read(), "value")
        self._slider.observe(lambda _: self._show(), "value")
        self._reset.on_click(lambda _: self._restart())
        self._graph: list[Vertex] = []
        self._restart()

    def __repr__(self) -> str:
        """What stands in for the widget on a page that does not run."""
        return (
            "A formula, its graph and a slider through the backward pass: "
            "run this cell in JupyterLab."
        )

    def _restart(self) -> None:
        program, step = self._start
        self._text.value = program
        self._slider.value = min(step, self._slider.max)

    def _choose(self, change: dict[str, str]) -> None:
        if change["new"]:
            self._text.value = change["new"]

    def _read(self) -> None:
        """Take over what was typed, or say what is wrong with it."""
        program = self._text.value
        self._example.value = program if program in EXAMPLES.values() else ""
        try:
            self._graph = trace(program)
        except ValueError as error:
            self._graph = []
            self._slider.disabled = True
            self._words.value = f"<b>Not yet:</b> {escape(str(error))}"
            self._image.value = b""
            return
        self._steps = walk_back(self._graph)
        self._slider.disabled = False
        self._slider.max = len(self._steps) - 1
        self._slider.value = 0
        self._show()

    def _show(self) -> None:
        if not self._graph:
            return
        number = self._slider.value
        figure = _draw(self._graph, self._steps, number)
        words = narrate(self._graph, self._steps, number)
        data, _ = picture(figure, words)
        self._image.value = data["image/png"]
        self._image.width = round(96 * figure.get_size_inches()[0])
        self._words.value = escape(words)
