"""The page on CrewAI in the documentation."""

from pathlib import Path

import pytest

from tests.test_docs import ROOT, on_path, run_blocks

pytestmark = pytest.mark.filterwarnings("ignore::ImportWarning")

__all__ = ["on_path"]


def test_every_python_block_of_the_page_runs_and_its_apps_answer(on_path: Path) -> None:
    run_blocks(ROOT / "docs" / "crewai.md", on_path)
