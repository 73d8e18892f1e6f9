"""Threads that version 2b74e1b stored, with the faults of that version.

`agents.py` has the agents, and `make.py` has written `threads.db.gz` with that version. The test opens
a copy.
"""
