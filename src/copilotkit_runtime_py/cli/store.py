"""The store of the commands, and how they print it."""

from __future__ import annotations

from urllib.parse import urlsplit

from ..errors import ConfigurationError
from ..state_store.from_url import MEMORY, scheme_of, sqlite_path

DEFAULT_STORE = "sqlite:///.copilotkit/threads.db"


def store_url(given: str | None) -> str:
    """Returns where threads are stored: the given place, or a file in the working directory.

    Raises:
        ConfigurationError: the file's directory cannot be made.
    """
    if given:
        return given
    directory = sqlite_path(DEFAULT_STORE).parent
    try:
        directory.mkdir(exist_ok=True)
        (directory / ".gitignore").write_text("*\n")
    except OSError as error:
        raise ConfigurationError(
            f"Threads cannot be stored in {directory}: {error.strerror or error}. Say where with --store "
            "sqlite:////another/place.db, or store none with --store memory."
        ) from error
    return DEFAULT_STORE


def stored(store: str) -> str:
    """Says where threads are stored."""
    if store == MEMORY:
        return "Threads are stored in memory: they are lost when the server stops."
    if scheme_of(store) == "sqlite":
        return f"Threads are stored in {sqlite_path(store)}. Use --store memory to store none."
    return f"Threads are stored at {place_of(store)}."


def place_of(store: str) -> str:
    """Returns the place that a URL names, without the password that the URL may hold."""
    scheme = scheme_of(store)
    if scheme == "sqlite":
        return str(sqlite_path(store))
    parts = urlsplit(store)
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
