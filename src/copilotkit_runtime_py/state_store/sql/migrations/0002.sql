-- Files that users attach to messages. A file without a thread was not sent yet.
CREATE TABLE copilotkit_attachments (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    thread_id TEXT REFERENCES copilotkit_threads (id) ON DELETE CASCADE,
    media_type TEXT NOT NULL,
    filename TEXT,
    bytes BIGINT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    -- Whether all parts are there.
    complete BOOLEAN NOT NULL
);
CREATE INDEX copilotkit_attachments_of_owner ON copilotkit_attachments (owner);
CREATE INDEX copilotkit_attachments_of_thread ON copilotkit_attachments (thread_id);
CREATE INDEX copilotkit_attachments_unsent ON copilotkit_attachments (created_at) WHERE thread_id IS NULL;
CREATE TABLE copilotkit_attachment_parts (
    attachment_id TEXT NOT NULL REFERENCES copilotkit_attachments (id) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (attachment_id, place)
);
-- The secret that all workers share.
CREATE TABLE copilotkit_keys (
    name TEXT PRIMARY KEY,
    data BYTEA NOT NULL
);
