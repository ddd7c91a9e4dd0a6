"""A model's form: what a page shows of it, and what comes back."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from threepeat.sdk.wording import _
from threepeat.tenancy.errors import Fault, Invalid
from threepeat_tenants.forms.composites import Group, Maybe, add_row, remove_row
from threepeat_tenants.forms.describe import describe
from threepeat_tenants.forms.fields import Field, GroupField
from threepeat_tenants.forms.inputs import MAX_NAME, Inputs, Raw
from threepeat_tenants.forms.leaves import Secret
from threepeat_tenants.forms.messages import message
from threepeat_tenants.forms.shapes import Head, Laying, Loc, Reading
from threepeat_tenants.forms.surroundings import Surroundings

PREFIX = "settings"
MOST_NAMES = 3
"""Unknown fields that a message names."""

MOST_ERRORS = 200
"""Errors that are told at once; hostile JSON may have thousands."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Section:
    """Fields under one heading; the heading may be empty."""

    title: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Complaint:
    """An entry of the summary on top: what is wrong, and where the link to it leads."""

    label: str
    reason: str
    field: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """A form that came back.

    Attributes:
        values: What it means, as the API takes it; only complete if `ok`.
        errors: What to change, by the field's path; the form's own path for what belongs to no field.
        inputs: What was typed.
        stepped: A row was added or taken out: show the form again and save nothing.
    """

    model: type[BaseModel]
    prefix: str
    around: Surroundings
    values: dict[str, Any]
    errors: Mapping[str, tuple[str, ...]]
    inputs: Inputs
    stepped: bool

    @property
    def ok(self) -> bool:
        """Whether the values can be saved."""
        return not self.errors and not self.stepped

    def refused(self, error: Invalid) -> "Submitted":
        """The same with what core said about the values, each at its field."""
        noted = _Notes(self.model, self.prefix, self.around, self.inputs, dict(self.errors))
        for fault in error.errors[:MOST_ERRORS]:
            noted.fault(fault)
        return replace(self, errors=noted.errors)


@dataclass(frozen=True, slots=True)
class Form:
    """What a page shows of a model, from its values or from what was typed.

    Attributes:
        errors: What belongs to no field.
        complaints: Everything that is wrong, with links to the fields.
    """

    prefix: str
    sections: tuple[Section, ...]
    errors: tuple[str, ...]
    complaints: tuple[Complaint, ...]

    @classmethod
    def of(
        cls,
        model: type[BaseModel],
        around: Surroundings,
        *,
        prefix: str = PREFIX,
        values: Mapping[str, Any] | None = None,
        secrets: Mapping[str, bool] | None = None,
        submitted: Submitted | None = None,
    ) -> "Form":
        """The form of a model.

        Args:
            prefix: First part of every input's name; no dot and no `~` in it.
            values: What the store has, without secrets, as JSON; defaults stand where nothing was set.
            secrets: For each secret, by its dotted path, whether it is set.
            submitted: What was typed, to be shown instead of the values.
        """
        shape = describe(model)
        if submitted is None:
            raw: Raw = {}
            shape.fill_known(raw, prefix, values or {}, around)
            inputs, errors = Inputs(((name, text) for name in raw for text in raw[name]), prefix), {}
        else:
            inputs, errors = submitted.inputs, dict(submitted.errors)
        laid = shape.lay(Laying(inputs, around, errors, secrets or {}, prefix), prefix, Head())
        fields = laid.fields if isinstance(laid, GroupField) else ()
        sections = _sections(shape, fields, around)
        own = tuple(errors.get(prefix, ()))
        told = [Complaint("", reason, "") for reason in own]
        told += [
            Complaint(one.label or above, reason, one.id)
            for one, above in _walk(fields, "")
            for reason in one.errors
        ]
        return cls(prefix, sections, own, tuple(told))

    @property
    def fields(self) -> Iterator[Field]:
        """Every field, those in others too."""
        return (one for section in self.sections for one, _above in _walk(section.fields, ""))


def parse(
    model: type[BaseModel],
    pairs: Iterable[tuple[str, str]],
    around: Surroundings,
    *,
    prefix: str = PREFIX,
    values: Mapping[str, Any] | None = None,
    secrets: Mapping[str, bool] | None = None,
) -> Submitted:
    """Read a submitted form.

    A field that was not sent at all keeps its value; one that shows its default and was not changed stays unset; a
    secret that was left empty is left out.

    Args:
        pairs: Names and texts, as a browser sends them; those of other parts of the page are passed over.
        values: What the store has now, without secrets.
        secrets: For each secret, by its dotted path, whether it is set.
    """
    pairs = list(pairs)
    inputs = Inputs(pairs, prefix)
    stepped = _step(inputs, pairs, prefix)
    reading = Reading(inputs, around)
    found = describe(model).read(reading, prefix, values or {})
    _refuse_unknown(reading, prefix)
    said = {path: tuple(map(around.say, dict.fromkeys(reasons))) for path, reasons in reading.errors.items()}
    if stepped:
        return Submitted(model, prefix, around, found, {}, inputs, stepped=True)
    noted = _Notes(model, prefix, around, inputs, said)
    noted.judge(found, {name for name, is_set in (secrets or {}).items() if is_set})
    return Submitted(model, prefix, around, found, noted.errors, inputs, stepped=False)


@dataclass(slots=True)
class _Notes:
    """Collects what is wrong, each at its field."""

    model: type[BaseModel]
    prefix: str
    around: Surroundings
    inputs: Inputs
    errors: dict[str, tuple[str, ...]]
    unread: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unread = frozenset(self.errors)

    def judge(self, values: dict[str, Any], kept: set[str]) -> None:
        """Ask the model about the values.

        Args:
            kept: The secrets that are set. Those that were left empty are not among the values, so nothing is
                concluded from their absence; whoever saves asks the model again, with them.
        """
        try:
            self.model.model_validate(values)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False)[:MOST_ERRORS]:
                path, shape = self._at(one["loc"])
                partial = bool(kept or self.unread) and isinstance(shape, Group | Maybe)
                partial = partial or (bool(kept) and isinstance(shape, Secret) and one["type"] == "missing")
                if not partial and not self._covered(path):
                    self._note(path, message(one["type"], one.get("ctx", {}), one["msg"], shape, self.around))
        except Exception as error:  # noqa: BLE001 - a stranger's validator may raise anything
            logger.error("a model failed", model=self.model.__name__, reason=f"{type(error).__name__}: {error}")
            self._note(self.prefix, self.around.say(_("These values could not be checked. Nothing was saved.")))

    def fault(self, fault: Fault) -> None:
        """Note what core refuses; a field of another part of the page is told on top."""
        first, *rest = fault.field.split(".")
        loc: Loc = tuple(int(one) if one.isascii() and one.isdecimal() else one for one in rest)
        if first != self.prefix:
            loc = (first, *loc)
        path, shape = self._at(loc)
        said = message(fault.kind, fault.context or {}, fault.reason, shape, self.around)
        known = first == self.prefix or path != self.prefix
        self._note(path, said if known else f"{fault.field}: {said}")

    def _at(self, loc: Loc) -> tuple[str, Any]:
        return describe(self.model).locate(self.inputs, self.prefix, loc)

    def _covered(self, path: str) -> bool:
        """Whether the field, or one in it, could not even be read: then the model never saw what was meant."""
        return any(one == path or one.startswith(f"{path}.") or path.startswith(f"{one}.") for one in self.unread)

    def _note(self, path: str, reason: str) -> None:
        if reason not in self.errors.get(path, ()):
            self.errors[path] = (*self.errors.get(path, ()), reason)


def _step(inputs: Inputs, pairs: Iterable[tuple[str, str]], prefix: str) -> bool:
    """Add or take out a row, if the button that was pressed says so."""
    for name, _text in pairs:
        verb, _colon, place = name.partition(":")
        path, _colon, number = place.partition(":")
        if verb not in {"add", "remove"} or len(name) > MAX_NAME or path.partition(".")[0] != prefix:
            continue
        if verb == "remove" and number.isascii() and number.isdecimal():
            remove_row(inputs, path, int(number[:6]))
        elif verb == "add" and f"{path}~new" not in inputs.raw:
            add_row(inputs, path)
        return True
    return False


def _refuse_unknown(reading: Reading, prefix: str) -> None:
    names = [name for name in reading.inputs.unread() if not name.endswith("~unset")]
    if names:
        shown = ", ".join(name[:100] for name in names[:MOST_NAMES])
        reading.refuse(
            prefix, _("This form has changed meanwhile ({names}): look it over and save again.", names=shown)
        )


def _sections(shape: Group, fields: tuple[Field, ...], around: Surroundings) -> tuple[Section, ...]:
    """The fields by heading, in the order in which the headings first come."""
    found: dict[str, list[Field]] = {}
    for spec, one in zip(shape.specs, fields, strict=True):
        found.setdefault(spec.group, []).append(one)
    return tuple(Section(around.translate(title) if title else "", tuple(group)) for title, group in found.items())


def _walk(fields: Iterable[Field], above: str) -> Iterator[tuple[Field, str]]:
    for one in fields:
        yield one, above
        yield from _walk(one.inner, one.label or above)
