"""Where threads are kept: memory, SQLite, PostgreSQL or Redis, behind one interface.

`base` is the interface, `from_url` opens a store by its URL, `memory`, `redis` and `sql/` implement it. A
store keeps encoded events and knows nothing of agents or protocols. `testing.state_store` checks any
implementation.
"""
