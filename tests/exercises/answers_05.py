"""Answers to the exercises of lesson 05, derivation."""

import math

import numpy as np
from catalogue import right, wrong

import minimlcourse.functional as F
from minimlcourse import Tensor

# -- 05.1


@right("05.1")
def matrix_form(x, W1, b1):
    ha = W1 @ x + b1
    return ha, np.maximum(ha, 0)


@right("05.1")
def component_form(x, W1, b1):
    ha = b1.copy()
    for j in range(W1.shape[0]):
        for i in range(W1.shape[1]):
            ha[j] += W1[j, i] * x[i]
    return ha, np.where(ha > 0, ha, 0.0)


@right("05.1")
def with_the_package(x, W1, b1):
    ha = F.linear(x, W1, b1)
    return [ha, ha * (ha > 0)]


@wrong("05.1", "rectifier forgotten")
def no_rectifier(x, W1, b1):
    ha = np.dot(W1, x) + b1
    hs = ha
    return ha, hs


@wrong("05.1", "indicator for the rectifier")
def only_the_gate(x, W1, b1):
    ha = W1.dot(x) + b1
    return ha, np.where(ha > 0, 1.0, 0.0)


@wrong("05.1", "weights transposed")
def from_the_left(x, W1, b1):
    ha = x @ W1 + b1
    return ha, np.maximum(0, ha)


@wrong("05.1", says="2 results, `return a, b`, are asked for")
def only_hs(x, W1, b1):
    return np.maximum(0, W1 @ x + b1)


@wrong("05.1", says="In part 2")
def absolute_value(x, W1, b1):
    ha = W1 @ x + b1
    return ha, abs(ha)


# -- 05.2


@right("05.2")
def two_maps(x, W1, b1, W2, b2):
    hs = np.maximum(W1 @ x + b1, 0)
    return W2 @ hs + b2, W1.size + b1.size + W2.size + b2.size


@right("05.2")
def with_sizes(x, W1, b1, W2, b2):
    d_h, d = W1.shape
    m = len(b2)
    hs = F.relu(F.linear(x, W1, b1))
    oa = np.array([b2[k] + sum(W2[k, j] * hs[j] for j in range(d_h)) for k in range(m)])
    return oa, d_h * d + d_h + m * d_h + m


@right("05.2")
def in_one_sum(x, W1, b1, W2, b2):
    ha = np.einsum("ji,i->j", W1, x) + b1
    oa = np.einsum("kj,j->k", W2, ha * (ha > 0)) + b2
    return oa, np.sum([np.prod(p.shape) for p in (W1, b1, W2, b2)])


@wrong("05.2", "rectifier forgotten")
def two_affine_maps(x, W1, b1, W2, b2):
    ha = W1 @ x + b1
    return W2 @ ha + b2, W1.size + b1.size + W2.size + b2.size


@wrong("05.2", "logits rectified")
def rectified_twice(x, W1, b1, W2, b2):
    def layer(z, W, b):
        return np.maximum(0, W @ z + b)

    return layer(layer(x, W1, b1), W2, b2), sum(p.size for p in (W1, b1, W2, b2))


@wrong("05.2", "biases not counted")
def only_the_weights(x, W1, b1, W2, b2):
    d_h, d = W1.shape
    m = W2.shape[0]
    return W2 @ np.maximum(0, W1 @ x + b1) + b2, d_h * d + m * d_h


@wrong("05.2", says="an integer is asked for")
def a_float_count(x, W1, b1, W2, b2):
    count = 0.0
    for p in (W1, b1, W2, b2):
        count += np.size(p)
    return W2 @ np.maximum(0, W1 @ x + b1) + b2, count


@wrong("05.2", says="In part 1")
def bias_forgotten(x, W1, b1, W2, b2):
    return W2 @ np.maximum(0, W1 @ x + b1), W1.size + b1.size + W2.size + b2.size


# -- 05.3


@right("05.3")
def shifted(oa):
    e = np.exp(oa - oa.max())
    return e / e.sum()


@right("05.3")
def by_quotients(oa):
    return np.array([1 / sum(math.exp(min(o - p, 700)) for o in oa) for p in oa])


@right("05.3")
def through_the_logarithm(oa):
    return np.exp(oa - np.logaddexp.reduce(oa))


@wrong("05.3", "one index for two")
def overwritten(oa):
    m = len(oa)
    os = np.zeros(m)
    for k in range(m):
        place = k
        total = 0
        for k in range(m):
            total += np.exp(oa[k])
        os[place] = np.exp(oa[k]) / total
    return os


@wrong("05.3", "not shifted")
def naive_softmax(oa):
    return np.array([np.exp(oa[k]) / np.sum(np.exp(oa)) for k in range(len(oa))])


@wrong("05.3", "shifted above only")
def half_shifted(oa):
    e = np.exp(oa - np.max(oa))
    return e / np.sum(np.exp(oa))


@wrong("05.3", "not normalised")
def only_exponentials(oa):
    return np.array([math.e**o for o in oa])


@wrong("05.3", "a sigmoid for each")
def sigmoids(oa):
    return F.sigmoid(oa)


@wrong("05.3", says="far out, where exp overflows")
def shifted_by_the_mean(oa):
    e = np.exp(oa - np.mean(oa))
    return e / np.sum(e)


@wrong("05.3", says="far out, where exp overflows")
def shifted_by_the_first(oa):
    e = np.exp(oa - oa[0])
    return e / e.sum()


@wrong("05.3", says="wrong")
def by_the_largest(oa):
    e = np.exp(oa - np.max(oa))
    return e / e.max()


@wrong("05.3", says="is a list")
def a_list(oa):
    e = np.exp(oa - np.max(oa))
    return [one / sum(e) for one in e]


# -- 05.4


@right("05.4")
def shifted_log_sum(oa, y):
    top = np.max(oa)
    return -oa[y] + top + np.log(np.sum(np.exp(oa - top)))


@right("05.4")
def by_differences(oa, y):
    return np.logaddexp.reduce(oa - oa[y])


@right("05.4")
def in_plain_python(oa, y):
    top = max(oa)
    return math.log(sum(math.exp(o - top) for o in oa)) + float(top - oa[y])


@wrong("05.4", "not shifted")
def as_on_paper(oa, y):
    return -oa[y] + np.log(np.sum(np.exp(oa)))


@wrong("05.4", "logarithm of a rounded zero")
def minus_log_softmax(oa, y):
    e = np.exp(oa - oa.max())
    os = e / e.sum()
    return -np.log(os[y])


@wrong("05.4", "the true logit for the largest")
def a_sum_of_differences(oa, y):
    return np.log(sum(np.exp(o - oa[y]) for o in oa))


@wrong("05.4", says="far out, where exp overflows")
def loss_shifted_by_the_mean(oa, y):
    c = oa.mean()
    return c + np.log(np.exp(oa - c).sum()) - oa[y]


@wrong("05.4", says="far out, where exp overflows")
def with_a_small_number_inside(oa, y):
    e = np.exp(oa - oa.max())
    return -np.log(e[y] / e.sum() + 1e-12)


@wrong("05.4", "labels from 1")
def first_is_one(oa, y):
    return -oa[y - 1] + np.max(oa) + np.log(np.sum(np.exp(oa - np.max(oa))))


@wrong("05.4", "shift not undone")
def forgets_the_shift(oa, y):
    shifted = oa - np.max(oa)
    return np.log(np.sum(np.exp(shifted))) - oa[y]


@wrong("05.4", "exponential missing")
def log_of_the_sum(oa, y):
    return -oa[y] + np.log(np.sum(oa))


@wrong("05.4", says="The sign is wrong")
def log_likelihood(oa, y):
    return oa[y] - np.logaddexp.reduce(oa)


@wrong("05.4", says="far out, where exp overflows")
def naive_softmax_first(oa, y):
    os = np.exp(oa) / np.exp(oa).sum()
    return -np.log(os)[y]


# -- 05.5


@right("05.5")
def by_rows(Oa, y):
    top = Oa.max(axis=1)
    lse = top + np.log(np.exp(Oa - top[:, None]).sum(axis=1))
    return (lse - Oa[np.arange(len(y)), y]).mean()


@right("05.5")
def example_by_example(Oa, y):
    total = 0
    for oa, label in zip(Oa, y, strict=True):
        total += np.log(np.exp(oa).sum()) - oa[label]
    return total / len(Oa)


@right("05.5")
def by_a_mask(Oa, y):
    onehot = np.eye(Oa.shape[1])[y]
    return -np.mean(np.sum(onehot * F.log_softmax(Oa), axis=1))


@wrong("05.5", "one sum for all examples")
def one_logarithm(Oa, y):
    n = len(y)
    return np.log(np.sum(np.exp(Oa))) - sum(Oa[i, y[i]] for i in range(n)) / n


@wrong("05.5", "log-sum-exp outside the mean")
def as_printed(Oa, y):
    n = len(y)
    true = 0
    for i in range(n):
        lse = np.log(np.exp(Oa[i]).sum())
        true += Oa[i, y[i]]
    return lse - true / n


@wrong("05.5", "mean inside the logarithm")
def mean_first(Oa, y):
    sums = np.sum(np.exp(Oa), axis=1)
    return np.log(np.mean(sums)) - np.mean(Oa[np.arange(len(y)), y])


@wrong("05.5", "sums over the examples")
def wrong_axis(Oa, y):
    return np.mean(np.log(np.exp(Oa).sum(0))) - np.mean(Oa[range(len(Oa)), y])


@wrong("05.5", "labels from 1")
def shifted_labels(Oa, y):
    n = len(y)
    return sum(np.log(np.exp(Oa[i]).sum()) - Oa[i, y[i] - 1] for i in range(n)) / n


@wrong("05.5", "every label for every example")
def too_many_pairs(Oa, y):
    return np.mean(np.log(np.exp(Oa).sum(axis=1))) - np.mean(Oa[:, y])


@wrong("05.5", says="n times too large")
def a_sum(Oa, y):
    return np.sum(np.logaddexp.reduce(Oa, axis=1) - Oa[np.arange(len(y)), y])


@wrong("05.5", says="a single number is asked for")
def no_mean(Oa, y):
    return np.logaddexp.reduce(Oa, axis=1) - Oa[np.arange(len(y)), y]


# -- 05.6


@right("05.6")
def with_a_for(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = sum(gradient(theta, example) for example in batch) / len(batch)
        if np.linalg.norm(g) <= epsilon:
            return theta, t
        theta = theta - rate(t) * g
    return theta, max_epochs


@right("05.6")
def with_a_while(gradient, batch, theta, rate, epsilon, max_epochs):
    i = 0
    size = np.inf
    while i < max_epochs and size > epsilon:
        total = np.zeros_like(theta)
        for example in batch:
            total += gradient(theta, example)
        total /= len(batch)
        size = np.sqrt(np.sum(total**2))
        if size > epsilon:
            theta = theta - rate(i) * total
            i += 1
    return theta, i


@right("05.6")
def looks_after_the_step(gradient, batch, theta, rate, epsilon, max_epochs):
    t, small = 0, False
    while not small and t < max_epochs:
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        small = np.hypot(*g) <= epsilon
        theta = theta - rate(t) * g
        t += 1
    return theta, t


@right("05.6")
def gap_over_rate(gradient, batch, theta, rate, epsilon, max_epochs):
    t, gap = 0, np.inf
    while gap > epsilon and t < max_epochs:
        new = theta - rate(t) / len(batch) * sum(gradient(theta, x) for x in batch)
        gap = np.linalg.norm(new - theta) / rate(t)
        theta = new
        t = t + 1
    return theta, t


@wrong("05.6", "endless loop")
def never_counts(gradient, batch, theta, rate, epsilon, max_epochs):
    i = 0
    while i < max_epochs:
        grad = 0
        for example in batch:
            grad = grad + gradient(theta, example)
        theta = theta - rate(i) / len(batch) * grad
    return theta, i


@wrong("05.6", "endless loop")
def never_moves(gradient, batch, theta, rate, epsilon, max_epochs):
    while np.linalg.norm(sum(gradient(theta, example) for example in batch)) > epsilon:
        new = theta - rate(0) * gradient(theta, batch[0])
    return new, max_epochs


@wrong("05.6", "stopping rule reversed")
def stops_when_the_gap_exceeds(gradient, batch, theta, rate, epsilon, max_epochs):
    t, gap = 0, np.inf
    while not gap > epsilon and t < max_epochs:
        new = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
        gap, theta, t = np.linalg.norm(new - theta), new, t + 1
    return theta, t


@wrong("05.6", "sum for mean")
def no_division(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = sum(gradient(theta, example) for example in batch)
        if np.linalg.norm(g) <= epsilon:
            return theta, t
        theta = theta - rate(t) * g
    return theta, max_epochs


@wrong("05.6", "a step per example")
def moves_inside(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        total = 0
        for example in batch:
            g = gradient(theta, example)
            total = total + g
            theta = theta - rate(t) / len(batch) * g
        if np.linalg.norm(total) / len(batch) <= epsilon:
            return theta, t + 1
    return theta, max_epochs


@wrong("05.6", "a whole step per example")
def stochastic(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        for example in batch:
            theta = theta - rate(t) * gradient(theta, example)
        if np.linalg.norm(np.mean([gradient(theta, x) for x in batch], axis=0)) <= epsilon:
            return theta, t + 1
    return theta, max_epochs


@wrong("05.6", says="the norm of the mean gradient is still")
def looks_at_the_largest_entry(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        if (abs(g) <= epsilon).all():
            return theta, t
        theta = theta - rate(t) * g
    return theta, max_epochs


@wrong("05.6", says="the norm of the mean gradient is still")
def looks_at_the_square(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        if g @ g <= epsilon:
            return theta, t
        theta = theta - rate(t) * g
    return theta, max_epochs


@wrong("05.6", says="Which gradient do you look at, and which norm?")
def looks_at_the_sum(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        total = sum(gradient(theta, x) for x in batch)
        if np.linalg.norm(total) <= epsilon:
            return theta, t
        theta = theta - rate(t) * total / len(batch)
    return theta, max_epochs


@wrong("05.6", "gradient not reset")
def keeps_adding(gradient, batch, theta, rate, epsilon, max_epochs):
    grad = np.zeros(2)
    i = 0
    while i < max_epochs:
        for example in batch:
            grad = grad + gradient(theta, example)
        theta = theta - rate(i) / len(batch) * grad
        i += 1
    return theta, i


@wrong("05.6", "uphill")
def climbs(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        if np.linalg.norm(g) <= epsilon:
            break
        theta = theta + rate(t) * g
    return theta, max_epochs


@wrong("05.6", "off by one")
def one_too_many(gradient, batch, theta, rate, epsilon, max_epochs):
    t = 0
    while t <= max_epochs:
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        if np.linalg.norm(g) <= epsilon:
            break
        theta = theta - rate(t) * g
        t += 1
    return theta, t


@wrong("05.6", "miscounted")
def returns_the_last_index(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        g = np.mean([gradient(theta, x) for x in batch], axis=0)
        if np.linalg.norm(g) <= epsilon:
            break
        theta = theta - rate(t) * g
    return theta, t


@wrong("05.6", "short step for small gradient")
def looks_at_the_gap(gradient, batch, theta, rate, epsilon, max_epochs):
    t, gap = 0, np.inf
    while gap > epsilon and t < max_epochs:
        new = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
        gap, theta, t = np.linalg.norm(new - theta), new, t + 1
    return theta, t


@wrong("05.6", says="went on although the norm of the mean gradient was below epsilon")
def never_looks(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        theta = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
    return theta, max_epochs


@wrong("05.6", "first rate for ever")
def one_rate(gradient, batch, theta, rate, epsilon, max_epochs):
    eta = rate(0)
    for _ in range(max_epochs):
        theta = theta - eta * np.mean([gradient(theta, x) for x in batch], axis=0)
    return theta, max_epochs


@wrong("05.6", says="does a `return` stand inside the loop?")
def returns_at_once(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        theta = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
        return theta, t + 1


@wrong("05.6", says="`theta` is not where three steps of the mean gradient lead")
def only_one_example(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        theta = theta - rate(t) * gradient(theta, batch[-1])
    return theta, max_epochs


@wrong("05.6", "rates from t = 1")
def counts_from_one(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(1, max_epochs + 1):
        theta = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
    return theta, max_epochs


@wrong("05.6", says="changes its argument number 3 in place")
def in_place(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        theta -= rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
    return theta, max_epochs


@wrong("05.6", says="Two results")
def only_theta(gradient, batch, theta, rate, epsilon, max_epochs):
    for t in range(max_epochs):
        theta = theta - rate(t) * np.mean([gradient(theta, x) for x in batch], axis=0)
    return theta


@wrong("05.6", says="raised TypeError")
def forgets_the_example(gradient, batch, theta, rate, epsilon, max_epochs):
    g = gradient(theta)
    return theta - rate(0) * g, 1


# -- 05.7

right(
    "05.7",
    "exp(a)/(exp(a)+exp(b)+exp(c)) - t",
    "1/(1 + exp(b-a) + exp(c-a)) - t",
    "(1-t) - (exp(b)+exp(c)) / (exp(a)+exp(b)+exp(c))",
    "t*(exp(a)/(exp(a)+exp(b)+exp(c)) - 1) + (1-t)*exp(a)/(exp(a)+exp(b)+exp(c))",
)
wrong("05.7", "exponential missing", "-t + a/(exp(a)+exp(b)+exp(c))")
wrong("05.7", "inner derivative missing", "1/(exp(a)+exp(b)+exp(c)) - t")
wrong("05.7", "true class forgotten", "1/(1 + exp(b-a) + exp(c-a))")
wrong("05.7", "true class everywhere", "exp(a)/(exp(a)+exp(b)+exp(c)) - 1")
wrong(
    "05.7",
    "softmax for loss",
    "exp(a)/(exp(a)+exp(b)+exp(c)) * (1 - exp(a)/(exp(a)+exp(b)+exp(c)))",
)
wrong("05.7", "", "t - exp(a)/(exp(a)+exp(b)+exp(c))", says="The sign is wrong")
wrong("05.7", "", "log(exp(a)+exp(b)+exp(c)) - t*a", says="another function")
wrong("05.7", "", "softmax(a) - t", says="softmax may not be used here")


# -- 05.8


@right("05.8")
def one_less_at_y(os, y):
    grad_oa = os.copy()
    grad_oa[y] -= 1
    return grad_oa


@right("05.8")
def minus_onehot(os, y):
    m = len(os)
    return os - np.array([int(i == y) for i in range(m)]).reshape(os.shape)


@right("05.8")
def through_the_jacobian(os, y):
    s = os.ravel()
    jacobian = np.diag(s) - np.outer(s, s)
    return -(jacobian[:, y] / s[y]).reshape(os.shape)


@wrong("05.8", "labels from 1")
def homework_a(os, y):
    m = len(os)
    return os - np.array([0 if i != y - 1 else 1 for i in range(m)]).reshape(os.shape)


@wrong("05.8", "labels from 1, counted round")
def homework_a_by_index(os, y):
    onehot = np.zeros(os.shape)
    onehot[y - 1] = 1
    return os - onehot


@wrong("05.8", "matrix from a column")
def homework_b(os, y):
    m = os.shape[0]
    return os - np.array([int(i == y) for i in range(m)])


@wrong("05.8", "matrix from a vector")
def always_a_column(os, y):
    m = len(os)
    return os - np.array([0 if i != y else 1 for i in range(m)]).reshape(m, 1)


@wrong("05.8", "derivative in the outputs")
def one_step_too_few(os, y):
    grad_os = np.zeros_like(os)
    grad_os[y] = -1 / os[y]
    return grad_os


@wrong("05.8", says="The sign is wrong")
def truth_minus_belief(os, y):
    onehot = np.zeros_like(os)
    onehot[y] = 1
    return onehot - os


@wrong("05.8", says="changes its argument number 1 in place")
def spoils_os(os, y):
    os[y] -= 1
    return os


# -- 05.9


@right("05.9")
def by_the_jacobian(k, j, os, hs):
    column = os * (np.eye(len(os))[k] - os[k])
    return column * hs[j], column


@right("05.9")
def case_by_case(k, j, os, hs):
    in_b = np.zeros(len(os))
    for i in range(len(os)):
        if i == k:
            in_b[i] = os[i] - os[i] ** 2
        else:
            in_b[i] = -os[i] * os[k]
    return in_b * hs[j], in_b


@right("05.9")
def by_a_matrix(k, j, os, hs):
    J = np.diag(os) - os[:, None] * os[None, :]
    return np.multiply.outer(J, hs)[:, k, j], J[:, k]


@wrong("05.9", "diagonal only")
def one_entry(k, j, os, hs):
    in_W, in_b = np.zeros_like(os), np.zeros_like(os)
    in_b[k] = os[k] * (1 - os[k])
    in_W[k] = in_b[k] * hs[j]
    return in_W, in_b


@wrong("05.9", "one output")
def homework_b_by_components(k, j, os, hs):
    return (os[k] - os[k] ** 2) * hs[j], os[k] - os[k] ** 2


@wrong("05.9", "each with its own logit")
def homework_b_by_vectors(k, j, os, hs):
    grad_b2 = os - os**2
    return grad_b2 * hs[j], grad_b2


@wrong("05.9", "loss for outputs")
def as_if_for_the_loss(k, j, os, hs):
    in_b = os.copy()
    in_b[k] -= 1
    return in_b * hs[j], in_b


@wrong("05.9", says="the sign is wrong")
def turned_round(k, j, os, hs):
    column = os * (os[k] - np.eye(len(os))[k])
    return column * hs[j], column


@wrong("05.9", says="In part 1")
def wrong_hidden_unit(k, j, os, hs):
    column = os * (np.eye(len(os))[k] - os[k])
    return column * hs[j - 1], column


# -- 05.10


@right("05.10")
def outer_product(grad_oa, hs):
    return np.outer(grad_oa, hs), grad_oa


@right("05.10")
def column_times_row(grad_oa, hs):
    return grad_oa[:, None] @ hs[None, :], grad_oa.copy()


@right("05.10")
def every_pair(grad_oa, hs):
    grad_W2 = np.array([[g * h for h in hs] for g in grad_oa])
    return grad_W2, 1 * grad_oa


@wrong("05.10", "transpose of a vector")
def homework_line(grad_oa, hs):
    return np.dot(grad_oa, np.transpose(hs)), grad_oa


@wrong("05.10", "entry by entry")
def star(grad_oa, hs):
    grad_b2 = grad_oa
    grad_W2 = grad_b2 * hs
    return grad_W2, grad_b2


@wrong("05.10", "one for the bias")
def derivative_of_the_logit(grad_oa, hs):
    return np.outer(grad_oa, hs), np.ones_like(grad_oa)


@wrong("05.10", "bias times hidden outputs")
def bias_like_a_weight(grad_oa, hs):
    return np.outer(grad_oa, hs), grad_oa * hs.sum()


@wrong("05.10", says="it seems to be transposed")
def outer_the_other_way(grad_oa, hs):
    return np.outer(hs, grad_oa), grad_oa


@wrong("05.10", says="art 2 of your answer has shape (2, 1)")
def column_of_biases(grad_oa, hs):
    return np.outer(grad_oa, hs), grad_oa.reshape(-1, 1)


# -- 05.11


@right("05.11")
def believed_minus_true(j, os, y, W2):
    return os @ W2[:, j] - W2[y, j]


@right("05.11")
def sum_over_classes(j, os, y, W2):
    total = 0.0
    for k in range(len(os)):
        total += (os[k] - (k == y)) * W2[k, j]
    return total


@right("05.11")
def whole_vector_first(j, os, y, W2):
    return (W2.T @ (os - np.eye(len(os))[y]))[j]


@wrong("05.11", "true class left out of the sum")
def others_minus_true(j, os, y, W2):
    others = [k for k in range(len(os)) if k != y]
    return sum(os[k] * W2[k, j] for k in others) - W2[y, j]


@wrong("05.11", "target forgotten")
def believed(j, os, y, W2):
    return np.sum(os * W2[:, j])


@wrong("05.11", "indices exchanged")
def along_the_row(j, os, y, W2):
    return -W2[j, y] + sum(os[k] * W2[j, k] for k in range(len(os)))


@wrong("05.11", says="The sign is wrong")
def true_minus_believed(j, os, y, W2):
    return W2[y, j] - os @ W2[:, j]


# -- 05.12


@right("05.12")
def transposed(grad_oa, W2):
    return W2.T @ grad_oa


@right("05.12")
def vector_first(grad_oa, W2):
    return grad_oa @ W2


@right("05.12")
def all_products_added(grad_oa, W2):
    return (W2 * grad_oa[:, None]).sum(axis=0)


@wrong("05.12", "not transposed")
def forward_again(grad_oa, W2):
    return np.dot(W2, grad_oa)


@wrong("05.12", "not added up")
def all_products(grad_oa, W2):
    return grad_oa * W2.T


@wrong("05.12", says="shape (3,) is asked for")
def one_number(grad_oa, W2):
    return sum(grad_oa @ W2)


# -- 05.13

right("05.13", "g * (h > 0)", "(0 < h)*g", "g*sign(max(h, 0))", "g - g*(h <= 0)")
wrong("05.13", "maximum for its indicator", "g*max(0, h)", "relu(h)*g")
wrong("05.13", "gate on the gradient", "g * (g > 0)")
wrong("05.13", "no gate", "g")
wrong("05.13", "", "g*(h >= 0)", says="Right everywhere but at h = 0, the kink")
wrong("05.13", "", "g*(sign(h) + 1)/2", says="Right everywhere but at h = 0, the kink")
wrong("05.13", "", "g * h", says="another function")


# -- 05.14


@right("05.14")
def times_the_indicator(grad_hs, ha):
    return grad_hs * (ha > 0)


@right("05.14")
def diagonal_matrix(grad_hs, ha):
    return np.diag(ha > 0) @ grad_hs


@right("05.14")
def unit_by_unit(grad_hs, ha):
    grad_ha = np.zeros(len(ha))
    for j, h in enumerate(ha):
        if h > 0:
            grad_ha[j] = grad_hs[j]
    return grad_ha


@wrong("05.14", "maximum for its indicator")
def rectifier_itself(grad_hs, ha):
    return grad_hs * np.maximum(0, ha)


@wrong("05.14", "gate on the gradient")
def wrong_gate(grad_hs, ha):
    return np.where(grad_hs > 0, grad_hs, 0.0)


@wrong("05.14", "adjoint forgotten")
def slope_alone(grad_hs, ha):
    return np.where(ha > 0, 1, 0)


@wrong("05.14", "diag, entry by entry")
def diagonal_star(grad_hs, ha):
    D = np.diag(np.where(ha > 0, 1, 0))
    return D * grad_hs


@wrong("05.14", says="Right everywhere but at the kink, where ha is 0")
def open_at_zero(grad_hs, ha):
    return grad_hs * np.where(ha >= 0, 1, 0)


@wrong("05.14", says="at the kink, where ha is 0: your answer is not a number")
def quotient_of_outputs(grad_hs, ha):
    return grad_hs * np.maximum(0, ha) / ha


@wrong("05.14", says="for a unit barely on or off")
def guarded_quotient(grad_hs, ha):
    return grad_hs * np.maximum(0, ha) / (np.abs(ha) + 1e-12)


@wrong("05.14", says="True and False")
def only_the_indicator(grad_hs, ha):
    return ha > 0


# -- 05.15


@right("05.15")
def by_identity(ha, x):
    in_b = np.diag((ha > 0).astype(float))
    return np.einsum("ij,l->ijl", in_b, x), in_b


@right("05.15")
def fill_the_diagonal(ha, x):
    d_h, d = len(ha), len(x)
    in_W, in_b = np.zeros((d_h, d_h, d)), np.zeros((d_h, d_h))
    for j in range(d_h):
        if ha[j] > 0:
            in_W[j, j] = x
            in_b[j, j] = 1
    return in_W, in_b


@right("05.15")
def by_broadcasting(ha, x):
    gate = np.where(ha > 0, 1.0, 0.0)
    same = np.eye(len(ha))
    return (gate[:, None] * same)[:, :, None] * x[None, None, :], gate * same


@wrong("05.15", "matrix for the tensor")
def homework_b_in_words(ha, x):
    gate = np.where(ha > 0, 1.0, 0.0)
    return gate[:, None] * x, gate


@wrong("05.15", "maximum, and a matrix")
def homework_b_in_code(ha, x):
    grad_b1 = np.maximum(0, ha)
    grad_W1 = np.outer(grad_b1, x.T)
    return grad_W1, grad_b1


@wrong("05.15", "maximum for its indicator")
def maximum_in_place(ha, x):
    d_h, d = len(ha), len(x)
    in_W, in_b = np.zeros((d_h, d_h, d)), np.zeros((d_h, d_h))
    for j in range(d_h):
        in_b[j, j] = max(0, ha[j])
        in_W[j, j] = in_b[j, j] * x
    return in_W, in_b


@wrong("05.15", "units mixed")
def every_weight_moves_every_unit(ha, x):
    d_h = len(ha)
    gate = (ha > 0) * 1.0
    return np.tile(np.outer(gate, x)[:, None, :], (1, d_h, 1)), np.tile(gate[:, None], d_h)


@wrong("05.15", says="art 1 of your answer has shape (2, 3, 2)")
def axes_in_another_order(ha, x):
    in_b = np.diag((ha > 0).astype(float))
    return np.einsum("ij,l->ilj", in_b, x), in_b


# -- 05.16


@right("05.16")
def rows_of_examples(grad_Ha, X):
    return grad_Ha.T @ X, grad_Ha.sum(axis=0)


@right("05.16")
def one_after_another(grad_Ha, X):
    grad_W1, grad_b1 = 0, 0
    for g, x in zip(grad_Ha, X, strict=True):
        grad_W1 = grad_W1 + np.outer(g, x)
        grad_b1 = grad_b1 + g
    return grad_W1, grad_b1


@right("05.16")
def bias_as_a_weight(grad_Ha, X):
    both = np.einsum("nj,ni->ji", grad_Ha, np.column_stack([X, np.ones(len(X))]))
    return both[:, :-1], both[:, -1]


@wrong("05.16", "factors exchanged")
def mirrored(grad_Ha, X):
    return np.dot(X.T, grad_Ha), np.sum(grad_Ha, axis=0)


@wrong("05.16", "bias not summed")
def bias_per_example(grad_Ha, X):
    return grad_Ha.T @ X, grad_Ha


@wrong("05.16", "bias averaged")
def mean_of_the_bias(grad_Ha, X):
    return grad_Ha.T @ X, np.mean(grad_Ha, axis=0)


@wrong("05.16", "bias over the wrong axis")
def sum_over_units(grad_Ha, X):
    return grad_Ha.T @ X, grad_Ha.sum(1)


@wrong("05.16", says="n times too small")
def averaged_twice(grad_Ha, X):
    return grad_Ha.T @ X / len(X), grad_Ha.mean(axis=0)


@wrong("05.16", says="raised ValueError")
def no_transpose(grad_Ha, X):
    return grad_Ha @ X, grad_Ha.sum(axis=0)


# -- 05.17


@right("05.17")
def transposed_weights(grad_ha, W1):
    return W1.T @ grad_ha


@right("05.17")
def row_vector(grad_ha, W1):
    return np.dot(grad_ha, W1)


@right("05.17")
def sum_to_d_h(grad_ha, W1):
    d_h, d = W1.shape
    return np.array([sum(grad_ha[k] * W1[k, i] for k in range(d_h)) for i in range(d)])


@wrong("05.17", "sum to d")
def homework_a_sum(grad_ha, W1):
    d = W1.shape[1]
    grad_x = np.zeros(d)
    for j in range(d):
        for k in range(d):
            grad_x[j] += grad_ha[k] * W1[k, j]
    return grad_x


@wrong("05.17", "not transposed")
def forward_weights(grad_ha, W1):
    return np.dot(W1, grad_ha)


@wrong("05.17", says="shape (2,) is asked for")
def kept_apart(grad_ha, W1):
    return grad_ha[:, None] * W1


# -- 05.18


@right("05.18")
def mean_plus_penalty(Hs, grad_Oa, W2, lambda_1, lambda_2):
    n = len(Hs)
    grad_W2 = grad_Oa.T @ Hs / n + lambda_1 * np.sign(W2) + 2 * lambda_2 * W2
    return grad_W2, grad_Oa.mean(axis=0)


@right("05.18")
def loop_then_penalty(Hs, grad_Oa, W2, lambda_1, lambda_2):
    grad_W2, grad_b2 = np.zeros_like(W2), np.zeros(len(W2))
    for hs, grad_oa in zip(Hs, grad_Oa, strict=True):
        grad_W2 += np.outer(grad_oa, hs)
        grad_b2 += grad_oa
    grad_W2 /= len(Hs)
    grad_b2 /= len(Hs)
    grad_W2 += lambda_1 * (1.0 * (W2 > 0) - (W2 < 0)) + 2 * lambda_2 * W2
    return grad_W2, grad_b2


@right("05.18")
def penalty_with_each_example(Hs, grad_Oa, W2, lambda_1, lambda_2):
    penalty = lambda_1 * np.sign(W2) + lambda_2 * (W2 + W2)
    terms = [np.outer(g, h) + penalty for g, h in zip(grad_Oa, Hs, strict=True)]
    return np.mean(terms, axis=0), grad_Oa.sum(axis=0) / len(grad_Oa)


@wrong("05.18", "no sign")
def homework_a_penalty(Hs, grad_Oa, W2, lambda_1, lambda_2):
    n = len(Hs)
    return grad_Oa.T @ Hs / n + lambda_1 + 2 * lambda_2 * W2, grad_Oa.mean(axis=0)


@wrong("05.18", "mean missing")
def summed_data(Hs, grad_Oa, W2, lambda_1, lambda_2):
    grad_W2 = grad_Oa.T @ Hs + lambda_1 * np.sign(W2) + 2 * lambda_2 * W2
    return grad_W2, grad_Oa.sum(axis=0)


@wrong("05.18", "penalty counted n times")
def penalty_in_the_loop(Hs, grad_Oa, W2, lambda_1, lambda_2):
    n = len(Hs)
    grad_W2, grad_b2 = np.zeros_like(W2), np.zeros(len(W2))
    for hs, grad_oa in zip(Hs, grad_Oa, strict=True):
        grad_W2 += np.outer(grad_oa, hs) / n + lambda_1 * np.sign(W2) + 2 * lambda_2 * W2
        grad_b2 += grad_oa / n
    return grad_W2, grad_b2


@wrong("05.18", "penalty averaged")
def all_divided(Hs, grad_Oa, W2, lambda_1, lambda_2):
    grad_W2 = grad_Oa.T @ Hs + lambda_1 * np.sign(W2) + 2 * lambda_2 * W2
    return grad_W2 / len(Hs), grad_Oa.sum(axis=0) / len(Hs)


@wrong("05.18", "factor 2 lost")
def half_the_ridge(Hs, grad_Oa, W2, lambda_1, lambda_2):
    penalty = lambda_1 * np.sign(W2) + lambda_2 * W2
    return grad_Oa.T @ Hs / len(Hs) + penalty, grad_Oa.mean(axis=0)


@wrong("05.18", "penalty not differentiated")
def penalty_itself(Hs, grad_Oa, W2, lambda_1, lambda_2):
    penalty = lambda_1 * np.abs(W2) + lambda_2 * W2**2
    return grad_Oa.T @ Hs / len(Hs) + penalty, grad_Oa.mean(axis=0)


@wrong("05.18", "penalty forgotten")
def data_alone(Hs, grad_Oa, W2, lambda_1, lambda_2):
    return grad_Oa.T @ Hs / len(Hs), grad_Oa.mean(0)


@wrong("05.18", says="where a weight is 0")
def sign_without_zero(Hs, grad_Oa, W2, lambda_1, lambda_2):
    sign = np.where(W2 > 0, 1, -1)
    return grad_Oa.T @ Hs / len(Hs) + lambda_1 * sign + 2 * lambda_2 * W2, grad_Oa.mean(axis=0)


@wrong("05.18", says="n times too large")
def everything_summed(Hs, grad_Oa, W2, lambda_1, lambda_2):
    n = len(Hs)
    grad_W2 = grad_Oa.T @ Hs + n * (lambda_1 * np.sign(W2) + 2 * lambda_2 * W2)
    return grad_W2, grad_Oa.sum(axis=0)


@wrong("05.18", says="art 1 of your answer is a Tensor")
def a_tensor(Hs, grad_Oa, W2, lambda_1, lambda_2):
    return Tensor(W2), grad_Oa.mean(axis=0)
