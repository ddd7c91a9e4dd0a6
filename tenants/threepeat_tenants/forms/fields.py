"""What a page shows of a form: plain data, said in the reader's language, without HTML."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class Field:
    """A labelled place in a form.

    Attributes:
        path: Name of its input.
        label: What it is called.
        help: What it means; empty if that needs no words.
        limits: What may be entered, in words, such as `From 1 to 1,000.`
        errors: What to change about what was entered.
        optional: The word for a field that may stay empty; empty if it may not.
        unset: The store has never set it: it shows the default, and saves nothing unless it is changed.
    """

    path: str
    label: str
    help: str = ""
    limits: str = ""
    errors: tuple[str, ...] = ()
    optional: str = ""
    unset: bool = False

    widget: ClassVar[str] = ""

    @property
    def id(self) -> str:
        """Where a link to the field leads."""
        return f"field-{self.path}"

    @property
    def described_by(self) -> str:
        """Ids of the texts that say more about it."""
        there = {"help": self.help, "limits": self.limits, "error": self.errors}
        return " ".join(f"{self.id}-{name}" for name, text in there.items() if text)

    @property
    def inner(self) -> "tuple[Field, ...]":
        """The fields that stand in it."""
        return ()


@dataclass(frozen=True, kw_only=True)
class TextField(Field):
    """Something typed.

    Attributes:
        kind: The input's type: `text`, `date`, `time` or `datetime-local`.
        long: Of several lines.
        lines: A short text that nevertheless has several lines, which a short input would swallow.
        mode: Which keyboard a phone shows: `text`, `numeric` or `decimal`.
        unit: What stands beside it, such as `¥` or `days`.
    """

    text: str
    kind: str = "text"
    long: bool = False
    lines: bool = False
    mode: str = "text"
    placeholder: str = ""
    unit: str = ""
    minimum: str = ""
    maximum: str = ""
    step: str = ""

    widget: ClassVar[str] = "text"


@dataclass(frozen=True, kw_only=True)
class FlagField(Field):
    """Yes or no."""

    on: bool

    widget: ClassVar[str] = "flag"


@dataclass(frozen=True, slots=True)
class Option:
    """One of several values.

    Attributes:
        key: What the browser sends.
    """

    key: str
    title: str
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class ChoiceField(Field):
    """One of a few values, or several of them.

    Attributes:
        many: Several may be chosen.
        radios: All are shown at once; else they stand in a list to open.
    """

    options: tuple[Option, ...]
    many: bool = False
    radios: bool = False

    widget: ClassVar[str] = "choice"


@dataclass(frozen=True, kw_only=True)
class SecretField(Field):
    """A secret, which is never shown.

    Attributes:
        state: Whether there is one, in words.
        clear: What the box says that removes it; empty if it cannot be removed.
        clearing: That box is ticked.
    """

    state: str
    clear: str = ""
    clearing: bool = False

    widget: ClassVar[str] = "secret"


@dataclass(frozen=True, kw_only=True)
class JsonField(Field):
    """What no other field can show, as JSON.

    Attributes:
        sentence: What the JSON says, if it is an audience.
    """

    text: str
    sentence: str = ""

    widget: ClassVar[str] = "json"


@dataclass(frozen=True, kw_only=True)
class GroupField(Field):
    """Fields that belong together.

    Attributes:
        given: Whether they count; None if they always do.
        give: What the box says that makes them count.
    """

    fields: tuple[Field, ...]
    given: bool | None = None
    give: str = ""

    widget: ClassVar[str] = "group"

    @property
    def inner(self) -> tuple[Field, ...]:
        """The fields that stand in it."""
        return self.fields


@dataclass(frozen=True, slots=True)
class Row:
    """One of several things of a kind.

    Attributes:
        number: Its place in the input names; not its place in the list.
        remove: What the button says that takes it out.
    """

    number: int
    title: str
    fields: tuple[Field, ...]
    remove: str


@dataclass(frozen=True, kw_only=True)
class RowsField(Field):
    """Several things of a kind.

    Attributes:
        add: What the button says that adds one; empty if there are as many as may be.
    """

    rows: tuple[Row, ...]
    add: str

    widget: ClassVar[str] = "rows"

    @property
    def inner(self) -> tuple[Field, ...]:
        """The fields that stand in it."""
        return tuple(field for row in self.rows for field in row.fields)


@dataclass(frozen=True, kw_only=True)
class AudienceField(Field):
    """Whom something is for, as conditions on facts.

    Attributes:
        how: How the conditions are joined; None while there are fewer than two.
        facts: The fact of each row, by the row's number.
        wrap: A single condition that was stored as a group, and stays one.
        choose: The facts that a new condition may ask about.
        sentence: What it comes to, in words.
    """

    how: ChoiceField | None
    rows: tuple[Row, ...]
    facts: dict[int, str]
    wrap: str
    choose: tuple[Option, ...]
    add: str
    sentence: str

    widget: ClassVar[str] = "audience"

    @property
    def inner(self) -> tuple[Field, ...]:
        """The fields that stand in it."""
        how = (self.how,) if self.how else ()
        return (*how, *(field for row in self.rows for field in row.fields))
