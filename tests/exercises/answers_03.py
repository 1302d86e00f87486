"""Answers to the exercises of lesson 03."""

import numpy as np
from catalogue import right, wrong

right("03.1", "(tanh(x / 2) + 1) / 2", "0.5 + 0.5 * tanh(0.5 * x)", "1 - (1 - tanh(x/2)) / 2")
wrong("03.1", "argument not halved", "0.5 * (1 + tanh(x))")
wrong("03.1", "argument doubled", "1/2 * (1 + tanh(2*x))")
wrong("03.1", "range from -1 to 1", "tanh(0.5 * x)")
wrong("03.1", "range from 0 to 2", "1 + tanh(x / 2)")
wrong("03.1", "falls instead of rising", "0.5 - 0.5 * tanh(x / 2)")
wrong("03.1", "", "1 / (1 + exp(-x))", says="exp may not be used here; what may is tanh")
wrong("03.1", "", "sigmoid(x)", says="sigmoid may not be used here")
wrong("03.1", "", "(tanh(x/2) + 1", says="cannot be read")

right("03.2", "-softplus(-x)", "x - softplus(x)", "0 - softplus(0 - x)")
wrong("03.2", "sign of the argument", "-softplus(x)")
wrong("03.2", "sign in front", "softplus(-x)")
wrong("03.2", "", "log(sigmoid(x))", says="log may not be used here; what may is softplus")
wrong("03.2", "", "1 / softplus(-x)", says="another function")

right("03.3", "s * (1 - s)", "s - s**2", "0.25 - (s - 0.5)**2")
wrong("03.3", "the inner minus lost", "s*s - s")
wrong("03.3", "slope of the tangent", "(1 - s) * (1 + s)")
wrong("03.3", "", "s(1 - s)", says="write s * (...)")
wrong("03.3", "", "s * (1 + s)", says="another function")
wrong("03.3", "", "x * (1 - x)", says="x is unknown here; the variable is s")

right("03.4", "1 - t**2", "(1 - t) * (1 + t)", "1 - t * t")
wrong("03.4", "slope of the sigmoid", "t - t*t")
wrong("03.4", "square lost", "1 - t")
wrong("03.4", "", "t**2 - 1", says="The sign is wrong")
wrong("03.4", "", "1 - t^2", says="write x**2")

right("03.5", "(x > 0) - (x < 0)", "2*(x > 0) + (x == 0) - 1", "(x >= 0) - (x <= 0)")
wrong("03.5", "+1 at zero", "2*(x > 0) + 2*(x == 0) - 1", "2*(x >= 0) - 1")
wrong("03.5", "-1 at zero", "(x > 0) - (x <= 0)", "2*(x > 0) - 1")
wrong("03.5", "+1 on both sides", "(x > 0) - (-1)*(x < 0)")
wrong("03.5", "", "(x > 0.5) - (x < -0.5)", says="it gives 0 at x = -0.01")
wrong("03.5", "", "2*(x > 0.5) + (x == 0) - 1", says="it gives -1 at x = 0.01")
wrong("03.5", "", "(x < 0) - (x > 0)", says="The sign is wrong")
wrong("03.5", "", "x / abs(x)", says="abs may not be used here")
wrong("03.5", "", "(x > 0)", says="This is another function")


# -- 03.6


@right("03.6")
def by_sign(x):
    return np.sign(x)


@right("03.6")
def by_indicators(x):
    return (x > 0).astype(float) - (x < 0)


@right("03.6")
def by_cases(x):
    slope = np.zeros(x.shape)
    slope[x > 0] = 1
    slope[x < 0] = -1
    return slope


@wrong("03.6", "+1 at the kink")
def right_slope(x):
    return 2.0 * (x >= 0) - 1


@wrong("03.6", "-1 at the kink")
def left_slope(x):
    return 2.0 * (x > 0) - 1


@wrong("03.6", "divided by zero")
def quotient(x):
    return np.abs(x) / x


@wrong("03.6", says="Right everywhere but at x = ±1e-300")
def no_division_by_zero(x):
    return x / (np.abs(x) + 1e-12)


@wrong("03.6", "the function")
def absolute(x):
    return x * np.sign(x)


@wrong("03.6", says="raised ValueError")
def scalar_if(x):
    if x > 0:
        return 1.0
    return -1.0


@wrong("03.6", says="True and False")
def mask(x):
    return x > 0


# -- 03.7


@right("03.7")
def indicator(x):
    return (x > 0).astype(float)


@right("03.7")
def where(x):
    return np.where(x > 0, 1.0, 0.0)


@right("03.7")
def heaviside(x):
    return np.heaviside(x, 0.0)


@wrong("03.7", "maximum for its indicator")
def rectifier(x):
    return x * (x > 0)


@wrong("03.7", "1 at the kink")
def closed(x):
    return np.where(x < 0, 0.0, 1.0)


@wrong("03.7", "slope of |x|")
def both_sides(x):
    return np.where(x > 0, 1.0, np.where(x < 0, -1.0, 0.0))


@wrong("03.7", says="True and False; numbers are asked for: `.astype(float)`")
def not_yet_numbers(x):
    return x > 0


@wrong("03.7", says="Right everywhere but at the kink, x = 0")
def half_way(x):
    return (np.sign(x) + 1) / 2


# -- 03.8


@right("03.8")
def twice(x):
    return 2 * x


@right("03.8")
def sum_of_two(x):
    return x + x


@right("03.8")
def by_matrix(x):
    return (np.eye(len(x)) + np.eye(len(x)).T) @ x


@wrong("03.8", "gradient of the norm itself")
def unit_vector(x):
    return x / np.sqrt(np.sum(x**2))


@wrong("03.8", "the function")
def value(x):
    return np.linalg.norm(x) ** 2


@wrong("03.8", says="0.5 times what it should be")
def factor_lost(x):
    return x


@wrong("03.8", "mean for sum")
def like_a_loss(x):
    return 2 / x.size * x


@wrong("03.8", says="some signs are not")
def sizes(x):
    return 2 * np.abs(x)


@wrong("03.8", says="shape (1, 3), shape (3,) is asked for")
def as_a_row(x):
    return 2 * x[None]


# -- 03.9


@right("03.9")
def componentwise(x):
    return np.sign(x)


@right("03.9")
def loop(x):
    return np.array([(xi > 0) * 1.0 - (xi < 0) for xi in x])


@right("03.9")
def half_planes(x):
    return np.heaviside(x, 0.5) * 2 - 1


@wrong("03.9", "absolute values")
def terms(x):
    return abs(x)


@wrong("03.9", "ones")
def no_sign(x):
    return np.ones(len(x))


@wrong("03.9", "mean for sum")
def averaged(x):
    return np.sign(x) / x.size


@wrong("03.9", "divided by zero")
def nan_at_zero(x):
    return x / abs(x)


@wrong("03.9", says="an index off by one")
def turned_round(x):
    return np.sign(x)[::-1]


@wrong("03.9", says="some signs are not")
def sign_of_the_sum(x):
    return np.sign(x.sum()) + 0 * x


# -- 03.10


@right("03.10")
def logaddexp(x):
    return -np.logaddexp(0, -x)


@right("03.10")
def two_sides(x):
    small = np.log1p(np.exp(-np.abs(x)))
    return np.where(x > 0, 0, x) - small


@right("03.10")
def minimum(x):
    return np.minimum(x, 0) - np.log1p(np.exp(np.minimum(x, -x)))


@right("03.10")
def each_side_by_itself(x):
    out = np.empty_like(x)
    right_half = x >= 0
    out[right_half] = -np.log1p(np.exp(-x[right_half]))
    out[~right_half] = x[~right_half] - np.log1p(np.exp(x[~right_half]))
    return out


@wrong("03.10", "digits lost")
def without_log1p(x):
    return np.minimum(x, 0) - np.log(1 + np.exp(-np.abs(x)))


@wrong("03.10", "digits lost", says="at x = 37 digits are lost: yours is 0")
def cut_off(x):
    return np.where(x < -500, x, np.log(1 / (1 + np.exp(-x))))


@wrong("03.10", "digits lost", says="digits are lost")
def as_a_difference(x):
    return x - np.logaddexp(0, x)


@wrong("03.10", "overflow to the left")
def naive(x):
    s = 1 / (1 + np.exp(-x))
    return np.log(s)


@wrong("03.10", "overflow to the left")
def half_way_there(x):
    return -np.log1p(np.exp(-x))


@wrong("03.10", "overflow to the right")
def other_side(x):
    return x - np.log1p(np.exp(x))


@wrong("03.10", says="far to the left")
def clipped(x):
    return np.log(np.maximum(1 / (1 + np.exp(-x)), 1e-300))


@wrong("03.10", says="The sign is wrong")
def softplus(x):
    return np.logaddexp(0, -x)


# -- 03.11


@right("03.11")
def by_cases_again(x, g):
    return np.where(x == 0, abs(g) <= 1, g == np.sign(x))


@right("03.11")
def by_logic(x, g):
    return ((x > 0) & (g == 1)) | ((x < 0) & (g == -1)) | ((x == 0) & (g >= -1) & (g <= 1))


@right("03.11")
def by_inequality(x, g):
    return (np.abs(g) <= 1) & (g * x == np.abs(x))


@wrong("03.11", "the convention alone")
def gradient_only(x, g):
    return np.sign(x) == g


@wrong("03.11", "the interval everywhere")
def everywhere(x, g):
    return (g >= -1) & (g <= 1)


@wrong("03.11", "open interval")
def strict(x, g):
    return ((x == 0) & (-1 < g) & (g < 1)) | ((x != 0) & (g == np.sign(x)))


@wrong("03.11", says="Right everywhere but at the kink")
def any_slope_at_the_kink(x, g):
    return (x == 0) | (g == np.sign(x))


@wrong("03.11", says="is wrong: yours is True")
def either_slope(x, g):
    return np.where(x == 0, abs(g) <= 1, abs(g) == 1)


@wrong("03.11", says="True and False are asked for")
def numbers(x, g):
    return by_cases_again(x, g).astype(float)


# -- 03.12


@right("03.12")
def sums(W):
    return np.sum(W**2), np.sum(np.abs(W))


@right("03.12")
def norms_of_the_vector(W):
    return np.linalg.norm(W) ** 2, np.linalg.norm(W.ravel(), 1)


@right("03.12")
def by_trace(W):
    return np.trace(W.T @ W), (W * np.sign(W)).sum()


@wrong("03.12", "operator norms")
def linalg(W):
    return np.linalg.norm(W, ord=2) ** 2, np.linalg.norm(W, ord=1)


@wrong("03.12", "operator norms, not squared")
def linalg_again(W):
    return np.linalg.norm(W, 2), np.linalg.norm(W, 1)


@wrong("03.12", "largest stretch")
def spectral(W):
    return np.linalg.norm(W, 2) ** 2, np.sum(np.abs(W))


@wrong("03.12", "largest column sum")
def one_of_two(W):
    return np.linalg.norm(W) ** 2, np.linalg.norm(W, 1)


@wrong("03.12", says="has shape (2,), a single number is asked for")
def pythons_sum(W):
    return sum(W**2), sum(abs(W))


@wrong("03.12", "norm without its square")
def frobenius(W):
    return np.linalg.norm(W), np.abs(W).sum()


@wrong("03.12", "signs not removed")
def plain_sum(W):
    return (W**2).sum(), W.sum()


@wrong("03.12", says="2 results")
def one_number(W):
    return (W**2).sum()
