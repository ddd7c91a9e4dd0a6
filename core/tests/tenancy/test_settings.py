import base64
import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError, field_validator

from threepeat.sdk import PluginSettings, SecretStr
from threepeat.tenancy.errors import Invalid
from threepeat.tenancy.keyring import Keyring, SealError
from threepeat.tenancy.settings import load, renewed, secret_paths, store, visible

KEYRING = Keyring.read(Path("unused"), f"k:{base64.b64encode(b'k' * 32).decode()}")
PLACE = "activation/1/toy"


class Inner(BaseModel):
    deep: SecretStr | None = None
    note: str = ""


class Hook(BaseModel):
    url: str = "https://x"
    token: SecretStr | None = None
    inner: Inner = Inner()


class Settings(PluginSettings):
    rate: int = Field(default=1, ge=-(2**63), lt=2**63)
    ratio: float = 1.0
    on: bool = False
    label: str | None = None
    tags: list[str] = Field(default_factory=list)
    table: dict[str, int] = Field(default_factory=dict)
    token: SecretStr = SecretStr("")
    hook: Hook = Hook()
    other: Hook | None = None


# Secrets are spelled in letters that no other text holds.
texts = st.text(st.characters(max_codepoint=0xFF) | st.characters(min_codepoint=0x180, exclude_categories=["Cs"]))
secrets = st.text(st.characters(min_codepoint=0x100, max_codepoint=0x17F), min_size=6, max_size=20)
# A secret is absent (stays), null (goes) or given.
inners = st.fixed_dictionaries({}, optional={"deep": st.none() | secrets, "note": texts})
hooks = st.fixed_dictionaries({}, optional={"url": texts, "token": st.none() | secrets, "inner": inners})
settings = st.fixed_dictionaries(
    {},
    optional={
        "rate": st.integers(-(2**63), 2**63 - 1),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "on": st.booleans(),
        "label": st.none() | texts,
        "tags": st.lists(texts, max_size=3),
        "table": st.dictionaries(texts, st.integers(-(2**63), 2**63 - 1), max_size=3),
        "token": secrets,
        "hook": hooks,
        "other": st.none() | hooks,
    },
)


def kept(given_: dict[str, Any], before: dict[str, Any] | None = None) -> dict[str, Any]:
    """Store, by way of JSON text, as the database does."""
    return json.loads(json.dumps(store(Settings, given_, before or {}, KEYRING, PLACE)))


def opened(stored: dict[str, Any]) -> Settings:
    return load(Settings, stored, Settings.version, KEYRING, PLACE)


def every_secret(value: Any) -> list[str]:
    names = ("token", "deep")
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in names if isinstance(value.get(name), str)]
    return own + [found for inner in value.values() for found in every_secret(inner)]


def merged(before: dict[str, Any], after: dict[str, Any], paths: list[tuple[str, ...]]) -> dict[str, Any]:
    """What a save means, said in another way: absent secrets are copied over."""
    result = json.loads(json.dumps(after))
    for path in paths:
        old: Any = before
        for name in path:
            old = old.get(name) if isinstance(old, dict) else None
        holder: Any = result
        for name in path[:-1]:
            holder = (
                holder.setdefault(name, {})
                if isinstance(holder, dict) and old is not None
                else (holder.get(name) if isinstance(holder, dict) else None)
            )
        if isinstance(holder, dict) and path[-1] not in holder and old is not None:
            holder[path[-1]] = old
    return result


PATHS = list(secret_paths(Settings))


def test_secrets_are_found_in_nested_models_too() -> None:
    assert PATHS == [
        ("token",),
        ("hook", "token"),
        ("hook", "inner", "deep"),
        ("other", "token"),
        ("other", "inner", "deep"),
    ]


@given(settings)
def test_what_is_stored_reads_back_as_it_was_meant(given_: dict[str, Any]) -> None:
    assert opened(kept(given_)) == Settings.model_validate(given_)


@given(settings)
def test_no_secret_is_stored_or_shown_in_the_clear(given_: dict[str, Any]) -> None:
    stored = kept(given_)
    shown, marks = visible(Settings, stored)
    for secret in every_secret(given_):
        assert json.dumps(secret)[1:-1] not in json.dumps(stored)
        assert json.dumps(secret)[1:-1] not in json.dumps(shown)
    assert "sealed.1." not in json.dumps(shown)
    assert sum(marks.values()) == len(every_secret(given_))


@given(settings)
def test_load_edit_save_changes_nothing_but_the_edit(given_: dict[str, Any]) -> None:
    stored = kept(given_)
    again = kept(visible(Settings, stored)[0], stored)
    assert opened(again) == opened(stored)
    assert sorted(every_secret(again)) == sorted(every_secret(stored)), "kept as they were, not sealed anew"
    edited = opened(kept({**visible(Settings, stored)[0], "rate": 77}, stored))
    assert edited == opened(stored).model_copy(update={"rate": 77})


@given(settings, settings)
def test_a_save_replaces_everything_but_the_secrets_it_leaves_out(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    before = kept(first)
    assert opened(kept(second, before)) == Settings.model_validate(merged(first, second, PATHS))


@given(settings)
def test_store_changes_none_of_its_arguments(given_: dict[str, Any]) -> None:
    before = kept({"token": "secret", "hook": {"token": "secret"}})
    texts_ = json.dumps([given_, before])
    store(Settings, given_, before, KEYRING, PLACE)
    assert json.dumps([given_, before]) == texts_


def test_null_clears_a_secret_and_a_null_on_the_way_clears_what_is_below() -> None:
    before = kept({"hook": {"token": "s", "inner": {"deep": "s"}}, "other": {"token": "s"}})
    after = opened(kept({"hook": {"token": None}, "other": None}, before))
    assert after.hook.token is None
    assert after.hook.inner.deep == SecretStr("s")
    assert after.other is None


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"rate": "x"}, "settings.rate"),
        ({"rate": 2**63}, "settings.rate"),
        ({"unknown": 1}, "settings.unknown"),
        ({"hook": {"inner": {"note": 7}}}, "settings.hook.inner.note"),
        ({"hook": None}, "settings.hook"),
        ({"token": 7}, "settings.token"),
        ({"tags": ["a", 7]}, "settings.tags.1"),
        ({"table": {"a": 10**40}}, "settings"),
        ({"ratio": float("nan")}, "settings.ratio"),
        ({"ratio": float("inf")}, "settings.ratio"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_field(given_: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        store(Settings, given_, {}, KEYRING, PLACE)
    assert caught.value.field == field


def test_a_nan_that_would_silently_become_null_is_refused() -> None:
    class Loose(PluginSettings):
        ratio: float | None = None

    with pytest.raises(Invalid, match="cannot be stored"):
        store(Loose, {"ratio": float("nan")}, {}, KEYRING, PLACE)


def test_a_refusal_does_not_repeat_the_secret() -> None:
    with pytest.raises(Invalid) as caught:
        store(Settings, {"token": "canary", "rate": "x"}, {}, KEYRING, PLACE)
    assert "canary" not in str(caught.value)


def test_a_secret_opens_only_where_it_was_stored() -> None:
    stored = kept({"token": "s", "hook": {"token": "t"}})
    with pytest.raises(SealError):
        load(Settings, stored, 1, KEYRING, "activation/2/toy")
    stored["token"], stored["hook"]["token"] = stored["hook"]["token"], stored["token"]
    with pytest.raises(SealError):
        opened(stored)


def test_a_kept_secret_that_no_longer_opens_is_named_and_can_be_given_anew() -> None:
    stored = kept({"token": "s"})
    other = Keyring.read(Path("unused"), f"other:{base64.b64encode(b'o' * 32).decode()}")
    with pytest.raises(Invalid, match="enter the secret again") as caught:
        store(Settings, {"rate": 2}, stored, other, PLACE)
    assert caught.value.field == "settings.token"
    anew = store(Settings, {"rate": 2, "token": "new"}, stored, other, PLACE)
    assert load(Settings, anew, 1, other, PLACE).token == SecretStr("new")


class Newer(PluginSettings):
    version: ClassVar[int] = 3
    rate_percent: int = 100

    @classmethod
    def upgrade(cls, values: dict[str, object], version: int) -> dict[str, object]:
        assert version == 1
        return {"rate_percent": int(str(values["rate"])) * 100}


def test_old_values_are_upgraded_and_current_ones_are_not() -> None:
    assert load(Newer, {"rate": 2}, 1, KEYRING, PLACE).rate_percent == 200
    assert load(Newer, {"rate_percent": 7}, 3, KEYRING, PLACE).rate_percent == 7
    with pytest.raises(ValidationError):
        load(Newer, {"rate": 2}, 3, KEYRING, PLACE)


class Older(PluginSettings):
    token: SecretStr | None = None
    hook: Hook = Hook()
    rate: int = 1


class Renamed(PluginSettings):
    version: ClassVar[int] = 2
    secret: SecretStr | None = None
    hook: Hook = Hook()
    rate: int = Field(default=1, le=100)

    @classmethod
    def upgrade(cls, values: dict[str, Any], version: int) -> dict[str, Any]:
        assert version == 1
        assert values["rate"] >= 0
        return {("secret" if name == "token" else name): value for name, value in values.items()}


def test_values_of_an_older_version_are_shown_and_saved_by_their_new_names_secrets_too() -> None:
    given_ = {"token": "first", "hook": {"token": "second"}, "rate": 4}
    old = store(Older, given_, {}, KEYRING, PLACE)
    assert load(Renamed, old, 1, KEYRING, PLACE).secret == SecretStr("first")
    present = renewed(Renamed, old, 1, KEYRING, PLACE)
    assert "first" not in json.dumps(present)
    values, secrets = visible(Renamed, present)
    assert values == {"hook": {}, "rate": 4}
    assert secrets["secret"]
    assert secrets["hook.token"]
    saved = store(Renamed, {**values, "rate": 5}, present, KEYRING, PLACE)
    again = load(Renamed, saved, 2, KEYRING, PLACE)
    assert (again.secret, again.hook.token, again.rate) == (SecretStr("first"), SecretStr("second"), 5)
    assert renewed(Renamed, saved, 2, KEYRING, PLACE) is saved


def test_values_that_cannot_be_upgraded_stay_as_they_are_and_can_be_given_anew() -> None:
    old = store(Older, {"rate": -1}, {}, KEYRING, PLACE)
    present = renewed(Renamed, old, 1, KEYRING, PLACE)
    assert present == old
    assert store(Renamed, {"rate": 3}, present, KEYRING, PLACE) == {"rate": 3}


class Broken(PluginSettings):
    rate: int = 1

    @field_validator("rate")
    @classmethod
    def check(cls, rate: int) -> int:
        if rate == 7:
            raise KeyError("a name that nobody should read")
        return rate


def test_a_check_that_fails_by_itself_is_an_answer() -> None:
    with pytest.raises(Invalid, match="the plugin cannot judge these values") as caught:
        store(Broken, {"rate": 7}, {}, KEYRING, PLACE)
    assert "name" not in str(caught.value)
