"""Many people at once, in short; `make test-browser` measures how fast."""

import pytest
from load import OVER, compare, holds, run, show


@pytest.fixture(scope="module")
def outcome(installed):
    return run(installed, seconds=15, seed=7)


def test_many_people_at_once_keep_every_promise(outcome):
    show(outcome)
    assert holds(outcome)
    assert outcome.ledger.looks > 50
    assert len(outcome.ledger.switched) > 10
    assert len(outcome.ledger.saved) > 10
    assert outcome.ledger.told > 0


def test_a_change_too_many_or_too_few_is_noticed(outcome, installed):
    saved = outcome.ledger.saved
    store = next(tenant for tenant in outcome.stores if tenant.id == saved[0][0])

    def found():
        return compare(installed, store, outcome.ledger, outcome.before[store.id])

    assert not found()
    lost = saved.pop(0)
    assert any("saves of" in one for one in found())
    saved += [lost, (*lost[:3], lost[3] + 1000)]
    assert any("saves of" in one for one in found())
    saved.pop()
    switched, outcome.ledger.switched = outcome.ledger.switched, []
    assert any(
        "by nobody" in one
        for tenant in outcome.stores
        for one in compare(installed, tenant, outcome.ledger, outcome.before[tenant.id])
    )
    outcome.ledger.switched = switched


def test_a_store_above_its_cap_is_noticed(outcome, installed):
    assert outcome.stores
    with installed.platform.database.ops.begin() as ops:
        assert ops.execute(OVER, {"cap": 0}).all()
        assert not ops.execute(OVER, {"cap": 3}).all()
