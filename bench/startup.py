"""How long it takes to start."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench import servers
from bench.compare import Table, markdown

PROGRAM = str(Path(sys.executable).with_name("copilotkit-runtime-py"))
FUNCTION_AGENT = f"{Path(__file__).with_name('function_agent.py')}:agent"


def cpu_of(command: list[str]) -> float:
    """The CPU of a command, in milliseconds."""
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent * 1e3


def time_to_answer() -> float:
    """Seconds from the start of `serve` to its first answer."""
    began = time.perf_counter()
    with servers.serve(FUNCTION_AGENT):
        return time.perf_counter() - began


def measure(quick: bool) -> list[str]:
    """Returns the table."""
    repetitions = 3 if quick else 9
    bare = median(cpu_of([sys.executable, "-c", ""]) for _ in range(repetitions))
    load = [sys.executable, "-c", "import copilotkit_runtime_py"]
    rows: Table = [
        ["`python -c ''`, for comparison", f"{bare:.0f} ms of CPU"],
        [
            "`import copilotkit_runtime_py`",
            f"{median(cpu_of(load) for _ in range(repetitions)):.0f} ms of CPU",
        ],
        [
            "`copilotkit-runtime-py --help`",
            f"{median(cpu_of([PROGRAM, '--help']) for _ in range(repetitions)):.0f} ms of CPU",
        ],
        [
            "`serve` to its first answer",
            f"{median(time_to_answer() for _ in range(repetitions)):.1f} s",
        ],
    ]
    return [markdown("Start", ["", ""], rows)]
