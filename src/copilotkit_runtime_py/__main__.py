"""`python -m copilotkit_runtime_py` is the command `copilotkit-runtime-py`."""

from .cli import cli

cli(prog_name="python -m copilotkit_runtime_py")
