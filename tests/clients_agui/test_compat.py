"""The comparison with the newest packages tells what is different, and of the pinned ones nothing."""

from __future__ import annotations

import json

import pytest

from tests.clients_agui import watched
from tests.clients_agui.compat import PINNED_CORE, differences, told_by
from tests.clients_agui.node import HERE
from tests.npm import install

pytestmark = [pytest.mark.clients, pytest.mark.timeout(180)]


def test_the_pinned_packages_say_the_same_every_time_and_a_change_is_told() -> None:
    install(HERE)
    first, second = (told_by(HERE, PINNED_CORE) for _ in range(2))

    assert differences(first, second) == ""
    assert {
        subject: [request["path"] for request in json.loads(text)]
        for subject, text in first.items()
        if subject.startswith("requests")
    } == {
        "requests-rest.json": ["/api/info", "/api/agent/default/connect", "/api/agent/default/run"],
        "requests-single.json": ["/api", "/api", "/api"],
    }
    changed = second | {"info-rest.json": second["info-rest.json"].replace("1.75.0", "9.0.0")}
    assert [line for line in differences(first, changed).splitlines() if line[0] in "+-"][2:] == [
        '-  "version": "1.75.0",',
        '+  "version": "9.0.0",',
    ]


def test_a_newer_version_of_a_watched_package_is_a_difference() -> None:
    known = watched.known()
    newer = known | {
        "watched/npm": known["watched/npm"].replace("mcp-middleware 0.0.2", "mcp-middleware 0.0.3")
    }

    assert differences(known, known) == ""
    assert [line for line in differences(known, newer).splitlines() if line[0] in "+-"][2:] == [
        "-@ag-ui/mcp-middleware 0.0.2",
        "+@ag-ui/mcp-middleware 0.0.3",
    ]
