-- Threads, their runs with the events, and what agents left. Times are seconds since 1970, in UTC.
CREATE TABLE copilotkit_threads (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    name TEXT,
    archived BOOLEAN NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    updated_at DOUBLE PRECISION NOT NULL,
    -- The number of the last run, and whether it is not over.
    last_number INTEGER NOT NULL,
    running BOOLEAN NOT NULL,
    -- The size of runs and states, as the end of the last run left it.
    bytes BIGINT NOT NULL
);
CREATE INDEX copilotkit_threads_of_owner ON copilotkit_threads (owner, updated_at, id);
CREATE INDEX copilotkit_threads_by_age ON copilotkit_threads (updated_at, id);
CREATE TABLE copilotkit_runs (
    thread_id TEXT NOT NULL REFERENCES copilotkit_threads (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    id TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    producer TEXT NOT NULL,
    started_at DOUBLE PRECISION NOT NULL,
    lease_until DOUBLE PRECISION NOT NULL,
    stop_requested BOOLEAN NOT NULL,
    ended BOOLEAN NOT NULL,
    -- How many events the log has, and whether they are still there: else only the compacted form is.
    length INTEGER NOT NULL,
    whole BOOLEAN NOT NULL,
    bytes BIGINT NOT NULL,
    compacted BYTEA,
    PRIMARY KEY (thread_id, number)
);
CREATE TABLE copilotkit_batches (
    thread_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    -- The place of the first event in the log, and how many there are.
    position INTEGER NOT NULL,
    count INTEGER NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (thread_id, number, position),
    FOREIGN KEY (thread_id, number) REFERENCES copilotkit_runs (thread_id, number) ON DELETE CASCADE
);
CREATE TABLE copilotkit_states (
    thread_id TEXT NOT NULL REFERENCES copilotkit_threads (id) ON DELETE CASCADE,
    agent_name TEXT NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (thread_id, agent_name)
);
