"""What a project says of baskets is tried, and what cannot be tried is told."""

from dataclasses import replace

import pytest

from threepeat.testing.conformance import baskets
from threepeat.testing.conformance.bench import Bench
from threepeat.testing.conformance.project import Project, ProjectError
from threepeat.testing.conformance.rules import RULES, ask

RULE = next(rule for rule in RULES if rule.id == "prices-hold")
TEA = [{"sku": "tea", "quantity": 2, "unit_price": 4000}]


@pytest.fixture
def bench(cluster, tmp_path):
    """Puts groupbuy on the bench with other baskets than its own."""

    def opened(*said):
        return Bench.open(cluster, replace(Project.of("groupbuy"), baskets=said), tmp_path)

    return opened


def test_a_rule_that_holds_something_needs_a_basket_for_which_it_does(bench):
    with bench() as opened:
        outcome = ask(RULE, opened)
    assert outcome.findings == (
        "no basket holds anything of it: write one that does as [[baskets]] in conformance.toml",
    )


def test_the_item_of_a_collection_and_what_was_answered_stand_in_for_their_names(bench):
    asks = [{"get": "/campaigns", "keep": {"sku": "campaigns.0.sku"}}]
    choice = {"campaign": "{campaigns}", "others": ["{sku}", 7]}
    with bench({"lines": TEA, "choice": choice, "asks": asks}) as opened:
        stand = opened.store()
        _plain, made = ready(stand)
    assert made.choices == {"groupbuy": {"campaign": stand.made["campaigns"], "others": ["tea", 7]}}
    assert stand.made["campaigns"].isdigit()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"lines": TEA, "choice": "{nobody}"}, "nothing is made of that name"),
        ({"lines": TEA, "choice": "{"}, "nothing is made of that name"),
        ({}, "length >= 1"),
        ({"lines": TEA, "coupon": 5}, "no use for coupon"),
        ({"lines": [{"sku": "tea"}]}, "missing required field"),
        ({"lines": TEA, "shipping": -1}, "shipping"),
        ({"lines": TEA, "asks": [{"post": "/nowhere"}]}, "POST /v1/me/groupbuy/nowhere is answered 404"),
        ({"lines": TEA, "asks": [{"get": "/campaigns", "keep": {"x": "campaigns.9.id"}}]}, "no campaigns.9.id"),
    ],
)
def test_what_cannot_be_a_basket_is_told(bench, said, why):
    with bench(said) as opened:
        stand = opened.store()
        with pytest.raises(ProjectError, match=r"conformance\.toml") as raised:
            ready(stand)
    assert why in str(raised.value)


def ready(stand):
    baskets.prepare(stand, "ann")
    return baskets.wanted(stand)
