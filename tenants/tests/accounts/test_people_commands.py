"""The commands operator and staff, run in this process as their user runs them."""

import re

import pytest
from typer.testing import CliRunner

from threepeat.cli.app import app
from threepeat.tenancy.keys import Denied
from threepeat_tenants.accounts import links, operator_keys

NEW = "nine slow barges"


@pytest.fixture
def threepeat(platform, cluster, tmp_path, monkeypatch):
    """Runs a command on the shared database."""
    urls = platform.database.urls
    name = urls.app.database
    keys = "\n".join(f"{key}:{_base64(value)}" for key, value in platform.keyring.keys.items())
    for variable, value in cluster.environment(name, tmp_path).items():
        if variable.startswith("THREEPEAT_"):
            monkeypatch.setenv(variable, value)
    monkeypatch.setenv("THREEPEAT_KEYS", keys)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(app, ["--log-level", "error", *arguments])
        assert done.exit_code == code, done.output
        return done.output

    return run


def _base64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


def test_an_operator_is_added_listed_linked_disabled_and_enabled(threepeat, office):
    added = threepeat(
        "operator", "add", "root", "--name", "[red]Root[/red]", "--url", "https://console.example.com/"
    )
    (token,) = re.findall(
        r"^https://console\.example\.com/welcome/(o\.[0-9a-f]{16}\.\S{43})$", added, re.MULTILINE
    )
    fresh = re.search(r"^/welcome/(\S+)$", threepeat("operator", "link", "ROOT"), re.MULTILINE)[1]
    with office.ops() as ops:
        with pytest.raises(Denied):
            links.read(ops, office.platform.keyring, token)
        links.redeem(ops, office.platform.keyring, fresh, NEW)
    office.sign_in("root", NEW)
    assert re.search(r"root .*\[red\]Root\[/red\] .*yes", threepeat("operator", "list"))
    assert "last operator" in threepeat("operator", "disable", "root", code=1)
    threepeat("operator", "add", "maria")
    assert "root is disabled" in threepeat("operator", "disable", "root")
    assert "root is enabled" in threepeat("operator", "enable", "root")
    assert "no operator 'nobody'" in threepeat("operator", "disable", "nobody", code=1)
    assert "no operator '[/x]'" in threepeat("operator", "disable", "[/x]", code=1)
    assert "login:" in threepeat("operator", "add", "x", code=1)


def test_an_operators_key_is_made_listed_and_revoked(threepeat, office):
    key = threepeat("operator", "key", "create", "--name", "billing").strip()
    with office.ops() as ops:
        found = operator_keys.check(ops, office.platform.keyring, key)
    listed = threepeat("operator", "key", "list")
    assert re.search(rf"{found.id} .*billing", listed)
    assert key.split("_", 3)[3] not in listed
    assert "is revoked" in threepeat("operator", "key", "revoke", found.id)
    assert "no such live key" in threepeat("operator", "key", "revoke", found.id, code=1)


def test_staff_is_added_listed_raised_linked_disabled_and_enabled(threepeat, platform, tenant):
    added = threepeat("staff", "add", "first", "--name", "安娜", "--role", "owner", "--email", "ann@example.com")
    assert re.search(rf"^/welcome/{tenant.id}\.[0-9a-f]{{16}}\.\S{{43}}$", added, re.MULTILINE)
    threepeat("staff", "add", "first", "--name", "Bob", "--role", "analyst", "--phone", "13800138000")
    listed = threepeat("staff", "list", "first")
    assert re.search(r"1 .*安娜 .*owner .*ann@example\.com .*by link first", listed)
    assert "+8613800138000" in listed
    assert "Bob is operator" in threepeat("staff", "role", "first", "13800138000", "operator")
    assert "last owner" in threepeat("staff", "role", "first", "1", "analyst", code=1)
    token = re.search(r"^/welcome/(\S+)$", threepeat("staff", "link", "first", "2"), re.MULTILINE)[1]
    with platform.database.tenant(tenant.id) as scope:
        assert links.read(scope, platform.keyring, token).person.name == "Bob"
    assert "Bob is disabled" in threepeat("staff", "disable", "first", "2")
    assert "is disabled: enable" in threepeat("staff", "link", "first", "2", code=1)
    assert "Bob is enabled" in threepeat("staff", "enable", "first", "2")
    for nobody in ("3", "eve@example.com", "nobody"):
        assert "has nobody" in threepeat("staff", "disable", "first", nobody, code=1)
    assert "has nobody" in threepeat("staff", "disable", "second", "1", code=1)
    said = threepeat(
        "staff", "add", "first", "--name", "Eve", "--role", "owner", "--email", "ann@example.com", code=1
    )
    assert "email: another person" in said
