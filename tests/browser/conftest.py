"""JupyterLab and a browser, started for real: open a lesson, run it, use it, look at it.

A test asks for the fixture ``lab``::

    lesson = lab.open("00_welcome.ipynb", theme="dark")
    lesson.run_all()
    lesson.page.get_by_role("button", name="Clear").click()
    lesson.screenshot("welcome-dark")
    assert lesson.complaints == []

JupyterLab serves a copy of the lessons, so that its automatic saving cannot touch them.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import ROOT, Lab
from playwright.sync_api import Browser, Playwright, sync_playwright

NO_BROWSER = (
    "No Chromium was found: install it (Debian, Ubuntu: sudo apt install chromium; anywhere: "
    ".venv/bin/python -m playwright install --with-deps chromium) and run make test-browser again."
)

# Whatever is not about the lesson: updates, first-run pages, the sandbox and the shared memory that
# a container does not have.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]

SETTINGS = {
    # A question about news would cover the page.
    "@jupyterlab/apputils-extension/notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
    # JupyterLab keeps only the cells on the screen in the page: a test wants to see them all.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium."""
    with sync_playwright() as playwright:
        program = find_chromium(playwright)
        if program is None:
            pytest.exit(NO_BROWSER, returncode=1)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def find_chromium(playwright: Playwright) -> str | None:
    """The machine's own Chromium or Chrome, or else the one that Playwright installed."""
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, str]]:
    """The folder, the address and the token of a JupyterLab that serves a copy of the lessons."""
    home = tmp_path_factory.mktemp("lab")
    lessons = shutil.copytree(ROOT / "notebooks", home / "notebooks")
    for name, values in SETTINGS.items():
        path = home / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "IPYTHONDIR": str(home / "ipython"),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
    }
    log = home / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
                *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={lessons}"),
                "--LabApp.expose_app_in_browser=True",
            ],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{address}/api/status?token={token}", process, log)
        yield lessons, address, token
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the server answers, or say what it said when it died."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture(scope="module")
def lab(browser: Browser, server: tuple[Path, str, str]) -> Iterator[Lab]:
    """JupyterLab with the lessons, in a browser."""
    running = Lab(browser, *server)
    yield running
    running.close_lessons()
