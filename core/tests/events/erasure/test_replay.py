"""The list beside the database, and what a restore does with it."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from threepeat.database import faults
from threepeat.events import erasure_list, removal
from threepeat.events.erasure import announce, complete, of_identity, replay, request, status
from threepeat.events.erasure_list import Entry
from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.plugins import Registry
from threepeat.tenancy import members, tenants
from threepeat.tenancy.errors import NotFound
from threepeat.tenancy.keyring import new_line
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import Cluster, Sender

KEYS = new_line()


def entry(number: int = 1, **given: Any) -> Entry:
    made: dict[str, Any] = {
        "kind": "member",
        "id": f"e{number}",
        "tenant": 1,
        "slug": "tea",
        "at": "t",
        "by": "operator",
    }
    return Entry(**{**made, **given})


@contextmanager
def opened(cluster: Cluster, name: str, folder: Path) -> Iterator[Platform]:
    platform = Platform.open(cluster.config(name, folder), registry=Registry([]), keys=KeyConfig(keys=KEYS))
    try:
        yield platform
    finally:
        platform.database.dispose()


def view(platform: Platform, tenant: Tenant, member: str) -> int:
    Sender(platform)(tenant, "page.viewed", member, id=f"view of {member}", page=f"home of {member}")
    with platform.database.tenant(tenant.id) as scope:
        return members.find(scope, member)


def erase(platform: Platform, tenant: Tenant, member_id: int) -> str:
    with platform.database.tenant(tenant.id) as scope:
        erasure_id = request(platform, scope, member_id, by="operator")
    announce(platform, tenant, erasure_id)
    complete(platform, tenant, erasure_id)
    return erasure_id


def stored(platform: Platform, word: str) -> int:
    with platform.database.ops.connect() as connection:
        statement = text("SELECT count(*) FROM core.event e WHERE strpos(CAST(e AS text), :word) > 0")
        return int(connection.execute(statement, {"word": word}).scalar_one())


def test_a_restored_database_forgets_again_who_was_erased_since(cluster: Cluster, tmp_path: Path):
    with cluster.database() as live:
        with opened(cluster, live, tmp_path) as platform:
            tea, gone = (open_store(platform, slug, by="test") for slug in ("tea", "gone"))
            before = erase(platform, tea, view(platform, tea, "early"))
            ann, _bob = view(platform, tea, "ann"), view(platform, tea, "bob")
            view(platform, gone, "customer-of-gone")
        with cluster.database(template=live) as backup:
            with opened(cluster, live, tmp_path) as platform:
                erasure_id = erase(platform, tea, ann)
                late = view(platform, tea, "late")
                erase(platform, tea, late)
                new = open_store(platform, "later", by="test")
                erase(platform, new, view(platform, new, "newcomer"))
                removal.remove(platform, gone, by="operator")
            lines = (tmp_path / "erasures.jsonl").read_text().splitlines()
            with opened(cluster, backup, tmp_path / "restored") as platform:
                assert stored(platform, "home of ann") == 1
                assert replay(platform, lines) == 3
                for word in ("home of ann", "home of late", "customer-of-gone"):
                    assert stored(platform, word) == 0, word
                assert stored(platform, "home of bob") == 1
                with platform.database.tenant(tea.id) as scope:
                    again = status(scope, erasure_id)
                    assert again.receipt is not None
                    assert status(scope, before).completed_at is not None
                    # Nobody comes back: not who was there, nor who came after the backup and went.
                    assert of_identity(platform, scope, "shop", "ann") == erasure_id
                send = Sender(platform)
                for who in ("ann", "late", "early"):
                    assert "was erased" in send(tea, "page.viewed", who, page="again").reason
                with platform.database.directory() as connection, pytest.raises(NotFound):
                    tenants.by_slug(connection, "gone")
                # What was given away after the backup is not given away again.
                assert view(platform, tea, "next") > late
                assert open_store(platform, "again", by="test").id > new.id
                assert replay(platform, lines) == 0


def test_an_erasure_that_was_only_asked_for_is_carried_out(cluster: Cluster, tmp_path: Path):
    with cluster.database() as name, opened(cluster, name, tmp_path) as platform:
        tea = open_store(platform, "tea", by="test")
        with platform.database.tenant(tea.id) as scope:
            ann = members.put(scope, platform.keyring, "ann").id
            erasure_id = request(platform, scope, ann, by="operator")
        announce(platform, tea, erasure_id)
        lines = (tmp_path / "erasures.jsonl").read_text().splitlines()
        assert replay(platform, lines) == 1
        with platform.database.tenant(tea.id) as scope:
            assert status(scope, erasure_id).completed_at is not None


def test_a_list_of_another_installation_does_nothing(cluster: Cluster, tmp_path: Path):
    with cluster.database() as name, opened(cluster, name, tmp_path) as platform:
        tea = open_store(platform, "tea", by="test")
        ann = view(platform, tea, "ann")
        file = tmp_path / "list"
        erasure_list.append(file, entry(1, tenant=tea.id, slug="coffee", members=(ann,)))
        erasure_list.append(file, entry(2, tenant=tea.id + 1, slug="tea", members=(ann,)))
        assert replay(platform, file.read_text().splitlines()) == 0
        assert stored(platform, "home of ann") == 1


def test_the_list_names_nobody(tenant: Tenant, platform: Platform, yard: Any):
    yard.erase(tenant, yard.hold(tenant, "a-most-unusual-name"))
    written = platform.erasures.read_text()
    assert "unusual" not in written
    assert "canary" not in written
    first, last = erasure_list.read([written.splitlines()[-2]]), erasure_list.read([written.splitlines()[-1]])
    assert (first[0].id, first[0].done) == (last[0].id, False)
    assert last[0].done
    assert len(last[0].tombstones) == 1


def test_many_who_append_at_once_tear_no_line(tmp_path: Path):
    file = tmp_path / "deep" / "list"

    def write(begin: int) -> None:
        for number in range(begin, begin + 25):
            erasure_list.append(file, entry(number, tombstones=("ab" * 32,) * 20))

    threads = [threading.Thread(target=write, args=(begin,)) for begin in range(0, 200, 25)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = erasure_list.read(file.read_text().splitlines())
    assert sorted(int(one.id[1:]) for one in found) == list(range(200))
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_torn_line_swallows_no_other(tmp_path: Path):
    file = tmp_path / "list"
    erasure_list.append(file, entry(1))
    whole = file.read_bytes()
    for cut in range(1, len(whole)):
        file.write_bytes(whole + whole[:cut].replace(b"e1", b"e9"))
        erasure_list.append(file, entry(2))
        assert {one.id for one in erasure_list.read(file.read_text().splitlines())} - {"e9"} == {"e1", "e2"}


def test_a_line_of_something_else_is_refused():
    for line in ('{"kind": "cat"}', "[]", "1", '{"kind":"member","id":"x","tenant":"one"}'):
        with pytest.raises(ValueError, match="line 2 of the erasure list"):
            erasure_list.read(["", line] if line != "" else [line])
    assert erasure_list.read(["", "{", "\ufffd"]) == []


def test_a_list_that_cannot_be_written_is_an_error(tmp_path: Path):
    with pytest.raises(OSError, match="directory"):
        erasure_list.append(tmp_path, entry())


ERASE = """
import sys
from pathlib import Path
from threepeat.database.config import DatabaseConfig
from threepeat.events.erasure import announce, complete, request
from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.tenancy import members, tenants

platform = Platform.open(registry=Registry([]))
with platform.database.directory() as connection:
    tenant = tenants.by_slug(connection, "tea")
with platform.database.tenant(tenant.id) as scope:
    erasure_id = request(platform, scope, int(sys.argv[1]), by="operator")
announce(platform, tenant, erasure_id)
complete(platform, tenant, erasure_id)
"""


@pytest.mark.parametrize("point", [name for name in faults.POINTS if name.startswith("erasure.")])
def test_killed_at_every_place_it_is_completed_by_the_next_try(cluster: Cluster, tmp_path: Path, point: str):
    with cluster.database() as name:
        with opened(cluster, name, tmp_path) as platform:
            ann = view(platform, open_store(platform, "tea", by="test"), "ann")
        environment = {**cluster.environment(name, tmp_path), "THREEPEAT_KEYS": KEYS.strip()}
        killed = subprocess.run(
            [sys.executable, "-c", ERASE, str(ann)], env={**environment, faults.VARIABLE: point}, check=False
        )
        assert killed.returncode == -9
        with opened(cluster, name, tmp_path) as platform:
            with platform.database.ops.connect() as connection:
                tenant_id, erasure_id = connection.execute(text("SELECT tenant_id, id FROM core.erasure")).one()
                tea = tenants.by_id(connection, tenant_id)
            assert stored(platform, "home of ann") == (0 if point == "erasure.completed" else 1)
            complete(platform, tea, erasure_id)
            assert stored(platform, "home of ann") == 0
            listed = erasure_list.read((tmp_path / "erasures.jsonl").read_text().splitlines())
            assert [one.id for one in listed] == [erasure_id]
            assert os.environ.get(faults.VARIABLE) is None
