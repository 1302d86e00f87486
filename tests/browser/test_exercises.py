"""The exercises as a student uses them: answer, run the check, read it, come back tomorrow."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from lab import ROOT, Lab, Lesson
from playwright.sync_api import Locator, expect

from minimlcourse.classroom.checks import exercise

NOTEBOOKS = sorted((ROOT / "exercises").glob("*/*.ipynb"))
STUDENT = "student/04_automatic_differentiation/04_automatic_differentiation.ipynb"

WRONG = "def matmul_rule(g, A, B):\n    return g @ B, A @ g"
RIGHT = "def matmul_rule(g, A, B):\n    return g @ B.T, A.T @ g"
QUOTIENT = "def divide(a, b):\n    q = a[0] / b[0]\n    return q, (a[1] - q * b[1]) / b[0]"

# The least contrast, as WCAG defines it, of the text of an element and what is behind it.
CONTRAST = """(element) => {
    const parts = (color) => color.match(/[\\d.]+/g).map(Number);
    const light = (color) => {
        const [r, g, b] = parts(color).map((c) => c / 255)
            .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
        const color = getComputedStyle(node).backgroundColor;
        return parts(color)[3] === 0 ? behind(node.parentElement) : color;
    };
    const contrast = (node) => {
        const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    };
    const texts = [...element.querySelectorAll("*")]
        .filter((node) => [...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE
            && child.textContent.trim()));
    return Math.min(...texts.map(contrast));
}"""


@pytest.fixture(scope="module")
def folder(server: tuple[Path, str, str]) -> Path:
    """JupyterLab's folder, with exercises; like a student's, its pages have nothing of nbgrader."""
    home, _, _ = server
    hand_out(home, "untouched")
    hand_out(home, "student")
    config = home.parent / "config" / "labconfig" / "page_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps({"disabledExtensions": {"@jupyter/nbgrader": True}}))
    return home


def hand_out(folder: Path, to: str) -> None:
    """Give a student of this name all exercises, as git has them."""
    left_over = shutil.ignore_patterns("progress.json", ".*")
    shutil.copytree(ROOT / "exercises", folder / to, ignore=left_over)


def panel(lesson: Lesson) -> Locator:
    return lesson.cell("progress").locator(".jp-Cell-outputArea")


def earned(folder: Path) -> int:
    """The points that the student has, by the record beside the notebook."""
    record = json.loads((folder / STUDENT).with_name("progress.json").read_text())
    return sum(exercise(one).points for one, entry in record.items() if entry["solved"])


def shows(output: Locator, points: int) -> None:
    """Wait until a panel in an output tells of so many points."""
    expect(output.get_by_text(re.compile(rf"^{points} of \d+ points$"))).to_be_visible()


def answer(lesson: Lesson, identifier: str, code: str) -> Locator:
    """Write an answer, run it, run its check, and return what that shows."""
    lesson.type(f"answer-{identifier}", code)
    lesson.run(f"answer-{identifier}")
    return lesson.run(f"check-{identifier}")


# ---- before anything is answered


@pytest.mark.parametrize(
    "path",
    [path for path in NOTEBOOKS if path.name != Path(STUDENT).name],  # that one by its fixture
    ids=lambda path: path.stem,
)
def test_untouched(lab: Lab, folder: Path, path: Path) -> None:
    """As it is handed out, a notebook runs."""
    run_untouched(lab.open(f"untouched/{path.parent.name}/{path.name}"), path)
    lab.close_lessons()


def run_untouched(lesson: Lesson, path: Path) -> None:
    """Every cell runs, only the checks speak, no point is earned, both themes can be read."""
    lesson.run_all()
    shows(panel(lesson), 0)
    cells = nbformat.read(path, as_version=4).cells
    checks = [lesson.cell(cell.id) for cell in cells if cell.source.startswith("check(")]
    assert checks
    for check in checks:
        expect(check.locator(".jp-Cell-outputArea")).to_contain_text("Not answered yet.")
    for cell in cells:
        if cell.id.startswith("answer-") and cell.cell_type == "code":
            assert lesson.cell(cell.id).locator(".jp-OutputArea-child").all_inner_texts() == []
    for theme in ("light", "dark"):
        lesson.theme(theme)
        for text in (panel(lesson), checks[0].locator(".jp-Cell-outputArea")):
            assert text.evaluate(CONTRAST) >= 4.5, f"hard to read in the {theme} theme"
        if theme == "dark":
            unfold(lesson, len(checks))
        lesson.screenshot(f"exercises-{path.stem}-{theme}")
    assert lesson.complaints == []


def unfold(lesson: Lesson, checks: int) -> None:
    """Try the hints: three for each check, folded; a click shows one, and another hides it."""
    folded = lesson.page.locator(".jp-Notebook details:not([open])")
    assert folded.count() >= 3 * checks  # a proof may have its own
    hint = lesson.page.locator(".jp-Notebook details").first
    for visible in (True, False):
        hint.locator("summary").click()
        expect(hint.locator("p").first).to_be_visible(visible=visible)
    lesson.page.locator(".jp-Notebook details").evaluate_all(
        "all => all.forEach((one) => { one.open = true; })"
    )


# ---- answers


@pytest.fixture(scope="module")
def student(lab: Lab, folder: Path) -> Iterator[Lesson]:
    """Lesson 04's exercises, run once and waiting for answers."""
    lesson = lab.open(STUDENT)
    run_untouched(lesson, ROOT / "exercises" / Path(STUDENT).relative_to("student"))
    lesson.theme("light")
    yield lesson
    assert lesson.complaints == []


def test_a_known_mistake_is_named_and_the_panel_follows(student: Lesson, folder: Path) -> None:
    """Wrong, then right, then wrong again: what counts is what the answer is worth now."""
    row = panel(student).get_by_role("row").filter(has_text="04.3")
    before = earned(folder)

    verdict = answer(student, "04-3", WRONG)
    named = {mistake.name: mistake.message for mistake in exercise("04.3").known}
    expect(verdict).to_contain_text("Not yet. " + named["a transpose missing"].replace("`", ""))
    expect(verdict).to_contain_text("It was given g = ")
    expect(row).to_contain_text("not yet")
    expect(row).to_contain_text("1 try")

    verdict = answer(student, "04-3", RIGHT)
    expect(verdict).to_contain_text("Right: ")
    shows(panel(student), before + exercise("04.3").points)
    expect(row).to_contain_text("solved")
    expect(row).to_contain_text("2 tries")
    student.screenshot("exercises-answered-light")

    answer(student, "04-3", WRONG)
    shows(panel(student), before)


def test_what_raises_is_told_with_its_line(student: Lesson) -> None:
    code = "def divide(a, b):\n    value = a[0] / b[0]\n    return value, a[2]"
    verdict = answer(student, "04-8", code)
    expect(verdict).to_contain_text("Your code raised IndexError")
    expect(verdict.locator("code").get_by_text("return value, a[2]", exact=True)).to_be_visible()


def test_a_formula_that_is_typed_wrong_is_explained(student: Lesson) -> None:
    verdict = answer(student, "04-1", 'adjoint_of_x = "6*x^5 + 3*x^2"')
    expect(verdict).to_contain_text("^ is not a power in Python: write x**2")
    verdict = answer(student, "04-1", 'adjoint_of_x = "6*x**5 + 3*x**2"')
    expect(verdict).to_contain_text("Right: ")


def test_an_answer_in_the_dark(student: Lesson) -> None:
    """Right, wrong and raising answers can be read in the dark theme, too."""
    student.theme("dark")
    raising, wrong = ("def divide(a, b):\n    return " + value for value in ("a[2]", "a"))
    for code, says in ((QUOTIENT, "Right: "), (raising, "IndexError"), (wrong, "Not yet.")):
        verdict = answer(student, "04-8", code)
        expect(verdict).to_contain_text(says)
        assert verdict.evaluate(CONTRAST) >= 4.5
    student.screenshot("exercises-answered-dark", ".jp-NotebookPanel")
    student.theme("light")


def test_a_check_can_be_neither_changed_nor_deleted(student: Lesson) -> None:
    """By accident, that is: plain JupyterLab keeps to what nbgrader wrote into the cell."""
    before = student.cell("check-04-2").locator(".cm-content").inner_text()
    student.cell("check-04-2").locator(".cm-content").click()
    student.page.keyboard.type("# mine")
    for identifier in ("check-04-2", "answer-04-2"):
        student.cell(identifier).locator(".jp-InputPrompt").click()
        for keys in ("Escape", "d", "d", "x"):
            student.page.keyboard.press(keys)
    assert student.cell("check-04-2").locator(".cm-content").inner_text() == before
    expect(student.cell("answer-04-2")).to_contain_text("def product_rule")


# ---- another day


def test_points_and_answers_are_kept(student: Lesson, lab: Lab, folder: Path) -> None:
    """Save, load the page again, go home: what was earned is there before any cell is run."""
    expect(answer(student, "04-3", RIGHT)).to_contain_text("Right")
    points = earned(folder)
    assert points > 0
    shows(panel(student), points)
    student.save()

    saved = nbformat.read(folder / STUDENT, as_version=4)
    handed_out = nbformat.read(ROOT / "exercises" / Path(STUDENT).relative_to("student"), 4)
    for cell, original in zip(saved.cells, handed_out.cells, strict=True):
        assert cell.metadata.get("nbgrader") == original.metadata.get("nbgrader")
    assert RIGHT in [cell.source for cell in saved.cells]

    # The kernel goes on, but what it showed before is out of its reach: the panel comes down here.
    student.page.reload()
    student.wait()
    shows(panel(student), points)
    verdict = answer(student, "04-8", QUOTIENT)
    expect(verdict).to_contain_text("Right: ")
    shows(verdict, earned(folder))
    student.save()
    assert student.complaints == []

    lab.close_lessons()
    tomorrow = lab.open(STUDENT)
    shows(panel(tomorrow), points)  # as it was saved
    tomorrow.screenshot("exercises-tomorrow", ".jp-NotebookPanel")
    tomorrow.run("imports")
    tomorrow.run("progress")
    shows(panel(tomorrow), earned(folder))
    assert earned(folder) == points + exercise("04.8").points
    assert tomorrow.complaints == []
