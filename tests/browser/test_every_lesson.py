"""Every lesson as a student meets it: run all of it, in both themes, and move what moves."""

from collections.abc import Iterator

import pytest
from lab import ROOT, Lab, Lesson

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

# What can be moved, be it of ipywidgets or of our own: a slider, a drop-down list.
CONTROLS = ".jp-OutputArea :is(.noUi-handle, input[type=range], select)"

# What the outputs of the control's cell show besides the control itself and its own reading.
SHOWN = """(control) => {
    const area = control.closest(".jp-Cell-outputArea");
    const rest = area.cloneNode(true);
    rest.querySelectorAll(".widget-slider, .widget-dropdown, input, select, output")
        .forEach((part) => part.remove());
    const painted = [...area.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL());
    return [rest.innerHTML, ...painted].join();
}"""


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def lesson(lab: Lab, request: pytest.FixtureRequest) -> Iterator[tuple[str, Lesson]]:
    """The name of a lesson, and the lesson after Run All Cells."""
    opened = lab.open(request.param.name)
    opened.run_all()
    yield request.param.stem, opened
    assert opened.complaints == []
    lab.close_lessons()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_in_both_themes(lesson: tuple[str, Lesson], theme: str) -> None:
    """Nothing complains, and a picture of the whole page is kept to be looked at."""
    name, page = lesson
    page.theme(theme)
    page.screenshot(f"{name}-{theme}")
    assert page.complaints == []


def test_a_control_moves_the_page(lesson: tuple[str, Lesson]) -> None:
    """The first slider or list changes what its cell shows, and not only itself."""
    name, page = lesson
    controls = page.page.locator(CONTROLS)
    if controls.count() == 0:
        pytest.skip(f"{name} has no slider and no drop-down list")
    control = controls.first
    before = control.evaluate(SHOWN)
    move(control)
    page.page.wait_for_function(
        f"([control, before]) => ({SHOWN})(control) !== before",
        arg=[control.element_handle(), before],
        timeout=60_000,
    )
    assert page.complaints == []
    page.screenshot(f"{name}-moved")


def move(control) -> None:
    """Move a control by one step, as the keyboard does."""
    control.scroll_into_view_if_needed()
    if control.evaluate("control => control.tagName") == "SELECT":
        chosen = control.evaluate("list => list.selectedIndex")
        control.select_option(index=0 if chosen else 1)
        return
    control.focus()
    at = "control => control.getAttribute('aria-valuenow') ?? control.value"
    before = control.evaluate(at)
    control.press("ArrowRight")
    if control.evaluate(at) == before:  # it was at its end
        control.press("ArrowLeft")
