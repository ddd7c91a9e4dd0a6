"""PostgreSQL: the embedded server, roles, tenant transactions, migrations and the checks on them."""
