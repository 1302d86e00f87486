"""Optimizers by their closed forms, their bookkeeping, clipping, and schedules.

That whole runs agree with PyTorch is in ``test_torch_vectors.py``.
"""

import copy
import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minimlcourse import Tensor
from minimlcourse.optim import SGD, Adam, AdamW, RMSProp, adaptive, clip_grad_norm_, sgd
from minimlcourse.optim.lr_scheduler import (
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    LinearWarmup,
    StepLR,
)

EVERY_KIND = {
    "SGD": lambda params: SGD(params, lr=0.1),
    "momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "Nesterov": lambda params: SGD(params, 0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "RMSProp": lambda params: RMSProp(params, lr=0.01, weight_decay=0.1),
    "RMSProp with momentum": lambda params: RMSProp(params, lr=0.01, momentum=0.9),
    "Adam": lambda params: Adam(params, lr=0.01),
    "Adam with L2": lambda params: Adam(params, lr=0.01, weight_decay=0.1),
    "AdamW": lambda params: AdamW(params, lr=0.01, weight_decay=0.1),
}
each_kind = pytest.mark.parametrize("make", EVERY_KIND.values(), ids=EVERY_KIND.keys())

SHAPES = [(2, 3), (3,), (), (1, 2, 2)]


def parameters(shapes=SHAPES, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [Tensor(rng.normal(size=shape), dtype=dtype) for shape in shapes]


def step_with(optimizer, *gradients):
    """One step with these gradients, None included."""
    for p, g in zip(optimizer.params, gradients, strict=True):
        p.grad = None if g is None else np.asarray(g, dtype=p.dtype).reshape(p.shape)
    optimizer.step()


def train(optimizer, steps, start=0):
    """Some steps with gradients that depend on the step, on the parameter and on its values."""
    for k in range(start, start + steps):
        gradients = []
        for p in optimizer.params:
            noise = np.random.default_rng([k, p.size]).normal(size=p.shape)
            gradients.append(np.tanh(p.numpy()) + noise)
        step_with(optimizer, *gradients)


def bits(params):
    return [p.numpy().tobytes() for p in params]


def moved_by(optimizer, *gradients):
    """How far the only parameter, a number, goes with these gradients."""
    (p,) = optimizer.params
    start = p.item()
    for g in gradients:
        step_with(optimizer, g)
    return start - p.item()


# -- closed forms ----------------------------------------------------------------------------------


def test_momentum_makes_the_effective_step_longer():
    plain = moved_by(SGD([Tensor(0.0)], lr=0.01), *[1.0] * 2000)
    momentum = moved_by(SGD([Tensor(0.0)], lr=0.01, momentum=0.9), *[1.0] * 2000)
    # v_t = (1 - μ^t)/(1 - μ), summed over the steps
    expected = 0.01 * sum((1 - 0.9**t) / (1 - 0.9) for t in range(1, 2001))
    assert momentum == pytest.approx(expected, rel=1e-12)
    assert momentum / plain == pytest.approx(9.955, abs=1e-3)  # equal rates, unequal comparison
    fair = moved_by(SGD([Tensor(0.0)], lr=0.001, momentum=0.9), *[1.0] * 2000)
    assert fair / plain == pytest.approx(1, abs=0.005)  # equal η/(1-μ)


@pytest.mark.parametrize(("lr", "stable"), [(3.79, True), (3.81, False)])
def test_momentum_is_stable_below_2_times_1_plus_mu_over_L(lr, stable):
    x = Tensor(1.0)
    optimizer = SGD([x], lr=lr, momentum=0.9)
    for _ in range(5000):
        step_with(optimizer, x.item())  # the gradient of x²/2: L = 1, the limit is 3.8
        if abs(x.item()) > 1e6:
            break
    assert (abs(x.item()) < 1e-3) == stable


def test_nesterov_looks_ahead():
    optimizer = SGD([Tensor(0.0)], lr=0.1, momentum=0.5, nesterov=True)
    # v = 1, 1.5, 1.75 and the steps are η (g + μ v)
    assert moved_by(optimizer, 1, 1, 1) == pytest.approx(0.1 * (1.5 + 1.75 + 1.875), rel=1e-12)


def test_rmsprop_first_step_is_long():
    assert moved_by(RMSProp([Tensor(0.0)], lr=0.01, eps=0), -7.0) == pytest.approx(-0.1, rel=1e-12)


@pytest.mark.parametrize(
    "optimizer",
    [RMSProp([Tensor(0.0)], lr=1.0, alpha=0), Adam([Tensor(0.0)], lr=1.0)],
    ids=["RMSProp", "Adam"],
)
def test_epsilon_is_outside_the_root(optimizer):
    g, eps = 1e-6, 1e-8
    inside = g / math.sqrt(g * g + eps)
    assert moved_by(optimizer, g) == pytest.approx(g / (g + eps), rel=1e-12)
    assert inside == pytest.approx(0.01, rel=1e-3)  # what the other convention would do


@given(st.floats(min_value=1e-100, max_value=1e100), st.sampled_from([-1.0, 1.0]))
def test_adam_first_step_is_the_rate_whatever_the_gradient(size, sign):
    step = moved_by(Adam([Tensor(0.0)], lr=1e-3, eps=0), sign * size)
    assert step == pytest.approx(sign * 1e-3, rel=1e-12)


def test_without_bias_corrections_the_first_step_would_be_longer():
    """Late in a run the corrections are 1: a first gradient after long silence is uncorrected."""
    optimizer = Adam([Tensor(0.0)], lr=1e-3)
    step = moved_by(optimizer, *[0.0] * 20_000, 1.0)
    assert step / 1e-3 == pytest.approx((1 - 0.9) / math.sqrt(1 - 0.999), rel=1e-6)
    assert step / 1e-3 == pytest.approx(3.162, abs=1e-3)


def run_scaled(c, eps, steps=100):
    p = Tensor([0.5, -1.0, 2.0])
    optimizer = Adam([p], lr=0.01, eps=eps)
    rng = np.random.default_rng(5)
    for _ in range(steps):
        step_with(optimizer, c * rng.normal(size=3))
    return p.numpy()


def test_adam_ignores_the_scale_of_the_loss_but_for_epsilon():
    path = run_scaled(1, eps=0)
    assert run_scaled(2.0**40, eps=0).tobytes() == path.tobytes()
    np.testing.assert_allclose(run_scaled(1e-9, eps=0), path, rtol=1e-12)
    np.testing.assert_allclose(
        run_scaled(1e-9, eps=1e-17), run_scaled(1, eps=1e-8), rtol=1e-12
    )  # ε scaled with the loss
    assert moved_by(Adam([Tensor(0.0)], lr=1.0), 0.3e-9) == pytest.approx(0.0291, abs=1e-4)


def test_l2_is_not_weight_decay_for_adam():
    """Where the loss has no gradient, the penalty's own is normalised away."""

    def after_200_steps(kind, strength):
        w = Tensor(1.0)
        optimizer = kind([w], lr=1e-3, weight_decay=strength)
        for _ in range(200):
            step_with(optimizer, 0.0)
        return w.item()

    assert after_200_steps(Adam, 1e-4) == pytest.approx(0.8085, abs=5e-4)
    assert after_200_steps(Adam, 0.1) == pytest.approx(0.8085, abs=5e-4)
    assert after_200_steps(AdamW, 1e-4) == pytest.approx((1 - 1e-7) ** 200, rel=1e-12)
    assert after_200_steps(AdamW, 0.1) == pytest.approx((1 - 1e-4) ** 200, rel=1e-12)
    assert after_200_steps(SGD, 0.1) == pytest.approx((1 - 1e-4) ** 200, rel=1e-12)


def test_adamw_without_decay_is_adam():
    adam, adamw = parameters(), parameters()
    train(Adam(adam), 20)
    train(AdamW(adamw, weight_decay=0), 20)
    assert bits(adam) == bits(adamw)


def test_adaptive_methods_depend_on_the_axes_and_gradient_descent_does_not():
    def final_loss(make, angle):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        A = turn @ np.diag([1.0, 1000.0]) @ turn.T
        x = Tensor(turn @ [1.0, 1.0])
        optimizer = make([x])
        for _ in range(300):
            step_with(optimizer, A @ x.numpy())
        return 0.5 * x.numpy() @ A @ x.numpy()

    def descent(params):
        return SGD(params, lr=1e-3)

    def adam(params):
        return Adam(params, lr=0.02)

    assert final_loss(descent, 0.0) == pytest.approx(final_loss(descent, np.pi / 4), rel=1e-9)
    assert final_loss(adam, np.pi / 4) > 10 * final_loss(adam, 0.0)


def test_adam_can_converge_to_the_worst_point():
    """Reddi, Kale and Kumar: 3x every third step, else -x, on [-1, 1]; the best point is -1."""
    x = Tensor(0.0)
    optimizer = Adam([x], lr=0.5, betas=(0.0, 1 / (1 + 3**2)))
    for t in range(1, 3001):
        optimizer.lr = 0.5 / math.sqrt(t)
        step_with(optimizer, 3.0 if t % 3 == 1 else -1.0)
        x.data = np.clip(x.data, -1, 1)
    assert x.item() > 0.95


# -- bookkeeping -----------------------------------------------------------------------------------


@each_kind
def test_same_start_same_run_to_the_bit(make):
    one, two = parameters(), parameters()
    train(make(one), 10)
    train(make(two), 10)
    assert bits(one) == bits(two)
    assert bits(one) != bits(parameters())


@each_kind
def test_the_order_of_the_parameters_does_not_matter(make):
    straight, shuffled = parameters(), parameters()
    train(make(straight), 10)
    train(make([shuffled[i] for i in (2, 0, 3, 1)]), 10)
    assert bits(straight) == bits(shuffled)


@each_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_resumes_to_the_bit(make, dtype, tmp_path):
    whole, parted = parameters(dtype=dtype), parameters(dtype=dtype)
    train(make(whole), 80)

    first = make(parted)
    train(first, 60)  # the flush at step 64 comes after the break
    np.savez(tmp_path / "state.npz", **first.state_dict())
    resumed = make(parted)
    with np.load(tmp_path / "state.npz") as state:
        resumed.load_state_dict(state)
    train(resumed, 20, start=60)
    assert bits(parted) == bits(whole)
    assert resumed.state_dict()["steps"].tolist() == [80] * len(parted)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["deepcopy", "pickle"]
)
@each_kind
def test_a_copy_goes_on_by_itself_to_the_bit(make, copied):
    """With the parameters that it was copied with, and without touching the original's."""
    params = parameters()
    optimizer = make(params)
    train(optimizer, 3)
    other_params, other = copied((params, optimizer))
    before = bits(params)
    train(other, 5, start=3)
    assert bits(params) == before
    train(optimizer, 5, start=3)
    assert bits(other_params) == bits(params) != before


def test_a_state_dict_is_a_copy():
    optimizer = Adam(parameters())
    train(optimizer, 3)
    state = optimizer.state_dict()
    before = state["M.0"].copy()
    train(optimizer, 1)
    assert np.array_equal(state["M.0"], before)
    assert state["V.3"].shape == (1, 2, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("V.1"), r"Adam.load_state_dict: missing \['V.1'\], unexpected \[\]"),
        (lambda s: s.update(momentum=0.9), r"missing \[\], unexpected \['momentum'\]"),
        (lambda s: s.update(betas=(0.5, 0.9)), r"betas is \(0.5, 0.9\) in the state, \(0.9, 0.999"),
        (lambda s: s.update({"M.1": np.zeros(4)}), r"M.1 has shape \(4,\) .* expected \(3,\)"),
        (lambda s: s.update({"M.1": np.zeros(3, np.float32)}), "M.1 has .* dtype float32"),
        (lambda s: s.update(lr=-1.0), "lr is -1.0"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_loaded(change, message):
    optimizer, other = Adam(parameters()), Adam(parameters(seed=1))
    train(optimizer, 3)
    train(other, 5)
    state = other.state_dict()
    change(state)
    before = optimizer.state_dict()
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert all(np.array_equal(before[key], after[key]) for key in before)


@each_kind
def test_a_parameter_without_gradient_waits(make):
    """What happens in a step to a parameter with a gradient is what would happen to it alone."""
    both, alone = parameters([(2, 3), (3,)]), parameters([(2, 3), (3,)])
    together = make(both)
    first, second = make(alone[:1]), make(alone[1:])
    rng = np.random.default_rng(0)
    for k in range(12):
        g = rng.normal(size=(2, 3)) if k % 2 else None
        h = rng.normal(size=3) if k % 3 else None
        step_with(together, g, h)
        if g is not None:
            step_with(first, g)
        if h is not None:
            step_with(second, h)
    assert bits(both) == bits(alone)
    assert together.state_dict()["steps"].tolist() == [6, 8]


def test_a_step_without_any_gradient_does_nothing():
    params = parameters()
    optimizer = Adam(params)
    optimizer.step()
    assert bits(params) == bits(parameters())
    assert not optimizer.state_dict()["steps"].any()


def test_a_gradient_that_is_a_tensor_counts_by_its_values():
    one, two = Tensor([1.0, 2.0]), Tensor([1.0, 2.0])
    (one**3).sum().backward(create_graph=True)
    (two**3).sum().backward()
    assert isinstance(one.grad, Tensor)
    SGD([one], lr=0.1).step()
    SGD([two], lr=0.1).step()
    assert bits([one]) == bits([two])


@pytest.mark.parametrize(
    ("gradient", "message"),
    [
        (np.zeros(3), r"step: the gradient of params\[1\] has shape \(3,\) and dtype float64"),
        (np.zeros((1, 2)), r"params\[1\] has shape \(1, 2\) .* the parameter \(2,\) and float64"),
        (np.zeros(2, np.float32), r"params\[1\] .* dtype float32, the parameter"),
    ],
)
def test_a_wrong_gradient_is_named_and_nothing_moves(gradient, message):
    params = [Tensor([1.0]), Tensor([1.0, 2.0]), Tensor([3.0], dtype=np.float32)]
    optimizer = Adam(params)
    params[0].grad, params[1].grad = np.ones(1), gradient
    params[2].grad = np.ones(1, np.float32)
    before = bits(params)
    with pytest.raises(ValueError, match=message):
        optimizer.step()
    assert bits(params) == before
    assert not optimizer.state_dict()["steps"].any()


@each_kind
def test_dtypes_can_be_mixed_and_are_kept(make):
    mixed = [*parameters([(2,)], np.float32), *parameters([(3,)]), *parameters([(4,)], np.float32)]
    apart = [parameters([(2,)], np.float32), parameters([(3,)]), parameters([(4,)], np.float32)]
    train(make(mixed), 5)
    for params in apart:
        train(make(params), 5)
    assert bits(mixed) == bits([p for (p,) in apart])
    assert [p.dtype for p in mixed] == [np.float32, np.float64, np.float32]


def test_parameters_keep_their_memory_and_its_layout():
    p = Tensor(np.asfortranarray(np.arange(6.0).reshape(2, 3)))
    array, layout = p.data, p.data.flags.f_contiguous
    step_with(SGD([p], lr=1.0), np.arange(6.0).reshape(2, 3))
    assert p.data is array
    assert array.flags.f_contiguous == layout
    assert not array.any()


def test_a_step_between_forward_and_backward_is_detected():
    w = Tensor([1.0, 2.0])
    optimizer = SGD([w], lr=0.1)
    loss = (w * w).sum()
    step_with(optimizer, [1.0, 1.0])
    with pytest.raises(ValueError, match="changed in place"):
        loss.backward()


@each_kind
def test_a_step_allocates_nothing(make):
    params = parameters([(100, 100), (100,)])
    optimizer = make(params)
    train(optimizer, 2)
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < params[0].numpy().nbytes / 10


def test_zero_grad_and_repr():
    optimizer = Adam([Tensor(1.0), Tensor(2.0)])
    step_with(optimizer, 1.0, None)
    optimizer.zero_grad()
    assert [p.grad for p in optimizer.params] == [None, None]
    assert repr(optimizer) == (
        "Adam(2 parameters, lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"
    )


def test_parameters_may_come_from_a_generator():
    assert len(SGD(p for p in parameters()).params) == len(SHAPES)


W = Tensor([1.0])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: SGD([]), ValueError, "SGD: params is empty"),
        (lambda: Adam(W), TypeError, "Adam: params is a Tensor, expected a list"),
        (lambda: Adam([W, np.zeros(2)]), TypeError, r"Adam: params\[1\] is a ndarray"),
        (lambda: Adam([W.detach()]), ValueError, r"params\[0\] is a constant"),
        (lambda: Adam([W * 2]), ValueError, r"params\[0\] is the result of an operation"),
        (lambda: Adam([W, Tensor(1.0), W]), ValueError, r"params\[0\] and params\[2\] are one"),
        (lambda: Adam([Tensor([1.0], dtype=np.float16)]), ValueError, "dtype float16, expected"),
        (lambda: SGD([W], lr=-0.1), ValueError, "SGD: lr is -0.1, expected a finite number"),
        (lambda: SGD([W], lr=math.nan), ValueError, "SGD: lr is nan"),
        (lambda: SGD([W], lr=math.inf), ValueError, "SGD: lr is inf"),
        (lambda: SGD([W], lr="0.1"), TypeError, "SGD: lr is '0.1', expected a number"),
        (lambda: SGD([W], momentum=1.0), ValueError, r"SGD: momentum is 1.0, expected in \[0, 1\)"),
        (lambda: SGD([W], nesterov=True), ValueError, "SGD: nesterov is True and momentum is 0"),
        (lambda: SGD([W], weight_decay=-1), ValueError, "SGD: weight_decay is -1.0"),
        (lambda: RMSProp([W], alpha=1), ValueError, "RMSProp: alpha is 1.0"),
        (lambda: RMSProp([W], eps=-1e-8), ValueError, "RMSProp: eps is -1e-08"),
        (lambda: RMSProp([W], momentum=-0.1), ValueError, "RMSProp: momentum is -0.1"),
        (lambda: Adam([W], betas=(0.9, 1.0)), ValueError, r"Adam: betas\[1\] is 1.0"),
        (lambda: Adam([W], betas=(-0.1, 0.9)), ValueError, r"Adam: betas\[0\] is -0.1"),
        (lambda: Adam([W], betas=0.9), TypeError, "Adam: betas is 0.9, expected a pair"),
        (lambda: AdamW([W], eps=-1), ValueError, "AdamW: eps is -1.0"),
        (lambda: AdamW([W], weight_decay=-1), ValueError, "AdamW: weight_decay is -1.0"),
    ],
)
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_the_rate_can_be_written_and_is_checked():
    optimizer = SGD([Tensor(0.0)], lr=1)
    optimizer.lr = np.float32(0.5)
    assert moved_by(optimizer, 1.0) == 0.5
    with pytest.raises(ValueError, match="SGD: lr is -1"):
        optimizer.lr = -1
    assert optimizer.lr == 0.5


# -- denormal numbers ------------------------------------------------------------------------------

TINY = np.finfo(np.float32).smallest_normal


def test_a_running_mean_sticks_among_the_denormals():
    """Why we flush: rounding keeps a decaying float32 from ever reaching zero."""
    m = np.float32(1)
    for _ in range(5000):
        m *= np.float32(0.9)
    assert 0 < m < TINY


FADING = {
    "momentum": (lambda p: SGD(p, lr=0.1, momentum=0.9), 1024),
    "RMSProp": (lambda p: RMSProp(p, alpha=0.9, momentum=0.9), 1536),
    "Adam": (lambda p: Adam(p, betas=(0.9, 0.95)), 2048),
}


@pytest.mark.parametrize(("make", "steps"), FADING.values(), ids=FADING.keys())
def test_dead_state_is_flushed_and_no_parameter_notices(make, steps, monkeypatch):
    def run():
        params = parameters(dtype=np.float32)
        optimizer = make(params)
        rng = np.random.default_rng(0)
        step_with(optimizer, *(rng.normal(size=shape) for shape in SHAPES))
        for _ in range(steps - 1):
            step_with(optimizer, *(np.zeros(shape) for shape in SHAPES))
        state = [v for key, v in optimizer.state_dict().items() if "." in key]
        return bits(params), np.concatenate([v.ravel() for v in state])

    flushed_path, flushed = run()
    assert not flushed.any()
    for module in (sgd, adaptive):
        monkeypatch.setattr(module, "FLUSH_EVERY", steps + 1)
    path, state = run()
    assert ((0 < np.abs(state)) & (np.abs(state) < TINY)).all()
    assert flushed_path == path


def test_living_state_is_not_flushed():
    optimizer = SGD([Tensor([1.0, 1.0], dtype=np.float32)], momentum=0.5)
    for _ in range(64):
        step_with(optimizer, [TINY, -TINY])
    assert (np.abs(optimizer.state_dict()["v.0"]) > TINY).all()


def test_without_epsilon_the_second_moment_is_left_alone():
    p = Tensor([1.0], dtype=np.float32)
    optimizer = RMSProp([p], alpha=0.9, eps=0)
    for k in range(1536):
        step_with(optimizer, [1.0 if k == 0 else 0.0])
    assert 0 < optimizer.state_dict()["V.0"][0] < TINY
    assert np.isfinite(p.numpy()).all()  # 0/√V, where 0/0 would be nan


# -- clipping --------------------------------------------------------------------------------------


def with_gradients(*gradients, dtype=np.float64):
    params = [Tensor(np.zeros(np.shape(g)), dtype=dtype) for g in gradients]
    for p, g in zip(params, gradients, strict=True):
        p.grad = np.array(g, dtype=dtype)
    return params


def test_clipping_is_one_factor_for_all_parameters():
    params = with_gradients([[3.0, 0.0]], [0.0, -4.0], 12.0)
    assert clip_grad_norm_(params, 6.5) == 13.0
    factor = 6.5 / (13 + 1e-6)
    for p, g in zip(params, ([[3.0, 0.0]], [0.0, -4.0], 12.0), strict=True):
        np.testing.assert_allclose(p.grad, factor * np.array(g), rtol=1e-15)


@pytest.mark.parametrize("max_norm", [5.1, math.inf])
def test_a_short_gradient_is_not_touched(max_norm):
    params = with_gradients([3.0], [4.0])
    assert clip_grad_norm_(params, max_norm) == 5.0
    assert [p.grad.tolist() for p in params] == [[3.0], [4.0]]


def test_clipping_without_gradients():
    assert clip_grad_norm_([Tensor(1.0), Tensor(2.0)], 1.0) == 0.0


def test_clipping_a_gradient_that_is_a_tensor():
    x = Tensor([1.0, 2.0])
    (x**2).sum().backward(create_graph=True)
    assert clip_grad_norm_([x], 1.0) == pytest.approx(math.sqrt(20))
    np.testing.assert_allclose(x.grad.numpy(), np.array([2, 4]) / math.sqrt(20), rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("dtype", "size"), [(np.float32, 1e30), (np.float64, 1e300)])
def test_the_norm_does_not_overflow_where_squares_do(dtype, size):
    params = with_gradients([3 * size, 4 * size], [12 * size], dtype=dtype)
    assert clip_grad_norm_(params, 13.0) == pytest.approx(13 * size)
    np.testing.assert_allclose(params[0].grad, [3, 4], rtol=1e-6)
    np.testing.assert_allclose(params[1].grad, [12], rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_returned_and_nothing_is_scaled(bad):
    params = with_gradients([1.0, bad], [2.0])
    norm = clip_grad_norm_(params, 1.0)
    assert norm == bad or (math.isnan(bad) and math.isnan(norm))
    assert params[1].grad.tolist() == [2.0]
    assert params[0].grad[0] == 1.0


def test_clipping_turns_the_expected_step():
    batches = [np.array([10.0, 0.0]), np.array([0.0, 1.0])]
    clipped = []
    for g in batches:
        (p,) = with_gradients(g)
        clip_grad_norm_([p], 1.0)
        cosine = p.grad @ g / (np.linalg.norm(p.grad) * np.linalg.norm(g))
        assert cosine == pytest.approx(1)  # of one batch the direction is kept
        clipped.append(p.grad)
    mean, clipped_mean = np.mean(batches, axis=0), np.mean(clipped, axis=0)
    cosine = mean @ clipped_mean / (np.linalg.norm(mean) * np.linalg.norm(clipped_mean))
    assert cosine < 0.8


@pytest.mark.parametrize(
    ("params", "max_norm", "error", "message"),
    [
        (W, 1.0, TypeError, "params is a Tensor"),
        ([W], -1.0, ValueError, "max_norm is -1.0"),
        ([W], math.nan, ValueError, "max_norm is nan"),
    ],
)
def test_clipping_refuses(params, max_norm, error, message):
    with pytest.raises(error, match=f"clip_grad_norm_: {message}"):
        clip_grad_norm_(params, max_norm)


# -- schedules -------------------------------------------------------------------------------------


def optimizer_at(lr):
    return SGD([Tensor(0.0)], lr=lr)


def rates(schedule, steps):
    """The rates that the optimizer has before each of these steps."""
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.lr)
        assert schedule.get_last_lr() == [schedule.optimizer.lr]
        schedule.step()
    return found


def test_cosine_has_half_its_period_in_T_max_steps():
    found = rates(CosineAnnealingLR(optimizer_at(1.0), T_max=10, eta_min=0.2), 41)
    assert found[0] == 1.0
    assert found[5] == pytest.approx(0.6)
    assert found[10] == pytest.approx(0.2)
    assert found[20] == pytest.approx(1.0)  # back at the top: the period is 20
    assert found[20:] == pytest.approx(found[:21])


def test_warm_restarts():
    schedule = CosineAnnealingWarmRestarts(optimizer_at(1.0), T_0=10)
    found = rates(schedule, 30)
    assert found[10] == found[20] == 1.0
    assert found[11] == found[1] == pytest.approx(0.976, abs=1e-3)
    assert found[9] == pytest.approx(0.024, abs=1e-3)
    assert schedule.lr_at(10**12 + 1) == found[1]

    growing = CosineAnnealingWarmRestarts(optimizer_at(1.0), T_0=1, T_mult=3)
    restarts = [t for t in range(200) if growing.lr_at(t) == 1.0]
    assert restarts == [0, 1, 4, 13, 40, 121]


def test_step_lr():
    assert rates(StepLR(optimizer_at(0.8), step_size=2, gamma=0.5), 5) == [0.8, 0.8, 0.4, 0.4, 0.2]


def test_warmup_hands_over():
    optimizer = optimizer_at(0.5)
    after = CosineAnnealingLR(optimizer, T_max=10)
    found = rates(LinearWarmup(optimizer, 4, start_factor=0.2, after=after), 15)
    assert found[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert found[4:] == [after.lr_at(t) for t in range(11)]

    alone = rates(LinearWarmup(optimizer_at(0.5), 2, start_factor=0), 5)
    assert alone == pytest.approx([0, 0.25, 0.5, 0.5, 0.5])


def test_warmup_starts_low_whatever_the_schedule_after_it():
    """A warm-up before a warm-up: the rate in between is not mistaken for the rate to reach."""
    optimizer = optimizer_at(1.0)
    inner = LinearWarmup(optimizer, 2, start_factor=0.5)
    assert optimizer.lr == 0.5
    outer = LinearWarmup(optimizer, 2, start_factor=0.1, after=inner)
    assert [outer.lr_at(t) for t in range(5)] == pytest.approx([0.1, 0.55, 0.5, 0.75, 1.0])


MAKE_SCHEDULE = {
    "StepLR": lambda o: StepLR(o, 3),
    "CosineAnnealingLR": lambda o: CosineAnnealingLR(o, 7),
    "CosineAnnealingWarmRestarts": lambda o: CosineAnnealingWarmRestarts(o, 2, T_mult=2),
    "LinearWarmup": lambda o: LinearWarmup(o, 4, after=CosineAnnealingLR(o, 6)),
}


@pytest.mark.parametrize("make", MAKE_SCHEDULE.values(), ids=MAKE_SCHEDULE.keys())
@pytest.mark.parametrize("schedule_first", [True, False])
def test_a_schedule_resumes(make, schedule_first):
    optimizer = optimizer_at(0.3)
    schedule = make(optimizer)
    whole = rates(make(optimizer_at(0.3)), 12)
    first = rates(schedule, 5)

    resumed = optimizer_at(0.3)
    if schedule_first:
        again = make(resumed)
        resumed.load_state_dict(optimizer.state_dict())
    else:  # the rate is somewhere on the schedule when the schedule is made
        resumed.load_state_dict(optimizer.state_dict())
        again = make(resumed)
    again.load_state_dict(schedule.state_dict())
    assert first + rates(again, 7) == whole


def test_lr_at_looks_without_moving():
    schedule = StepLR(optimizer_at(1.0), 1)
    assert schedule.lr_at(2) == pytest.approx(0.01)
    assert schedule.optimizer.lr == 1.0
    assert schedule.state_dict() == {"base_lr": 1.0, "last_epoch": 0}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda o: StepLR(o, 0), ValueError, "StepLR: step_size is 0, expected 1 or more"),
        (lambda o: StepLR(o, 2.5), TypeError, "StepLR: step_size is 2.5, expected an integer"),
        (lambda o: StepLR(o, 1, gamma=-1), ValueError, "StepLR: gamma is -1"),
        (lambda o: CosineAnnealingLR(o, 0), ValueError, "CosineAnnealingLR: T_max is 0"),
        (lambda o: CosineAnnealingLR(o, 1, -1), ValueError, "CosineAnnealingLR: eta_min is -1"),
        (lambda o: CosineAnnealingWarmRestarts(o, 0), ValueError, "T_0 is 0"),
        (lambda o: CosineAnnealingWarmRestarts(o, 1, 0), ValueError, "T_mult is 0"),
        (lambda o: LinearWarmup(o, 0), ValueError, "LinearWarmup: total_iters is 0"),
        (lambda o: LinearWarmup(o, 1, 1.0), ValueError, "LinearWarmup: start_factor is 1.0"),
        (
            lambda o: LinearWarmup(o, after=StepLR(optimizer_at(1.0), 1)),
            ValueError,
            "LinearWarmup: after drives another optimizer",
        ),
        (
            lambda o: StepLR(o, 1).load_state_dict({"last_epoch": 1}),
            ValueError,
            r"StepLR.load_state_dict: got \['last_epoch'\], expected base_lr and last_epoch",
        ),
    ],
)
def test_schedules_name_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make(optimizer_at(1.0))


def test_warmup_refuses_a_schedule_that_has_begun():
    optimizer = optimizer_at(1.0)
    after = StepLR(optimizer, 1)
    after.step()
    with pytest.raises(ValueError, match="after has taken 1 steps already"):
        LinearWarmup(optimizer, after=after)
