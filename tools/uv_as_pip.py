"""Run uv with the package index that pip is configured to use.

uv reads none of pip's settings, so a machine that reaches packages through a mirror (PIP_INDEX_URL,
pip.conf) would install with pip and fail with uv. This translates the settings that say where
packages come from; a UV_* variable that is already set has the last word.

    python tools/uv_as_pip.py pip install numpy
"""

import ast
import os
import subprocess
import sys

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
}


def pip_settings(listing: str) -> dict[str, str]:
    r"""Read what ``pip config list`` prints: lines such as ``global.index-url='https://…'``.

    The environment overrides the [install] section of a file, which overrides its [global] section.

    >>> pip_settings("global.index-url='a'\n:env:.index-url='b'\ndownload.index-url='c'")
    {'index-url': 'b'}
    """
    values: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in values:
            values[section][option] = ast.literal_eval(value)
    return values["global"] | values["install"] | values[":env:"]


def uv_environment(settings: dict[str, str]) -> dict[str, str]:
    """Say the same in uv's variables.

    >>> uv_environment({"find-links": "/disk /stick"})
    {'UV_INDEX_STRATEGY': 'unsafe-best-match', 'UV_FIND_LINKS': '/disk,/stick'}
    """
    # pip takes the best version that any of its indexes has; "unsafe" is uv's word for that.
    variables = {"UV_INDEX_STRATEGY": "unsafe-best-match"}
    for option, variable in UV_NAMES.items():
        if option in settings:
            separator = "," if option == "find-links" else " "
            variables[variable] = separator.join(settings[option].split())
    return variables


def main() -> int:
    """Translate the settings and hand the command line over to uv."""
    listing = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    environment = uv_environment(pip_settings(listing)) | os.environ
    return subprocess.call([sys.executable, "-m", "uv", *sys.argv[1:]], env=environment)


if __name__ == "__main__":
    sys.exit(main())
