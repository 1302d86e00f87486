"""Lesson 04: its engines are the ones that its page defines, its claims hold, its widget works."""

import itertools
import math
from collections import defaultdict
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("ipywidgets")

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import Tensor
from minimlcourse.autodiff import GradientError, Primitive, grad, gradcheck, gradgradcheck
from minimlcourse.autodiff.graph import reachable
from minimlcourse.classroom import use_style
from minimlcourse.classroom.graph_explorer import (
    EXAMPLES,
    MAX_COLUMNS,
    GraphExplorer,
    draw_graph,
    narrate,
    trace,
    walk_back,
)

LESSON = Path(__file__).parents[1] / "notebooks" / "04_automatic_differentiation.ipynb"


def defined_in(*cells):
    """What cells of the lesson define, by the identifiers of the cells."""
    names = {"np": np, "math": math, "ad": ad, "F": F, "defaultdict": defaultdict}
    names |= {"Primitive": Primitive, "gradcheck": gradcheck, "print": lambda *_: None}
    names["rng"] = np.random.default_rng(0)
    sources = {cell.id: cell.source for cell in nbformat.read(LESSON, as_version=4).cells}
    for cell in cells:
        exec(sources[cell], names)
    return names


@pytest.fixture(scope="module")
def mini():
    return defined_in("mini-tensor", "mini-walk")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def slope(f, x, h=1e-6):
    return (f(x + h) - f(x - h)) / (2 * h)


# ---- graph, adjoints, chain rule


def evaluate(program, **nudges):
    """The root of a program, by plain Python, each named value nudged by so much."""
    scope = {"exp": math.exp, "sin": math.sin, "tanh": math.tanh, "log": math.log}
    scope["sigmoid"] = lambda t: 1 / (1 + math.exp(-t))
    value = None
    for line in program.split(";"):
        name, _, formula = line.strip().rpartition(" = ")
        value = eval(formula, {"__builtins__": {}}, scope) + nudges.get(name, 0.0)
        scope[name] = value
    return value


@pytest.mark.claim("C3", "C4", "C5")
@pytest.mark.parametrize("program", EXAMPLES.values(), ids=EXAMPLES)
def test_an_adjoint_says_how_a_nudge_of_that_value_alone_moves_the_root(program):
    graph = trace(program)
    assert all(i < k for k, vertex in enumerate(graph) for i in vertex.inputs)  # no cycle
    final = walk_back(graph)[-1].adjoints
    assert graph[-1].value == pytest.approx(evaluate(program), rel=1e-14)
    named = [(vertex.name, adjoint) for vertex, adjoint in zip(graph, final, strict=True)]
    for name, adjoint in named:
        if name:
            truth = slope(lambda t, name=name: evaluate(program, **{name: t}), 0.0)
            assert (adjoint or 0.0) == pytest.approx(truth, rel=1e-6, abs=1e-8)


@pytest.mark.claim("E1")
def test_the_chain_rule_multiplies_with_local_derivatives():
    v = 2.0
    w = v * v
    truth = grad(lambda v: v * (v * v))(v)
    assert v * (2 * v) + w == truth == 12.0
    assert v * (2 * v) + 3 * v * v == 20.0
    A, u = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([1.0, -1.0])
    gradient = grad(lambda x: (u * (A @ x)).sum())(np.ones(2))
    np.testing.assert_array_equal(gradient, A.T @ u)
    assert not np.allclose(gradient, A @ u)


# ---- the order


def walk(graph, order):
    """Adjoints when vertices have their turn in this order."""
    adjoints = [0.0] * len(graph)
    adjoints[-1] = 1.0
    for k in order:
        values = [np.float64(graph[i].value) for i in graph[k].inputs]
        out = np.float64(graph[k].value)
        for i, rule in zip(graph[k].inputs, graph[k].primitive.rules, strict=True):
            adjoints[i] += float(rule(np.float64(adjoints[k]), out, *values))
    return adjoints


@pytest.mark.claim("C6", "C7")
@pytest.mark.parametrize(
    "program",
    [
        "a = 3; b = a + a; c = b + b",
        "x = 2; u = x * x; v = u + x; w = u * x; v * w",
        "x = 0.7; u = sin(x); v = u * x; w = exp(v) + u; w * v",
    ],
)
def test_the_right_orders_are_the_reverse_topological_ones(program):
    """With the hypothesis every order is right; without it, on these graphs, every one is wrong."""
    graph = trace(program)
    operations = [k for k, vertex in enumerate(graph) if vertex.primitive is not None]
    truth = slope(lambda t: evaluate(program, **{graph[0].name: t}), 0.0)
    for order in itertools.permutations(operations):
        is_reverse_topological = all(
            order.index(k) < order.index(i)
            for k in operations
            for i in graph[k].inputs
            if i in operations
        )
        is_right = walk(graph, order)[0] == pytest.approx(truth, rel=1e-6)
        assert is_right == is_reverse_topological


@pytest.mark.claim("E2")
def test_only_what_leads_to_the_root_has_a_turn():
    graph = trace("x = 3; beside = x * x; 2 * x")
    steps = walk_back(graph)
    beside = next(k for k, vertex in enumerate(graph) if vertex.name == "beside")
    assert all(step.turn != beside for step in steps)
    assert steps[-1].adjoints[beside] is None
    assert steps[-1].adjoints[0] == 2.0


# ---- Algorithm 1, as the lesson writes it, and what it leaves out


@pytest.fixture(scope="module")
def stored():
    return defined_in("stored-tensor", "stored-search")["Stored"]


@pytest.mark.claim("C8", "C21", "C23")
def test_algorithm_1_is_right_on_a_graph_walked_once(stored):
    x, y = stored(3.0), stored(5.0)
    (x * y * x * (y * y)).backward()  # x² y³
    assert (x.grad, y.grad) == (2 * 3.0 * 125.0, 9.0 * 75.0)


@pytest.mark.claim("E3")
def test_algorithm_1_counts_stale_adjoints_again(stored):
    x = stored(3.0)
    cube = x * x * x
    cube.backward()
    cube.backward()
    assert x.grad == 72.0
    t = Tensor(3.0)
    cube = t * t * t
    for calls in (1, 2, 3):
        cube.backward()
        assert t.grad == 27.0 * calls


@pytest.mark.claim("E4")
def test_algorithm_1_cannot_go_deep(stored, mini):
    deep, one = stored(1.0), stored(1.0)
    for _ in range(20_000):
        deep = deep * one
    with pytest.raises(RecursionError):
        deep.backward()
    for kind, gradient_of in [
        (mini["MiniTensor"], lambda root, leaf: mini["adjoints_of"](root)[leaf]),
        (Tensor, lambda root, leaf: (root.backward(), leaf.grad)[1]),
    ]:
        deep, one = kind(1.0), kind(1.0)
        for _ in range(20_000):
            deep = deep * one
        assert gradient_of(deep, one) == 20_000.0


@pytest.mark.claim("E5")
def test_a_rule_attached_inside_itself_is_never_attached(stored):
    a, b = stored(3.0), stored(5.0)
    out = stored(15.0, (a, b))

    def send():
        a.grad += 5.0 * out.grad
        b.grad += 3.0 * out.grad
        out.send = send

    out.backward()
    assert (a.grad, b.grad) == (0.0, 0.0)
    out.send = send
    out.backward()
    assert (a.grad, b.grad) == (5.0, 3.0)


# ---- the lesson's forty lines


def test_forty_lines():
    cells = {cell.id: cell.source for cell in nbformat.read(LESSON, as_version=4).cells}
    lines = (cells["mini-tensor"] + "\n" + cells["mini-walk"]).split("\n")
    assert 36 <= sum(bool(line.strip()) for line in lines) <= 45


@pytest.mark.claim("C22")
@given(
    n=st.integers(1, 4),
    bias=st.sampled_from([(), (1,), (3,), (1, 3), (1, 1)]),
    seed=st.integers(0, 50),
)
def test_the_forty_lines_agree_with_the_package(n, bias, seed):
    names = defined_in("mini-tensor", "mini-walk")
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=shape) for shape in ((n, 2), (2, 3), bias, (n, 1))]
    found = []
    for kind in (names["MiniTensor"], Tensor):
        X, W, b, c = (kind(array) for array in arrays)
        hidden = (X @ W + b).tanh() * c
        root = (hidden * hidden + hidden * b).mean()
        if kind is Tensor:
            root.backward()
            found.append([t.grad for t in (X, W, b, c)])
        else:
            adjoints = names["adjoints_of"](root)
            found.append([adjoints[t] for t in (X, W, b, c)])
    for ours, theirs in zip(*found, strict=True):
        assert np.shape(ours) == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.claim("C11", "E6")
def test_products_of_matrices_and_of_others(rng):
    textbook = Primitive(
        "textbook", np.matmul, lambda g, out, a, b: g @ b.T, lambda g, out, a, b: a.T @ g
    )
    assert gradcheck(textbook, (rng.normal(size=(3, 2)), rng.normal(size=(2, 4))))
    for shapes in [((3, 2), (2,)), ((4, 3, 2), (2, 5)), ((4, 3, 2), (4, 2, 5))]:
        point = tuple(rng.normal(size=shape) for shape in shapes)
        with pytest.raises((ValueError, GradientError)):
            gradcheck(textbook, point)
        assert gradcheck(ad.matmul, point)
    A, b, g = rng.normal(size=(3, 2)), rng.normal(size=2), rng.normal(size=3)
    left, right = Tensor(A), Tensor(b)
    (left @ right).backward(g)
    np.testing.assert_allclose(left.grad, np.outer(g, b))
    np.testing.assert_allclose(right.grad, A.T @ g)


# ---- the table of rules


@pytest.mark.claim("C9", "C10", "C11", "C12", "C13", "C14", "C15", "C16", "C17")
def test_the_table_of_the_lesson_passes_its_check_and_is_that_of_the_package(rng):
    table = defined_in("table")["table"]
    package = {
        "addition": ad.add,
        "product": ad.multiply,
        "matrices": ad.matmul,
        "exponential": ad.exp,
        "logarithm": ad.log,
        "ReLU": F.relu,
        "GELU": F.gelu,
        "sum": ad.sum,
        "power 2.5": lambda x: x**2.5,
    }
    assert table.keys() == package.keys()
    for name, (point, value, *rules) in table.items():
        assert gradcheck(Primitive(name, value, *rules), point)
        arguments = [Tensor(x) for x in (point if isinstance(point, tuple) else (point,))]
        out = package[name](*arguments)
        g = rng.normal(size=out.shape)
        out.backward(g)
        np.testing.assert_allclose(out.numpy(), value(*(t.numpy() for t in arguments)))
        for k, rule in enumerate(rules):
            expected = rule(g, out.numpy(), *(t.numpy() for t in arguments))
            np.testing.assert_allclose(arguments[k].grad, expected, rtol=1e-10)


@pytest.mark.claim("E7")
def test_a_rule_that_returns_the_local_derivative_forgets_a_factor(rng):
    local = Primitive("local", np.exp, lambda g, out, x: out)
    x = np.array([0.0, 1.0])
    np.testing.assert_allclose(grad(lambda x: (3 * local(x)).sum())(x), np.exp(x))
    np.testing.assert_allclose(grad(lambda x: (3 * ad.exp(x)).sum())(x), 3 * np.exp(x))
    A, B, G = rng.normal(size=(3, 3, 3))
    four = ad.jacobian(lambda A: A @ B)(A)
    np.testing.assert_allclose(four, np.einsum("ik,lj->ijkl", np.eye(3), B))
    np.testing.assert_allclose(np.einsum("ij,ijkl->kl", G, four), G @ B.T)


@pytest.mark.claim("E8", "C15")
def test_the_errors_of_the_two_forms_of_gelu():
    x = np.linspace(-6, 6, 24_001)
    Phi = np.array([(1 + math.erf(t / math.sqrt(2))) / 2 for t in x])
    exact, exact_slope = x * Phi, Phi + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    largest = {}
    for form in ("sigmoid", "tanh", "none"):
        slopes = grad(lambda x, form=form: F.gelu(x, approximate=form).sum())(x)
        errors = F.gelu(x, approximate=form) - exact, slopes - exact_slope
        largest[form] = [np.abs(error).max() for error in errors]
    assert largest["sigmoid"] == pytest.approx([0.0203, 0.0291], abs=5e-5)
    assert largest["tanh"] == pytest.approx([0.0005, 0.0009], abs=5e-5)
    assert max(largest["none"]) < 1e-12
    assert all(s > 30 * t for s, t in zip(largest["sigmoid"], largest["tanh"], strict=True))


@pytest.mark.claim("E9", "C13", "C14", "C17")
def test_the_rules_have_domains():
    with np.errstate(all="ignore"):
        assert math.isnan(0 * np.float64(0.0) ** -1)
        assert grad(lambda x: x**0.5)(0.0) == math.inf
        assert math.isnan(grad(lambda x: x ** (1 / 3))(-8.0))
        assert math.isnan(ad.log(-1.0))
    assert grad(lambda x: x**0)(0.0) == 0.0
    assert (F.relu(-1e-3), F.relu(1e-3), grad(F.relu)(0.0)) == (0.0, 1e-3, 0.0)


@pytest.mark.claim("C18", "E12")
@pytest.mark.parametrize("shape", [(4,), (1, 4), (3, 1), (1, 1), ()])
def test_the_adjoint_of_a_repeated_number_is_the_sum_over_its_copies(shape, rng, mini):
    G, A = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    copies = np.broadcast_to(np.arange(math.prod(shape)).reshape(shape), (3, 4))
    over_colours = np.array([G[copies == k].sum() for k in range(math.prod(shape))])
    over_colours = over_colours.reshape(shape)
    b = Tensor(rng.normal(size=shape))
    (A + b).backward(G)
    np.testing.assert_allclose(b.grad, over_colours, atol=1e-12)
    np.testing.assert_allclose(mini["unbroadcast"](G, shape), over_colours, atol=1e-12)
    rows = G.sum(axis=0)
    fits = rows.size == b.size and np.allclose(rows.reshape(shape), b.grad)
    assert fits == (shape in [(4,), (1, 4)])
    b.zero_grad()
    (A * b).backward(G)
    np.testing.assert_allclose(b.grad, mini["unbroadcast"](G * A, shape), atol=1e-12)
    too_late = mini["unbroadcast"](G, shape) * mini["unbroadcast"](A, shape)
    assert not np.allclose(b.grad, too_late)


# ---- softmax and cross-entropy


@pytest.mark.claim("C46")
def test_a_shift_changes_nothing_but_the_range(rng):
    z = rng.normal(size=5)
    p = np.exp(z) / np.exp(z).sum()
    np.testing.assert_allclose(F.softmax(z), p)
    np.testing.assert_allclose(F.log_softmax(z), np.log(p))
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(np.exp(z + 800) / np.exp(z + 800).sum()).all()
    np.testing.assert_allclose(F.softmax(z + 800), p)
    with np.errstate(over="raise"):
        np.exp(709.7)
        with pytest.raises(FloatingPointError):
            np.exp(709.8)
    np.testing.assert_allclose(grad(lambda z: F.logsumexp(z))(z), p)


@pytest.mark.claim("C47", "E39")
def test_the_loss_is_finite_for_all_finite_logits(rng):
    z, y = np.array([800.0, -900.0]), 1
    with np.errstate(all="ignore"):
        assert -z[y] + np.log(np.exp(z).sum()) == math.inf
        assert -np.log(F.softmax(z)[y]) == math.inf
    logits = Tensor(z[np.newaxis])
    loss = F.cross_entropy(logits, np.array([y]))
    loss.backward()
    assert loss.item() == 1700.0
    np.testing.assert_array_equal(logits.grad, [[1.0, -1.0]])
    z, target = rng.normal(size=(3, 4)), np.array([0, 2, 1])
    gradient = grad(lambda z: F.cross_entropy(z, target, reduction="sum"))(z)
    np.testing.assert_allclose(gradient, F.softmax(z) - np.eye(4)[target])


# ---- cost


def perceptron(n, d, layers, matmul=ad.matmul):
    z = np.ones((n, d))
    for _ in range(layers):
        z = matmul(z, Tensor(np.ones((d, d)) / d)).tanh()
    return z.sum()


@pytest.mark.claim("C19", "E10")
@pytest.mark.parametrize(("n", "d", "layers"), [(16, 8, 5), (16, 80, 5), (3, 7, 1), (4, 5, 12)])
def test_two_products_back_for_one_forward(n, d, layers):
    count = {"forward": 0, "backward": 0}

    def counted(a, b, way):
        count[way] += a.shape[0] * a.shape[1] * b.shape[1]
        return a @ b

    product = Primitive(
        "product",
        lambda a, b: counted(a, b, "forward"),
        lambda g, out, a, b: counted(g, b.T, "backward"),
        lambda g, out, a, b: counted(a.T, g, "backward"),
    )
    root = perceptron(n, d, layers, product)
    root.backward()
    assert count == {"forward": layers * n * d * d, "backward": (2 * layers - 1) * n * d * d}
    assert len(reachable(root)) == 3 * layers + 1  # whatever n and d


@pytest.mark.claim("C20", "E11")
@pytest.mark.parametrize(("n", "d", "layers"), [(64, 10, 20), (64, 100, 20), (64, 100, 5)])
def test_memory_is_bytes_held(n, d, layers):
    held = sum(node.data.nbytes for node in reachable(perceptron(n, d, layers)))
    assert held == 8 * (layers * (2 * n * d + d * d) + 1)


# ---- forward mode


@given(n=st.integers(2, 12), seed=st.integers(0, 20))
def test_dual_numbers_give_the_same_gradient_at_n_times_the_price(n, seed):
    Dual = defined_in("dual")["Dual"]
    Dual.multiplications = 0
    point = np.random.default_rng(seed).normal(size=n)

    def chain(xs, total):
        for a, b in itertools.pairwise(xs):
            total = total + a * a * b
        return total

    passes = [[Dual(*pair) for pair in zip(point, unit, strict=True)] for unit in np.eye(n)]
    forward = [chain(duals, Dual(0.0)).dot for duals in passes]
    np.testing.assert_allclose(forward, grad(lambda x: chain(list(x), 0.0))(point), atol=1e-12)
    assert Dual.multiplications == n * 3 * 2 * (n - 1)


# ---- what a gradient check sees


def values(x):
    return x.numpy() if isinstance(x, Tensor) else x


def test_what_a_gradient_check_cannot_see():
    half = Primitive("half", np.abs, lambda g, out, x: g)
    assert gradcheck(half, np.array([1.0, 2.0]))
    with pytest.raises(GradientError):
        gradcheck(half, np.array([-1.0]))
    escaping = Primitive("escaping", lambda x: x**3, lambda g, out, x: g * (3 * values(x) ** 2))
    assert gradcheck(escaping, np.array([2.0]))
    with pytest.raises(GradientError):
        gradgradcheck(escaping, np.array([2.0]))
    with pytest.raises(GradientError, match="kink"):
        gradcheck(F.relu, np.array([0.0]))


@pytest.mark.claim("E112")
def test_at_a_kink_the_answer_depends_on_the_formula():
    def identity(x):
        return F.relu(x) - F.relu(-x)

    assert [identity(x) for x in (-1e-9, 0.0, 1e-9)] == [-1e-9, 0.0, 1e-9]
    assert [grad(identity)(x) for x in (-1e-9, 0.0, 1e-9)] == [1.0, 0.0, 1.0]


# ---- the graph explorer

BUSY = (
    "x = 1; y = 2; z = 3; a = x * y; b = exp(a - z); c = sigmoid(x + b * z); "
    "log(c) + x**2 * tanh(y) - a / 3"
)
PROGRAMS = {
    **EXAMPLES,
    "one variable": "x = 2",
    "constants": "x = 2; 3 * 4 + x",
    "every function": "x = 0.5; exp(log(x)) * sqrt(x) + (sin(x) + cos(x)) * tanh(abs(x)) "
    "+ relu(sigmoid(x))",
    "busy": BUSY,
    "deep": "x = 1; " + "tanh(" * (MAX_COLUMNS - 1) + "x" + ")" * (MAX_COLUMNS - 1),
    "wide": "x = 1; " + "; ".join(f"v{k} = sin(x)" for k in range(6)) + "; x * x",
    "negative": "x = -2; -x ** 2",
    "large": "x = 1e200; x + 1e-200",
    "an infinite slope": "x = 0; sqrt(x)",
    "computed start": "x = 2 * 3; x * x",
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_every_step_of_every_program_can_be_drawn_and_told(program):
    use_style()
    graph = trace(program)
    steps = walk_back(graph)
    for number, step in enumerate(steps):
        figure = draw_graph(program, number)
        written = [text.get_text() for text in figure.axes[0].texts]
        assert sum(text.startswith("adjoint") for text in written) == sum(
            adjoint is not None for adjoint in step.adjoints
        )
        for vertex in graph:
            assert vertex.label in written
        width, height = figure.get_size_inches()
        assert 4 < width < 9.7 and 0.5 < height < 9
        assert narrate(graph, steps, number)
    figure.canvas.draw()


def test_boxes_do_not_overlap():
    for program in PROGRAMS.values():
        boxes = draw_graph(program).axes[0].patches
        corners = {
            (round(box.get_x(), 6), round(box.get_y(), 6)) for box in boxes if hasattr(box, "get_x")
        }
        assert len(corners) == len(trace(program))
        for (x, y), (x2, y2) in itertools.combinations(corners, 2):
            assert abs(x - x2) > 1.25 or abs(y - y2) > 0.9


@given(seed=st.integers(0, 10_000))
def test_adjoints_agree_with_the_package_on_random_programs(seed):
    rng = np.random.default_rng(seed)
    lines, names = ["x = 0.7", "y = -1.3"], ["x", "y"]
    for k in range(rng.integers(1, 5)):
        a, b = rng.choice(names, 2)
        f = rng.choice(["{} + {}", "{} * {}", "{} - {}", "tanh({}) + {}", "sin({}) * {}"])
        lines.append(f"v{k} = {f.format(a, b)}")
        names.append(f"v{k}")
    program = "; ".join(lines)

    def root(x, y):
        scope = {"x": x, "y": y, "tanh": ad.tanh, "sin": ad.sin}
        for line in lines[2:]:
            name, _, formula = line.partition(" = ")
            scope[name] = eval(formula, {"__builtins__": {}}, scope)
        return scope[names[-1]]

    adjoints = walk_back(trace(program))[-1].adjoints[:2]
    expected = grad(root, argnums=(0, 1))(0.7, -1.3)
    assert [a or 0.0 for a in adjoints] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("", "no variable"),
        ("3 + 4", "no variable"),
        ("x = 2; (x", "cannot be read"),
        ("x = 2; x^2", r"write x\*\*2"),
        ("x = 2; y", "y has no value yet"),
        ("x = 2; x = 3", "x has a meaning already"),
        ("exp = 3", "exp has a meaning already"),
        ("x = 2; f(x)", "not allowed"),
        ("x = 2; exp(x, x)", "not allowed"),
        ("x = 2; x.real", "not allowed"),
        ("x = 2; x if x else x", "not allowed"),
        ("x = 2; True * x", "not allowed"),
        ("x = 2; 'a' * x", "not allowed"),
        ("x = 2; 1j * x", "not allowed"),
        ("__import__('os').getcwd()", "not allowed"),
        ("x = 2; (lambda: x)()", "not allowed"),
        ("x = y = 2", "neither a formula"),
        ("import os", "neither a formula"),
        ("x = 2; del x", "neither a formula"),
        ("x = 0; log(x)", "log of 0 is -inf"),
        ("x = -1; sqrt(x)", "sqrt of -1 is nan"),
        ("x = 2; 9**9**9 * x", "is inf"),
        ("x = 1e999; x", "too large"),
        ("x = 2; y = x * x; x", "computes nothing new"),
        ("x = 2; " + "+".join("x" * 30), "do not fit"),
        ("x = 2; " + "-" * 180 + "x", "do not fit"),
        ("x = 2; " + "sin(" * 10 + "x" + ")" * 10, "9 operations in a row"),
        ("x = 2; " + "x" * 300, "characters"),
        ("x\0 = 2", "cannot be read"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(program, reason):
    with pytest.raises(ValueError, match=reason):
        trace(program)


def test_a_variable_is_one_vertex_however_its_number_is_written():
    (x, root) = trace("x = -2 * 3 + 1; x * x")
    assert (x.name, x.value, x.inputs, x.flows) == ("x", -5.0, (), True)
    assert (root.value, root.inputs) == (25.0, (0, 0))


@pytest.mark.parametrize("step", [-1, 5])
def test_a_step_that_does_not_exist(step):
    with pytest.raises(ValueError, match=f"step is {step}, expected 0 to 4"):
        draw_graph(EXAMPLES["a product and a sine"], step)


def parts(explorer):
    (example, reset), text, slider, words, image = (
        explorer.children[0].children,
        *explorer.children[1:],
    )
    return example, reset, text, slider, words, image


def test_the_slider_moves_the_figure_and_the_words():
    _, _, _, slider, words, image = parts(GraphExplorer(step=0))
    seen = set()
    for number in range(slider.max + 1):
        slider.value = number
        assert bytes(image.value).startswith(b"\x89PNG")
        seen.add((bytes(image.value), words.value))
    assert len(seen) == slider.max + 1 == 5


def test_examples_typing_errors_and_reset():
    start = EXAMPLES["a diamond"]
    example, reset, text, slider, words, image = parts(GraphExplorer(start, step=3))
    assert (example.value, text.value, slider.value) == (start, start, 3)
    for program in EXAMPLES.values():
        example.value = program
        assert text.value == program
        assert slider.max == len(walk_back(trace(program))) - 1
    text.value = "x = 2; x * <b>"
    assert words.value.startswith("<b>Not yet:</b> this cannot be read")
    assert slider.disabled and image.value == b"" and example.value == ""
    text.value = "x = 2; x ^ 2"
    assert "**" in words.value
    text.value = "x = 2; x * x"
    assert not slider.disabled and bytes(image.value).startswith(b"\x89PNG")
    reset.click()
    assert (text.value, slider.value) == (start, 3)
    slider.value = 0
    reset.click()
    assert (text.value, slider.value) == (start, 3)
    text.value = "oops"
    reset.click()
    assert slider.value == 3 and not slider.disabled
