import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from copilotkit_runtime_py.errors import ConfigurationError
from copilotkit_runtime_py.state_store.base import Retention
from copilotkit_runtime_py.state_store.from_url import open_state_store
from copilotkit_runtime_py.state_store.memory import MemoryStateStore
from copilotkit_runtime_py.state_store.redis import RedisStateStore
from copilotkit_runtime_py.state_store.sql import SQLStateStore


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory", MemoryStateStore),
        ("postgresql://u:p@127.0.0.1:1/d", SQLStateStore),
        ("postgres://127.0.0.1:1/d", SQLStateStore),
        ("redis://127.0.0.1:1/0", RedisStateStore),
        ("rediss://127.0.0.1:1/0", RedisStateStore),
    ],
)
def test_a_url_opens_its_store_without_connecting(url: str, kind: type[Any]) -> None:
    store = open_state_store(url, lease_seconds=7.0, retention=Retention(max_age=timedelta(days=1)))

    assert type(store) is kind
    assert store.lease_seconds == (None if url == "memory" else 7.0)


def test_sqlite_takes_a_path_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert open_state_store("sqlite:///threads.db").url == f"sqlite:///{tmp_path}/threads.db"


@pytest.mark.parametrize("url", ["mongodb://u:s3cret@h/d", "threads.db", "", "Memory", "u:s3cret@h"])
def test_another_kind_of_store_is_refused_with_the_ones_there_are(url: str) -> None:
    with pytest.raises(ConfigurationError, match="write memory, sqlite:///") as raised:
        open_state_store(url)

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "package", "extra"),
    [("postgresql://h/d", "psycopg", "postgres"), ("redis://h/0", "redis", "redis")],
)
def test_a_missing_package_is_told_with_its_extra(
    url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigurationError, match=rf"pip install 'copilotkit-runtime-py\[{extra}\]'"):
        open_state_store(url)


def test_a_directory_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"The directory {tmp_path}/missing"):
        open_state_store(f"sqlite:///{tmp_path}/missing/threads.db")


def test_a_directory_that_is_read_only_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)

    with pytest.raises(ConfigurationError, match=f"cannot be stored in {tmp_path}, which is read-only"):
        open_state_store(f"sqlite:///{tmp_path}/threads.db")
