"""The zip that students get, on a machine that has nothing else: its two commands work."""

import os
import re
import signal
import subprocess
import time
import urllib.request
import zipfile

import pytest
import student

SECONDS = 900


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("student")
    student.pack(student.shipped(), folder / "bundle.zip")
    with zipfile.ZipFile(folder / "bundle.zip") as archive:
        archive.extractall(folder)  # without the mode of files, as some programs do
    return folder / student.TOP


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Return an environment without ours, and without a browser."""
    ours = ("VIRTUAL_ENV", "PYTHON", "DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "MAKE", "PYTEST")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings = str(tmp_path_factory.mktemp("jupyter"))
    return clean | dict.fromkeys(["JUPYTER_CONFIG_DIR", "JUPYTERLAB_WORKSPACES_DIR"], settings)


def test_make_lab_opens_the_course(unpacked, environment, tmp_path):
    log = tmp_path / "log"
    with log.open("w") as file:
        lab = subprocess.Popen(
            ["make", "lab"],
            cwd=unpacked,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + SECONDS
        while not (
            address := re.search(r"(http://\S+/)lab/tree/\S*\?(token=\w+)", log.read_text())
        ):
            assert lab.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.5)
        server, token = address.groups()
        for page in ("lab/tree/notebooks/00_welcome.ipynb", "api/contents/README.md"):
            with urllib.request.urlopen(f"{server}{page}?{token}") as answer:
                assert answer.status == 200
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(timeout=60)
    assert not (unpacked / ".venv/bin/nbgrader").exists(), "students need no nbgrader"


def test_make_test_passes(unpacked, environment):
    done = subprocess.run(
        ["make", "test"], cwd=unpacked, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert re.search(r"\d+ passed", done.stdout)
