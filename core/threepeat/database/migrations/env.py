"""The one Alembic environment, for core and for every plugin: a schema and a version table each."""

from alembic import context

options = context.config.attributes

context.configure(
    connection=options["connection"],
    version_table_schema=options["schema"],
    transaction_per_migration=False,
    threepeat_schema=options["schema"],
    threepeat_roles=options["roles"],
)

context.run_migrations()
