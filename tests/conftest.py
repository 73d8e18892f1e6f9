import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from .examples import FACTOR, examples
from .servers import Postgres, Redis

# A machine that is busy takes long for the simplest example. A continuous integration run tries
# the same examples each time, so that it fails because of a change.
settings.register_profile(
    "patient",
    deadline=None,
    derandomize=bool(os.environ.get("CI")) and FACTOR == 1,
    max_examples=examples(),
    print_blob=True,
)
settings.load_profile("patient")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server whose user may create databases."""
    if url := os.environ.get("COPILOTKIT_TEST_POSTGRES"):
        yield url
        return
    with Postgres() as server:
        yield server.url


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[str]:
    """The URL of a Redis database that every test empties."""
    if url := os.environ.get("COPILOTKIT_TEST_REDIS"):
        yield url
        return
    with Redis() as server:
        yield server.url


@pytest.fixture
def postgres_url(shared_postgres: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database. Only for tests marked `postgres`."""
    import psycopg
    from psycopg import sql

    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(shared_postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield shared_postgres.rpartition("/")[0] + f"/{name}"
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def redis_url(shared_redis: str) -> str:
    """The URL of an empty Redis database. Only for tests marked `redis`."""
    import redis

    with redis.Redis.from_url(shared_redis) as client:
        client.flushdb()
    return shared_redis


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgres", marks=pytest.mark.postgres),
        pytest.param("redis", marks=pytest.mark.redis),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty state store: a test that takes it is run with each kind that outlives a process."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'threads.db'}"
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server that the test may stop. Only for tests marked `postgres`."""
    with Postgres() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis server that the test may stop, and that keeps its data. Only for tests marked `redis`."""
    with Redis(persistent=True) as server:
        yield server
