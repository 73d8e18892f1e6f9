"""Where this installation came from: a project that `init` writes installs the same."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, Final

_NAME: Final = "copilotkit-runtime-py"


def requirement(extra: str) -> str:
    """Returns the requirement that installs this distribution once more, from the same place.

    That is a repository at a commit, a file or a directory, or an index if nothing is on record (PEP 610).

    Args:
        extra: the extra to ask for.
    """
    try:
        record = distribution(_NAME).read_text("direct_url.json")
        source = _source(json.loads(record)) if record else None
    except (PackageNotFoundError, ValueError, KeyError):
        source = None
    return f"{_NAME}[{extra}]" if source is None else f"{_NAME}[{extra}] @ {source}"


def _source(record: dict[str, Any]) -> str:
    vcs, url = record.get("vcs_info"), str(record["url"])
    subdirectory = f"#subdirectory={record['subdirectory']}" if "subdirectory" in record else ""
    if vcs is None:
        return f"{url}{subdirectory}"
    return f"{vcs['vcs']}+{url}@{vcs['commit_id']}{subdirectory}"
