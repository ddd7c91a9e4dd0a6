"""Who is named in a store's trail, by name while they exist."""

from collections.abc import Collection

from threepeat.sdk.wording import _
from threepeat.tenancy import keys
from threepeat_tenants.accounts import staff
from threepeat_tenants.console.page import Visit


def names(visit: Visit, actors: Collection[str]) -> dict[str, str]:
    """People and API keys by what a trail calls them, such as `staff:3`; whoever is unknown is left out."""
    kinds = {one.partition(":")[0] for one in actors}
    found: dict[str, str] = {}
    if "staff" in kinds:
        found.update({f"staff:{one.id}": one.name for one in staff.everyone(visit.scope)})
    if "key" in kinds:
        for key in keys.list_keys(visit.scope):
            found[f"key:{key.id}"] = visit.say(_("API key “{name}”", name=key.name))
    operator = visit.say(_("Operator of the platform"))
    found.update({one: operator for one in actors if one.startswith("operator:")})
    return {one: found[one] for one in actors if one in found}


def name(visit: Visit, actor: str) -> str:
    """One of them; by what the trail calls them if nothing else is known."""
    return names(visit, {actor}).get(actor, actor)
