"""Stores for threads: memory, SQLite, PostgreSQL and Redis, behind one interface.

`base` is the interface, `from_url` opens a store by its URL, `memory`, `redis` and `sql/` implement it. A
store holds encoded events and does not depend on agents or protocols. `testing.state_store` checks any
implementation. Imports `agui` and `logs`.
"""
