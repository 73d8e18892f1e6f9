import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[1]
TARGETS = [
    "help",
    "demo",
    "showcase",
    "pictures",
    "test",
    "unit",
    "pages",
    "next",
    "served-zoo",
    "extras",
    "frameworks",
    "check",
    "format",
    "contract",
    "soak",
    "fuzz",
    "torture",
    "compat",
    "lowest",
    "mutation",
    "docs",
    "bench",
    "build",
    "clean",
]


def make(*arguments: str) -> str:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout


def test_make_alone_lists_the_targets() -> None:
    assert re.findall(r"^  make (\S+) +\S", make(), re.MULTILINE) == TARGETS


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_expands(target: str) -> None:
    assert make("--dry-run", target)


def test_the_unit_tests_leave_out_every_marker() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"][
        "markers"
    ]
    expression = re.search(r'-m "(not [^"]*)"', make("--dry-run", "unit"))

    assert expression is not None
    needs = [marker.partition(":")[0] for marker in declared if "attack" not in marker]
    assert expression[1].split(" and ") == [f"not {marker}" for marker in needs]


def test_ci_calls_the_targets_and_fails_with_them(tmp_path: Path) -> None:
    fake = tmp_path / "make"
    fake.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" != "$FAILS" ]\n')
    fake.chmod(0o755)

    def run(fails: str) -> tuple[bool, list[str]]:
        (tmp_path / "calls").write_text("")
        environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "FAILS": fails}
        done = subprocess.run(["bash", str(ROOT / ".ci" / "run")], cwd=tmp_path, env=environment, check=False)
        return done.returncode == 0, (tmp_path / "calls").read_text().splitlines()

    calls = ["check", "test", "next ARGS=-k newest"]
    assert run(fails="") == (True, calls)
    for place, call in enumerate(calls):
        assert run(fails=call.split()[0]) == (False, calls[: place + 1])


@pytest.mark.parametrize("name", ["ci", "compatibility", "docs"])
def test_the_workflows_call_only_targets_that_exist(name: str) -> None:
    workflow = (ROOT / ".github" / "workflows" / f"{name}.yml").read_text()

    called = re.findall(r"- run: (.*)", workflow)
    assert called
    assert all(re.fullmatch(rf"make ({'|'.join(TARGETS)})", command) for command in called)
