"""The tests' own servers do what the fault tests rely on."""

import psycopg
import pytest
import redis

from .servers import Postgres, Redis


@pytest.mark.postgres
def test_postgres_keeps_its_data_over_a_crash(own_postgres: Postgres) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS value")

    own_postgres.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_postgres.url)
    own_postgres.start()

    with psycopg.connect(own_postgres.url) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [(1,)]


@pytest.mark.redis
def test_redis_keeps_its_data_over_a_crash(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url) as client:
        client.set("kept", "1")

        own_redis.stop()
        with pytest.raises(redis.ConnectionError):
            client.get("kept")
        own_redis.start()

        assert client.get("kept") == b"1"


@pytest.mark.redis
def test_a_held_server_answers_when_it_goes_on(own_redis: Redis) -> None:
    with redis.Redis.from_url(own_redis.url, socket_timeout=0.1, retry=None) as client:
        client.ping()

        own_redis.pause()
        with pytest.raises(redis.TimeoutError):
            client.ping()
        own_redis.resume()

        assert client.ping()


@pytest.mark.postgres
def test_every_test_has_an_empty_postgres_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        assert connection.execute(tables).fetchall() == []


@pytest.mark.redis
@pytest.mark.parametrize("_time", ["first", "second"])
def test_every_test_has_an_empty_redis_database(redis_url: str, _time: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("left", "over")
