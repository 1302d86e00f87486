"""What is compared with PyTorch: one table, our side and PyTorch's side of each case in one place.

``record.py`` runs PyTorch's side and writes ``vectors.json``; ``test_torch_vectors.py`` runs ours
and compares. Inputs are drawn when recording, and stored with the results.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import minimlcourse.autodiff as ad
import minimlcourse.functional as F
from minimlcourse import optim
from minimlcourse.optim import lr_scheduler as schedules

Draw = Callable[[np.random.Generator], np.ndarray]


@dataclass
class Case:
    """A function of some inputs: its value, gradient and Hessian-vector product are recorded."""

    name: str  # of our function: this is what counts as covered
    note: str
    inputs: tuple[Draw, ...]
    ours: Callable[..., Any]  # of the inputs and options
    torch: Callable[..., Any]  # of the module torch, the inputs and options
    options: dict[str, Any] = field(default_factory=dict)
    second: bool = True

    @property
    def label(self) -> str:
        words = [self.note] if self.note else []
        words += [
            f"{key}={value}"
            for key, value in self.options.items()
            if not isinstance(value, np.ndarray)
        ]
        return ": ".join([self.name, ", ".join(words)] if words else [self.name])


CASES: list[Case] = []


def case(
    name: str,
    *inputs: Draw,
    note: str = "",
    ours: Callable[..., Any] | None = None,
    torch: Callable[..., Any] | None = None,
    second: bool = True,
    **options: Any,
) -> None:
    """Add a case; by default both sides have a function of this name, with the same options."""
    ours = ours or getattr(F if name in F.__all__ else ad, name)
    torch = torch or (lambda t, *xs, **options: getattr(t, name)(*xs, **options))
    CASES.append(Case(name, note, inputs, ours, torch, options, second))


def normal(*shape: int) -> Draw:
    return lambda rng: rng.normal(size=shape)


def positive(*shape: int) -> Draw:
    return lambda rng: rng.uniform(0.3, 3.0, size=shape)


def given(*values: Any) -> Draw:
    """These values: a tie, a kink, an extreme."""
    return lambda rng: np.array(values, dtype=np.float64)


# -- arithmetic ------------------------------------------------------------------------------------


def symbol(name: str, *inputs: Draw, note: str, f: Callable[..., Any]) -> None:
    """A formula in Python's operators, which both sides understand."""
    case(name, *inputs, note=note, ours=f, torch=lambda t, *xs: f(*xs))


for a, b in [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2, 2)), ((4,), ())]:
    inputs, note = (positive(*a), positive(*b)), f"{a} and {b}"
    symbol("add", *inputs, note=note, f=lambda x, y: x + y)
    symbol("subtract", *inputs, note=note, f=lambda x, y: x - y)
    symbol("multiply", *inputs, note=note, f=lambda x, y: x * y)
    symbol("divide", *inputs, note=note, f=lambda x, y: x / y)
x = positive(2, 3)
symbol("add", x, note="numbers and itself", f=lambda x: (2.5 + x) + (x + 2.5) + (x + x))
symbol("subtract", x, note="numbers and itself", f=lambda x: (2.5 - x) + (x - 2) + (x - x))
symbol("multiply", x, note="numbers and itself", f=lambda x: (2.5 * x) + (x * 2) + (x * x))
symbol("divide", x, note="numbers and itself", f=lambda x: (2.5 / x) + (x / 2) + (x / x))
symbol("negative", x, note="", f=lambda x: -x)
for k in (0, 1, 2, 3, -1, 0.5, -1.5):
    symbol("power", x, note=f"exponent {k}", f=lambda x, k=k: x**k)
for k in (0, 1, 2, 3):
    symbol("power", given(0, -2, 1.5), note=f"exponent {k}, at 0", f=lambda x, k=k: x**k)
symbol("power", normal(2, 3), note="a number as base", f=lambda x: 2.0**x)
symbol("power", x, normal(3), note="both vary", f=lambda x, k: x**k)
case(
    "power",
    given(0, 0, 0, 2),
    given(0, 1, 2, 0),
    note="both vary, at 0",
    torch=lambda t, x, k: x**k,
    second=False,  # PyTorch has nan
)
for a, b in [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((4, 2, 3), (4, 3, 2)),
    ((4, 2, 3), (3, 2)),
    ((2, 3), (4, 3, 2)),
    ((2, 1, 2, 3), (4, 3, 2)),
    ((3,), (4, 3, 2)),
    ((4, 2, 3), (3,)),
]:
    case("matmul", normal(*a), normal(*b), note=f"{a} @ {b}")

# -- elementwise functions -------------------------------------------------------------------------

for name in ("exp", "expm1", "sin", "cos", "tanh"):
    case(name, normal(2, 3))
    case(name, given(-9, -0.001, 0, 0.001, 9), note="small and large")
for name in ("log", "log1p", "sqrt"):
    case(name, positive(2, 3))
    case(name, given(0.001, 0.1, 1, 1e6), note="small and large")
for name in ("sign", "absolute", "abs"):
    case(name, normal(2, 3))
    case(name, given(-2, 0, 3), note="at 0")
case("normal_cdf", given(-30, -6, -1, 0, 0.5, 6), torch=lambda t, x: t.special.ndtr(x))
for draw, note in [(normal(3, 4), ""), (given(-40, -5, 0, 5, 40), "tails and 0")]:
    case("relu", draw, note=note)
    case("sigmoid", draw, note=note)
    # PyTorch's own softplus is linear beyond 20, and off by 2e-9 there.
    case("softplus", draw, note=note, torch=lambda t, x: t.logaddexp(x, t.zeros_like(x)))
    for kind in ("none", "tanh"):
        case(
            "gelu",
            draw,
            note=note,
            torch=lambda t, x, approximate: t.nn.functional.gelu(x, approximate=approximate),
            approximate=kind,
        )
    case(
        "gelu",
        draw,
        note=note,
        torch=lambda t, x, approximate: x * t.sigmoid(1.702 * x),
        approximate="sigmoid",
    )

# -- choosing --------------------------------------------------------------------------------------

MASK = np.array([[True, False, True], [False, False, True]])
for a, b in [((2, 3), (2, 3)), ((3,), (2, 1)), ((), (2, 3))]:
    case(
        "where",
        normal(*a),
        normal(*b),
        note=f"{a} and {b}",
        ours=lambda x, y: ad.where(MASK, x, y),
        torch=lambda t, x, y: t.where(t.from_numpy(MASK), x, y),
    )
for name in ("maximum", "minimum"):
    case(name, normal(2, 3), normal(3))
    case(name, given(1, 2, 3), given(1, 5, 0), note="one tie")
for low, high in [(-0.5, 0.5), (None, 0.5), (-0.5, None)]:
    case(
        "clip",
        given(-2, -0.5, -0.1, 0.3, 0.5, 2),
        note="inside, outside and on the limits",
        torch=lambda t, x, low, high: t.clamp(x, low, high),
        low=low,
        high=high,
    )

# -- reductions ------------------------------------------------------------------------------------


def twin(name: str) -> Callable[..., Any]:
    """PyTorch's reduction of this name, with NumPy's words for the options."""

    def reduce(t: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        dim = tuple(range(x.ndim)) if axis is None else axis
        return getattr(t, name)(x, dim=dim, keepdim=keepdims)

    return reduce


def torch_var(t: Any, x: Any, axis: Any, keepdims: bool, ddof: int) -> Any:
    return t.var(x, dim=axis, keepdim=keepdims, correction=ddof)


for axis in (None, 0, -1, (0, 2), (0, 1, 2)):
    for keepdims in (False, True):
        options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
        case("sum", normal(2, 3, 2), torch=twin("sum"), **options)
        case("mean", normal(2, 3, 2), torch=twin("mean"), **options)
        case("max", normal(2, 3, 2), torch=twin("amax"), **options)
        case("min", normal(2, 3, 2), torch=twin("amin"), **options)
        case("logsumexp", normal(2, 3, 2), torch=twin("logsumexp"), **options)
        case("var", normal(2, 3, 2), torch=torch_var, **options, ddof=0)
        case("var", normal(2, 3, 2), torch=torch_var, **options, ddof=1)
        if isinstance(axis, int):
            case("prod", normal(2, 3, 2), torch=twin("prod"), **options)
ZEROS = given([1, 2, 3], [0, 2, 3], [0, 2, 0])
case("prod", ZEROS, note="no, one and two zeros", torch=twin("prod"), axis=1)
case("prod", normal(2, 3), note="all axes")
case("prod", normal(2, 3, 2), torch=lambda t, x, axis: x.prod(2).prod(0), axis=(0, 2))
TIES = given([1, 2, 2], [2, 2, 1], [1, 1, 1])
for axis in (None, 0, 1):
    case("max", TIES, note="ties share", torch=twin("amax"), axis=axis)
    case("min", TIES, note="ties share", torch=twin("amin"), axis=axis)
LARGE = given([1000, 999, -1000], [-800, -800.5, -803])
for name in ("softmax", "log_softmax"):
    for axis in (0, 1, -1):
        case(name, normal(3, 4, 2), axis=axis)
    case(name, LARGE, note="large numbers", axis=1)
case("logsumexp", LARGE, note="large numbers", torch=twin("logsumexp"), axis=1)

# -- shapes ----------------------------------------------------------------------------------------

for shape in [(2, 3), (4, 2, 3)]:
    case(
        "broadcast_to",
        normal(1, 3),
        torch=lambda t, x, shape: t.broadcast_to(x, shape),
        shape=shape,
    )
case(
    "astype",
    normal(2, 3),
    note="float64 to float32 and back",
    ours=lambda x: ad.astype(ad.astype(x, dtype=np.float32), dtype=np.float64),
    torch=lambda t, x: x.to(t.float32).to(t.float64),
)
for shape in [(3, 4), (-1, 2), (12,), (2, 1, 6)]:
    case("reshape", normal(2, 6), shape=shape)
case("squeeze", normal(2, 1, 3, 1))
for axis in (1, -1, (1, 3)):
    case("squeeze", normal(2, 1, 3, 1), torch=lambda t, x, axis: t.squeeze(x, axis), axis=axis)
for axis in (0, 1, -1):
    case("expand_dims", normal(2, 3), torch=lambda t, x, axis: t.unsqueeze(x, axis), axis=axis)
for axes in (None, (1, 2, 0), (0, -1, 1)):
    case(
        "transpose",
        normal(2, 3, 4),
        torch=lambda t, x, axes: t.permute(x, axes or (2, 1, 0)),
        axes=axes,
    )
symbol("transpose", normal(2, 3), note=".T", f=lambda x: x.T)
symbol("swapaxes", normal(2, 3, 4), note="", f=lambda x: x.swapaxes(0, -1))
ROWS, COLUMNS = np.array([2, 0, 2, 1]), np.array([1, 3, 1, 0])
KEEP = np.array([True, False, True])
CELLS = np.array([[1, 0, 1, 1], [0, 0, 0, 1], [1, 0, 0, 0]], dtype=bool)
x = normal(3, 4)
symbol("getitem", x, note="an integer", f=lambda x: x[1])
symbol("getitem", x, note="a negative integer", f=lambda x: x[-1])
symbol("getitem", x, note="a slice", f=lambda x: x[1:3])
symbol("getitem", x, note="slices with a step", f=lambda x: x[::2, 1::2])
symbol("getitem", x, note="integer and slice", f=lambda x: x[1, :2])
symbol("getitem", x, note="None and an ellipsis", f=lambda x: x[None, ..., 0])
symbol("getitem", x, note="one element", f=lambda x: x[2, 3])
symbol("getitem", x, note="rows, one twice", f=lambda x: x[ROWS])
symbol("getitem", x, note="a list of rows", f=lambda x: x[[2, 0, 2]])
symbol("getitem", x, note="cells, one twice", f=lambda x: x[ROWS, COLUMNS])
symbol("getitem", x, note="slice and columns", f=lambda x: x[:2, COLUMNS])
symbol("getitem", x, note="a mask of rows", f=lambda x: x[KEEP])
symbol("getitem", x, note="a mask of cells", f=lambda x: x[CELLS])
case(
    "getitem",
    x,
    note="backwards",
    ours=lambda x: x[::-1, ::-1],
    torch=lambda t, x: t.flip(x, (0, 1)),
)


def joined(name: str, torch_name: str, axis: int, *shapes: tuple[int, ...]) -> None:
    function = getattr(ad, name)
    case(
        name,
        *(normal(*shape) for shape in shapes),
        ours=lambda *xs, axis: function(xs, axis=axis),
        torch=lambda t, *xs, axis: getattr(t, torch_name)(xs, dim=axis),
        axis=axis,
    )


joined("concatenate", "cat", 0, (2, 3), (1, 3), (3, 3))
joined("concatenate", "cat", 1, (2, 1), (2, 3))
joined("concatenate", "cat", -1, (2, 2), (2, 1))
for axis in (0, 1, -1):
    joined("stack", "stack", axis, (2, 3), (2, 3))
case(
    "pad",
    normal(2, 3),
    note="rows and columns",
    ours=lambda x: ad.pad(x, ((1, 0), (2, 3)), value=-1.5),
    torch=lambda t, x: t.nn.functional.pad(x, (2, 3, 1, 0), value=-1.5),
)
case(
    "pad",
    normal(2, 3),
    note="the same on all sides",
    ours=lambda x: ad.pad(x, 1),
    torch=lambda t, x: t.nn.functional.pad(x, (1, 1, 1, 1)),
)

# -- layers and losses -----------------------------------------------------------------------------


def torch_linear(t: Any, *xs: Any) -> Any:
    return t.nn.functional.linear(*xs)


for shape in [(5, 3), (3,), (2, 4, 3)]:
    case("linear", normal(*shape), normal(2, 3), normal(2), note=f"{shape}", torch=torch_linear)
case("linear", normal(5, 3), normal(2, 3), note="no bias", torch=torch_linear)


def loss(
    name: str,
    *inputs: Draw,
    note: str,
    torch: str,
    before: Callable[..., Any] = lambda t, x: x,
    **options: Any,
) -> None:
    """A loss, called ``torch`` there, of what ``before`` makes of the input."""

    def there(t: Any, x: Any, *others: Any, target: Any = None, reduction: str) -> Any:
        if target is not None:
            others = (t.from_numpy(target),)
        return getattr(t.nn.functional, torch)(before(t, x), *others, reduction=reduction)

    for reduction in ("mean", "sum", "none"):
        case(name, *inputs, note=note, torch=there, **options, reduction=reduction)


LABELS = np.array([2, 0, 3, 3, 1])
LABEL_GRID = np.array([[2, 0, 3], [3, 1, 0]])
SHARES = np.array([[0.1, 0.2, 0.3, 0.4], [0, 1, 0, 0], [0.25] * 4, [0, 0, 0.5, 0.5], [1, 0, 0, 0]])
BITS = np.array([[0.0, 1.0, 1.0], [0.3, 0.0, 1.0]])
EXTREME = given([1000, -1000, 0, 500], [-1000, -1001, -1002, -5000])

loss("mse", normal(4, 2), normal(4, 2), note="two Tensors", torch="mse_loss")
for draw, note in [(normal(2, 3), ""), (given([-90, 90, -90], [0, 30, 2]), "extreme logits")]:
    name = "binary_cross_entropy_with_logits"
    loss(name, draw, note=note, torch=name, target=BITS)
for draw, note, target in [
    (normal(5, 4), "classes", LABELS),
    (normal(5, 4), "probabilities", SHARES),
    (EXTREME, "extreme logits", LABELS[:2]),
]:
    loss("cross_entropy", draw, note=note, torch="cross_entropy", target=target)
loss(
    "cross_entropy",
    normal(2, 3, 4),
    note="classes on a grid",
    torch="cross_entropy",
    before=lambda t, x: x.movedim(-1, 1),
    target=LABEL_GRID,
)
loss("nll", normal(5, 4), note="", torch="nll_loss", target=LABELS)

# -- optimizers: 50 steps of a layer tanh(x W' + b) ------------------------------------------------

STEPS = 50


@dataclass
class Run:
    """An optimizer with its arguments; ``twin`` is PyTorch's name for it.

    ``skip``: the second parameter has no gradient in every skip-th step. ``clip``: the norm that
    the gradient is clipped to.
    """

    ours: type[optim.Optimizer]
    twin: str
    arguments: dict[str, Any]
    skip: int = 0
    clip: float = 0.0

    @property
    def label(self) -> str:
        given = [f"{key}={value}" for key, value in self.arguments.items()]
        given += [f"{key}={getattr(self, key)}" for key in ("skip", "clip") if getattr(self, key)]
        return f"{self.ours.__name__}({', '.join(given)})"


RUNS = [
    Run(optim.SGD, "SGD", {}),
    Run(optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9}),
    Run(optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    Run(optim.SGD, "SGD", {"lr": 0.1, "weight_decay": 0.05}),
    Run(optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "nesterov": True}),
    Run(optim.SGD, "SGD", {"lr": 0.1, "momentum": 0.9}, skip=3),
    Run(optim.SGD, "SGD", {"lr": 0.5}, clip=0.2),
    Run(optim.RMSProp, "RMSprop", {}),
    Run(optim.RMSProp, "RMSprop", {"lr": 0.02, "alpha": 0.9, "eps": 1e-3}),
    Run(optim.RMSProp, "RMSprop", {"lr": 0.01, "momentum": 0.9}),
    Run(optim.RMSProp, "RMSprop", {"lr": 0.01, "momentum": 0.5, "weight_decay": 0.05}, skip=3),
    Run(optim.Adam, "Adam", {}),
    Run(optim.Adam, "Adam", {"lr": 0.05, "betas": (0.8, 0.99), "eps": 1e-3}),
    Run(optim.Adam, "Adam", {"lr": 0.05, "weight_decay": 0.05}),
    Run(optim.Adam, "Adam", {"lr": 0.05, "betas": (0.0, 0.9)}),
    Run(optim.Adam, "Adam", {"lr": 0.05}, skip=3),
    Run(optim.AdamW, "AdamW", {}),
    Run(optim.AdamW, "AdamW", {"lr": 0.05, "weight_decay": 0.3}),
    Run(optim.AdamW, "AdamW", {"lr": 0.05, "weight_decay": 0.3}, skip=3, clip=0.2),
]

# -- schedules: the learning rate at steps 0 to 50 -------------------------------------------------


@dataclass
class Schedule:
    """A schedule made for an optimizer; PyTorch's twin is made from its module of schedules."""

    label: str
    ours: Callable[[optim.Optimizer], schedules.LRScheduler]
    torch: Callable[[Any, Any], Any]


SCHEDULES = [
    Schedule(
        "StepLR: step_size=7",
        lambda o: schedules.StepLR(o, 7),
        lambda s, o: s.StepLR(o, 7),
    ),
    Schedule(
        "StepLR: step_size=1, gamma=0.9",
        lambda o: schedules.StepLR(o, 1, gamma=0.9),
        lambda s, o: s.StepLR(o, 1, gamma=0.9),
    ),
    Schedule(
        "CosineAnnealingLR: T_max=50",
        lambda o: schedules.CosineAnnealingLR(o, 50),
        lambda s, o: s.CosineAnnealingLR(o, 50),
    ),
    Schedule(
        "CosineAnnealingLR: T_max=12, beyond T_max, eta_min=0.01",
        lambda o: schedules.CosineAnnealingLR(o, 12, eta_min=0.01),
        lambda s, o: s.CosineAnnealingLR(o, 12, eta_min=0.01),
    ),
    Schedule(
        "CosineAnnealingWarmRestarts: T_0=8",
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 8),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 8),
    ),
    Schedule(
        "CosineAnnealingWarmRestarts: T_0=3, T_mult=2, eta_min=0.01",
        lambda o: schedules.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
        lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2, eta_min=0.01),
    ),
    Schedule(
        "LinearWarmup: defaults",
        lambda o: schedules.LinearWarmup(o),
        lambda s, o: s.LinearLR(o),
    ),
    Schedule(
        "LinearWarmup: 10 steps from 0.01, then CosineAnnealingLR",
        lambda o: schedules.LinearWarmup(
            o, 10, start_factor=0.01, after=schedules.CosineAnnealingLR(o, 40)
        ),
        lambda s, o: s.SequentialLR(
            o, [s.LinearLR(o, 0.01, total_iters=10), s.CosineAnnealingLR(o, 40)], milestones=[10]
        ),
    ),
]
