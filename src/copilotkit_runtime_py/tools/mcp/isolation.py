"""The user interface of an MCP App, shut off from the page that shows it.

CopilotKit's pages show a user interface in a frame of the page's own origin
(`@copilotkit/mcp-apps-renderer` 1.75): its scripts could read the page, its cookies and its storage. So what
a page gets is a script that takes the origin from the frame first, and then loads the document into it.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final

import orjson

UI_SCHEME: Final = "ui://"

_HTML: Final = ("text/html", "application/xhtml+xml")
# A host source of a content security policy, and nothing else: pages write it into the policy as it is.
_HOST_SOURCE: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://)?(?:\*\.)?[A-Za-z0-9.-]+(?::(?:\d+|\*))?(?:/[\w./~%-]*)?"
)
_LOADER: Final = """<!doctype html>
<meta charset="utf-8">
<script>
const text = __DOCUMENT__;
if (frameElement) {
  frameElement.setAttribute("sandbox", "allow-scripts allow-forms");
  frameElement.srcdoc = text;
} else {
  // The frame has an origin of its own already.
  document.open();
  document.write(text);
  document.close();
}
</script>
"""


def isolated(result: dict[str, Any], asked: str) -> dict[str, Any]:
    """Returns what a server answers to `resources/read` as a page may show it.

    Args:
        result: the answer in JSON form. Documents in it run without the page's origin, and domains that a
            content security policy cannot name are left out.
        asked: the URI that was asked for. A page shows what it gets for a user interface as a document,
            whatever the server says that it is.
    """
    is_interface = asked.lower().startswith(UI_SCHEME)
    contents = result.get("contents") or ()
    return {
        **result,
        "contents": [
            _isolated(content) if is_interface or _is_document(content) else content for content in contents
        ],
    }


def _is_document(content: dict[str, Any]) -> bool:
    media_type = str(content.get("mimeType") or "").partition(";")[0].strip().lower()
    return media_type in _HTML or str(content.get("uri")).lower().startswith(UI_SCHEME)


def _isolated(content: dict[str, Any]) -> dict[str, Any]:
    others = {name: value for name, value in content.items() if name not in ("text", "blob", "_meta")}
    meta = _with_host_sources(content["_meta"]) if "_meta" in content else None
    return {**others, "text": _loaded(_text_of(content))} | ({} if meta is None else {"_meta": meta})


def _text_of(content: dict[str, Any]) -> str:
    if content.get("text"):
        return str(content["text"])
    return base64.b64decode(content.get("blob") or "").decode("utf-8", "replace")


def _loaded(document: str) -> str:
    text = orjson.dumps(document).decode()
    # Nothing in the string may end the script.
    return _LOADER.replace("__DOCUMENT__", text.replace("<", "\\u003c"))


def _with_host_sources(value: Any) -> Any:
    """Returns metadata in which the domains of content security policies are domains."""
    if isinstance(value, dict):
        return {
            name: [each for each in domains if isinstance(each, str) and _HOST_SOURCE.fullmatch(each)]
            if name.endswith("Domains") and isinstance(domains, list)
            else _with_host_sources(domains)
            for name, domains in value.items()
        }
    return [_with_host_sources(each) for each in value] if isinstance(value, list) else value
