import re
from datetime import datetime
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.database import sqlfiles
from threepeat.database.sqlfiles import Statements, check
from threepeat.events.platform import Platform
from threepeat.sdk.errors import PluginError
from threepeat.tenancy.tenants import Tenant

GOOD = "SELECT id FROM points.lot WHERE tenant_id = :tenant"


def first_party() -> list[Path]:
    folders = [files(point.module.partition(".")[0]) / "sql" for point in entry_points(group="threepeat.plugins")]
    return sorted(file for folder in folders for file in Path(str(folder)).glob("*.sql"))


@pytest.mark.parametrize("file", first_party(), ids=lambda file: f"{file.parent.parent.name}/{file.name}")
def test_every_statement_of_a_first_party_plugin_passes(file: Path):
    check(file.name, file.read_text())
    with pytest.raises(PluginError, match="does not bind :tenant"):
        check(file.name, file.read_text().replace(":tenant", ":member"))


def test_every_first_party_plugin_brings_statements():
    assert {file.parent.parent.name for file in first_party()} >= {"threepeat_orders", "threepeat_points"}


def test_a_plugin_without_a_folder_has_no_statements(tmp_path: Path):
    assert sqlfiles.load(tmp_path / "sql") == {}


UNBOUND = {
    "no bind at all": "SELECT id FROM points.lot",
    "another bind": "SELECT id FROM points.lot WHERE tenant_id = :tenants",
    "a cast to a type of that name": "SELECT 1::tenant",
    "a slice": "SELECT a[1\\:tenant] FROM points.lot",
    "a line comment": "SELECT id FROM points.lot -- tenant_id = :tenant",
    "a block comment": "SELECT id FROM points.lot /* tenant_id = :tenant */",
    "a nested comment": "SELECT id /* /* */ :tenant */ FROM points.lot",
    "a comment that never ends": "SELECT id FROM points.lot /* /* :tenant */",
    "a comment in a comment's end": "SELECT id /*/ :tenant /*/ */ */ FROM points.lot",
    "a string": "SELECT ':tenant' FROM points.lot",
    "a string after a doubled quote": "SELECT 'it''s :tenant' FROM points.lot",
    "a string that looks like it ends": "SELECT 'a'' /* ' || ' :tenant ' FROM points.lot -- */",
    "a string behind a comment mark": "SELECT '--', ':tenant' FROM points.lot",
    "a quoted name": 'SELECT ":tenant" FROM points.lot',
    "a quoted name with a doubled quote": 'SELECT "a"":tenant" FROM points.lot',
    "a string that never ends": "SELECT id FROM points.lot WHERE order_id = ':tenant",
    "a comment over lines": "SELECT id FROM points.lot /*\n tenant_id =\n :tenant\n*/",
}


@pytest.mark.parametrize("name", UNBOUND)
def test_a_statement_that_does_not_bind_the_tenant_is_refused(name: str):
    with pytest.raises(PluginError, match=r"^x\.sql does not bind :tenant$"):
        check("x.sql", UNBOUND[name])


TWO = {
    "two statements": f"{GOOD}; DELETE FROM points.lot",
    "two semicolons": f"{GOOD};;",
    "a commit at the end": f"{GOOD}; COMMIT",
    "behind a string that looks like a comment": "SELECT '/*', :tenant; DELETE FROM x; SELECT '*/'",
    "behind a nested comment": f"{GOOD} /* /* */ */ ; DELETE FROM points.lot",
    "behind a comment mark in a string": "SELECT '--', :tenant; DELETE FROM points.lot",
    "behind a backslash, which means nothing": "SELECT '\\', :tenant; DELETE FROM points.lot; SELECT '\\'",
    "behind a doubled quote": "SELECT 'a''', :tenant; DELETE FROM points.lot",
    "behind a quoted name that looks like a string": "SELECT :tenant AS \"'\"; DELETE FROM x; SELECT '\"'",
    "behind a line comment": f"{GOOD} -- '\n; DELETE FROM points.lot -- '",
}


@pytest.mark.parametrize("name", TWO)
def test_more_than_one_statement_is_refused(name: str):
    with pytest.raises(PluginError, match="more than one statement"):
        check("x.sql", TWO[name])


WORDS = {
    "COMMIT": "COMMIT AND CHAIN :tenant",
    "ROLLBACK": "ROLLBACK TO SAVEPOINT x /* */ :tenant",
    "SAVEPOINT": "SAVEPOINT a_:tenant :tenant",
    "BEGIN": "BEGIN ISOLATION LEVEL SERIALIZABLE :tenant",
    "START TRANSACTION": "START  TRANSACTION :tenant",
    "RESET": "RESET threepeat.tenant :tenant",
    "DISCARD": "DISCARD ALL :tenant",
    "COPY": "COPY (SELECT :tenant) TO STDOUT",
    "GRANT": "GRANT SELECT ON points.lot TO public :tenant",
    "REVOKE": "REVOKE SELECT ON points.lot FROM public :tenant",
    "CREATE": "CREATE TABLE points.x AS SELECT :tenant",
    "ALTER": "ALTER TABLE points.lot DISABLE ROW LEVEL SECURITY :tenant",
    "DROP": "DROP TABLE points.lot :tenant",
    "TRUNCATE": "TRUNCATE points.lot :tenant",
    "LISTEN": "LISTEN x :tenant",
    "NOTIFY": "NOTIFY x :tenant",
    "LOCK TABLE": "LOCK TABLE points.lot :tenant",
    "DO": "DO LANGUAGE plpgsql 'x' :tenant",
    "CALL": "CALL points.x(:tenant)",
    "INTO": "SELECT id INTO TEMP x FROM points.lot WHERE tenant_id = :tenant",
    "SET_CONFIG": f"{GOOD} AND set_config('threepeat.tenant', '2', true) = '2'",
    "PG_ADVISORY_LOCK": "SELECT pg_advisory_lock(:tenant)",
    "PG_ADVISORY_LOCK_SHARED": "SELECT pg_advisory_lock_shared(:tenant)",
    "PG_TRY_ADVISORY_LOCK": "SELECT pg_try_advisory_lock(:tenant)",
    "PG_TRY_ADVISORY_LOCK_SHARED": "SELECT pg_try_advisory_lock_shared(:tenant)",
    "NOW": f"{GOOD} AND expires_at > now()",
    "CLOCK_TIMESTAMP": f"{GOOD} AND expires_at > clock_timestamp()",
    "STATEMENT_TIMESTAMP": f"{GOOD} AND expires_at > statement_timestamp()",
    "TRANSACTION_TIMESTAMP": f"{GOOD} AND expires_at > transaction_timestamp()",
    "TIMEOFDAY": f"{GOOD} AND expires_at > timeofday()::timestamptz",
    "CURRENT_TIMESTAMP": f"{GOOD} AND expires_at > current_timestamp",
    "CURRENT_DATE": f"{GOOD} AND expires_at > current_date",
    "CURRENT_TIME": f"{GOOD} AND earned_at::time > current_time",
    "LOCALTIMESTAMP": f"{GOOD} AND expires_at > localtimestamp",
    "LOCALTIME": f"{GOOD} AND earned_at::time > localtime",
}
CLOCKS = {"NOW", "TIMEOFDAY", "LOCALTIME"} | {w for w in WORDS if w.startswith("CURRENT_") or "STAMP" in w}


@pytest.mark.parametrize("word", WORDS)
def test_a_forbidden_word_is_refused_by_its_name(word: str):
    with pytest.raises(PluginError) as refused:
        check("x.sql", WORDS[word])
    hint = " (use core.now())" if word in CLOCKS else ""
    assert str(refused.value).replace("  ", " ") == (
        f"x.sql uses {word}, which a plugin's statement may not{hint}"
    )


@pytest.mark.parametrize(
    "sneaky",
    [
        f"{GOOD} AND expires_at > NoW()",
        f"{GOOD} AND expires_at > now/* */()",
        f"{GOOD} AND expires_at > now--\n()",
        f"{GOOD} AND expires_at > pg_catalog.now()",
        f"{GOOD} AND expires_at > pg_catalog . /* core. */ now ()",
        f"{GOOD} AND expires_at > core /* */ . now()",
        f"{GOOD} AND expires_at > evil.core.now()",
        f"{GOOD} AND expires_at > score.now()",
        f"{GOOD} AND expires_at > core.now() + (now() - now())",
        f'{GOOD} AND expires_at > "now"()',
        f'{GOOD} AND expires_at > pg_catalog."now"()',
        f"{GOOD} AND 'core.now()' < now()::text",
        f"{GOOD} AND \"set_config\"('threepeat.tenant', '2', true) = '2'",
        f"{GOOD} AND pg_catalog.Set_Config/**/('threepeat.tenant', '2', true) = '2'",
        f"{GOOD} AND '--' <> '' AND set_config('threepeat.tenant', '2', true) = '2'",
        f"{GOOD} AND '/*' <> '' AND set_config('threepeat.tenant', '2', true) = '*/'",
        f"{GOOD} /* /* */ */ AND set_config('threepeat.tenant', '2', true) = '*/'",
        f"{GOOD} AND '\\' <> set_config('threepeat.tenant', '2', true) AND '\\' <> ''",
        "SELECT id IN/**/TO x FROM points.lot WHERE tenant_id = :tenant AND now() > now()",
        "WITH x AS (SELECT 1) SELECT * INTO y FROM x WHERE 1 = :tenant",
        "CO/* */PY points.lot :tenant",
        "co\u0070y (SELECT :tenant) TO STDOUT",
    ],
)
def test_a_forbidden_word_cannot_hide(sneaky: str):
    with pytest.raises(PluginError, match=r"uses [A-Z_]+, which a plugin's statement may not|begins with CO:"):
        check("x.sql", sneaky)


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        ("SET threepeat.tenant = :tenant", "SET"),
        ("SET LOCAL ROLE :tenant", "SET"),
        ("SET search_path TO :tenant", "SET"),
        ("LOCK points.lot :tenant", "LOCK"),
        ("EXPLAIN ANALYZE SELECT :tenant", "EXPLAIN"),
        ("PREPARE x AS SELECT :tenant", "PREPARE"),
        ("EXECUTE x(:tenant)", "EXECUTE"),
        ("DECLARE x CURSOR WITH HOLD FOR SELECT :tenant", "DECLARE"),
        ("ABORT :tenant", "ABORT"),
        ("END :tenant", "END"),
        ("RELEASE x :tenant", "RELEASE"),
        ("VACUUM points.lot :tenant", "VACUUM"),
        ("REFRESH MATERIALIZED VIEW x :tenant", "REFRESH"),
        ("IMPORT FOREIGN SCHEMA x FROM SERVER y :tenant", "IMPORT"),
        ("/* SELECT */ SECURITY LABEL ON TABLE x IS ':x' :tenant", "SECURITY"),
        ("'SELECT' :tenant", "''"),
    ],
)
def test_a_statement_that_is_no_reading_or_writing_of_rows_is_refused(statement: str, first: str):
    with pytest.raises(PluginError) as refused:
        check("x.sql", statement)
    assert str(refused.value) == f"x.sql begins with {first}: a plugin's statement reads or writes rows"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT $$ :tenant $$",
        "SELECT $tag$ ' $tag$, :tenant; COMMIT; SELECT $tag$ ' $tag$",
        "SELECT $ä$ ' $ä$, :tenant",
        "SELECT E'\\'', :tenant; COMMIT; SELECT '\\''",
        "SELECT e'it\\'s', :tenant",
        "SELECT E'a'\n'\\', set_config($1) --', :tenant",
        "SELECT U&'\\0027', :tenant",
        "SELECT U&\"set\\005Fconfig\"('threepeat.tenant', '2', true), :tenant",
        'SELECT u&"n\\006Fw"(), :tenant',
    ],
)
def test_quotes_in_which_something_may_hide_are_refused(statement: str):
    with pytest.raises(PluginError, match="quotes with"):
        check("x.sql", statement)


@pytest.mark.parametrize("word", ["now", "NOW", " today ", "tomorrow", "Yesterday", "today 10:00"])
@pytest.mark.parametrize("shape", ["'{}'::timestamptz", "timestamptz '{}'", "CAST('{}' AS date)", "'{}'"])
def test_a_string_that_reads_the_clock_is_refused(word: str, shape: str):
    with pytest.raises(PluginError, match=r"wall clock \(use core\.now\(\)\)"):
        check("x.sql", f"{GOOD} AND expires_at > {shape.format(word)}")


INNOCENT = {
    "core's clock": f"{GOOD} AND expires_at > core.now()",
    "core's clock in capitals": f"{GOOD} AND expires_at > CORE.NOW()",
    "do update": "INSERT INTO points.account (tenant_id, member_id, debt) VALUES (:tenant, 1, 0)\n"
    "ON CONFLICT (tenant_id, member_id) DO UPDATE SET debt = excluded.debt",
    "do nothing": "INSERT INTO points.account (tenant_id, member_id, debt) VALUES (:tenant, 1, 0)\n"
    "ON CONFLICT DO   NOTHING",
    "update": "UPDATE points.lot SET rate = 1 WHERE tenant_id = :tenant",
    "a column that begins like a command": "UPDATE points.lot SET local_price = 1, role = 2, session_id = 3\n"
    "WHERE tenant_id = :tenant",
    "set with a row": "UPDATE points.lot SET (rate, debt) = (1, 2) WHERE tenant_id = :tenant",
    "delete": "DELETE FROM points.lot WHERE tenant_id = :tenant",
    "merge": "MERGE INTO points.lot l USING x ON l.tenant_id = :tenant WHEN MATCHED THEN UPDATE SET rate = 1",
    "casts": f"{GOOD} AND member_id = ANY(:members::bigint[]) AND rate = :tenant::bigint",
    "a semicolon at the end": f"{GOOD} ;\n",
    "a semicolon in a string": f"{GOOD} AND order_id = ';'",
    "a semicolon in a comment": f"{GOOD} -- one; two\n/* three; four */",
    "a semicolon in a name": f'{GOOD} AND "a;b" = 1',
    "forbidden words in a comment": f"-- now() COMMIT SET\n{GOOD} /* COPY /* DROP */ now() */",
    "forbidden words in a string": f"{GOOD} AND order_id <> 'commit; drop table now() -- it''s'",
    "a word around a forbidden one": f"{GOOD} AND known AND undo AND recreated AND into_it AND known_now",
    "a string about now": f"{GOOD} AND order_id <> 'now or never'",
    "parentheses": f"({GOOD}) UNION ALL ({GOOD})",
    "with": f"WITH x AS ({GOOD}) SELECT * FROM x",
    "values": "VALUES (:tenant)",
    "a comment first": f"/* why */ {GOOD}",
}


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent_statement_is_accepted(name: str):
    check("x.sql", INNOCENT[name])


PIECES = st.sampled_from(
    ["'", "''", '"', "--", "\n", "/*", "*/", "\\", ";", ":tenant", "$$", "$a$", "E'", "x", " ", "now()", ","]
)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_whatever_passes_holds_one_statement_that_binds_the_tenant_outside_of_quotes(body: str):
    """Reads the text a second time, letter by letter, by the rules of PostgreSQL's manual."""
    try:
        check("x.sql", "SELECT " + body)
    except PluginError:
        return
    bare = by_hand("SELECT " + body).rstrip()
    assert ":tenant" in bare
    assert ";" not in bare.removesuffix(";")
    assert not re.search(r"\bnow\(\)", bare)


def by_hand(body: str) -> str:
    out, at, depth, mode = "", 0, 0, ""
    while at < len(body):
        two, one = body[at : at + 2], body[at]
        if mode == "block":
            depth += {"/*": 1, "*/": -1}.get(two, 0)
            at += 2 if two in {"/*", "*/"} else 1
            mode = "block" if depth else ""
        elif mode == "line":
            mode = "" if one == "\n" else mode
            at += 1
        elif mode:
            closes = one == mode and two != mode * 2
            at += 2 if two == mode * 2 else 1
            mode = "" if closes else mode
        elif two in {"/*", "--"}:
            mode, depth, at = ("block", 1, at + 2) if two == "/*" else ("line", 0, at + 2)
            out += " "
        elif one in "'\"":
            mode, at = one, at + 1
        else:
            out, at = out + one, at + 1
    return out


def test_the_reader_by_hand_sees_what_a_naive_check_would_miss():
    assert by_hand("SELECT ':tenant' -- :tenant\n, \":tenant\" /* /* */ :tenant */").split() == ["SELECT", ","]
    assert by_hand("SELECT '--', :tenant; x").endswith(":tenant; x")


def test_a_loaded_statement_means_what_the_file_says(platform: Platform, tenant: Tenant, tmp_path: Path):
    (tmp_path / "all.sql").write_text(
        "-- :nobody binds this\n"
        "SELECT :tenant::bigint AS tenant, :list::bigint[] AS list, ' :x::y /* 50% */ -- ''q''' AS string,\n"
        '       core.now() AS "the :time", /* /* nested */ */ 7 % 4 AS rest;\n'
    )
    (tmp_path / "touch.sql").write_text("UPDATE points.lot SET rate = 1 WHERE tenant_id = :tenant")
    (tmp_path / "notes.txt").write_text("no statement")
    loaded = sqlfiles.load(tmp_path)
    assert set(loaded) == {"all", "touch"}
    with platform.database.tenant(tenant.id) as scope:
        run = Statements(loaded, scope.connection, tenant.id)
        row = run("all", list=[1, 2])[0]
        assert run("touch") == ()
        assert run("all", list=[], tenant=tenant.id + 1)[0].tenant == tenant.id
        with pytest.raises(LookupError, match=r"there is no sql/nothing\.sql"):
            run("nothing")
    assert row[:3] == (tenant.id, [1, 2], " :x::y /* 50% */ -- 'q'")
    assert isinstance(row[3], datetime)
    assert row._fields[3] == "the :time"
    assert row[4] == 3


def test_a_folder_with_one_bad_file_is_refused(tmp_path: Path):
    (tmp_path / "good.sql").write_text(GOOD)
    (tmp_path / "bad.sql").write_text("SELECT 1")
    with pytest.raises(PluginError, match=r"^bad\.sql does not bind :tenant$"):
        sqlfiles.load(tmp_path)
