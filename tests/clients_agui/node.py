"""The npm packages of these tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.node import QUIET

HERE = Path(__file__).parent
ENVIRONMENT = {**QUIET, "NODE_ENV": "production"}


def install() -> None:
    """Installs what package-lock.json says, unless that has been done."""
    lock, stamp = HERE / "package-lock.json", HERE / "node_modules" / ".installed"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
        stamp.touch()
