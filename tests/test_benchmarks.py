"""The figures in docs/benchmarks.md are of the code that they speak of."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "src/copilotkit_runtime_py"
# What an event or a run passes on its way, and the stores.
MEASURED = (
    *("agui", "runs", "state_store", "protocols", "tools/loop.py"),
    *("providers/remote.py", "providers/function.py", "providers/langgraph"),
)


def git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_benchmarks_are_not_older_than_what_they_measure() -> None:
    if git("rev-parse").returncode:
        pytest.skip("the history of the code is needed")
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    found = re.search(r"^Commit ([0-9a-f]{12})\. ", page, re.MULTILINE)
    assert found, "The page names no commit: run `make bench ARGS=--write` on a clean checkout."
    if git("cat-file", "-e", found[1]).returncode:
        pytest.skip("the history does not reach back to the commit that was measured")

    changed = git(
        "diff", "--name-only", found[1], "HEAD", "--", *(f"{PACKAGE}/{path}" for path in MEASURED)
    ).stdout

    assert changed.split() == [], "Run `make bench ARGS=--write`, or say on the page which rows are older."
