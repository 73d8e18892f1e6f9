"""What Alembic runs to migrate the database that it is handed."""

from alembic import context

from copilotkit_runtime_py.state_store.sql.schema import VERSION_TABLE
from copilotkit_runtime_py.state_store.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    # SQLite cannot alter a table's columns in place.
    render_as_batch=True,
)
context.run_migrations()
