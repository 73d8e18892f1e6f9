"""What a request tells."""

from __future__ import annotations

import dataclasses

import pytest

from copilotkit_runtime_py.context import ANONYMOUS, RequestContext


def test_a_request_that_tells_nothing_is_anonymous_and_has_an_id_of_its_own() -> None:
    first, second = RequestContext(), RequestContext()
    assert first.request_id != second.request_id
    assert dataclasses.replace(first, request_id="q") == RequestContext(request_id="q", owner=ANONYMOUS)


def test_nobody_can_change_who_asks() -> None:
    context = RequestContext(owner="ann")
    with pytest.raises(dataclasses.FrozenInstanceError):
        context.owner = "bob"  # type: ignore[misc]
