"""Answers to the exercises of lesson 04."""

import itertools

import numpy as np
from catalogue import right, wrong

import minimlcourse.functional as F
from minimlcourse.autodiff import Tensor, grad

right("04.1", "6*x**5 + 3*x**2", "x*x*(6*x*x*x + 3)", "2*x*(3*x**4 + x) + x**2")
wrong("04.1", "one path of two", "4*x**5 + x**2")
wrong("04.1", "`v` sends nothing to `u`", "2*x**5 + 3*x**2")
wrong("04.1", "`v` sends nothing to `x`", "6*x**5 + 2*x**2")
wrong("04.1", "square of u counted once", "4*x**5 + 3*x**2")
wrong("04.1", "square counted once", "3*x**5 + 2*x**2")
wrong("04.1", "", "x**6 + x**3", says="another function")
wrong("04.1", "", "-6*x**5 - 3*x**2", says="The sign is wrong")


# -- 04.2


def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


@right("04.2")
def two_helpers(g, x, y):
    return unbroadcast(g * y, x.shape), unbroadcast(g * x, y.shape)


@right("04.2")
def by_reshape(g, x, y):
    def back(a, like):
        padded = (1,) * (a.ndim - like.ndim) + like.shape
        axes = tuple(i for i, (m, n) in enumerate(zip(a.shape, padded, strict=True)) if m != n)
        return a.sum(axis=axes).reshape(like.shape)

    return back(g * y, x), back(g * x, y)


@right("04.2")
def entry_by_entry(g, x, y):
    gx, gy = np.zeros(x.shape), np.zeros(y.shape)
    where_x = np.broadcast_to(np.arange(x.size).reshape(x.shape), g.shape)
    where_y = np.broadcast_to(np.arange(y.size).reshape(y.shape), g.shape)
    for i in np.ndindex(g.shape):
        gx.flat[where_x[i]] += g[i] * y.flat[where_y[i]]
        gy.flat[where_y[i]] += g[i] * x.flat[where_x[i]]
    return gx, gy


@wrong("04.2", "factors exchanged")
def swapped(g, x, y):
    return unbroadcast(g * x, x.shape), unbroadcast(g * y, y.shape)


@wrong("04.2", says="not where a row is repeated: part 2 of your answer has shape (2, 3)")
def not_undone(g, x, y):
    return g * y, g * x


@wrong("04.2", says="where a column is repeated")
def length_one_forgotten(g, x, y):
    def back(a, shape):
        while a.ndim > len(shape):
            a = a.sum(axis=0)
        return a

    return back(g * y, x.shape), back(g * x, y.shape)


@wrong("04.2", "factor forgotten")
def like_a_sum(g, x, y):
    return unbroadcast(g, x.shape), unbroadcast(g, y.shape)


@wrong("04.2", "mean over the copies")
def averaged(g, x, y):
    def back(a, shape):
        while a.ndim > len(shape):
            a = a.mean(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                a = a.mean(axis=axis, keepdims=True)
        return a

    return back(g * y, x.shape), back(g * x, y.shape)


@wrong("04.2", says="where a column is repeated: part 2 of your answer has shape (2,)")
def keepdims_forgotten(g, x, y):
    def back(a, shape):
        while a.ndim > len(shape):
            a = a.sum(axis=0)
        for axis, length in enumerate(shape):
            if length == 1:
                a = a.sum(axis=axis)
        return a

    return back(g * y, x.shape), back(g * x, y.shape)


@wrong("04.2", says="In part 2, the sign is wrong")
def like_a_difference(g, x, y):
    return unbroadcast(g * y, x.shape), -unbroadcast(g * x, y.shape)


# -- 04.3


@right("04.3")
def by_shapes(g, A, B):
    return g @ B.T, A.T @ g


@right("04.3")
def by_einsum(g, A, B):
    return np.einsum("nk,dk->nd", g, B), np.einsum("nd,nk->dk", A, g)


@right("04.3")
def by_loops(g, A, B):
    gA, gB = np.zeros_like(A), np.zeros_like(B)
    for i, j, k in itertools.product(range(len(A)), range(len(B)), range(B.shape[1])):
        gA[i, j] += g[i, k] * B[j, k]
        gB[j, k] += A[i, j] * g[i, k]
    return gA, gB


@wrong("04.3", "a transpose missing")
def no_transpose(g, A, B):
    return g @ B, A @ g


@wrong("04.3", "sides exchanged")
def other_sides(g, A, B):
    return np.dot(B.T, g), np.dot(g, A.T)


@wrong("04.3", "results exchanged")
def other_order(g, A, B):
    gA = g @ B.T
    gB = A.T @ g
    return gB, gA


@wrong("04.3", says="is a Tensor")
def through_the_engine_by_halves(g, A, B):
    A, B = Tensor(A), Tensor(B)
    return A @ B, B


@wrong("04.3", says="2 results, `return a, b`, are asked for")
def only_one(g, A, B):
    return g @ B.T


# -- 04.4


@right("04.4")
def depth_first_with_a_stack(inputs, root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((i, False) for i in inputs[node])
    return order[::-1]


@right("04.4")
def count_the_users(inputs, root):
    needed, stack = {root}, [root]
    while stack:
        for i in inputs[stack.pop()]:
            if i not in needed:
                needed.add(i)
                stack.append(i)
    users = {node: 0 for node in needed}
    for node in needed:
        for i in inputs[node]:
            users[i] += 1
    ready, order = [root], []
    while ready:
        node = ready.pop(0)
        order.append(node)
        for i in inputs[node]:
            users[i] -= 1
            if users[i] == 0:
                ready.append(i)
    return order


@right("04.4")
def by_longest_distance(inputs, root):
    distance, changed = {root: 0}, [root]
    while changed:
        node = changed.pop()
        for i in inputs[node]:
            if distance.get(i, -1) < distance[node] + 1:
                distance[i] = distance[node] + 1
                changed.append(i)
    return tuple(sorted(distance, key=distance.get))


@wrong("04.4", "not topological")
def breadth_first(inputs, root):
    order = [root]
    for node in order:
        order.extend(dict.fromkeys(i for i in inputs[node] if i not in order))
    return order


@wrong("04.4", "visited twice")
def without_memory(inputs, root):
    order, waiting = [], [root]
    while waiting and len(order) < 100:
        node = waiting.pop(0)
        order.append(node)
        waiting.extend(inputs[node])
    return order


@wrong("04.4", "nodes beside")
def by_number(inputs, root):
    return list(range(root, -1, -1))


@wrong("04.4", "forward order")
def inputs_first(inputs, root):
    return depth_first_with_a_stack(inputs, root)[::-1]


@wrong("04.4", "waits for nodes beside")
def counts_all_users(inputs, root):
    users = [0] * len(inputs)
    for arrows in inputs:
        for i in arrows:
            users[i] += 1
    ready, order = [root], []
    while ready:
        node = ready.pop()
        order.append(node)
        for i in inputs[node]:
            users[i] -= 1
            if not users[i]:
                ready.append(i)
    return order


@wrong("04.4", "not topological")
def counts_each_user_once(inputs, root):
    needed = set(depth_first_with_a_stack(inputs, root))
    users = {i: sum(i in inputs[node] for node in needed) for i in needed}
    ready, order = [root], []
    while ready:
        node = ready.pop()
        order.append(node)
        for i in inputs[node]:
            users[i] -= 1
            if users[i] == 0:
                ready.append(i)
    return order


@wrong("04.4", "not topological")
def by_number_again(inputs, root):
    return sorted(depth_first_with_a_stack(inputs, root), reverse=True)


@wrong("04.4", says="A node is a whole number")
def inputs_for_nodes(inputs, root):
    return [inputs[node] for node in depth_first_with_a_stack(inputs, root)]


@wrong("04.4", says="A node is a whole number")
def floats(inputs, root):
    return [float(node) for node in depth_first_with_a_stack(inputs, root)]


@wrong("04.4", says="None (is there a `return`?)")
def forgets_to_return(inputs, root):
    depth_first_with_a_stack(inputs, root)


@wrong("04.4", says="In a chain of 20,001 nodes")
def gives_up(inputs, root):
    return depth_first_with_a_stack(inputs, root)[:1000]


@wrong("04.4", says="RecursionError")
def recursive(inputs, root):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for i in inputs[node]:
                visit(i)
            order.append(node)

    visit(root)
    return order[::-1]


@wrong("04.4", says="is missing")
def root_alone(inputs, root):
    return [root]


# -- 04.5


@right("04.5")
def youngest_first(inputs, slopes):
    adjoints = [0.0] * len(inputs)
    adjoints[-1] = 1.0
    for node in reversed(range(len(inputs))):
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            adjoints[i] += slope * adjoints[node]
    return adjoints


@right("04.5")
def ask_the_successors(inputs, slopes):
    n = len(inputs)
    adjoints = [0.0] * (n - 1) + [1.0]
    for v in range(n - 2, -1, -1):
        for w in range(v + 1, n):
            if v in inputs[w]:
                arrows = zip(inputs[w], slopes[w], strict=True)
                adjoints[v] += sum(s * adjoints[w] for i, s in arrows if i == v)
    return adjoints


@right("04.5")
def as_a_linear_system(inputs, slopes):
    n = len(inputs)
    M = np.zeros((n, n))
    for w in range(n):
        for i, s in zip(inputs[w], slopes[w], strict=True):
            M[i, w] += s
    return np.linalg.solve(np.eye(n) - M, np.eye(n)[-1]).tolist()


@wrong("04.5", "overwritten")
def equals_sign(inputs, slopes):
    adjoints = [0.0] * (len(inputs) - 1) + [1.0]
    for node in range(len(inputs) - 1, -1, -1):
        for k in range(len(inputs[node])):
            adjoints[inputs[node][k]] = slopes[node][k] * adjoints[node]
    return adjoints


@wrong("04.5", "slopes without the adjoint")
def local_slopes(inputs, slopes):
    adjoints = [0.0] * (len(inputs) - 1) + [1.0]
    for node, arrows in enumerate(inputs):
        for i, slope in zip(arrows, slopes[node], strict=True):
            adjoints[i] += slope
    return adjoints


@wrong("04.5", "from the first node on")
def upwards(inputs, slopes):
    adjoints = [0.0] * (len(inputs) - 1) + [1.0]
    for node in range(len(inputs)):
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            adjoints[i] += slope * adjoints[node]
    return adjoints


@wrong("04.5", says="zero everywhere")
def no_seed(inputs, slopes):
    return [0.0 for _ in inputs]


@wrong("04.5", says="is not right")
def ones_to_begin_with(inputs, slopes):
    adjoints = [1.0] * len(inputs)
    for node in reversed(range(len(inputs))):
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            adjoints[i] += slope * adjoints[node]
    return adjoints


@wrong("04.5", says="RecursionError")
def along_every_path(inputs, slopes):
    adjoints = [0.0] * len(inputs)

    def visit(node, arrived):
        adjoints[node] += arrived
        for i, slope in zip(inputs[node], slopes[node], strict=True):
            visit(i, slope * arrived)

    visit(len(inputs) - 1, 1.0)
    return adjoints


@wrong("04.5", says="is an array")
def as_an_array(inputs, slopes):
    return np.array(youngest_first(inputs, slopes))


# -- 04.6


@right("04.6")
def without_the_matrix(g, s):
    return s * (g - np.dot(g, s))


@right("04.6")
def with_the_matrix(g, s):
    return (np.diag(s) - np.outer(s, s)) @ g


@right("04.6")
def component_by_component(g, s):
    out = []
    for j in range(len(s)):
        out.append(sum(g[i] * s[i] * ((i == j) - s[j]) for i in range(len(s))))
    return np.array(out)


@wrong("04.6", "diagonal only")
def like_a_sigmoid(g, s):
    return g * (s - s**2)


@wrong("04.6", "derivative of the sum lost")
def numerator_alone(g, s):
    return s * g


@wrong("04.6", says="sign is wrong")
def other_sign(g, s):
    return (np.outer(s, s) - np.diag(s)) @ g


@wrong("04.6", says="shape (3, 3), shape (3,) is asked for")
def the_jacobian(g, s):
    return np.diag(s) - np.outer(s, s)


@wrong("04.6", says="entries are wrong")
def softmax_again(g, s):
    s = F.softmax(s)
    return s * (g - g @ s)


# -- 04.7


@right("04.7")
def with_a_copy(f, x, h):
    out = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[i] += h
        behind[i] -= h
        out[i] = (f(ahead) - f(behind)) / (2 * h)
    return out


@right("04.7")
def with_unit_vectors(f, x, h):
    units = np.eye(x.size).reshape(x.size, *x.shape)
    slopes = [(f(x + h * e) - f(x - h * e)) / h / 2 for e in units]
    return np.reshape(slopes, x.shape)


@right("04.7")
def there_and_back(f, x, h):
    x = x.copy()
    out = np.empty(x.size)
    flat = x.reshape(-1)
    for i in range(x.size):
        kept = flat[i]
        flat[i] = kept + h
        ahead = f(x)
        flat[i] = kept - h
        out[i] = (ahead - f(x)) / (2 * h)
        flat[i] = kept
    return out.reshape(x.shape)


@wrong("04.7", "one-sided")
def forward_difference(f, x, h):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] += h
        out[i] = (f(moved) - f(x)) / h
    return out


@wrong("04.7", "one-sided, to the left")
def backward_difference(f, x, h):
    units = np.eye(x.size).reshape(x.size, *x.shape)
    return np.reshape([(f(x) - f(x - h * e)) / h for e in units], x.shape)


@wrong("04.7", "a step of one's own")
def own_step(f, x, h):
    return with_a_copy(f, x, 1e-6)


@wrong("04.7", "a step of one's own")
def by_the_engine(f, x, h):
    return grad(f)(x)


@wrong("04.7", says="for a large step")
def half_a_step(f, x, h):
    return with_a_copy(f, x, h / 2)


@wrong("04.7", says="zero everywhere")
def two_names_for_one_array(f, x, h):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        ahead = behind = x.copy()
        ahead[i] += h
        behind[i] -= h
        out[i] = (f(ahead) - f(behind)) / (2 * h)
    return out


@wrong("04.7", "all entries at once")
def moves_everything(f, x, h):
    return np.ones(x.shape) * (f(x + h) - f(x - h)) / (2 * h)


@wrong("04.7", "divided by h")
def half_the_distance(f, x, h):
    return 2 * with_a_copy(f, x, h)


@wrong("04.7", says="changes its argument number 2 in place")
def in_place(f, x, h):
    out = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        ahead = f(x)
        x[i] -= 2 * h
        out[i] = (ahead - f(x)) / (2 * h)
    return out


@wrong("04.7", says="where x is a matrix")
def vectors_alone(f, x, h):
    x = x.copy()
    out = np.zeros(x.shape)
    for i in range(len(x)):
        e = np.zeros(x.shape)
        e[i] = h
        out[i] = (f(x + e) - f(x - e)) / (2 * h)
    return out


# -- 04.8


@right("04.8")
def quotient_rule(a, b):
    return a[0] / b[0], (a[1] * b[0] - a[0] * b[1]) / b[0] ** 2


@right("04.8")
def through_the_value(a, b):
    q = a[0] / b[0]
    return q, (a[1] - q * b[1]) / b[0]


@right("04.8")
def as_a_product(a, b):
    inverse, slope = 1 / b[0], -b[1] / b[0] ** 2
    return [a[0] * inverse, a[1] * inverse + a[0] * slope]


@right("04.8")
def pair_as_an_array(a, b):
    return np.array([a[0] / b[0], (a[1] * b[0] - a[0] * b[1]) / b[0] ** 2])


@wrong("04.8", "quotient of derivatives")
def part_by_part(a, b):
    return a[0] / b[0], a[1] / b[1]


@wrong("04.8", "plus for minus")
def like_a_product(a, b):
    return a[0] / b[0], (a[1] * b[0] + a[0] * b[1]) / b[0] ** 2


@wrong("04.8", "denominator")
def numerator_of_the_rule(a, b):
    return a[0] / b[0], a[1] * b[0] - a[0] * b[1]


@wrong("04.8", "denominator")
def not_squared(a, b):
    return a[0] / b[0], (a[1] * b[0] - a[0] * b[1]) / b[0]


@wrong("04.8", "b stands still")
def as_if_b_were_constant(a, b):
    return a[0] / b[0], a[1] / b[0]


@wrong("04.8", "sign")
def the_other_way_round(a, b):
    (u, du), (v, dv) = a, b
    return u / v, (u * dv - du * v) / v**2


@wrong("04.8", says="A pair of two numbers")
def texts(a, b):
    return "quotient", None


@wrong("04.8", says="A pair")
def value_alone(a, b):
    return a[0] / b[0]


@wrong("04.8", says="The value, the first of the two")
def product(a, b):
    return a[0] * b[0], a[1] * b[0] + a[0] * b[1]
