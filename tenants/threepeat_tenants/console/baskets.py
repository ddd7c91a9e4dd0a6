"""A test member's basket: priced by the store's checkout, held, and paid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import BaseModel, Field
from starlette.types import ASGIApp

from threepeat.plugins import Installed
from threepeat.sdk.settings import shown
from threepeat.sdk.wording import _
from threepeat_tenants import preview
from threepeat_tenants.console import calling
from threepeat_tenants.console.calling import Answer, Ask
from threepeat_tenants.forms import Form, Submitted, Surroundings, parse

BASKET = "basket"
MOST_LINES = 3
"""Reductions that are told, and as many that did not count."""
MOST_TEXT = 40
"""So that all of it fits into a cookie, in Chinese too."""


class Basket(BaseModel):
    """What is bought, as it is typed."""

    sku: str = Field(default=preview.SKU, min_length=1, max_length=128, title=_("SKU"))
    quantity: int = Field(default=1, ge=1, le=1000, title=_("Quantity"))
    price: int = Field(
        default=12_800, ge=0, le=10**9, title=_("Price of one"), json_schema_extra=shown(unit="money")
    )


@dataclass(frozen=True, slots=True)
class Chooser:
    """A plugin of which members choose something when they buy.

    Attributes:
        prefix: First part of the names of its fields.
    """

    plugin: Installed
    model: type[BaseModel]
    around: Surroundings

    @property
    def prefix(self) -> str:
        """First part of the names of its fields."""
        return f"choice-{self.plugin.id}"


@dataclass(frozen=True, slots=True)
class Bought:
    """What came of a basket.

    Attributes:
        refused: It was not bought.
        problem: What the member is told instead; empty if nobody said why.
        total: What was paid, in minor units.
        before: What the goods come to without reductions.
        applied: Titles and amounts of what counted.
        left_out: Titles and reasons of what did not.
    """

    refused: bool = False
    problem: str = ""
    total: int = 0
    before: int = 0
    applied: Sequence[tuple[str, int]] = ()
    left_out: Sequence[tuple[str, str]] = ()


def choosers(found: Iterable[tuple[Installed, Surroundings]]) -> list[Chooser]:
    """Those plugins of which members choose something."""
    return [
        Chooser(plugin, rule.choice, around)
        for plugin, around in found
        for rule in plugin.price_rules.values()
        if rule.choice is not None
    ]


def forms(
    ours: Surroundings, choosing: Iterable[Chooser], typed: Mapping[str, Submitted]
) -> tuple[Form, list[tuple[Chooser, Form]]]:
    """The form of the basket, and one for each plugin of which members choose something."""
    return Form.of(Basket, ours, prefix=BASKET, submitted=typed.get(BASKET)), [
        (one, Form.of(one.model, one.around, prefix=one.prefix, submitted=typed.get(one.prefix)))
        for one in choosing
    ]


def submitted(
    pairs: list[tuple[str, str]], ours: Surroundings, choosing: Iterable[Chooser]
) -> dict[str, Submitted]:
    """Read them, by prefix."""
    found = {one.prefix: parse(one.model, pairs, one.around, prefix=one.prefix) for one in choosing}
    return {BASKET: parse(Basket, pairs, ours, prefix=BASKET), **found}


def request(typed: Mapping[str, Submitted], choosing: Iterable[Chooser]) -> dict[str, Any]:
    """What is asked of the checkout."""
    bought = Basket.model_validate(typed[BASKET].values)
    choices = {}
    for one in choosing:
        chosen = one.model.model_validate(typed[one.prefix].values).model_dump(mode="json", exclude_defaults=True)
        if chosen:
            choices[one.plugin.id] = chosen
    line = {"id": "1", "sku": bought.sku, "quantity": bought.quantity, "unit_price": bought.price}
    return {"lines": [line], "choices": choices}


def hold(app: ASGIApp, token: str, wanted: Mapping[str, Any], mark: str) -> Answer:
    """Ask for the price and hold it; the answer of whichever of the two was refused, or the held quote."""
    [quoted] = calling.calls(app, token, [Ask("POST", "/v1/quotes", wanted)])
    if not quoted.ok:
        return quoted
    path = f"/v1/quotes/{quoted.data()['id']}/reserve"
    [held] = calling.calls(app, token, [Ask("POST", path, key=f"preview-{mark}")])
    return held


def left(answer: Answer, language: str) -> dict[str, str]:
    """What came of it, short enough to be left for the next page."""
    data = answer.data()
    if not answer.ok:
        return {"basket": "refused", "problem": calling.reason(data)[:200]}
    said = {
        "before": sum(line["before"] for line in data["lines"]),
        "total": data["total"],
        "applied": [
            (one["title"][language][:MOST_TEXT], one["amount"] + one["shipping"])
            for one in data["applied"][:MOST_LINES]
        ],
        "left_out": [
            (one["title"][language][:MOST_TEXT], one["reason"].get(language, "")[:MOST_TEXT])
            for one in data["left_out"][:MOST_LINES]
            if one["why"] == "declined"
        ],
    }
    return {"basket": "paid", "paid": orjson.dumps(said).decode()}


def read(found: Mapping[str, str]) -> Bought | None:
    """What was left, if anything was."""
    if found.get("basket") == "refused":
        return Bought(problem=found["problem"], refused=True)
    return Bought(**orjson.loads(found["paid"])) if "paid" in found else None
