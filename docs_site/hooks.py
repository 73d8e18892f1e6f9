"""Hooks of MkDocs: see `mkdocs.yml`."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from docs_site import pages, reference


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that are not in docs/."""
    for path, text in (*pages.outside_docs(), *reference.pages()):
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Makes links that lead out of docs/ lead to pages of the site."""
    if page.file.generated_by is None:
        return pages.linked(markdown, f"{pages.DOCS}/{page.file.src_uri}")
    return markdown
