"""The table of docs/explanation/closing.md, cell by cell: what each plugin does in each state.

The table says what is to come out; a probe makes it happen over the real road and says what came out.
"""

import inspect
from datetime import timedelta
from pathlib import Path

from closing_kit import HOOKS, holding, one, said, table
from pydantic import BaseModel

from threepeat.events import letters
from threepeat.events.verify import verify
from threepeat.sdk.events import Event, Sender, VisitMade
from threepeat.testing import samples

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "closing.md"
TOY = "sampler"


# --- What happens to a plugin --------------------------------------------------------------------------------


def happen(stand, event, member="ann"):
    """Let an event of a class come in: from the shop's server, or from the plugin that sends it."""
    if event is Event:  # a reaction to any: the store has chosen this one
        event = VisitMade
    data = samples.event_data(event, member)
    if Sender.SERVER in event.senders:
        stand.send(event.type, member if event.about_member else None, **data)
    else:
        owner = next(plugin.id for plugin in stand.world.registry if event in plugin.events)
        about = stand.member(member) if event.about_member else None
        stand.act(owner, lambda ctx: ctx.emit(samples.converted(event, data), member=about))


def live(stand, member="ann"):
    """Let everything happen once that the plugin reacts to, while it is on."""
    for event in {reaction.event for reaction in stand.subject.reactions}:
        happen(stand, event, member)
    stand.drain()
    if stand.subject.rewards and not holding(stand, stand.member(member)):
        for kind in stand.subject.rewards:
            given(stand, kind, member)
    if stand.subject.id in PRICED and not holding(stand, stand.member(member)):
        bought(stand, member)


PRICED = {
    "groupbuy": ("campaigns", {"name": "Tea", "sku": "tea", "price": 600}, "activate", "campaign"),
}
"""Of plugins whose rows come with a price: what is made, the step after which it counts, how it is chosen."""


def bought(stand, member):
    """Let a member pay for something at a price of the plugin's."""
    name, values, step, chosen = PRICED[stand.subject.id]
    made = stand.call("POST", f"/v1/plugins/{stand.subject.id}/{name}", {"values": values}).json()
    place = f"/v1/plugins/{stand.subject.id}/{name}/{made['id']}/{step}"
    assert stand.call("POST", place, {"revision": made["revision"]}).status_code == 200
    line = {"id": "1", "sku": "tea", "quantity": 1, "unit_price": 1000}
    basket = {"lines": [line], "choices": {stand.subject.id: {chosen: made["id"]}}}
    quote = stand.call("POST", "/v1/quotes", basket, token=stand.token(member)).json()
    held = stand.call("POST", f"/v1/quotes/{quote['id']}/reserve", token=stand.token(member))
    assert held.status_code == 200, held.text
    money = {"total": quote["total"], "currency": "CNY", "reservation_id": quote["id"]}
    stand.send("order.paid", member, order_id=f"order-{quote['id']}", **money)
    stand.drain()


def numbered(stand, *, always):
    return [(number, mine) for number, mine in enumerate(stand.subject.reactions) if mine.always is always]


def reaction(always):
    def probe(stand):
        stand.enter()
        wanted = numbered(stand, always=always)
        for event in {mine.event for _, mine in wanted}:
            happen(stand, event)
        return stand.became(*(f"reaction {number}" for number, _ in wanted))

    return probe


def letter(always):
    def probe(stand):
        wanted, name = numbered(stand, always=always), (stand.tenant.id, stand.subject.id)
        stand.world.spies.failing.add(name)
        for event in {mine.event for _, mine in wanted}:
            happen(stand, event)
        stand.drain()
        assert stand.rows("SELECT 1 FROM core.dead_letter WHERE plugin = :plugin", plugin=stand.subject.id)
        stand.world.spies.failing.discard(name)
        stand.enter()
        with stand.platform.database.tenant(stand.tenant.id) as scope:
            assert letters.retry(scope, plugin=stand.subject.id, by="test") > 0
        return stand.became(*(f"reaction {number}" for number, _ in wanted))

    return probe


def deadline(stand):
    for name in stand.subject.timers:
        stand.act(stand.subject.id, lambda ctx, name=name: ctx.later(name, "k", ctx.now, member=stand.member()))
    stand.enter()
    return stand.became(*(f"timer {name}" for name in stand.subject.timers))


def schedule(always):
    def probe(stand):
        stand.drain()  # the first turn plans them
        stand.enter()
        stand.pass_time(timedelta(days=32))
        names = [one.name for one in stand.subject.schedules.values() if one.always is always]
        return stand.became(*(f"schedule {name}" for name in names))

    return probe


def call(stand):
    key = f"{stand.tenant.id}:test"
    for name in stand.subject.outbounds:
        stand.act(stand.subject.id, lambda ctx, name=name: ctx.call(name, key, {}, member=stand.member()))
    stand.enter()
    return stand.became(*(f"call {name}" for name in stand.subject.outbounds))


# --- What members ask of it ----------------------------------------------------------------------------------


def asked(stand, route):
    """Ask as the member's phone does, with the least that the route takes."""
    path, query, body = route.path, {}, None
    for name, given in list(inspect.signature(route.handler, eval_str=True).parameters.items())[1:]:
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", "1")
        elif isinstance(given.annotation, type) and issubclass(given.annotation, BaseModel):
            body = samples.body(given.annotation)
        elif given.default is inspect.Parameter.empty:
            query[name] = "1"
    path += "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
    answer = stand.call(route.method, f"/v1/me/{stand.subject.id}{path}", body, token=stand.token())
    return "runs" if f"{route.method} {route.path}" in stand.called() else said(answer)


def route(method, always):
    def probe(stand):
        stand.enter()
        wanted = [one for one in stand.subject.routes if (one.method, one.always) == (method, always)]
        return one(asked(stand, found) for found in wanted)

    return probe


def shown(stand):
    stand.enter()
    cards = stand.call("GET", "/v1/me", token=stand.token()).json()["tactics"]
    return "yes" if stand.subject.id in {card["id"] for card in cards} else "no"


# --- What other plugins ask of it ----------------------------------------------------------------------------


STOCK = {
    "blindbox.draw": (
        "blindbox/series",
        {"name": "Kitchen", "sku": "box", "price": 5900, "items": [{"sku": n, "name": n} for n in ("cup", "pan")]},
        "publish",
    ),
    "vouchers": ("vouchers/templates", {"name": "Five off", "kind": "fixed", "amount": 500}, "activate"),
}
"""Of kinds of which a store has several: where one is made, of what, and the step after which it can be given."""


def by_patron(stand, verb, what, key="", *, item="", member="ann"):
    """Let another plugin ask inside a member's command: what it was told, or how the command was refused."""
    body = {"what": what, "key": key, "item": item}
    answer = stand.call("POST", f"/v1/me/patron/{verb}", body, token=stand.token(member))
    return answer.json() if answer.status_code == 200 else said(answer)


def stocked(stand, kind):
    """Which one of a kind can be given; one is made. Empty for a kind that is one."""
    if stand.subject.rewards[kind].items is None:
        return ""
    place, values, step = STOCK[kind]
    made = stand.call("POST", f"/v1/plugins/{place}", {"values": values}).json()
    ready = stand.call("POST", f"/v1/plugins/{place}/{made['id']}/{step}", {"revision": made["revision"]})
    assert ready.status_code == 200, ready.text
    return made["id"]


def given(stand, kind, member="ann"):
    state, key = by_patron(stand, "grant", kind, "before", item=stocked(stand, kind), member=member).split()
    assert state == "granted"
    return key


def granted(stand):
    items = {kind: stocked(stand, kind) for kind in stand.subject.rewards}
    stand.enter()
    return one(by_patron(stand, "grant", kind, "test", item=items[kind]).split()[0] for kind in items)


def revoked(stand):
    rewards = {kind: given(stand, kind) for kind in stand.subject.rewards}
    stand.enter()
    answers = {kind: by_patron(stand, "revoke", kind, key) for kind, key in rewards.items()}
    return one("runs" if f"revoke {kind}" in stand.called() else answers[kind] for kind in rewards)


def spent(stand):
    kinds = [kind for kind, reward in stand.subject.rewards.items() if reward.spend]
    for kind in kinds:
        given(stand, kind)
    stand.enter()
    answers = {kind: by_patron(stand, "spend", kind, "test") for kind in kinds}
    return one("runs" if f"spend {kind}" in stand.called() else answers[kind] for kind in kinds)


def balance(stand):
    for kind in stand.subject.rewards:
        given(stand, kind)
    stand.enter()
    answers = {kind: by_patron(stand, "balance", kind) for kind in stand.subject.rewards}
    return one("runs" if f"balance {kind}" in stand.called() else answers[kind] for kind in answers)


def own_grants(stand):
    """The toy's deadlines give what another plugin keeps."""
    member = stand.member()
    stand.act(stand.subject.id, lambda ctx: ctx.later("prize", "k", ctx.now, member=member))
    stand.enter()
    mine = "SELECT 1 FROM core.reward WHERE tenant_id = :tenant AND plugin = :plugin"
    stand.drain()
    if stand.rows(mine, plugin=stand.subject.id):
        return "runs"
    stand.back()
    stand.drain()
    return "waits" if stand.rows(mine, plugin=stand.subject.id) else "passed over"


def facts(stand):
    stand.enter()
    answers = {name: by_patron(stand, "fact", name) for name in stand.subject.facts}
    return one("runs" if f"fact {name}" in stand.called() else answers[name] for name in answers)


def multipliers(stand):
    stand.enter()
    answers = {found.kind: by_patron(stand, "factor", found.kind) for found in stand.subject.multipliers}
    return one("runs" if f"multiplier {kind}" in stand.called() else factor for kind, factor in answers.items())


# --- What the merchant does ----------------------------------------------------------------------------------


def settings(stand):
    stand.enter()
    return said(stand.call("PUT", f"/v1/tactics/{stand.subject.id}/settings", {"settings": {}}))


def slot(stand):
    stand.enter()
    held = stand.rows("SELECT slot FROM core.activation WHERE plugin = :plugin", plugin=stand.subject.id)
    return "no" if held == [(None,)] else "yes"


def switch_on(stand):
    stand.enter()
    answer = stand.switch(stand.subject.id, "enable")
    return answer.json()["state"] if answer.status_code == 200 else said(answer)


def switch_off(owing):
    def probe(stand):
        stand.enter()
        stand.world.spies.owing[stand.tenant.id, stand.subject.id] = owing
        answer = stand.switch(stand.subject.id, "disable")
        return answer.json()["state"] if answer.status_code == 200 else said(answer)

    return probe


def provider(stand):
    stand.enter()
    answers = [stand.switch(need, "disable") for need in stand.subject.manifest.requires]
    return one(answer.json()["state"] if answer.status_code == 200 else said(answer) for answer in answers)


# --- What happens to members ---------------------------------------------------------------------------------


def merge(stand):
    live(stand, "bob")
    ann, bob = stand.member("ann"), stand.member("bob")
    assert holding(stand, bob)
    stand.enter()
    answer = stand.call("POST", "/v1/members/ann/merge", {"source": "bob"})
    if answer.status_code == 200:
        assert holding(stand, ann)
        return "runs" if "merge_members" in stand.called() else "200"
    assert (bool(holding(stand, bob)), holding(stand, ann)) == (True, set())
    return said(answer)


def export(stand):
    live(stand)
    wanted = holding(stand, stand.member())
    stand.enter()
    found = stand.call("GET", "/v1/members/ann/export").json()["tables"]
    return "yes" if wanted and wanted <= found.keys() else "no"


def export_hook(stand):
    live(stand)
    stand.enter()
    own = stand.call("GET", "/v1/members/ann/export").json()["plugins"]
    assert (stand.subject.id in own) == ("export_member" in stand.called())
    return "runs" if stand.subject.id in own else "nothing"


def erased(stand):
    """Erase a member and let the worker do it."""
    live(stand)
    member = stand.member()
    held = holding(stand, member)
    stand.enter()
    asked = stand.call("DELETE", "/v1/members/ann").json()
    stand.drain()
    done = stand.call("GET", f"/v1/erasures/{asked['id']}").json()
    return done["completed_at"] is not None, held, holding(stand, member)


def erasure(stand):
    complete, before, after = erased(stand)
    return "yes" if complete and before and not after else "no"


def erasure_hook(stand):
    erased(stand)
    return stand.became("erase_member")


# --- What is checked and told --------------------------------------------------------------------------------


def invariants(stand):
    live(stand)
    stand.enter()
    found = [one for one in verify(stand.platform, stand.tenant) if one.owner == stand.subject.id]
    assert [one.name for one in found if one.rows] == []
    names = {one.name for one in found}
    return "yes" if names == {one.name for one in stand.subject.invariants} else one(names) or "no"


def hooks(stand):
    stand.enter()
    stand.drain()
    name = (stand.tenant.id, stand.subject.id)
    told = [what for where, who, what in stand.world.spies.seen if (where, who) == name and what in HOOKS]
    return ", ".join(told)


def hook_events(stand):
    stand.enter()
    stand.drain()
    types = [event.type for event in stand.subject.events]
    told = stand.rows(
        "SELECT data ->> 'hook' FROM core.event WHERE type = ANY(:types) ORDER BY position", types=types
    )
    return ", ".join(hook for (hook,) in told)


def has(attribute, test=bool):
    return lambda plugin: any(map(test, getattr(plugin, attribute)))


def overrides(hook):
    return lambda plugin: plugin.overrides(hook)


def tactic(plugin):
    return plugin.manifest.kind == "tactic"


def every(_plugin):
    return True


def toy(plugin):
    return plugin.id == TOY


ROWS = {
    "question": (route("GET", True), has("routes", lambda one: one.method == "GET" and one.always)),
    "guarded question": (route("GET", False), has("routes", lambda one: one.method == "GET" and not one.always)),
    "command": (route("POST", False), has("routes", lambda one: one.method == "POST" and not one.always)),
    "command always": (route("POST", True), has("routes", lambda one: one.method == "POST" and one.always)),
    "shown": (shown, tactic),
    "reaction": (reaction(False), has("reactions", lambda one: not one.always)),
    "reaction always": (reaction(True), has("reactions", lambda one: one.always)),
    "letter": (letter(False), has("reactions", lambda one: not one.always)),
    "letter always": (letter(True), has("reactions", lambda one: one.always)),
    "deadline": (deadline, lambda plugin: bool(plugin.timers)),
    "schedule": (schedule(False), lambda plugin: any(not one.always for one in plugin.schedules.values())),
    "schedule always": (schedule(True), lambda plugin: any(one.always for one in plugin.schedules.values())),
    "call": (call, lambda plugin: bool(plugin.outbounds)),
    "grant": (granted, has("rewards")),
    "revoke": (revoked, has("rewards")),
    "spend": (spent, lambda plugin: any(one.spend for one in plugin.rewards.values())),
    "balance": (balance, has("rewards")),
    "own grant": (own_grants, toy),
    "fact": (facts, has("facts")),
    "multiplier": (multipliers, has("multipliers")),
    "settings": (settings, every),
    "slot": (slot, tactic),
    "on": (switch_on, every),
    "off owing": (switch_off(["something"]), every),
    "off owing nothing": (switch_off([]), every),
    "provider off": (provider, lambda plugin: bool(plugin.manifest.requires)),
    "merge": (merge, overrides("merge_members")),
    "export": (export, overrides("merge_members")),
    "export hook": (export_hook, overrides("export_member")),
    "erasure": (erasure, overrides("merge_members")),
    "erasure hook": (erasure_hook, overrides("erase_member")),
    "invariants": (invariants, has("invariants")),
    "hooks": (hooks, every),
    "hook events": (hook_events, toy),
}
"""By name of the row: what makes it happen, and which plugins have it. The toy has all of them."""


def test_what_the_table_says_is_so(cell, stand):
    subject, state, row = cell
    probe, _ = ROWS[row]
    assert probe(stand(subject, state)) == table(PAGE.read_text("utf-8"))[row][state]
