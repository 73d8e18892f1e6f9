"""Builds the documentation site from docs/, the files of the project's root and the code.

`pages` makes the pages that are not in docs/, `reference` those of the reference, and `hooks` gives both to
MkDocs.
Nothing of this is shipped to users.
"""
