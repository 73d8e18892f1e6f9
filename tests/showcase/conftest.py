"""The built showcase, served by its own command, and tabs of a browser that show it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import browser
from tests.npm import build

from .tab import Tab

__all__ = ["browser"]

ROOT = Path(__file__).parents[2]
SHOWCASE = ROOT / "showcase"

Open: TypeAlias = Callable[..., Tab]


@contextmanager
def serving(store: str) -> Iterator[str]:
    """Serves the showcase by its command, and gives its URL.

    Raises:
        AssertionError: the server logged an error.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "showcase", "--port", "0", "--store", store],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said: list[str] = []
    try:
        for line in process.stdout:
            if found := re.match(r"Showcase: (http://\S+)", line):
                break
            said.append(line)
        else:
            raise AssertionError("".join(said))
        reader = threading.Thread(target=lambda: said.extend(process.stdout or ()))
        reader.start()
        yield found[1]
    finally:
        process.terminate()
        process.wait(20)
    reader.join()
    process.stdout.close()
    # It warns of a busy machine.
    assert re.findall(r"^.*(?:ERROR|CRITICAL|Traceback|Exception).*$", "".join(said), re.MULTILINE) == []


@pytest.fixture(scope="package")
def page() -> Path:
    """The folder of the built page."""
    return build(
        SHOWCASE / "page",
        *SHOWCASE.glob("*.html"),
        *SHOWCASE.glob("*.py"),
        *(SHOWCASE / "agents").glob("*.py"),
    )


@pytest.fixture(scope="package")
def showcase(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the showcase."""
    with serving(f"sqlite:///{tmp_path_factory.mktemp('showcase')}/threads.db") as url:
        yield url


@pytest.fixture
def open_tab(browser: Browser, showcase: str) -> Iterator[Open]:
    """Opens features in tabs, each tab in a browser window of its own, and with a script that runs first."""
    expect.set_options(timeout=15_000)
    contexts = []
    tabs: list[Tab] = []

    def open_tab(
        feature: str, thread_id: str | None = None, *, url: str = showcase, script: str = "", **options: Any
    ) -> Tab:
        options = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"} | options
        contexts.append(browser.new_context(**options))
        contexts[-1].add_init_script(script)
        tabs.append(Tab(contexts[-1].new_page(), url, feature, thread_id))
        return tabs[-1]

    yield open_tab
    for context in contexts:
        context.close()
    assert [tab.problems for tab in tabs] == [[] for _ in tabs]
