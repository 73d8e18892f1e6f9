"""The npm packages of these tests."""

from __future__ import annotations

from pathlib import Path

from tests.clients.node import QUIET

HERE = Path(__file__).parent
ENVIRONMENT = {**QUIET, "NODE_ENV": "production"}
