"""Tries random input for a while: `python -m tests.fuzz --minutes 10`.

Runs every test that Hypothesis gives examples to, round after round with another seed, until the time is over
or one fails. It then prints the seed and the example. Hypothesis keeps examples that failed in `.hypothesis`,
and tries them first from then on.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import click

TESTS: Final = Path(__file__).parent
FACTOR: Final = 10


def fuzzed_files() -> list[str]:
    """Returns the files that hold tests with random input."""
    files = sorted(TESTS.rglob("test_*.py"))
    return [str(file) for file in files if "node_modules" not in file.parts and "@given(" in file.read_text()]


def main() -> int:
    """Fuzzes, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    environment = {**os.environ, "COPILOTKIT_FUZZ": str(FACTOR)}
    seed, rounds = options.seed, 0
    while (seconds := until - time.monotonic()) > 0:
        click.echo(f"round {rounds + 1}, seed {seed}")
        command = [sys.executable, "-m", "pytest", "--quiet", "--exitfirst", "--numprocesses=auto"]
        command += ["--timeout=0", "-m", "hypothesis", f"--hypothesis-seed={seed}", *fuzzed_files()]
        try:
            failed = subprocess.run(command, env=environment, timeout=seconds, check=False).returncode
        except subprocess.TimeoutExpired:
            break
        if failed:
            click.echo(f"failed with seed {seed}: python -m tests.fuzz --seed {seed}")
            return failed
        seed, rounds = seed + 1, rounds + 1
    click.echo(f"{rounds} whole rounds, and a part of one: no failure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
