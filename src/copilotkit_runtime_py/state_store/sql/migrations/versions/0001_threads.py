"""Threads, their runs with the events, and what agents left."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates the tables."""
    _create_threads()
    _create_runs()
    _create_batches()
    _create_states()


def _create_threads() -> None:
    op.create_table(
        "copilotkit_threads",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("last_number", sa.Integer, nullable=False),
        sa.Column("running", sa.Boolean, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )
    op.create_index("copilotkit_threads_of_owner", "copilotkit_threads", ["owner", "updated_at", "id"])
    op.create_index("copilotkit_threads_by_age", "copilotkit_threads", ["updated_at", "id"])


def _create_runs() -> None:
    op.create_table(
        "copilotkit_runs",
        sa.Column(
            "thread_id",
            sa.Text,
            sa.ForeignKey("copilotkit_threads.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("agent_name", sa.Text, nullable=False),
        sa.Column("producer", sa.Text, nullable=False),
        sa.Column("started_at", sa.Double, nullable=False),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("stop_requested", sa.Boolean, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
        sa.Column("length", sa.Integer, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("compacted", sa.LargeBinary),
    )


def _create_batches() -> None:
    op.create_table(
        "copilotkit_batches",
        sa.Column("thread_id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id", "number"],
            ["copilotkit_runs.thread_id", "copilotkit_runs.number"],
            ondelete="CASCADE",
        ),
    )


def _create_states() -> None:
    op.create_table(
        "copilotkit_states",
        sa.Column(
            "thread_id",
            sa.Text,
            sa.ForeignKey("copilotkit_threads.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("agent_name", sa.Text, primary_key=True),
        sa.Column("data", sa.LargeBinary, nullable=False),
    )
