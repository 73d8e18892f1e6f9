"""The npm packages of the client tests."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
QUIET = {"COPILOTKIT_TELEMETRY_DISABLED": "true", "DO_NOT_TRACK": "1", "SCARF_ANALYTICS": "false"}
