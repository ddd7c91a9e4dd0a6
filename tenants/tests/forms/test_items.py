"""Rewards of which a store has several: whatever is chosen comes back as it was, also what is given no more."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from threepeat.sdk import RewardChoice, reward, shown
from threepeat_tenants.forms import Form, parse

ITEMS = {"1": "Five off", "2": "Ten off: only today", "3": "<b>"}


class Gifts(BaseModel):
    which: str = Field(default="1", json_schema_extra=shown(items="vouchers"))
    first: RewardChoice = RewardChoice(kind="points", amount=1)
    second: RewardChoice | None = None
    more: list[RewardChoice] = Field(default=[])
    some: tuple[str, ...] = Field(default=(), json_schema_extra=shown(items="vouchers"))


def nothing(*_):
    return {}


def shop(around):
    several = reward(
        "vouchers",
        title={"en": "vouchers", "zh": "优惠券"},
        grant=nothing,
        revoke=nothing,
        balance=nothing,
        cost=lambda *_: 0,
        items=nothing,
    )
    return replace(around, kinds={**around.kinds, "vouchers": several}, items={"vouchers": ITEMS})


CHOICE = st.builds(
    lambda kind, item, amount: {"kind": kind, "amount": amount, **({"item": item} if kind == "vouchers" else {})},
    st.sampled_from(["points", "vouchers", "gone"]),
    st.sampled_from([*ITEMS, "99"]),
    st.integers(1, 10**9),
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.fixed_dictionaries(
        {
            "which": st.sampled_from([*ITEMS, "99"]),
            "first": CHOICE,
            "second": st.none() | CHOICE,
            "more": st.lists(CHOICE, max_size=3),
            "some": st.lists(st.sampled_from([*ITEMS, "99"]), unique=True),
        }
    )
)
def test_a_form_that_nobody_touched_means_what_it_was_made_of(around, browse, values):
    page = browse(Form.of(Gifts, shop(around), values=values))
    back = parse(Gifts, page.pairs, shop(around), values=values)
    assert (back.ok, back.values) == (True, values)


def test_the_items_are_offered_by_name_and_one_that_is_gone_says_so(around, html):
    page = html(Form.of(Gifts, shop(around), values={"which": "99", "some": ["98", "2"]}))
    assert '<option value="vouchers:2">vouchers: Ten off: only today</option>' in page
    assert '<option value="1">Five off</option>' in page
    assert "99 (no longer there)" in page
    assert "98 (no longer there)" in page
    assert page.count('type="checkbox"') == len(ITEMS) + 1
    assert "<b>" not in page


def test_some_are_ticked_and_what_nobody_offers_is_refused(around):
    offered, path = shop(around), "settings.some"
    ticked = parse(Gifts, [(f"{path}~list", "1"), (path, "3"), (path, "1")], offered, values={"some": ["1", "99"]})
    assert ticked.values["some"] == ["3", "1"]
    none = parse(Gifts, [(f"{path}~list", "1")], offered, values={"some": ["1", "99"]})
    assert none.values["some"] == []
    for hostile in ("98", "", "\x00", "x" * 10_000):
        wrong = parse(Gifts, [(f"{path}~list", "1"), (path, hostile)], offered, values={"some": ["1"]})
        assert (wrong.ok, path in wrong.errors) == (False, True)
