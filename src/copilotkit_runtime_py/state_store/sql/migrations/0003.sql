-- When a thread's last run began or ended. Null for a thread without a run since this column was added: the time of
-- its last change stands for it, so that no row has to be rewritten.
ALTER TABLE copilotkit_threads ADD COLUMN last_run_at DOUBLE PRECISION;
DROP INDEX copilotkit_threads_of_owner;
CREATE INDEX copilotkit_threads_of_owner ON copilotkit_threads (owner, (coalesce(last_run_at, updated_at)), id);
