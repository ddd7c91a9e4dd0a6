"""Blueprints: for each trade the tactics to begin with and why, as data files whose rules are checked at load."""

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from threepeat.plugins import Registry
from threepeat.sdk.wording import Wording, _
from threepeat.tenancy import facts, holdout
from threepeat.tenancy.errors import Conflict, Invalid, NotFound

FOLDER = files("threepeat_tenants.operating") / "blueprints"
MOST = 3
"""Three tactics well done beat seventeen: no blueprint proposes more."""

TRADES = frozenset({"tea-coffee", "fashion-gifts", "pharmacy", "pets", "school"})
"""The trades that rules speak of; a blueprint names one of them."""

TACTICS = frozenset(
    {
        *("points", "welcome", "checkin", "winback", "tiers", "groupbuy", "blindbox", "referral"),
        *("community", "storedvalue"),
    }
)
"""Tactics that a blueprint may name whether or not they are installed here."""

BLIND_BOXES = "盲盒经营行为规范指引(试行), 国市监稽发〔2023〕39号"
FORBIDDEN: Mapping[tuple[str, str], str] = {
    ("pharmacy", "blindbox"): f"medicines and medical devices may not be sold in blind boxes ({BLIND_BOXES})",
    ("pets", "blindbox"): f"live animals may not be sold in blind boxes ({BLIND_BOXES})",
    ("school", "blindbox"): "its members are minors: nothing below 8 years, and above only with a guardian's"
    f" consent ({BLIND_BOXES})",
}
"""Pairs of trade and tactic that no blueprint may propose, with the reason and its source."""


class BlueprintError(Conflict):
    """A blueprint breaks a rule.

    Args:
        file: Its file's name.
        rule: What it breaks, in one sentence.
    """

    def __init__(self, file: str, rule: str) -> None:
        super().__init__("blueprint-broken", f"blueprint {file}: {rule}", file=file)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Strict):
    """A text in both languages."""

    en: str = Field(min_length=1, max_length=400)
    zh: str = Field(min_length=1, max_length=400)

    def said(self, locale: str) -> str:
        """The text in a language such as `zh-CN`; English for any other."""
        return self.zh if locale.startswith("zh") else self.en


class Choice(_Strict):
    """A tactic that is proposed."""

    id: str
    why: Words
    settings: dict[str, Any] = Field(default_factory=dict)
    holdout_percent: int | None = Field(default=None, ge=0, le=holdout.MAX_PERCENT)


class LeftOut(_Strict):
    """A tactic that is not proposed on purpose."""

    id: str
    why: Words


class Blueprint(_Strict):
    """What a trade begins with."""

    id: str
    trade: str
    title: Words
    summary: Words
    tactic: tuple[Choice, ...] = Field(min_length=1, max_length=MOST)
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A tactic of a blueprint as it stands here.

    Attributes:
        note: Why it cannot be switched on; None if it can.
    """

    choice: Choice
    title: str
    note: Wording | None


def load(registry: Registry, folder: Traversable = FOLDER) -> Mapping[str, Blueprint]:
    """The blueprints by id.

    Raises:
        BlueprintError: One breaks a rule; the message names its file and the rule.
    """
    found = (file for file in folder.iterdir() if file.name.endswith(".toml"))
    read = [_read(file, registry) for file in sorted(found, key=lambda file: file.name)]
    return {blueprint.id: blueprint for blueprint in read}


def get(registry: Registry, blueprint_id: str) -> Blueprint:
    """One blueprint.

    Raises:
        NotFound: There is none of this id.
    """
    found = load(registry).get(blueprint_id)
    if found is None:
        raise NotFound(f"there is no blueprint {blueprint_id!r}; choose from {', '.join(load(registry))}")
    return found


def propose(
    blueprint: Blueprint, registry: Registry, permitted: Collection[str] | None = None
) -> Sequence[Proposal]:
    """A blueprint's tactics with a note at each that cannot be switched on here.

    Args:
        permitted: The plugins that the store may have; all if None.
    """
    return [
        Proposal(choice, _title(registry, choice.id), _note(registry, choice.id, permitted))
        for choice in blueprint.tactic
    ]


def left_out(blueprint: Blueprint, registry: Registry) -> Iterator[LeftOut]:
    """What was left out on purpose, as far as it is there to be chosen."""
    return (one for one in blueprint.left_out if one.id in registry)


def _note(registry: Registry, tactic: str, permitted: Collection[str] | None) -> Wording | None:
    if tactic in registry.quarantined:
        return _("{tactic} is quarantined here", tactic=tactic)
    if tactic not in registry:
        return _("{tactic} is not installed here", tactic=tactic)
    missing = [need for need in (tactic, *registry[tactic].manifest.requires) if not _may(need, permitted)]
    return _("the plan does not allow {plugin}", plugin=missing[0]) if missing else None


def _may(plugin: str, permitted: Collection[str] | None) -> bool:
    return permitted is None or plugin in permitted


def _title(registry: Registry, tactic: str) -> str:
    return registry[tactic].manifest.title if tactic in registry else tactic


def _read(file: Traversable, registry: Registry) -> Blueprint:
    try:
        blueprint = Blueprint.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BlueprintError(file.name, f"it is no TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise BlueprintError(file.name, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    for rule in _broken(blueprint, file.name.removesuffix(".toml"), registry):
        raise BlueprintError(file.name, rule)
    return blueprint


def _broken(blueprint: Blueprint, stem: str, registry: Registry) -> Iterator[str]:
    """The rules that a blueprint breaks."""
    if blueprint.id != stem:
        yield f"its id {blueprint.id!r} differs from the file's name"
    if blueprint.trade not in TRADES:
        yield f"there is no trade {blueprint.trade!r}; choose from {', '.join(sorted(TRADES))}"
    named = [*(one.id for one in blueprint.tactic), *(one.id for one in blueprint.left_out)]
    for tactic in named:
        if tactic not in TACTICS and tactic not in registry:
            yield f"there is no tactic {tactic!r}"
        if tactic in registry and registry[tactic].manifest.kind != "tactic":
            yield f"{tactic!r} is a service, not a tactic"
        if named.count(tactic) > 1:
            yield f"{tactic!r} stands there twice"
    for choice in blueprint.tactic:
        reason = FORBIDDEN.get((blueprint.trade, choice.id))
        if reason is not None:
            yield f"{choice.id!r} is forbidden in the trade {blueprint.trade!r}: {reason}"
        yield from _unfit(choice, registry)


def _unfit(choice: Choice, registry: Registry) -> Iterator[str]:
    """What is wrong with a tactic's settings, as far as it is installed here."""
    if choice.id not in registry:
        return
    plugin = registry[choice.id]
    if choice.holdout_percent and plugin.manifest.holdout == "none":
        yield f"{choice.id!r} has no comparison group"
    try:
        meant = plugin.plugin.settings_model.model_validate(choice.settings)
        facts.require_known(meant, facts.catalogue(registry), ("settings",))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        yield f"{choice.id}.settings.{'.'.join(map(str, first['loc']))}: {first['msg']}"
    except Invalid as error:
        yield f"{choice.id}.{error}"
