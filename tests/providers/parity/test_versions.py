"""Which versions of the frameworks go together, as docs/crewai.md has it."""

import re
import tomllib
from pathlib import Path


def test_the_docs_name_the_versions_that_are_tested_together() -> None:
    root = Path(__file__).parents[3]
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((root / "uv.lock").read_text())["package"]
    }
    rows = re.findall(
        r"^\| `(\S+)` \| `(\S+)` \| (\S+) \|$", (root / "docs" / "crewai.md").read_text(), re.MULTILINE
    )
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]

    assert [name for name, _, _ in rows] == ["crewai", "langgraph", "langchain-core"]
    assert [tested for _, _, tested in rows] == [locked[name] for name, _, _ in rows]
    required = {line.partition(";")[0] for extra in ("crewai", "langgraph") for line in project[extra]}
    assert {f"{name}{accepted}" for name, accepted, _ in rows} <= required
