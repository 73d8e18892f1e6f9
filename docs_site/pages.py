"""Pages of the site that are files elsewhere in the repository, and links between them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
DOCS: Final = "docs"

_PAGES: Final = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
_LANGUAGES: Final = {".py": "python", ".tsx": "tsx", ".ts": "ts", ".yaml": "yaml", ".conf": "nginx"}
_LINK: Final = re.compile(
    r"(?P<label>\[[^\]]*\])\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)"
)


def site_path(path: str) -> str:
    """Returns where the site has a file of the repository.

    Args:
        path: the file's path in the repository.
    """
    if path in _PAGES:
        return _PAGES[path]
    if path.startswith(f"{DOCS}/"):
        return path.removeprefix(f"{DOCS}/")
    return f"files/{path}" if path.endswith(".md") else f"files/{path}.md"


def linked(markdown: str, path: str) -> str:
    """Returns the text of a page with links that lead to pages of the site.

    Args:
        markdown: the text, with links to files of the repository.
        path: the page's own path in the repository.
    """
    own = posixpath.dirname(site_path(path))

    def replace(match: re.Match[str]) -> str:
        target = _resolved(path, match["path"])
        if (ROOT / target).is_dir():
            return match["label"][1:-1]
        if not _is_page(target) and not target.startswith(f"{DOCS}/"):
            return match[0]
        return f"{match['label']}({posixpath.relpath(site_path(target), own or '.')}{match['anchor'] or ''})"

    return _LINK.sub(replace, markdown)


def outside_docs() -> Iterator[tuple[str, str]]:
    """Yields the pages that come from files outside docs/, as their paths in the site and their texts.

    Those are the files of the root, and every source file that some page links to.
    """
    waiting = [*_PAGES, *(str(page.relative_to(ROOT)) for page in (ROOT / DOCS).rglob("*.md"))]
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        text = (ROOT / path).read_text(encoding="utf-8")
        if path.endswith(".md"):
            for match in _LINK.finditer(text):
                target = _resolved(path, match["path"])
                if target not in seen and _is_page(target) and (ROOT / target).is_file():
                    seen.add(target)
                    waiting.append(target)
        if not path.startswith(f"{DOCS}/"):
            yield site_path(path), linked(text, path) if path.endswith(".md") else _as_page(path, text)


def _is_page(path: str) -> bool:
    """Whether the site shows a file of the repository as a page. It has pictures as they are."""
    return posixpath.basename(path) == "Dockerfile" or posixpath.splitext(path)[1] in (".md", *_LANGUAGES)


def _resolved(page: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _as_page(path: str, source: str) -> str:
    return f"# `{path}`\n\n```{_LANGUAGES.get(Path(path).suffix, 'dockerfile')}\n{source}```\n"
