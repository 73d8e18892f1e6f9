"""Node projects of the tests, made once for all test processes."""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def install(project: Path) -> Path:
    """Returns the folder of a project's packages; they are installed anew only when the lock file changed."""
    installed = project / "node_modules" / ".installed"
    with _locked(project):
        if not _is_newer(installed, project / "package-lock.json", project / "package.json"):
            _npm(project, "ci", "--no-audit", "--no-fund")
            installed.touch()
    return installed.parent


def build(project: Path, *others: Path) -> Path:
    """Returns the folder of a built page; packages and page are made anew only when their sources changed.

    Args:
        project: the page's folder.
        others: files elsewhere that the page is made of.
    """
    installed = install(project) / ".installed"
    built = project / "dist" / ".built"
    sources = [
        path for path in (*project.iterdir(), *(project / "src").rglob("*"), *others) if path.is_file()
    ]
    with _locked(project):
        if not _is_newer(built, installed, *sources):
            _npm(project, "run", "build")
            built.touch()
    return built.parent


@contextmanager
def _locked(project: Path) -> Iterator[None]:
    """A build empties the folder that another process may be serving, so only one process makes it."""
    with (project / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_newer(made: Path, *sources: Path) -> bool:
    return made.exists() and all(made.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _npm(project: Path, *arguments: str) -> None:
    done = subprocess.run(["npm", *arguments], cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"npm {' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}", pytrace=False)
