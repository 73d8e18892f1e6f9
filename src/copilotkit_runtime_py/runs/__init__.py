"""The life of a run: claiming its thread, opening its agent, producing its log, recording it, ending it.

`request` is what a protocol asks for. `capacity` counts runs, `thread_locks` claims threads. `agent_run` is
the agent's part of a run, `run` consumes its stream, `event_log` holds what readers see, `lifecycle` is what
a run does besides, `journal` writes the log to the store, `completion` folds it, `title` names its thread.
`remote_run` reads runs of other workers, `recovery` ends those whose worker died. `thread_view` and `replay`
serve readers that join later, `healing` mends threads of earlier releases, `imports` takes threads from
elsewhere. Imports `agui`, `attachments`, `generative_ui`, `guardrails`, `logs`, `providers`, `state_store`
and `tools`; `runtime`, `protocols` and `cli` import it.
"""
