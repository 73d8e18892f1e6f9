"""The operator's mistakes in a line instead of a traceback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import click

from ..app.settings import SettingsError
from ..errors import ConfigurationError, StoreUnusableError
from ..providers.target import TargetError


@contextlib.contextmanager
def plain_errors() -> Iterator[None]:
    """Turns what the operator can mend into an error of the command line.

    Raises:
        click.UsageError: the options are malformed or contradict each other.
        click.ClickException: an agent or a store that they name cannot be used.
    """
    try:
        yield
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except (TargetError, ConfigurationError, StoreUnusableError) as error:
        raise click.ClickException(str(error)) from error
