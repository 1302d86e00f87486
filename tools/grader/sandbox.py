"""A process in which a submission runs, with nothing in reach that it could spoil or copy.

With bubblewrap (`bwrap`, Linux), it sees its own processes, no network, a read-only system, and of
the course nothing but the package; what it writes is kept in memory and dropped. As root, it also
runs as the user `nobody`. Without bubblewrap, what remains are limits on time, memory, processes
and files: `Sandbox.confined` says which it is.
"""

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

import minimlcourse

from . import wire

HERE = Path(__file__).parent
PACKAGE = Path(minimlcourse.__file__).parent
CHECKS = PACKAGE / "classroom" / "checks"
NOBODY = 65534
TICK = 0.25  # seconds between two looks at clock and memory
START_SECONDS = 60
GRACE_SECONDS = 3  # for a cell to stop by itself when its time is over
REPLY_BYTES = 1 << 26
DISK_BYTES = 1 << 28  # all files together, in memory
FILE_BYTES = 1 << 27
PROCESSES = 64
OPEN_FILES = 256


class Stopped(Exception):
    """The submission's process is no more; says why, in words for the student."""


class Sandbox:
    """The process of one submission.

    Parameters
    ----------
    folder : Path
        Its files other than notebooks are copied.
    total_seconds : float
        For all that is asked of it.
    memory_bytes : int
        For all of its processes together.
    """

    confined: bool  # by bubblewrap

    def __init__(self, folder: Path, total_seconds: float, memory_bytes: int) -> None:
        self.memory_bytes = memory_bytes
        self.end = time.monotonic() + total_seconds
        self.stopped = ""
        self.confined = not why_not_confined()
        self._scratch = tempfile.TemporaryDirectory(prefix="grading-", ignore_cleanup_errors=True)
        scratch = Path(self._scratch.name)
        copy_files(folder, scratch / "files")
        (scratch / "home").mkdir()
        self._channel, other = socket.socketpair()
        user = NOBODY if os.geteuid() == 0 and (self.confined or open_to_all()) else None
        command = [sys.executable, "-s", HERE / "worker.py"]
        settings = {
            "limits": limits(total_seconds, memory_bytes, os.geteuid() if user is None else user),
            "user": user,
            "files": "/submission" if self.confined else str(scratch / "files"),
            "home": "/tmp/home" if self.confined else str(scratch / "home"),
        }
        if user is not None:
            scratch.chmod(0o755)
        with tempfile.TemporaryFile() as complaints:
            with other:
                self._process = subprocess.Popen(
                    confine(command, scratch) if self.confined else command,
                    stdin=other, stdout=subprocess.DEVNULL, stderr=complaints,
                    cwd=scratch, env=environment(), start_new_session=True,
                )  # fmt: skip
            try:
                self.ask(settings, START_SECONDS)
            except Stopped as error:
                self.close()
                complaints.seek(0)
                said = complaints.read(4000).decode(errors="replace")
                raise RuntimeError(f"the sandbox does not start: {error}\n{said}") from None

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send a request and wait for its reply, which may be any plain JSON.

        Raises
        ------
        Stopped
            If no reply comes in time; then everything in the sandbox is killed, and no later
            request is answered.
        """
        if self.stopped:
            raise Stopped(self.stopped)
        end = min(time.monotonic() + seconds + GRACE_SECONDS, self.end)
        looked = time.monotonic()

        def tick() -> None:
            nonlocal looked
            now = time.monotonic()
            if now > end:
                raise Stopped(
                    f"it took more than {seconds:.0f} s and could not be interrupted"
                    if now < self.end
                    else "all of the time for the notebook is used up"
                )
            if now > looked + TICK:
                looked = now
                if self._memory() > self.memory_bytes:
                    raise Stopped("it used more memory than there is for a notebook")

        try:
            self._channel.settimeout(START_SECONDS)
            wire.send(self._channel, request)
            self._channel.settimeout(TICK)
            reply = wire.receive(self._channel, REPLY_BYTES, tick)
            if not isinstance(reply, dict):
                raise ValueError("not a reply")
        except Stopped as error:
            self.stopped = str(error)
        except (EOFError, OSError):
            self.stopped = "its process ended: it was killed, or it killed itself"
        except (ValueError, RecursionError):
            self.stopped = "its process sent what no notebook sends"
        else:
            return reply
        self._kill()
        raise Stopped(self.stopped)

    def close(self) -> None:
        """End all of its processes and drop its files."""
        self._kill()
        self._channel.close()
        self._scratch.cleanup()

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _processes(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            first = psutil.Process(self._process.pid)
            return [first, *first.children(recursive=True)]
        return []

    def _memory(self) -> int:
        total = 0
        for process in self._processes():
            with suppress(psutil.Error):
                total += process.memory_info().rss
        return total

    def _kill(self) -> None:
        """Kill bubblewrap, and the kernel kills what is inside; else all that can be found."""
        found = self._processes()
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        psutil.wait_procs(found, timeout=10)


@functools.cache
def why_not_confined() -> str:
    """Nothing where bubblewrap works, else the reason why it does not."""
    if shutil.which("bwrap") is None:
        return "bubblewrap (bwrap) is not installed"
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("files", "home"):
            (Path(scratch) / name).mkdir()
        attempt = subprocess.run(
            confine([sys.executable, "-c", ""], Path(scratch)), capture_output=True, text=True
        )
    return attempt.stderr.strip() or "bubblewrap fails" if attempt.returncode else ""


def confine(command: list[Any], scratch: Path) -> list[Any]:
    """Put bubblewrap around a command; what is not named here is not there."""
    arguments: list[Any] = ["bwrap", "--die-with-parent", "--new-session"]
    arguments += ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    if os.geteuid() != 0:  # root needs no such namespace, and leaves its account inside
        arguments += ["--unshare-user"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for top in ("/bin", "/sbin", "/lib", "/lib64"):
        if os.path.islink(top):
            arguments += ["--symlink", os.readlink(top), top]
        else:
            arguments += ["--ro-bind-try", top, top]
    for part in ("ld.so.cache", "localtime", "fonts", "alternatives"):
        arguments += ["--ro-bind-try", f"/etc/{part}", f"/etc/{part}"]
    arguments += ["--perms", "0777", "--size", DISK_BYTES, "--tmpfs", "/tmp"]
    prefixes = {Path(sys.prefix), Path(sys.base_prefix)} - {Path("/usr")}
    for place in (*prefixes, PACKAGE, HERE):
        for parent in reversed(place.parents[:-1]):  # bubblewrap would make them for root alone
            arguments += ["--perms", "0755", "--dir", parent]
    for prefix in prefixes:
        arguments += ["--ro-bind", prefix, prefix]
    # The package, without the modules that know the exercises and their answers.
    arguments += ["--ro-bind", PACKAGE, PACKAGE, "--tmpfs", CHECKS]
    arguments += ["--ro-bind", HERE / "no_checks.py", CHECKS / "__init__.py"]
    arguments += ["--ro-bind", CHECKS / "calling.py", CHECKS / "calling.py", "--remount-ro", CHECKS]
    for name in ("worker.py", "wire.py"):
        arguments += ["--ro-bind", HERE / name, HERE / name]
    arguments += ["--ro-bind", scratch / "files", "/submission", "--chdir", "/tmp"]
    return [str(argument) for argument in [*arguments, "--remount-ro", "/", "--", *command]]


def limits(seconds: float, memory: int, user: int) -> dict[str, int]:
    """What the kernel enforces on each process."""
    running = 0
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            running += process.num_threads() if process.uids().real == user else 0
    return {
        "RLIMIT_AS": memory,
        "RLIMIT_CPU": int(seconds) + 1,
        "RLIMIT_FSIZE": FILE_BYTES,
        "RLIMIT_NOFILE": OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_NPROC": running + PROCESSES,  # the kernel counts all that the user runs
    }


def open_to_all() -> bool:
    """Whether another user could run this Python."""
    places = [Path(sys.prefix), Path(sys.base_prefix), PACKAGE]
    ways = [way for place in places for way in (place, *place.parents)]
    return all(way.stat().st_mode & 0o005 == 0o005 for way in ways)


def environment() -> dict[str, str]:
    """The variables that a submission sees: none of the teacher's."""
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",
        "USER": "student",
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(PACKAGE.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "NBGRADER_EXECUTION": "autograde",
        **dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def copy_files(source: Path, target: Path) -> None:
    """Copy what a submission holds beside its notebooks; links are left out."""

    def unwanted(folder: str, names: list[str]) -> list[str]:
        return [n for n in names if n.endswith(".ipynb") or not _is_plain(Path(folder, n))]

    shutil.copytree(source, target, ignore=unwanted)


def _is_plain(path: Path) -> bool:
    return not path.is_symlink() and (path.is_file() or path.is_dir())
