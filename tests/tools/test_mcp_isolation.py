"""What a page gets of the user interface of an MCP App."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from copilotkit_runtime_py.tools.mcp.isolation import isolated

LOADED = 'const text = "\\u003cp>Hi\\u003c/p>";'


@pytest.mark.parametrize(
    "content",
    [
        {"uri": "ui://a", "mimeType": "text/html;profile=mcp-app", "text": "<p>Hi</p>"},
        {"uri": "ui://a", "mimeType": "text/plain", "text": "<p>Hi</p>"},
        {"uri": "UI://a", "text": "<p>Hi</p>"},
        {"uri": "https://a", "mimeType": "Text/HTML", "text": "<p>Hi</p>"},
        {"uri": "ui://a", "blob": base64.b64encode(b"<p>Hi</p>").decode()},
    ],
)
def test_a_document_runs_without_the_origin_of_the_page(content: dict[str, Any]) -> None:
    (shown,) = isolated({"contents": [content]}, "data://a")["contents"]

    assert LOADED in shown["text"]
    assert 'setAttribute("sandbox", "allow-scripts allow-forms")' in shown["text"]
    assert "blob" not in shown


@pytest.mark.parametrize("asked", ["ui://a", "UI://a"])
def test_what_comes_for_a_user_interface_is_a_document_whatever_it_is_called(asked: str) -> None:
    content = {"uri": "data://a", "mimeType": "text/plain", "text": "<p>Hi</p>"}
    (shown,) = isolated({"contents": [content]}, asked)["contents"]

    assert LOADED in shown["text"]


def test_a_document_cannot_end_the_script_that_loads_it() -> None:
    html = '</script><script>steal()</script><!--<script>\u2028\\" `${x}`'
    (shown,) = isolated({"contents": [{"uri": "ui://a", "text": html}]}, "ui://a")["contents"]

    assert shown["text"].lower().count("</script") == 1
    assert "<!--" not in shown["text"]


def test_other_resources_stay_as_they_are() -> None:
    contents = [
        {"uri": "data://a", "mimeType": "application/json", "text": "{}"},
        {"uri": "data://b", "blob": "AA=="},
    ]
    assert isolated({"contents": contents}, "data://a") == {"contents": contents}


def test_a_policy_names_domains_and_nothing_else() -> None:
    domains = [
        "https://cdn.example.com",
        "https://*.example.com:8443/a/b.js",
        "example.com",
        "wss://live.example.com:*",
        'https://x"><script>steal()</script>',
        "https://x; script-src *",
        "*",
        "'unsafe-eval'",
        "data:",
        7,
        "https://a b",
        "https://a\n",
    ]
    meta = {"ui": {"csp": {"resourceDomains": domains, "connectDomains": domains}, "border": True}}
    (shown,) = isolated({"contents": [{"uri": "ui://a", "text": "x", "_meta": meta}]}, "ui://a")["contents"]

    assert shown["_meta"] == {
        "ui": {"csp": {"resourceDomains": domains[:4], "connectDomains": domains[:4]}, "border": True}
    }
