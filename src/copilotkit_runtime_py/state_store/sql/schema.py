"""The schema's version. Migrations are applied automatically, by one worker at a time."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from ...errors import StoreUnusableError
from .statement import Statement, Steps

MIGRATIONS: Final = ("0001", "0002", "0003")
"""The files under `migrations`, in order. Each holds statements that end with a semicolon at a line's end."""

_HAS_VERSION: Final = Statement("SELECT {has_version}")
_CREATE_VERSION: Final = Statement(
    "CREATE TABLE copilotkit_schema (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
)
_VERSION: Final = Statement("SELECT version_num FROM copilotkit_schema")
_FORGET_VERSION: Final = Statement("DELETE FROM copilotkit_schema")
_TOUCH_VERSION: Final = Statement("UPDATE copilotkit_schema SET version_num = version_num")
_SET_VERSION: Final = Statement("INSERT INTO copilotkit_schema (version_num) VALUES (:version)")


def is_current() -> Steps[bool]:
    """Returns whether the tables have the schema of this release.

    Raises:
        StoreUnusableError: a newer release created them.
    """
    return (yield from _version()) == MIGRATIONS[-1]


def migrate() -> Steps[None]:
    """Migrates the tables. The transaction must keep other workers from doing the same.

    Raises:
        StoreUnusableError: a newer release created the tables.
    """
    found = yield from _version()
    if found == MIGRATIONS[-1]:
        return
    if not found:
        yield _CREATE_VERSION, {}
    for version in MIGRATIONS:
        if version > found:
            text = files(__package__).joinpath("migrations", f"{version}.sql").read_text("utf-8")
            for statement in text.split(";\n"):
                if statement.strip():
                    yield Statement(statement), {}
    yield _FORGET_VERSION, {}
    yield _SET_VERSION, {"version": MIGRATIONS[-1]}


def touch() -> Steps[None]:
    """Writes an unchanged value, to check that the database takes writes."""
    yield _TOUCH_VERSION, {}


def _version() -> Steps[str]:
    """Returns the version of the tables, or an empty string if there are none."""
    ((exists,),) = yield _HAS_VERSION, {}
    rows = (yield _VERSION, {}) if exists else ()
    found = str(rows[0][0]) if rows else ""
    if found > MIGRATIONS[-1]:
        raise StoreUnusableError(
            f"The state store has schema version {found}, and this release of copilotkit-runtime-py knows "
            f"versions up to {MIGRATIONS[-1]}: upgrade it, or use another database."
        )
    return found
