"""The classroom: what a drawing becomes, what figures show, what a page without them says."""

import io
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("matplotlib")
pytest.importorskip("anywidget")

import matplotlib

matplotlib.use("agg")

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot as plt
from matplotlib.image import imread

import minimlcourse.functional as F
from minimlcourse import nn, optim
from minimlcourse.classroom import (
    COLORS,
    PAPER,
    PEN,
    DigitCanvas,
    LiveCurve,
    digit_grid,
    learning_curves,
    mnist_style,
    rasterise,
    readings,
    show,
    use_style,
)
from minimlcourse.classroom.digit_canvas import pack_strokes, unpack_strokes
from minimlcourse.classroom.style import picture
from minimlcourse.datasets import load_mnist
from minimlcourse.training import History, fit

STROKE_1 = [[(140, 40), (140, 240)]]
TURN = np.linspace(0, 2 * np.pi, 50)
STROKE_0 = [np.column_stack([140 + 60 * np.cos(TURN), 140 + 95 * np.sin(TURN)])]


# ---- mnist_style


def centre_of_mass(image):
    return [float((image.sum(axis=1 - k) @ np.arange(28)) / image.sum()) for k in (0, 1)]


def test_mnist_digits_are_fixed_points():
    """What MNIST's authors did to a digit leaves a digit of MNIST as it is, to the bit."""
    X, _ = load_mnist("test", dtype=np.float32, flat=False)
    changed = [i for i, digit in enumerate(X) if not np.array_equal(mnist_style(digit), digit)]
    # In these three the longer side is 19 pixels: some of the original's ink was too pale to store.
    assert changed == [4530, 9300, 9302]
    for i in changed:
        rows, columns = X[i].any(axis=1).nonzero()[0], X[i].any(axis=0).nonzero()[0]
        assert max(np.ptp(rows), np.ptp(columns)) == 18


@pytest.mark.parametrize("shape", [(28, 28), (1, 1), (300, 20), (5, 400), (0, 0), (0, 7)])
def test_an_empty_drawing_stays_empty(shape):
    digit = mnist_style(np.zeros(shape))
    assert digit.shape == (28, 28)
    assert digit.dtype == np.float32
    assert not digit.any()


def test_one_pixel_becomes_a_full_box():
    paper = np.zeros((100, 100))
    paper[3, 97] = 0.5
    expected = np.zeros((28, 28), dtype=np.float32)
    expected[4:24, 4:24] = 0.5
    np.testing.assert_allclose(mnist_style(paper), expected, rtol=1e-6)


def test_a_line_of_one_pixel_width_survives():
    paper = np.zeros((1000, 1000))
    paper[:, 500] = 1.0
    digit = mnist_style(paper)
    assert digit.sum() == pytest.approx(20)
    assert centre_of_mass(digit) == pytest.approx([13.5, 14])


def test_ink_is_kept_by_area():
    """An image 10 times too large: each pixel is the mean of a hundred."""
    rng = np.random.default_rng(0)
    small = rng.random((20, 14)).astype(np.float32)
    large = np.kron(small, np.ones((10, 10)))
    digit = mnist_style(large)
    assert digit.sum() == pytest.approx(small.sum(), rel=1e-5)
    rows, columns = digit.any(axis=1).nonzero()[0], digit.any(axis=0).nonzero()[0]
    inside = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_allclose(inside, small, rtol=1e-5)


@given(dx=st.integers(0, 60), dy=st.integers(0, 40), seed=st.integers(0, 100))
def test_the_place_of_a_drawing_does_not_matter(dx, dy, seed):
    drawing = np.random.default_rng(seed).random((37, 23))
    paper = np.zeros((80, 90))
    paper[dy : dy + 37, dx : dx + 23] = drawing
    np.testing.assert_array_equal(mnist_style(paper), mnist_style(drawing))


@given(
    height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 100), k=st.floats(0, 6)
)
def test_the_box_and_the_centre(height, width, seed, k):
    """Longer side 20, proportions kept, values in [0, 1], centre in pixel (14, 14) if it fits."""
    ink = np.random.default_rng(seed).random((height, width)) ** k
    ink[0, 0] = ink[-1, -1] = 1.0
    digit = mnist_style(ink)
    assert digit.min() >= 0 and digit.max() <= 1
    rows, columns = digit.any(axis=1).nonzero()[0], digit.any(axis=0).nonzero()[0]
    sides = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert max(sides) == 20
    assert min(sides) == pytest.approx(
        max(1, 20 * min(height, width) / max(height, width)), abs=0.5
    )
    for centre, pixels in zip(centre_of_mass(digit), (rows, columns), strict=True):
        assert abs(centre - 14) <= 0.5 + 1e-5 or pixels[0] == 0 or pixels[-1] == 27


def test_lopsided_ink_is_kept_before_it_is_centred():
    paper = np.zeros((200, 200))
    paper[:60, :] = 1.0  # the mass is at the top,
    paper[:, :2] = 0.05  # a faint tail reaches down
    digit = mnist_style(paper)
    rows = digit.any(axis=1).nonzero()[0]
    assert np.ptp(rows) + 1 == 20
    assert rows[-1] == 27


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(784), r"shape \(784,\), expected \(height, width\)"),
        (np.full((28, 28), 255), "values from 255 to 255, expected 0 to 1"),
        (np.full((28, 28), -0.1), "values from -0.1"),
        (np.full((28, 28), np.nan), "values from nan"),
    ],
)
def test_mnist_style_refuses(image, message):
    with pytest.raises(ValueError, match=message):
        mnist_style(image)


# ---- rasterise


def test_a_dot_is_a_disc_of_the_pen():
    image = rasterise([[(PAPER / 2, PAPER / 2)]], side=280)
    assert image.sum() == pytest.approx(np.pi * (PEN / 2) ** 2, rel=1e-3)
    np.testing.assert_array_equal(image, image.T)
    np.testing.assert_array_equal(image, image[::-1])


def test_a_stroke_has_the_area_of_its_capsule():
    image = rasterise([[(60, 80), (200, 190)]], side=280)
    length = np.hypot(140, 110)
    assert image.sum() == pytest.approx(length * PEN + np.pi * (PEN / 2) ** 2, rel=1e-2)


@given(
    points=st.lists(st.tuples(st.floats(-500, 800), st.floats(-500, 800)), min_size=1, max_size=6),
    side=st.sampled_from([1, 28, 140]),
)
def test_the_windows_hide_nothing(points, side):
    """Painting only near the pen equals the distance to every segment, at every pixel."""
    image = rasterise([points], side=side)
    path = np.array(points, dtype=float) * side / PAPER - 0.5
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).astype(float)
    nearest = np.full((side, side), np.inf)
    for a, b in zip(path, path[1:] if len(path) > 1 else path, strict=False):
        length2 = ((b - a) ** 2).sum()
        t = np.clip(((grid - a) @ (b - a)) / length2, 0, 1)[..., None] if length2 > 0 else 0.0
        nearest = np.minimum(nearest, np.linalg.norm(grid - a - t * (b - a), axis=-1))
    expected = np.clip(PEN / 2 * side / PAPER + 0.5 - nearest, 0, 1)
    np.testing.assert_allclose(image, expected, atol=1e-5)


def test_no_stroke_no_ink():
    assert not rasterise([]).any()


def test_crossing_strokes_do_not_add_up():
    image = rasterise([[(20, 140), (260, 140)], [(140, 20), (140, 260)]])
    assert image.max() == 1.0


@pytest.mark.parametrize(
    ("strokes", "message"),
    [
        ([[]], r"strokes\[0\] has shape \(0,\)"),
        ([[(1, 2)], [(1, 2, 3)]], r"strokes\[1\] has shape \(1, 3\)"),
        ([[(1, np.inf)]], "not finite"),
    ],
)
def test_rasterise_refuses(strokes, message):
    with pytest.raises(ValueError, match=message):
        rasterise(strokes)


# ---- DigitCanvas: the browser's part is played by set_state, which is what a message calls


def says_three(pixels):
    assert pixels.shape == (1, 784) and pixels.dtype == np.float32
    return np.eye(10)[3]


def draw(canvas, strokes):
    canvas.set_state({"strokes": memoryview(pack_strokes(strokes))})


def test_a_drawing_is_answered():
    canvas = DigitCanvas(says_three)
    assert (canvas.answers, canvas.probabilities, canvas.error) == (0, b"", "")
    draw(canvas, STROKE_0)
    assert canvas.answers == 1
    np.testing.assert_array_equal(np.frombuffer(canvas.probabilities, "<f4"), np.eye(10)[3])
    seen = np.frombuffer(canvas.pixels, "<f4").reshape(28, 28)
    np.testing.assert_allclose(seen, mnist_style(rasterise(STROKE_0)), atol=1e-5)


def test_an_example_is_answered_at_once():
    canvas = DigitCanvas(says_three, STROKE_1)
    assert canvas.answers == 1
    assert np.frombuffer(canvas.pixels, "<f4").any()


def test_equal_answers_are_both_counted():
    canvas = DigitCanvas(says_three)
    draw(canvas, STROKE_0)
    draw(canvas, STROKE_1)
    assert canvas.answers == 2


def test_clearing_the_paper_takes_the_answer_away():
    canvas = DigitCanvas(says_three, STROKE_1)
    draw(canvas, [])
    assert canvas.probabilities == b""
    assert not np.frombuffer(canvas.pixels, "<f4").any()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda x: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda x: np.ones(9) / 9, r"shape (9,), expected (10,) or (1, 10)"),
        (lambda x: np.arange(10.0), "is a softmax missing?"),
        (lambda x: np.full(10, np.nan), "no probabilities"),
        (lambda x: np.array([1.5, -0.5, *[0.0] * 8]), "from -0.5 to 1.5"),
    ],
)
def test_what_fails_is_said_on_the_page(answer, message):
    canvas = DigitCanvas(answer)
    draw(canvas, STROKE_0)
    assert message in canvas.error
    assert canvas.probabilities == b""
    assert np.frombuffer(canvas.pixels, "<f4").any()  # what the network saw is shown all the same


def test_an_error_goes_away_with_the_next_drawing():
    answers = iter([np.arange(10.0), np.full((1, 10), 0.1)])
    canvas = DigitCanvas(lambda pixels: next(answers))
    draw(canvas, STROKE_0)
    assert canvas.error
    draw(canvas, STROKE_1)
    assert not canvas.error
    assert len(canvas.probabilities) == 40


def test_a_damaged_message_is_said_on_the_page():
    canvas = DigitCanvas(says_three)
    canvas.set_state({"strokes": memoryview(b"12345")})
    assert canvas.error.startswith("ValueError")


@given(
    st.lists(
        st.lists(
            st.tuples(st.floats(-1e4, 1e4, width=32), st.floats(-1e4, 1e4, width=32)), min_size=1
        )
    )
)
def test_strokes_travel_unchanged(strokes):
    arrived = unpack_strokes(pack_strokes(strokes))
    assert [stroke.tolist() for stroke in arrived] == [list(map(list, s)) for s in strokes]


def test_a_page_that_does_not_run_says_so():
    """The stored output is this text: it must be the same on every run."""
    assert repr(DigitCanvas(says_three)) == "Paper to draw a digit on: run this cell in JupyterLab."


# ---- figures


def history(epochs, n_metrics, validation=True, level=1.0):
    losses = [level / (epoch + 1) for epoch in range(epochs)]
    return History(
        train_loss=losses,
        val_loss=[2 * value for value in losses] if validation else [],
        metrics={f"m{k}": [0.5] * epochs for k in range(n_metrics)},
    )


def drawn(figure):
    """The picture of a figure, drawn with every warning an error."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(buffer, dpi=50)
    buffer.seek(0)
    return imread(buffer)


@pytest.mark.parametrize("epochs", [0, 1, 30])
@pytest.mark.parametrize("n_metrics", [0, 2])
@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("level", [1e-9, 1.0, -1.0, 0.0])
def test_learning_curves_over_a_grid(epochs, n_metrics, validation, level):
    run = history(epochs, n_metrics, validation, level)
    with plt.rc_context():
        use_style()
        figure = learning_curves(run, max(epochs, 1), title="It learns")
        assert drawn(figure).std() > 0
    assert len(figure.axes) == 1 + n_metrics
    loss = figure.axes[0]
    assert len(loss.lines) == (0 if epochs == 0 else 1 + validation)
    assert loss.get_yscale() == ("log" if level > 0 and epochs else "linear")
    if epochs:
        low, high = loss.get_ylim()
        assert sum(low <= tick <= high for tick in loss.get_yticks()) >= 2


def test_training_loss_is_drawn_at_the_middle_of_its_epoch():
    figure = learning_curves(history(3, 1), 3)
    training, validation = figure.axes[0].lines
    assert list(training.get_xdata()) == [0.5, 1.5, 2.5]
    assert list(validation.get_xdata()) == [1, 2, 3]
    assert training.get_color() == COLORS["blue"]


def test_learning_curves_refuse_no_epoch():
    with pytest.raises(ValueError, match="epochs is 0"):
        learning_curves(History(), 0)


@pytest.mark.parametrize("n", [1, 4, 5, 11])
@pytest.mark.parametrize("columns", [1, 5, 20])
@pytest.mark.parametrize("shape", [(784,), (28, 28)])
def test_digit_grid_over_a_grid(n, columns, shape):
    images = np.linspace(0, 1, n * 784).reshape(n, *shape)
    figure = digit_grid(images, [f"digit {i}" for i in range(n)], columns=columns, title="Digits")
    assert drawn(figure).std() > 0
    assert [axes.get_title() for axes in figure.axes if axes.images] == [
        f"digit {i}" for i in range(n)
    ]
    # One scale for all: the palest digit looks pale.
    assert {image.get_clim() for axes in figure.axes for image in axes.images} == {(0, 1)}


@pytest.mark.parametrize(
    ("shape", "n_captions", "message"),
    [
        ((2, 783), 2, r"shape \(2, 783\)"),
        ((0, 784), 0, r"shape \(0, 784\)"),
        ((2, 784), 3, "2 images have 3 captions"),
    ],
)
def test_digit_grid_refuses(shape, n_captions, message):
    with pytest.raises(ValueError, match=message):
        digit_grid(np.zeros(shape), [""] * n_captions)


@pytest.mark.parametrize("drawings", [[STROKE_0], [STROKE_0, STROKE_1], [[], STROKE_0, STROKE_1]])
@pytest.mark.parametrize("answer", [np.eye(10)[3], np.full((1, 10), 0.1)])
def test_readings_over_a_grid(drawings, answer):
    figure = readings(drawings, lambda pixels: answer, title="How drawings are read")
    assert drawn(figure).std() > 0
    assert len(figure.axes) == 3 * len(drawings)
    for bars in figure.axes[2::3]:
        assert [bar.get_height() for bar in bars.patches] == list(np.ravel(answer))


# ---- what a notebook stores


@pytest.fixture
def notebook():
    """Stands in for the page: its ``outputs`` are what was displayed on it."""
    InteractiveShell.instance()
    with capture_output() as captured:
        yield captured
    InteractiveShell.clear_instance()


def test_a_picture_has_its_size_and_its_words():
    figure = plt.figure(figsize=(5, 3))
    data, metadata = picture(figure, "A blank page.")
    plt.close(figure)
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "A blank page."
    assert metadata == {"image/png": {"alt": "A blank page.", "width": 480, "height": 288}}


def test_a_picture_is_the_same_twice():
    one, two = (picture(learning_curves(history(3, 1), 3), "Curves.") for _ in range(2))
    assert one == two


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_a_figure_without_words_is_refused(alt):
    figure = plt.figure()
    with pytest.raises(ValueError, match="expected a description of the figure in words"):
        show(figure, alt)
    plt.close(figure)


def test_show_says_what_it_shows_and_closes_it(notebook):
    figure = plt.figure()
    show(figure, 'Two lines, one "bent" & one < straight.')
    assert not plt.fignum_exists(figure.number)
    image, words = notebook.outputs
    assert image.metadata["image/png"]["alt"] == 'Two lines, one "bent" & one < straight.'
    html = words.data["text/html"]
    assert "Figure: Two lines, one &quot;bent&quot; &amp; one &lt; straight.</p>" in html


def test_a_live_curve_grows_in_one_place(notebook):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = (X[:, 0] > 0).astype(int)
    model = nn.MLP([2, 4, 2], rng=rng)
    fit(
        model,
        X,
        y,
        epochs=3,
        batch_size=20,
        optimizer=optim.SGD(model.parameters(), lr=0.1),
        loss=F.cross_entropy,
        callbacks=[LiveCurve(3, alt="The loss falls.")],
        rng=rng,
        progress=False,
    )
    first, words, *updates = notebook.outputs
    assert "The loss falls." in words.data["text/html"]
    assert len(updates) == 3
    assert all(output.update for output in updates)
    assert {output.transient["display_id"] for output in [first, *updates]} == {
        first.transient["display_id"]
    }
    pictures = [output.data["image/png"] for output in [first, *updates]]
    assert len(set(pictures)) == 4
    # nbval compares the first text with the one that the notebook stores, which is the last.
    assert {output.data["text/plain"] for output in [first, *updates]} == {"The loss falls."}
    # The page must not jump while the curve grows.
    sizes = {(s["width"], s["height"]) for s in (o.metadata["image/png"] for o in updates)}
    assert sizes == {(first.metadata["image/png"]["width"], first.metadata["image/png"]["height"])}


# ---- an installation without the classroom's dependencies


@pytest.mark.parametrize("missing", ["matplotlib", "ipywidgets", "anywidget"])
def test_a_missing_dependency_is_said_in_one_line(missing):
    program = f"""
        import sys

        class NotInstalled:
            def find_spec(self, name, path=None, target=None):
                if name == {missing!r}:
                    raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

        sys.meta_path.insert(0, NotInstalled())
        import minimlcourse, minimlcourse.nn, minimlcourse.training
        try:
            import minimlcourse.classroom
        except ImportError as error:
            print(error)
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert result.stdout == (
        "minimlcourse.classroom needs matplotlib, ipywidgets and anywidget "
        f'({missing} is not installed): pip install "minimlcourse[course]"\n'
    )


def test_a_room_that_is_broken_says_what_broke():
    """Only a missing dependency is explained away: any other missing module is our own mistake."""
    program = """
        import sys
        sys.modules["minimlcourse.training"] = None
        import minimlcourse.classroom
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True
    )
    assert "import of minimlcourse.training halted" in result.stderr
    assert "course]" not in result.stderr
