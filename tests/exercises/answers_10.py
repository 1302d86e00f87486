"""Answers to the exercises of lesson 10."""

import struct

import numpy as np
from catalogue import right, wrong

KINDS = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


# -- 10.1


@right("10.1")
def with_struct(raw):
    content = bytes(raw)
    _, kind, rank = struct.unpack_from(">HBB", content)
    sizes = struct.unpack_from(f">{rank}I", content, 4)
    return np.frombuffer(content, KINDS[kind], offset=4 + 4 * rank).reshape(sizes)


@right("10.1")
def with_views(raw):
    rank = raw[3]
    start = 4 + 4 * int(rank)
    sizes = raw[4:start].view(">u4")
    return raw[start:].view(KINDS[raw[2]]).reshape(sizes)


@right("10.1")
def with_horner(raw):
    sizes = []
    for k in range(int(raw[3])):
        size = 0
        for byte in raw[4 + 4 * k : 8 + 4 * k].tolist():
            size = 256 * size + byte
        sizes.append(size)
    data = raw[4 + 4 * len(sizes) :].tobytes()
    return np.ndarray(sizes, KINDS[int(raw[2])], data).astype(KINDS[int(raw[2])][1:])


@wrong("10.1", "everything is uint8")
def bytes_alone(raw):
    rank = int(raw[3])
    sizes = np.frombuffer(bytes(raw[4 : 4 + 4 * rank]), dtype=">i4")
    return raw[4 + 4 * rank :].reshape(sizes)


@wrong("10.1", "little-endian")
def machine_order(raw):
    content = bytes(raw)
    sizes = np.frombuffer(content[4 : 4 + 4 * content[3]], dtype=np.uint32)
    return np.frombuffer(content[4 + 4 * content[3] :], KINDS[content[2]][1:]).reshape(sizes)


@wrong("10.1", "elements little-endian")
def sizes_alone(raw):
    content = bytes(raw)
    sizes = struct.unpack_from(f">{content[3]}I", content, 4)
    kinds = {8: np.uint8, 9: np.int8, 11: np.int16, 12: np.int32, 13: np.float32, 14: np.float64}
    return np.frombuffer(content[4 + 4 * content[3] :], kinds[content[2]]).reshape(sizes)


@wrong("10.1", says="for elements of type int8")
def no_signs(raw):
    kinds = KINDS | {9: ">u1", 11: ">u2", 12: ">u4"}
    rank = int(raw[3])
    sizes = np.frombuffer(bytes(raw[4 : 4 + 4 * rank]), ">u4")
    return np.frombuffer(bytes(raw[4 + 4 * rank :]), kinds[int(raw[2])]).reshape(sizes)


@wrong("10.1", says="OverflowError")
def bytes_times_256(raw):
    sizes = []
    for k in range(raw[3]):
        a, b, c, d = raw[4 + 4 * k : 8 + 4 * k]
        sizes.append(a * 256**3 + b * 256**2 + c * 256 + d)
    return np.frombuffer(bytes(raw[4 + 4 * raw[3] :]), KINDS[int(raw[2])]).reshape(sizes)


@wrong("10.1", says="for more than 255 items")
def shifted_bytes(raw):
    sizes = []
    for k in range(raw[3]):
        a, b, c, d = raw[4 + 4 * k : 8 + 4 * k]
        sizes.append((a << 24) | (b << 16) | (c << 8) | d)
    return np.frombuffer(bytes(raw[4 + 4 * raw[3] :]), KINDS[int(raw[2])]).reshape(sizes)


@wrong("10.1", "sixteen bytes of header")
def images_only(raw):
    sizes = [int.from_bytes(bytes(raw[4 + 4 * k : 8 + 4 * k]), "big") for k in range(int(raw[3]))]
    return np.frombuffer(bytes(raw[16:]), KINDS[int(raw[2])]).reshape(sizes)


@wrong("10.1", says="for more than 255 items")
def last_byte_of_a_size(raw):
    sizes = [int(raw[7 + 4 * k]) for k in range(int(raw[3]))]
    return np.frombuffer(bytes(raw[4 + 4 * int(raw[3]) :]), KINDS[int(raw[2])]).reshape(sizes)


@wrong("10.1", says="has shape")
def flat(raw):
    return np.frombuffer(bytes(raw[4 + 4 * int(raw[3]) :]), KINDS[int(raw[2])])


# -- 10.2

WIDTH = {8: 1, 9: 1, 11: 2, 12: 4, 13: 4, 14: 8}


@right("10.2")
def step_by_step(raw):
    if len(raw) < 4 or raw[0] or raw[1]:
        return "not IDX"
    if int(raw[2]) not in WIDTH:
        return "unknown type"
    start = 4 + 4 * int(raw[3])
    if len(raw) < start:
        return "header cut"
    promised = WIDTH[int(raw[2])]
    for k in range(4, start, 4):
        promised *= int.from_bytes(bytes(raw[k : k + 4]), "big")
    rest = len(raw) - start
    return "data cut" if rest < promised else "data left over" if rest > promised else "sound"


@right("10.2")
def by_exceptions(raw):
    content = bytes(raw)
    try:
        zero, kind, rank = struct.unpack_from(">HBB", content)
    except struct.error:
        return "not IDX"
    if zero != 0:
        return "not IDX"
    try:
        width = np.dtype(KINDS[kind]).itemsize
    except KeyError:
        return "unknown type"
    try:
        sizes = struct.unpack_from(f">{rank}I", content, 4)
    except struct.error:
        return "header cut"
    missing = width * int(np.prod([float(n) for n in sizes])) + 4 + 4 * rank - len(content)
    return ["sound", "data cut", "data left over"][int(np.sign(missing))]


@right("10.2")
def table_of_tests(raw):
    head = [int(byte) for byte in raw[:4]] + [255] * 4
    start = 4 + 4 * head[3]
    sizes = np.frombuffer(bytes(raw[4:start]).ljust(start - 4, b"\0"), ">u4").tolist()
    promised = WIDTH.get(head[2], 0)
    for n in sizes:
        promised *= n
    tests = [
        ("not IDX", len(raw) < 4 or head[:2] != [0, 0]),
        ("unknown type", head[2] not in WIDTH),
        ("header cut", len(raw) < start),
        ("data cut", len(raw) - start < promised),
        ("data left over", len(raw) - start > promised),
        ("sound", True),
    ]
    return next(word for word, holds in tests if holds)


@wrong("10.2", "one byte an element")
def as_in_mnist(raw):
    if len(raw) < 4 or raw[0] or raw[1]:
        return "not IDX"
    if int(raw[2]) not in WIDTH:
        return "unknown type"
    start = 4 + 4 * int(raw[3])
    if len(raw) < start:
        return "header cut"
    promised = np.prod([int.from_bytes(bytes(raw[k : k + 4]), "big") for k in range(4, start, 4)])
    rest = len(raw) - start
    return "data cut" if rest < promised else "data left over" if rest > promised else "sound"


@wrong("10.2", "rest not looked at")
def enough_is_enough(raw):
    found = step_by_step(raw)
    return "sound" if found == "data left over" else found


@wrong("10.2", "header not looked at")
def no_look_at_the_header(raw):
    found = step_by_step(raw)
    return "data cut" if found == "header cut" else found


@wrong("10.2", "rank wraps around")
def four_times_a_byte(raw):
    if len(raw) < 4 or raw[0] or raw[1]:
        return "not IDX"
    if raw[2] not in WIDTH:
        return "unknown type"
    start = 4 + 4 * raw[3]
    if len(raw) < start:
        return "header cut"
    promised = WIDTH[int(raw[2])]
    for k in range(4, start, 4):
        promised *= int.from_bytes(bytes(raw[k : k + 4]), "big")
    rest = len(raw) - start
    return "data cut" if rest < promised else "data left over" if rest > promised else "sound"


@wrong("10.2", "product wraps around")
def numpys_product(raw):
    content = bytes(raw)
    if len(content) < 4 or content[:2] != b"\0\0":
        return "not IDX"
    if content[2] not in WIDTH:
        return "unknown type"
    rank = content[3]
    if len(content) < 4 + 4 * rank:
        return "header cut"
    promised = WIDTH[content[2]] * np.prod(np.frombuffer(content, ">u4", rank, 4), dtype=np.int64)
    rest = len(content) - 4 - 4 * rank
    return "data cut" if rest < promised else "data left over" if rest > promised else "sound"


@wrong("10.2", says="IndexError")
def looks_before_it_counts(raw):
    if raw[0] != 0 or raw[1] != 0 or len(raw) < 4:
        return "not IDX"
    return step_by_step(raw)


@wrong("10.2", says="This file is not sound")
def one_zero_is_enough(raw):
    return step_by_step(np.append(raw[:1], np.append(np.uint8(0), raw[2:])))


@wrong("10.2", says="its third byte is one of the six types")
def only_bytes(raw):
    return "unknown type" if len(raw) > 3 and raw[2] != 8 else step_by_step(raw)


@wrong("10.2", says="A file of rank 0 is sound")
def at_least_one_size(raw):
    return "header cut" if len(raw) == 5 and not raw[3] else step_by_step(raw)


@wrong("10.2", says="how many bytes are in its header?")
def header_of_sixteen(raw):
    return "header cut" if 4 <= len(raw) < 16 and raw[2] in WIDTH else step_by_step(raw)


@wrong("10.2", says="what is wrong with it comes later")
def too_early(raw):
    return "header cut" if step_by_step(raw) == "data cut" else step_by_step(raw)


@wrong("10.2", says="yours is None (is there a `return`?)")
def prints(raw):
    step_by_step(raw)


@wrong("10.2", says="must be one of")
def word_in_a_list(raw):
    return [step_by_step(raw)]


@wrong("10.2", says="must be one of")
def own_words(raw):
    return "damaged"


@wrong("10.2", says="IndexError")
def trusts_the_first_bytes(raw):
    return "not IDX" if raw[0] or raw[1] or raw[3] > 3 else step_by_step(raw)


@wrong("10.2", says="its data are 0 bytes")
def empty_is_damage(raw):
    return "data cut" if len(raw) == 12 else step_by_step(raw)


@wrong("10.2", says="Something else comes first")
def type_first(raw):
    return "unknown type" if len(raw) < 4 else step_by_step(raw)


# -- 10.3


@right("10.3")
def with_where(X_train, X_test):
    mean, deviation = X_train.mean(axis=0), X_train.std(axis=0)
    deviation = np.where(deviation == 0, 1, deviation)
    return (X_train - mean) / deviation, (X_test - mean) / deviation


@right("10.3")
def column_by_column(X_train, X_test):
    A, B = X_train.copy(), X_test.copy()
    for j in range(A.shape[1]):
        mean, deviation = A[:, j].mean(), A[:, j].std() or 1.0
        A[:, j] = (A[:, j] - mean) / deviation
        B[:, j] = (B[:, j] - mean) / deviation
    return A, B


@right("10.3")
def by_sums(X_train, X_test):
    n = len(X_train)
    mean = X_train.sum(axis=0) / n
    scale = np.sqrt(((X_train - mean) ** 2).sum(axis=0) / n)
    scale[scale == 0] = 1
    return tuple((X - mean) / scale for X in (X_train, X_test))


@wrong("10.3", "test part standardised by itself")
def each_for_itself(X_train, X_test):
    def own(X):
        scale = X.std(axis=0)
        return (X - X.mean(axis=0)) / np.where(scale > 0, scale, 1)

    return own(X_train), own(X_test)


@wrong("10.3", "fit on everything")
def both_together(X_train, X_test):
    X = np.vstack([X_train, X_test])
    scale = np.where(X.std(axis=0) == 0, 1, X.std(axis=0))
    return (X_train - X.mean(axis=0)) / scale, (X_test - X.mean(axis=0)) / scale


@wrong("10.3", "one number for all features")
def one_mean(X_train, X_test):
    return (X_train - X_train.mean()) / X_train.std(), (X_test - X_train.mean()) / X_train.std()


@wrong("10.3", "by image")
def rows(X_train, X_test):
    return tuple((X.T - X.mean(axis=1)).T / X.std(axis=1)[:, None] for X in (X_train, X_test))


@wrong("10.3", "divided by the variance")
def variance(X_train, X_test):
    scale = X_train.var(axis=0)
    scale[scale == 0] = 1
    return (X_train - X_train.mean(axis=0)) / scale, (X_test - X_train.mean(axis=0)) / scale


@wrong("10.3", says="where a feature is the same in all training images")
def nan_where_constant(X_train, X_test):
    mean, scale = X_train.mean(axis=0), X_train.std(axis=0)
    return (X_train - mean) / scale, (X_test - mean) / scale


@wrong("10.3", says="where a feature is the same in all training images")
def no_division_by_zero(X_train, X_test):
    mean, scale = X_train.mean(axis=0), X_train.std(axis=0) + 1e-8
    return (X_train - mean) / scale, (X_test - mean) / scale


@wrong("10.3", says="where a feature is the same in all training images")
def zero_where_constant(X_train, X_test):
    mean, scale = X_train.mean(axis=0), X_train.std(axis=0)
    return tuple(np.nan_to_num((X - mean) / scale, posinf=0, neginf=0) for X in (X_train, X_test))


@wrong("10.3", "one less than n")
def as_in_statistics(X_train, X_test):
    mean, scale = X_train.mean(axis=0), X_train.std(axis=0, ddof=1)
    scale = np.where(scale > 0, scale, 1)
    return (X_train - mean) / scale, (X_test - mean) / scale


@wrong("10.3", "only centred")
def centred(X_train, X_test):
    mean = X_train.mean(axis=0)
    return X_train - mean, X_test - mean


@wrong("10.3", "test part left as it is")
def one_part_alone(X_train, X_test):
    return with_where(X_train, X_test)[0], X_test


@wrong("10.3", says="in place")
def changes_the_data(X_train, X_test):
    X_train -= X_train.mean(axis=0)
    return X_train, X_test


# -- 10.4


@right("10.4")
def all_pairs(X, means):
    return ((X[:, None, :].astype(float) - means) ** 2).sum(axis=2).argmin(axis=1)


@right("10.4")
def expanded(X, means):
    X, means = X.astype(float), means.astype(float)
    return np.argmin(-2 * X @ means.T + (means**2).sum(axis=1), axis=1)


@right("10.4")
def image_by_image(X, means):
    return np.array([np.linalg.norm(means - x.astype(float), axis=1).argmin() for x in X])


@wrong("10.4", "bytes wrap around")
def no_conversion(X, means):
    return np.array([((x - means) ** 2).sum(axis=1).argmin() for x in X])


@wrong("10.4", "the farthest")
def argmax(X, means):
    return np.linalg.norm(X[:, None].astype(float) - means[None], axis=2).argmax(axis=1)


@wrong("10.4", "the largest product")
def correlation(X, means):
    return np.array([[float(np.dot(x.astype(float), m)) for m in means] for x in X]).argmax(axis=1)


@wrong("10.4", "sums of absolute differences")
def manhattan(X, means):
    return np.array([np.abs(means - x.astype(float)).sum(axis=1).argmin() for x in X])


@wrong("10.4", "classes from 1")
def counted_from_one(X, means):
    return all_pairs(X, means) + 1


@wrong("10.4", says="where the means are bytes, too, and far away")
def sixteen_bits(X, means):
    return ((X[:, None].astype(np.int16) - means) ** 2).sum(axis=2).argmin(axis=1)


@wrong("10.4", says="where means differ by less than one")
def everything_whole(X, means):
    return ((X[:, None].astype(int) - means.astype(int)) ** 2).sum(axis=2).argmin(axis=1)


@wrong("10.4", says="is wrong: yours is 0")
def twice_a_byte(X, means):
    return ((means.astype(float) ** 2).sum(axis=1) - 2 * X @ means.T).argmin(axis=1)


@wrong("10.4", says="is a list")
def as_a_list(X, means):
    return all_pairs(X, means).tolist()


@wrong("10.4", says="has shape (2, 2), shape (2,) is asked for")
def distances(X, means):
    return np.linalg.norm(X[:, None].astype(float) - means[None], axis=2)


@wrong("10.4", says="at a tie")
def last_of_the_nearest(X, means):
    return len(means) - 1 - all_pairs(X, means[::-1])


# -- 10.5


@right("10.5")
def loop(y_true, y_pred, k):
    matrix = np.zeros((k, k), dtype=int)
    for true, answer in zip(y_true, y_pred, strict=True):
        matrix[true, answer] += 1
    return matrix


@right("10.5")
def bincount(y_true, y_pred, k):
    return np.bincount(k * y_true + y_pred, minlength=k * k).reshape(k, k)


@right("10.5")
def one_hot(y_true, y_pred, k):
    return np.eye(k, dtype=int)[y_true].T @ np.eye(k, dtype=int)[y_pred]


@wrong("10.5", "rows are answers")
def transposed(y_true, y_pred, k):
    return np.eye(k, dtype=int)[y_pred].T @ np.eye(k, dtype=int)[y_true]


@wrong("10.5", "each pair counted once")
def fancy_index(y_true, y_pred, k):
    matrix = np.zeros((k, k), dtype=int)
    matrix[y_true, y_pred] += 1
    return matrix


@wrong("10.5", "each pair counted once")
def marks(y_true, y_pred, k):
    matrix = np.zeros((k, k), dtype=int)
    for true, answer in zip(y_true, y_pred, strict=True):
        matrix[true, answer] = 1
    return matrix


@wrong("10.5", "one list for all rows")
def one_list(y_true, y_pred, k):
    matrix = [[0] * k] * k
    for true, answer in zip(y_true, y_pred, strict=True):
        matrix[true][answer] += 1
    return np.array(matrix)


@wrong("10.5", says="cannot reshape array")
def no_minlength(y_true, y_pred, k):
    return np.bincount(k * y_true + y_pred).reshape(k, k)


@wrong("10.5", says="has dtype float64, int64 is asked for")
def float_zeros(y_true, y_pred, k):
    matrix = np.zeros((k, k))
    for true, answer in zip(y_true, y_pred, strict=True):
        matrix[true, answer] += 1
    return matrix


@wrong("10.5", says="where a pair occurs 300 times")
def counts_in_bytes(y_true, y_pred, k):
    matrix = np.zeros((k, k), np.uint8)
    np.add.at(matrix, (y_true, y_pred), 1)
    return matrix


@wrong("10.5", "labels from 1")
def off_by_one(y_true, y_pred, k):
    matrix = np.zeros((k, k), dtype=int)
    np.add.at(matrix, (y_true - 1, y_pred - 1), 1)
    return matrix


@wrong("10.5", says="where a class never occurs")
def only_what_occurs(y_true, y_pred, k):
    classes = max([*y_true, *y_pred], default=k - 1) + 1
    return one_hot(y_true, y_pred, classes)


@wrong("10.5", says="has dtype float64, int64 is asked for")
def shares(y_true, y_pred, k):
    return loop(y_true, y_pred, k) / max(len(y_true), 1)


# -- 10.6


@right("10.6")
def mean_of_recalls(matrix):
    present = matrix.sum(axis=1) > 0
    return np.mean(np.diag(matrix)[present] / matrix.sum(axis=1)[present])


@right("10.6")
def nanmean(matrix):
    return float(np.nanmean(np.diag(matrix) / matrix.sum(axis=1)))


@right("10.6")
def class_by_class(matrix):
    total, classes = 0.0, 0
    for k in range(len(matrix)):
        if matrix[k].sum():
            total += matrix[k, k] / matrix[k].sum()
            classes += 1
    return total / classes


@wrong("10.6", "plain accuracy")
def accuracy(matrix):
    return sum(matrix[k, k] for k in range(len(matrix))) / matrix.sum()


@wrong("10.6", "columns for rows")
def precision(matrix):
    return np.mean(np.diag(matrix) / matrix.sum(axis=0))


@wrong("10.6", says="where a class has no image")
def divides_by_zero(matrix):
    return np.mean(np.diag(matrix) / matrix.sum(axis=1))


@wrong("10.6", says="where a class is never recognised")
def zeros_left_out(matrix):
    sums = matrix.sum(axis=1)
    recalls = [matrix[k, k] / sums[k] for k in range(len(matrix)) if matrix[k, k] > 0]
    return np.mean(recalls)


@wrong("10.6", says="where a class has no image")
def absent_class_counted(matrix):
    return np.nan_to_num(np.diag(matrix) / matrix.sum(axis=1)).mean()


@wrong("10.6", says="100 times what it should be")
def per_cent(matrix):
    return 100 * mean_of_recalls(matrix)


@wrong("10.6", says="a single number is asked for")
def all_recalls(matrix):
    return np.diag(matrix) / np.maximum(matrix.sum(axis=1), 1)


# -- 10.7


@right("10.7")
def bin_by_bin(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0
    for b in range(bins):
        inside = which == b
        if inside.any():
            gap = abs(confidence[inside].mean() - correct[inside].mean())
            error += inside.mean() * gap
    return error


@right("10.7")
def by_bincount(confidence, correct, bins):
    which = np.clip(np.floor(confidence * bins), 0, bins - 1).astype(int)
    gaps = np.bincount(which, confidence - correct, minlength=bins)
    return np.abs(gaps).sum() / len(confidence)


@right("10.7")
def by_histogram(confidence, correct, bins):
    edges = np.linspace(0, 1, bins + 1)
    promised, _ = np.histogram(confidence, edges, weights=confidence)
    kept, _ = np.histogram(confidence, edges, weights=correct.astype(float))
    return float(np.sum(np.abs(promised - kept)) / confidence.size)


@wrong("10.7", "bins count alike")
def mean_of_gaps(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    occupied = [which == b for b in range(bins) if (which == b).any()]
    return np.mean([abs(confidence[b].mean() - correct[b].mean()) for b in occupied])


@wrong("10.7", "bins count alike, empty ones too")
def divided_by_bins(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        if np.any(which == b):
            error += abs(confidence[which == b].mean() - correct[which == b].mean())
    return error / bins


@wrong("10.7", "signs cancel")
def abs_forgotten(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return np.bincount(which, confidence - correct).sum() / len(confidence)


@wrong("10.7", "signs cancel, right minus promised")
def abs_forgotten_again(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    return np.bincount(which, correct - confidence.astype(float)).sum() / len(confidence)


@wrong("10.7", "middle of the bin")
def middles(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = which == b
        if inside.any():
            error += inside.mean() * abs((b + 0.5) / bins - correct[inside].mean())
    return error


@wrong("10.7", says="Right everywhere but at a confidence of 1")
def bin_of_its_own(confidence, correct, bins):
    which = (confidence * bins).astype(int)
    return np.abs(np.bincount(which, confidence - correct)).sum() / len(confidence)


@wrong("10.7", says="Right everywhere but on the edge of two bins")
def upper_edge_included(confidence, correct, bins):
    error = 0.0
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    return error


@wrong("10.7", "one bin for all")
def gap_of_the_means(confidence, correct, bins):
    return abs(np.mean(correct) - np.mean(confidence))


@wrong("10.7", "prediction by prediction")
def absolute_difference(confidence, correct, bins):
    return np.mean(np.abs(confidence - correct))


@wrong("10.7", says="Right everywhere but at a confidence of 1")
def one_falls_out(confidence, correct, bins):
    error = 0.0
    for b in range(bins):
        inside = (confidence >= b / bins) & (confidence < (b + 1) / bins)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - correct[inside].mean())
    return error


@wrong("10.7", says="not a number")
def empty_bins(confidence, correct, bins):
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    parts = [which == b for b in range(bins)]
    return sum(p.mean() * abs(np.mean(confidence[p]) - np.mean(correct[p])) for p in parts)


# -- 10.8


@right("10.8")
def shifted(logits, y, candidates):
    losses = []
    for T in candidates:
        z = logits / T
        z = z - z.max(axis=1, keepdims=True)
        losses.append(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]))
    return candidates[np.argmin(losses)]


@right("10.8")
def by_logaddexp(logits, y, candidates):
    def loss(T):
        z = logits / T
        return sum(np.logaddexp.reduce(row) - row[k] for row, k in zip(z, y, strict=True))

    return min(candidates, key=loss)


@right("10.8")
def by_differences(logits, y, candidates):
    margins = logits - logits[np.arange(len(y)), y][:, None]
    best, smallest = None, np.inf
    for T in candidates:
        loss = np.logaddexp.reduce(margins / T, axis=1).mean()
        if loss < smallest:
            best, smallest = T, loss
    return best


@wrong("10.8", "multiplied")
def times(logits, y, candidates):
    return min(candidates, key=lambda T: by_logaddexp_loss(logits * T, y))


def by_logaddexp_loss(z, y):
    return np.mean(np.logaddexp.reduce(z, axis=1) - z[np.arange(len(y)), y])


@wrong("10.8", "softmax not shifted")
def naive(logits, y, candidates):
    losses = []
    for T in candidates:
        p = np.exp(logits / T) / np.exp(logits / T).sum(axis=1, keepdims=True)
        losses.append(-np.log(p[np.arange(len(y)), y]).mean())
    return candidates[np.argmin(losses)]


@wrong("10.8", says="is not right")
def by_accuracy(logits, y, candidates):
    return max(candidates, key=lambda T: np.mean((logits / T).argmax(axis=1) == y))


@wrong("10.8", "place in the list")
def position(logits, y, candidates):
    return int(np.argmin([by_logaddexp_loss(logits / T, y) for T in candidates]))


@wrong("10.8", "the loss itself")
def smallest_loss(logits, y, candidates):
    return min(by_logaddexp_loss(logits / T, y) for T in candidates)


@wrong("10.8", "softmax not shifted")
def shifted_by_one_number(logits, y, candidates):
    def loss(T):
        p = np.exp(logits / T - (logits / T).max())
        return -np.log((p / p.sum(axis=1, keepdims=True))[np.arange(len(y)), y]).mean()

    return candidates[np.argmin([loss(T) for T in candidates])]


@wrong("10.8", "the largest loss")
def largest_loss(logits, y, candidates):
    return max(candidates, key=lambda T: by_logaddexp_loss(logits / T, y))
