"""Initialisation: the laws drawn from, and what they preserve through depth (errata E36-E38)."""

import numpy as np
import pytest

import minimlcourse.functional as F
from minimlcourse import Tensor, nn
from minimlcourse.nn import init

RULES = [init.he_normal, init.he_uniform, init.xavier_normal, init.xavier_uniform]


def rng(seed=0):
    return np.random.default_rng(seed)


def he_variance(fan_in, fan_out):
    return 2 / fan_in


def xavier_variance(fan_in, fan_out):
    return 2 / (fan_in + fan_out)


@pytest.mark.parametrize(
    ("rule", "variance", "uniform"),
    [
        (init.he_normal, he_variance, False),
        (init.he_uniform, he_variance, True),
        (init.xavier_normal, xavier_variance, False),
        (init.xavier_uniform, xavier_variance, True),
    ],
)
@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"),
    [((300, 100), 100, 300), ((100, 300), 300, 100), ((40, 30, 5, 5), 750, 1000)],
)
def test_the_law_has_its_mean_variance_and_shape(rule, variance, uniform, shape, fan_in, fan_out):
    W = rule(shape, rng())
    expected = variance(fan_in, fan_out)
    assert W.shape == shape
    # Five standard errors of the mean and, at 30,000 numbers, of the variance.
    assert abs(W.mean()) < 5 * np.sqrt(expected / W.size)
    assert W.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / W.size))
    kurtosis = np.mean(W**4) / W.var() ** 2
    assert kurtosis == pytest.approx(1.8 if uniform else 3.0, rel=0.05)
    if uniform:
        assert abs(W).max() <= np.sqrt(3 * expected)


@pytest.mark.parametrize("rule", [init.xavier_normal, init.xavier_uniform])
def test_the_gain_multiplies_the_weights(rule):
    np.testing.assert_allclose(rule((5, 4), rng(), gain=4.0), 4 * rule((5, 4), rng()), rtol=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_a_seed_gives_the_same_weights_and_float32_is_float64_rounded(rule):
    W = rule((7, 5), rng(3))
    assert W.dtype == np.float64
    assert np.array_equal(W, rule((7, 5), rng(3)))
    assert not np.array_equal(W, rule((7, 5), rng(4)))
    W32 = rule((7, 5), rng(3), np.float32)
    assert W32.dtype == np.float32
    assert np.array_equal(W32, W.astype(np.float32))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", [(), (5,), (0, 3), (3, 0)])
def test_a_shape_without_fans_is_refused(rule, shape):
    with pytest.raises(ValueError, match=r"init: shape is \(.*\), expected \(out, in\)"):
        rule(shape, rng())


# -- what is preserved -----------------------------------------------------------------------------

NETWORKS, WIDTH, DEPTH, SAMPLES = 60, 200, 6, 5


def forward(rule):
    """Centred inputs, then pre-activations and activations, layer by layer, of many networks.

    The theorems are about expectations over the weights. One network, even a wide one, is random:
    the second moment of its layer 6 has a relative standard deviation of sqrt(5 * 6 / width).
    """
    generator = rng(0)
    z = generator.normal(size=(NETWORKS, SAMPLES, WIDTH))
    layers = [(None, z)]
    for _ in range(DEPTH):
        W = rule((NETWORKS * WIDTH, WIDTH), generator).reshape(NETWORKS, WIDTH, WIDTH)
        a = z @ W.swapaxes(1, 2)
        z = np.maximum(a, 0)
        layers.append((a, z))
    return layers


@pytest.mark.parametrize("rule", [init.he_normal, init.he_uniform])
def test_he_with_relu_preserves_the_second_moment_and_not_the_variance(rule):
    (_, z0), *layers = forward(rule)
    for a, z in layers:
        assert np.mean(z**2) == pytest.approx(np.mean(z0**2), rel=0.1)
        assert a.var() == pytest.approx(2 * np.mean(z0**2), rel=0.1)
        # E36: the variance of the activations falls at once to 1 - 1/pi of what it was.
        assert z.var() == pytest.approx((1 - 1 / np.pi) * z0.var(), rel=0.1)


def test_the_next_variance_follows_from_the_second_moment_and_not_from_the_variance():
    # E37: Var[a2] = d sigma^2 E[z1^2]. The sketch with Var[z1] is off by a third.
    (_, z1), (a2, _) = forward(init.he_normal)[1:3]
    factor = WIDTH * (2 / WIDTH)  # d sigma^2
    assert a2.var() == pytest.approx(factor * np.mean(z1**2), rel=0.03)
    assert a2.var() > 1.3 * factor * z1.var()


def test_relu_fades_with_half_the_variance_of_he():
    # Dropping the hypothesis of the theorem: at 1/d each layer halves the second moment (E35).
    (_, z0), *_, (_, z) = forward(lambda shape, g: init.he_normal(shape, g) / np.sqrt(2))
    assert np.mean(z**2) == pytest.approx(2.0**-DEPTH * np.mean(z0**2), rel=0.1)


def gradient_ratio(phi, rule):
    """Norm of the gradient with respect to the input over that with respect to the output."""
    generator = rng(0)
    x = Tensor(0.1 * generator.normal(size=(20, 300)))
    z = x
    for _ in range(10):
        z = phi(F.linear(z, rule((300, 300), generator)))
    direction = generator.normal(size=z.shape)
    z.backward(direction)
    return np.linalg.norm(x.grad) / np.linalg.norm(direction)


def test_xavier_suits_tanh_and_not_the_sigmoid():
    # E38: what counts is the slope at 0, which is 1 for tanh and 1/4 for the sigmoid.
    tanh = gradient_ratio(F.tanh, init.xavier_normal)
    sigmoid = gradient_ratio(F.sigmoid, init.xavier_normal)
    centred = gradient_ratio(
        lambda a: F.sigmoid(a) - 0.5, lambda shape, g: init.xavier_normal(shape, g, gain=4.0)
    )
    assert 0.5 < tanh < 1.5
    assert 0.3 < sigmoid * 4**10 < 3
    assert 0.5 < centred < 1.5


@pytest.mark.parametrize(
    ("activation", "variance"),
    [
        ("relu", 2 / 200),
        ("gelu", 2 / 200),
        ("softplus", 2 / 200),
        ("tanh", 2 / 500),
        ("sigmoid", 16 * 2 / 500),
    ],
)
def test_an_mlp_starts_by_the_rule_of_its_activation(activation, variance):
    hidden, *_, output = nn.MLP([200, 300, 100], activation, rng=rng())
    assert hidden.weight.numpy().var() == pytest.approx(variance, rel=0.03)
    assert output.weight.numpy().var() == pytest.approx(2 / 400, rel=0.03)
    assert not hidden.bias.numpy().any()


def test_linear_starts_by_he():
    assert np.array_equal(nn.Linear(4, 3, rng=rng()).weight.numpy(), init.he_normal((3, 4), rng()))
