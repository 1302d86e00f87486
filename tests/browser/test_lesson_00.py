"""Lesson 00 as a student uses it: open it, run it, draw."""

import re
from collections.abc import Iterable, Iterator

import matplotlib.image
import numpy as np
import pytest
from lab import Lab, Lesson
from playwright.sync_api import expect

ONE = [(0.5, 0.1 + 0.8 * t) for t in np.linspace(0, 1, 15)]
ZERO = [(0.5 + 0.22 * np.cos(a), 0.5 + 0.36 * np.sin(a)) for a in np.linspace(0, 6.3, 40)]

# The paper without the lesson: tall and narrow ink is a 1, any other a 0.
PAPER = """
import numpy as np
from minimlcourse.classroom import DigitCanvas

def predict(pixels):
    return np.eye(10)[int(pixels.reshape(28, 28).any(axis=0).sum() < 9)]

DigitCanvas(predict, example=[[(60, 140), (220, 140)]])
"""


@pytest.fixture(scope="module")
def lesson(lab: Lab) -> Iterator[Lesson]:
    """The lesson after Run All Cells, in one browser for all the tests."""
    lesson = lab.open("00_welcome.ipynb")
    lesson.run_all()
    yield lesson
    assert lesson.complaints == []


def shares(lesson: Lesson) -> tuple[int, ...]:
    """What the ten bars say, in per cent; nothing while the paper is empty."""
    label = lesson.page.locator(".mml-bars").get_attribute("aria-label")
    return tuple(int(share) for share in re.findall(r"\d: (\d+) %", label or ""))


def draw(lesson: Lesson, path: Iterable[tuple[float, float]]) -> set[tuple[int, ...]]:
    """Draw a stroke with the mouse, and return all that the bars said on the way.

    The path's points are (across, down) the paper, from 0 to 1.
    """
    paper = lesson.page.locator(".mml-paper")
    paper.scroll_into_view_if_needed()
    box = paper.bounding_box()
    mouse = lesson.page.mouse
    said = set()
    for number, (x, y) in enumerate(path):
        mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            mouse.down()
        lesson.page.wait_for_timeout(30)
        said.add(shares(lesson))
    mouse.up()
    return said


def reads(lesson: Lesson, text: str) -> None:
    expect(lesson.page.locator(".mml-status")).to_have_text(text)


# ---- the lesson, with the network that it trained


def test_digits_are_read_while_they_are_drawn(lesson):
    clear = lesson.page.get_by_role("button", name="Clear")
    reads(lesson, "The network reads 3.")  # the example

    clear.click()
    reads(lesson, "Draw a digit with the mouse, a pen or a finger.")
    assert shares(lesson) == ()

    said = draw(lesson, ZERO)
    reads(lesson, "The network reads 0.")
    assert shares(lesson)[0] > 80
    assert len(said) > 5, "the bars did not move while the digit was drawn"

    clear.click()
    draw(lesson, ONE)
    reads(lesson, "The network reads 1.")
    assert shares(lesson)[1] > 80


def test_both_themes(lesson):
    """Ink is darker than paper on a light page, and lighter on a dark one."""
    draw(lesson, ONE)
    for theme, sign in (("light", 1), ("dark", -1)):
        lesson.theme(theme)
        lesson.screenshot(f"00-{theme}")
        for part in ("paper", "seen"):
            picture = lesson.screenshot(f"00-{theme}-{part}", f".mml-{part}")
            grey = matplotlib.image.imread(picture)[..., :3].mean(axis=-1)
            paper = np.median(grey)
            ink = grey.flat[np.abs(grey - paper).argmax()]
            assert sign * (paper - ink) > 0.6, f"{part} is hard to see in the {theme} theme"


def test_figures_are_said_in_words(lesson):
    figures = lesson.page.locator("[data-mime-type='image/png'] img")
    words = lesson.page.get_by_text(re.compile("^Figure: "))
    assert figures.count() == words.count() > 0
    for description in words.all():
        box = description.bounding_box()
        assert box["width"] <= 1 and box["height"] <= 1  # read aloud, and not seen


# ---- the paper alone


@pytest.fixture
def paper(lab: Lab) -> Iterator[Lesson]:
    lesson = lab.open(lab.write(PAPER), has_touch=True)
    lesson.run_all()
    reads(lesson, "The network reads 0.")  # the example
    yield lesson
    assert lesson.complaints == []


def test_the_first_stroke_replaces_the_example(paper):
    draw(paper, ONE)
    reads(paper, "The network reads 1.")


def test_a_finger_draws_and_does_not_scroll(paper):
    paper.page.set_viewport_size({"width": 800, "height": 400})  # there is room to scroll
    canvas = paper.page.locator(".mml-paper")
    canvas.scroll_into_view_if_needed()
    before = canvas.bounding_box()
    finger = paper.page.context.new_cdp_session(paper.page)
    for number, (x, y) in enumerate(ONE):
        place = {"x": before["x"] + x * before["width"], "y": before["y"] + y * before["height"]}
        kind = "touchMove" if number else "touchStart"
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    reads(paper, "The network reads 1.")
    assert canvas.bounding_box() == before


def test_the_keyboard_draws(paper):
    paper.page.get_by_role("button", name="Clear").focus()
    paper.page.keyboard.press("Tab")
    canvas = paper.page.locator(".mml-paper")
    expect(canvas).to_be_focused()
    reads(paper, "Arrow keys move the pen, space lowers and lifts it, Delete clears the paper.")
    for key in [*["ArrowUp"] * 10, "Space", *["ArrowDown"] * 20, "Space"]:
        paper.page.keyboard.press(key)
    reads(paper, "The network reads 1.")
    paper.page.keyboard.press("Delete")
    reads(paper, "Draw a digit with the mouse, a pen or a finger.")
    # The keys were meant for the paper: JupyterLab did not move on to another cell.
    expect(canvas).to_be_focused()


def test_what_fails_is_shown(lab):
    """A predict that returns scores where probabilities are expected."""
    example = "[[(140, 40), (140, 240)]]"
    setup = "import numpy as np\nfrom minimlcourse.classroom import DigitCanvas"
    failing = f"DigitCanvas(lambda pixels: np.arange(10.0), {example})"
    lesson = lab.open(lab.write(setup, failing))
    lesson.run_all()
    expect(lesson.page.locator(".mml-error")).to_contain_text("is a softmax missing?")
    assert lesson.complaints == []


def test_a_kernel_that_is_gone_is_said(paper):
    """Drawing after the kernel has died: the page says so, and does not pretend to think."""
    paper.page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
    draw(paper, ONE)
    expect(paper.page.locator(".mml-status")).to_contain_text("Waiting for the kernel")
    paper.complaints.clear()  # JupyterLab says it on the console too
