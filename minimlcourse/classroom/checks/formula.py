"""A formula that a student types: read without being run, and compared in sixty digits.

Sixty digits leave no doubt: two different formulas that agree at a dozen points to thirty digits
are one function, and a derivative can be had from a difference quotient alone.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import (
    Context,
    Decimal,
    DecimalException,
    DivisionByZero,
    InvalidOperation,
    Overflow,
    localcontext,
)
from typing import Any

import numpy as np

from minimlcourse.classroom.checks.exercise import Exercise, Mistake, NotAnswered, Wrong

__all__ = ["FUNCTIONS", "Formula", "derivative", "evaluate", "parse"]

_MAX_LENGTH = 300
_CONTEXT = Context(prec=60, traps=[DivisionByZero, InvalidOperation, Overflow])
_CLOSE = Decimal("1e-25")


def _tanh(x: Decimal) -> Decimal:
    decay = (-2 * abs(x)).exp()
    return ((1 - decay) / (1 + decay)).copy_sign(x)


def _sign(x: Decimal) -> Decimal:
    return Decimal((x > 0) - (x < 0))


def _sigmoid(x: Decimal) -> Decimal:
    return 1 / (1 + (-x).exp())


def _softplus(x: Decimal) -> Decimal:
    return max(x, Decimal(0)) + (1 + (-abs(x)).exp()).ln()


#: What a formula may call, by name.
FUNCTIONS: dict[str, Callable[..., Decimal]] = {
    "exp": Decimal.exp,
    "log": Decimal.ln,
    "sqrt": Decimal.sqrt,
    "abs": abs,
    "sign": _sign,
    "tanh": _tanh,
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "relu": lambda x: max(x, Decimal(0)),
    "max": max,
    "min": min,
}

_BINARY: dict[type[ast.operator], Callable[[Decimal, Decimal], Decimal]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Decimal, Decimal], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def parse(text: str, variables: Mapping[str, object], functions: Mapping[str, object]) -> ast.expr:
    """Read a formula with Python's parser, and refuse all but numbers, names, + - * / ** and calls.

    A comparison in parentheses is an indicator, 1 or 0: ``(x > 0)``.

    Raises
    ------
    ValueError
        In words for whoever typed it.
    """
    if len(text) > _MAX_LENGTH:
        raise ValueError(f"it has {len(text)} characters, {_MAX_LENGTH} are enough")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else "it is nested too deeply"
        raise ValueError(f"it cannot be read: {reason}") from None
    _refuse(tree, variables, functions)
    return tree


def _refuse(
    node: ast.expr, variables: Mapping[str, object], functions: Mapping[str, object]
) -> None:
    parts: list[ast.expr]
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return
        case ast.Name(id=name):
            if name in variables:
                return
            if name in functions:
                raise ValueError(f"{name} is a function: write {name}(...)")
            raise ValueError(f"{name} is unknown here; {_known(variables)}")
        case ast.BinOp(op=ast.BitXor()):
            raise ValueError("^ is not a power in Python: write x**2")
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            parts = [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            parts = [operand]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            parts = [left, right]
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in functions:
            count = 2 if name in ("max", "min") else 1
            if len(parts) != count:
                raise ValueError(f"{name} takes {count} argument{'s' * (count > 1)}")
        case ast.Call(func=ast.Name(id=name)) if name in variables:
            raise ValueError(f"a product needs its sign: write {name} * (...)")
        case ast.Call(func=ast.Name(id=name)):
            may = f"what may is {', '.join(functions)}" if functions else "no function is needed"
            raise ValueError(f"{name} may not be used here; {may}")
        case ast.Call(func=ast.Attribute(attr=name)):
            raise ValueError(f"write {name}(...), with no module before it")
        case ast.Tuple():
            raise ValueError("there is a comma in it; the decimal sign is a point: 0.5")
        case ast.Compare():
            raise ValueError("put each comparison into parentheses of its own: (x > 0)")
        case _:
            raise ValueError(f"'{ast.unparse(node)}' is not part of a formula")
    for part in parts:
        _refuse(part, variables, functions)


def _known(variables: Mapping[str, object]) -> str:
    names = ", ".join(variables)
    return f"the variable is {names}" if len(variables) == 1 else f"the variables are {names}"


def evaluate(node: ast.expr, values: Mapping[str, Decimal]) -> Decimal:
    """The value of a formula that :func:`parse` has read, in sixty digits.

    Raises
    ------
    ArithmeticError
        Where it has no value.

    Examples
    --------
    >>> tree = parse("(x > 0) * log(x)", ["x"], FUNCTIONS)
    >>> round(evaluate(tree, {"x": Decimal(2)}), 20)
    Decimal('0.69314718055994530942')
    """
    with localcontext(_CONTEXT):
        return _value(node, values)


def _value(node: ast.expr, values: Mapping[str, Decimal]) -> Decimal:
    match node:
        case ast.Constant(value=number):
            return Decimal(repr(number))
        case ast.Name(id=name):
            return values[name]
        case ast.BinOp(left=left, op=op, right=right):
            base, other = _value(left, values), _value(right, values)
            if isinstance(op, ast.Pow) and not base and not other:
                return Decimal(1)
            return _BINARY[type(op)](base, other)
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, values)
            return -value if isinstance(op, ast.USub) else value
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return Decimal(int(_COMPARE[type(op)](_value(left, values), _value(right, values))))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
    raise TypeError(f"{ast.dump(node)} was not read by parse")


def derivative(text: str, variable: str) -> Callable[[Mapping[str, Decimal]], Decimal]:
    """The derivative of a formula in one variable, by a central difference in sixty digits.

    The step is 1e-20, so that the error is of the order of 1e-40. At a kink it is the mean of the
    slopes on both sides.

    Examples
    --------
    >>> slope = derivative("x**3", "x")
    >>> round(slope({"x": Decimal(2)}), 20)
    Decimal('12.00000000000000000000')
    """

    def slope(values: Mapping[str, Decimal]) -> Decimal:
        tree = parse(text, values, FUNCTIONS)
        with localcontext(_CONTEXT):
            step = Decimal("1e-20")
            ahead = _value(tree, {**values, variable: values[variable] + step})
            behind = _value(tree, {**values, variable: values[variable] - step})
            return (ahead - behind) / (2 * step)

    return slope


@dataclass(frozen=True, kw_only=True)
class Formula(Exercise):
    """A formula is asked for, typed as a Python expression.

    Attributes
    ----------
    variables : dict
        From the name of each variable to the values to begin with; each is tried with each of the
        others' at the same place, then random ones between the smallest and the largest of them.
        Integers alone make random integers.
    expected : str or callable
        A formula for the right value, or a function from the values of the variables to it, such
        as :func:`derivative` returns.
    known : tuple of Mistake
        Their ``answer`` is a formula.
    functions : tuple of str
        What the formula may call.
    special : dict
        Which values of the (single) variable a nearly right formula may miss, and how to call
        them: ``{0: "at the kink"}``.
    """

    variables: Mapping[str, tuple[float, ...]]
    expected: str | Callable[[Mapping[str, Decimal]], Decimal]
    known: tuple[Mistake, ...] = ()
    functions: tuple[str, ...] = ("exp", "log", "sqrt", "abs", "tanh")
    special: Mapping[float, str] = field(default_factory=dict)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """The names of the mistakes that it knows."""
        return tuple(mistake.name for mistake in self.known)

    def examine(self, answer: Any, rng: np.random.Generator) -> None:
        """Compare the formula with what is expected, at fixed points and at random ones."""
        if not isinstance(answer, str):
            raise Wrong(
                f"A formula between quotes is asked for, this is a {type(answer).__name__}."
            )
        if not answer.strip():
            raise NotAnswered
        allowed = {name: FUNCTIONS[name] for name in self.functions}
        try:
            tree = parse(answer, self.variables, allowed)
        except ValueError as error:
            raise Wrong(f"This formula cannot be used: {error}.") from None
        points = self._points(rng)
        wrong = [point for point in points if not self._right_at(tree, point)]
        if not wrong:
            return
        for mistake in self.known:
            assert isinstance(mistake.answer, str)
            other = parse(mistake.answer, self.variables, FUNCTIONS)
            if all(_same(_try(tree, point), _try(other, point)) for point in points):
                raise Wrong(mistake.message, mistake.name)
        raise Wrong(self._tell(tree, wrong, points))

    def _points(self, rng: np.random.Generator) -> list[dict[str, Decimal]]:
        columns = []
        for values in self.variables.values():
            low, high = min(values), max(values)
            if all(isinstance(value, int) for value in values):
                more = rng.integers(int(low), int(high), 8, endpoint=True).tolist()
            else:
                more = rng.uniform(low, high, 8).round(12).tolist()
            columns.append([Decimal(repr(value)) for value in [*values, *more]])
        return [dict(zip(self.variables, row, strict=True)) for row in zip(*columns, strict=True)]

    def _should_be(self, point: Mapping[str, Decimal]) -> Decimal:
        if callable(self.expected):
            return self.expected(point)
        return evaluate(parse(self.expected, self.variables, FUNCTIONS), point)

    def _right_at(self, tree: ast.expr, point: Mapping[str, Decimal]) -> bool:
        return _same(_try(tree, point), self._should_be(point))

    def _tell(
        self,
        tree: ast.expr,
        wrong: list[dict[str, Decimal]],
        points: list[dict[str, Decimal]],
    ) -> str:
        """Say what all wrong values have in common."""
        if undefined := [point for point in wrong if _try(tree, point) is None]:
            return f"Your formula has no value at {_place(undefined[0])}."
        pairs = [(evaluate(tree, point), self._should_be(point)) for point in wrong]
        ratios = [value / target if abs(target) > _CLOSE else None for value, target in pairs]
        told = f"it gives {float(pairs[0][0]) + 0.0:.6g} at {_place(wrong[0])}"
        calls = {self.special.get(float(next(iter(point.values()))), "") for point in wrong}
        if len(wrong) < len(points) and len(calls) == 1 and (when := calls.pop()):
            return f"Right everywhere but {when}: {told}."
        elsewhere = [point for point in points if point not in wrong]
        if any(abs(self._should_be(point)) > _CLOSE for point in elsewhere):
            return f"This is another function: {told}, which is not right."
        if all(_same(ratio, Decimal(-1)) for ratio in ratios):
            return f"The sign is wrong: {told}."
        if ratios[0] and all(_same(ratio, ratios[0]) for ratio in ratios[1:]):
            return f"A constant factor is wrong: {told}."
        return f"This is another function: {told}, which is not right."


def _place(point: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name} = {float(value):.6g}" for name, value in point.items())


def _try(tree: ast.expr, point: Mapping[str, Decimal]) -> Decimal | None:
    try:
        return evaluate(tree, point)
    except (ArithmeticError, DecimalException):
        return None


def _same(a: Decimal | None, b: Decimal | None) -> bool:
    if a is None or b is None:
        return a is b
    with localcontext(_CONTEXT):
        return abs(a - b) <= _CLOSE * max(abs(b), Decimal("1e-3"))
