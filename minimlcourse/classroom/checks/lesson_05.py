"""The exercises of lesson 05, derivation: one hidden layer, from the forward pass to the penalty.

One example is a vector: x (d,), ha and hs (d_h,), oa and os (m,); W1 is (d_h, d), W2 (m, d_h). A
sample has its examples as rows. Labels are 0, ..., m - 1.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse.autodiff import grad, jacobian
from minimlcourse.classroom import descending
from minimlcourse.classroom.checks.calling import AnswerError
from minimlcourse.classroom.checks.exercise import Case, Exercise, Function, Mistake, Task, Wrong
from minimlcourse.classroom.checks.formula import Formula, derivative

Array = NDArray[np.float64]
Generator = np.random.Generator

FAR = "far out, where exp overflows"


def _pull(G: Array, Z: Array, W: Array, b: Array) -> tuple[Array, Array, Array]:
    """The engine's adjoints of Z, W and b, given the adjoint G of the affine map."""
    adjoints = grad(lambda Z, W, b: ad.sum(F.linear(Z, W, b) * G), (0, 1, 2))(Z, W, b)
    return tuple(adjoints)


# -- 05.1 and 05.2: forward -----------------------------------------------------------------------


def _hidden_cases(rng: Generator) -> Iterator[Case]:
    W1 = np.array([[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]])
    yield Case((np.array([1.0, 2.0]), W1, np.array([0.0, 1.0, -1.0])))
    for d, d_h in ((2, 5), (4, 3), (3, 3)):
        yield Case((rng.normal(size=d), rng.normal(size=(d_h, d)), rng.normal(size=d_h)))


def _hidden(x: Array, W1: Array, b1: Array) -> tuple[Array, Array]:
    ha = np.array([b1[j] + sum(W1[j, i] * x[i] for i in range(len(x))) for j in range(len(b1))])
    return ha, np.array([max(h, 0.0) for h in ha])


HIDDEN_LAYER = Function(
    identifier="05.1",
    title="The hidden layer",
    points=1,
    parameters=("x", "W1", "b1"),
    cases=_hidden_cases,
    expected=_hidden,
    known=(
        Mistake(
            "rectifier forgotten",
            "`ha` is right, and `hs` is the same: the rectifier lies between the two.",
            lambda x, W1, b1: (W1 @ x + b1, W1 @ x + b1),
        ),
        Mistake(
            "indicator for the rectifier",
            "`ha` is right. For `hs` you return whether a unit is on; a unit that is on passes "
            "its value.",
            lambda x, W1, b1: (W1 @ x + b1, (W1 @ x + b1 > 0).astype(float)),
        ),
        Mistake(
            "weights transposed",
            "Row `j` of `W1` belongs to hidden unit `j`. Whose weights do you add up?",
            lambda x, W1, b1: (W1.T @ x + b1, np.maximum(W1.T @ x + b1, 0)),
        ),
    ),
    verified="agrees with sums over single components, for four networks",
)


def _network_cases(rng: Generator) -> Iterator[Case]:
    W1, W2 = np.array([[1.0, 0.0], [0.0, -1.0], [2.0, 1.0]]), np.array([[1.0, 1.0, 0.0]])
    b1, b2 = np.array([0.0, 1.0, -1.0]), np.array([-3.0])
    yield Case((np.array([1.0, 2.0]), W1, b1, W2, b2))
    for d, d_h, m in ((2, 5, 3), (4, 3, 2), (3, 6, 4)):
        shapes = ((d,), (d_h, d), (d_h,), (m, d_h), (m,))
        yield Case(tuple(rng.normal(size=shape) for shape in shapes))


def _count(*parameters: Array) -> int:
    return sum(parameter.size for parameter in parameters)


def _logits(x: Array, W1: Array, b1: Array, W2: Array, b2: Array) -> tuple[Array, int]:
    return _hidden(_hidden(x, W1, b1)[1], W2, b2)[0], _count(W1, b1, W2, b2)


OUTPUT_LAYER = Function(
    identifier="05.2",
    title="The logits, and all there is to learn",
    points=1,
    parameters=("x", "W1", "b1", "W2", "b2"),
    cases=_network_cases,
    expected=_logits,
    known=(
        Mistake(
            "rectifier forgotten",
            "The logits are what they would be without the rectifier: two affine maps in a row "
            "are only one.",
            lambda x, W1, b1, W2, b2: (W2 @ (W1 @ x + b1) + b2, _count(W1, b1, W2, b2)),
        ),
        Mistake(
            "logits rectified",
            "A rectifier after the last map, too: a logit may be negative.",
            lambda x, W1, b1, W2, b2: (
                np.maximum(W2 @ np.maximum(W1 @ x + b1, 0) + b2, 0),
                _count(W1, b1, W2, b2),
            ),
        ),
        Mistake(
            "biases not counted",
            "The logits are right. The biases are learnt, too: count them.",
            lambda x, W1, b1, W2, b2: (W2 @ np.maximum(W1 @ x + b1, 0) + b2, _count(W1, W2)),
        ),
    ),
    verified="has the right logits and counts every parameter, for four networks",
)


# -- 05.3 to 05.5: softmax, loss, risk ------------------------------------------------------------


def _softmax_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([0.0, 1.0, 0.0]),))
    for m in (2, 4, 7):
        yield Case((rng.normal(size=m),))
    yield Case((np.array([1000.0, 998.5, 0.0]),), FAR)
    yield Case((np.array([-1000.0, -1001.5]),), FAR)
    # no mean, median or first logit is a shift that saves this one
    yield Case((np.array([0.0, 20000.0, -20000.0, 19998.5]),), FAR)


SOFTMAX = Function(
    identifier="05.3",
    title="Softmax",
    points=2,
    parameters=("oa",),
    cases=_softmax_cases,
    expected=F.softmax,
    known=(
        Mistake(
            "one index for two",
            "All outputs are equal. Is one letter both the class and the index of the sum? The "
            "loop of the sum overwrites it.",
            lambda oa: np.full(len(oa), np.exp(oa[-1]) / np.exp(oa).sum()),
        ),
        Mistake(
            "not shifted",
            "Right while the logits are small. Far out, `exp` is infinite, or zero, for the "
            "computer: what may be added to all logits without changing the quotient?",
            lambda oa: np.exp(oa) / np.exp(oa).sum(),
        ),
        Mistake(
            "shifted above only",
            "The exponents above the fraction line are shifted, those below are not: the quotient "
            "is another one.",
            lambda oa: np.exp(oa - oa.max()) / np.exp(oa).sum(),
        ),
        Mistake(
            "not normalised",
            "All positive, but their sum is not 1: what are they to be divided by?",
            np.exp,
        ),
        Mistake(
            "a sigmoid for each",
            "This is a sigmoid of each logit: the outputs do not sum to 1.",
            lambda oa: 1 / (1 + np.exp(-oa)),
        ),
    ),
    verified="sums to 1 and has the right parts, with logits up to 20,000",
)


def _loss_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([2.0, 0.0, 0.0]), 0))
    for m, y in ((3, 2), (4, 0), (6, 3)):
        yield Case((rng.normal(size=m), y))
    yield Case((np.array([1000.0, 0.0, 0.0]), 1), FAR)
    yield Case((np.array([-1000.0, -1001.0]), 0), FAR)
    yield Case((np.array([0.0, 20000.0, -20000.0]), 2), FAR)
    # exp(720) is infinite, exp(-720) is not yet 0
    yield Case((np.array([720.0, 0.0]), 1), FAR)


def _log_sum(oa: Array) -> Any:
    return oa.max() + np.log(np.exp(oa - oa.max()).sum())


LOSS = Function(
    identifier="05.4",
    title="The loss, from the logits",
    points=2,
    parameters=("oa", "y"),
    cases=_loss_cases,
    expected=F.cross_entropy,
    known=(
        Mistake(
            "not shifted",
            "Right while the logits are small. Far out, the sum of exponentials is infinite, or "
            "zero, for the computer: take the largest logit out of the logarithm first.",
            lambda oa, y: np.log(np.exp(oa).sum()) - oa[y],
        ),
        Mistake(
            "the true logit for the largest",
            "Right if the true class is near the top. You take its logit out of all exponentials; "
            "those of larger logits still overflow.",
            lambda oa, y: np.log(np.exp(oa - oa[y]).sum()),
        ),
        Mistake(
            "logarithm of a rounded zero",
            "Your softmax holds far out, but a probability of exp(-1000) is 0 for the computer, "
            "and its logarithm infinite. Simplify the logarithm of the quotient on paper.",
            lambda oa, y: -np.log(np.exp(oa[y] - oa.max()) / np.exp(oa - oa.max()).sum()),
        ),
        Mistake(
            "labels from 1",
            "Labels count from 0 here: which entry of `oa` belongs to class `y`?",
            lambda oa, y: _log_sum(oa) - oa[y - 1],
        ),
        Mistake(
            "shift not undone",
            "You take the largest logit out of the exponentials. It must be put back, outside the "
            "logarithm.",
            lambda oa, y: np.log(np.exp(oa - oa.max()).sum()) - oa[y],
        ),
        Mistake(
            "exponential missing",
            "There is a sum of logits under your logarithm: a sum of what should it be?",
            lambda oa, y: np.log(oa.sum()) - oa[y],
        ),
    ),
    verified="agrees with the package's cross-entropy, with logits up to 20,000",
)


def _risk_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([[2.0, 0.0, 0.0], [0.0, 0.0, 1.0]]), np.array([0, 1])))
    for n, m in ((5, 3), (3, 4), (7, 2)):
        yield Case((2 * rng.normal(size=(n, m)), rng.integers(0, m, n)))
    yield Case((rng.normal(size=(1, 3)), np.array([2])))


def _risk(Oa: Array, y: NDArray[np.int64]) -> float:
    losses = [float(F.cross_entropy(Oa[i], int(y[i]))) for i in range(len(y))]
    return sum(losses) / len(losses)


def _true_logits(Oa: Array, y: NDArray[np.int64]) -> Any:
    return Oa[np.arange(len(y)), y]


RISK = Function(
    identifier="05.5",
    title="The empirical risk",
    points=2,
    parameters=("Oa", "y"),
    cases=_risk_cases,
    expected=_risk,
    known=(
        Mistake(
            "one sum for all examples",
            "All exponentials of the sample are under one logarithm. Each example has a softmax, "
            "and a logarithm, of its own.",
            lambda Oa, y: np.log(np.exp(Oa).sum()) - _true_logits(Oa, y).mean(),
        ),
        Mistake(
            "log-sum-exp outside the mean",
            "The logarithm of the sum is that of one example only, outside the mean: it differs "
            "from example to example.",
            lambda Oa, y: np.log(np.exp(Oa[-1]).sum()) - _true_logits(Oa, y).mean(),
        ),
        Mistake(
            "mean inside the logarithm",
            "You take the logarithm of a mean over the examples; the risk is a mean of logarithms.",
            lambda Oa, y: np.log(np.exp(Oa).sum(axis=1).mean()) - _true_logits(Oa, y).mean(),
        ),
        Mistake(
            "sums over the examples",
            "Your exponentials are added up over the examples, class by class. A softmax adds up "
            "over the classes, along a row.",
            lambda Oa, y: np.log(np.exp(Oa).sum(axis=0)).mean() - _true_logits(Oa, y).mean(),
        ),
        Mistake(
            "labels from 1",
            "Labels count from 0 here: which column of `Oa` belongs to class `y[i]`?",
            lambda Oa, y: np.log(np.exp(Oa).sum(axis=1)).mean() - _true_logits(Oa, y - 1).mean(),
        ),
        Mistake(
            "every label for every example",
            "`Oa[:, y]` has n times n entries: every example with every label. One per row is "
            "wanted.",
            lambda Oa, y: np.log(np.exp(Oa).sum(axis=1)).mean() - Oa[:, y].mean(),
        ),
    ),
    verified="is the mean of the losses, in five samples, a sample of one among them",
)


# -- 05.6: gradient descent -----------------------------------------------------------------------

Rate = Callable[[int], float]
#: Ways to take a step; the first is right.
UPDATES: dict[str, str] = {
    "mean": "",
    "sum for mean": "The gradient of the risk is a mean over the batch; yours is a sum.",
    "a step per example": "`theta` moves after every example here. Batch gradient descent adds up "
    "the gradients of all examples at the same `theta`, and then takes one step.",
    "a whole step per example": "`theta` moves after every example here, as in stochastic gradient "
    "descent. An epoch of batch gradient descent is one step, along the mean gradient.",
    "gradient not reset": "The sum of gradients still holds those of earlier epochs: where does it "
    "start again from zero?",
    "uphill": "This climbs: against the gradient the risk falls.",
    "first rate for ever": "Every step has the first rate, `rate(0)`. Step t has `rate(t)`.",
    "rates from t = 1": "Your first step has `rate(1)`: t counts from 0.",
}


def _iterates(way: str, batch: list[Array], rate: Rate, steps: int) -> list[Array]:
    """The points through which a descent comes, the start included."""
    theta = np.array(descending.START)
    passed, total = [theta], np.zeros(2)
    for t in range(steps):
        eta = rate({"first rate for ever": 0, "rates from t = 1": t + 1}.get(way, t))
        if way in ("a step per example", "a whole step per example"):
            share = len(batch) if way == "a step per example" else 1
            for example in batch:
                theta = theta - eta / share * descending.slope(theta, example)
        else:
            slopes = np.sum([descending.slope(theta, example) for example in batch], axis=0)
            total = slopes + (total if way == "gradient not reset" else 0)
            share = 1 if way == "sum for mean" else len(batch)
            theta = theta - (-1 if way == "uphill" else 1) * eta / share * total
        passed.append(theta)
    return passed


def _size_of_gradient(theta: Array, batch: list[Array]) -> float:
    mean = np.mean([descending.slope(theta, example) for example in batch], axis=0)
    return float(np.linalg.norm(mean))


def _descend(
    answer: Callable[..., Any], batch: list[Array], rate: Rate, epsilon: float, most: int
) -> tuple[Array, int, str]:
    """What the answer returns, and a sentence about it."""
    start = np.array(descending.START)
    told = (
        f"It was given {len(batch)} examples, theta = {list(descending.START)}, "
        f"{rate.__name__}, epsilon = {epsilon:g}, max_epochs = {most}"
    )
    try:
        value = answer(descending.slope, batch, start, rate, epsilon, most)
    except AnswerError as error:
        if error.kind != "EndlessLoop":
            raise AnswerError(error.kind, f"{error.message} ({told})", error.line) from None
        raise Wrong(
            "Your loop does not end; it was stopped after 20,000 gradients. Does something count "
            f"the epochs, in each round? {told}.",
            "endless loop",
        ) from None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise Wrong(f"Two results, `return theta, epochs`, are asked for. {told}.")
    theta, epochs = value
    if not isinstance(theta, np.ndarray) or theta.shape != (2,) or theta.dtype.kind != "f":
        raise Wrong(f"The first result, `theta`, should be an array of shape (2,). {told}.")
    if not isinstance(epochs, (int, np.integer)) or isinstance(epochs, bool):
        raise Wrong(f"The second result, the number of epochs, should be an integer. {told}.")
    return theta, int(epochs), f"{told}, and returned epochs = {epochs}."


def _examine_steps(theta: Array, epochs: int, told: str, batch: list[Array], rate: Rate) -> None:
    """After exactly three epochs, which no stopping rule cuts short."""
    if not epochs and np.array_equal(theta, np.array(descending.START)):
        raise Wrong(
            "It stops before the first step. A loop goes on while the gradient is large, and "
            f"stops when it is small. {told}",
            "stopping rule reversed",
        )
    for way, message in UPDATES.items():
        if message and np.allclose(theta, _iterates(way, batch, rate, 3)[3], rtol=1e-9):
            raise Wrong(f"{message} {told}", way)
    passed = _iterates("mean", batch, rate, 6)
    done = [t for t, point in enumerate(passed) if np.allclose(theta, point, rtol=1e-9)]
    if not done:
        raise Wrong(
            "`theta` is not where three steps of the mean gradient lead, with the rates of "
            f"t = 0, 1, 2. {told}"
        )
    if done[0] != 3:
        words = f"Steps that led to this `theta`: {done[0]}. At most 3 are allowed, and needed"
        if done[0] == 1:
            raise Wrong(f"{words}: does a `return` stand inside the loop? {told}")
        raise Wrong(f"{words}. {told}", "off by one" if done[0] in (2, 4) else "")
    if epochs != 3:
        raise Wrong(f"`theta` is right; it took 3 epochs. {told}", "miscounted")


def _examine_descent(answer: Callable[..., Any], rng: Generator) -> None:
    fixed = [np.array([1.0, 0.0]), np.array([2.0, 1.0]), np.array([1.0, -1.0])]
    drawn = [np.array([rng.uniform(0.5, 2), rng.normal()]) for _ in range(5)]
    # both entries of the gradient are equal: their largest is not its norm
    diagonal = [np.array([1.0, 1.0]), np.array([2.0, 2.0])]
    shrinking, steady = descending.shrinking_rate, descending.steady_rate
    for batch in (fixed, drawn):
        result = _descend(answer, batch, shrinking, 0.0, 3)
        _examine_steps(*result, batch, shrinking)
    for batch, rate, epsilon, most in (
        (fixed, shrinking, 0.01, 60),
        (drawn, shrinking, 0.01, 60),
        (fixed, steady, 0.05, 1000),
        (drawn, steady, 0.05, 1000),
        (diagonal, steady, 0.05, 1000),
    ):
        theta, epochs, told = _descend(answer, batch, rate, epsilon, most)
        passed = _iterates("mean", batch, rate, most)
        sizes = [_size_of_gradient(point, batch) for point in passed]
        due = next((t for t, size in enumerate(sizes) if size <= epsilon), most)
        if not 0 <= epochs <= most or not np.allclose(theta, passed[epochs], rtol=1e-9):
            raise Wrong(f"`theta` is not where so many epochs lead. {told}")
        short = any(rate(t) * sizes[t] <= epsilon for t in (epochs - 1, epochs) if t >= 0)
        if epochs < due and short:
            raise Wrong(
                f"It has stopped where the gradient has norm {sizes[epochs]:.1g}. A step is short "
                f"near a minimum, or when the rate is small: look at the gradient. {told}",
                "short step for small gradient",
            )
        if epochs < due:
            raise Wrong(
                "It has stopped too early: the norm of the mean gradient is still "
                f"{sizes[epochs]:.2g}. {told}"
            )
        if epochs > due + 1:
            raise Wrong(
                "It went on although the norm of the mean gradient was below epsilon. Which "
                f"gradient do you look at, and which norm? {told}"
            )


DESCENT = Task(
    identifier="05.6",
    title="Batch gradient descent",
    points=3,
    examination=_examine_descent,
    named=(
        "endless loop",
        "stopping rule reversed",
        *(way for way, message in UPDATES.items() if message),
        "off by one",
        "miscounted",
        "short step for small gradient",
    ),
    verified="takes the right steps and stops in time, with a steady and with a shrinking rate",
)


# -- 05.7 and 05.8: the adjoint of the logits -----------------------------------------------------

_TOTAL = "(exp(a) + exp(b) + exp(c))"

ONE_LOGIT = Formula(
    identifier="05.7",
    title="The loss, differentiated in one logit",
    points=2,
    variables={
        "a": (0.0, 1.0, -2.0, 3.0),
        "b": (0.0, -1.0, 2.0, 1.5),
        "c": (0.0, 2.0, 0.5, -3.0),
        "t": (0, 1, 1, 0),
    },
    expected=derivative("log(exp(a) + exp(b) + exp(c)) - t * a", "a"),
    known=(
        Mistake(
            "exponential missing",
            "What is the derivative of the sum of exponentials in `a`? It stands above the "
            "fraction line, and it is not `a`.",
            f"a / {_TOTAL} - t",
        ),
        Mistake(
            "inner derivative missing",
            "The derivative of a logarithm is one over what is inside, times the derivative of "
            "what is inside.",
            f"1 / {_TOTAL} - t",
        ),
        Mistake(
            "true class forgotten",
            "This is right for the wrong classes. The true one has another term in the loss.",
            f"exp(a) / {_TOTAL}",
        ),
        Mistake(
            "true class everywhere",
            "This is right for the true class. For the others, does the first term of the loss "
            "depend on their logit?",
            f"exp(a) / {_TOTAL} - 1",
        ),
        Mistake(
            "softmax for loss",
            "This is how the output moves with its own logit. How does the loss move?",
            f"exp(a) * (exp(b) + exp(c)) / {_TOTAL}**2",
        ),
    ),
    functions=("exp", "log"),
    verified="is the derivative, to twenty-five digits at twelve places, for both cases",
)


COLUMN = "for a column, of shape (m, 1)"


def _logit_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([0.5, 0.25, 0.25]), 1))
    for m, y in ((4, 0), (3, 2), (6, 3)):
        yield Case((F.softmax(rng.normal(size=m)), y))
    yield Case((np.array([[0.25], [0.75]]), 1), COLUMN)
    yield Case((F.softmax(rng.normal(size=(4, 1)), axis=0), 2), COLUMN)


def _adjoint_of_logits(os: Array, y: int) -> Array:
    adjoint = grad(lambda oa: F.cross_entropy(oa, y))(np.log(os.ravel()))
    return np.reshape(adjoint, os.shape)


def _less_onehot(os: Array, place: int) -> Array:
    """The outputs minus a one-hot vector; no one anywhere for a place that there is not."""
    return np.asarray(os - (np.arange(len(os)) == place).reshape(os.shape))


LOGITS = Function(
    identifier="05.8",
    title="The adjoint of the logits",
    points=2,
    parameters=("os", "y"),
    cases=_logit_cases,
    expected=_adjoint_of_logits,
    known=(
        Mistake(
            "labels from 1",
            "Your 1 stands one place too early, and nowhere for class 0: labels count from 0 here.",
            lambda os, y: _less_onehot(os, y - 1),
        ),
        Mistake(
            "labels from 1, counted round",
            "Your 1 stands one place too early; for class 0 it lands on the last, since index -1 "
            "counts from the end. Labels count from 0 here.",
            lambda os, y: _less_onehot(os, (y - 1) % len(os)),
        ),
        Mistake(
            "matrix from a column",
            "Right for vectors. A column (m, 1) minus a vector (m,) is a matrix (m, m) for NumPy, "
            "without any error.",
            lambda os, y: os - np.eye(len(os))[y],
        ),
        Mistake(
            "matrix from a vector",
            "Right for columns. A vector (m,) minus a column (m, 1) is a matrix (m, m) for NumPy, "
            "without any error.",
            lambda os, y: os - np.eye(len(os))[:, [y]],
        ),
        Mistake(
            "derivative in the outputs",
            "This is the adjoint of the outputs `os`. The softmax lies between them and the "
            "logits.",
            lambda os, y: (_less_onehot(os, y) - os) / os,
        ),
    ),
    verified="is the engine's gradient of the loss in the logits, as a vector and as a column",
)


# -- 05.9 and 05.10: the output layer -------------------------------------------------------------


def _moved_cases(rng: Generator) -> Iterator[Case]:
    yield Case((0, 1, np.array([0.5, 0.25, 0.25]), np.array([1.0, 2.0])))
    for k, j, m, d_h in ((1, 0, 2, 4), (2, 3, 4, 5), (3, 1, 5, 3)):
        yield Case((k, j, F.softmax(rng.normal(size=m)), rng.uniform(0.5, 2, size=d_h)))


def _moved_outputs(k: int, j: int, os: Array, hs: Array) -> tuple[Array, Array]:
    oa, none = np.log(os), np.zeros((len(os), len(hs)))
    in_W = jacobian(lambda W: F.softmax(oa + F.linear(hs, W)))(none)
    in_b = jacobian(lambda b: F.softmax(oa + b))(np.zeros(len(os)))
    return in_W[:, k, j].copy(), in_b[:, k].copy()


def _diagonal_only(k: int, j: int, os: Array, hs: Array) -> tuple[Array, Array]:
    alone = (os - os**2) * (np.arange(len(os)) == k)
    return alone * hs[j], alone


MOVED_OUTPUTS = Function(
    identifier="05.9",
    title="One weight moves, all outputs follow",
    points=3,
    parameters=("k", "j", "os", "hs"),
    cases=_moved_cases,
    expected=_moved_outputs,
    known=(
        Mistake(
            "diagonal only",
            "Output `k` is right, the others stay where they are. But they sum to 1: if one moves, "
            "others must.",
            _diagonal_only,
        ),
        Mistake(
            "one output",
            "These are two numbers, for output `k` alone. There are m outputs, and all of them "
            "move.",
            lambda k, j, os, hs: ((os[k] - os[k] ** 2) * hs[j], os[k] - os[k] ** 2),
        ),
        Mistake(
            "each with its own logit",
            "Entry `i` is how output `i` moves with logit `i`. Only logit `k` moves here.",
            lambda k, j, os, hs: ((os - os**2) * hs[j], os - os**2),
        ),
        Mistake(
            "loss for outputs",
            "That is how the *loss* moves with each logit, were `k` the true class. How do the "
            "outputs move?",
            lambda k, j, os, hs: (_less_onehot(os, k) * hs[j], _less_onehot(os, k)),
        ),
    ),
    verified="agrees with the engine's Jacobian of the outputs, in four networks",
)


def _outer_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([-0.5, 0.5]), np.array([1.0, 2.0, 0.0])))
    for m, d_h in ((4, 2), (3, 5), (3, 3)):
        yield Case((rng.normal(size=m), rng.normal(size=d_h)))


def _output_gradients(grad_oa: Array, hs: Array) -> tuple[Array, Array]:
    m, d_h = len(grad_oa), len(hs)
    return _pull(grad_oa, hs, np.zeros((m, d_h)), np.zeros(m))[1:]


OUTPUT_GRADIENTS = Function(
    identifier="05.10",
    title="The gradients of the output layer",
    points=2,
    parameters=("grad_oa", "hs"),
    cases=_outer_cases,
    expected=_output_gradients,
    known=(
        Mistake(
            "transpose of a vector",
            "`.T` does nothing to a vector of shape (d_h,), and `np.dot` of two vectors is their "
            "scalar product. Which product of a column and a row do you want?",
            lambda grad_oa, hs: (np.dot(grad_oa, hs.T), grad_oa),
        ),
        Mistake(
            "entry by entry",
            "`*` pairs entry with entry. Every logit meets every hidden output: there are m times "
            "d_h products.",
            lambda grad_oa, hs: (grad_oa * hs, grad_oa),
        ),
        Mistake(
            "one for the bias",
            "1 is how the *logit* moves with its bias. By the chain rule, what multiplies it on "
            "the way from the loss?",
            lambda grad_oa, hs: (np.outer(grad_oa, hs), np.ones(len(grad_oa))),
        ),
        Mistake(
            "bias times hidden outputs",
            "The weights' gradient is right. What stands next to the bias in the logit, in the "
            "place where a weight has a hidden output?",
            lambda grad_oa, hs: (np.outer(grad_oa, hs), np.outer(grad_oa, hs).sum(axis=1)),
        ),
    ),
    verified="agrees with the engine's gradients, in four networks",
)


# -- 05.11 and 05.12: back to the hidden outputs --------------------------------------------------


def _unit_cases(rng: Generator) -> Iterator[Case]:
    W2 = np.array([[1.0, 0.0, 2.0], [3.0, -1.0, 0.0]])
    yield Case((0, np.array([0.25, 0.75]), 1, W2))
    for j, y, m, d_h in ((1, 0, 3, 4), (2, 3, 4, 6), (0, 2, 3, 5)):
        yield Case((j, F.softmax(rng.normal(size=m)), y, rng.normal(size=(m, d_h))))


def _unit_adjoint(j: int, os: Array, y: int, W2: Array) -> float:
    oa = np.log(os)
    adjoint = grad(lambda hs: F.cross_entropy(oa + F.linear(hs, W2), y))(np.zeros(W2.shape[1]))
    return float(adjoint[j])


HIDDEN_UNIT = Function(
    identifier="05.11",
    title="What arrives at one hidden unit",
    points=1,
    parameters=("j", "os", "y", "W2"),
    cases=_unit_cases,
    expected=_unit_adjoint,
    known=(
        Mistake(
            "true class left out of the sum",
            "The true class is left out of the sum of all outputs: it has a term there, *and* the "
            "one with the minus.",
            lambda j, os, y, W2: os @ W2[:, j] - (1 + os[y]) * W2[y, j],
        ),
        Mistake(
            "target forgotten",
            "These are the believed weights; the true class does not occur.",
            lambda j, os, y, W2: os @ W2[:, j],
        ),
        Mistake(
            "indices exchanged",
            "`W2[k, j]` leads from hidden unit `j` to class `k`. You take row `j`: the weights "
            "into class `j`.",
            lambda j, os, y, W2: os @ W2[j, : len(os)] - W2[j, y],
        ),
    ),
    verified="agrees with the engine's gradient in one hidden output, in four networks",
)


def _back_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([-0.5, 0.5]), np.array([[1.0, 0.0, 2.0], [3.0, -1.0, 0.0]])))
    for m, d_h in ((4, 2), (3, 5), (3, 3)):
        yield Case((rng.normal(size=m), rng.normal(size=(m, d_h))))


def _back(g: Array, W: Array) -> Array:
    return _pull(g, np.zeros(W.shape[1]), W, np.zeros(len(W)))[0]


HIDDEN_OUTPUTS = Function(
    identifier="05.12",
    title="Back to the hidden outputs",
    points=1,
    parameters=("grad_oa", "W2"),
    cases=_back_cases,
    expected=_back,
    known=(
        Mistake(
            "not transposed",
            "`W2 @` leads forward, from the hidden layer to the logits. On the way back, a hidden "
            "unit collects along *its* weights: a row of `W2`, or a column?",
            lambda grad_oa, W2: W2 @ grad_oa,
        ),
        Mistake(
            "not added up",
            "All products are there. A hidden unit feeds every logit: what comes back from them "
            "adds up.",
            lambda grad_oa, W2: W2.T * grad_oa,
        ),
    ),
    verified="agrees with the engine's gradient in the hidden outputs, in four networks",
)


# -- 05.13 and 05.14: back through the rectifier --------------------------------------------------

GATE = Formula(
    identifier="05.13",
    title="The gate, for one unit",
    points=1,
    variables={
        "h": (-2.0, 0.0, 3.0, -0.5, 1.0, 0.0),
        "g": (1.0, 2.0, -1.5, -1.0, 2.5, -3.0),
    },
    expected="g * (h > 0)",
    known=(
        Mistake(
            "maximum for its indicator",
            "You applied the rectifier itself; its derivative is asked for. What does that look "
            "like, as a function of `h`?",
            "g * max(h, 0)",
        ),
        Mistake(
            "gate on the gradient",
            "Your gate looks at the sign of `g`. What decides is whether the unit was on.",
            "max(g, 0)",
        ),
        Mistake("no gate", "A unit that is off passes nothing back.", "g"),
    ),
    functions=("abs", "max", "min", "sign", "relu"),
    special={0: "at h = 0, the kink"},
    verified="is the adjoint, on both sides of the kink and at it",
)


def _gate_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([1.0, 2.0, -3.0]), np.array([0.5, -1.0, 2.0])))
    for d_h in (4, 6):
        signs = np.where(np.arange(d_h) % 2, 1.0, -1.0)
        yield Case((rng.normal(size=d_h), signs * rng.uniform(0.1, 2, d_h)))
    yield Case((np.array([1.0, -2.0]), np.array([0.0, 3.0])), "at the kink, where ha is 0")
    yield Case((np.array([1.0, -2.0]), np.array([-1e-300, 1e-300])), "for a unit barely on or off")


def _through_relu(grad_hs: Array, ha: Array) -> Array:
    return np.asarray(grad(lambda ha: ad.sum(F.relu(ha) * grad_hs))(ha))


HIDDEN_ACTIVATIONS = Function(
    identifier="05.14",
    title="Back through the rectifier",
    points=1,
    parameters=("grad_hs", "ha"),
    cases=_gate_cases,
    expected=_through_relu,
    known=(
        Mistake(
            "maximum for its indicator",
            "You multiply by the rectifier itself; its derivative is asked for. What does that "
            "look like, as a function of `ha`?",
            lambda grad_hs, ha: grad_hs * np.maximum(ha, 0),
        ),
        Mistake(
            "gate on the gradient",
            "Your gate looks at the sign of `grad_hs`. What decides is whether the unit was on.",
            lambda grad_hs, ha: np.maximum(grad_hs, 0),
        ),
        Mistake(
            "adjoint forgotten",
            "This is the slope of the rectifier alone. What arrives is multiplied by it.",
            lambda grad_hs, ha: (ha > 0).astype(float),
        ),
        Mistake(
            "diag, entry by entry",
            "`np.diag(...)` is a matrix of shape (d_h, d_h): it takes a matrix product to apply it "
            "to a vector. Without `diag`, `*` would do.",
            lambda grad_hs, ha: np.diag(ha > 0) * grad_hs,
        ),
    ),
    verified="agrees with the engine's gradient before the rectifier, at the kink as well",
)


# -- 05.15 to 05.17: the first layer, and the input -----------------------------------------------


def _tensor_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([0.5, -1.0]), np.array([1.0, 2.0, 3.0])))
    for d_h, d in ((4, 2), (3, 5)):
        ha = rng.uniform(0.1, 2, d_h) * np.where(np.arange(d_h) == 1, -1.0, 1.0)
        yield Case((ha, rng.normal(size=d)))


def _moved_hidden(ha: Array, x: Array) -> tuple[Array, Array]:
    none = np.zeros((len(ha), len(x)))
    in_W = jacobian(lambda W: F.relu(ha + F.linear(x, W)))(none)
    in_b = jacobian(lambda b: F.relu(ha + b))(np.zeros(len(ha)))
    return in_W, in_b


def _tensor(gate: Array, x: Array) -> tuple[Array, Array]:
    in_b = np.diag(gate)
    return in_b[:, :, None] * x, in_b


MOVED_HIDDEN = Function(
    identifier="05.15",
    title="A derivative with three indices",
    points=3,
    parameters=("ha", "x"),
    cases=_tensor_cases,
    expected=_moved_hidden,
    known=(
        Mistake(
            "matrix for the tensor",
            "These are the derivatives of each unit in its *own* weights. There are d_h outputs "
            "and d_h d weights: most of the derivatives are 0, and they have a place, too.",
            lambda ha, x: (np.outer(ha > 0, x), (ha > 0).astype(float)),
        ),
        Mistake(
            "maximum, and a matrix",
            "Two things: `np.maximum(0, ha)` is the rectifier, not its derivative; and these are "
            "only the derivatives of each unit in its own weights.",
            lambda ha, x: (np.outer(np.maximum(ha, 0), x), np.maximum(ha, 0)),
        ),
        Mistake(
            "maximum for its indicator",
            "Everything is in its place, but `np.maximum(0, ha)` is the rectifier, not its "
            "derivative.",
            lambda ha, x: _tensor(np.maximum(ha, 0), x),
        ),
        Mistake(
            "units mixed",
            "Here every weight moves every unit. The weights `W1[j]` enter `ha[j]` alone.",
            lambda ha, x: (
                (ha > 0)[:, None, None] * np.ones((1, len(ha), 1)) * x,
                (ha > 0)[:, None] * np.ones(len(ha)),
            ),
        ),
    ),
    verified="agrees with the engine's Jacobians of the hidden outputs, in three networks",
)


def _first_cases(rng: Generator) -> Iterator[Case]:
    G = np.array([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0]])
    yield Case((G, np.array([[1.0], [2.0]])))
    for n, d_h, d in ((4, 2, 3), (3, 5, 2), (5, 3, 3)):
        yield Case((rng.normal(size=(n, d_h)), rng.normal(size=(n, d))))
    yield Case((rng.normal(size=(1, 3)), rng.normal(size=(1, 4))), "for a batch of one")


def _first_gradients(grad_Ha: Array, X: Array) -> tuple[Array, Array]:
    d_h, d = grad_Ha.shape[1], X.shape[1]
    return _pull(grad_Ha, X, np.zeros((d_h, d)), np.zeros(d_h))[1:]


FIRST_GRADIENTS = Function(
    identifier="05.16",
    title="The gradients of the first layer, for a batch",
    points=2,
    parameters=("grad_Ha", "X"),
    cases=_first_cases,
    expected=_first_gradients,
    known=(
        Mistake(
            "factors exchanged",
            "The product is the right one, seen in a mirror: the gradient of `W1` has the shape of "
            "`W1`, (d_h, d).",
            lambda grad_Ha, X: (X.T @ grad_Ha, grad_Ha.sum(axis=0)),
        ),
        Mistake(
            "bias not summed",
            "One bias vector serves all examples of the batch, and each sends something back to "
            "it: its gradient has its shape, (d_h,).",
            lambda grad_Ha, X: (grad_Ha.T @ X, grad_Ha),
        ),
        Mistake(
            "bias averaged",
            "The weights are right, and the bias is treated in another way: the 1/n of the risk is "
            "in `grad_Ha` already.",
            lambda grad_Ha, X: (grad_Ha.T @ X, grad_Ha.mean(axis=0)),
        ),
        Mistake(
            "bias over the wrong axis",
            "Rows are examples, columns are hidden units. Along which do you add up?",
            lambda grad_Ha, X: (grad_Ha.T @ X, grad_Ha.sum(axis=1)),
        ),
    ),
    verified="agrees with the engine's gradients, for five batches, one of a single example",
)


def _input_cases(rng: Generator) -> Iterator[Case]:
    yield Case((np.array([1.0, 0.0, -1.0]), np.array([[1.0, 2.0], [5.0, 5.0], [0.0, 3.0]])))
    for d_h, d in ((5, 2), (4, 3), (3, 3), (2, 4)):
        yield Case((rng.normal(size=d_h), rng.normal(size=(d_h, d))))


def _sum_to_d(grad_ha: Array, W1: Array) -> Array:
    d = W1.shape[1]
    return np.array([sum(grad_ha[k] * W1[k, i] for k in range(d)) for i in range(d)])


INPUT = Function(
    identifier="05.17",
    title="The gradient in the input",
    points=1,
    parameters=("grad_ha", "W1"),
    cases=_input_cases,
    expected=_back,
    known=(
        Mistake(
            "sum to d",
            "Your sum has d terms. It runs over what the input feeds: how many of those are there?",
            _sum_to_d,
        ),
        Mistake(
            "not transposed",
            "`W1 @` leads forward, from the input to the hidden units. On the way back, an input "
            "collects along the weights that leave it.",
            lambda grad_ha, W1: W1 @ grad_ha,
        ),
    ),
    verified="agrees with the engine's gradient in the input, with d below and above d_h",
)


# -- 05.18: the penalty ---------------------------------------------------------------------------


def _penalty_cases(rng: Generator) -> Iterator[Case]:
    Hs, G = np.array([[1.0], [0.0], [2.0]]), np.array([[-1.0, 1.0], [0.5, -0.5], [0.0, 0.0]])
    yield Case((Hs, G, np.array([[2.0], [-1.0]]), 0.1, 0.01))
    for n, m, d_h, lasso, ridge in (
        (4, 3, 5, 0.3, 0.05),
        (5, 2, 3, 0.2, 0.0),
        (7, 4, 2, 0.0, 0.3),
        (2, 3, 4, 0.7, 0.2),
    ):
        W2 = rng.normal(size=(m, d_h))
        yield Case((rng.normal(size=(n, d_h)), rng.normal(size=(n, m)), W2, lasso, ridge))
    some = np.array([[0.0, 2.0], [-1.0, 0.0], [0.5, 1.0]])
    G = rng.normal(size=(4, 3))
    yield Case((rng.normal(size=(4, 2)), G, some, 0.5, 0.1), "where a weight is 0")


def _penalised(Hs: Array, grad_Oa: Array, W2: Array, lasso: float, ridge: float) -> Any:
    def risk(W: Any, b: Any) -> Any:
        # linear in the logits, with the slopes that are given: it has the risk's gradient
        data = ad.mean(ad.sum(F.linear(Hs, W, b) * grad_Oa, axis=1))
        return data + lasso * ad.sum(abs(W)) + ridge * ad.sum(W * W)

    return tuple(grad(risk, (0, 1))(W2, np.zeros(len(W2))))


def _with(data: float, penalty: Callable[[int, Array, float, float], Array]) -> Callable[..., Any]:
    """Wrong answers: data terms that are means (0) or sums (1), and a penalty's gradient."""

    def answer(Hs: Array, G: Array, W2: Array, lasso: float, ridge: float) -> tuple[Array, Array]:
        n = len(Hs)
        share = n ** (data - 1.0)
        return share * G.T @ Hs + penalty(n, W2, lasso, ridge), share * G.sum(axis=0)

    return answer


def _elastic(W: Array, lasso: float, ridge: float) -> Array:
    return np.asarray(lasso * np.sign(W) + 2 * ridge * W)


PENALTY = Function(
    identifier="05.18",
    title="An elastic net on the weights",
    points=3,
    parameters=("Hs", "grad_Oa", "W2", "lambda_1", "lambda_2"),
    cases=_penalty_cases,
    expected=_penalised,
    known=(
        Mistake(
            "no sign",
            "`lambda_1` is added everywhere: a negative weight would be pushed away from 0, for "
            "ever. What is the derivative of an absolute value?",
            _with(0, lambda n, W, lasso, ridge: lasso + 2 * ridge * W),
        ),
        Mistake(
            "mean missing",
            "The penalty is right; the rest is a sum over the examples, where the risk has a mean.",
            _with(1, lambda n, W, lasso, ridge: _elastic(W, lasso, ridge)),
        ),
        Mistake(
            "penalty counted n times",
            "Each example brings the penalty along. It belongs to the risk, once, and not to the "
            "loss of an example.",
            _with(0, lambda n, W, lasso, ridge: n * _elastic(W, lasso, ridge)),
        ),
        Mistake(
            "penalty averaged",
            "The 1/n belongs to the mean of the losses; the penalty stands outside it.",
            _with(0, lambda n, W, lasso, ridge: _elastic(W, lasso, ridge) / n),
        ),
        Mistake(
            "factor 2 lost",
            "Nearly: what is the derivative of a square?",
            _with(0, lambda n, W, lasso, ridge: lasso * np.sign(W) + ridge * W),
        ),
        Mistake(
            "penalty not differentiated",
            "You add the penalty itself, entry by entry; its derivative is asked for.",
            _with(0, lambda n, W, lasso, ridge: lasso * abs(W) + ridge * W**2),
        ),
        Mistake(
            "penalty forgotten",
            "This is the gradient of the risk without its penalty.",
            _with(0, lambda n, W, lasso, ridge: np.zeros_like(W)),
        ),
    ),
    verified="agrees with the engine's gradient of the penalised risk, in six samples",
)


EXERCISES: tuple[Exercise, ...] = (
    HIDDEN_LAYER,
    OUTPUT_LAYER,
    SOFTMAX,
    LOSS,
    RISK,
    DESCENT,
    ONE_LOGIT,
    LOGITS,
    MOVED_OUTPUTS,
    OUTPUT_GRADIENTS,
    HIDDEN_UNIT,
    HIDDEN_OUTPUTS,
    GATE,
    HIDDEN_ACTIVATIONS,
    MOVED_HIDDEN,
    FIRST_GRADIENTS,
    INPUT,
    PENALTY,
)
