"""Files that users attach to messages: stored once, shown by signed links, and given to agents as content.

`files` stores files and reads them for their owners, `media_types` says what a file is, `links` makes the
links that messages hold and pages show. `contents` puts the content of files in the place of their links
where an agent gets a conversation. Imports `agui`, `providers` and `state_store`; `app`, `runs`,
`runtime` and `protocols` import it.
"""
