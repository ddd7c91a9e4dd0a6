"""The boot check that finds what erasure could not erase, before anybody asks for it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, create_engine, text

from threepeat.database.checks import BootError
from threepeat.database.config import driver_url
from threepeat.database.erasable import faults
from threepeat.database.personal import personal_tables, tenant_tables
from threepeat.events.platform import KeyConfig, Platform
from threepeat.sdk.migrations import CURRENT_TENANT
from threepeat.sdk.models import ANONYMISE, DELETE, OnErase, keep, personal
from threepeat.tenancy.keyring import new_line
from threepeat.testing.fixtures import Cluster


@pytest.fixture(scope="module")
def admin(cluster: Cluster) -> Iterator[Connection]:
    """A superuser who plants what a careless migration would; every test rolls back."""
    with cluster.database() as name:
        engine = create_engine(driver_url(cluster.admin_url).set(database=name))
        with engine.connect() as connection:
            yield connection
        engine.dispose()


def plant(
    admin: Connection,
    cluster: Cluster,
    columns: str,
    *,
    on_erase: OnErase | None = ANONYMISE,
    keeps: tuple[str, ...] = (),
    name: str = "planted",
    comment: str | None = None,
    more: str = "",
) -> None:
    roles, table, tied = cluster.roles, f"points.{name}", f"tenant_id = {CURRENT_TENANT}"
    said = (
        comment
        if comment is not None
        else personal("member_id", on_erase=on_erase, keeps=keeps)
        if on_erase
        else ""
    )
    run(
        admin,
        f"CREATE TABLE {table} (tenant_id bigint NOT NULL, {columns})",
        f"ALTER TABLE {table} OWNER TO {roles.owner}",
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} TO {roles.app} USING ({tied}) WITH CHECK ({tied})",
        f"CREATE POLICY everywhere ON {table} TO {roles.owner}, {roles.ops} USING (true) WITH CHECK (true)",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {roles.app}, {roles.ops}",
        f"COMMENT ON TABLE {table} IS '{said}'",
        *(statement for statement in more.format(table=table, **vars_of(cluster)).split(";") if statement.strip()),
    )


def vars_of(cluster: Cluster) -> dict[str, str]:
    return {"app": cluster.roles.app, "ops": cluster.roles.ops, "owner": cluster.roles.owner}


def run(admin: Connection, *statements: str) -> None:
    for statement in statements:
        admin.execute(text(statement.replace(":", "\\:")))


@contextmanager
def planted(admin: Connection) -> Iterator[None]:
    try:
        yield
    finally:
        admin.rollback()


def test_a_migrated_database_can_be_erased_everywhere(admin: Connection, cluster: Cluster):
    with planted(admin):
        assert faults(admin, cluster.roles) == []
        assert len(personal_tables(admin)) >= 15


def test_every_table_that_names_members_is_marked(admin: Connection, cluster: Cluster):
    """A check that looks at nothing finds nothing: take the comments away and each of them must be named."""
    with planted(admin):
        naming = {str(table) for table in tenant_tables(admin) if table.column("member_id") is not None}
        for table in naming:
            run(admin, f"COMMENT ON TABLE {table} IS NULL")
        named = {f"{fault.schema}.{fault.relation}" for fault in faults(admin, cluster.roles)}
    assert len(naming) >= 15
    assert named >= naming


COLUMNS = "member_id bigint, name text"
DROP = "DROP POLICY everywhere ON {table}"


@pytest.mark.parametrize(
    ("columns", "given", "says"),
    [
        (COLUMNS, {"on_erase": None}, "it names members, and no readable comment says what erasure does"),
        (COLUMNS, {"comment": "members and their names"}, "it names members, and no readable comment"),
        (COLUMNS, {"comment": '{"member": "nobody", "on_erase": "delete"}'}, "no readable comment"),
        (COLUMNS, {"comment": '{"member": "member_id", "on_erase": "shred"}'}, "no readable comment"),
        ("whom bigint", {"comment": '{"member": "who", "on_erase": "delete"}'}, "its comment cannot be read"),
        ("member_id integer", {}, "member_id must be a bigint"),
        ("member_id bigint, place point NOT NULL", {}, "place: nothing can take the place of a point"),
        ("member_id bigint, note xml NOT NULL", {}, "note: nothing can take the place of a xml"),
        (COLUMNS, {"keeps": ("name",)}, "it keeps name, and no CHECK on that column alone refuses free text"),
        (COLUMNS, {"keeps": ("named",)}, "it keeps named, and has no such column"),
        (
            "member_id bigint, name text CHECK (length(name) < 100)",
            {"keeps": ("name",)},
            "it keeps name, and no CHECK on that column alone refuses free text",
        ),
        (
            "member_id bigint, name text, kind text, CHECK (kind <> name OR name IN ('a', 'b'))",
            {"keeps": ("kind",)},
            "it keeps kind, and no CHECK on that column alone refuses free text",
        ),
        (
            "member_id bigint, kind text CHECK (kind IN ('a', 'b'))",
            {},
            "kind is made a hash, which its CHECK refuses: name it in keeps",
        ),
        (
            "member_id bigint, code text CHECK (CAST(code AS bigint) > 0)",
            {},
            "code is made a hash, which its CHECK refuses",
        ),
        (
            "member_id bigint, FOREIGN KEY (tenant_id, member_id) REFERENCES core.member (tenant_id, id)",
            {},
            "holds on to core.member, whose rows erasure deletes",
        ),
        (
            "member_id bigint, FOREIGN KEY (tenant_id, member_id) REFERENCES core.member (tenant_id, id)",
            {"on_erase": keep("a reason")},
            "holds on to core.member, whose rows erasure deletes",
        ),
        (
            "member_id bigint, k int8, FOREIGN KEY (tenant_id, k) REFERENCES orders.buyer (tenant_id, member_id)",
            {},
            "breaks when erasure changes k",
        ),
        (COLUMNS, {"more": "REVOKE DELETE ON {table} FROM {ops}"}, "the ops role, which erases, may not"),
        (COLUMNS, {"more": DROP}, "the ops role, which erases, may not"),
        (
            COLUMNS,
            {"more": f"{DROP}; CREATE POLICY part ON {{table}} TO {{ops}} USING (tenant_id > 1)"},
            "the ops role, which erases, may not",
        ),
        (
            COLUMNS,
            {"more": "CREATE POLICY fewer ON {table} AS RESTRICTIVE TO {ops} USING (tenant_id > 1)"},
            "the ops role, which erases, may not",
        ),
    ],
)
def test_what_erasure_could_not_erase_is_named(
    admin: Connection, cluster: Cluster, columns: str, given: dict[str, object], says: str
):
    with planted(admin):
        plant(admin, cluster, columns, **given)  # type: ignore[arg-type]
        found = [str(fault) for fault in faults(admin, cluster.roles)]
    assert len(found) == 1, found
    assert found[0].startswith("points.planted: ")
    assert says in found[0]


@pytest.mark.parametrize(
    ("columns", "given"),
    [
        ("member_id bigint, kind text CHECK (kind ~ '^[a-z_]+$')", {"keeps": ("kind",)}),
        ("member_id bigint, kind text CHECK (kind IN ('a', 'b'))", {"keeps": ("kind",)}),
        ("member_id bigint, name text CHECK (length(name) <= 200)", {}),
        ("member_id bigint, name varchar(8) CHECK (length(name) <= 8)", {}),
        ("member_id bigint, name text CHECK (name <> '')", {}),
        ("member_id bigint, place point, note xml", {}),
        ("member_id bigint, place point NOT NULL", {"on_erase": DELETE}),
        (
            "member_id bigint, FOREIGN KEY (tenant_id, member_id) REFERENCES core.member (tenant_id, id)",
            {"on_erase": DELETE},
        ),
        (
            (
                "member_id bigint, lot bigint,"
                " FOREIGN KEY (tenant_id, member_id, lot) REFERENCES points.lot (tenant_id, member_id, id)"
            ),
            {},
        ),
        ("id bigint, label text", {"on_erase": None}),
        ("id bigint, label text", {"comment": "labels of the shop"}),
    ],
)
def test_what_erasure_can_erase_is_left_in_peace(
    admin: Connection, cluster: Cluster, columns: str, given: dict[str, object]
):
    with planted(admin):
        plant(admin, cluster, columns, **given)  # type: ignore[arg-type]
        assert [str(fault) for fault in faults(admin, cluster.roles)] == []


def test_the_merchants_own_keys_may_be_kept(admin: Connection, cluster: Cluster):
    with planted(admin):
        plant(admin, cluster, "id text, PRIMARY KEY (tenant_id, id)", on_erase=None, name="series")
        pointing = "FOREIGN KEY (tenant_id, series) REFERENCES points.series (tenant_id, id)"
        plant(admin, cluster, f"member_id bigint, series text, {pointing}", keeps=("series",))
        assert [str(fault) for fault in faults(admin, cluster.roles)] == []
        run(admin, f"COMMENT ON TABLE points.planted IS '{personal('member_id', on_erase=ANONYMISE)}'")
        (fault,) = faults(admin, cluster.roles)
        assert "breaks when erasure changes series" in str(fault)


def test_a_fault_in_a_plugin_quarantines_it_and_one_in_core_stops_the_start(cluster: Cluster, tmp_path):
    with cluster.database() as name:
        engine = create_engine(driver_url(cluster.admin_url).set(database=name), isolation_level="AUTOCOMMIT")
        config, keys = cluster.config(name, tmp_path), KeyConfig(keys=new_line())
        with engine.connect() as admin:
            plant(admin, cluster, COLUMNS, on_erase=None)
            platform = Platform.open(config, keys=keys)
            platform.database.dispose()
            assert "points.planted: it names members" in platform.registry.quarantined["points"].reason
            assert "orders" in platform.registry
            run(admin, "COMMENT ON TABLE core.consent IS NULL")
            with pytest.raises(BootError, match=r"could not be erased:\ncore\.consent: it names members"):
                Platform.open(config, keys=keys)
        engine.dispose()
