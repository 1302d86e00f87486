"""JupyterLab in a browser, as a test sees it: open a lesson, run it, use it, look at it."""

from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, Route

ROOT = Path(__file__).parents[2]
SCREENSHOTS = ROOT / "artifacts" / "browser"
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


class Lesson:
    """A notebook that is open in the browser.

    Attributes
    ----------
    page : Page
        Playwright's page, for what this class does not do.
    complaints : list of str
        What went wrong so far: errors on the console, uncaught exceptions, requests that failed or
        that left this machine.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("console", self._listen)
        page.route("**/*", lambda route, request: self._stay_home(route, request, origin))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location.get('url')})")

    def _stay_home(self, route: Route, request: Request, origin: str) -> None:
        if request.url.startswith((origin, "data:", "blob:")):
            route.continue_()
        else:
            self.complaints.append(f"a request to {request.url}")
            route.abort()

    def wait(self) -> None:
        """Wait until the page has been loaded and the kernel is idle."""
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        # The notebook's own toolbar says idle too early, and what is run then is silently lost.
        status = self.page.locator("#jp-main-statusbar").get_by_text("Python 3 (ipykernel) | Idle")
        status.wait_for(timeout=60_000)

    def run_all(self, timeout: float = 120) -> None:
        """Choose Run All Cells in the menu, wait until every cell has run, and refuse errors."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator(".lm-Menu-item[data-command='runmenu:run-all']").click()
        self.page.wait_for_function(
            """() => {
                const cells = jupyterapp.shell.currentWidget.content.model.sharedModel.cells
                    .filter((cell) => cell.cell_type === "code" && cell.source.trim());
                return cells.every((cell) => cell.execution_count)
                    && cells.every((cell) => cell.executionState !== "running");
            }""",
            timeout=1000 * timeout,
        )
        errors = self.page.locator("[data-mime-type='application/vnd.jupyter.error']")
        assert errors.all_inner_texts() == []

    def cell(self, identifier: str) -> Locator:
        """The cell with an id, such as "check-04-3"."""
        place = self.page.evaluate(
            """(id) => jupyterapp.shell.currentWidget.content.widgets
                .findIndex((cell) => cell.model.id === id)""",
            identifier,
        )
        assert place >= 0, f"there is no cell {identifier}"
        return self.page.locator(".jp-Notebook .jp-Cell").nth(place)

    def type(self, identifier: str, code: str) -> None:
        """Write code into a cell, in place of what is there, with the keyboard."""
        self.cell(identifier).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)

    def run(self, identifier: str) -> Locator:
        """Run a cell, wait until it has run, and return its output."""
        cell = self.cell(identifier)
        cell.locator(".cm-content").click()
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
        return cell.locator(".jp-Cell-outputArea")

    def save(self) -> None:
        """Save the notebook with the keyboard, and wait until it is saved."""
        self.page.keyboard.press("ControlOrMeta+s")
        self.page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme, "light" or "dark", as the Settings menu does."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", THEMES[name]
        )
        body = f"body[data-jp-theme-name='{THEMES[name]}']"
        self.page.wait_for_selector(body, state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def screenshot(self, name: str, selector: str = "") -> Path:
        """Keep a picture of the element that a selector finds, or else of the whole notebook."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{name}.png"
        if selector:
            self.page.locator(selector).screenshot(path=path)
            return path
        # A notebook scrolls inside the page: make the page as high as the notebook.
        size = self.page.viewport_size
        height = self.page.locator(".jp-WindowedPanel-inner").bounding_box()["height"]
        self.page.set_viewport_size(size | {"height": round(height) + 150})
        self.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, 0)")
        self.page.screenshot(path=path)
        self.page.set_viewport_size(size)
        return path


class Lab:
    """A running JupyterLab."""

    def __init__(self, browser: Browser, folder: Path, address: str, token: str) -> None:
        self._browser = browser
        self._folder = folder
        self._address = address
        self._token = token
        self._lessons: list[Lesson] = []

    def write(self, *code: str) -> str:
        """Write a notebook with these cells for a test, and return its name for ``open``."""
        name = f"test-{len(list(self._folder.iterdir()))}.ipynb"
        kernel = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
        cells = [new_code_cell(source) for source in code]
        nbformat.write(new_notebook(cells=cells, metadata=kernel), self._folder / name)
        return name

    def open(self, notebook: str, theme: str = "light", **context: Any) -> Lesson:
        """Open a notebook and wait until its kernel is idle.

        Further arguments are Playwright's for a browser context, such as ``has_touch``.
        """
        context.setdefault("viewport", {"width": 1280, "height": 900})
        page = self._browser.new_context(**context).new_page()
        lesson = Lesson(page, self._address)
        self._lessons.append(lesson)
        page.goto(f"{self._address}/lab/tree/{notebook}?token={self._token}&reset")
        lesson.wait()
        lesson.theme(theme)
        return lesson

    def close_lessons(self) -> None:
        """Close what is open, and stop the kernels."""
        for lesson in self._lessons:
            lesson.page.evaluate("() => jupyterapp.serviceManager.sessions.shutdownAll()")
            lesson.page.context.close()
        self._lessons.clear()
