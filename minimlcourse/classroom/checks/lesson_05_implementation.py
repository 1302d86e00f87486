"""The exercises of lesson 05, implementation: the network of the derivation, checked and trained.

One example is a vector and a batch has its examples as rows, but in 05.27, where they are columns.
W1 is (d_h, d), W2 (m, d_h). Labels are 0, ..., m - 1. Gradients come as a dict with the keys W1,
b1, W2 and b2.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse.autodiff import grad
from minimlcourse.classroom.checks.exercise import Case, Exercise, Function, Mistake, Task, Wrong
from minimlcourse.classroom.checks.formula import Formula, derivative
from minimlcourse.datasets import load_mnist, make_circles

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Generator = np.random.Generator
Gradients = dict[str, Any]

NAMES = ("W1", "b1", "W2", "b2")
FAR = "far out, where exp overflows"


def _draw(rng: Generator, d: int, d_h: int, m: int) -> tuple[Array, ...]:
    """Parameters of a network; with a few units, some are off and some are on."""
    shapes = ((d_h, d), (d_h,), (m, d_h), (m,))
    return tuple(rng.normal(size=shape) for shape in shapes)


def _risk(X: Any, y: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    return F.cross_entropy(F.linear(F.relu(F.linear(X, W1, b1)), W2, b2), y)


def _gradients(X: Array, y: Any, *parameters: Array) -> Gradients:
    """The engine's gradients of the mean loss; X is one example or a batch."""
    found = grad(lambda *theta: _risk(X, y, *theta), (0, 1, 2, 3))(*parameters)
    return dict(zip(NAMES, found, strict=True))


def _far(parameters: tuple[Array, ...]) -> tuple[Array, ...]:
    W1, b1, W2, b2 = parameters
    return W1, b1, W2, b2 + 2000.0 * (np.arange(len(b2)) == len(b2) - 1)


# -- 05.21: one example ----------------------------------------------------------------------------


def _example_cases(rng: Generator) -> Iterator[Case]:
    W1, W2 = (
        np.array([[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]]),
        np.array([[1.0, 1.0, -0.5], [0, 2, 0]]),
    )
    x, b1, b2 = np.array([1.0, 2.0]), np.array([0.0, 1.0, -1.0]), np.zeros(2)
    yield Case((x, 1, W1, b1, W2, b2))
    for d, d_h, m in ((2, 5, 3), (4, 6, 2), (3, 7, 5)):
        yield Case((rng.normal(size=d), int(rng.integers(m)), *_draw(rng, d, d_h, m)))
    yield Case((rng.normal(size=3), 0, *_far(_draw(rng, 3, 5, 2))), FAR)


def _example(x: Array, y: int, *parameters: Array) -> Gradients:
    return {"loss": _risk(x, y, *parameters), **_gradients(x, y, *parameters)}


def _one_example(
    x: Array,
    y: int,
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    *,
    shifted: bool = True,
    log_of_output: bool = False,
    hot: float = 1.0,
    gate: Callable[[Array], Any] = lambda ha: ha > 0,
) -> Gradients:
    """Both passes by hand, with some things wrong, if asked to."""
    ha = W1 @ x + b1
    hs = np.maximum(ha, 0)
    oa = W2 @ hs + b2
    e = np.exp(oa - oa.max() * shifted)
    os = e / e.sum()
    loss = -np.log(os[y]) if log_of_output else oa.max() * shifted + np.log(e.sum()) - oa[y]
    up = os - hot * (np.arange(len(b2)) == y)
    back = (W2.T @ up) * gate(ha)
    return {"loss": loss, "W1": np.outer(back, x), "b1": back, "W2": np.outer(up, hs), "b2": up}


ONE_EXAMPLE = Function(
    identifier="05.21",
    title="The network, for one example",
    points=3,
    parameters=("x", "y", *NAMES),
    cases=_example_cases,
    expected=_example,
    known=(
        Mistake(
            "gate forgotten",
            "A unit that is off still passes its adjoint on in your backward pass: what does a "
            "small change of its `ha` do to the loss?",
            lambda *given: _one_example(*given, gate=lambda ha: 1.0),
        ),
        Mistake(
            "rectifier for its gate",
            "On the way back you multiply by the rectifier's value. What is its derivative, as a "
            "function of `ha`?",
            lambda *given: _one_example(*given, gate=lambda ha: np.maximum(ha, 0)),
        ),
        Mistake(
            "label forgotten",
            "The adjoint of the logits is the output itself in your backward pass: where does the "
            "label come in?",
            lambda *given: _one_example(*given, hot=0.0),
        ),
        Mistake(
            "not shifted",
            "Right while the logits are small. Far out, the exponentials overflow: which number "
            "may be taken from all logits first?",
            lambda *given: _one_example(*given, shifted=False),
        ),
        Mistake(
            "logarithm of a rounded zero",
            "The gradients are right. Far out, a probability is 0 for the computer, and its "
            "logarithm infinite: take the loss from the logits, not from the output.",
            lambda *given: _one_example(*given, log_of_output=True),
        ),
    ),
    verified="has the loss and the gradients of the engine, for five networks",
)


# -- 05.22 to 05.25: the gradient check ------------------------------------------------------------


def _quotient_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.linalg.norm, np.array([3.0, 4.0]), 0.01))
    yield Case((F.logsumexp, rng.normal(size=4), 1e-3))
    yield Case((np.linalg.det, rng.normal(size=(3, 3)), 1e-3))
    yield Case((np.linalg.norm, rng.uniform(0.5, 1, size=(2, 3)), 0.05))
    yield Case((np.var, np.array([1, 2, 4, 9]), 0.01), "for an array of integers")


def _quotients(
    f: Callable[[Any], Any], W: Array, eps: float, ahead: float = 1.0, behind: float = 1.0
) -> tuple[Array, Array]:
    forward, central = np.empty(W.shape), np.empty(W.shape)
    for place in np.ndindex(W.shape):
        step = np.zeros(W.shape)
        step[place] = eps
        forward[place] = (f(W + ahead * step) - f(W)) / eps
        central[place] = (f(W + step) - f(W - behind * step)) / (eps + behind * eps)
    return forward, central


def _steps_that_stay(f: Callable[[Any], Any], W: Array, eps: float) -> tuple[Array, Array]:
    moved, forward, central = W.copy(), np.empty(W.shape), np.empty(W.shape)
    for place in np.ndindex(W.shape):
        moved[place] += eps
        ahead = f(moved)
        moved[place] -= 2 * eps
        forward[place], central[place] = (ahead - f(W)) / eps, (ahead - f(moved)) / (2 * eps)
    return forward, central


def _all_at_once(f: Callable[[Any], Any], W: Array, eps: float) -> tuple[Array, Array]:
    ahead, behind = f(W + eps), f(W - eps)
    whole = np.ones(W.shape)
    return whole * (ahead - f(W)) / eps, whole * (ahead - behind) / (2 * eps)


QUOTIENTS = Function(
    identifier="05.22",
    title="Two difference quotients",
    points=2,
    parameters=("f", "W", "eps"),
    cases=_quotient_cases,
    expected=_quotients,
    known=(
        Mistake(
            "all entries at once",
            "Every entry of `W` moves at the same time: that is one slope, along the diagonal. For "
            "a partial derivative only one entry moves.",
            _all_at_once,
        ),
        Mistake(
            "steps that stay",
            "The first entry is right. When the second one moves, the first has not come back to "
            "where it was.",
            _steps_that_stay,
        ),
        Mistake(
            "twice the same",
            "The forward quotient is right, and the central one is the same: it should look at "
            "both sides.",
            lambda f, W, eps: (_quotients(f, W, eps)[0], _quotients(f, W, eps)[0]),
        ),
    ),
    verified="moves one entry at a time, for four functions of vectors and matrices",
)


def _bias_error(values: Mapping[str, Any]) -> Any:
    """Half a step times the curvature of the loss, the slope of a sigmoid that has come to p."""
    p = values["p"]
    return values["eps"] / 2 * derivative("sigmoid(a)", "a")({"a": (p / (1 - p)).ln()})


FORWARD_ERROR = Formula(
    identifier="05.23",
    title="Where the last digits come from",
    points=1,
    variables={"eps": (1e-5, 0.01, 0.5), "p": (0.505, 0.25, 0.9)},
    expected=_bias_error,
    known=(
        Mistake(
            "half forgotten",
            "The second derivative is right. What stands before it in Taylor's formula?",
            "eps * p * (1 - p)",
        ),
        Mistake(
            "step forgotten",
            "This does not depend on the step. What happens to the error if `eps` is halved?",
            "p * (1 - p) / 2",
        ),
        Mistake(
            "first derivative for the second",
            "You have put the slope of the loss in its second derivative's place.",
            "eps / 2 * p",
        ),
        Mistake(
            "step squared",
            "After the division by `eps`, which power of it is left before the second derivative?",
            "eps**2 / 2 * p * (1 - p)",
        ),
    ),
    verified="is half a step times the second derivative of the loss",
)


def _noisy(exact: Array, rng: Generator) -> Array:
    """What a forward difference makes of a gradient: off by a little of its largest entry."""
    return exact + 1e-6 * float(np.abs(exact).max()) * rng.uniform(-1, 1, exact.shape)


def _good_pairs(rng: Generator) -> list[tuple[str, Array, Array, str]]:
    """Estimates of right gradients: what is peculiar, estimate, gradient, who stumbles over it."""
    plain = rng.uniform(0.5, 2, (3, 4)) * rng.choice([-1, 1], (3, 4))
    dead, small = plain.copy(), plain.copy()
    dead[1] = 0.0
    small[0, 1] = 1e-9
    none = np.zeros((2, 3))
    rounded = _noisy(dead, rng)
    return [
        ("", _noisy(plain, rng), plain, ""),
        ("every entry is 0, in both", none, none.copy(), "divided by zero"),
        ("a unit is off: its row is 0", np.where(dead, rounded, 0), dead, "divided by zero"),
        ("a row is 0, and its estimate 0 up to rounding", rounded, dead, "entry by entry"),
        ("one entry is tiny beside the others", _noisy(small, rng), small, "entry by entry"),
        ("every entry is around 1e5", 1e5 * _noisy(plain, rng), 1e5 * plain, "not relative"),
    ]


def _bad_pairs(rng: Generator) -> list[tuple[str, Array, Array, str]]:
    exact = rng.uniform(0.5, 2, (3, 4)) * rng.choice([-1, 1], (3, 4))
    exact[2, 1] = 2.0
    doubled, halved, moved, gate = (exact.copy() for _ in range(4))
    doubled[2, 1] *= 2
    halved[2, 1] /= 2
    moved[0, 0] += 1.5
    moved[1, 2] -= 1.5
    gate[1] = 0.0
    return [
        ("the sign of every entry is wrong", exact, -exact, "errors cancel"),
        ("every entry is 3 times too large", exact, 3 * exact, "blind to a factor"),
        ("one entry is twice what it should be", exact, doubled, ""),
        ("one entry is half of what it should be", exact, halved, ""),
        ("one entry is too large, and one too small by as much", exact, moved, "errors cancel"),
        ("every entry is too large by 1", exact, exact + 1, ""),
        ("one row should not be 0", exact, gate, ""),
        ("every entry is 0, and none should be", exact, np.zeros((3, 4)), ""),
        ("all is around 1e-6, and half of what it should be", 1e-6 * exact, 5e-7 * exact, "small"),
    ]


_MEASURES = {
    "": "",
    "divided by zero": "What do you divide by there? ",
    "entry by entry": "The estimate is as good as differences can be: its error is a millionth of "
    "the largest entry. Compare an error with something larger than the entry it is in. ",
    "not relative": "Your measure grows with the gradients. Compare the error with their size. ",
    "small": "Your measure shrinks with the gradients. Compare the error with their size. ",
    "errors cancel": "Errors of opposite signs cancel in your measure. ",
    "blind to a factor": "Your measure looks at the direction alone. ",
}


def _examine_measure(answer: Callable[..., Any], rng: Generator) -> None:
    right = [(True, *pair) for pair in _good_pairs(rng)]
    for good, peculiar, estimate, exact, trouble in [
        *right,
        *((False, *pair) for pair in _bad_pairs(rng)),
    ]:
        value = answer(estimate, exact)
        if not _is_real(value):
            raise Wrong("One number is asked for: the distance of the two arrays.")
        told = f"The gradient is {'right' if good else 'wrong'}"
        told += f" ({peculiar})" if peculiar else ""
        told += f", and your measure is {float(value):.3g}."
        if good and not 0 <= value <= 1e-4:
            if value < 0:
                raise Wrong(f"A distance is not negative. {told}")
            raise Wrong(f"{_MEASURES[trouble]}{told}", _name_of(trouble))
        if not good and not value >= 1e-2:
            raise Wrong(f"{_MEASURES[trouble]}{told}", _name_of(trouble))


def _name_of(trouble: str) -> str:
    return "not relative" if trouble == "small" else trouble


def _is_real(value: Any) -> bool:
    """Whether a value is one real number, neither an array nor a truth value."""
    if not isinstance(value, (int, float, np.ndarray, np.generic)):
        return False
    array = np.asarray(value)
    return array.ndim == 0 and array.dtype.kind in "fiu"


MEASURE = Task(
    identifier="05.24",
    title="How far apart are two gradients?",
    points=3,
    examination=_examine_measure,
    named=(
        "divided by zero",
        "entry by entry",
        "not relative",
        "errors cancel",
        "blind to a factor",
    ),
    verified="tells six right gradients from nine wrong ones",
)

MARGIN = 1e-3


def _examine_biases(answer: Callable[..., Any], rng: Generator) -> None:
    simple = (np.array([1.0, 2.0]), np.array([[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]]))
    large = (np.array([3e6, -2e6]), np.array([[1.0, 0.5], [0.25, -1.0], [2.0, 1.0], [-1.0, 1.0]]))
    sizes = ((3, 4), (2, 6), (5, 2))
    drawn = [(rng.normal(size=d), rng.normal(size=(d_h, d))) for d, d_h in sizes]
    for x, W1 in [simple, large, *drawn]:
        result = answer(x, W1)
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            raise Wrong("Two results, `return blind, seeing`, are asked for.")
        for name, b1 in zip(("blind", "seeing"), result, strict=True):
            if not isinstance(b1, np.ndarray) or b1.shape != (len(W1),):
                shape = f", yours has shape {b1.shape}" if isinstance(b1, np.ndarray) else ""
                raise Wrong(f"`{name}` should be an array of shape ({len(W1)},){shape}.")
            if b1.dtype.kind not in "fiu" or not np.all(np.isfinite(b1)):
                raise Wrong(f"`{name}` should hold finite numbers.")
        blind, seeing = (np.asarray(W1 @ x + b1) for b1 in result)
        _look_at_units(blind, seeing)
        m = 3
        size = 1 + max(np.abs(blind).max(), np.abs(seeing).max())  # so that no output is certain
        W2, y = rng.normal(size=(m, len(W1))) / size, int(rng.integers(m))
        for b1, same in zip(result, (True, False), strict=True):
            theta = (W1, np.asarray(b1, dtype=float), W2, np.zeros(m))
            ungated = _one_example(x, y, *theta, gate=lambda ha: 1.0)["b1"]
            right = _gradients(x, y, *theta)["b1"]
            if np.allclose(ungated, right, rtol=0, atol=1e-9 * np.abs(ungated).max()) != same:
                raise Wrong("A gate that is forgotten shows with `blind`, or not with `seeing`.")


def _look_at_units(blind: Array, seeing: Array) -> None:
    """Refuse biases that do not do what is asked for; ``blind`` and ``seeing`` are values of ha."""
    shown = [np.array2string(ha, precision=4, separator=", ") for ha in (blind, seeing)]
    told = f"With `blind`, `ha` is {shown[0]}; with `seeing`, it is {shown[1]}."
    for name, ha in (("blind", blind), ("seeing", seeing)):
        if np.abs(ha).min() < MARGIN:
            raise Wrong(
                f"With `{name}` a unit is within {MARGIN} of its kink: a difference quotient that "
                f"steps across it is wrong for every backward pass. {told}",
                "at the kink",
            )
    if (blind < 0).any() and (seeing > 0).all():
        raise Wrong(f"The two are exchanged, it seems. {told}", "exchanged")
    if (blind < 0).any():
        raise Wrong(
            f"With `blind` a unit is off: there, a gate that is forgotten shows. {told}",
            "a unit is off",
        )
    if (seeing > 0).all():
        raise Wrong(
            f"With `seeing` every unit is on: what does the gate multiply by? {told}",
            "every unit is on",
        )
    if (seeing < 0).all():
        raise Wrong(
            "With `seeing` every unit is off. It finds the forgotten gate, but a backward pass "
            f"that always says 0 would pass: keep a unit on. {told}",
            "every unit is off",
        )


BLIND = Task(
    identifier="05.25",
    title="What a gradient check does not see",
    points=2,
    examination=_examine_biases,
    named=("at the kink", "exchanged", "a unit is off", "every unit is on", "every unit is off"),
    verified="hides a forgotten gate and brings it to light, in five networks",
)


# -- 05.26 and 05.27: a batch at once --------------------------------------------------------------


def _batch_cases(rng: Generator) -> Iterator[Case]:
    W1, W2 = (
        np.array([[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]]),
        np.array([[1.0, 1.0, -0.5], [0, 2, 0]]),
    )
    X, b1 = np.array([[1.0, 2.0], [0.0, -1.0]]), np.array([0.5, 1.0, -1.0])
    yield Case((X, np.array([1, 0]), W1, b1, W2, np.zeros(2)))
    for n, d, d_h, m in ((6, 2, 5, 3), (4, 3, 7, 2), (9, 5, 4, 6)):
        yield Case((rng.normal(size=(n, d)), rng.integers(0, m, n), *_draw(rng, d, d_h, m)))
    yield Case((rng.normal(size=(1, 3)), np.array([1]), *_draw(rng, 3, 6, 2)), "for a batch of one")
    far = _far(_draw(rng, 4, 5, 3))
    yield Case((rng.normal(size=(6, 4)), rng.integers(0, 3, 6), *far), FAR)
    X = 3000.0 * rng.normal(size=(8, 3)) * (np.arange(8) % 4 > 0)[:, None]
    yield Case((X, rng.integers(0, 4, 8), *_draw(rng, 3, 6, 4)), FAR)


def _batch(
    X: Array,
    y: Labels,
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    *,
    axis: int | None = 1,
    shifted: bool = True,
    together: bool = False,
    gated: bool = True,
    columns_of_labels: bool = False,
    divisions: tuple[int, int] = (1, 1),
) -> Gradients:
    """A batch by hand, with some things wrong, if asked to."""
    Ha = X @ W1.T + b1
    Hs = np.maximum(Ha, 0)
    Oa = Hs @ W2.T + b2
    E = np.exp(Oa - Oa.max(axis=None if together else axis, keepdims=True) * shifted)
    up = E / E.sum(axis=axis, keepdims=True)
    if columns_of_labels:
        up[:, y] -= 1
    else:
        up[np.arange(len(y)), y] -= 1
    back = (up @ W2) * (Ha > 0 if gated else 1.0)
    by, by_biases = (float(len(y)) ** power for power in divisions)
    return {
        "W1": back.T @ X / by,
        "b1": back.sum(axis=0) / by_biases,
        "W2": up.T @ Hs / by,
        "b2": up.sum(axis=0) / by_biases,
    }


ROWS = Function(
    identifier="05.26",
    title="A batch at once",
    points=3,
    parameters=("X", "y", *NAMES),
    cases=_batch_cases,
    expected=_gradients,
    known=(
        Mistake(
            "softmax over the whole matrix",
            "Your softmax divides by the sum over the whole batch: the outputs of all examples "
            "together sum to 1. Each example has a softmax of its own.",
            lambda *given: _batch(*given, axis=None),
        ),
        Mistake(
            "softmax down the columns",
            "Your softmax sums over the examples, class by class. An example is a row here, and "
            "its outputs sum to 1.",
            lambda *given: _batch(*given, axis=0),
        ),
        Mistake(
            "every label for every example",
            "`[:, y]` takes whole columns: every example loses 1 for every label of the batch. One "
            "entry in each row is wanted.",
            lambda *given: _batch(*given, columns_of_labels=True),
        ),
        Mistake(
            "gate forgotten",
            "A unit that is off for an example still passes its adjoint on, in your backward pass.",
            lambda *given: _batch(*given, gated=False),
        ),
        Mistake(
            "biases divided twice",
            "The weights are right. In the biases the mean is taken twice: once in the adjoint of "
            "the logits, once more at the end.",
            lambda *given: _batch(*given, divisions=(1, 2)),
        ),
        Mistake(
            "biases summed, not averaged",
            "The weights are right; the biases hold a sum over the batch, not a mean.",
            lambda *given: _batch(*given, divisions=(1, 0)),
        ),
        Mistake(
            "not shifted",
            "Right while the logits are small. Far out, the exponentials overflow: which number "
            "may be taken from all logits of an example first?",
            lambda *given: _batch(*given, shifted=False),
        ),
        Mistake(
            "one shift for the batch",
            "Right while the examples are alike. You take one number from the logits of the whole "
            "batch: if those of an example all lie far below it, all its exponentials are 0.",
            lambda *given: _batch(*given, together=True),
        ),
    ),
    verified="is the engine's gradient of the mean loss, for seven batches",
)


def _column_cases(rng: Generator) -> Iterator[Case]:
    W1, W2 = (
        np.array([[1.0, -1.0], [0.5, -1.0], [2.0, 1.0]]),
        np.array([[1.0, 1.0, -0.5], [-1, 2, 1]]),
    )
    X, b1 = np.array([[1.0, 0.0], [2.0, -1.0]]), np.array([[0.5], [1.0], [-1.0]])
    yield Case((X, np.array([1, 0]), W1, b1, W2, np.zeros((2, 1)), [0.5, 0.25, 0.0, 1.0]))
    for n, d, d_h, m in ((6, 2, 5, 3), (4, 3, 7, 2), (9, 5, 4, 6)):
        W1, b1, W2, b2 = _draw(rng, d, d_h, m)
        Lambda = rng.uniform(0.1, 1, 4).tolist()
        y = rng.integers(0, m, n)
        yield Case((rng.normal(size=(d, n)), y, W1, b1[:, None], W2, b2[:, None], Lambda))


def _columns(
    X: Array, y: Labels, W1: Array, b1: Array, W2: Array, b2: Array, Lambda: list[float]
) -> Gradients:
    """The engine's gradients of the penalised risk, with biases as columns."""

    def objective(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        penalty = Lambda[0] * ad.sum(abs(W1)) + Lambda[1] * ad.sum(W1**2)
        penalty += Lambda[2] * ad.sum(abs(W2)) + Lambda[3] * ad.sum(W2**2)
        return _risk(X.T, y, W1, b1[:, 0], W2, b2[:, 0]) + penalty

    return dict(zip(NAMES, grad(objective, (0, 1, 2, 3))(W1, b1, W2, b2), strict=True))


def _columns_wrong(
    X: Array,
    y: Labels,
    W1: Array,
    b1: Array,
    W2: Array,
    b2: Array,
    Lambda: list[float],
    *,
    axis: int | None = 1,
    slope: Callable[[Array, float, float], Any] = lambda W, l1, l2: l1 * np.sign(W) + 2 * l2 * W,
    share: Callable[[int], float] = lambda n: 1.0,
    on_biases: bool = False,
) -> Gradients:
    found = _batch(X.T, y, W1, b1[:, 0], W2, b2[:, 0], axis=axis)
    found["b1"], found["b2"] = found["b1"][:, None], found["b2"][:, None]
    weight = share(len(y))
    layers = (("W1", "b1", W1, b1), ("W2", "b2", W2, b2))
    for (weights, biases, W, b), (l1, l2) in zip(layers, (Lambda[:2], Lambda[2:]), strict=True):
        found[weights] = found[weights] + weight * slope(W, l1, l2)
        if on_biases:
            found[biases] = found[biases] + slope(b, l1, l2)
    return found


COLUMNS = Function(
    identifier="05.27",
    title="In columns, with an elastic net",
    points=3,
    parameters=("X", "y", *NAMES, "Lambda"),
    cases=_column_cases,
    expected=_columns,
    known=(
        Mistake(
            "softmax over the whole matrix",
            "Your softmax divides by the sum over the whole matrix: a softmax of a vector is not "
            "that of a matrix. The outputs of each example sum to 1.",
            lambda *given: _columns_wrong(*given, axis=None),
        ),
        Mistake(
            "softmax along the rows",
            "An example is a column here; your softmax runs along the rows, from example to "
            "example.",
            lambda *given: _columns_wrong(*given, axis=0),
        ),
        Mistake(
            "penalty forgotten",
            "These are the gradients of the mean loss; the penalty is missing.",
            lambda *given: _columns_wrong(*given, share=lambda n: 0.0),
        ),
        Mistake(
            "penalty divided by n",
            "The penalty is in your mean over the examples. It is added to the mean, once.",
            lambda *given: _columns_wrong(*given, share=lambda n: 1 / n),
        ),
        Mistake(
            "sign forgotten",
            "For an absolute value you add the same constant to every weight; the slope of |w| "
            "depends on the side on which w is.",
            lambda *given: _columns_wrong(*given, slope=lambda W, l1, l2: l1 + 2 * l2 * W),
        ),
        Mistake(
            "two forgotten",
            "The absolute values are right. What is the derivative of a square?",
            lambda *given: _columns_wrong(*given, slope=lambda W, l1, l2: l1 * np.sign(W) + l2 * W),
        ),
        Mistake(
            "biases penalised",
            "The weights are right. The penalty is on the weights alone, not on the biases.",
            lambda *given: _columns_wrong(*given, on_biases=True),
        ),
    ),
    verified="is the engine's gradient of the penalised risk, for four batches in columns",
)


# -- 05.28: the beginning --------------------------------------------------------------------------


def _network(value: Any, d: int, d_h: int | None, m: int) -> tuple[Array, Array, Array, Array]:
    """What an answer returns, if it is W1, b1, W2, b2 of the right shapes."""
    if not isinstance(value, (tuple, list)) or len(value) != 4:
        raise Wrong("Four results, `return W1, b1, W2, b2`, are asked for.")
    if d_h is None:
        first = value[0]
        d_h = len(first) if isinstance(first, np.ndarray) and first.ndim == 2 else 1
    for name, part, shape in zip(NAMES, value, ((d_h, d), (d_h,), (m, d_h), (m,)), strict=True):
        if not isinstance(part, np.ndarray) or part.dtype.kind != "f":
            raise Wrong(f"`{name}` should be an array of floats.")
        if part.shape != shape:
            raise Wrong(f"`{name}` has shape {part.shape}, {shape} is asked for.")
        if not np.all(np.isfinite(part)):
            raise Wrong(f"`{name}` holds numbers that are infinite, or none (nan).")
    W1, b1, W2, b2 = value
    return W1, b1, W2, b2


def _same(one: tuple[Array, ...], other: tuple[Array, ...]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _examine_start(answer: Callable[..., Any], rng: Generator) -> None:
    seed = int(rng.integers(1, 10_000))
    d, d_h, m = 40, 30, 10
    first = _network(answer(d, d_h, m, seed), d, d_h, m)
    _examine_numbers(*first)
    again = _network(answer(d, d_h, m, seed), d, d_h, m)
    if not _same(first, again):
        raise Wrong(
            f"Two calls with the seed {seed} give different networks. Does the seed reach the "
            "generator that draws? `random.seed` is Python's own; NumPy draws from another.",
            "the seed does not arrive",
        )
    other = _network(answer(d, d_h, m, seed + 1), d, d_h, m)
    if np.array_equal(first[0], other[0]) or np.array_equal(first[2], other[2]):
        raise Wrong(
            f"The seeds {seed} and {seed + 1} give the same weights in a layer: what decides them?",
            "every seed the same",
        )
    _network(answer(3, 7, 2, seed), 3, 7, 2)


def _examine_numbers(W1: Array, b1: Array, W2: Array, b2: Array) -> None:
    if b1.any() or b2.any():
        raise Wrong("The biases should begin at zero.")
    for name, W in (("W1", W1), ("W2", W2)):
        inputs, units = W.shape[1], W.shape[0]
        largest = float(np.abs(W).max())
        if largest == 0:
            raise Wrong(
                f"`{name}` is zero: all hidden units would do the same, for ever.", "all zero"
            )
        if W.min() >= 0 or W.max() <= 0:
            raise Wrong(
                f"All entries of `{name}` have one sign: from where to where?", "one side only"
            )
        told = f"The largest entry of `{name}`, {W.shape}, is {largest:.3g} in size."
        if _reaches(largest, 1 / np.sqrt(inputs)):
            _examine_spread(name, W * np.sqrt(3 * inputs))
            continue
        if _reaches(largest, 1 / np.sqrt(units)):
            raise Wrong(
                f"The bound seems to come from the number of units of the layer; it should come "
                f"from the number of inputs of each unit. {told}",
                "outputs for inputs",
            )
        if _reaches(largest, 1 / inputs):
            raise Wrong(f"Is there a square root in your bound? {told}", "root forgotten")
        raise Wrong(f"The entries should fill the interval of the question, no more. {told}")
    scaled = [(W * np.sqrt(W.shape[1])).ravel()[:10] for W in (W1, W2)]
    if np.allclose(*scaled):
        raise Wrong(
            "`W1` and `W2` begin with the same numbers, up to their scale: a new generator from "
            "the same seed begins again. Make one, and draw from it twice.",
            "one seed used twice",
        )


def _examine_spread(name: str, scaled: Array) -> None:
    """Whether weights, in units of what their standard deviation should be, are spread evenly."""
    doubt = 6 / np.sqrt(scaled.size)
    if abs(scaled.mean()) > doubt or abs(scaled.std() - 1) > doubt / 2:
        raise Wrong(
            f"The largest entry of `{name}` is right, but the entries are not spread evenly over "
            "the interval of the question.",
            "not uniform",
        )


def _reaches(largest: float, bound: float) -> bool:
    """Whether hundreds of numbers, uniform up to a bound, may well have this as their largest."""
    return 0.95 * bound < largest <= bound * (1 + 1e-12)


START = Task(
    identifier="05.28",
    title="The same beginning twice",
    points=2,
    examination=_examine_start,
    named=(
        "the seed does not arrive",
        "every seed the same",
        "one seed used twice",
        "outputs for inputs",
        "root forgotten",
        "all zero",
        "one side only",
        "not uniform",
    ),
    verified="fills the interval, twice in the same way for one seed, in another for the next",
)


# -- 05.29: one factor at a time -------------------------------------------------------------------

Runs = list[dict[str, Any]]


def _run(d_h: int, penalty: float, seed: int, accuracy: float) -> dict[str, Any]:
    return {"d_h": d_h, "penalty": penalty, "seed": seed, "accuracy": accuracy}


def _run_cases(rng: Generator) -> Iterator[Case]:
    square = [
        _run(4, 0.0, 0, 0.75),
        _run(4, 0.001, 0, 0.8125),
        _run(10, 0.0, 0, 0.9375),
        _run(10, 0.001, 0, 0.90625),
    ]
    yield Case((square, "penalty"))
    yield Case((square[::-1], "d_h"))
    confounded = [_run(4, 0.0, 0, 0.8), _run(10, 0.001, 0, 0.95), _run(4, 0.001, 1, 0.7)]
    yield Case((confounded, "penalty"), "where no two runs can be compared")
    alike = [_run(d_h, l2, 1, 0.5 + d_h / 16 + l2) for d_h in (2, 4) for l2 in (0.125, 0.25)]
    yield Case((alike, "d_h"), "where two pairs gain the same")
    for factor in ("penalty", "d_h", "seed"):
        grid = [(d_h, l2, s) for d_h in (2, 4, 10) for l2 in (0.0, 0.001) for s in (0, 1)]
        kept = [grid[i] for i in rng.permutation(len(grid))[:9]]
        runs = [_run(d_h, l2, s, float(rng.uniform(0.5, 1))) for d_h, l2, s in kept]
        yield Case((runs, factor))


def _effects(
    runs: Runs, factor: str, ignored: tuple[str, ...] = (), neighbours: bool = False
) -> Array:
    """The differences in accuracy of pairs that differ in a factor (and in what is ignored)."""
    found = []
    for (i, one), (j, other) in combinations(enumerate(runs), 2):
        low, high = (one, other) if one[factor] < other[factor] else (other, one)
        fixed = [key for key in one if key not in (factor, "accuracy", *ignored)]
        if low[factor] == high[factor] or any(low[key] != high[key] for key in fixed):
            continue
        if j == i + 1 or not neighbours:
            found.append(high["accuracy"] - low["accuracy"])
    return np.sort(np.array(found, dtype=float))


EFFECTS = Function(
    identifier="05.29",
    title="One factor at a time",
    points=2,
    parameters=("runs", "factor"),
    cases=_run_cases,
    expected=_effects,
    known=(
        Mistake(
            "confounded",
            "You compare runs that differ in something else, too: which of the two has made the "
            "difference?",
            lambda runs, factor: _effects(runs, factor, ("d_h", "penalty", "seed")),
        ),
        Mistake(
            "seed ignored",
            "Two runs from different seeds differ in more than the factor: the beginning and the "
            "order of the batches were others, too.",
            lambda runs, factor: _effects(runs, factor, ("seed",)),
        ),
        Mistake(
            "smaller minus larger",
            "The pairs are right. Take the accuracy of the *larger* value of the factor minus that "
            "of the smaller, so that a gain is positive.",
            lambda runs, factor: np.sort(-_effects(runs, factor)),
        ),
        Mistake(
            "neighbours only",
            "You compare each run with the next one of the list. Pairs may stand anywhere in it.",
            lambda runs, factor: _effects(runs, factor, neighbours=True),
        ),
    ),
    verified="compares what can be compared, in seven sets of runs",
)


# -- 05.30 and 05.31: training ---------------------------------------------------------------------


def _flat(parameters: tuple[Array, ...]) -> Array:
    return np.concatenate([parameter.ravel() for parameter in parameters])


def _slope(X: Array, y: Labels, theta: tuple[Array, ...], penalty: float = 0.0) -> Array:
    """The engine's gradient of the mean loss, plus a penalty on the squares of the weights."""

    def objective(W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        return _risk(X, y, W1, b1, W2, b2) + penalty * (ad.sum(W1**2) + ad.sum(W2**2))

    return _flat(tuple(grad(objective, (0, 1, 2, 3))(*theta)))


def _biases_alone(theta: tuple[Array, ...]) -> Array:
    W1, b1, W2, b2 = theta
    return _flat((0 * W1, b1, 0 * W2, b2))


def _weights_alone(theta: tuple[Array, ...]) -> Array:
    W1, b1, W2, b2 = theta
    return _flat((W1, 0 * b1, W2, 0 * b2))


def _examine_training(answer: Callable[..., Any], rng: Generator) -> None:
    d_h, m, seed = 6, 3, int(rng.integers(1, 1000))
    n = 12
    X, y = rng.normal(size=(n, 4)), np.arange(n) % m

    def trained(X: Array, y: Labels, K: int, epochs: int, lr: float, penalty: float) -> Any:
        return _network(answer(X, y, d_h, m, K, epochs, lr, penalty, seed), X.shape[1], d_h, m)

    before, one, two = (trained(X, y, n, epochs, 0.1, 0.2) for epochs in (0, 1, 2))
    if not _same(one, trained(X, y, n, 1, 0.1, 0.2)):
        raise Wrong("Two calls with the same seed give different networks.", "not repeatable")
    other = _network(answer(X, y, d_h, m, n, 0, 0.1, 0.2, seed + 1), X.shape[1], d_h, m)
    if not before[0].any() and not before[1].any():
        raise Wrong(
            "`W1` and `b1` begin at zero: all hidden units are at their kink, and stay there.",
            "all zero",
        )
    if _same(before, other):
        raise Wrong(
            f"The seeds {seed} and {seed + 1} begin with the same network: what decides it?",
            "every seed the same",
        )
    if _same(before, one) or _same(one, two):
        raise Wrong(
            "One epoch more changes nothing, with one batch of all 12 examples: is the last batch "
            "taken, is the number of epochs right?",
            "no step",
        )
    _examine_step(one, two, X, y)
    _examine_batches(trained)
    _examine_epoch(trained, X, y)
    _examine_circles(answer, seed)


def _examine_step(one: tuple[Array, ...], two: tuple[Array, ...], X: Array, y: Labels) -> None:
    """One step of a rate of 0.1 with the whole sample, and a penalty of 0.2, by what it does."""
    n, penalty = len(X), 0.2
    step = (_flat(one) - _flat(two)) / 0.1
    data, weights = _slope(X, y, one), _weights_alone(one)
    right = data + 2 * penalty * weights
    W2_first = _through_new_weights(right, one, X, y)
    mistakes = {
        "uphill": ("This climbs: against the gradient the risk falls.", -right),
        "penalty forgotten": ("The step has the loss in it, but not the penalty.", data),
        "two forgotten": (
            "What is the derivative of the square of a weight?",
            data + penalty * weights,
        ),
        "biases penalised": (
            "The biases are penalised, too; only the weights should be.",
            right + 2 * penalty * _biases_alone(one),
        ),
        "penalty divided by n": (
            "The penalty is divided by the size of the batch; it is added to the mean, once.",
            data + 2 * penalty / n * weights,
        ),
        "sum for mean": (
            "The loss is summed over the batch; its mean is asked for. With a sum, the rate that "
            "works for one size of the batch is far too large for another.",
            n * data + 2 * penalty * weights,
        ),
        "W2 moved too early": (
            "Your backward pass goes through the *new* `W2`: in `W1` and `b1` the step is wrong. "
            "When may a parameter move?",
            W2_first,
        ),
    }
    if np.allclose(step, right, rtol=0, atol=1e-6 * np.abs(right).max()):
        return
    for name, (message, other) in mistakes.items():
        if np.allclose(step, other, rtol=0, atol=1e-6 * np.abs(other).max()):
            raise Wrong(message, name)
    if np.allclose(step, n * right, rtol=0, atol=1e-6 * n * np.abs(right).max()):
        raise Wrong(mistakes["sum for mean"][0], "sum for mean")
    sizes = [parameter.size for parameter in one]
    parts = zip(
        NAMES,
        np.split(step, np.cumsum(sizes)[:-1]),
        np.split(right, np.cumsum(sizes)[:-1]),
        strict=True,
    )
    wrong = [name for name, a, b in parts if np.abs(a - b).max() > 1e-6 * np.abs(right).max()]
    raise Wrong(
        "With K = n, an epoch is a single step: `theta - lr * gradient`. Yours goes elsewhere in "
        f"{', '.join(wrong)}: compare your gradients with differences of your loss. And does every "
        "example keep its label?"
    )


def _through_new_weights(
    right: Array, theta: tuple[Array, ...], X: Array, y: Labels, lr: float = 0.1, l2: float = 0.2
) -> Array:
    """A step whose backward pass meets W2 after its own step."""
    W1, b1, W2, b2 = theta
    first = W1.size + b1.size
    moved = W2 - lr * right[first : first + W2.size].reshape(W2.shape)
    Ha = X @ W1.T + b1
    up = F.softmax(F.linear(np.maximum(Ha, 0), W2, b2)) - np.eye(len(b2))[y]
    back = (up @ moved) * (Ha > 0) / len(X)
    early = [(back.T @ X + 2 * l2 * W1).ravel(), back.sum(axis=0)]
    return np.concatenate([*early, right[first:]])


def _examine_batches(trained: Callable[..., tuple[Array, ...]]) -> None:
    """With equal examples and a tiny rate, an epoch goes as far as it has steps."""
    X, y, lr = np.tile([0.5, -1.0, 2.0], (10, 1)), np.ones(10, dtype=np.int64), 1e-6
    W1, b1, W2, b2 = trained(X, y, 4, 0, lr, 0.0)
    # the class that the beginning believes in least: there the slope is not 0
    y *= int((W2 @ np.maximum(W1 @ X[0] + b1, 0) + b2).argmin())
    before, after = (trained(X, y, 4, epochs, lr, 0.0) for epochs in (0, 1))
    slope = _slope(X, y, before)
    steps = float(np.dot(_flat(before) - _flat(after), slope) / np.dot(slope, slope) / lr)
    told = "10 examples in batches of at most 4 are 3 steps"
    if abs(steps - 3) < 0.01:
        return
    if abs(steps - 2) < 0.01:
        raise Wrong(
            f"{told}, yours are 2: where are the last 2 examples, or are batches larger than K?",
            "last batch dropped",
        )
    if abs(steps - 10) < 0.01:
        raise Wrong(f"{told}, yours are 10: one for each example.", "a step per example")
    if abs(steps - 2.5) < 0.01:
        raise Wrong(
            f"{told}, and the last one counts half: it is the mean of its 2 examples, not their "
            "sum over 4.",
            "last batch divided by K",
        )
    raise Wrong(f"{told}, as far as three times the gradient. An epoch of yours goes {steps:.3g}.")


def _examine_epoch(trained: Callable[..., tuple[Array, ...]], X: Array, y: Labels) -> None:
    """With a tiny rate, two halves of the sample lead as far as twice the mean gradient."""
    half, lr = len(X) // 2, 1e-7
    before, after = (trained(X, y, half, epochs, lr, 0.0) for epochs in (0, 1))
    step, right = (_flat(before) - _flat(after)) / lr, 2 * _slope(X, y, before)
    if not np.allclose(step, right, rtol=0, atol=1e-3 * np.abs(right).max()):
        raise Wrong(
            "In an epoch, each example belongs to one batch. In yours, some come twice and others "
            "not at all: cut one order of all examples into pieces.",
            "not each example once",
        )


def _examine_circles(answer: Callable[..., Any], seed: int) -> None:
    X, y = make_circles(200, rng=seed)
    X_test, y_test = make_circles(500, rng=seed + 1)
    scores = []
    for more in range(3):
        theta = answer(X, y, 10, 2, 10, 60, 0.2, 1e-4, seed + more)
        scores.append(_score(X_test, y_test, _network(theta, 2, 10, 2)))
    if max(scores) < 0.9:
        told = ", ".join(f"{score:.0%}" for score in scores)
        raise Wrong(
            "Every single step is right, but two circles are not learnt in 60 epochs with "
            f"d_h = 10, K = 10, lr = 0.2: {told} of new points are right, from three seeds. How do "
            "the weights begin, and do all epochs train the same network?"
        )


def _score(X: Array, y: Labels, theta: tuple[Array, ...]) -> float:
    W1, b1, W2, b2 = theta
    return float(np.mean((np.maximum(X @ W1.T + b1, 0) @ W2.T + b2).argmax(axis=1) == y))


TRAIN = Task(
    identifier="05.30",
    title="Training",
    points=4,
    examination=_examine_training,
    named=(
        "not repeatable",
        "all zero",
        "every seed the same",
        "no step",
        "uphill",
        "penalty forgotten",
        "two forgotten",
        "biases penalised",
        "penalty divided by n",
        "sum for mean",
        "last batch dropped",
        "a step per example",
        "last batch divided by K",
        "W2 moved too early",
        "not each example once",
    ),
    verified="takes the right steps, all batches of them, and learns two circles",
)

IMAGES, GOAL = 20_000, 0.95


def _examine_digits(answer: Callable[..., Any], rng: Generator) -> None:
    X_all, y_all = load_mnist("train")
    chosen = rng.choice(len(X_all), IMAGES, replace=False)
    X, y = X_all[chosen], y_all[chosen]
    theta = _network(answer(X, y, int(rng.integers(1000))), X.shape[1], None, 10)
    X_test, y_test = load_mnist("test", dtype=np.float32)
    score = _score(X_test, y_test, theta)
    if score >= GOAL:
        return
    told = f"{score:.1%} of the 10,000 test images are right"
    if _score(255.0 * X_test[:2000], y_test[:2000], theta) > max(score, 0.5) + 0.01:
        raise Wrong(
            f"{told}, and more if the pixels run from 0 to 255. The network is tested on pixels "
            "between 0 and 1: train it on those.",
            "pixels not divided",
        )
    known = _score(X[:5000] / 255, y[:5000], theta)
    told += f", and {known:.1%} of those it was trained on"
    if score < 0.2:
        raise Wrong(
            f"{told}: this is guessing. Does the loss fall in the first epoch? A rate that is far "
            "too large switches all hidden units off.",
            "guessing",
        )
    if known < 0.97:
        raise Wrong(
            f"{told}, with pixels divided by 255: {GOAL:.0%} are wanted. Not even the training "
            "images are learnt yet: are the pixels the same in training, are there enough units, "
            "large enough steps, enough of them?",
            "too little learnt",
        )
    raise Wrong(
        f"{told}: {GOAL:.0%} are wanted. It knows its training images, and too little else."
    )


DIGITS = Task(
    identifier="05.31",
    title="Hyperparameters that were not found",
    points=3,
    examination=_examine_digits,
    named=("pixels not divided", "guessing", "too little learnt"),
    verified="is right about 95 of 100 test images, or more, after 20,000 training images",
)

EXERCISES: tuple[Exercise, ...] = (
    ONE_EXAMPLE,
    QUOTIENTS,
    FORWARD_ERROR,
    MEASURE,
    BLIND,
    ROWS,
    COLUMNS,
    START,
    EFFECTS,
    TRAIN,
    DIGITS,
)
