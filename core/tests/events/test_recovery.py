"""A restored database is looked at from every side before it is opened."""

from dataclasses import replace

import pytest
from pydantic import Field
from sqlalchemy import text

from threepeat.events.recovery import recover
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings
from threepeat.sdk.settings import SecretStr
from threepeat.tenancy import switches
from threepeat.tenancy.keyring import Keyring, new_line
from threepeat_orders.plugin import plugin as orders


class SafeSettings(PluginSettings):
    secret: SecretStr = Field(default=SecretStr(""), title="Secret")


class Safe(Plugin[SafeSettings]):
    manifest = Manifest(id="safe", kind="tactic", title="Safe", summary="Keeps a secret.", holdout="none")
    settings_model = SafeSettings


@pytest.fixture
def platform(open_platform):
    return open_platform(registry=Registry.load([("orders", orders), ("safe", Safe())]))


@pytest.fixture
def store(platform, make_tenant):
    made = make_tenant("tea", enable=("safe",))
    with platform.database.tenant(made.id) as scope:
        switches.save_settings(
            scope,
            made,
            platform.registry,
            platform.keyring,
            "safe",
            {"secret": "s3cret"},
            revision=None,
            by="test",
        )
    return made


@pytest.mark.usefixtures("store")
def test_a_sound_database_has_no_faults(platform):
    recovery = recover(platform, [])
    assert (recovery.erased, recovery.tenants, list(recovery.faults)) == (0, 1, [])
    assert recovery.checks >= 6


@pytest.mark.usefixtures("store")
def test_other_keys_than_those_of_the_backup_are_noticed_by_what_they_do_not_open(platform):
    other = replace(platform, keyring=Keyring.read(None, new_line()))
    (fault,) = recover(other, []).faults
    assert fault.startswith("tea: the secrets of safe cannot be opened")
    assert "s3cret" not in fault


def test_a_quarantined_plugin_is_a_fault(platform):
    (fault,) = recover(replace(platform, registry=platform.registry.quarantine({"safe": "broken"})), []).faults
    assert fault == "safe is quarantined: broken"


def test_erasures_that_cannot_be_carried_out_are_a_fault_that_quotes_nobody(platform):
    recovery = recover(platform, ['{"kind": "member", "ann": "secret"}'])
    assert recovery.erased is None
    (fault,) = recovery.faults
    assert "erasures were not all carried out" in fault
    assert "ann" not in fault


def test_a_broken_promise_is_a_fault(platform, store):
    with platform.database.tenant(store.id) as scope:
        scope.run(text("UPDATE core.stream SET head = head + 1 WHERE tenant_id = :tenant"))
    (fault,) = recover(platform, []).faults
    assert fault.startswith("tea: core.log is violated")


def test_where_ops_does_not_see_every_row_nothing_counts_as_erased(platform):
    roles = platform.database.urls.roles
    with platform.database.owner.begin() as owner:
        owner.exec_driver_sql(f"ALTER POLICY everywhere ON core.member TO {roles.owner}")
    recovery = recover(platform, [])
    assert recovery.erased is None
    (fault,) = recovery.faults
    assert fault == f"{roles.ops} does not see every row of core.member"


@pytest.mark.usefixtures("store")
def test_a_promise_that_cannot_be_checked_is_a_fault(platform):
    with platform.database.owner.begin() as owner:
        owner.exec_driver_sql(f"REVOKE SELECT ON core.reward FROM {platform.database.urls.roles.app}")
    (fault,) = recover(platform, []).faults
    assert fault.startswith("tea: not every promise could be checked: ProgrammingError 42501")
