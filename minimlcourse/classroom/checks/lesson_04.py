"""The exercises of lesson 04: rules, walks, and the derivatives that check them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse.autodiff import vjp
from minimlcourse.classroom.checks.exercise import Case, Exercise, Function, Mistake, Task, Wrong
from minimlcourse.classroom.checks.formula import Formula, derivative

Array = NDArray[np.float64]
Graph = list[tuple[int, ...]]


# -- 04.1 -----------------------------------------------------------------------------------------


POLYNOMIAL = Formula(
    identifier="04.1",
    title="A diamond by hand",
    points=1,
    variables={"x": (1.0, 2.0, -2.0, 0.0)},
    expected=derivative("(x*x*x*x + x) * x*x", "x"),
    known=(
        Mistake(
            "one path of two",
            "One path is missing: `u` is used both in `v` and in the last product, and each use "
            "sends something back to it.",
            "x * x * (4*x*x*x + 1)",
        ),
        Mistake(
            "`v` sends nothing to `u`",
            "One path is missing: `u` is used both in `v` and in the last product, and each use "
            "sends something back to it.",
            "x*x + 2*x * (x*x*x*x + x)",
        ),
        Mistake(
            "`v` sends nothing to `x`",
            "One path is missing: `x` is used in `u`, and in `v` once more.",
            "2*x * (3*x*x*x*x + x)",
        ),
        Mistake(
            "square counted once",
            "In `u = x * x` both factors are `x`: each of them receives an adjoint.",
            "x*x + 3*x*x*x*x*x + x*x",
        ),
        Mistake(
            "square of u counted once",
            "In `u * u` both factors are `u`: each of them receives an adjoint.",
            "x*x + 2*x * (x*x*x*x + x + x*x*x*x)",
        ),
    ),
    functions=(),
    verified="is the derivative, to twenty-five digits at twelve places",
)


# -- 04.2 and 04.3 --------------------------------------------------------------------------------


def _product_cases(rng: np.random.Generator) -> Iterator[Case]:
    g = np.array([[1.0, 0.0], [2.0, 1.0], [0.0, 3.0]])
    yield Case((g, np.array([[1.0, 2.0], [0.0, 1.0], [4.0, 1.0]]), 2.0 * np.ones((3, 2))))
    shapes = [
        ((2, 3), (2, 3), ""),
        ((2, 3), (3,), "where a row is repeated"),
        ((2, 3), (2, 1), "where a column is repeated"),
        ((3,), (2, 3), "where a row is repeated"),
        ((2, 1), (1, 3), "where both operands are repeated"),
        ((2, 3, 4), (3, 1), "where an axis is added in front"),
        ((), (3,), "where an operand is a single number"),
    ]
    for left, right, special in shapes:
        x, y = rng.normal(size=left).round(2), rng.normal(size=right).round(2)
        yield Case((rng.normal(size=np.shape(x * y)).round(2), x, y), special)


def _product_adjoints(g: Array, x: Array, y: Array) -> tuple[Array, Array]:
    _, pull = vjp(lambda x, y: x * y, np.asarray(x), np.asarray(y))
    return tuple(pull(g))


def _sum_to(g: Array, shape: tuple[int, ...]) -> Array:
    """Sum over the copies of an operand of this shape."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return np.asarray(g.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True))


def _mean_to(g: Array, shape: tuple[int, ...]) -> Array:
    copies = _sum_to(np.ones(g.shape), shape)
    return np.asarray(_sum_to(g, shape) / copies)


PRODUCT_RULE = Function(
    identifier="04.2",
    title="The rule of a product, broadcast",
    points=3,
    parameters=("g", "x", "y"),
    cases=_product_cases,
    expected=_product_adjoints,
    known=(
        Mistake(
            "factors exchanged",
            "The two adjoints are exchanged: what multiplies `g` on its way to `x`?",
            lambda g, x, y: (_sum_to(g * x, np.shape(x)), _sum_to(g * y, np.shape(y))),
        ),
        Mistake(
            "factor forgotten",
            "The shapes are right, a factor is missing: by how much does `z` move when an entry of "
            "`x` moves by a little?",
            lambda g, x, y: (_sum_to(g, np.shape(x)), _sum_to(g, np.shape(y))),
        ),
        Mistake(
            "mean over the copies",
            "What arrives at the copies of an operand is averaged here. Each copy has had its own "
            "influence on `z`.",
            lambda g, x, y: (_mean_to(g * y, np.shape(x)), _mean_to(g * x, np.shape(y))),
        ),
    ),
    verified="returns what the engine does, in shape and value, for eight pairs of operands",
)


def _matmul_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.eye(2), np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[4.0, 0.0], [1.0, 5.0]])))
    for n, d, k in ((3, 3, 3), (2, 3, 4), (1, 3, 2), (5, 2, 2)):
        A, B = rng.normal(size=(n, d)).round(2), rng.normal(size=(d, k)).round(2)
        yield Case((rng.normal(size=(n, k)).round(2), A, B))


def _matmul_adjoints(g: Array, A: Array, B: Array) -> tuple[Array, Array]:
    _, pull = vjp(lambda A, B: A @ B, A, B)
    return tuple(pull(g))


MATMUL_RULE = Function(
    identifier="04.3",
    title="The rule of a matrix product",
    points=2,
    parameters=("g", "A", "B"),
    cases=_matmul_cases,
    expected=_matmul_adjoints,
    known=(
        Mistake(
            "a transpose missing",
            "The sides are right, a transpose is missing. Write the shapes under each factor.",
            lambda g, A, B: (g @ B, A @ g),
        ),
        Mistake(
            "sides exchanged",
            "The factors stand on the wrong sides: the order of a product of matrices matters. "
            "Which side of `A` does `B` stand on in the product?",
            lambda g, A, B: (B.T @ g, g @ A.T),
        ),
        Mistake(
            "results exchanged",
            "These are the two adjoints in the other order.",
            lambda g, A, B: (A.T @ g, g @ B.T),
        ),
    ),
    verified="pulls back as the engine does, for five triples of shapes",
)


# -- 04.4 and 04.5 --------------------------------------------------------------------------------

DIAMOND: Graph = [(), (0, 0), (1, 0), (1, 0), (2, 3)]
BESIDE: Graph = [(), (), (0, 1), (0,), (2, 0)]
CROSSED: Graph = [(), (0,), (0,), (1, 2), (3, 1), (4, 2)]


def _random_graph(rng: np.random.Generator) -> Graph:
    """Nodes with up to two inputs among their elders, some used often and some never."""
    graph: Graph = [(), ()]
    for node in range(2, int(rng.integers(6, 12))):
        graph.append(tuple(rng.integers(0, node, int(rng.integers(1, 3))).tolist()))
    return graph


def _shuffled(graph: Graph, rng: np.random.Generator) -> tuple[Graph, int]:
    """The same graph with other numbers, so that a number says nothing about age; and its root."""
    new = rng.permutation(len(graph)).tolist()
    named: Graph = [()] * len(graph)
    for node, inputs in enumerate(graph):
        named[new[node]] = tuple(new[i] for i in inputs)
    return named, new[-1]


def _leading_to(graph: Graph, root: int) -> set[int]:
    found, waiting = {root}, [root]
    while waiting:
        for i in graph[waiting.pop()]:
            if i not in found:
                found.add(i)
                waiting.append(i)
    return found


def _examine_order(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    graphs = [(graph, len(graph) - 1) for graph in (DIAMOND, BESIDE, CROSSED)]
    graphs += [_shuffled(_random_graph(rng), rng) for _ in range(30)]
    for graph, root in graphs:
        order = answer(graph, root)
        _examine_one_order(graph, root, order)
    chain: Graph = [()] + [(i,) for i in range(20_000)]
    order = answer(chain, 20_000)
    if not isinstance(order, (list, tuple)) or list(order) != list(range(20_000, -1, -1)):
        raise Wrong(
            "In a chain of 20,001 nodes, each the input of the next, there is one order, from the "
            "last to the first; yours is another."
        )


def _examine_one_order(graph: Graph, root: int, order: Any) -> None:
    given = f"It was given inputs = {graph}, root = {root}"
    if not isinstance(order, (list, tuple)):
        kind = "None (is there a `return`?)" if order is None else f"a {type(order).__name__}"
        raise Wrong(f"A list of nodes is asked for, this is {kind}. {given}.")
    told = f"{given} and returned {list(order)}."
    if not all(isinstance(node, (int, np.integer)) for node in order):
        raise Wrong(f"A node is a whole number; these are not the numbers of nodes. {told}")
    if len(set(order)) < len(order):
        raise Wrong(f"A node has its turn more than once. {told}", "visited twice")
    needed = _leading_to(graph, root)
    if extra := [node for node in order if node not in needed]:
        raise Wrong(f"Node {extra[0]} does not lead to the root. {told}", "nodes beside")
    if missing := sorted(needed - set(order)):
        words = f"Node {missing[0]} leads to the root and is missing"
        beside = [v for v, inputs in enumerate(graph) if missing[0] in inputs and v not in needed]
        if beside:
            raise Wrong(
                f"{words}. Does it wait for node {beside[0]}, which uses it but does not lead to "
                f"the root and has no turn? {told}",
                "waits for nodes beside",
            )
        raise Wrong(f"{words}. {told}")
    if not (early := _too_early(graph, order)):
        return
    if graph is DIAMOND and not _too_early(graph, order[::-1]):  # whoever turns it fails there
        raise Wrong(f"Inputs come first here: turn it round. {told}", "forward order")
    i, node = early
    raise Wrong(
        f"Node {i} has its turn before node {node}, which takes it as an input: when {i} sends, "
        f"its sum is not complete. {told}",
        "not topological",
    )


def _too_early(graph: Graph, order: Sequence[int]) -> tuple[int, int] | None:
    """A node that has its turn before one that takes it as an input, and that one."""
    turn = {node: place for place, node in enumerate(order)}
    late = ((i, node) for node in order for i in graph[node] if turn[i] < turn[node])
    return next(late, None)


ORDER = Task(
    identifier="04.4",
    title="An order for the walk",
    points=3,
    examination=_examine_order,
    named=(
        "visited twice",
        "nodes beside",
        "waits for nodes beside",
        "forward order",
        "not topological",
    ),
    verified="is a reverse topological order of 33 graphs, and of a chain of 20,001 nodes",
)


def _walk_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case(([(), (), (0, 1)], [(), (), (3.0, 2.0)]))
    yield Case((DIAMOND, [(), (2.0, 2.0), (1.0, 1.0), (2.0, 4.0), (8.0, 6.0)]))
    yield Case((BESIDE, [(), (), (1.0, 5.0), (7.0,), (2.0, 3.0)]), "where a node leads nowhere")
    for _ in range(6):
        graph = _random_graph(rng)
        yield Case((graph, [tuple(rng.normal(size=len(inputs)).tolist()) for inputs in graph]))


def _adjoints(inputs: Graph, slopes: list[tuple[float, ...]]) -> list[float]:
    """A sum over all paths from the root: the definition, without any walk."""

    def paths(node: int, target: int) -> float:
        arrows = zip(inputs[node], slopes[node], strict=True)
        return float(node == target) + sum(slope * paths(i, target) for i, slope in arrows)

    root = len(inputs) - 1
    return [paths(root, target) for target in range(len(inputs))]


def _walk(
    inputs: Graph, slopes: list[tuple[float, ...]], send: Callable[[float, float, float], float]
) -> list[float]:
    """A walk back whose nodes update what they send to in some way of their own."""
    adjoints = [0.0] * len(inputs)
    adjoints[-1] = 1.0
    for node in reversed(range(len(inputs))):
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            adjoints[i] = send(adjoints[i], adjoints[node], slope)
    return adjoints


def _forward_walk(inputs: Graph, slopes: list[tuple[float, ...]]) -> list[float]:
    adjoints = [0.0] * len(inputs)
    adjoints[-1] = 1.0
    for node in range(len(inputs)):
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            adjoints[i] += adjoints[node] * slope
    return adjoints


_PATHS = Function(
    identifier="04.5",
    title="The walk back",
    points=3,
    parameters=("inputs", "slopes"),
    cases=_walk_cases,
    expected=_adjoints,
    known=(
        Mistake(
            "overwritten",
            "A node that is used twice keeps only what came last: messages must be added up.",
            lambda inputs, slopes: _walk(inputs, slopes, lambda old, g, slope: g * slope),
        ),
        Mistake(
            "slopes without the adjoint",
            "Each node sends its slope alone. What has arrived at the node itself must be a factor "
            "of what it sends.",
            lambda inputs, slopes: _walk(inputs, slopes, lambda old, g, slope: old + slope),
        ),
        Mistake(
            "from the first node on",
            "This walks from the inputs to the root: when a node sends, nothing has arrived yet.",
            _forward_walk,
        ),
    ),
    verified="adds up the products of slopes along every path, in nine graphs",
)


def _examine_walk(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    _PATHS.examine(answer, rng)
    n = 3000
    chain: Graph = [()] + [(v,) for v in range(n)]
    found = answer(chain, [()] + [(1.001,)] * n)
    if len(found) != n + 1 or not np.isclose(found[0], 1.001**n):
        raise Wrong(f"Right for small graphs, but not for a chain of {n + 1} nodes.")


WALK = Task(
    identifier="04.5",
    title=_PATHS.title,
    points=_PATHS.points,
    examination=_examine_walk,
    named=_PATHS.mistakes,
    verified="adds up the products of slopes along every path, in nine graphs and a long chain",
)


# -- 04.6 -----------------------------------------------------------------------------------------


def _softmax_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([1.0, 0.0, 0.0]), np.array([0.5, 0.25, 0.25])))
    for m in (2, 3, 5, 8):
        yield Case((rng.normal(size=m), F.softmax(rng.normal(size=m))))


def _softmax_adjoint(g: Array, s: Array) -> Array:
    logits = np.log(s)
    _, pull = vjp(F.softmax, logits)
    return np.asarray(pull(g))


SOFTMAX_RULE = Function(
    identifier="04.6",
    title="Softmax, pulled back",
    points=2,
    parameters=("g", "s"),
    cases=_softmax_cases,
    expected=_softmax_adjoint,
    known=(
        Mistake(
            "diagonal only",
            "This is right if each output depended on its own logit alone. But every output "
            "depends on all logits, through the sum below the fraction line.",
            lambda g, s: g * s * (1 - s),
        ),
        Mistake(
            "derivative of the sum lost",
            "The numerator's part is there; the denominator moves, too.",
            lambda g, s: g * s,
        ),
    ),
    verified="pulls back as the engine does, for two to eight classes",
)


# -- 04.7 and 04.8 --------------------------------------------------------------------------------

SMOOTH: tuple[Callable[[Any], Any], ...] = (ad.sum, F.logsumexp, ad.prod, ad.var, ad.mean)


def _numeric_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((ad.prod, np.array([2.0, 3.0]), 1e-5))
    for f in SMOOTH:
        yield Case((f, rng.normal(size=4), 1e-5))
    yield Case((F.logsumexp, np.array([0.5, -1.0]), 0.5), "for a large step")
    yield Case((ad.var, rng.normal(size=(2, 3)), 1e-5), "where x is a matrix")


def _central(f: Callable[..., Any], x: Array, h: float) -> Array:
    out = np.empty(x.shape)
    for index in product(*map(range, x.shape)):
        step = np.zeros(x.shape)
        step[index] = h
        out[index] = (f(x + step) - f(x - step)) / (2 * h)
    return out


def _one_sided(f: Callable[..., Any], x: Array, h: float) -> Array:
    out = np.empty(x.shape)
    for index in product(*map(range, x.shape)):
        step = np.zeros(x.shape)
        step[index] = h
        out[index] = (f(x + step) - f(x)) / h
    return out


def _backward(f: Callable[..., Any], x: Array, h: float) -> Array:
    return _one_sided(f, x, -h)


def _all_at_once(f: Callable[..., Any], x: Array, h: float) -> Array:
    return np.full(x.shape, (f(x + h) - f(x - h)) / (2 * h))


NUMERICAL_GRADIENT = Function(
    identifier="04.7",
    title="A gradient without derivatives",
    points=2,
    parameters=("f", "x", "h"),
    cases=_numeric_cases,
    expected=_central,
    rtol=1e-7,
    known=(
        Mistake(
            "one-sided",
            "This is a difference on one side; its error is of the order of h, that of the central "
            "one of h².",
            _one_sided,
        ),
        Mistake(
            "one-sided, to the left",
            "This is a difference on one side; its error is of the order of h, that of the central "
            "one of h².",
            _backward,
        ),
        Mistake(
            "a step of one's own",
            "Right for the derivative, but not for the step asked for: with a large `h` the "
            "difference quotient and the derivative are not the same number.",
            lambda f, x, h: _central(f, x, 1e-5),
        ),
        Mistake(
            "all entries at once",
            "All entries move at once here: that is the derivative along (1, ..., 1). Each partial "
            "derivative moves one entry alone.",
            _all_at_once,
        ),
        Mistake(
            "divided by h",
            "The two points are 2h apart.",
            lambda f, x, h: 2 * _central(f, x, h),
        ),
    ),
    verified="is the central difference, entry by entry, of five functions",
)


def _examine_dual(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    for a, b in _dual_pairs(rng):
        told = f"It was given a = {_pair(a)}, b = {_pair(b)}"
        value = answer(a, b)
        if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != 2:
            raise Wrong(f"A pair, value and derivative, is asked for. {told}.")
        if not all(isinstance(part, (int, float, np.number)) for part in value):
            raise Wrong(f"A pair of two numbers is asked for. {told}.")
        told += f" and returned {_pair(value)}."
        quotient, slope = map(float, value)
        if not np.isclose(quotient, a[0] / b[0]):
            raise Wrong(f"The value, the first of the two, is not a / b. {told}")
        h = 1e-6
        ahead = (a[0] + h * a[1]) / (b[0] + h * b[1])
        behind = (a[0] - h * a[1]) / (b[0] - h * b[1])
        right = (ahead - behind) / (2 * h)
        if np.isclose(slope, right, rtol=1e-5, atol=1e-7):
            continue
        if b[1] and np.isclose(slope, a[1] / b[1]):
            raise Wrong(
                "The derivative of a quotient is not the quotient of the derivatives. " + told,
                "quotient of derivatives",
            )
        if np.isclose(slope, a[1] / b[0]):
            raise Wrong(f"The derivative is right where b stands still. {told}", "b stands still")
        if np.isclose(slope, (a[1] * b[0] + a[0] * b[1]) / b[0] ** 2):
            raise Wrong(f"A sign: what happens to a / b when b grows? {told}", "plus for minus")
        if np.isclose(slope, -right, rtol=1e-5):
            raise Wrong(f"The derivative has the wrong sign. {told}", "sign")
        if any(np.isclose(slope, right * factor, rtol=1e-5) for factor in (b[0], b[0] ** 2)):
            raise Wrong(
                f"The numerator of the derivative is right, what it is divided by is not. {told}",
                "denominator",
            )
        raise Wrong(f"The derivative, the second of the two, is not right. {told}")


def _dual_pairs(
    rng: np.random.Generator,
) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    yield (2.0, 1.0), (5.0, 3.0)
    yield (2.0, 1.0), (4.0, 0.0)
    for _ in range(8):
        value, *slopes = rng.normal(size=3).tolist()
        yield (value, slopes[0]), (float(rng.choice([-1, 1]) * rng.uniform(0.5, 3)), slopes[1])


def _pair(pair: Any) -> str:
    return f"({float(pair[0]):.4g}, {float(pair[1]):.4g})"


DUAL_QUOTIENT = Task(
    identifier="04.8",
    title="A quotient of dual numbers",
    points=1,
    examination=_examine_dual,
    named=("quotient of derivatives", "b stands still", "plus for minus", "sign", "denominator"),
    verified="agrees with a difference quotient along ten directions",
)


EXERCISES: tuple[Exercise, ...] = (
    POLYNOMIAL,
    PRODUCT_RULE,
    MATMUL_RULE,
    ORDER,
    WALK,
    SOFTMAX_RULE,
    NUMERICAL_GRADIENT,
    DUAL_QUOTIENT,
)
