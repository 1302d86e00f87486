"""The exercises of lesson 10: bytes, features without a leak, and numbers beyond the accuracy."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import minimlcourse.functional as F
from minimlcourse.classroom.checks.exercise import Case, Exercise, Function, Mistake, Task, Wrong
from minimlcourse.datasets import StandardScaler, read_idx

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

# -- 10.1 and 10.2: a file -------------------------------------------------------------------------

_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def _idx(array: ArrayLike) -> Bytes:
    """An array as the bytes of an IDX file."""
    values = np.asarray(array)
    kind = values.dtype.str[1:]
    header = bytes([0, 0, _CODES[kind], values.ndim])
    header += b"".join(size.to_bytes(4, "big") for size in values.shape)
    return np.frombuffer(header + values.astype(f">{kind}").tobytes(), np.uint8).copy()


def _from_a_file(raw: Bytes) -> NDArray[Any]:
    """What the package's reader finds in a file of these bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "array.idx"
        path.write_bytes(raw.tobytes())
        return read_idx(path)


def _file_cases(rng: np.random.Generator) -> Iterator[Case]:
    arrays: list[tuple[NDArray[Any], str]] = [
        (np.array([5, 0, 4], np.uint8), ""),
        (rng.integers(0, 256, (2, 3, 4)).astype(np.uint8), ""),
        (rng.integers(0, 256, (300, 2)).astype(np.uint8), "for more than 255 items"),
        (np.array([-1, 2], np.int8), "for elements of type int8"),
        (np.array([300, rng.integers(-9, 0)], np.int16), "for elements of two bytes"),
        (np.array([rng.integers(-9, 0)], np.int32), "for elements of type int32"),
        (rng.normal(size=1).astype(np.float32), "for elements of type float32"),
        (rng.normal(size=3), "for elements of type float64"),
        (np.zeros((0, 28, 28), np.uint8), "for a file without items"),
    ]
    for array, special in arrays:
        yield Case((_idx(array),), special)


def _read(raw: Bytes, order: str = ">", typed: bool = True, elements: str = "") -> NDArray[Any]:
    """A reader that gets some things wrong, if asked to."""
    content = raw.tobytes()
    rank = content[3]
    sizes = np.frombuffer(content[4 : 4 + 4 * rank], f"{order}u4").tolist()
    kinds = {code: kind for kind, code in _CODES.items()}
    kind = kinds[content[2]] if typed else "u1"
    return np.frombuffer(content[4 + 4 * rank :], f"{elements or order}{kind}").reshape(sizes)


IDX_READER = Function(
    identifier="10.1",
    title="A file that you have never seen",
    points=3,
    parameters=("raw",),
    cases=_file_cases,
    expected=_from_a_file,
    known=(
        Mistake(
            "everything is uint8",
            "You take every file for bytes, as in MNIST. Which part of the header says what the "
            "elements are?",
            lambda raw: _read(raw, typed=False),
        ),
        Mistake(
            "little-endian",
            "You read numbers from the wrong end: their most significant byte comes first.",
            lambda raw: _read(raw, order="<"),
        ),
        Mistake(
            "elements little-endian",
            "The sizes are read right. Elements of more than one byte have their most significant "
            "byte first, too.",
            lambda raw: _read(raw, elements="<"),
        ),
        Mistake(
            "sixteen bytes of header",
            "You skip sixteen bytes whatever the rank. How long is the header of a file of labels?",
            lambda raw: _skip_sixteen(raw),
        ),
    ),
    verified="reads nine files, of all six types and three ranks, as they were written",
)


def _skip_sixteen(raw: Bytes) -> NDArray[Any]:
    rank = int(raw[3])
    sizes = np.frombuffer(raw[4 : 4 + 4 * rank].tobytes(), ">u4").tolist()
    kinds = {code: kind for kind, code in _CODES.items()}
    return np.frombuffer(raw[16:].tobytes(), f">{kinds[int(raw[2])]}").reshape(sizes)


_WORDS = ("not IDX", "unknown type", "header cut", "data cut", "data left over", "sound")


def _damaged(rng: np.random.Generator) -> list[tuple[str, Bytes]]:
    """Files and what is wrong with each, in the words that the exercise fixes."""
    sound = _idx(rng.integers(0, 256, (4, 3)).astype(np.uint8))
    wide = _idx(rng.normal(size=(2, 3)).astype(np.float32))
    not_idx, nor_this, unknown, inflated, tall = (sound.copy() for _ in range(5))
    not_idx[0] = 0x1F
    nor_this[1] = 0x08
    unknown[2] = 0x0A
    inflated[4] = 0x7F  # it promises two thousand million rows
    tall[3] = 64  # sizes: four times 64 is 256, which no byte holds
    vast = np.array([0, 0, 0x08, 4, *[0, 1, 0, 0] * 4], np.uint8)  # 2**64 elements
    return [
        ("sound", sound),
        ("sound", wide),
        ("sound", _idx(np.zeros((0, 5), np.uint8))),
        ("sound", _idx(np.array(7, np.uint8))),
        ("not IDX", not_idx),
        ("not IDX", nor_this),
        ("not IDX", sound[:3]),
        ("not IDX", sound[:0]),
        ("unknown type", unknown),
        ("header cut", sound[:9]),
        ("header cut", sound[:4]),
        ("header cut", tall),
        ("data cut", sound[:-1]),
        ("data cut", wide[:-3]),
        ("data cut", inflated),
        ("data cut", vast),
        ("data left over", np.append(sound, np.uint8(0))),
        ("data left over", np.append(wide, wide[-4:])),
    ]


def _examine_diagnosis(answer: Callable[..., Any], rng: np.random.Generator) -> None:
    for expected, raw in _damaged(rng):
        found = answer(raw)
        shown = " ".join(f"{byte:02X}" for byte in raw[:20].tolist())
        told = f"It was given {len(raw)} bytes: {shown}{' ...' * (len(raw) > 20)}".rstrip(": ")
        if not isinstance(found, str) or found not in _WORDS:
            what = "None (is there a `return`?)" if found is None else repr(found)
            raise Wrong(f"The answer must be one of the six words, yours is {what}. {told}.")
        if found == expected:
            continue
        told += f", and found {found!r}."
        if expected == "sound":
            raise Wrong(*_what_is_sound(raw, found, told))
        if len(raw) > 3 and raw[3] == 64:
            raise Wrong(
                "This file ends before its sizes do. The rank is a byte, and four times 64 is 0 "
                f"among bytes: make a Python integer of it first. {told}",
                "rank wraps around",
            )
        if expected == "data cut" and raw[3] == 4:
            raise Wrong(
                "This file promises 2 to the power of 64 elements, which is 0 among the integers "
                f"of 64 bits that NumPy multiplies. {told}",
                "product wraps around",
            )
        if found == "sound" and expected == "data left over":
            raise Wrong(f"More bytes than promised are damage, too. {told}", "rest not looked at")
        if found == "data cut" and expected == "header cut":
            raise Wrong(f"This file ends before its sizes do. {told}", "header not looked at")
        if found == "sound":
            raise Wrong(f"This file is not sound: read it once more from its beginning. {told}")
        if _WORDS.index(found) > _WORDS.index(expected):
            raise Wrong(f"Something else comes first in this file, seen from its beginning. {told}")
        raise Wrong(f"This file passes that test; what is wrong with it comes later. {told}")


def _what_is_sound(raw: Bytes, found: str, told: str) -> tuple[str, str]:
    """What to say of a sound file that was refused, and the name of the mistake."""
    if len(raw) == 5:
        return f"A file of rank 0 is sound: no sizes, one element. {told}", ""
    if found == "unknown type":
        return f"This file is sound: its third byte is one of the six types. {told}", ""
    if found == "header cut":
        return f"This file is sound: how many bytes are in its header? {told}", ""
    if found.startswith("data") and len(raw) == 12:
        return f"A file without items is sound: its data are 0 bytes. {told}", ""
    if found.startswith("data") and raw[2] != 0x08:
        words = f"This file is sound: how many bytes has an element of its type? {told}"
        return words, "one byte an element"
    return f"This file is sound. {told}", ""


IDX_DIAGNOSIS = Task(
    identifier="10.2",
    title="What is wrong with this file?",
    points=3,
    examination=_examine_diagnosis,
    named=(
        "one byte an element",
        "rest not looked at",
        "header not looked at",
        "rank wraps around",
        "product wraps around",
    ),
    verified="tells four sound files and fourteen damaged ones apart",
)

# -- 10.3 and 10.4: features -----------------------------------------------------------------------


def _feature_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 8.0]]), np.array([[2.0, 4.0]])))
    for n, m, d in ((6, 4, 3), (20, 1, 2), (5, 9, 4)):
        yield Case((rng.normal(3, 2, (n, d)), rng.normal(size=(m, d))))
    constant = rng.normal(size=(6, 3))
    constant[:, 1] = 0.0
    test = rng.normal(size=(2, 3)).round(2)
    test[:, 1] = 0.5, -2.0
    yield Case((constant, test), "where a feature is the same in all training images")


def _standardised(X_train: Array, X_test: Array) -> tuple[Array, Array]:
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test)


def _scaled(X: Array, mean: Any, deviation: Any) -> Array:
    return np.asarray((X - mean) / np.where(deviation > 0, deviation, 1))


def _each_alone(X: Array) -> Array:
    return _scaled(X, X.mean(axis=0), X.std(axis=0))


def _together(X_train: Array, X_test: Array) -> tuple[Array, Array]:
    both = np.concatenate([X_train, X_test])
    mean, deviation = both.mean(axis=0), both.std(axis=0)
    return _scaled(X_train, mean, deviation), _scaled(X_test, mean, deviation)


def _by_image(X: Array) -> Array:
    return _scaled(X, X.mean(axis=1, keepdims=True), X.std(axis=1, keepdims=True))


STANDARDISE = Function(
    identifier="10.3",
    title="Standardise without a leak",
    points=2,
    parameters=("X_train", "X_test"),
    cases=_feature_cases,
    expected=_standardised,
    known=(
        Mistake(
            "test part standardised by itself",
            "The test part is standardised with its own means: the answer for an image now depends "
            "on the images that come with it, and a single one vanishes.",
            lambda X_train, X_test: (_each_alone(X_train), _each_alone(X_test)),
        ),
        Mistake(
            "fit on everything",
            "The means are taken over both parts: what you hold out has had a say.",
            _together,
        ),
        Mistake(
            "one number for all features",
            "There is one mean and one deviation here for all features together; each feature has "
            "its own.",
            lambda X_train, X_test: (
                _scaled(X_train, X_train.mean(), X_train.std()),
                _scaled(X_test, X_train.mean(), X_train.std()),
            ),
        ),
        Mistake(
            "by image",
            "These are means over the features of an image; what is asked for are means over the "
            "images, feature by feature.",
            lambda X_train, X_test: (_by_image(X_train), _by_image(X_test)),
        ),
        Mistake(
            "divided by the variance",
            "You divide by the variance; it has the square of the feature's unit.",
            lambda X_train, X_test: (
                _scaled(X_train, X_train.mean(axis=0), X_train.var(axis=0)),
                _scaled(X_test, X_train.mean(axis=0), X_train.var(axis=0)),
            ),
        ),
        Mistake(
            "one less than n",
            "Your deviation divides by n - 1 under the root (`ddof=1`); here it is n.",
            lambda X_train, X_test: (
                _scaled(X_train, X_train.mean(axis=0), X_train.std(axis=0, ddof=1)),
                _scaled(X_test, X_train.mean(axis=0), X_train.std(axis=0, ddof=1)),
            ),
        ),
        Mistake(
            "only centred",
            "The means are right; the features are centred, but not scaled yet.",
            lambda X_train, X_test: (
                X_train - X_train.mean(axis=0),
                X_test - X_train.mean(axis=0),
            ),
        ),
        Mistake(
            "test part left as it is",
            "The training part is right. The test part must go through the same shift and scale, "
            "or a network trained on the first cannot read it.",
            lambda X_train, X_test: (_each_alone(X_train), X_test),
        ),
    ),
    verified="uses the training part alone, feature by feature, a constant feature included",
)


def _nearest_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[0, 10], [200, 0]], np.uint8), np.array([[5.0, 9.0], [190.0, 30.0]])))
    for n, k, d in ((7, 3, 4), (1, 2, 5), (9, 5, 2)):
        X = rng.integers(0, 256, (n, d)).astype(np.uint8)
        yield Case((X, rng.uniform(0, 255, (k, d))))
    yield Case(
        (np.array([[3, 3]], np.uint8), np.array([[0.0, 3.0], [6.0, 3.0]])),
        "at a tie, where the smaller class wins",
    )
    yield Case(
        (np.array([[0, 0]], np.uint8), np.array([[16, 0], [3, 3]], np.uint8)),
        "where the means are bytes, too",
    )
    yield Case(
        (np.array([[182, 0]], np.uint8), np.array([[82, 0], [0, 0]], np.uint8)),
        "where the means are bytes, too, and far away",
    )
    yield Case(
        (np.array([[1, 2]], np.uint8), np.array([[0.9, 2.0], [1.4, 2.0]])),
        "where means differ by less than one",
    )


def _nearest(X: Bytes, means: Array) -> NDArray[np.int64]:
    pairs = [[x.astype(float) - mean for mean in means] for x in X]
    return np.argmin([[np.sum(difference**2) for difference in row] for row in pairs], axis=1)


NEAREST_MEAN = Function(
    identifier="10.4",
    title="The nearest mean image",
    points=2,
    parameters=("X", "means"),
    cases=_nearest_cases,
    expected=_nearest,
    known=(
        Mistake(
            "the farthest",
            "This is the mean that is farthest away.",
            lambda X, means: np.argmax(
                ((X[:, None].astype(float) - means[None]) ** 2).sum(axis=2), axis=1
            ),
        ),
        Mistake(
            "the largest product",
            "You compare inner products. A bright mean image then wins everything: distance, not "
            "product, is asked for.",
            lambda X, means: np.argmax(X.astype(float) @ means.T.astype(float), axis=1),
        ),
        Mistake(
            "sums of absolute differences",
            "You add up absolute differences: that is the distance along the axes, the 1-norm, not "
            "the Euclidean one.",
            lambda X, means: np.argmin(
                np.abs(X[:, None].astype(float) - means[None]).sum(axis=2), axis=1
            ),
        ),
        Mistake(
            "classes from 1",
            "Every class is one too large: the first has the number 0.",
            lambda X, means: 1 + _nearest(X, means),
        ),
        Mistake(
            "bytes wrap around",
            "Right as long as one of the two is a float. Bytes count modulo 256: 16 squared is 0. "
            "Convert before you subtract.",
            lambda X, means: np.argmin(((X[:, None] - means[None]) ** 2).sum(axis=2), axis=1),
        ),
    ),
    verified="is the class of the nearest mean for 23 images, at a tie and with bytes, too",
)

# -- 10.5 to 10.8: beyond the accuracy -------------------------------------------------------------


def _count_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0]), 3))
    for n, k in ((30, 4), (50, 5)):
        yield Case((rng.integers(0, k, n), rng.integers(0, k, n), k))
    yield Case((np.array([0, 2]), np.array([2, 2]), 4), "where a class never occurs")
    yield Case((np.full(300, 1), np.full(300, 2), 3), "where a pair occurs 300 times")


def _counts(y_true: NDArray[np.int64], y_pred: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    counted = [[np.sum((y_true == i) & (y_pred == j)) for j in range(k)] for i in range(k)]
    return np.array(counted, dtype=np.int64)


CONFUSION = Function(
    identifier="10.5",
    title="Who is taken for whom",
    points=2,
    parameters=("y_true", "y_pred", "k"),
    cases=_count_cases,
    expected=_counts,
    known=(
        Mistake(
            "rows are answers",
            "Rows and columns are exchanged: a row is a true class.",
            lambda y_true, y_pred, k: _counts(y_pred, y_true, k),
        ),
        Mistake(
            "each pair counted once",
            "Each pair that occurs is counted once, however often it occurs. (This is what "
            "`matrix[y_true, y_pred] += 1` does: NumPy reads all cells before it writes any.)",
            lambda y_true, y_pred, k: np.minimum(_counts(y_true, y_pred, k), 1),
        ),
        Mistake(
            "one list for all rows",
            "All rows are equal here. (`[[0] * k] * k` holds one and the same list k times.)",
            lambda y_true, y_pred, k: np.tile(_counts(y_true, y_pred, k).sum(axis=0), (k, 1)),
        ),
        Mistake(
            "labels from 1",
            "Everything is one row and one column off: labels begin with 0.",
            lambda y_true, y_pred, k: _counts((y_true - 1) % k, (y_pred - 1) % k, k),
        ),
    ),
    verified="counts right in five cases, with an absent class and a frequent pair among them",
)


def _recall_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([[8, 2], [1, 1]]),))
    for k in (3, 4, 5):
        yield Case((rng.integers(1, 50, (k, k)),))
    yield Case((np.array([[5, 1], [3, 0]]),), "where a class is never recognised")
    absent = rng.integers(1, 50, (3, 3))
    absent[1] = 0
    yield Case((absent,), "where a class has no image")


def _recall_by_class(matrix: NDArray[np.int64]) -> Array:
    return np.array([row[i] / row.sum() for i, row in enumerate(matrix) if row.any()])


BALANCED = Function(
    identifier="10.6",
    title="Balanced accuracy",
    points=2,
    parameters=("matrix",),
    cases=_recall_cases,
    expected=lambda matrix: float(np.mean(_recall_by_class(matrix))),
    known=(
        Mistake(
            "plain accuracy",
            "This is the accuracy over all images: a frequent class counts more than a rare one.",
            lambda matrix: float(np.trace(matrix) / matrix.sum()),
        ),
        Mistake(
            "columns for rows",
            "You divide by the sums of the columns: of all that was called k, the share that is k. "
            "Asked for is the other share: of all that is k, what was called so.",
            lambda matrix: float(np.mean(np.diag(matrix) / matrix.sum(axis=0))),
        ),
    ),
    verified="is the mean over the classes that occur, for six tables",
)


def _calibration_cases(rng: np.random.Generator) -> Iterator[Case]:
    yield Case((np.array([0.95, 0.85, 0.65, 0.6]), np.array([True, True, False, True]), 2))
    for n, bins in ((40, 4), (200, 10), (60, 5)):
        yield Case((rng.uniform(0.01, 0.99, n), rng.random(n) < 0.7, bins))
    yield Case(
        (np.array([1.0, 0.9, 0.4]), np.array([False, True, True]), 5), "at a confidence of 1"
    )
    yield Case(
        (np.array([0.5, 0.75, 0.3]), np.array([False, True, True]), 2), "on the edge of two bins"
    )


def _calibration_error(confidence: Array, correct: NDArray[np.bool_], bins: int) -> float:
    total = 0.0
    for b in range(bins):
        inside = [min(int(c * bins), bins - 1) == b for c in confidence]
        if any(inside):
            total += abs(float(np.sum(confidence[inside]) - np.sum(correct[inside])))
    return total / len(confidence)


def _unweighted(confidence: Array, correct: NDArray[np.bool_], bins: int) -> float:
    which = _bins_of(confidence, bins)
    gaps = [abs(confidence[which == b].mean() - correct[which == b].mean()) for b in set(which)]
    return float(np.mean(gaps))


def _from_the_middle(confidence: Array, correct: NDArray[np.bool_], bins: int) -> float:
    return _calibration_error((_bins_of(confidence, bins) + 0.5) / bins, correct, bins)


def _bins_of(confidence: Array, bins: int) -> NDArray[np.int64]:
    return np.asarray(np.minimum((confidence * bins).astype(int), bins - 1))


CALIBRATION = Function(
    identifier="10.7",
    title="The calibration error",
    points=3,
    parameters=("confidence", "correct", "bins"),
    cases=_calibration_cases,
    expected=_calibration_error,
    known=(
        Mistake(
            "bins count alike",
            "Every bin counts alike here; it should count as much as it has predictions.",
            _unweighted,
        ),
        Mistake(
            "one bin for all",
            "This is the gap between the means over all predictions: what is too sure here and too "
            "modest there cancels.",
            lambda confidence, correct, bins: float(abs(confidence.mean() - correct.mean())),
        ),
        Mistake(
            "signs cancel",
            "Gaps above and below cancel here: it is their sizes that are to be added up.",
            lambda confidence, correct, bins: float(confidence.mean() - correct.mean()),
        ),
        Mistake(
            "signs cancel, right minus promised",
            "Gaps above and below cancel here: it is their sizes that are to be added up.",
            lambda confidence, correct, bins: float(correct.mean() - confidence.mean()),
        ),
        Mistake(
            "middle of the bin",
            "You take the middle of a bin for the confidence in it; the mean of the confidences "
            "that are in it is asked for.",
            _from_the_middle,
        ),
        Mistake(
            "bins count alike, empty ones too",
            "Every bin counts alike here, the empty ones too; it should count as much as it has "
            "predictions.",
            lambda confidence, correct, bins: (
                _unweighted(confidence, correct, bins)
                * len(set(_bins_of(confidence, bins).tolist()))
                / bins
            ),
        ),
        Mistake(
            "prediction by prediction",
            "This compares each confidence with a 0 or a 1. Confidence promises an average: "
            "average inside a bin first.",
            lambda confidence, correct, bins: float(np.abs(confidence - correct).mean()),
        ),
    ),
    verified="is the weighted mean of the gaps, for six sets of predictions",
)


def _temperature_cases(rng: np.random.Generator) -> Iterator[Case]:
    three = np.array([[2.0, 0.0], [0.0, 4.0], [3.0, 0.0]])
    yield Case((three, np.array([0, 1, 1]), [8.0, 3.0, 1.0, 0.25]))
    for n, k in ((30, 3), (50, 4), (40, 5)):
        logits = 3 * rng.normal(size=(n, k))
        y = np.where(rng.random(n) < 0.6, logits.argmax(axis=1), rng.integers(0, k, n))
        yield Case((logits, y, (2.0 ** np.arange(5, -6, -1)).tolist()))
    far = 400 * rng.normal(size=(20, 3))
    yield Case((far, rng.integers(0, 3, 20), [1.0, 50.0, 500.0]), "far out, where exp overflows")


def _temperature(logits: Array, y: NDArray[np.int64], candidates: list[float]) -> float:
    losses = [float(F.cross_entropy(logits / T, y)) for T in candidates]
    return candidates[int(np.argmin(losses))]


def _naive_temperature(logits: Array, y: NDArray[np.int64], candidates: list[float]) -> float:
    losses = []
    for T in candidates:
        p = np.exp(logits / T)
        losses.append(-np.mean(np.log((p / p.sum(axis=1, keepdims=True))[range(len(y)), y])))
    return candidates[int(np.argmin(losses))]


TEMPERATURE = Function(
    identifier="10.8",
    title="A temperature",
    points=2,
    parameters=("logits", "y", "candidates"),
    cases=_temperature_cases,
    expected=_temperature,
    known=(
        Mistake(
            "multiplied",
            "You multiply by the temperature; it divides: hot means undecided.",
            lambda logits, y, candidates: 1 / _temperature(logits, y, [1 / T for T in candidates]),
        ),
        Mistake(
            "place in the list",
            "This is the place of the temperature in the list; the temperature itself is asked "
            "for.",
            lambda logits, y, candidates: candidates.index(_temperature(logits, y, candidates)),
        ),
        Mistake(
            "the loss itself",
            "This is the smallest loss; the temperature that has it is asked for.",
            lambda logits, y, candidates: min(
                float(F.cross_entropy(logits / T, y)) for T in candidates
            ),
        ),
        Mistake(
            "the largest loss",
            "This is the temperature with the largest cross-entropy: is a minus missing in your "
            "loss?",
            lambda logits, y, candidates: max(
                candidates, key=lambda T: float(F.cross_entropy(logits / T, y))
            ),
        ),
        Mistake(
            "softmax not shifted",
            "Right for small logits. For large ones `exp` overflows: subtract the largest logit of "
            "each row first, or work with logarithms.",
            _naive_temperature,
        ),
    ),
    verified="is the candidate with the smallest cross-entropy, on five sets of logits",
)

EXERCISES: tuple[Exercise, ...] = (
    IDX_READER,
    IDX_DIAGNOSIS,
    STANDARDISE,
    NEAREST_MEAN,
    CONFUSION,
    BALANCED,
    CALIBRATION,
    TEMPERATURE,
)
