"""The progress panel on a page, and where there is none."""

import pytest

import minimlcourse.classroom.checks.panel as module
from minimlcourse.classroom.checks import exercise
from minimlcourse.classroom.checks.exercise import Verdict
from minimlcourse.classroom.checks.panel import Panel, page, record

ONE = exercise("03.1")


class Page:
    """What a browser's page is sent."""

    def __init__(self):
        self.name = "morning"
        self.shown = []
        self.updated = []

    def display(self, data, raw):
        self.shown.append(data)

    def update(self, data, raw):
        self.updated.append(data)


@pytest.fixture
def browser(monkeypatch):
    """A page, and no panel that an earlier test has shown."""
    browser = Page()
    monkeypatch.setattr(module, "page", lambda: browser.name)
    monkeypatch.setattr(module, "DisplayHandle", lambda: browser)
    monkeypatch.setattr(Panel, "_latest", None)
    return browser


def solve(panel, folder):
    record(Verdict(ONE, True, "Right."), folder)
    panel.refresh()


def test_it_changes_where_it_is_shown(browser, tmp_path):
    panel = Panel([ONE], tmp_path)
    assert browser.shown == browser.updated == []
    panel._ipython_display_()
    solve(panel, tmp_path)
    assert [data["text/plain"] for data in browser.shown + browser.updated] == [
        "The progress panel: 0 of 1 points.",
        "The progress panel: 1 of 1 points.",
    ]
    assert "solved" in browser.updated[0]["text/html"]


def test_it_is_shown_again_once_the_page_has_been_loaded_again(browser, tmp_path):
    before, latest = Panel([ONE], tmp_path), Panel([ONE], tmp_path)
    before._ipython_display_()
    latest._ipython_display_()
    browser.name = "evening"
    before.refresh()
    solve(latest, tmp_path)
    assert len(browser.shown) == 3 and browser.updated == []
    latest.refresh()
    assert len(browser.shown) == 3 and len(browser.updated) == 1


def test_a_teacher_who_marks_sees_none(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    panel = Panel([ONE], tmp_path)
    panel._ipython_display_()
    panel.refresh()
    assert browser.shown == browser.updated == []


def test_outside_a_notebook_there_is_no_page():
    assert page() == ""
