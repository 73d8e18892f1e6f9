from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.clients import node as graphql
from tests.clients_agui import node as agui
from tests.npm import install

from .judge import Judge


@pytest.fixture(scope="session")
def judge() -> Iterator[Judge]:
    if shutil.which("npm") is None:
        pytest.skip("Node 20 or newer and npm are needed")
    install(graphql.HERE)
    install(agui.HERE)
    process = Judge({**os.environ, **agui.ENVIRONMENT})
    yield process
    process.close()
