"""What a store takes along when it leaves, and that nothing of its staff stays."""

import io
import json
import zipfile

from sqlalchemy import text

from threepeat.events import export, removal
from threepeat_tenants.accounts import links

from .conftest import PASSWORD, House


def test_an_export_holds_the_staff_and_no_secret_of_theirs(house):
    cookie, session = house.sign_in()
    with house.scope() as scope:
        token = links.make_staff_link(scope, house.platform.keyring, session.person.id, "staff:1")
        stored = scope.run(text("SELECT password_hash FROM core.staff WHERE tenant_id = :tenant"))[0][0]
    file = io.BytesIO()
    manifest = export.write_tenant(house.platform, house.tenant, file)
    archive = zipfile.ZipFile(file)
    (ann,) = [json.loads(line) for line in archive.read("core.staff.jsonl").splitlines()]
    assert (ann["name"], ann["email"], ann["role"]) == ("Ann", "ann@example.com", "owner")
    assert manifest["tables"]["core.staff"]["left_out"] == ["password_hash"]
    assert {"core.staff_session", "core.staff_link"} <= set(manifest["left_out"])
    whole = b"".join(archive.read(name) for name in archive.namelist()).decode()
    for secret in (stored, "argon2", cookie.split(".")[1], cookie.split(".")[2], token.split(".")[2], PASSWORD):
        assert secret not in whole
    assert "staff.signed_in" in whole


def test_a_store_that_is_deleted_leaves_nobody_behind(platform, make_tenant):
    leaving, staying = House(platform, make_tenant("leaving")), House(platform, make_tenant("staying"))
    for house in (leaving, staying):
        house.add("Ann", email="ann@example.com", password=PASSWORD)
        house.sign_in()
        bob = house.add("Bob", "analyst", email="bob@example.com")
        with house.scope() as scope:
            links.make_staff_link(scope, platform.keyring, bob.id, "staff:1")
    removal.remove(platform, leaving.tenant, by="test")
    with platform.database.ops.begin() as ops:
        for table in ("staff", "staff_session", "staff_link", "audit"):
            left = ops.execute(text(f"SELECT DISTINCT tenant_id FROM core.{table}")).scalars().all()
            assert left == [staying.tenant.id], table
    staying.sign_in()
