"""Members take vouchers: within limits that rows hold, from what is offered to them."""

import pytest


def code(answer):
    assert answer.status_code == 409, answer.text
    return answer.json()["type"].removeprefix("urn:threepeat:problem:")


def offers(shop, name="ann"):
    answer = shop.ask("GET", "offers", name)
    assert answer.status_code == 200, answer.text
    return {one["template"]: one["state"] for one in answer.json()["offers"]}


def test_a_member_takes_what_is_offered_and_sees_its_terms(shop):
    template = shop.template(claimable=True, threshold=2_000, per_member=2)
    shop.template()
    assert offers(shop) == {template: "open"}
    got = shop.claim(template).json()["voucher"]
    assert (got["name"], got["kind"], got["state"]) == ("Five off", "fixed", "usable")
    assert got["terms"][0] == {"en": "CN¥5.00 off from CN¥20.00.", "zh": "满¥20.00减¥5.00。"}
    assert shop.wallet() == {got["id"]: "usable"}
    shop.claim(template)
    assert (code(shop.claim(template)), offers(shop)) == ("limit", {template: "taken"})


def test_the_same_request_takes_one(shop):
    template = shop.template(claimable=True, per_member=5)
    key = {"Idempotency-Key": "once"}
    answers = [shop.ask("POST", "claim", json={"template": template}, headers=key) for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert shop.usable() == 1


def test_a_day_is_a_local_day_and_the_limit_of_all_days_stays(shop):
    template = shop.template(claimable=True, per_member=3, per_day=2)
    taken = []
    for day, clock, times in ((0, (12,), 3), (0, (23, 59), 1), (1, (0, 1), 2), (9, (1,), 1)):
        shop.day(day, *clock)
        taken += [shop.claim(template).status_code for _ in range(times)]
    assert taken == [200, 200, 409, 409, 200, 409, 409]


def test_what_tactics_give_counts_for_the_number_and_not_for_the_members_limit(shop):
    template = shop.template(claimable=True, per_member=1, total=3)
    assert [one.state.value for one in shop.grant(template, "ann", amount=2)] == ["granted"]
    assert shop.claim(template).status_code == 200
    assert code(shop.claim(template, "bob")) == "none-left"
    assert offers(shop, "bob") == {template: "gone"}


def test_nobody_takes_what_is_not_offered(shop):
    hidden, draft = shop.template(), shop.draft(claimable=True).id
    over = shop.template(claimable=True, validity="dates", first_day="2026-03-01", last_day="2026-03-02")
    spent = shop.template(claimable=True, budget=500, per_member=None)
    shop.claim(spent)
    shop.reserve(("tea", 900))
    for template in (hidden, draft, "0", "99999999", "x", "-1", "١"):
        assert code(shop.claim(template)) == "not-offered"
    assert code(shop.claim(spent)) == "none-left"
    shop.day(1)
    assert code(shop.claim(over)) == "over"
    assert over not in offers(shop)


def test_only_whom_it_is_meant_for_takes_it(shop):
    shop.give(shop.template(), "ann")
    meant = {"fact": "vouchers.usable", "op": "at_least", "value": 1}
    template = shop.template(claimable=True, audience=meant)
    assert (offers(shop), offers(shop, "bob")) == ({template: "open"}, {})
    assert code(shop.claim(template, "bob")) == "not-offered"
    assert shop.claim(template).status_code == 200
    shop.change(template, audience={})
    assert shop.claim(template, "bob").status_code == 200


@pytest.mark.parametrize("state", ["pause", "end"])
def test_a_template_that_rests_gives_none(shop, state):
    template = shop.template(claimable=True)
    shop.step(template, state)
    assert code(shop.claim(template)) == "not-offered"
    assert offers(shop) == {}


def test_a_wallet_comes_in_pages_newest_first(shop):
    template = shop.template()
    shop.grant(template, "ann", amount=100)
    first = shop.ask("GET", "wallet").json()
    second = shop.ask("GET", f"wallet?before={first['next']}").json()
    found = [int(one["id"]) for page in (first, second) for one in page["vouchers"]]
    assert (len(found), second["next"]) == (100, None)
    assert found == sorted(found, reverse=True)
