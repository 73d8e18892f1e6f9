"""The npm packages of the client tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).parent
QUIET = {"COPILOTKIT_TELEMETRY_DISABLED": "true", "DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false"}


def install() -> None:
    """Installs what package-lock.json says, unless that has been done."""
    lock, stamp = HERE / "package-lock.json", HERE / "node_modules" / ".installed"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, check=True)
        stamp.touch()
