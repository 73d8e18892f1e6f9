"""The schema's version: migrations apply by themselves, one worker at a time."""

from __future__ import annotations

import threading
from typing import Final

from sqlalchemy import Connection, Engine, column, func, inspect, select, table
from sqlalchemy.exc import DBAPIError

from ...errors import ConfigurationError

VERSION: Final = "0001"
"""The newest revision under `migrations`."""

VERSION_TABLE: Final = "copilotkit_schema"

# Any number that no other user of the database takes.
_ADVISORY_LOCK: Final = 7_265_104_881_023_511

_INSUFFICIENT_PRIVILEGE: Final = "42501"

# Alembic keeps what it works on in module globals.
_alembic = threading.Lock()


def is_current(connection: Connection) -> bool:
    """Returns whether the tables are as this release needs them.

    Raises:
        ConfigurationError: a newer release made them.
    """
    if not inspect(connection).has_table(VERSION_TABLE):
        return False
    found = connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE)))
    if found is not None and found > VERSION:
        raise ConfigurationError(
            f"The state store has schema version {found}, and this release of copilotkit-runtime-py knows "
            f"those up to {VERSION}: upgrade it, or use another database."
        )
    return bool(found == VERSION)


def migrate(engine: Engine) -> None:
    """Brings the tables up to date, in one transaction.

    Raises:
        ConfigurationError: a newer release made them, or the database's user may not change them.
    """
    try:
        with _alembic, engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
            if not is_current(connection):
                _upgrade(connection)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _INSUFFICIENT_PRIVILEGE:
            cause = str(error.orig).partition("\n")[0]
            raise ConfigurationError(f"The state store's tables cannot be made: {cause}.") from error
        raise


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
