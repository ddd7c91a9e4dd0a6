"""Budgets over HTTP: set, shown, and kept by members' commands that race for the last of them."""

import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
import pytest

from threepeat.sdk import Grant
from threepeat.tenancy import keys

BIG = 10**15
HOUR = timedelta(hours=1)


@pytest.fixture
def manage(house, client, make_key):
    client.headers["Authorization"] = f"Bearer {make_key(house.tenant, 'manage')}"
    return client


def put(client, tactic="giver", **more):
    return client.put(f"/v1/tactics/{tactic}/settings", json={"settings": {}, **more})


def shown(client, tactic="giver"):
    tactics = {one["id"]: one for one in client.get("/v1/tactics").json()["tactics"]}
    return tactics[tactic]["monthly_budget"], tactics[tactic]["spent_this_month"]


def test_a_budget_is_set_left_alone_and_lifted(house, manage, ann):
    assert shown(manage) == (None, 0)
    answer = put(manage, monthly_budget=500)
    assert (answer.status_code, answer.json()["monthly_budget"]) == (200, 500)
    house.grant(Grant(ann, 7, "gift", "x"))
    assert put(manage, holdout_percent=0).json()["monthly_budget"] == 500
    assert shown(manage) == (500, 21)
    assert put(manage, monthly_budget=None).json()["spent_this_month"] == 21
    assert shown(manage) == (None, 21)
    assert put(manage, monthly_budget=0).status_code == 200
    assert shown(manage) == (0, 21)
    assert shown(manage, "rival") == (None, 0)


def test_another_stores_budget_is_its_own(house, manage, make_tenant, client, make_key):
    other = house.other(make_tenant, "giver", "tokens")
    put(manage, monthly_budget=500)
    other.grant(Grant(other.member(), 2, "gift", "x"))
    assert shown(manage) == (500, 0)
    client.headers["Authorization"] = f"Bearer {make_key(other.tenant, 'manage')}"
    assert shown(client) == (None, 6)


@pytest.mark.parametrize(
    "wrong", ["-1", str(BIG + 1), str(2**63), "1.5", "NaN", "1e400", '"much"', '"\\u0000"', "[]", "{}"]
)
def test_a_wrong_budget_is_refused_by_name(manage, wrong):
    body = '{"settings": {}, "monthly_budget": ' + wrong + "}"
    answer = manage.put("/v1/tactics/giver/settings", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}
    if answer.status_code == 422:
        assert "monthly_budget" in answer.json()["errors"][0]["field"]
    assert shown(manage) == (None, 0)


def test_commands_that_race_for_the_last_of_a_budget_are_all_answered(house, manage, platform):
    """Whoever was overtaken is asked again on the spot, and finds nothing left."""
    put(manage, monthly_budget=30)
    tokens = []
    for number in range(48):
        name = f"m{number}"
        tokens.append(keys.sign_token(platform.keyring, house.tenant.id, house.member(name), name, HOUR)[0])

    def ask(token):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(8)}
        with httpx2.Client(base_url=manage.base_url, timeout=60) as client:
            for _ in range(50):
                answer = client.post("/v1/me/giver/gifts", headers=headers)
                if answer.status_code != 503:  # the machine is busy, and says when to come back
                    break
                time.sleep(0.2)
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(16) as pool:
        answers = Counter(pool.map(ask, tokens))
    assert answers == {(200, "granted"): 10, (200, "over_budget"): 38}
    assert house.spent() == {house.month: 30}
