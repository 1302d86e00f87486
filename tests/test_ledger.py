"""The ledger of claims: sound, held by lessons and tests, and rendered; and its checker sees."""

import re
import textwrap
from pathlib import Path

import ledger
import lessons
import nbformat
import new_lesson
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from minimlcourse.classroom.ledger import Claim, ClaimSearch, as_html, read_claims, select

ROOT = Path(__file__).parents[1]


def test_the_ledger_is_sound():
    problems = ledger.check(ROOT)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def test_the_appendix_is_up_to_date():
    if ledger.check(ROOT):
        pytest.skip("the ledger is not sound yet")
    if ledger.is_stale(ROOT):
        pytest.fail("notebooks/91_ledger.ipynb is stale: run `make ledger`", pytrace=False)


def test_the_marker_is_registered(pytestconfig):
    assert any(line.startswith("claim(") for line in pytestconfig.getini("markers"))


# ---- a small house, and each way to spoil it

SOUND = {
    "claims/lesson_04.toml": """
        [C3]
        kind = "definition"
        statement = "A graph is a graph."
        source = "report, introduction; slides p. 7"
        lesson = "04"
        anchor = "Graphs"

        [E4]
        kind = "erratum"
        statement = 'An iterative walk, for $n$ nodes, $|x| \\| y$.'
        source = "report §2.1.3"
        lesson = "04"
        anchor = "The order"
        wrong = "A recursive walk."
        severity = "A"
    """,
    "tests/test_graphs.py": """
        import pytest

        @pytest.mark.claim("C3")
        def test_graph(): ...

        class TestOrder:
            @pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.claim("E4"))])
            def test_order(self, n): ...
    """,
}
BOX = "> **Erratum E4.** *What is written:* a.\n> *Why\n> it fails:* b. *What holds:* c."
CELLS = [
    new_markdown_cell("# 04 · Graphs of all sorts"),
    new_markdown_cell("## Graphs\nA graph (C3).\n\n### The order\nReverse."),
    new_markdown_cell(f"{BOX}\n\nNow run it:"),
    new_code_cell("walk()"),
    new_markdown_cell("## Summary\nThat is $C7$, `C8`, C_9, [x](C10.md) and\n```\nC11\n```"),
]


def house(folder, files=(), cells=CELLS):
    for name, text in {**SOUND, **dict(files)}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    (folder / "notebooks").mkdir()
    nbformat.write(new_notebook(cells=cells), folder / "notebooks" / "04_graphs.ipynb")
    return folder


def test_a_sound_house_has_no_problem(tmp_path):
    assert ledger.check(house(tmp_path)) == []


def with_claims(old, new):
    text = SOUND["claims/lesson_04.toml"]
    assert old in text
    return {"claims/lesson_04.toml": text.replace(old, new, 1)}


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (with_claims("[C3]", "[C03]"), "lesson_04.toml: [C03]: an identifier is C, E or V and"),
        (with_claims("[C3]", "[theorem]"), "[theorem]: an identifier is"),
        (with_claims("[C3]", "C5 = 3\n[C3]"), "[C5] is 3, expected a table"),
        (with_claims("kind", "sort"), "[C3] has a field 'sort', expected kind, statement,"),
        (with_claims('kind = "definition"', ""), "[C3]: kind is None, expected some text"),
        (with_claims('"A graph is a graph."', '" "'), "[C3]: statement is ' ', expected some"),
        (with_claims('anchor = "Graphs"', "anchor = 4"), "[C3]: anchor is 4, expected some text"),
        (with_claims('"definition"', '"rumour"'), "[C3]: kind is 'rumour', expected one of"),
        (with_claims('"definition"', '"erratum"'), "[C3]: kind is 'erratum'; E… and no other"),
        (with_claims('"erratum"', '"theorem"'), "[E4]: kind is 'theorem'; E… and no other"),
        (with_claims('"04"', '"4"'), "[C3]: lesson is '4', expected two digits"),
        (
            with_claims('"report, introduction; slides p. 7"', '"the report"'),
            "[C3]: source is 'the report'",
        ),
        (with_claims("; slides p. 7", "; a friend"), "[C3]: source is 'report, introduction; a"),
        (with_claims('wrong = "A recursive walk."', ""), "[E4]: wrong is None, expected some"),
        (with_claims('anchor = "Graphs"', 'anchor = "Graphs"\nwrong = "x"'), "a field 'wrong'"),
        (with_claims('severity = "A"', ""), "[E4]: severity is None"),
        (with_claims('severity = "A"', 'severity = "D"'), "[E4]: severity is 'D', expected A,"),
        (with_claims("[E4]", "[C3]"), "lesson_04.toml: Cannot declare"),
        ({"claims/lesson_05.toml": "[C3]"}, "[C3] is in lesson_04.toml already"),
    ],
)
def test_each_rule_of_the_files_is_seen(files, reason, tmp_path):
    (problem,) = ledger.check(house(tmp_path, files))
    assert problem.startswith("claims/lesson_0") and reason in problem


def test_a_ledger_that_is_gone_is_not_a_sound_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="the ledger is missing"):
        read_claims(tmp_path)


def with_cell(index, source):
    cells = [*CELLS]
    cells[index] = new_markdown_cell(source)
    return cells


CITED_ELSEWHERE = [*with_cell(2, "And so on."), new_markdown_cell(BOX), new_code_cell("walk()")]


@pytest.mark.parametrize(
    ("files", "cells", "reasons"),
    [
        (with_claims('"04"', '"06"'), CELLS, ["C3: there is no lesson notebooks/06_….ipynb"]),
        (with_claims('"Graphs"', '"Graph"'), CELLS, ["C3: 04_graphs.ipynb has no heading 'Graph'"]),
        ({}, with_cell(1, "## Graphs\n\n### The order"), ["C3: 04_graphs.ipynb does not cite it"]),
        ({}, CITED_ELSEWHERE, ["E4: 04_graphs.ipynb does not cite it under 'The order'"]),
        ({}, with_cell(2, "Erratum E4: wrong."), ["E4: 04_graphs.ipynb does not show it"]),
        ({}, with_cell(2, BOX.replace("fails", "is bad")), ["E4: 04_graphs.ipynb does not show"]),
        ({}, with_cell(3, "No cell."), ["E4: 04_graphs.ipynb does not show it under 'The order'"]),
        ({}, with_cell(4, "## Summary\n(C7)"), ["04_graphs.ipynb cites C7, which is not in the"]),
        ({}, with_cell(4, "(C3–C5)"), ["04_graphs.ipynb cites C4", "04_graphs.ipynb cites C5"]),
    ],
)
def test_each_rule_of_the_lessons_is_seen(files, cells, reasons, tmp_path):
    problems = ledger.check(house(tmp_path, files, cells))
    assert len(problems) == len(reasons)
    for problem, reason in zip(problems, reasons, strict=True):
        assert problem.startswith(reason)


def test_a_minor_erratum_needs_no_box(tmp_path):
    files = with_claims('severity = "A"', 'severity = "B"')
    assert ledger.check(house(tmp_path, files, with_cell(2, "Beware (E4)."))) == []


def test_a_range_cites_what_is_inside(tmp_path):
    cells = with_cell(1, "## Graphs\nAll this (C2–C4)\n\n### The order\nReverse.")
    problems = ledger.check(house(tmp_path, cells=cells))
    assert [problem[:28] for problem in problems] == [
        "04_graphs.ipynb cites C2, wh",
        "04_graphs.ipynb cites C4, wh",
    ]


def with_tests(old, new, name="tests/test_graphs.py"):
    text = SOUND["tests/test_graphs.py"]
    assert old in text
    return {"tests/test_graphs.py": "", name: text.replace(old, new)}


@pytest.mark.parametrize(
    ("files", "reasons"),
    [
        (with_tests('("C3")', '("C7")'), ["C3: no test holds it", "tests/test_graphs.py::test_g"]),
        (with_tests('("C3")', "()"), ["tests/test_graphs.py::test_graph, line 4: write the id"]),
        (with_tests('("C3")', ""), ["tests/test_graphs.py::test_graph, line 4: write the id"]),
        (with_tests('("C3")', "(*some)"), ["tests/test_graphs.py::test_graph, line 4: write"]),
        (with_tests('("C3")', "(3)"), ["tests/test_graphs.py::test_graph: marked with 3, which"]),
        (with_tests("test_graph()", "check()"), ["tests/test_graphs.py::check, line 4: is marked"]),
        (with_tests("", "", "tests/graphs.py"), ["tests/graphs.py::test_graph, line 4"] * 2),
        (with_tests("", "", "tests/browser/test_x.py"), ["tests/browser/test_x.py::test_g"] * 2),
    ],
)
def test_each_rule_of_the_tests_is_seen(files, reasons, tmp_path):
    problems = ledger.check(house(tmp_path, files))
    for reason in reasons:
        assert any(problem.startswith(reason) for problem in problems), problems
    assert any("C3: no test holds it" in problem for problem in problems)


def test_a_module_may_be_marked(tmp_path):
    files = with_tests('@pytest.mark.claim("C3")', 'pytestmark = pytest.mark.claim("C3")\n')
    house(tmp_path, files)
    assert ledger.check(tmp_path) == []
    assert ledger.markers(tmp_path / "tests")[0]["C3"] == ["tests/test_graphs.py"]


# ---- the appendix


def test_the_appendix_follows_the_ledger(tmp_path):
    house(tmp_path)
    assert ledger.is_stale(tmp_path)
    page = ledger.appendix(tmp_path)
    nbformat.write(page, tmp_path / "notebooks" / ledger.APPENDIX)
    assert not ledger.is_stale(tmp_path)
    assert ledger.check(tmp_path) == []
    (table,) = [cell.source for cell in page.cells if cell.source.startswith("## Lesson 04")]
    assert table.split("\n")[-1] == (
        r"| **E4** | *What is written:* A recursive walk. *What holds:* An iterative walk, "
        r"for $n$ nodes, $\vert x\vert  \Vert  y$. "
        "*Held by:* [test_graphs.py](../tests/test_graphs.py) (1). "
        "| report §2.1.3 | [The order](04_graphs.ipynb#The-order) |"
    )
    house_again = with_claims("A graph is a graph.", "A graph is a pair.")
    path = tmp_path / "claims" / "lesson_04.toml"
    path.write_text(textwrap.dedent(house_again["claims/lesson_04.toml"]), encoding="utf-8")
    assert ledger.is_stale(tmp_path)


def test_a_search_over_a_grid(tmp_path):
    claims = read_claims(house(tmp_path) / "claims")
    search = ClaimSearch(claims)
    for lesson in ("", "04"):
        for document in ("", "report", "slides"):
            for words in ("", "walk", "GRAPH", "§2.1.3 walk", "nowhere", "<b>"):
                search.lesson.value, search.document.value = lesson, document
                search.words.value = words
                found = select(claims, document=document, lesson=lesson, words=words)
                assert f"<p>{len(found)} of 2 claims" in search.found.value
                assert as_html(found) in search.found.value
                assert search.found.value.count("<b>") == len(found)
    assert [claim.identifier for claim in select(claims, words="walk recursive")] == ["E4"]
    assert [claim.identifier for claim in select(claims, document="slides")] == ["C3"]
    assert select(claims, lesson="05") == []


def test_the_choices_are_those_that_occur():
    claim = Claim("C3", "definition", "x < y", "slides p. 7; homework A q. 2", "04", "Graphs")
    search = ClaimSearch([claim])
    assert [value for _, value in search.lesson.options] == ["", "04"]
    assert [value for _, value in search.document.options] == ["", "slides", "homework A"]
    assert "x &lt; y" in search.found.value
    shown = search._repr_mimebundle_()
    assert shown["text/plain"].startswith("A search in the ledger")
    assert lessons.WIDGET in shown


# ---- a new lesson


def test_a_new_lesson_follows_the_rules(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["new_lesson.py", "05_back_propagation"])
    monkeypatch.setattr(new_lesson, "NOTEBOOKS", tmp_path)
    assert new_lesson.main() == 0
    said = capsys.readouterr().out
    assert "notebooks/05_back_propagation.ipynb" in said and "claims/lesson_05.toml" in said
    path = tmp_path / "05_back_propagation.ipynb"
    assert lessons.lint(path) == []
    lesson = nbformat.read(path, as_version=4)
    assert lesson.cells[0].source.startswith("# 05 · Back propagation\n")
    text = "\n".join(cell.source for cell in lesson.cells)
    for part in ("**You need**", "**Before you run it.**", "**Erratum.**", "use_style()", "alt="):
        assert part in text
    assert lesson.cells[-1].source.startswith("## Summary")
    assert ledger.cited(text) == set()


@pytest.mark.parametrize(
    "name", ["", "backpropagation", "5_backpropagation", "05", "05_Back", "05_a b", "05_x/../y"]
)
def test_a_badly_formed_name_is_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["new_lesson.py", name])
    assert new_lesson.main() == 1
    assert f"make lesson: NAME is {name!r}, expected two digits" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["00_welcome", "00_another"])
def test_a_lesson_is_not_overwritten(name, monkeypatch, capsys):
    before = (ROOT / "notebooks" / "00_welcome.ipynb").read_bytes()
    monkeypatch.setattr("sys.argv", ["new_lesson.py", name])
    assert new_lesson.main() == 1
    assert "lesson 00 is there already: notebooks/00_welcome.ipynb" in capsys.readouterr().err
    assert (ROOT / "notebooks" / "00_welcome.ipynb").read_bytes() == before
    assert not (ROOT / "notebooks" / "00_another.ipynb").exists()


# ---- the contributor's page


@pytest.mark.parametrize("page", ["docs/contributing.md", "claims/README.md"])
def test_a_page_names_what_there_is(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    commands = set(re.findall(r"`make ([a-z-]+)", text))
    assert commands and commands <= targets
