"""The machinery of the checks, on exercises made up for it."""

import json
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minimlcourse.classroom.checks as checks
from minimlcourse import Tensor
from minimlcourse.classroom.checks import check, exercise, exercises, progress
from minimlcourse.classroom.checks.calling import AnswerError, call, is_stub
from minimlcourse.classroom.checks.exercise import Case, Function, Mistake, Task, Wrong
from minimlcourse.classroom.checks.formula import FUNCTIONS, Formula, derivative, evaluate, parse
from minimlcourse.classroom.checks.panel import FILE, load


def product_cases(rng):
    yield Case((np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [2.0, 3.0]])))
    yield Case((rng.normal(size=(3, 3)), rng.normal(size=(3, 3))))


PRODUCT = Function(
    identifier="99.1",
    title="A product",
    points=2,
    parameters=("A", "B"),
    cases=product_cases,
    expected=lambda A, B: A @ B,
    known=(Mistake("elementwise", "This multiplies entry by entry.", lambda A, B: A * B),),
    verified="is the matrix product",
)

MEAN = Function(
    identifier="99.2",
    title="A mean of squares",
    points=1,
    parameters=("x",),
    cases=lambda rng: [Case((rng.normal(size=n),)) for n in (2, 3, 5)],
    expected=lambda x: np.mean(x**2),
    verified="is the mean",
)

STEP = Function(
    identifier="99.3",
    title="A step",
    points=1,
    parameters=("x",),
    cases=lambda rng: [
        Case((np.array([-1.0, 2.0]),)),
        Case((np.array([0.0, 1.0]),), special="at x = 0"),
    ],
    expected=lambda x: (x > 0).astype(float),
    verified="steps",
)


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("answer", "says"),
        [
            (lambda A, B: -(A @ B), "sign is wrong"),
            (lambda A, B: 2 * A @ B, "is 2 times what it should be"),
            (lambda A, B: (A @ B).T, "transposed"),
            (lambda A, B: A @ B + 1, "off by the same amount"),
            (lambda A, B: A @ B / (1 + 1e-5), "Nearly right, but not exactly"),
            (lambda A, B: A @ B + B * (B > 1), "entries are wrong, the first at [1, 0]"),
            (lambda A, B: (A @ B).astype(np.float32), "has dtype float32, float64 is asked for"),
            (lambda A, B: 1.5, "is a single number, shape (2, 2) is asked for"),
            (lambda A, B: np.roll(A @ B, 1, axis=0), "one place too far"),
            (lambda A, B: np.abs(A @ B) * [[1, -1], [1, 1]] if len(A) == 2 else -(A @ B), "signs"),
            (lambda A, B: 0 * A, "zero everywhere"),
            (
                lambda A, B: A @ B + (np.arange(A.size).reshape(A.shape) == 2),
                "The entry at [1, 0] is wrong: yours is 9",
            ),
            (lambda A, B: (A @ B) / 0 * 0, "not a number (nan) at [0, 0]"),
            (lambda A, B: (A @ B)[0], "has shape (2,), shape (2, 2) is asked for"),
            (lambda A, B: (A @ B).tolist(), "is a list"),
            (lambda A, B: (A @ B) > 0, "True and False"),
            (lambda A, B: Tensor(A @ B), "is a Tensor"),
            (lambda A, B: print, "is a function"),
            (lambda A, B: None if len(A) else 1, "None (is there a `return`?)"),
            (lambda A: A, "takes 1 positional argument but 2 were given"),
        ],
    )
    def test_is_named(self, answer, says):
        verdict = PRODUCT.judge(answer)
        assert not verdict.passed and verdict.answered
        assert says in verdict.message

    def test_a_failing_input_is_shown_and_no_expected_value(self):
        message = PRODUCT.judge(lambda A, B: A @ B * 3).message
        assert "A = [[1., 2.], [3., 4.]], B = [[0., 1.], [2., 3.]]" in message
        assert "returned [[12., 21.], [24., 45.]]" in message
        assert "[[4., 7.]" not in message

    def test_many_arrays_are_told_by_their_shapes(self):
        def cases(rng):
            yield Case((*rng.normal(size=(6, 3, 4)), [0.5] * 50, 7))

        one = Function(
            identifier="99.9",
            title="Many arguments",
            points=1,
            parameters=("A", "B", "C", "D", "E", "F", "rates", "n"),
            cases=cases,
            expected=lambda *arguments: 1.0,
            verified="is 1",
        )
        message = one.judge(lambda *arguments: 2.0).message
        assert "A = an array of shape (3, 4), B = an array of shape (3, 4)" in message
        assert "rates = a list of length 50, n = 7 and returned 2." in message

    def test_a_known_mistake_has_its_own_message(self):
        verdict = PRODUCT.judge(lambda A, B: B * A)
        assert verdict.mistake == "elementwise"
        assert verdict.message.startswith("This multiplies entry by entry. It was given A = ")

    def test_the_factor_of_a_single_number_is_not_told(self):
        one = Function(
            identifier="99.11",
            title="Five",
            points=1,
            parameters=(),
            cases=lambda rng: [Case(())],
            expected=lambda: 5.0,
            verified="is five",
        )
        assert one.judge(lambda: 10.0).message.startswith("Your answer, 10, is not right.")

    @pytest.mark.parametrize(("answer", "more"), [(np.sum, "too large"), (np.mean, "")])
    def test_the_size_of_the_batch_is_recognised(self, answer, more):
        verdict = MEAN.judge(lambda x: answer(x**2))
        assert verdict.passed == (answer is np.mean)
        if more:
            assert "n times too large, n the length of what came in" in verdict.message
        assert "n times too small" in MEAN.judge(lambda x: np.mean(x**2) / len(x)).message

    def test_an_answer_that_misses_the_special_case_alone_is_told_which(self):
        message = STEP.judge(lambda x: (x >= 0).astype(float)).message
        assert message.startswith("Right everywhere but at x = 0: ")

    def test_an_exception_is_told_with_the_students_line(self):
        def answer(A, B):
            helper = A[5, 5]
            return helper

        message = PRODUCT.judge(answer).message
        assert "IndexError" in message
        assert "at `helper = A[5, 5]`" in message
        assert "A = [[1., 2.], [3., 4.]]" in message

    def test_leaving_python_is_an_exception_like_another(self):
        assert "SystemExit" in PRODUCT.judge(lambda A, B: exit()).message

    def test_changing_an_argument_is_refused(self):
        def answer(A, B):
            A @= B
            return A

        assert "changes its argument number 1 in place" in PRODUCT.judge(answer).message

    def test_right_is_right_under_every_seed(self):
        assert all(PRODUCT.judge(np.dot, seed=seed).passed for seed in range(5))

    def test_a_task_examines_in_its_own_way(self):
        def examination(answer, rng):
            if answer(2.0) != 4.0:
                raise Wrong("It should double.", "no double")

        task = Task(
            identifier="99.4",
            title="Double",
            points=1,
            examination=examination,
            named=("no double",),
            verified="doubles",
        )
        assert task.judge(lambda x: 2 * x).passed
        assert task.judge(lambda x: x).mistake == "no double"
        assert "ZeroDivisionError" in task.judge(lambda x: x / 0).message

    def test_parts_of_an_answer_are_told_apart(self):
        def expected(x):
            return {"W": x.T.copy(), "shape": x.shape}

        one = Function(
            identifier="99.5",
            title="Two parts",
            points=1,
            parameters=("x",),
            cases=lambda rng: [Case((rng.normal(size=(2, 3)),))],
            expected=expected,
            verified="has both",
        )
        assert one.judge(expected).passed
        sign = one.judge(lambda x: {"W": -x.T, "shape": x.shape})
        assert sign.message.startswith("In 'W', the sign is wrong")
        shape = one.judge(lambda x: {"W": x.T, "shape": (9, 3)})
        assert shape.message.startswith("In 'shape', in part 1, your answer, 9, is not right.")
        assert "has no 'shape'" in one.judge(lambda x: {"W": x.T}).message
        assert "which is not asked for" in one.judge(lambda x: expected(x) | {"b": 1}).message
        assert "a dict with the keys W, shape" in one.judge(lambda x: (x, x)).message


class TestStub:
    @pytest.mark.parametrize(
        "source", ["...", "pass", "'doc'", "'doc'; ...", "return None", "raise NotImplementedError"]
    )
    def test_a_body_that_does_nothing_is_not_answered(self, source):
        namespace = {}
        exec(f"def answer(A, B):\n    {source}", namespace)
        verdict = PRODUCT.judge(namespace["answer"])
        assert not verdict.answered and verdict.message == "Not answered yet."

    @pytest.mark.parametrize("source", ["return 0", "A @ B", "return A", "print('here')"])
    def test_a_body_that_does_something_is_answered(self, source):
        namespace = {}
        exec(f"def answer(A, B):\n    {source}", namespace)
        assert not is_stub(namespace["answer"])
        assert PRODUCT.judge(namespace["answer"]).answered


def test_an_answer_cannot_spoil_what_others_are_given():
    kept = []
    given_array = np.ones(2)
    call(kept.append, (given_array,))
    kept[0][:] = 5
    assert given_array.tolist() == [1, 1]


def test_a_remote_exception_passes_through():
    def remote(x):
        raise AnswerError("ValueError", "no", "x = 1")

    with pytest.raises(AnswerError, match="raised ValueError: no, at `x = 1`"):
        call(remote, (1,))


SLOPE = Formula(
    identifier="99.6",
    title="The slope of the sigmoid",
    points=1,
    variables={"x": (-3.0, 0.0, 2.0)},
    expected=derivative("sigmoid(x)", "x"),
    known=(Mistake("lost minus", "A minus has been lost.", "-exp(-x) * (1 + exp(-x))**-2"),),
    functions=("exp",),
    verified="is the derivative",
)


class TestFormula:
    @pytest.mark.parametrize(
        "text", ["exp(-x) / (1 + exp(-x))**2", " exp(x)/(1+exp(x))**2 ", "1/(2+exp(x)+exp(-x))"]
    )
    def test_every_way_to_write_it_is_right(self, text):
        verdict = SLOPE.judge(text)
        assert verdict.passed, verdict.message

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("2 * exp(-x) / (1 + exp(-x))**2", "constant factor is wrong: it gives"),
            ("exp(-x)", "another function: it gives 20.0855 at x = -3"),
            ("1 / x", "has no value at x = 0"),
            ("exp(-x) / (1 + exp(-x))^2", "write x**2"),
            ("exp(-y)", "y is unknown here; the variable is x"),
            ("exp", "exp is a function: write exp(...)"),
            ("sigmoid(x)", "sigmoid may not be used here; what may is exp"),
            ("exp(x, x)", "exp takes 1 argument"),
            ("x(1 - x)", "write x * (...)"),
            ("np.exp(x)", "write exp(...), with no module before it"),
            ("0,5 * x", "the decimal sign is a point"),
            ("(-1 < x < 1)", "each comparison into parentheses"),
            ("x.real", "not part of a formula"),
            ("x +", "cannot be read"),
            ("__import__('os')", "may not be used"),
            ("(" * 200 + "x" + ")" * 200, "characters"),
            ("-" * 290 + "x", ""),
            ("9**9**9**9", "has no value"),
        ],
    )
    def test_a_wrong_one_learns_why(self, text, says):
        verdict = SLOPE.judge(text)
        assert not verdict.passed and verdict.answered
        assert says in verdict.message

    def test_a_known_mistake_is_recognised_however_it_is_written(self):
        assert SLOPE.judge("0 - exp(x) / (exp(x) + 1)**2").mistake == "lost minus"

    def test_the_sign_is_named_where_no_mistake_knows_it(self):
        plain = Formula(
            identifier="99.7",
            title="Twice",
            points=1,
            variables={"x": (1.0, 2.0)},
            expected="2*x",
            verified="is right",
        )
        assert plain.judge("-2*x").message.startswith("The sign is wrong: it gives -2 at x = 1")
        assert not plain.judge(2.0).passed and "between quotes" in plain.judge(2.0).message

    def test_a_kink_is_judged_apart(self):
        sign = Formula(
            identifier="99.8",
            title="Sign by indicators",
            points=1,
            variables={"x": (-2, 0, 3)},
            expected="sign(x)",
            special={0: "at x = 0"},
            verified="is the sign",
        )
        assert sign.judge("(x > 0) - (x < 0)").passed
        assert "Right everywhere but at x = 0: it gives -1" in sign.judge("2*(x > 0) - 1").message

    def test_the_sign_is_blamed_only_if_it_is_wrong_everywhere(self):
        step = Formula(
            identifier="99.10",
            title="A step",
            points=1,
            variables={"x": (-2.0, 0.0, 0.25, 3.0)},
            expected="sign(x)",
            verified="is the sign",
        )
        assert "another function" in step.judge("2*(x > 0.5) + (x == 0) - 1").message

    def test_a_formula_that_differs_in_the_twentieth_digit_is_another(self):
        almost = "(1 + 1e-20) * exp(-x) / (1 + exp(-x))**2"
        assert not SLOPE.judge(almost).passed

    @given(st.floats(-40, 40))
    def test_its_functions_are_the_right_ones(self, x):
        peers = {
            "exp": np.exp,
            "tanh": np.tanh,
            "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
            "softplus": lambda x: np.logaddexp(0, x),
            "relu": lambda x: max(x, 0),
            "abs": abs,
            "sign": np.sign,
        }
        for name, peer in peers.items():
            tree = parse(f"{name}(x)", ["x"], FUNCTIONS)
            value = float(evaluate(tree, {"x": Decimal(x)}))
            assert value == pytest.approx(float(peer(x)), rel=1e-12, abs=1e-50)

    def test_a_derivative_is_exact_to_thirty_digits(self):
        slope = derivative("x * log(x)", "x")
        error = slope({"x": Decimal(2)}) - (Decimal(2).ln() + 1)
        assert abs(error) < Decimal("1e-26")


@pytest.fixture
def made_up(monkeypatch, tmp_path):
    """Lesson 99, with two exercises, in a notebook of an empty folder."""
    monkeypatch.setattr(checks, "exercises", lambda lesson: (PRODUCT, SLOPE))
    monkeypatch.chdir(tmp_path)
    shown = []
    monkeypatch.setattr(checks, "display", lambda page, raw: shown.append(page))
    return shown


class TestCheck:
    def test_shows_a_verdict_as_text_and_as_a_box(self, made_up):
        assert check("99.1", np.matmul) is None
        check("99.1", lambda A, B: A + B)
        check("99.1", lambda A, B: None)
        right, wrong, stub = made_up
        assert right["text/plain"].startswith("99.1 · A product. Right: 2 points. Your answer is")
        assert wrong["text/plain"].startswith("99.1 · A product. Not yet. ")
        assert stub["text/plain"] == "99.1 · A product. Not answered yet."
        assert "<b>99.1 · A product</b>" in right["text/html"]

    def test_escapes_what_the_student_wrote(self, made_up):
        check("99.6", "<script>")
        assert "<script>" not in made_up[0]["text/html"]

    def test_an_unknown_exercise_is_named(self):
        with pytest.raises(ValueError, match="lesson '99' has no exercises"):
            exercises("99")
        with pytest.raises(ValueError, match="has no exercises"):
            exercise("../etc")

    def test_raises_under_nbgrader_alone(self, made_up, monkeypatch):
        monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
        check("99.1", np.matmul)
        with pytest.raises(AssertionError, match="entry by entry"):
            check("99.1", np.multiply)
        with pytest.raises(AssertionError, match="Not answered yet"):
            check("99.1", None)
        assert not made_up

    def test_progress_outlives_the_session_and_follows_each_check(self, made_up, tmp_path):
        panel = progress("99")
        assert "0 of 3 points" in panel.value and "to do" in panel.value
        check("99.1", np.multiply)
        assert "1 try" in panel.value and "not yet" in panel.value
        check("99.1", np.matmul)
        check("99.6", "")
        assert "2 of 3 points" in panel.value and "2 tries" in panel.value
        assert load(tmp_path) == {
            "99.1": {"solved": True, "tries": 2},
            "99.6": {"solved": False, "tries": 0},
        }
        assert "2 of 3 points" in progress("99").value
        assert repr(panel) == "The progress panel: 2 of 3 points."
        check("99.1", np.add)  # what counts is what the answer is worth now
        assert "0 of 3 points" in panel.value

    @pytest.mark.parametrize(
        "text", ["", "[]", "{", '{"99.1": 3}', '{"99.1": {"solved": 1}}', "\x00\xff"]
    )
    def test_a_damaged_record_begins_again(self, made_up, tmp_path, text):
        (tmp_path / FILE).write_text(text)
        check("99.1", np.matmul)
        assert json.loads((tmp_path / FILE).read_text()) == {"99.1": {"solved": True, "tries": 1}}
        assert [path.name for path in tmp_path.iterdir()] == [FILE]

    def test_a_folder_that_cannot_be_written_to_keeps_no_record(self, made_up, monkeypatch):
        def refuse(**where):
            raise PermissionError

        monkeypatch.setattr("tempfile.mkstemp", refuse)
        check("99.1", np.matmul)
        assert "Right" in made_up[0]["text/plain"]
