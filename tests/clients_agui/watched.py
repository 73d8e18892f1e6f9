"""Packages of others whose changes matter here: frameworks' adapters, and the middleware of the Node runtime.

`watched.json` has the versions that were last looked at. For a newer one, read its changes, run the tests
with it, and write its version down.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

WATCHED: Final = Path(__file__).with_name("watched.json")


def known() -> dict[str, str]:
    """Returns the versions that were last looked at, by registry."""
    return {f"watched/{registry}": _lines(found) for registry, found in _read().items()}


def newest() -> dict[str, str]:
    """Returns the newest versions, by registry.

    Raises:
        subprocess.CalledProcessError: a registry does not answer, or does not have a package.
    """
    packages = _read()
    npm = {name: _output("npm", "view", name, "version") for name in packages["npm"]}
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    options = ("--no-deps", "--no-header", "--no-annotate", "--quiet")
    listed = _output(uv, "pip", "compile", *options, "-", given="\n".join(packages["pypi"]))
    pypi = dict(line.split("==") for line in listed.splitlines())
    return {"watched/npm": _lines(npm), "watched/pypi": _lines(pypi)}


def _read() -> dict[str, dict[str, str]]:
    watched: dict[str, dict[str, str]] = json.loads(WATCHED.read_text(encoding="utf-8"))
    return watched


def _lines(versions: dict[str, str]) -> str:
    return "".join(f"{name} {version}\n" for name, version in sorted(versions.items()))


def _output(*command: str, given: str | None = None) -> str:
    done = subprocess.run(command, input=given, check=True, stdout=subprocess.PIPE, text=True, timeout=120)
    return done.stdout.strip()
