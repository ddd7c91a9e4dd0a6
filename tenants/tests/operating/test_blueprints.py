"""Blueprints: the ones that are shipped keep every rule, and one that breaks a rule is refused at load."""

import pytest

from threepeat.plugins import Registry
from threepeat_tenants.operating import blueprints
from threepeat_tenants.operating.blueprints import FORBIDDEN, BlueprintError

GOOD = """
id = "shop"
trade = "tea-coffee"
title = {en = "Shop", zh = "店"}
summary = {en = "Sells.", zh = "卖。"}

[[tactic]]
id = "points"
why = {en = "Because.", zh = "因为。"}
settings = {points_per_unit = 2}
"""
WHY = 'why = {en = "So.", zh = "如此。"}'


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def load(registry, tmp_path):
    def write(content, name="shop.toml"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return blueprints.load(registry, tmp_path)

    return write


def tactics(*names):
    return "".join(f'\n[[tactic]]\nid = "{name}"\n{WHY}\n' for name in names)


def test_the_shipped_blueprints_keep_every_rule_with_what_is_installed(registry):
    found = blueprints.load(registry)
    assert list(found) == ["fashion-gifts", "pharmacy", "tea-coffee"]
    for blueprint in found.values():
        assert len(blueprint.tactic) == 3
        assert blueprint.left_out
        assert {one.id for one in blueprint.tactic} <= {"points", "welcome", "checkin", "winback"}


def test_a_good_file_is_read_in_both_languages(load):
    blueprint = load(GOOD)["shop"]
    assert blueprint.title.said("zh-CN") == "店"
    assert blueprint.title.said("en") == "Shop"
    assert blueprint.tactic[0].settings == {"points_per_unit": 2}


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (GOOD.replace("points_per_unit = 2", "points_per_unit = 0"), "points.settings.points_per_unit: "),
        (GOOD.replace("points_per_unit", "colour"), "points.settings.colour: "),
        (GOOD.replace('id = "shop"', 'id = "other"'), "differs from the file's name"),
        (GOOD.replace('"tea-coffee"', '"pharmacie"'), "there is no trade 'pharmacie'"),
        (GOOD.replace('id = "points"', 'id = "point"').replace("settings", "# "), "there is no tactic 'point'"),
        (GOOD.replace('id = "points"', 'id = "orders"').replace("settings", "# "), "'orders' is a service"),
        (GOOD + tactics("welcome", "checkin", "winback"), "tactic: "),
        (GOOD + tactics("points"), "'points' stands there twice"),
        (GOOD + f'\n[[left_out]]\nid = "points"\n{WHY}\n', "'points' stands there twice"),
        (GOOD.partition("[[tactic]]")[0], "tactic: "),
        (GOOD.replace(', zh = "因为。"', ""), "tactic.0.why.zh: "),
        (GOOD + "\nholdout_percent = 51", "tactic.0.holdout_percent: "),
        (GOOD + "\ncolour = 1", "tactic.0.colour: "),
        (GOOD + "\n[", "it is no TOML"),
        *(
            (GOOD.replace('"tea-coffee"', f'"{trade}"') + tactics(tactic), reason)
            for (trade, tactic), reason in FORBIDDEN.items()
        ),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_by_its_name_and_the_rule(load, content, rule):
    with pytest.raises(BlueprintError) as refused:
        load(content)
    assert str(refused.value).startswith("blueprint shop.toml: ")
    assert rule in str(refused.value)


def test_bytes_that_are_no_text_are_refused(registry, tmp_path):
    (tmp_path / "shop.toml").write_bytes(b"id = '\xff'")
    with pytest.raises(BlueprintError, match=r"shop\.toml: it is no TOML"):
        blueprints.load(registry, tmp_path)


def test_a_tactic_that_is_not_there_or_not_allowed_is_offered_with_a_note(load, registry):
    blueprint = load(GOOD + tactics("storedvalue"))["shop"]
    points, later = blueprints.propose(blueprint, registry)
    assert points.note is None
    assert later.note == "storedvalue is not installed here"
    assert blueprints.propose(blueprint, registry, {"orders"})[0].note == "the plan does not allow points"
    assert blueprints.propose(blueprint, registry, {"points"})[0].note == "the plan does not allow orders"
    broken = registry.quarantine({"points": "it broke"})
    assert blueprints.propose(blueprint, broken)[0].note == "points is quarantined here"


def test_what_was_left_out_is_told_as_far_as_it_is_there(load, registry):
    content = GOOD.replace('"points"', '"welcome"').replace("settings", "# ")
    content += "".join(f'\n[[left_out]]\nid = "{name}"\n{WHY}\n' for name in ("points", "storedvalue"))
    told = blueprints.left_out(load(content)["shop"], registry)
    assert [one.id for one in told] == ["points"]
