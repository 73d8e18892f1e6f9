"""AG-UI 1.0 events as plain dicts, the one vocabulary of the runtime, and operations on streams of them.

`events` makes and encodes events, `normalizer` turns whatever an agent emits into a well-formed stream,
`reducer` folds a stream into messages and state, `compaction` shortens a finished one, `versions`
translates between AG-UI releases, `sse` reads and writes server-sent events. Nothing here knows runs,
stores, providers or HTTP. Imports `logs`; every other package may import from here.
"""
