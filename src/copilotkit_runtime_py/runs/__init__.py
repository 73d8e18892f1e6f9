"""The life of a run: preparing its input, claiming its thread, producing its log, recording it, ending it.

`request` is what a protocol asks for, `thread_locks` claims the thread, `capacity`
counts runs, `run` consumes the agent's stream, `event_log` holds what readers see, `journal` writes it to
the store, `completion` records the end, `remote_run` and `recovery` deal with runs of other workers,
`thread_view` and `replay` serve readers that join later. May import `agui`, `guardrails`, `logs`,
`providers.base`, `state_store` and `tools`; is imported by `runtime` and `protocols`.
"""
