"""Which headers of a request reach an agent."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from copilotkit_runtime_py.app.headers import HeaderPolicy

SENT = [
    ("Authorization", "Bearer one"),
    ("X-Tenant", "5"),
    ("X-Request-Id", "q"),
    ("X-CopilotCloud-Public-API-Key", "ck_pub_1"),
    ("Cookie", "session=1"),
    ("Host", "shop.test"),
]


def test_by_default_the_authorization_and_the_callers_own_headers_go_along() -> None:
    assert HeaderPolicy().forwarded(SENT) == {"authorization": "Bearer one", "x-tenant": "5"}


@pytest.mark.parametrize(
    "name",
    [
        "Cookie", "Set-Cookie", "Host", "User-Agent", "Origin", "Referer", "Accept", "Content-Type",
        "Content-Length", "Proxy-Authorization", "Forwarded",
        "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server",
        "X-Real-IP", "X-Amzn-Trace-Id", "X-Amz-Cf-Id", "X-Amz-Anything", "X-Azure-Ref", "X-Vercel-Id",
        "X-Fastly-Client", "X-Middleware-Next", "X-Cloud-Trace-Context", "X-Cache", "X-Served-By",
        "X-Request-ID", "X-CopilotCloud-Public-Api-Key", "X-CopilotKit-Runtime-Client-GQL-Version",
    ],
)  # fmt: skip
def test_what_is_of_no_concern_to_an_agent_stays(name: str) -> None:
    for written in (name, name.lower(), name.upper()):
        assert HeaderPolicy().forwarded([(written, "x")]) == {}


def test_of_a_header_that_came_twice_the_one_that_a_dependency_sees_counts() -> None:
    sent = [("authorization", "one"), ("AUTHORIZATION", "two"), ("X-A", ""), ("x-a", "b")]
    seen = Headers(raw=[(name.lower().encode(), value.encode()) for name, value in sent])
    assert HeaderPolicy().forwarded(sent) == {"authorization": "one", "x-a": ""}
    assert (seen["authorization"], seen["x-a"]) == ("one", "")


def test_only_what_is_allowed_goes_along() -> None:
    policy = HeaderPolicy(allow=["X-Request-ID", "cookie"])
    assert policy.forwarded(SENT) == {"x-request-id": "q", "cookie": "session=1"}
    assert HeaderPolicy(allow=[]).forwarded(SENT) == {}


def test_what_belongs_to_the_connection_is_not_to_be_allowed() -> None:
    sent = [("Host", "a"), ("Content-Length", "5"), ("Transfer-Encoding", "chunked"), ("Connection", "close")]
    assert HeaderPolicy(allow=[name for name, _ in sent]).forwarded(sent) == {}


def test_what_is_denied_stays() -> None:
    assert HeaderPolicy(deny=["X-TENANT"]).forwarded(SENT) == {"authorization": "Bearer one"}
    assert HeaderPolicy(deny_prefixes=["X-"]).forwarded(SENT) == {"authorization": "Bearer one"}
    both = HeaderPolicy(allow=["authorization", "x-tenant"], deny=["authorization"], deny_prefixes=["x-ten"])
    assert both.forwarded(SENT) == {}
