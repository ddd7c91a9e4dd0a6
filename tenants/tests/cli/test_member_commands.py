"""`threepeat member`, run as their user runs them."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from threepeat.events.platform import KeyConfig, Platform
from threepeat.events.stores import open_store
from threepeat.tenancy import audit, members


def test_a_member_is_found_shown_changed_and_merged(cluster, tmp_path, terminal):
    with cluster.database() as name:
        environment = cluster.environment(name, tmp_path)
        threepeat = partial(terminal(environment, level="critical"), "member")
        keys = KeyConfig(keys=environment["THREEPEAT_KEYS"])
        platform = Platform.open(cluster.config(name, Path(tmp_path)), keys=keys)
        tea = open_store(platform, "tea", enable=["points"], holdout=0, by="test")
        with platform.database.tenant(tea.id) as scope:
            members.resolve(scope, platform.keyring, ["shop-ann", "shop-bob"])

        assert "shop-ann" in threepeat("find", "tea")
        assert "shop-bob" not in threepeat("find", "tea", "shop-ann")
        assert "1,200 points now" in threepeat(
            "adjust", "tea", "shop-ann", "points", "--give", "1200", "--reason", "late"
        )
        assert "200 points now" in threepeat(
            "adjust", "tea", "shop-ann", "points", "--take", "1000", "--reason", "too much"
        )
        assert "800 points are missing" in threepeat(
            "adjust", "tea", "shop-ann", "points", "--take", "1000", "--reason", "x", code=1
        )
        assert "reason" in threepeat("adjust", "tea", "shop-ann", "points", "--give", "1", code=1)
        threepeat("adjust", "tea", "shop-ann", "points", "--reason", "x", code=2)
        shown = threepeat("show", "tea", "shop-ann")
        assert "200" in shown
        story = threepeat("timeline", "tea", "shop-ann")
        assert "+1200 points (adjusted)" in story
        assert "member.adjusted by operator" in story
        assert "no member" in threepeat("timeline", "tea", "nobody", code=1)

        assert "takes part in everything" in threepeat("exempt", "tea", "shop-ann")
        assert "exempt" in threepeat("find", "tea", "shop-ann")
        threepeat("exempt", "tea", "shop-ann", "--off")
        assert "exempt" not in threepeat("find", "tea", "shop-ann")
        assert "in the future" in threepeat("suspend", "tea", "shop-ann", "--until", "2020-01-01", code=1)
        soon = f"{datetime.now(tea.store.timezone) + timedelta(days=3):%Y-%m-%d}"
        assert soon in threepeat("suspend", "tea", "shop-ann", "--until", soon, "--reason", "chargebacks")
        with platform.database.tenant(tea.id) as scope:
            until = members.get(scope, "shop-ann").suspended_until
            assert until.astimezone(tea.store.timezone) == datetime.fromisoformat(soon).replace(
                tzinfo=tea.store.timezone
            )
        assert "chargebacks" in threepeat("show", "tea", "shop-ann")
        threepeat("reinstate", "tea", "shop-ann")
        assert "suspended" not in threepeat("show", "tea", "shop-ann")

        assert "nothing was merged" in threepeat("merge", "tea", "shop-bob", "shop-ann", code=1, typed="ann")
        assert "shop-ann is shop-bob now" in threepeat("merge", "tea", "shop-bob", "shop-ann", typed="shop-ann")
        assert "200" in threepeat("show", "tea", "shop-bob")
        assert "one member already" in threepeat("merge", "tea", "shop-bob", "shop-ann", "--yes", code=1)
        with platform.database.tenant(tea.id) as scope:
            did = [one.action for one in audit.read(scope) if one.actor == "operator"]
            assert did[:5] == [
                "member.merged",
                "member.reinstated",
                "member.suspended",
                "member.included",
                "member.exempted",
            ]
            assert [one.actor for one in audit.read(scope) if one.action == "member.adjusted"] == ["operator"] * 2
        platform.database.dispose()
