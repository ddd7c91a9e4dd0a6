"""What the tests of closing are made of: the page's table, and answers in the table's words."""

from sqlalchemy import text

from threepeat.database.personal import personal_tables

STATES = ("enabled", "closing", "off", "quarantined")
HOOKS = ("on_enabled", "on_closing", "on_disabled")


def table(page):
    """What a page says, by row and state."""
    lines = [line.strip().strip("|").split("|") for line in page.splitlines() if line.startswith("| `")]
    rows = [[part.strip().replace("`", "") for part in line] for line in lines]
    named = {row[0]: dict(zip(STATES, row[2:], strict=True)) for row in rows}
    assert len(named) == len(rows), "a row stands twice on the page"
    return named


def one(words):
    """The word that all of several gave; several that differ are a word of their own, which no table has."""
    return " and ".join(sorted(set(words)))


def said(answer):
    """An answer in the table's words."""
    code = answer.json()["type"].rpartition(":")[2] if answer.status_code >= 400 else ""
    return f"{answer.status_code} {code}" if answer.status_code in {409, 403} else str(answer.status_code)


def holding(stand, member):
    """The plugin's tables that hold rows of a member."""
    with stand.platform.database.ops.connect() as connection:
        tables = [one for one in personal_tables(connection) if one.table.schema == stand.subject.id]
        return {
            str(one)
            for one in tables
            if connection.execute(
                text(f'SELECT 1 FROM {one.table.quoted} WHERE tenant_id = :tenant AND "{one.member}" = :member'),
                {"tenant": stand.tenant.id, "member": member},
            ).first()
        }
