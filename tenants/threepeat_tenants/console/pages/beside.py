"""Two states of one form beside each other: what is stored, and what somebody else typed meanwhile."""

from dataclasses import dataclass

from threepeat.sdk.wording import _
from threepeat_tenants.console.page import Page
from threepeat_tenants.forms import Form
from threepeat_tenants.forms.fields import (
    AudienceField,
    ChoiceField,
    Field,
    FlagField,
    GroupField,
    JsonField,
    RowsField,
    SecretField,
    TextField,
)

EMPTY = "–"
LONGEST = 300


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that the two forms show differently.

    Attributes:
        field: Where the form has it.
        stored: What is stored, in words.
        typed: What was typed, in words.
    """

    field: str
    label: str
    stored: str
    typed: str


def differences(stored: Form, typed: Form, page: Page) -> list[Difference]:
    """The outermost fields that differ, in the order of the form."""
    before = {one.path: words(one, page) for section in stored.sections for one in section.fields}
    found = [(one, words(one, page)) for section in typed.sections for one in section.fields]
    return [
        Difference(one.id, one.label, before.get(one.path, EMPTY), said)
        for one, said in found
        if said != before.get(one.path)
    ]


def words(field: Field, page: Page) -> str:
    """What a field holds, on one line; of a secret only whether something new was typed."""
    match field:
        case TextField():
            said = f"{field.text} {field.unit}".strip() if field.text else ""
        case FlagField():
            said = page.say(_("Yes") if field.on else _("No"))
        case ChoiceField():
            said = ", ".join(one.title for one in field.options if one.chosen)
        case SecretField():
            said = field.state
        case JsonField():
            said = field.sentence or field.text
        case GroupField() if field.given is False:
            said = ""
        case GroupField():
            said = _listed(field.fields, page)
        case RowsField():
            said = " · ".join(_listed(row.fields, page) for row in field.rows)
        case AudienceField():
            said = field.sentence or _listed(field.inner, page)
        case _:
            said = ""
    return (said[:LONGEST] + "…" if len(said) > LONGEST else said) or EMPTY


def _listed(fields: tuple[Field, ...], page: Page) -> str:
    return ", ".join(f"{one.label}: {words(one, page)}" if one.label else words(one, page) for one in fields)
