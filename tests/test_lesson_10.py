"""Lesson 10: the claims that it shows, and its figures over all of their settings."""

import ast
import gzip
import itertools
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("ipywidgets")

import matplotlib

matplotlib.use("agg")

import minimlcourse
import minimlcourse.functional as F
from minimlcourse import nn, optim
from minimlcourse.classroom.mnist_views import (
    DigitBrowser,
    calibration_bins,
    confusion_figure,
    digit_page,
    find_digits,
    hex_view,
    projection_figure,
    reliability_diagram,
    weight_images,
)
from minimlcourse.classroom.style import picture
from minimlcourse.datasets import (
    RandomProjection,
    StandardScaler,
    load_mnist,
    mnist_folder,
    read_idx,
    synthetic_mnist,
    write_idx,
)
from minimlcourse.metrics import accuracy
from minimlcourse.training import fit

NAMES = [
    f"{part}-{kind}-ubyte.gz"
    for part in ("train", "t10k")
    for kind in ("images-idx3", "labels-idx1")
]


# ---- the data and what they need (C1, C2, C67)


@pytest.mark.claim("C1")
def test_numpy_and_the_standard_library_suffice():
    package = Path(minimlcourse.__file__).parent
    allowed = {"numpy", "minimlcourse", *sys.stdlib_module_names}
    allowed |= {"tqdm"}  # the progress bar, drawn only where it is installed
    for path in package.rglob("*.py"):
        if "classroom" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module]
            assert {name.split(".")[0] for name in names} <= allowed, path


@pytest.mark.claim("C2", "C67")
def test_real_and_synthetic_data_have_the_same_form():
    X, y = load_mnist("test")
    made, labels = synthetic_mnist(len(X), rng=0)
    assert (made.shape, made.dtype) == (X.shape, X.dtype)
    assert (labels.shape, labels.dtype) == (y.shape, y.dtype)
    assert set(labels) == set(y) == set(range(10))


@pytest.mark.claim("C67")
def test_a_synthetic_class_varies_by_noise_alone():
    """Of the variance within a class, the first direction holds little more than any other."""
    made, labels = synthetic_mnist(20_000, rng=0)
    X, y = load_mnist("test")

    def first_share(images):
        variances = np.linalg.eigvalsh(np.cov(images.T.astype(float)))
        return variances[-1] / variances.sum()

    assert first_share(made[labels == 3]) < 0.02
    assert first_share(X[y == 3]) > 0.08


# ---- IDX (C64, C65, E58)


def trusting_reader(path):
    """The idea of the report's listing 2, as the lesson writes it."""
    with gzip.open(path, "rb") as file:
        rank = int.from_bytes(file.read(4), "big") & 0xFF
        sizes = [int.from_bytes(file.read(4), "big") for _ in range(rank)]
        return np.frombuffer(file.read(), dtype=np.uint8).reshape(sizes)


@pytest.mark.claim("C64")
@pytest.mark.parametrize("name", NAMES)
def test_the_header_of_mnist(name):
    content = gzip.decompress((mnist_folder() / name).read_bytes())
    rank = 3 if "images" in name else 1
    count = 60_000 if name.startswith("train") else 10_000
    sizes = (count, 28, 28)[:rank]
    assert struct.unpack(">I", content[:4])[0] == 8 * 256 + rank
    assert struct.unpack(f">{rank}I", content[4 : 4 + 4 * rank]) == sizes
    assert len(content) == 4 + 4 * rank + np.prod(sizes)
    first = np.frombuffer(content, np.uint8, offset=4 + 4 * rank)
    assert np.array_equal(first, read_idx(mnist_folder() / name).reshape(-1))  # last axis fastest


@pytest.mark.claim("C65", "C2")
@pytest.mark.parametrize("name", NAMES)
def test_the_trusting_reader_is_right_on_mnist(name):
    path = mnist_folder() / name
    assert np.array_equal(trusting_reader(path), read_idx(path))


SOUND = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 2, 3, 4, 5])


@pytest.mark.claim("E58")
@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
def test_the_trusting_reader_fails_on_every_other_type(tmp_path, dtype):
    path = tmp_path / "array.gz"
    array = np.array([[1, -2], [3, 100]], dtype=dtype)
    write_idx(path, array)
    strict = read_idx(path)
    assert strict.dtype == dtype and np.array_equal(strict, array)
    if dtype == "int8":  # the worst case: no error
        assert trusting_reader(path).tolist() == [[1, 254], [3, 100]]
    else:
        with pytest.raises(ValueError, match="cannot reshape"):
            trusting_reader(path)


@pytest.mark.claim("E58")
@pytest.mark.parametrize(
    ("content", "trusted", "refusal"),
    [
        (b"\x7f" + SOUND[1:], [[0, 1, 2], [3, 4, 5]], "byte 0 is 0x7F"),
        (SOUND[:2] + b"\x07" + SOUND[3:], [[0, 1, 2], [3, 4, 5]], "byte 2 is 0x07"),
        (SOUND[:7], [], "ends at byte 7"),
        (SOUND[:-2], None, "ends at byte 16"),
        (SOUND + b"\0\0", None, "bytes follow at byte 18"),
    ],
)
def test_damage_is_accepted_or_refused_without_a_place(tmp_path, content, trusted, refusal):
    path = tmp_path / "damaged.gz"
    path.write_bytes(gzip.compress(content))
    if trusted is None:
        with pytest.raises(ValueError, match="cannot reshape") as caught:
            trusting_reader(path)
        assert "byte" not in str(caught.value) and path.name not in str(caught.value)
    else:
        assert trusting_reader(path).tolist() == trusted
    with pytest.raises(ValueError, match=f"{path.name}: {refusal}"):
        read_idx(path)


@pytest.mark.claim("E58")
def test_only_the_strict_reader_returns_what_can_be_written_to(tmp_path):
    path = tmp_path / "sound.gz"
    path.write_bytes(gzip.compress(SOUND))
    assert not trusting_reader(path).flags.writeable
    assert read_idx(path).flags.writeable


# ---- preparation (C66, E59)


@pytest.fixture(scope="module")
def mnist():
    X, y = load_mnist("train", dtype=np.float32)
    return X[:20_000], y[:20_000], X[55_000:], y[55_000:]


@pytest.mark.claim("C66")
def test_scaling_divides_by_255():
    pixels, _ = load_mnist("test")
    X, _ = load_mnist("test", dtype=np.float32)
    assert X.min() == 0 and X.max() == 1
    assert np.array_equal(np.rint(255 * X), pixels)


@pytest.mark.claim("C66", "E59")
@pytest.mark.parametrize("k", [16, 64, 256])
def test_a_squared_distance_survives_within_its_relative_deviation(mnist, k):
    u = mnist[2][0] - mnist[2][1]
    ratios = [
        np.sum((RandomProjection(k, rng=seed).fit(u[None]).components_ @ u) ** 2) / np.sum(u**2)
        for seed in range(200)
    ]
    assert abs(np.mean(ratios) - 1) < 4 * np.sqrt(2 / k / 200)
    assert abs(np.std(ratios) / np.sqrt(2 / k) - 1) < 0.2


@pytest.mark.claim("C66")
def test_without_the_variance_of_one_over_k_distances_do_not_survive(mnist):
    """The hypothesis dropped: with entries of variance 1, squared distances grow k times."""
    u = mnist[2][0] - mnist[2][1]
    R = np.random.default_rng(0).standard_normal((64, 784))
    assert 30 < np.sum((R @ u) ** 2) / np.sum(u**2) < 110


@pytest.mark.claim("E59")
def test_a_random_projection_is_no_pca(mnist):
    X = mnist[0].astype(np.float64)
    C = np.cov(X.T)
    variances = np.linalg.eigvalsh(C)[::-1]
    assert abs(variances[:64].sum() / variances.sum() - 0.86) < 0.01
    shares = []
    for seed in range(20):
        Q, _ = np.linalg.qr(RandomProjection(64, rng=seed).fit(X[:1]).components_.T)
        shares.append(np.trace(Q.T @ C @ Q) / np.trace(C))
    assert abs(np.mean(shares) - 64 / 784) < 0.005 and np.max(shares) < 0.12


@pytest.mark.claim("C66")
def test_an_answer_depends_on_the_company_if_held_out_data_standardise_themselves(mnist):
    X, y, X_val, y_val = mnist
    project = RandomProjection(64, rng=0).fit(X)
    Z, Z_val = project.transform(X), project.transform(X_val)
    scaler = StandardScaler().fit(Z)

    # The training part's numbers: each image has its features, whatever comes with it.
    together = scaler.transform(Z_val)
    alone = np.concatenate([scaler.transform(z[None]) for z in Z_val[:50]])
    np.testing.assert_allclose(alone, together[:50], rtol=1e-5, atol=1e-5)

    # Its own: an image alone is its own mean, and a class alone loses what tells it apart.
    assert not StandardScaler().fit_transform(Z_val[:1]).any()
    means = np.stack([scaler.transform(Z)[y == k].mean(axis=0) for k in range(10)])

    def read(features):
        return ((features[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)

    sound = accuracy(y_val, read(together))
    own = [np.mean(read(StandardScaler().fit_transform(Z_val[y_val == k])) == k) for k in range(10)]
    assert sound > 0.65
    assert np.mean(own) < sound - 0.3


# ---- the networks and what is measured on them


def trained(X, y, X_val, y_val, epochs, optimizer=optim.Adam, lr=1e-3, **options):
    rng = np.random.default_rng(0)
    model = nn.MLP([X.shape[1], 128, 10], rng=rng, dtype=np.float32)
    history = fit(
        model,
        X,
        y,
        epochs=epochs,
        batch_size=128,
        optimizer=optimizer(model.parameters(), lr=lr, **options),
        validation=(X_val, y_val),
        metrics={"accuracy": accuracy},
        rng=rng,
        progress=False,
    )
    return model, history


@pytest.mark.claim("E60", "C67")
def test_the_synthetic_set_hides_the_difference_between_optimizers(mnist):
    X, y = mnist[0], mnist[1]
    made, labels = synthetic_mnist(20_000, rng=0)
    errors = {}
    for name, images, classes in (("real", X, y), ("synthetic", made / np.float32(255), labels)):
        train, held_out = slice(0, 18_000), slice(18_000, 20_000)
        Z = RandomProjection(64, rng=0).fit_transform(images)
        Z = StandardScaler().fit(Z[train]).transform(Z)
        parts = Z[train], classes[train], Z[held_out], classes[held_out]
        errors[name] = [
            1 - trained(*parts, 5, *choice)[1].metrics["accuracy"][-1]
            for choice in ((optim.SGD, 0.01), (optim.Adam, 1e-3))
        ]
    assert max(errors["synthetic"]) < 0.03
    assert min(errors["real"]) > 0.04
    assert np.ptp(errors["real"]) > 0.05 > 2 * np.ptp(errors["synthetic"])


def test_weights_of_blank_pixels_stay_as_they_were(mnist):
    X, y, X_val, y_val = mnist
    model, _ = trained(X, y, X_val, y_val, epochs=1)
    start = nn.MLP([784, 128, 10], rng=np.random.default_rng(0), dtype=np.float32)
    W, W_start = (next(network.parameters()).numpy() for network in (model, start))
    blank = X.max(axis=0) == 0
    assert blank.any()
    assert np.array_equal(W[:, blank], W_start[:, blank])
    assert (W[:, ~blank] != W_start[:, ~blank]).any(axis=0).all()


# ---- calibration


def ece(bins):
    return np.sum(bins.number * np.abs(bins.accuracy - bins.confidence)) / bins.number.sum()


@pytest.mark.parametrize("n_bins", [1, 2, 10, 100])
def test_calibration_bins_account_for_every_prediction(n_bins):
    rng = np.random.default_rng(0)
    confidence = np.concatenate([[0.0, 1.0], rng.uniform(size=998)])
    right = rng.uniform(size=1000) < confidence
    bins = calibration_bins(confidence, right, n_bins)
    assert bins.number.sum() == 1000 and (bins.number > 0).all()
    assert np.isclose(bins.number @ bins.confidence, confidence.sum())
    assert np.isclose(bins.number @ bins.accuracy, right.sum())
    assert abs(confidence.mean() - right.mean()) <= ece(bins) + 1e-12


def test_calibration_error_of_the_honest_and_of_the_boastful():
    confidence = np.random.default_rng(0).uniform(0.5, 1, size=100_000)
    luck = np.random.default_rng(1).uniform(size=100_000)
    assert ece(calibration_bins(confidence, luck < confidence)) < 0.01
    boastful = ece(calibration_bins(confidence, luck < confidence - 0.2))
    assert abs(boastful - 0.2) < 0.01


def test_a_probability_that_rounding_lifts_above_one_is_in_the_last_bin():
    bins = calibration_bins(np.float32([1 + 1.2e-7, 0.95]), [True, True])
    assert bins.number.tolist() == [2]


@pytest.mark.parametrize(
    ("confidence", "correct", "n_bins", "words"),
    [
        ([], [], 10, "n at least 1"),
        ([0.5, 0.6], [True], 10, r"\(2,\) and correct \(1,\)"),
        ([[0.5]], [[True]], 10, r"\(1, 1\)"),
        ([1.2], [True], 10, "expected 0 to 1"),
        ([-0.1], [True], 10, "expected 0 to 1"),
        ([np.nan], [True], 10, "expected 0 to 1"),
        ([0.5], [True], 0, "n_bins is 0"),
    ],
)
def test_calibration_bins_refuse(confidence, correct, n_bins, words):
    with pytest.raises(ValueError, match=words):
        calibration_bins(confidence, correct, n_bins)


def test_temperature_changes_no_answer_and_lowers_every_confidence():
    scores = np.random.default_rng(0).normal(0, 5, size=(500, 10))
    sure, humble = F.softmax(scores), F.softmax(scores / 2)
    assert np.array_equal(sure.argmax(axis=1), humble.argmax(axis=1))
    assert (humble.max(axis=1) < sure.max(axis=1)).all()


# ---- figures, over their corners


def drawn(figure):
    """The figure as the notebook stores it: drawing fails here or nowhere."""
    data, _ = picture(figure, "A figure.")
    assert data["image/png"].startswith(b"\x89PNG")
    return figure


def said(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


@pytest.mark.parametrize("columns", [1, 3, 16, 28])
@pytest.mark.parametrize("length", [1, 3, 4, 5, 8, 11, 12, 13, 18])
def test_hex_view_of_every_beginning(length, columns):
    figure = drawn(hex_view(SOUND[:length], columns))
    hexes = [text for text in said(figure) if len(text) == 2]
    assert sorted(hexes) == sorted(f"{byte:02X}" for byte in SOUND[:length])
    assert ("cut short" in said(figure)) == (length < 12 and length % 4 > 0)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SOUND, ["two zeros", "type 0x08: uint8", "rank 2", "size of axis 0: 2"]),
        (b"\0\0\x0d\x00" + b"\0" * 4, ["type 0x0D: float32", "rank 0"]),
        (b"\0\0\x07\x01" + b"\xff" * 4, ["type 0x07: unknown", "size of axis 0: 4,294,967,295"]),
        (b"PK\x03\x04", ["not two zeros: no IDX file", "type 0x03: unknown", "rank 4"]),
        (b"\0\0\x08\xff" + b"\0" * 1020, ["rank 255", "size of axis 254: 0"]),
    ],
)
def test_hex_view_says_what_a_header_means(content, words):
    assert set(words) <= set(said(drawn(hex_view(content, title="A title"))))


def test_a_byte_of_data_is_as_dark_as_it_is_large():
    header = bytes([0, 0, 8, 1, 0, 0, 1, 0])
    figure = drawn(hex_view(header + bytes(range(256))))
    ground = figure.axes[0].images[0].get_array()[2:, :, 0].reshape(-1)
    assert len(ground) == 256 and (np.diff(ground) < 0).all()


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [(b"", 16, "0 bytes"), (b"\0" * 1025, 16, "take a slice"), (b"\0", 0, "columns is 0")],
)
def test_hex_view_refuses(content, columns, words):
    with pytest.raises(ValueError, match=words):
        hex_view(content, columns)


@pytest.mark.parametrize(("d", "k"), [(1, 1), (5, 1), (5, 5), (784, 64)])
@pytest.mark.parametrize("ratios", [([0.9, 0.95], [0.8, 1.3]), ([1.0], [1.0]), ([1.2], [0.5])])
def test_projection_figure(d, k, ratios):
    figure = drawn(projection_figure(np.linspace(1, 0, d + 1)[:d], k, *ratios))
    assert {"PCA", "random", f"random: k/{d}"} <= set(said(figure))


@pytest.mark.parametrize("k", [0, 6])
def test_projection_figure_refuses(k):
    with pytest.raises(ValueError, match=f"k is {k}, expected 1 to 5"):
        projection_figure(np.ones(5), k, [1.0], [1.0])


@pytest.mark.parametrize("K", [1, 2, 10])
@pytest.mark.parametrize("value", [0, 1, 100_000])
@pytest.mark.parametrize("title", ["", "A title"])
def test_confusion_figure(K, value, title):
    figure = drawn(confusion_figure(np.full((K, K), value), title=title))
    assert len(said(figure)) == (K * K if value else 0)


def test_confusion_figure_gives_the_diagonal_no_colour():
    figure = confusion_figure(np.diag([100, 200, 300]) + np.eye(3, k=1, dtype=int))
    image = figure.axes[0].images[0].get_array()
    assert not np.diag(image).any() and image[0, 1] == 1


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0)])
def test_confusion_figure_refuses(shape):
    with pytest.raises(ValueError, match="expected \\(K, K\\)"):
        confusion_figure(np.zeros(shape, dtype=int))


@pytest.mark.parametrize(("n", "columns"), [(1, 1), (1, 16), (5, 2), (16, 16), (17, 16), (128, 16)])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1.0, 1e4])
def test_weight_images(n, columns, scale):
    weights = scale * np.random.default_rng(0).normal(size=(n, 784))
    image = drawn(weight_images(weights, columns=columns, title="A title")).axes[0].images[0]
    low, high = image.get_clim()
    assert low == -high < 0
    last, width = n - 1, min(columns, n)
    top, left = 30 * (last // width), 30 * (last % width)
    block = image.get_array()[top : top + 28, left : left + 28]
    assert np.array_equal(block.reshape(-1), weights[last])


@pytest.mark.parametrize("shape", [(784,), (2, 100), (0, 784)])
def test_weight_images_refuse(shape):
    with pytest.raises(ValueError, match=r"expected \(n, 784\)"):
        weight_images(np.zeros(shape))


@pytest.mark.parametrize("panels", [1, 2, 3])
@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 1000])
def test_reliability_diagram(panels, fraction, n):
    confidence = np.linspace(0, 1, n)
    bins = calibration_bins(confidence, np.arange(n) < fraction * n)
    figure = drawn(reliability_diagram({str(i): bins for i in range(panels)}, title="A title"))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        str(i) for i in range(panels)
    ]


def test_a_bin_of_one_prediction_is_shown_to_say_little():
    figure = reliability_diagram({"lucky": calibration_bins([0.3], [True])})
    (low, high) = figure.axes[0].collections[1].get_segments()[0][:, 1]
    assert low < 0.3 and high == pytest.approx(1)


def test_reliability_diagram_refuses_nothing():
    with pytest.raises(ValueError, match="at least one"):
        reliability_diagram({})


# ---- the walk through the test set


@pytest.fixture(scope="module")
def answers():
    """Images of 0 to 8 (no 9), of which each digit is read as every digit but 7."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(9), 45)
    p = rng.dirichlet(np.ones(10), size=len(y))
    read = np.tile([0, 1, 2, 3, 4, 5, 6, 8, 9], 45)
    p[np.arange(len(y)), read] += 1
    return rng.uniform(size=(len(y), 784)), y, p / p.sum(axis=1, keepdims=True)


DIGITS = [*map(str, range(10))]


@pytest.mark.parametrize("true", ["any", *DIGITS])
def test_every_page_of_the_walk(answers, true):
    images, y, p = answers
    for read in ["any", "wrong", *DIGITS]:
        found = find_digits(y, p, true, read)
        assert (len(found) == 0) == (true == "9" or read == "7")
        loss = -np.log(p[found, y[found]])
        assert (np.diff(loss) <= 0).all()
        for place in {1, max(len(found), 1)} if read in ("any", "wrong") else {1}:
            figure, words = digit_page(images, y, p, true=true, read=read, place=place)
            drawn(figure)
            if not len(found):
                assert words == f"None of the 405 images: true digit {true}, read as {read}."
                assert "none" in said(figure)
                continue
            chosen = found[place - 1]
            label, answer = y[chosen], p[chosen].argmax()
            assert words.startswith(f"{place} of {len(found)}: image {chosen}, a {label} read as")
            assert true in ("any", str(label))
            assert read in ("any", str(answer)) or (read == "wrong" and answer != label)
            assert ("read" in said(figure)) == (answer != label)


def test_true_and_read_divide_the_images(answers):
    _, y, p = answers
    pieces = [find_digits(y, p, *pair) for pair in itertools.product(DIGITS, DIGITS)]
    assert sorted(np.concatenate(pieces)) == list(range(len(y)))
    right = sum(len(find_digits(y, p, k, k)) for k in DIGITS)
    assert right + len(find_digits(y, p, "any", "wrong")) == len(y)


@pytest.mark.parametrize(("true", "read"), [("10", "any"), ("wrong", "any"), ("any", "none")])
def test_a_walk_that_is_no_choice_is_refused(answers, true, read):
    with pytest.raises(ValueError, match="find_digits: true is"):
        DigitBrowser(*answers, true=true, read=read)


@pytest.mark.parametrize("place", [0, 406])
def test_a_place_beyond_the_end_is_refused(answers, place):
    with pytest.raises(ValueError, match=f"place is {place}, expected 1 to 405"):
        digit_page(*answers, place=place)


def shown(browser):
    """Whether the browser shows the page that its controls ask for."""
    _, words = digit_page(
        *browser._data, true=browser.true.value, read=browser.read.value, place=browser.place.value
    )
    return browser.words.value == words and bytes(browser.image.value[:4]) == b"\x89PNG"


def test_the_browser_follows_its_controls(answers):
    browser = DigitBrowser(*answers, true="4", read="9")
    assert shown(browser) and browser.place.max == 5
    browser.place.value = 5
    assert shown(browser) and browser.words.value.startswith("5 of 5")
    browser.true.value = "3"  # from the last place of one walk to the first of another
    assert shown(browser) and browser.place.value == 1
    browser.read.value = "7"
    assert shown(browser) and browser.words.value.startswith("None")
    assert browser.place.disabled and browser.place.max == 1
    browser.read.value = "any"
    assert shown(browser) and browser.place.max == 45 and not browser.place.disabled
    browser.true.value = "any"
    browser.place.value = 405
    assert shown(browser)
    reset = browser.children[0].children[2]
    reset.click()
    assert shown(browser)
    assert (browser.true.value, browser.read.value, browser.place.value) == ("4", "9", 1)
    assert browser.place.max == 5


def test_the_browser_on_a_page_that_does_not_run(answers):
    assert repr(DigitBrowser(*answers)) == (
        "A walk through the test set: run this cell in JupyterLab."
    )
