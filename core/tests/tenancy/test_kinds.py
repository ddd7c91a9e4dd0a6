"""A reward among the settings: only kinds that somebody keeps in this store."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, Field

from threepeat.events.platform import Platform
from threepeat.plugins import Registry
from threepeat.sdk import Manifest, Plugin, PluginSettings, RewardChoice, hookimpl, reward
from threepeat.tenancy import kinds, switches
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.tenants import Tenant
from threepeat.testing.fixtures import BY


def nothing(*_: Any) -> Any:
    return {}


def kept(kind: str) -> Any:
    title = {"en": kind, "zh": kind}
    return reward(kind, title=title, grant=nothing, revoke=nothing, balance=nothing, cost=lambda _ctx, n: n)


class Prize(BaseModel):
    reward: RewardChoice


class GiverSettings(PluginSettings):
    bonus: RewardChoice | None = None
    standard: RewardChoice = RewardChoice(kind="gone", amount=1)
    prizes: list[Prize] = Field(default=[])


class Giver(Plugin[GiverSettings]):
    manifest = Manifest(id="giver", kind="tactic", title="G", summary="S", holdout="none")
    settings_model = GiverSettings

    @hookimpl
    def rewards(self) -> Any:
        yield kept("giver.stars")


class Keeper(Plugin[PluginSettings]):
    manifest = Manifest(id="keeper", kind="tactic", title="K", summary="S", holdout="none")
    settings_model = PluginSettings

    @hookimpl
    def rewards(self) -> Any:
        yield kept("keeper")
        yield kept("keeper.gold")


@pytest.fixture
def registry() -> Registry:
    return Registry.load([("giver", Giver()), ("keeper", Keeper())])


@pytest.fixture
def platform(open_platform: Callable[..., Platform], registry: Registry) -> Platform:
    return open_platform(registry=registry)


def save(platform: Platform, tenant: Tenant, given: dict[str, Any]) -> Any:
    with platform.database.tenant(tenant.id) as scope:
        return switches.save_settings(
            scope, tenant, platform.registry, platform.keyring, "giver", given, revision=None, by=BY
        ).settings


def refused(platform: Platform, tenant: Tenant, given: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        save(platform, tenant, given)
    assert caught.value.field == caught.value.errors[0].field
    return [one.field for one in caught.value.errors]


def test_a_kind_counts_in_the_store_where_its_keeper_is_on(
    platform: Platform, make_tenant: Callable[..., Tenant]
) -> None:
    with_it = make_tenant(f"with-{secrets.token_hex(3)}", enable=("giver", "keeper"))
    without = make_tenant(f"without-{secrets.token_hex(3)}", enable=("giver",))
    gold = {"bonus": {"kind": "keeper.gold", "amount": 5}, "prizes": [{"reward": {"kind": "keeper", "amount": 1}}]}
    assert save(platform, with_it, gold) == gold
    assert refused(platform, without, gold) == ["settings.bonus.kind", "settings.prizes.0.reward.kind"]
    own = {"bonus": {"kind": "giver.stars", "amount": 5}}
    assert save(platform, without, own) == own
    assert save(platform, without, {}) == {}, "a default of the developer keeps nobody from saving"
    with platform.database.tenant(with_it.id) as scope:
        switches.disable(scope, with_it, platform.registry, "keeper", by=BY, act=platform.act)
    assert refused(platform, with_it, gold) == ["settings.bonus.kind", "settings.prizes.0.reward.kind"]


def test_a_kind_that_nobody_keeps_is_refused_with_a_hint(registry: Registry) -> None:
    here = kinds.offered(registry, {"keeper"}, "giver")
    assert list(here) == ["giver.stars", "keeper", "keeper.gold"]
    with pytest.raises(Invalid, match="did you mean 'keeper'") as caught:
        kinds.require_offered(RewardChoice(kind="keepr", amount=1), here, ("item",))
    assert caught.value.field == "item.kind"
    with pytest.raises(Invalid, match=r"^kind: this store has no reward 'keeper'$"):
        kinds.require_offered(RewardChoice(kind="keeper", amount=1), {})


def test_all_that_is_wrong_is_told_at_once(platform: Platform, make_tenant: Callable[..., Tenant]) -> None:
    tenant = make_tenant(f"shop-{secrets.token_hex(3)}", enable=("giver",))
    given = {"bonus": {"kind": "keeper", "amount": 0}, "prizes": [{}], "unknown": 1}
    assert refused(platform, tenant, given) == [
        "settings.bonus.amount",
        "settings.prizes.0.reward",
        "settings.unknown",
    ]
    with pytest.raises(Invalid) as caught:
        save(platform, tenant, given)
    first = caught.value.errors[0]
    assert (first.kind, dict(first.context)) == ("greater_than_equal", {"ge": 1})
    assert str(caught.value) == f"{first.field}: {first.reason}"
