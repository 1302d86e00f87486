"""Answers to the exercises of lesson 05, implementation."""

import itertools
import random

import numpy as np
from catalogue import right, wrong

import minimlcourse.functional as F
from minimlcourse import Tensor

NAMES = ["W1", "b1", "W2", "b2"]


# -- 05.21


def backward(x, y, W1, b1, W2, b2, gate=lambda ha: ha > 0, less=1.0):
    """Both passes of one example, as most write them."""
    ha = W1 @ x + b1
    hs = np.maximum(ha, 0)
    oa = W2 @ hs + b2
    shifted = oa - np.max(oa)
    loss = np.log(np.sum(np.exp(shifted))) - shifted[y]
    grad_oa = np.exp(shifted) / np.sum(np.exp(shifted))
    grad_oa[y] -= less
    grad_ha = gate(ha) * (W2.T @ grad_oa)
    grads = {"W1": np.outer(grad_ha, x), "b1": grad_ha, "W2": np.outer(grad_oa, hs), "b2": grad_oa}
    return {"loss": loss, **grads}


@right("05.21")
def by_products(x, y, W1, b1, W2, b2):
    return backward(x, y, W1, b1, W2, b2)


@right("05.21")
def by_loops(x, y, W1, b1, W2, b2):
    d_h, d = W1.shape
    m = len(b2)
    ha = [b1[j] + sum(W1[j, i] * x[i] for i in range(d)) for j in range(d_h)]
    hs = [h if h > 0 else 0.0 for h in ha]
    oa = [b2[k] + sum(W2[k, j] * hs[j] for j in range(d_h)) for k in range(m)]
    top = max(oa)
    total = sum(np.exp(o - top) for o in oa)
    grads = {name: np.zeros(a.shape) for name, a in zip(NAMES, (W1, b1, W2, b2), strict=True)}
    for k in range(m):
        grads["b2"][k] = np.exp(oa[k] - top) / total - (k == y)
        for j in range(d_h):
            grads["W2"][k, j] = grads["b2"][k] * hs[j]
    for j in range(d_h):
        if ha[j] > 0:
            grads["b1"][j] = sum(grads["b2"][k] * W2[k, j] for k in range(m))
        for i in range(d):
            grads["W1"][j, i] = grads["b1"][j] * x[i]
    grads["loss"] = np.log(total) + top - oa[y]
    return grads


@right("05.21")
def in_columns(x, y, W1, b1, W2, b2):
    x, b1, b2 = x[:, None], b1[:, None], b2[:, None]
    ha = W1.dot(x) + b1
    hs = np.where(ha > 0, ha, 0)
    oa = W2.dot(hs) + b2
    os = np.exp(oa - oa.max())
    os /= os.sum()
    onehot = np.zeros_like(os)
    onehot[y] = 1
    doa = os - onehot
    dha = W2.T.dot(doa) * (ha > 0)
    return dict(
        W1=dha.dot(x.T),
        b1=dha.ravel(),
        W2=doa.dot(hs.T),
        b2=doa.ravel(),
        loss=(oa.max() + np.log(np.exp(oa - oa.max()).sum()) - oa[y]).item(),
    )


@wrong("05.21", "gate forgotten")
def without_the_gate(x, y, W1, b1, W2, b2):
    return backward(x, y, W1, b1, W2, b2, gate=lambda ha: 1.0)


@wrong("05.21", "gate forgotten")
def gate_of_the_output(x, y, W1, b1, W2, b2):
    return backward(x, y, W1, b1, W2, b2, gate=lambda ha: np.maximum(ha, 0) >= 0)


@wrong("05.21", "rectifier for its gate")
def times_the_rectifier(x, y, W1, b1, W2, b2):
    return backward(x, y, W1, b1, W2, b2, gate=lambda ha: np.maximum(0, ha))


@wrong("05.21", "label forgotten")
def never_minus_one(x, y, W1, b1, W2, b2):
    return backward(x, y, W1, b1, W2, b2, less=0)


def plain(x, y, W1, b1, W2, b2):
    ha = W1 @ x + b1
    hs = np.maximum(0, ha)
    oa = W2 @ hs + b2
    os = np.exp(oa) / np.exp(oa).sum()
    grad_oa = os - np.eye(len(os))[y]
    grad_ha = W2.T @ grad_oa * (ha > 0)
    grads = {"W1": np.outer(grad_ha, x), "b1": grad_ha, "W2": np.outer(grad_oa, hs), "b2": grad_oa}
    return oa, os, grads


@wrong("05.21", "not shifted")
def plain_and_loss_of_logits(x, y, W1, b1, W2, b2):
    oa, _, grads = plain(x, y, W1, b1, W2, b2)
    return {"loss": np.log(np.exp(oa).sum()) - oa[y], **grads}


@wrong("05.21", "not shifted")
def plain_and_loss_of_outputs(x, y, W1, b1, W2, b2):
    _, os, grads = plain(x, y, W1, b1, W2, b2)
    return {"loss": -np.log(os[y]), **grads}


@wrong("05.21", "logarithm of a rounded zero")
def loss_of_outputs(x, y, W1, b1, W2, b2):
    oa = W2 @ np.maximum(0, W1 @ x + b1) + b2
    os = np.exp(oa - oa.max()) / np.exp(oa - oa.max()).sum()
    return {**backward(x, y, W1, b1, W2, b2), "loss": -np.log(os[y])}


@wrong("05.21", says="far out, where exp overflows: in 'loss'")
def a_small_number_inside(x, y, W1, b1, W2, b2):
    oa = W2 @ np.maximum(0, W1 @ x + b1) + b2
    return {**backward(x, y, W1, b1, W2, b2), "loss": -np.log(F.softmax(oa)[y] + 1e-12)}


@wrong("05.21", "not shifted")
def shifted_by_the_first_logit(x, y, W1, b1, W2, b2):
    oa, _, grads = plain(x, y, W1, b1, W2, b2)
    e = np.exp(oa - oa[0])
    up = e / e.sum() - np.eye(len(b2))[y]
    back = W2.T @ up * (W1 @ x + b1 > 0)
    hs = np.maximum(0, W1 @ x + b1)
    grads = {"W1": np.outer(back, x), "b1": back, "W2": np.outer(up, hs), "b2": up}
    return {"loss": oa[0] + np.log(e.sum()) - oa[y], **grads}


@wrong("05.21", says="In 'W2', the sign is wrong")
def one_sign(x, y, W1, b1, W2, b2):
    found = backward(x, y, W1, b1, W2, b2)
    return {**found, "W2": -found["W2"]}


@wrong("05.21", says="seems to be transposed")
def inputs_first(x, y, W1, b1, W2, b2):
    found = backward(x, y, W1, b1, W2, b2)
    return {**found, "W1": np.outer(x, found["b1"])}


@wrong("05.21", says="has no 'loss'")
def loss_left_out(x, y, W1, b1, W2, b2):
    found = backward(x, y, W1, b1, W2, b2)
    del found["loss"]
    return found


# -- 05.22


@right("05.22")
def entry_by_entry(f, W, eps):
    forward, central = np.zeros(W.shape), np.zeros(W.shape)
    for i in np.ndindex(W.shape):
        up, down = W.astype(float), W.astype(float)
        up[i] += eps
        down[i] -= eps
        forward[i] = (f(up) - f(W)) / eps
        central[i] = (f(up) - f(down)) / (2 * eps)
    return forward, central


@right("05.22")
def one_copy_put_back(f, W, eps):
    theta = np.array(W, dtype=float)
    here = f(theta)
    flat = theta.reshape(-1)
    forward, central = np.empty(flat.size), np.empty(flat.size)
    for i in range(flat.size):
        old = flat[i]
        flat[i] = old + eps
        ahead = f(theta)
        flat[i] = old - eps
        behind = f(theta)
        flat[i] = old
        forward[i] = (ahead - here) / eps
        central[i] = (ahead - behind) / (2 * eps)
    return forward.reshape(W.shape), central.reshape(W.shape)


@right("05.22")
def unit_vectors(f, W, eps):
    steps = eps * np.eye(W.size).reshape(W.size, *W.shape)
    ahead = np.array([f(W + E) for E in steps])
    behind = np.array([f(W - E) for E in steps])
    forward = (ahead - f(W)) / eps
    return [forward.reshape(W.shape), ((ahead - behind) / (2 * eps)).reshape(W.shape)]


@wrong("05.22", "all entries at once")
def whole_array(f, W, eps):
    return (
        np.full(W.shape, (f(W + eps) - f(W)) / eps),
        np.full(W.shape, (f(W + eps) - f(W - eps)) / (2 * eps)),
    )


@wrong("05.22", "steps that stay")
def never_put_back(f, W, eps):
    theta = W.astype(W.dtype)
    forward, central = np.zeros(W.shape), np.zeros(W.shape)
    for i in np.ndindex(W.shape):
        theta[i] = theta[i] + eps
        ahead = f(theta)
        theta[i] = theta[i] - 2 * eps
        behind = f(theta)
        forward[i] = (ahead - f(W)) / eps
        central[i] = (ahead - behind) / (2 * eps)
    return forward, central


@wrong("05.22", "twice the same")
def forward_only(f, W, eps):
    forward, _ = entry_by_entry(f, W, eps)
    return forward, forward


@wrong("05.22", says="In part 2, your answer is 2 times what it should be")
def divided_by_one_step(f, W, eps):
    forward, central = entry_by_entry(f, W, eps)
    return forward, 2 * central


@wrong("05.22", says="Right everywhere but for an array of integers")
def integers_do_not_move(f, W, eps):
    forward, central = np.zeros(W.shape), np.zeros(W.shape)
    for i in np.ndindex(W.shape):
        step = np.zeros_like(W)
        step[i] = eps
        forward[i] = (f(W + step) - f(W)) / eps
        central[i] = (f(W + step) - f(W - step)) / (2 * eps)
    return forward, central


@wrong("05.22", says="changes its argument number 2 in place")
def moves_the_argument(f, W, eps):
    forward, central = np.zeros(W.shape), np.zeros(W.shape)
    for i in np.ndindex(W.shape):
        here = f(W)
        W[i] += eps
        forward[i] = (f(W) - here) / eps
        central[i] = forward[i]
    return forward, central


# -- 05.23

right(
    "05.23",
    "eps / 2 * p * (1 - p)",
    "0.5 * eps * (p - p**2)",
    "eps * (0.25 - (p - 0.5)**2) / 2",
)
wrong("05.23", "half forgotten", "eps*p*(1-p)")
wrong("05.23", "step forgotten", "p*(1-p)/2")
wrong("05.23", "first derivative for the second", "eps*p/2")
wrong("05.23", "step squared", "eps**2*p*(1-p)/2")
wrong("05.23", "", "eps/6*p*(1-p)", says="A constant factor is wrong")
wrong("05.23", "", "eps*(1-p)/2", says="This is another function")


# -- 05.24


@right("05.24")
def norms(estimate, exact):
    size = np.linalg.norm(estimate) + np.linalg.norm(exact)
    return np.linalg.norm(estimate - exact) / size if size > 0 else 0.0


@right("05.24")
def largest(estimate, exact):
    scale = max(np.abs(estimate).max(), np.abs(exact).max())
    return np.abs(estimate - exact).max() / max(scale, 1e-300)


@right("05.24")
def mean_sizes(estimate, exact):
    if not estimate.any() and not exact.any():
        return 0
    return np.mean(abs(estimate - exact)) / (np.mean(abs(estimate)) + np.mean(abs(exact)))


@wrong("05.24", "divided by zero")
def ratios(estimate, exact):
    return np.max(np.abs(estimate / exact - 1))


@wrong("05.24", "divided by zero")
def norms_without_a_guard(estimate, exact):
    return np.linalg.norm(estimate - exact) / (np.linalg.norm(estimate) + np.linalg.norm(exact))


@wrong("05.24", "entry by entry")
def guarded_ratios(estimate, exact):
    return np.max(np.abs(estimate - exact) / np.maximum(np.abs(exact), 1e-12))


@wrong("05.24", "entry by entry")
def relative_to_both(estimate, exact):
    scale = np.abs(estimate) + np.abs(exact)
    return np.max(np.where(scale > 0, np.abs(estimate - exact) / np.maximum(scale, 1e-300), 0))


@wrong("05.24", "not relative")
def plain_distance(estimate, exact):
    return np.linalg.norm(estimate - exact)


@wrong("05.24", "not relative")
def guarded_by_one(estimate, exact):
    return np.abs(estimate - exact).max() / max(1, np.abs(exact).max())


@wrong("05.24", "errors cancel")
def sum_of_differences(estimate, exact):
    return abs((estimate - exact).sum()) / (np.abs(exact).sum() + 1e-300)


@wrong("05.24", "errors cancel")
def difference_of_norms(estimate, exact):
    a, b = np.linalg.norm(estimate), np.linalg.norm(exact)
    return abs(a - b) / max(a + b, 1e-300)


@wrong("05.24", "blind to a factor")
def angle(estimate, exact):
    a, b = np.linalg.norm(estimate), np.linalg.norm(exact)
    if a == 0 or b == 0:
        return float(a != b)
    return 1 - (estimate * exact).sum() / (a * b)


@wrong("05.24", says="One number is asked for")
def a_judgement(estimate, exact):
    return np.allclose(estimate, exact)


@wrong("05.24", says="One number is asked for")
def several_measures(estimate, exact):
    return np.abs(estimate - exact).max(), np.abs(estimate - exact)


@wrong("05.24", says="One number is asked for")
def a_measure_that_is_a_tensor(estimate, exact):
    return abs(Tensor(estimate) - exact).max()


@wrong("05.24", says="one entry is twice what it should be")
def median(estimate, exact):
    return np.median(abs(estimate - exact)) / max(np.median(abs(exact)), 1e-300)


@wrong("05.24", says="one entry is twice what it should be")
def without_absolute_value(estimate, exact):
    return max(0.0, (estimate - exact).max()) / max(abs(exact).max(), 1e-300)


@wrong("05.24", says="one entry is half of what it should be")
def the_other_way_round(estimate, exact):
    return max(0.0, (exact - estimate).max()) / max(abs(exact).max(), 1e-300)


@wrong("05.24", says="every entry is too large by 1")
def standard_deviations(estimate, exact):
    return np.std(estimate - exact) / max(np.std(exact), 1e-300)


@wrong("05.24", says="One number is asked for")
def an_array(estimate, exact):
    return np.abs(estimate - exact)


# -- 05.25


@right("05.25")
def one_in_turn(x, W1):
    blind = 1 - W1 @ x
    seeing = blind.copy()
    seeing[0] -= 2
    return blind, seeing


@right("05.25")
def far_away(x, W1):
    far = 10 + np.abs(W1) @ np.abs(x)
    return far, np.where(np.arange(len(far)) % 2 == 0, far, -far)


@right("05.25")
def by_a_loop(x, W1):
    on, mixed = [], []
    for j, row in enumerate(W1):
        on.append(0.5 - sum(row * x))
        mixed.append((-0.5 if j == len(W1) - 1 else 0.5) - sum(row * x))
    return np.array(on), np.array(mixed)


@wrong("05.25", "a unit is off")
def zeros_and_less(x, W1):
    return np.full(len(W1), 0.5), np.where(np.arange(len(W1)) > 0, 1, -1) - W1 @ x


@wrong("05.25", "a unit is off")
def large_without_looking(x, W1):
    blind = np.full(len(W1), 1e3)
    return blind, np.where(np.arange(len(W1)) == 0, -blind, blind)


@wrong("05.25", "every unit is on")
def twice_on(x, W1):
    return 1 - W1 @ x, 2 - W1 @ x


@wrong("05.25", "every unit is off")
def all_dead(x, W1):
    return 1 - W1 @ x, -1 - W1 @ x


@wrong("05.25", "exchanged")
def other_way_round(x, W1):
    return one_in_turn(x, W1)[::-1]


@wrong("05.25", "at the kink")
def just_at_zero(x, W1):
    return -(W1 @ x), one_in_turn(x, W1)[1]


@wrong("05.25", says="should be an array of shape (3,), yours has shape (2,)")
def biases_of_the_inputs(x, W1):
    return 1 + np.abs(x), -np.abs(x)


@wrong("05.25", says="`return blind, seeing`")
def only_one(x, W1):
    return 1 - W1 @ x


# -- 05.26


def rows(X, y, W1, b1, W2, b2, axis=1, gated=True):
    n = len(X)
    Ha = X @ W1.T + b1
    Hs = np.maximum(Ha, 0)
    Oa = Hs @ W2.T + b2
    Os = np.exp(Oa - Oa.max(axis=axis, keepdims=True))
    Os /= Os.sum(axis=axis, keepdims=True)
    grad_Oa = Os - np.eye(len(b2))[y]
    grad_Ha = grad_Oa @ W2
    if gated:
        grad_Ha[Ha <= 0] = 0
    return {
        "W2": grad_Oa.T @ Hs / n,
        "b2": grad_Oa.mean(axis=0),
        "W1": grad_Ha.T @ X / n,
        "b1": grad_Ha.mean(axis=0),
    }


@right("05.26")
def all_rows(X, y, W1, b1, W2, b2):
    return rows(X, y, W1, b1, W2, b2)


@right("05.26")
def one_after_the_other(X, y, W1, b1, W2, b2):
    total = {name: 0.0 for name in NAMES}
    for x, label in zip(X, y, strict=True):
        found = backward(x, label, W1, b1, W2, b2)
        for name in NAMES:
            total[name] = total[name] + found[name] / len(X)
    return total


@right("05.26")
def by_the_engine(X, y, W1, b1, W2, b2):
    theta = [Tensor(a) for a in (W1, b1, W2, b2)]
    hidden = F.relu(F.linear(X, theta[0], theta[1]))
    F.cross_entropy(F.linear(hidden, theta[2], theta[3]), y).backward()
    return {name: t.grad for name, t in zip(NAMES, theta, strict=True)}


@right("05.26")
def einsum(X, y, W1, b1, W2, b2):
    Ha = np.einsum("ni,ji->nj", X, W1) + b1
    Hs = Ha.clip(min=0)
    G = F.softmax(np.einsum("nj,kj->nk", Hs, W2) + b2)
    G[range(len(y)), y] -= 1
    G = G / len(y)
    B = np.einsum("nk,kj->nj", G, W2) * (Hs > 0)
    return {
        "W1": np.einsum("nj,ni->ji", B, X),
        "b1": np.einsum("nj->j", B),
        "W2": np.einsum("nk,nj->kj", G, Hs),
        "b2": np.einsum("nk->k", G),
    }


@wrong("05.26", "softmax over the whole matrix")
def softmax_of_a_vector(X, y, W1, b1, W2, b2):
    return rows(X, y, W1, b1, W2, b2, axis=None)


@wrong("05.26", "softmax down the columns")
def softmax_down(X, y, W1, b1, W2, b2):
    return rows(X, y, W1, b1, W2, b2, axis=0)


@wrong("05.26", "gate forgotten")
def batch_without_gate(X, y, W1, b1, W2, b2):
    return rows(X, y, W1, b1, W2, b2, gated=False)


@wrong("05.26", "every label for every example")
def whole_columns(X, y, W1, b1, W2, b2):
    Ha = X @ W1.T + b1
    Hs = np.maximum(Ha, 0)
    G = F.softmax(Hs @ W2.T + b2)
    G[:, y] -= 1
    G /= len(y)
    B = (G @ W2) * (Ha > 0)
    return {"W1": B.T @ X, "b1": B.sum(0), "W2": G.T @ Hs, "b2": G.sum(0)}


@wrong("05.26", "biases divided twice")
def mean_of_means(X, y, W1, b1, W2, b2):
    found = rows(X, y, W1, b1, W2, b2)
    return {**found, "b1": found["b1"] / len(X), "b2": found["b2"] / len(X)}


@wrong("05.26", "biases summed, not averaged")
def sum_of_biases(X, y, W1, b1, W2, b2):
    found = rows(X, y, W1, b1, W2, b2)
    return {**found, "b1": found["b1"] * len(X), "b2": found["b2"] * len(X)}


@wrong("05.26", "not shifted")
def batch_not_shifted(X, y, W1, b1, W2, b2):
    Ha = X @ W1.T + b1
    Hs = np.maximum(Ha, 0)
    E = np.exp(Hs @ W2.T + b2)
    G = (E / E.sum(axis=1)[:, None] - np.eye(len(b2))[y]) / len(y)
    B = (G @ W2) * (Ha > 0)
    return {"W1": B.T @ X, "b1": B.sum(0), "W2": G.T @ Hs, "b2": G.sum(0)}


@wrong("05.26", "one shift for the batch")
def largest_of_all(X, y, W1, b1, W2, b2):
    Ha = X @ W1.T + b1
    Oa = np.maximum(Ha, 0) @ W2.T + b2
    E = np.exp(Oa - np.max(Oa))
    G = (E / E.sum(axis=1)[:, None] - np.eye(len(b2))[y]) / len(y)
    B = (G @ W2) * (Ha > 0)
    return {"W1": B.T @ X, "b1": B.sum(0), "W2": G.T @ np.maximum(Ha, 0), "b2": G.sum(0)}


@wrong("05.26", says="n times too large")
def sum_of_all(X, y, W1, b1, W2, b2):
    return {name: len(X) * found for name, found in rows(X, y, W1, b1, W2, b2).items()}


@wrong("05.26", says="Your answer['b1'] has shape")
def one_bias_an_example(X, y, W1, b1, W2, b2):
    found = rows(X, y, W1, b1, W2, b2)
    return {**found, "b1": np.tile(found["b1"], (len(X), 1))}


# -- 05.27


def columns(X, y, W1, b1, W2, b2, penalties, axis=0):
    """The nine lines, and a penalty from a list of two functions."""
    n = X.shape[1]
    ha = W1.dot(X) + b1
    hs = np.maximum(ha, 0)
    oa = W2.dot(hs) + b2
    grad_oa = np.exp(oa - oa.max(axis=axis, keepdims=True))
    grad_oa /= grad_oa.sum(axis=axis, keepdims=True)
    grad_oa[y, range(n)] -= 1
    grad_ha = W2.T.dot(grad_oa) * (ha > 0)
    return {
        "W1": grad_ha.dot(X.T) / n + penalties[0](W1),
        "b1": grad_ha.mean(axis=1, keepdims=True),
        "W2": grad_oa.dot(hs.T) / n + penalties[1](W2),
        "b2": grad_oa.mean(axis=1, keepdims=True),
    }


def nets(Lambda, sign=np.sign, two=2.0, share=1.0):
    a, b, c, d = Lambda
    return [
        lambda W: share * (a * sign(W) + two * b * W),
        lambda W: share * (c * sign(W) + two * d * W),
    ]


@right("05.27")
def nine_lines(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda))


@right("05.27")
def rows_and_back(X, y, W1, b1, W2, b2, Lambda):
    found = rows(X.T, y, W1, b1.ravel(), W2, b2.ravel())
    found["b1"], found["b2"] = found["b1"].reshape(b1.shape), found["b2"].reshape(b2.shape)
    found["W1"] += Lambda[0] * ((W1 > 0) * 1.0 - (W1 < 0)) + 2 * Lambda[1] * W1
    found["W2"] += Lambda[2] * W2 / np.abs(W2) + 2 * Lambda[3] * W2
    return found


@right("05.27")
def column_by_column(X, y, W1, b1, W2, b2, Lambda):
    l11, l12, l21, l22 = Lambda
    sums = dict.fromkeys(NAMES, 0)
    for i in range(X.shape[1]):
        found = backward(X[:, i], y[i], W1, b1[:, 0], W2, b2[:, 0])
        sums = {name: sums[name] + found[name] for name in NAMES}
    mean = {name: value / X.shape[1] for name, value in sums.items()}
    return {
        "W1": mean["W1"] + l11 * np.where(W1 > 0, 1, -1) + 2 * l12 * W1,
        "b1": mean["b1"][:, None],
        "W2": mean["W2"] + l21 * np.where(W2 > 0, 1, -1) + 2 * l22 * W2,
        "b2": mean["b2"][:, None],
    }


@wrong("05.27", "softmax over the whole matrix")
def columns_softmax_of_all(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda), axis=None)


@wrong("05.27", "softmax along the rows")
def columns_softmax_of_rows(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda), axis=1)


@wrong("05.27", "penalty forgotten")
def as_printed(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets([0, 0, 0, 0]))


@wrong("05.27", "penalty divided by n")
def penalty_in_the_mean(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda, share=1 / len(y)))


@wrong("05.27", "sign forgotten")
def constant_slope(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda, sign=np.ones_like))


@wrong("05.27", "two forgotten")
def half_of_the_square(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets(Lambda, two=1.0))


@wrong("05.27", "biases penalised")
def everything_penalised(X, y, W1, b1, W2, b2, Lambda):
    found = columns(X, y, W1, b1, W2, b2, nets(Lambda))
    first, second = nets(Lambda)
    return {**found, "b1": found["b1"] + first(b1), "b2": found["b2"] + second(b2)}


@wrong("05.27", says="Your answer['b1'] has shape (3,), shape (3, 1) is asked for")
def flat_biases(X, y, W1, b1, W2, b2, Lambda):
    found = columns(X, y, W1, b1, W2, b2, nets(Lambda))
    return {**found, "b1": found["b1"].ravel()}


@wrong("05.27", says="In 'W2', 6 of 6")
def first_layer_only(X, y, W1, b1, W2, b2, Lambda):
    return columns(X, y, W1, b1, W2, b2, nets([*Lambda[:2], 0, 0]))


# -- 05.28


@right("05.28")
def generator(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    W1 = rng.uniform(-1, 1, (d_h, d)) / np.sqrt(d)
    W2 = rng.uniform(-1, 1, (m, d_h)) / np.sqrt(d_h)
    return W1, np.zeros(d_h), W2, np.zeros(m)


@right("05.28")
def old_state(d, d_h, m, seed):
    state = np.random.RandomState(seed)
    parameters = []
    for inputs, units in ((d, d_h), (d_h, m)):
        parameters += [(2 * state.rand(units, inputs) - 1) * inputs**-0.5, np.zeros((units,))]
    return parameters


@right("05.28")
def pythons_own(d, d_h, m, seed):
    dice = random.Random(seed)

    def draw(units, inputs):
        bound = 1 / inputs**0.5
        return np.array(
            [[dice.uniform(-bound, bound) for _ in range(inputs)] for _ in range(units)]
        )

    return draw(d_h, d), np.zeros(d_h), draw(m, d_h), np.zeros(m)


def drawn(rng, d, d_h, m, first, second):
    W1, W2 = rng.uniform(-first, first, (d_h, d)), rng.uniform(-second, second, (m, d_h))
    return W1, np.zeros(d_h), W2, np.zeros(m)


@wrong("05.28", "the seed does not arrive")
def seed_of_python(d, d_h, m, seed):
    random.seed(seed)
    return drawn(np.random, d, d_h, m, d**-0.5, d_h**-0.5)


@wrong("05.28", "the seed does not arrive")
def no_seed(d, d_h, m, seed):
    return drawn(np.random.default_rng(), d, d_h, m, d**-0.5, d_h**-0.5)


@wrong("05.28", "every seed the same")
def always_42(d, d_h, m, seed):
    return drawn(np.random.default_rng(42), d, d_h, m, d**-0.5, d_h**-0.5)


@wrong("05.28", "one seed used twice")
def two_generators(d, d_h, m, seed):
    W1 = np.random.default_rng(seed).uniform(-1, 1, (d_h, d)) / np.sqrt(d)
    W2 = np.random.default_rng(seed).uniform(-1, 1, (m, d_h)) / np.sqrt(d_h)
    return W1, np.zeros(d_h), W2, np.zeros(m)


@wrong("05.28", "outputs for inputs")
def by_outputs(d, d_h, m, seed):
    return drawn(np.random.default_rng(seed), d, d_h, m, d_h**-0.5, m**-0.5)


@wrong("05.28", "root forgotten")
def by_inputs(d, d_h, m, seed):
    return drawn(np.random.default_rng(seed), d, d_h, m, 1 / d, 1 / d_h)


@wrong("05.28", "all zero")
def zeros(d, d_h, m, seed):
    return np.zeros((d_h, d)), np.zeros(d_h), np.zeros((m, d_h)), np.zeros(m)


@wrong("05.28", "one side only")
def random_numbers(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.random((d_h, d)) / np.sqrt(d), rng.random((m, d_h)) / np.sqrt(d_h)
    return W1, np.zeros(d_h), W2, np.zeros(m)


@wrong("05.28", "one side only")
def negative_numbers(d, d_h, m, seed):
    W1, b1, W2, b2 = random_numbers(d, d_h, m, seed)
    return -W1, b1, -W2, b2


@wrong("05.28", "every seed the same")
def second_layer_always_the_same(d, d_h, m, seed):
    W1, b1, _, b2 = generator(d, d_h, m, seed)
    return W1, b1, generator(d, d_h, m, 0)[2], b2


@wrong("05.28", "not uniform")
def clipped_normal(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.normal(size=(d_h, d)).clip(-1, 1), rng.normal(size=(m, d_h)).clip(-1, 1)
    return W1 / np.sqrt(d), np.zeros(d_h), W2 / np.sqrt(d_h), np.zeros(m)


@wrong("05.28", "not uniform")
def mostly_positive(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.uniform(-0.3, 1, (d_h, d)), rng.uniform(-0.3, 1, (m, d_h))
    return W1 / np.sqrt(d), np.zeros(d_h), W2 / np.sqrt(d_h), np.zeros(m)


@wrong("05.28", says="should fill the interval")
def normal(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(d_h, d)), np.zeros(d_h), rng.normal(size=(m, d_h)), np.zeros(m)


@wrong("05.28", says="The biases should begin at zero")
def biases_drawn(d, d_h, m, seed):
    rng = np.random.default_rng(seed)
    W1, _, W2, b2 = drawn(rng, d, d_h, m, d**-0.5, d_h**-0.5)
    return W1, rng.uniform(-1, 1, d_h), W2, b2


@wrong("05.28", says="`W1` has shape (40, 30), (30, 40) is asked for")
def transposed(d, d_h, m, seed):
    W1, b1, W2, b2 = generator(d, d_h, m, seed)
    return W1.T, b1, W2.T, b2


# -- 05.29


@right("05.29")
def two_loops(runs, factor):
    effects = []
    for low in runs:
        for high in runs:
            others = set(low) - {factor, "accuracy"}
            if low[factor] < high[factor] and all(low[k] == high[k] for k in others):
                effects.append(high["accuracy"] - low["accuracy"])
    return np.array(sorted(effects))


@right("05.29")
def in_groups(runs, factor):
    groups = {}
    for run in runs:
        others = tuple(v for k, v in sorted(run.items()) if k not in (factor, "accuracy"))
        groups.setdefault(others, []).append((run[factor], run["accuracy"]))
    effects = []
    for group in groups.values():
        group.sort()
        effects += [b - a for i, (_, a) in enumerate(group) for _, b in group[i + 1 :]]
    return np.sort(np.array(effects, dtype=float))


@right("05.29")
def compared_without(runs, factor):
    ranked = sorted(runs, key=lambda run: run[factor])
    effects = np.array([])
    for i in range(len(ranked)):
        for j in range(i):
            a, b = dict(ranked[j]), dict(ranked[i])
            gain = b.pop("accuracy") - a.pop("accuracy")
            if a.pop(factor) != b.pop(factor) and a == b:
                effects = np.append(effects, gain)
    effects.sort()
    return effects


@wrong("05.29", "confounded")
def all_pairs(runs, factor):
    pairs = [(a, b) for a in runs for b in runs if a[factor] < b[factor]]
    return np.sort(np.array([b["accuracy"] - a["accuracy"] for a, b in pairs]))


@wrong("05.29", "seed ignored")
def any_seed(runs, factor):
    others = {"d_h", "penalty"} - {factor}
    gains = [
        b["accuracy"] - a["accuracy"]
        for a in runs
        for b in runs
        if a[factor] < b[factor] and all(a[k] == b[k] for k in others)
    ]
    return np.sort(np.array(gains))


@wrong("05.29", "smaller minus larger")
def loss_for_gain(runs, factor):
    return np.sort(-two_loops(runs, factor))


@wrong("05.29", "neighbours only")
def zipped(runs, factor):
    gains = []
    for a, b in itertools.pairwise(runs):
        others = set(a) - {factor, "accuracy"}
        if a[factor] != b[factor] and all(a[k] == b[k] for k in others):
            sign = 1 if b[factor] > a[factor] else -1
            gains.append(sign * (b["accuracy"] - a["accuracy"]))
    return np.array(sorted(gains), dtype=float)


@wrong("05.29", says="Right everywhere but where two pairs gain the same")
def sorted_by_unique(runs, factor):
    return np.unique(two_loops(runs, factor))


@wrong("05.29", says="an array of shape (2,) is asked for")
def a_list(runs, factor):
    return two_loops(runs, factor).tolist()


@wrong("05.29", says="has shape (4,), shape (2,) is asked for")
def each_pair_twice(runs, factor):
    gains = two_loops(runs, factor)
    return np.sort(np.concatenate([gains, -gains]))


# -- 05.30


def descend(X, y, d_h, m, K, epochs, lr, seed, penalty=lambda n: 0.0, whole=False, **how):
    """Training by hand; ``how`` says what is wrong with a step."""
    rng = np.random.default_rng(seed)
    theta = generator(X.shape[1], d_h, m, rng)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        end = len(X) - len(X) % K if whole else len(X)
        for start in range(0, end, K):
            batch = order[start : start + K]
            found = rows(X[batch], y[batch], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                step = found[name] * how.get("times", lambda n: 1)(len(batch))
                if name[0] == "W" or how.get("biases"):
                    step = step + how.get("two", 2) * penalty(len(batch)) * a
                a -= lr * step
    return theta


@right("05.30")
def by_batches(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty)


@right("05.30")
def with_the_engine(X, y, d_h, m, K, epochs, lr, penalty, seed):
    rng = np.random.default_rng(seed)
    W1, W2 = rng.normal(size=(d_h, X.shape[1])), rng.normal(size=(m, d_h))
    theta = [Tensor(a) for a in (W1, np.zeros(d_h), W2, np.zeros(m))]
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(X)), np.arange(K, len(X), K)):
            for t in theta:
                t.zero_grad()
            logits = F.linear(F.relu(F.linear(X[batch], *theta[:2])), *theta[2:])
            squares = (theta[0] ** 2).sum() + (theta[2] ** 2).sum()
            (F.cross_entropy(logits, y[batch]) + penalty * squares).backward()
            for t in theta:
                t.data -= lr * t.grad
    return [t.numpy() for t in theta]


@right("05.30")
def from_large_weights(X, y, d_h, m, K, epochs, lr, penalty, seed):
    state = np.random.RandomState(seed)
    W1, b1, W2, b2 = drawn(state, X.shape[1], d_h, m, 3.0, 3.0)
    for _ in range(epochs):
        order = state.permutation(len(X))
        X, y = X[order], y[order]
        for i in range(-(-len(X) // K)):
            found = rows(X[i * K : i * K + K], y[i * K : i * K + K], W1, b1, W2, b2)
            W1 = W1 - lr * (found["W1"] + 2 * penalty * W1)
            b1 = b1 - lr * found["b1"]
            W2 = W2 - lr * (found["W2"] + 2 * penalty * W2)
            b2 = b2 - lr * found["b2"]
    return W1, b1, W2, b2


@right("05.30")
def without_shuffling(X, y, d_h, m, K, epochs, lr, penalty, seed):
    W1, b1, W2, b2 = old_state(X.shape[1], d_h, m, seed)
    for _epoch in range(epochs):
        for s in range(0, len(X), K):
            total = {name: 0 for name in NAMES}
            x, labels = X[s : s + K], y[s : s + K]
            for i in range(len(x)):
                found = backward(x[i], labels[i], W1, b1, W2, b2)
                total = {name: total[name] + found[name] for name in NAMES}
            W1 = (1 - 2 * lr * penalty) * W1 - lr / len(x) * total["W1"]
            b1 = b1 - lr / len(x) * total["b1"]
            W2 = (1 - 2 * lr * penalty) * W2 - lr / len(x) * total["W2"]
            b2 = b2 - lr / len(x) * total["b2"]
    return W1, b1, W2, b2


@wrong("05.30", "uphill")
def climbs(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, -lr, seed, lambda n: penalty)


@wrong("05.30", "penalty forgotten")
def unpenalised(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed)


@wrong("05.30", "two forgotten")
def half_penalised(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty, two=1)


@wrong("05.30", "biases penalised")
def all_penalised(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty, biases=True)


@wrong("05.30", "penalty divided by n")
def penalty_of_the_batch(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty / n)


@wrong("05.30", "sum for mean")
def summed(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty, times=lambda n: n)


@wrong("05.30", "last batch dropped")
def whole_batches(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty, whole=True)


@wrong("05.30", "last batch divided by K")
def over_K(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, seed, lambda n: penalty, times=lambda n: n / K)


@wrong("05.30", "a step per example")
def one_by_one(X, y, d_h, m, K, epochs, lr, penalty, seed):
    size = K if K == len(X) else 1
    return descend(X, y, d_h, m, size, epochs, lr, seed, lambda n: penalty)


@wrong("05.30", "not repeatable")
def any_beginning(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, epochs, lr, None, lambda n: penalty)


@wrong("05.30", "all zero")
def begins_at_zero(X, y, d_h, m, K, epochs, lr, penalty, seed):
    theta = [0 * a for a in generator(X.shape[1], d_h, m, seed)]
    for _ in range(epochs):
        for s in range(0, len(X), K):
            found = rows(X[s : s + K], y[s : s + K], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                a -= lr * (found[name] + 2 * penalty * a * (name[0] == "W"))
    return theta


@wrong("05.30", "every seed the same")
def seed_unused(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return by_batches(X, y, d_h, m, K, epochs, lr, penalty, 0)


@wrong("05.30", says="does every example keep its label?")
def labels_stay_behind(X, y, d_h, m, K, epochs, lr, penalty, seed):
    order = np.random.default_rng(seed).permutation(len(X))
    return by_batches(X[order], y, d_h, m, K, epochs, lr, penalty, seed)


@wrong("05.30", "no step")
def one_epoch_less(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return descend(X, y, d_h, m, K, max(epochs - 1, 0), lr, seed, lambda n: penalty)


@wrong("05.30", "W2 moved too early")
def step_by_step_backward(X, y, d_h, m, K, epochs, lr, penalty, seed):
    W1, b1, W2, b2 = generator(X.shape[1], d_h, m, seed)
    for _ in range(epochs):
        for s in range(0, len(X), K):
            x, labels = X[s : s + K], y[s : s + K]
            Ha = x @ W1.T + b1
            Hs = np.maximum(Ha, 0)
            G = (F.softmax(Hs @ W2.T + b2) - np.eye(m)[labels]) / len(x)
            W2 -= lr * (G.T @ Hs + 2 * penalty * W2)
            b2 -= lr * G.sum(axis=0)
            B = (G @ W2) * (Ha > 0)
            W1 -= lr * (B.T @ x + 2 * penalty * W1)
            b1 -= lr * B.sum(axis=0)
    return W1, b1, W2, b2


@wrong("05.30", "not each example once")
def drawn_anew_for_each_batch(X, y, d_h, m, K, epochs, lr, penalty, seed):
    rng = np.random.default_rng(seed)
    theta = generator(X.shape[1], d_h, m, rng)
    for _ in range(epochs):
        for start in range(0, len(X), K):
            size = min(K, len(X) - start)
            batch = rng.choice(len(X), size, replace=False)
            found = rows(X[batch], y[batch], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                a -= lr * (found[name] + 2 * penalty * a * (name[0] == "W"))
    return theta


@wrong("05.30", "last batch dropped")
def cut_into_equal_parts(X, y, d_h, m, K, epochs, lr, penalty, seed):
    rng = np.random.default_rng(seed)
    theta = generator(X.shape[1], d_h, m, rng)
    for _ in range(epochs):
        for batch in np.array_split(rng.permutation(len(X)), len(X) // K):
            found = rows(X[batch], y[batch], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                a -= lr * (found[name] + 2 * penalty * a * (name[0] == "W"))
    return theta


@wrong("05.30", says="Yours goes elsewhere in W1, b1")
def ungated(X, y, d_h, m, K, epochs, lr, penalty, seed):
    theta = generator(X.shape[1], d_h, m, seed)
    for _ in range(epochs):
        for s in range(0, len(X), K):
            found = rows(X[s : s + K], y[s : s + K], *theta, gated=False)
            for name, a in zip(NAMES, theta, strict=True):
                a -= lr * (found[name] + 2 * penalty * a * (name[0] == "W"))
    return theta


@wrong("05.30", says="two circles are not learnt")
def nearly_no_weights(X, y, d_h, m, K, epochs, lr, penalty, seed):
    theta = [1e-9 * a for a in generator(X.shape[1], d_h, m, seed)]
    for _ in range(epochs):
        for s in range(0, len(X), K):
            found = rows(X[s : s + K], y[s : s + K], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                a -= lr * (found[name] + 2 * penalty * a * (name[0] == "W"))
    return theta


@wrong("05.30", says="`return W1, b1, W2, b2`")
def weights_only(X, y, d_h, m, K, epochs, lr, penalty, seed):
    return by_batches(X, y, d_h, m, K, epochs, lr, penalty, seed)[::2]


# -- 05.31


@right("05.31")
def more_units(X, y, seed):
    return descend(X / 255, y, 100, 10, 32, 8, 0.1, seed)


@right("05.31")
def single_precision(X, y, seed):
    rng = np.random.default_rng(seed)
    X = X.astype(np.float32) / 255
    theta = [a.astype(np.float32) for a in generator(784, 64, 10, seed)]
    for epoch in range(10):
        lr = 0.15 * (1 - epoch / 10)
        for batch in np.split(rng.permutation(len(X)), np.arange(20, len(X), 20)):
            found = rows(X[batch], y[batch], *theta)
            for name, a in zip(NAMES, theta, strict=True):
                a -= np.float32(lr) * found[name].astype(np.float32)
    return theta


@right("05.31")
def with_momentum(X, y, seed):
    rng = np.random.default_rng(seed)
    X = X / 255
    theta = generator(784, 80, 10, seed)
    speed = [np.zeros_like(a) for a in theta]
    for _ in range(7):
        order = rng.permutation(len(X))
        for s in range(0, len(X), 50):
            found = rows(X[order[s : s + 50]], y[order[s : s + 50]], *theta)
            for name, a, v in zip(NAMES, theta, speed, strict=True):
                v *= 0.8
                v += found[name]
                a -= 0.04 * v
    return theta


@wrong("05.31", "too little learnt")
def those_of_the_homework(X, y, seed):
    return descend(X / 255, y, 10, 10, 100, 3, 0.03, seed, lambda n: 1e-3)


@wrong("05.31", "pixels not divided")
def raw_pixels(X, y, seed):
    return descend(X.astype(float), y, 30, 10, 50, 3, 0.0005, seed)


@wrong("05.31", "guessing")
def too_fast(X, y, seed):
    return descend(X / 255, y, 20, 10, 100, 1, 30.0, seed)


@wrong("05.31", says="`W2` has shape")
def eleven_classes(X, y, seed):
    return generator(784, 20, 11, seed)


@wrong("05.31", says="`b1` has shape (20, 1), (20,) is asked for")
def biases_in_a_column(X, y, seed):
    W1, b1, W2, b2 = generator(784, 20, 10, seed)
    return W1, b1[:, None], W2, b2


@wrong("05.31", says="`W1` should be an array of floats")
def tensors(X, y, seed):
    return [Tensor(a) for a in generator(784, 20, 10, seed)]


@wrong("05.31", says="nan")
def infinite(X, y, seed):
    W1, b1, W2, b2 = generator(784, 20, 10, seed)
    return W1 * np.nan, b1, W2, b2
