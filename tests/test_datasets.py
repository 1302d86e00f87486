"""MNIST, its preparation, and the synthetic sets."""

import re
import shutil
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minimlcourse.datasets import (
    RandomProjection,
    StandardScaler,
    SyntheticDataWarning,
    load_mnist,
    make_blobs,
    make_circles,
    make_moons,
    make_sine,
    make_spirals,
    make_xor,
    mnist,
    mnist_folder,
    synthetic_mnist,
    write_idx,
)

FASHION = Path("/usr/share/datasets/fashion-mnist")
BUNDLED = Path(mnist.__file__).parent / "mnist"
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@pytest.fixture(autouse=True)
def package_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MINIMLCOURSE_DATA", raising=False)


@pytest.fixture
def small_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with five training and three test images, which load_mnist is told to read."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 5), ("test", 3)):
        images, labels = FILES[split]
        pixels = rng.integers(0, 256, size=(n, 28, 28), dtype=np.uint8)
        write_idx(tmp_path / f"{images}.gz", pixels)
        write_idx(tmp_path / f"{labels}.gz", np.arange(n, dtype=np.uint8))
    monkeypatch.setenv("MINIMLCOURSE_DATA", str(tmp_path))
    return tmp_path


def nearest_class_mean(train, test) -> float:
    """Accuracy of assigning each test image to the nearest mean image."""
    (X, y), (X_test, y_test) = train, test
    means = np.array([X[y == label].mean(axis=0) for label in range(10)])
    # The squared distance without the term |x|², the same for all classes.
    distance = (means**2).sum(axis=1) - X_test @ (2 * means.T)
    return (distance.argmin(axis=1) == y_test).mean()


# ---------------------------------------------------------------- MNIST


@pytest.mark.parametrize(
    ("split", "counts", "first"),
    [
        (
            "train",
            [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
            [5, 0, 4, 1, 9, 2, 1, 3, 1, 4],
        ),
        (
            "test",
            [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
            [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        ),
    ],
)
def test_mnist_is_mnist(split, counts, first) -> None:
    X, y = load_mnist(split)
    assert X.shape == (sum(counts), 784)
    assert (X.dtype, y.dtype) == (np.uint8, np.int64)
    assert (X.min(), X.max()) == (0, 255)
    assert np.bincount(y).tolist() == counts
    assert y[:10].tolist() == first


def test_mnist_pixels() -> None:
    """Mean and standard deviation of the training pixels, 0.1307 and 0.3081 as often quoted."""
    pixels, _ = load_mnist()
    assert pixels.mean() / 255 == pytest.approx(0.1306604762738429, abs=1e-12)
    X, _ = load_mnist(dtype=np.float32)
    mean_of_squares = np.vdot(X, X) / X.size
    assert np.sqrt(mean_of_squares - X.mean(dtype=np.float64) ** 2) == pytest.approx(
        0.30810781, abs=1e-5
    )


def test_mnist_images_are_upright() -> None:
    """The first test image is a seven: a bar on top, a stem that goes down to the left."""
    X, _ = load_mnist("test", flat=False)
    seven = X[0] > 127
    rows = np.flatnonzero(seven.any(axis=1))
    top, bottom = rows[:4], rows[-4:]
    assert seven[top].any(axis=0).sum() > 2 * seven[bottom].any(axis=0).sum()
    left = [np.flatnonzero(seven[row]).min() for row in rows[5:]]
    assert left[0] > left[-1]


@pytest.mark.claim("C66")
@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
def test_mnist_as_floats(dtype) -> None:
    pixels, y = load_mnist("test")
    X, y_again = load_mnist("test", dtype=dtype)
    assert X.dtype == np.dtype(dtype)
    assert np.array_equal(X, pixels.astype(dtype) / np.dtype(dtype).type(255))
    assert np.array_equal(y, y_again)


def test_mnist_as_images() -> None:
    flat, _ = load_mnist("test")
    images, _ = load_mnist("test", flat=False)
    assert images.shape == (10_000, 28, 28)
    assert np.array_equal(images.reshape(10_000, 784), flat)


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_mnist_is_shared_and_nobody_can_spoil_it(dtype, flat) -> None:
    X, y = load_mnist("test", dtype=dtype, flat=flat)
    again, y_again = load_mnist("test", dtype=dtype, flat=not flat)
    assert np.shares_memory(X, again)
    assert np.shares_memory(y, y_again)
    for array in (X, y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    assert X[[0, 1]].flags.writeable  # a batch is the caller's own


def test_floats_are_freed_when_nobody_holds_them() -> None:
    X, _ = load_mnist("test", dtype=np.float64)
    memory = weakref.ref(X.base)
    part = X[:10]
    del X
    assert memory() is not None
    del part
    assert memory() is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"split": "validation"}, "split is 'validation', expected 'train' or 'test'"),
        ({"dtype": np.int32}, "dtype is int32, expected uint8, float32 or float64"),
    ],
)
def test_mnist_arguments(arguments, words) -> None:
    with pytest.raises(ValueError, match=f"load_mnist: {words}"):
        load_mnist(**arguments)


def test_damage_inside_the_package_is_found(tmp_path, monkeypatch) -> None:
    for name in FILES["test"]:
        shutil.copyfile(BUNDLED / f"{name}.gz", tmp_path / f"{name}.gz")
    monkeypatch.setattr(mnist, "_BUNDLED", tmp_path)
    load_mnist("test")

    # A change that gzip does not notice: the date in its header.
    monkeypatch.setattr(mnist, "_BUNDLED", tmp_path / "changed")
    shutil.copytree(tmp_path, tmp_path / "changed")
    labels = tmp_path / "changed" / "t10k-labels-idx1-ubyte.gz"
    content = bytearray(labels.read_bytes())
    content[4] ^= 1
    labels.write_bytes(content)
    words = (
        f"load_mnist: {labels} is damaged: its SHA-256 is [0-9a-f]{{64}}, the original's is f7ae"
    )
    with pytest.raises(ValueError, match=words):
        load_mnist("test")


# ---------------------------------------------------------------- another folder


def test_another_folder(small_set: Path) -> None:
    assert mnist_folder() == small_set.resolve()
    for split, n in (("train", 5), ("test", 3)):
        X, y = load_mnist(split, flat=False)
        assert X.shape == (n, 28, 28)
        assert y.tolist() == list(range(n))


def test_another_folder_without_compression(small_set: Path) -> None:
    packed, _ = load_mnist("test")
    raw = small_set / "raw"
    raw.mkdir()
    for name in FILES["test"]:
        write_idx(raw / name, mnist.read_idx(small_set / f"{name}.gz"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIMLCOURSE_DATA", str(raw))
        X, y = load_mnist("test")
    assert np.array_equal(X, packed)
    assert y.tolist() == [0, 1, 2]


@pytest.mark.skipif(not FASHION.is_dir(), reason="dataset-fashion-mnist is not installed")
def test_fashion_mnist(monkeypatch: pytest.MonkeyPatch) -> None:
    digits, _ = load_mnist("test")
    monkeypatch.setenv("MINIMLCOURSE_DATA", str(FASHION))
    for split, n in (("train", 60_000), ("test", 10_000)):
        X, y = load_mnist(split)
        assert X.shape == (n, 784)
        assert np.bincount(y).tolist() == [n // 10] * 10
    assert X.mean() > 2 * digits.mean()  # clothes fill the image, strokes do not
    monkeypatch.delenv("MINIMLCOURSE_DATA")
    assert load_mnist("test")[0].mean() == digits.mean()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty"])
@pytest.mark.parametrize("name", FILES["test"])
def test_damage_is_never_papered_over(small_set: Path, name: str, damage: str) -> None:
    path = small_set / f"{name}.gz"
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(
        {
            "truncated": content[:middle],
            "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
            "empty": b"",
        }[damage]
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=re.escape(str(path))):
            load_mnist("test")
        load_mnist("train")


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        (FILES["test"][0], np.zeros((3, 28, 27), np.uint8), r"uint8 of shape (3, 28, 27)"),
        (FILES["test"][0], np.zeros((3, 784), np.uint8), r"uint8 of shape (3, 784)"),
        (FILES["test"][0], np.zeros((3, 28, 28), np.float32), r"float32 of shape (3, 28, 28)"),
        (FILES["test"][1], np.zeros((3, 1), np.uint8), r"uint8 of shape (3, 1)"),
        (FILES["test"][1], np.uint8(3), r"uint8 of shape ()"),
        (FILES["test"][1], np.zeros(4, np.uint8), r"has 3 test images, 4 labels"),
    ],
)
def test_files_that_are_something_else(small_set: Path, name, array, words) -> None:
    write_idx(small_set / f"{name}.gz", array)
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        load_mnist("test")
    assert str(small_set) in str(caught.value)


@pytest.mark.parametrize("name", FILES["test"])
def test_one_missing_file_is_an_error(small_set: Path, name: str) -> None:
    (small_set / f"{name}.gz").unlink()
    with pytest.raises(FileNotFoundError, match=name):
        load_mnist("test")
    load_mnist("train")


# ---------------------------------------------------------------- synthetic MNIST


@pytest.mark.claim("C67")
def test_when_the_files_are_gone_synthetic_data_says_so(tmp_path, monkeypatch) -> None:
    """C67: never in silence, and every time it is asked for."""
    monkeypatch.setattr(mnist, "_BUNDLED", tmp_path / "gone")
    assert mnist_folder() is None
    for _ in range(2):
        with pytest.warns(SyntheticDataWarning, match=r"no MNIST files in .*gone.*SYNTHETIC") as w:
            X, y = load_mnist("test", dtype=np.float32)
        assert w[0].filename == __file__
    assert X.shape == (10_000, 784)
    assert (X.dtype, y.dtype) == (np.float32, np.int64)
    assert np.bincount(y).tolist() == [1000] * 10
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntheticDataWarning)
        with pytest.raises(SyntheticDataWarning):
            load_mnist("test")


def test_an_empty_folder_is_named_in_the_warning(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MINIMLCOURSE_DATA", str(tmp_path))
    with pytest.warns(SyntheticDataWarning, match=re.escape(str(tmp_path.resolve()))):
        load_mnist("test")


def test_real_data_raise_no_warning() -> None:
    assert mnist_folder() == BUNDLED.resolve()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_mnist("test")


@pytest.mark.claim("E60", "C67")
def test_synthetic_mnist_is_easier_than_mnist() -> None:
    """E60: nearest class mean is right on all of the surrogate, on 82 % of MNIST."""
    surrogate = nearest_class_mean(synthetic_mnist(2000, rng=0), synthetic_mnist(2000, rng=1))
    assert surrogate > 0.999
    train, test = (load_mnist(split, dtype=np.float32) for split in ("train", "test"))
    assert nearest_class_mean(train, test) == pytest.approx(0.8203, abs=0.0005)


@pytest.mark.claim("C2")
def test_synthetic_mnist() -> None:
    X, y = synthetic_mnist(105, rng=3)
    assert X.shape == (105, 784)
    assert (X.dtype, y.dtype) == (np.uint8, np.int64)
    assert sorted(np.bincount(y)) == [10] * 5 + [11] * 5
    assert (X.min(), X.max()) == (0, 255)


# ---------------------------------------------------------------- random projection


@pytest.mark.claim("C66")
def test_random_projection_preserves_distances() -> None:
    """Squared distances are right on average, with relative standard deviation √(2/k)."""
    X, _ = load_mnist("test", dtype=np.float64)
    i, j = np.triu_indices(40, k=1)
    differences = X[:40][i] - X[:40][j]
    ratios = np.array(
        [
            (RandomProjection(64, rng=seed).fit_transform(differences) ** 2).sum(axis=1)
            / (differences**2).sum(axis=1)
            for seed in range(20)
        ]
    )
    assert ratios.mean() == pytest.approx(1, abs=0.03)
    assert ratios.std() == pytest.approx(np.sqrt(2 / 64), rel=0.1)


@pytest.mark.claim("E59")
def test_random_projection_is_no_pca() -> None:
    """E59: the span of the directions holds 64/784 of the variance, 64 components hold 86 %."""
    X, _ = load_mnist("test", dtype=np.float64)
    covariance = np.cov(X, rowvar=False)
    total = covariance.trace()
    held = []
    for seed in range(10):
        directions = RandomProjection(64, rng=seed).fit(X).components_
        basis, _ = np.linalg.qr(directions.T)
        held.append(np.trace(basis.T @ covariance @ basis) / total)
    assert np.mean(held) == pytest.approx(64 / 784, rel=0.05)
    assert max(held) < 0.12
    principal = np.linalg.eigvalsh(covariance)[-64:].sum() / total
    assert principal == pytest.approx(0.86, abs=0.01)


def test_random_projection_is_one_linear_map() -> None:
    rng = np.random.default_rng(0)
    X, other = rng.standard_normal((2, 10, 30))
    projection = RandomProjection(4, rng=0).fit(X)
    assert projection.components_.shape == (4, 30)
    assert np.array_equal(projection.transform(other), other @ projection.components_.T)
    assert np.array_equal(projection.fit(other).transform(X), projection.fit(X).transform(X))
    assert not np.array_equal(RandomProjection(4, rng=1).fit(X).components_, projection.components_)


# ---------------------------------------------------------------- standardisation


@given(
    X=hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8),
        elements=st.integers(-1000, 1000).map(lambda i: i / 7),
    )
)
def test_scaler_properties(X: np.ndarray) -> None:
    Z = StandardScaler().fit_transform(X)
    assert Z.mean(axis=0) == pytest.approx(0, abs=1e-9)
    for column, z in zip(X.T, Z.T, strict=True):
        if (column == column[0]).all():
            assert (z == 0).all()
        else:
            assert z.std() == pytest.approx(1)


def test_constant_feature_whose_mean_rounds() -> None:
    """Three times 0.1, over 3, is not 0.1: the computed deviation is not 0, nor would z be."""
    column = np.full((3, 1), 0.1)
    assert column.std() > 0
    scaler = StandardScaler().fit(column)
    assert (scaler.mean_, scaler.scale_) == (0.1, 1.0)
    assert scaler.transform([[0.1], [0.6]]).ravel().tolist() == [0.0, 0.5]


@pytest.mark.claim("C66")
def test_scaler_knows_the_training_part_only() -> None:
    train, test = np.array([[0.0], [2.0]]), np.array([[11.0], [11.0]])
    scaler = StandardScaler().fit(train)
    assert scaler.transform(test).ravel().tolist() == [10.0, 10.0]
    assert (scaler.mean_, scaler.scale_) == (1.0, 1.0)


def test_scaler_on_mnist() -> None:
    X, _ = load_mnist("test", dtype=np.float32)
    Z = StandardScaler().fit_transform(X)
    varies = (X != X[0]).any(axis=0)
    assert 0 < varies.sum() < 784  # the corners are never inked
    assert (Z[:, ~varies] == 0).all()
    assert Z[:, varies].std(axis=0, dtype=np.float64) == pytest.approx(1, abs=1e-3)


def test_float32_sums_are_taken_in_float64() -> None:
    X = np.full((100_001, 1), 1000.1, dtype=np.float32)
    X[0] = 0
    exact = X.astype(np.float64)
    assert StandardScaler().fit(X).mean_ == pytest.approx(exact.mean(axis=0), rel=1e-9)


# ---------------------------------------------------------------- both preparations


PREPARATIONS = [lambda: RandomProjection(2, rng=0), StandardScaler]


@pytest.mark.parametrize("make", PREPARATIONS)
def test_float_types(make) -> None:
    X = np.random.default_rng(0).standard_normal((6, 5))
    for dtype in (np.float32, np.float64):
        assert make().fit(X).transform(X.astype(dtype)).dtype == dtype
        assert make().fit_transform(X.astype(dtype)).dtype == dtype
    assert make().fit_transform(np.arange(12).reshape(4, 3)).dtype == np.float64
    assert make().fit_transform(np.arange(12, dtype=np.uint8).reshape(4, 3)).dtype == np.float64


@pytest.mark.parametrize("make", PREPARATIONS)
def test_input_is_left_alone(make) -> None:
    X = np.random.default_rng(0).standard_normal((6, 5))
    before = X.copy()
    make().fit_transform(X)
    assert np.array_equal(X, before)


@pytest.mark.parametrize("make", PREPARATIONS)
@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.zeros((2, 3)), ValueError, "X has 3 features, fit saw 4"),
        (np.zeros(4), ValueError, "X has shape (4,), expected (n, d)"),
        ([[0.0, np.nan, 0, 0]], ValueError, "X[0, 1] is nan, expected finite numbers"),
        ([["a"]], TypeError, "X has dtype <U1, expected real numbers"),
        (np.zeros((2, 4), complex), TypeError, "X has dtype complex128"),
    ],
)
def test_preparation_refuses(make, X, error, words) -> None:
    fitted = make().fit(np.eye(4))
    name = type(fitted).__name__
    with pytest.raises(error, match=re.escape(f"{name}: {words}")):
        fitted.transform(X)
    if "fit saw" not in words:
        with pytest.raises(error, match=re.escape(f"{name}: {words}")):
            fitted.fit(X)


@pytest.mark.parametrize("make", PREPARATIONS)
def test_preparation_wants_fit_first(make) -> None:
    with pytest.raises(RuntimeError, match="transform was called before fit"):
        make().transform(np.eye(3))
    with pytest.raises(ValueError, match="X has no rows to fit on"):
        make().fit(np.zeros((0, 3)))


def test_projection_on_no_component() -> None:
    with pytest.raises(ValueError, match="n_components is 0, expected at least 1"):
        RandomProjection(0, rng=0)


# ---------------------------------------------------------------- synthetic sets


CLASSES = {make_spirals: 3, make_circles: 2, make_moons: 2, make_xor: 2, make_blobs: 3}
MAKERS = [*CLASSES, make_sine]


@pytest.mark.parametrize("make", CLASSES)
@pytest.mark.parametrize("n", [3, 100, 301])
def test_classes_are_balanced(make, n: int) -> None:
    X, y = make(n, rng=0)
    assert X.shape == (n, 2)
    assert (X.dtype, y.dtype) == (np.float64, np.int64)
    counts = np.bincount(y)
    assert len(counts) == CLASSES[make]
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("make", [*MAKERS, synthetic_mnist])
def test_a_seed_is_the_data(make) -> None:
    X, y = make(50, rng=7)
    X_same, y_same = make(50, rng=np.random.default_rng(7))
    assert np.array_equal(X, X_same)
    assert np.array_equal(y, y_same)
    generator = np.random.default_rng(7)
    make(50, rng=generator)
    assert not np.array_equal(make(50, rng=generator)[0], X)
    assert not np.array_equal(make(50, rng=8)[0], X)
    with pytest.raises(TypeError, match="rng"):
        make(50)


@pytest.mark.parametrize("make", CLASSES)
def test_order_tells_nothing(make) -> None:
    """The first half, and every second or third point, hold the classes in about equal parts."""
    _, y = make(1200, rng=0)
    k = CLASSES[make]
    for part in (y[:600], y[::k]):
        assert np.bincount(part, minlength=k).min() > 0.8 * len(part) / k


def test_spirals() -> None:
    X, y = make_spirals(3000, n_classes=4, turns=1.5, noise=0, rng=0)
    radius = np.hypot(*X.T)
    assert 0 < radius.min() < radius.max() < 1
    assert radius.mean() == pytest.approx(0.5, abs=0.02)
    turn = np.arctan2(X[:, 1], X[:, 0]) / (2 * np.pi) - y / 4 - 1.5 * radius
    assert abs(turn - turn.round()).max() < 1e-9
    noisy, _ = make_spirals(3000, n_classes=4, turns=1.5, noise=0.2, rng=0)
    assert np.hypot(*noisy.T) == pytest.approx(radius)
    moved = np.angle((noisy @ [1, 1j]) / (X @ [1, 1j]))
    assert moved.std() == pytest.approx(0.2, rel=0.05)
    assert moved.mean() == pytest.approx(0, abs=0.02)


def test_spirals_are_not_linearly_separable_but_separable() -> None:
    """E70: about half right for lines (least squares), nearly all right for the neighbours."""
    (X, y), (X_test, y_test) = make_spirals(600, rng=0), make_spirals(600, rng=1)
    affine = np.column_stack([X, np.ones(600)])
    weights, *_ = np.linalg.lstsq(affine, np.eye(3)[y], rcond=None)
    lines = (np.column_stack([X_test, np.ones(600)]) @ weights).argmax(axis=1)
    assert 0.4 < (lines == y_test).mean() < 0.65
    nearest = ((X_test[:, np.newaxis] - X) ** 2).sum(axis=-1).argmin(axis=1)
    assert (y[nearest] == y_test).mean() > 0.97


def test_circles() -> None:
    X, y = make_circles(2000, factor=0.3, noise=0, rng=0)
    assert np.hypot(*X.T) == pytest.approx(np.where(y == 0, 1, 0.3))
    assert X.mean(axis=0) == pytest.approx(0, abs=0.05)
    noisy, _ = make_circles(2000, factor=0.3, noise=0.1, rng=0)
    assert (noisy - X).std(axis=0) == pytest.approx(0.1, rel=0.05)


def test_moons() -> None:
    X, y = make_moons(2000, noise=0, rng=0)
    upper, lower = X[y == 0], X[y == 1]
    assert np.hypot(*upper.T) == pytest.approx(1)
    assert np.hypot(*(lower - [1, 0.5]).T) == pytest.approx(1)
    assert upper[:, 1].min() >= 0
    assert lower[:, 1].max() <= 0.5
    noisy, _ = make_moons(2000, noise=0.1, rng=0)
    assert (noisy - X).std(axis=0) == pytest.approx(0.1, rel=0.05)


def test_xor() -> None:
    X, y = make_xor(2000, noise=0, rng=0)
    assert np.array_equal(y == 1, X[:, 0] * X[:, 1] < 0)
    assert abs(X).max() <= 1
    assert X.mean(axis=0) == pytest.approx(0, abs=0.05)
    assert abs(X).mean(axis=0) == pytest.approx(0.5, abs=0.02)
    noisy, _ = make_xor(2000, noise=0.1, rng=0)
    assert (noisy - X).std(axis=0) == pytest.approx(0.1, rel=0.05)


def test_blobs() -> None:
    centers = np.array([[0.0, 0, 0], [5, 0, 1]])
    X, y = make_blobs(2000, centers, noise=0.5, rng=0)
    for label in (0, 1):
        cloud = X[y == label]
        assert cloud.mean(axis=0) == pytest.approx(centers[label], abs=0.06)
        assert np.cov(cloud, rowvar=False) == pytest.approx(0.25 * np.eye(3), abs=0.03)
    X, y = make_blobs(8, centers=4, noise=0, rng=0)
    assert X == pytest.approx(4 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])[y])
    with pytest.raises(ValueError, match=r"make_blobs: centers has shape \(3,\)"):
        make_blobs(8, [1.0, 2.0, 3.0], rng=0)


def test_sine() -> None:
    X, y = make_sine(2000, noise=0.2, rng=0)
    assert X.shape == (2000, 1)
    assert y.shape == (2000,)
    assert 0 <= X.min() < 0.1
    assert 2 * np.pi - 0.1 < X.max() <= 2 * np.pi
    residual = y - np.sin(X[:, 0])
    assert residual.std() == pytest.approx(0.2, rel=0.05)
    assert residual.mean() == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("make", MAKERS)
def test_bad_arguments(make) -> None:
    name = make.__name__
    for noise in (-0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match=f"{name}: noise is {noise}, expected a finite"):
            make(30, noise=noise, rng=0)
    with pytest.raises(ValueError, match=f"{name}: n is 0"):
        make(0, rng=0)


def test_too_few_points_and_wrong_factor() -> None:
    with pytest.raises(ValueError, match="make_spirals: n is 4 and there are 5 classes"):
        make_spirals(4, n_classes=5, rng=0)
    with pytest.raises(ValueError, match="make_spirals: n is 4 and there are 0 classes"):
        make_spirals(4, n_classes=0, rng=0)
    with pytest.raises(ValueError, match="synthetic_mnist: n is 9"):
        synthetic_mnist(9, rng=0)
    for factor in (0, 1, -1):
        with pytest.raises(ValueError, match=f"make_circles: factor is {factor}"):
            make_circles(10, factor=factor, rng=0)
