"""The rules that every lesson's file follows, and that the checker of those rules can see."""

import copy
import json
from pathlib import Path

import lessons
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_lesson_follows_the_rules(path):
    problems = lessons.lint(path)
    assert not problems, "\n".join([path.name, *problems])


def test_there_are_lessons():
    assert NOTEBOOKS


def figure(**metadata):
    return new_output("display_data", {"image/png": "aGk="}, metadata=metadata)


def sound_lesson():
    text = figure(**{"image/png": {"alt": "A line that rises."}})
    return new_notebook(
        cells=[
            new_markdown_cell("# A title"),
            new_code_cell("2 + 2", execution_count=1),
            new_code_cell("plt.show()", execution_count=2, outputs=[text]),
        ]
    )


def problems_of(lesson, folder):
    path = folder / "lesson.ipynb"
    path.write_text(json.dumps(lesson), encoding="utf-8")
    return lessons.lint(path)


def test_a_sound_lesson_has_no_problem(tmp_path):
    assert problems_of(sound_lesson(), tmp_path) == []


def set_cell(index, **changes):
    return lambda lesson: lesson.cells[index].update(copy.deepcopy(changes))


stderr = new_output("stream", name="stderr", text="DeprecationWarning")
error = new_output("error", ename="ValueError", evalue="no", traceback=[])
widget = new_output("display_data", {lessons.WIDGET: {"model_id": "1f"}, "text/plain": "Slider()"})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (set_cell(0, source="No title"), "opens with a text cell"),
        (set_cell(0, source="# T\n![](digit.png)"), "without alternative text"),
        (set_cell(0, source="# T\n<img src='digit.png'>"), "without alternative text"),
        (set_cell(1, source="x = 0\n" * 25 + "x"), "26 lines of code"),
        (set_cell(1, source="plt.plot(x);"), "ends with ';'"),
        (set_cell(1, source="open('/" + "home/ada/x')"), "names a folder of one machine"),
        (set_cell(1, execution_count=None), "execution count None, not 1"),
        (set_cell(2, execution_count=7), "execution count 7, not 2"),
        (set_cell(1, metadata={"execution": {}}), "metadata.execution"),
        (set_cell(1, outputs=[stderr]), "on stderr"),
        (set_cell(1, outputs=[error]), "stores an error, ValueError: no"),
        (set_cell(1, outputs=[widget]), "live widget"),
        (set_cell(1, outputs=[figure()]), "without alternative text"),
        (
            set_cell(1, outputs=[new_output("stream", text="saved to /" + "tmp/x.npz")]),
            "prints a folder of one machine",
        ),
        (
            set_cell(1, outputs=[new_output("stream", text="<object object at 0x7f845434f240>")]),
            "prints an address in memory",
        ),
        (lambda lesson: lesson.metadata.update(widgets={}), "metadata.widgets"),
        (lambda lesson: lesson.cells.append({"cell_type": "poem"}), "not a valid notebook"),
        (set_cell(1, source="#" * lessons.MAX_BYTES), "at most 1,500,000"),
        (
            set_cell(1, outputs=[new_output("display_data", {"image/svg+xml": "<svg/>"})]),
            "stores image/svg+xml",
        ),
        (
            set_cell(1, outputs=[new_output("display_data", {"text/plain": "x" * 500_001})]),
            "an output of 500,001 bytes",
        ),
    ],
)
def test_each_rule_is_seen(spoil, reason, tmp_path):
    lesson = sound_lesson()
    spoil(lesson)
    (problem,) = problems_of(lesson, tmp_path)
    assert reason in problem


FRAME = {"first": " ".join(lessons.OPENING), "last": "\n".join(lessons.CLOSING)}


@pytest.mark.parametrize(
    ("name", "first", "last", "reasons"),
    [
        ("05_sound", FRAME["first"], FRAME["last"], []),
        ("05_open", "After this page", FRAME["last"], ["the first cell lacks **You need**"]),
        ("05_close", FRAME["first"], "## Summary", ["the last cell lacks **To read.**"]),
        ("05_long", FRAME["first"] + " word" * 200, FRAME["last"], ["cell 0: 212 words"]),
        ("91_appendix", "", "", []),
    ],
)
def test_lessons_open_and_close_alike(name, first, last, reasons, tmp_path):
    lesson = new_notebook(cells=[new_markdown_cell("# T\n" + first), new_markdown_cell(last)])
    path = tmp_path / f"{name}.ipynb"
    nbformat.write(lesson, path)
    problems = lessons.lint(path)
    assert len(problems) == len(reasons)
    assert all(reason in problem for reason, problem in zip(reasons, problems, strict=True))


def test_a_failure_on_purpose_is_allowed(tmp_path):
    lesson = sound_lesson()
    lesson.cells[1].update(outputs=[error], metadata={"tags": ["raises-exception"]})
    assert problems_of(lesson, tmp_path) == []


def test_refreshing_is_repeatable(tmp_path):
    """Text, an error on purpose and a live widget: refreshed twice, the same to the byte."""
    lesson = new_notebook(
        cells=[
            new_markdown_cell("# A title"),
            new_code_cell("print('one')\nprint('two')\n2 + 2"),
            new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}),
            new_code_cell("import ipywidgets\nipywidgets.IntSlider(value=3)"),
        ]
    )
    path = tmp_path / "lesson.ipynb"
    nbformat.write(lesson, path)
    lessons.refresh(path)
    once = path.read_bytes()
    lessons.refresh(path)
    assert path.read_bytes() == once
    assert b"one\\ntwo" not in once and b"IntSlider(value=3)" in once and b"model_id" not in once
    assert lessons.lint(path) == []
