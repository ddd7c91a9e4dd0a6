import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, ClassVar, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from threepeat.events.incoming import (
    AHEAD,
    EARLIEST,
    MAX_DATA,
    MEMBER_BEHIND,
    Catalogue,
    CloudEvent,
    Item,
    Malformed,
    Verdict,
    read,
    split,
)
from threepeat.sdk.events import BEHAVIOUR, CATALOGUE, PLUGIN, SERVER, Event, Sender

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MOST = 1000


class LevelReached(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.level"
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    level: int


CLASSES = (*CATALOGUE, LevelReached)
KNOWN = Catalogue({event.type: event for event in CLASSES})


def sample(kind: Any) -> Any:
    """The plainest value that fits an annotation of the catalogue."""
    if get_origin(kind) is Annotated:
        bounds: dict[str, Any] = {}
        for meta in get_args(kind)[1:]:
            bounds |= {name: getattr(meta, name) for name in ("ge", "pattern", "tz", "min_length")}
        if bounds["pattern"]:
            return next(text for text in ("CNY", "marketing") if re.search(bounds["pattern"], text))
        if bounds["tz"]:
            return "2026-05-02T10:00:00Z"
        return "x" if get_args(kind)[0] is str else bounds["ge"] or 0
    return True if kind is bool else 1


def data_of(event: type[Event]) -> dict[str, Any]:
    return {f.name: sample(f.type) for f in msgspec.structs.fields(event) if f.required}


def envelope(kind: str = "page.viewed", **given: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "1",
        "source": "shop",
        "type": kind,
        "subject": "m1",
        "time": "2026-05-01T11:00:00Z",
        "data": {"page": "home"},
    } | given


def without(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != name}


def judged(
    *bodies: dict[str, Any] | bytes,
    sender: Sender = Sender.SERVER,
    subject: str | None = None,
    currency: str = "CNY",
) -> list[Item]:
    texts = [body if isinstance(body, bytes) else json.dumps(body).encode() for body in bodies]
    raws = split(b"[" + b",".join(texts) + b"]", batch=True, most=MOST)
    return read(raws, KNOWN, sender=sender, currency=currency, now=NOW, subject=subject)


def verdicts(*bodies: dict[str, Any] | bytes, **options: Any) -> list[Verdict]:
    return [item.verdict for item in judged(*bodies, **options)]


def with_data(data: str, **given: Any) -> bytes:
    """An envelope whose data is spelled exactly so."""
    return json.dumps(envelope(**given) | {"data": "HERE"}).replace('"HERE"', data).encode()


def test_a_valid_event_is_accepted_and_keeps_what_it_said() -> None:
    (item,) = judged(envelope())
    assert item.verdict is Verdict.ACCEPTED
    assert (item.id, item.source, item.type, item.subject) == ("1", "shop", "page.viewed", "m1")
    assert item.occurred_at == datetime(2026, 5, 1, 11, tzinfo=UTC)
    assert json.loads(item.data) == {"page": "home"}
    assert item.reason == ""


@pytest.mark.parametrize("sender", [Sender.SERVER, Sender.MEMBER])
@pytest.mark.parametrize("event", CLASSES, ids=lambda event: event.type)
def test_each_type_is_open_to_exactly_its_senders(event: type[Event], sender: Sender) -> None:
    (item,) = judged(envelope(event.type, data=data_of(event)), sender=sender)
    if sender in event.senders:
        assert item.verdict is Verdict.ACCEPTED, item.reason
    else:
        assert item.verdict is Verdict.INVALID
        assert item.reason == f"type: a {sender} may not send {event.type}"


def test_no_type_worth_money_is_open_to_members_and_no_outside_sender_may_send_a_plugin_type() -> None:
    money = {"order.created", "order.paid", "order.refunded", "order.completed", "visit.made", "consent.changed"}
    assert all(KNOWN.classes[kind].senders == SERVER for kind in money)
    assert LevelReached.senders.isdisjoint({Sender.SERVER, Sender.MEMBER})
    assert {event.type for event in CATALOGUE if event.senders == BEHAVIOUR} == {
        "session.started",
        "session.ended",
        "page.viewed",
        "product.viewed",
        "product.favorited",
        "cart.updated",
        "search.performed",
        "content.viewed",
        "share.sent",
        "review.submitted",
        "feedback.submitted",
        "code.scanned",
    }


def test_an_unknown_type_is_named() -> None:
    (item,) = judged(envelope("page.veiwed"))
    assert item.verdict is Verdict.INVALID
    assert item.reason == "type: there is no event type 'page.veiwed'"


@pytest.mark.parametrize("given", [{"subject": "somebody else"}, {"subject": None}, {}])
def test_a_members_subject_is_forced_whomever_the_event_names(given: dict[str, Any]) -> None:
    (item,) = judged(envelope(**given), sender=Sender.MEMBER, subject="me")
    assert item.verdict is Verdict.ACCEPTED
    assert item.subject == "me"


def test_a_servers_subject_stands_as_sent() -> None:
    named, nobody = judged(envelope(subject="客人 7"), without(envelope(id="2"), "subject"))
    assert (named.subject, nobody.subject) == ("客人 7", None)


def iso(moment: datetime) -> str:
    return moment.isoformat()


@pytest.mark.parametrize(
    ("sender", "moment", "accepted"),
    [
        (Sender.SERVER, EARLIEST, True),
        (Sender.SERVER, EARLIEST - timedelta(microseconds=1), False),
        (Sender.SERVER, NOW + AHEAD, True),
        (Sender.SERVER, NOW + AHEAD + timedelta(microseconds=1), False),
        (Sender.MEMBER, NOW - MEMBER_BEHIND, True),
        (Sender.MEMBER, NOW - MEMBER_BEHIND - timedelta(microseconds=1), False),
        (Sender.MEMBER, NOW + AHEAD, True),
        (Sender.MEMBER, NOW + AHEAD + timedelta(microseconds=1), False),
    ],
)
def test_time_is_bounded_to_the_microsecond(sender: Sender, moment: datetime, *, accepted: bool) -> None:
    (item,) = judged(envelope(time=iso(moment)), sender=sender)
    assert (item.verdict is Verdict.ACCEPTED) is accepted
    assert accepted or item.reason.startswith("time: must lie between ")


def test_time_counts_in_its_own_zone() -> None:
    shanghai = timezone(timedelta(hours=8))
    (item,) = judged(envelope(time=iso(datetime(2026, 5, 1, 19, 30, tzinfo=shanghai))))
    assert item.occurred_at == datetime(2026, 5, 1, 11, 30, tzinfo=UTC)
    assert item.occurred_at.tzinfo is UTC


def test_without_time_the_moment_of_arrival_counts() -> None:
    (item,) = judged(without(envelope(), "time"))
    assert (item.occurred_at, item.timed) == (NOW, False)


@pytest.mark.parametrize(
    "time",
    [
        "300000-01-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-02-30T00:00:00Z",
        "2026-05-01T11:00:00",
        "yesterday",
        "",
        1777633200,
        [],
    ],
)
def test_a_time_that_is_none_is_refused_by_name(time: object) -> None:
    (item,) = judged(envelope(time=time))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith("time: ")


PAID = {"order_id": "o1", "total": 12800, "currency": "CNY"}


@pytest.mark.parametrize("kind", ["order.created", "order.paid"])
def test_money_of_another_currency_is_refused(kind: str) -> None:
    (item,) = judged(envelope(kind, data=PAID | {"currency": "USD"}))
    assert (item.verdict, item.reason) == (Verdict.INVALID, "data.currency: this store's money is CNY")
    assert verdicts(envelope(kind, data=PAID | {"currency": "USD"}), currency="USD") == [Verdict.ACCEPTED]


def test_every_class_with_money_names_its_currency() -> None:
    for event in CATALOGUE:
        fields = {field.name for field in msgspec.structs.fields(event)}
        if fields & {"total", "amount"}:
            assert "currency" in fields, event.type


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"total": -1}, "data.total"),
        ({"total": 10**15 + 1}, "data.total"),
        ({"total": 2**63}, "data.total"),
        ({"total": 2**64}, "data.total"),
        ({"total": 10**40}, "data.total"),
        ({"total": 1.5}, "data.total"),
        ({"total": "100"}, "data.total"),
        ({"total": True}, "data.total"),
        ({"total": None}, "data.total"),
        ({"currency": "cny"}, "data.currency"),
        ({"currency": "CNYX"}, "data.currency"),
        ({"order_id": ""}, "data.order_id"),
        ({"order_id": "o" * 129}, "data.order_id"),
        ({"lines": [{"sku": "s", "quantity": 0, "amount": 1}]}, "data.lines[0].quantity"),
        ({"lines": [{"sku": "s", "quantity": 1, "amount": 1}] * 1001}, "data.lines"),
    ],
)
def test_a_wrong_value_is_named_with_its_path(change: dict[str, Any], field: str) -> None:
    (item,) = judged(envelope("order.paid", data=PAID | change))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith(f"{field}: "), item.reason


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e999999999", "1E+30"])
def test_an_amount_that_no_integer_holds_is_refused(number: str) -> None:
    (item,) = judged(with_data(f'{{"order_id":"o","currency":"CNY","total":{number}}}', kind="order.paid"))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith("data.total: ")


@pytest.mark.parametrize("field", ["specversion", "id", "source", "type", "data"])
def test_a_missing_field_of_the_envelope_is_named(field: str) -> None:
    (item,) = judged(without(envelope(), field))
    assert (item.verdict, item.reason) == (Verdict.INVALID, f"{field}: this field is required")


@pytest.mark.parametrize(
    ("kind", "data", "field"),
    [
        ("order.paid", {"total": 1, "currency": "CNY"}, "data.order_id"),
        ("cart.updated", {"items": [{"sku": "a", "quantity": 1}, {"sku": "b"}]}, "data.items[1].quantity"),
    ],
)
def test_a_missing_field_of_data_is_named_with_its_path(kind: str, data: dict[str, Any], field: str) -> None:
    (item,) = judged(envelope(kind, data=data))
    assert (item.verdict, item.reason) == (Verdict.INVALID, f"{field}: this field is required")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", 1.0),
        ("id", ""),
        ("id", "i" * 257),
        ("id", 7),
        ("source", ""),
        ("source", "s" * 257),
        ("type", "t" * 129),
        ("subject", ""),
        ("subject", "s" * 129),
        ("dataschema", "d" * 2049),
        ("datacontenttype", "d" * 257),
    ],
)
def test_a_wrong_field_of_the_envelope_is_named(field: str, value: object) -> None:
    (item,) = judged(envelope(**{field: value}))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith(f"{field}: "), item.reason


def test_a_field_at_its_limit_is_accepted() -> None:
    wide = "👩‍👩‍👧"[0]
    body = envelope(id=wide * 256, source=wide * 256, subject=wide * 128, data={"page": wide * 128})
    (item,) = judged(body)
    assert item.verdict is Verdict.ACCEPTED, item.reason


def test_data_may_have_64_kib_and_no_byte_more() -> None:
    frame = len('{"page":"p","x":""}')
    fits = with_data(f'{{"page":"p","x":"{"x" * (MAX_DATA - frame)}"}}')
    over = with_data('{"page":"p","x":"%s"}' % ("x" * (MAX_DATA - frame + 1)), id="2")
    first, second = judged(fits, over)
    assert first.verdict is Verdict.ACCEPTED, first.reason
    assert (second.verdict, second.reason) == (Verdict.INVALID, f"data: more than {MAX_DATA} bytes")


def test_the_limit_of_data_counts_bytes_not_characters() -> None:
    (item,) = judged(with_data('{"page":"p","x":"%s"}' % ("宽" * (MAX_DATA // 2))))
    assert (item.verdict, item.reason) == (Verdict.INVALID, f"data: more than {MAX_DATA} bytes")


def test_repeats_within_a_batch_are_duplicates_and_contradictions_conflicts_and_the_first_stands() -> None:
    first, again, other, elsewhere = judged(
        envelope(),
        envelope(),
        envelope(data={"page": "cart"}),
        envelope(source="till", data={"page": "cart"}),
    )
    assert first.verdict is Verdict.ACCEPTED
    assert again.verdict is Verdict.DUPLICATE
    assert other.verdict is Verdict.CONFLICT
    assert other.reason.startswith("id: ")
    assert elsewhere.verdict is Verdict.ACCEPTED
    assert json.loads(first.data) == {"page": "home"}


@pytest.mark.parametrize(
    "change",
    [
        {"type": "content.viewed", "data": {"page": "home", "content_id": "home"}},
        {"subject": "m2"},
        {"time": "2026-05-01T11:00:00.000001Z"},
        {"data": {"page": "cart"}},
        {"data": {"page": "home", "more": 1}},
    ],
    ids=["type", "subject", "time", "data", "unknown field"],
)
def test_each_part_that_differs_makes_a_conflict(change: dict[str, Any]) -> None:
    assert verdicts(envelope(), envelope(**change)) == [Verdict.ACCEPTED, Verdict.CONFLICT]


def test_an_invalid_item_does_not_take_the_key() -> None:
    assert verdicts(envelope(data={}), envelope()) == [Verdict.INVALID, Verdict.ACCEPTED]


def test_a_repeat_without_time_is_a_duplicate() -> None:
    assert verdicts(envelope(), without(envelope(), "time"))[1] is Verdict.DUPLICATE
    assert verdicts(*[without(envelope(), "time")] * 2)[1] is Verdict.DUPLICATE


def test_the_same_instant_in_another_zone_is_the_same_time() -> None:
    assert verdicts(envelope(), envelope(time="2026-05-01T19:00:00+08:00"))[1] is Verdict.DUPLICATE


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"page":"a","x":{"p":1,"q":2}}', '{"x":{"q":2,"p":1},"page":"a"}'),
        ('{"page":"a"}', '{ "page" :\n\t"a" }'),
        ('{"page":"a","x":1}', '{"page":"a","x":1.0}'),
        ('{"page":"a","x":100}', '{"page":"a","x":1e2}'),
        ('{"page":"a","x":0.1}', '{"page":"a","x":0.10}'),
        ('{"page":"a","x":0}', '{"page":"a","x":-0.0}'),
        ('{"page":"é"}', '{"page":"\\u00e9"}'),
        ('{"page":"😀"}', '{"page":"\\ud83d\\ude00"}'),
        ('{"page":"a/b"}', '{"page":"a\\/b"}'),
        ('{"page":"a","x":1e400}', '{"x":10e399,"page":"a"}'),
        ('{"page":"a","x":[]}', '{"page":"z","page":"a","x":[]}'),
    ],
)
def test_texts_that_mean_the_same_are_the_same(one: str, other: str) -> None:
    assert verdicts(with_data(one), with_data(other)) == [Verdict.ACCEPTED, Verdict.DUPLICATE]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"page":"a","x":1}', '{"page":"a","x":"1"}'),
        ('{"page":"a","x":1}', '{"page":"a","x":true}'),
        ('{"page":"a","x":[{"y":0}]}', '{"page":"a","x":[{"y":false}]}'),
        ('{"page":"a","x":null}', '{"page":"a"}'),
        ('{"page":"a","x":[1,2]}', '{"page":"a","x":[2,1]}'),
        ('{"page":"a","x":[1]}', '{"page":"a","x":[1,1]}'),
        ('{"page":"a","x":{}}', '{"page":"a","x":[]}'),
        ('{"page":"a","x":9007199254740993}', '{"page":"a","x":9007199254740992}'),
        ('{"page":"a","x":0.1}', '{"page":"a","x":0.1000000000000000055511151231257827}'),
        ('{"page":"a","x":1e400}', '{"page":"a","x":1e401}'),
        ('{"page":"é"}', '{"page":"e\\u0301"}'),
        ('{"page":"a","x":1e9999999999999999999}', '{"x":1e9999999999999999998,"page":"a"}'),
    ],
)
def test_texts_that_mean_something_else_are_not(one: str, other: str) -> None:
    assert verdicts(with_data(one), with_data(other)) == [Verdict.ACCEPTED, Verdict.CONFLICT]


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same JSON with its keys the other way round."""
    if isinstance(value, dict):
        return {key: turned(inner) for key, inner in reversed(value.items())}
    return [turned(inner) for inner in value] if isinstance(value, list) else value


@given(values)
def test_no_way_of_writing_the_same_data_makes_a_conflict(value: Any) -> None:
    plain = with_data(json.dumps({"page": "p", "x": value}, ensure_ascii=False))
    spaced = with_data(json.dumps(turned({"page": "p", "x": value}), indent=1, ensure_ascii=True))
    assert verdicts(plain, spaced) == [Verdict.ACCEPTED, Verdict.DUPLICATE]


@given(values, values)
def test_two_data_are_duplicates_exactly_if_their_canonical_texts_agree(one: Any, other: Any) -> None:
    def canonical(value: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        elif isinstance(value, dict):
            value = {key: json.loads(canonical(inner)) for key, inner in value.items()}
        elif isinstance(value, list):
            value = [json.loads(canonical(inner)) for inner in value]
        return json.dumps(value, sort_keys=True)

    expected = Verdict.DUPLICATE if canonical(one) == canonical(other) else Verdict.CONFLICT
    bodies = (with_data(json.dumps({"page": "p", "x": value})) for value in (one, other))
    assert verdicts(*bodies) == [Verdict.ACCEPTED, expected]


@pytest.mark.parametrize(
    "smuggled",
    [
        {"position": 1, "source": "plugin:points", "id": "x", "member": 1, "occurred_at": "2026-01-01T00:00:00Z"},
        {},
        [],
        1,
        "x",
        True,
    ],
)
def test_a_sender_cannot_smuggle_a_place_in_the_log_into_data(smuggled: object) -> None:
    (item,) = judged(envelope(data={"page": "p", "envelope": smuggled}))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith("data.envelope: ")


def test_unknown_fields_of_data_are_kept_as_sent() -> None:
    text = '{"page":"p","spent":0.10,"tags":["新","旧"],"deep":{"er":[1,{"x":null}]}}'
    (item,) = judged(with_data(text))
    assert item.verdict is Verdict.ACCEPTED
    assert item.data == text


def test_unknown_fields_of_the_envelope_are_harmless() -> None:
    extensions = {
        "traceparent": "00-ab",
        "partitionkey": 7,
        "position": 9,
        "member": 1,
        "depth": 99,
        "verdict": "x",
    }
    (item,) = judged(envelope(**extensions))
    assert item.verdict is Verdict.ACCEPTED
    assert item.position is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (with_data('{"page":"a\\u0000b"}'), "data.page"),
        (with_data('{"page":"a","x":["b",{"y":"\\u0000"}]}'), "data.x[1].y"),
        (with_data('{"page":"a","\\u0000":1}'), "data key"),
        (with_data('{"page":"a","x":{"k\\u0000":1}}'), "data.x key"),
        (json.dumps(envelope(id="\0")).encode(), "id"),
        (json.dumps(envelope(source="s\0")).encode(), "source"),
        (json.dumps(envelope(subject="\0m")).encode(), "subject"),
        (json.dumps(envelope(extension="\0")).encode(), "extension"),
        (with_data('{"page":"a","x":1e400,"y":"\\u0000"}'), "data.y"),
    ],
)
def test_a_nul_is_refused_wherever_it_hides(body: bytes, field: str) -> None:
    (item,) = judged(body)
    assert (item.verdict, item.reason) == (Verdict.INVALID, f"{field}: holds a NUL character")


def test_escapes_that_hide_no_nul_are_accepted() -> None:
    text = '{"page":"\\u0001\\\\u0000","x":"\\u4f60\\u597d","y":1e400}'
    (item,) = judged(with_data(text))
    assert item.verdict is Verdict.ACCEPTED, item.reason
    assert item.data == text


@pytest.mark.parametrize("value", [b"null", b"1", b'"x"', b"[]", b"{}", b"true"])
def test_an_item_that_is_no_event_is_invalid_and_its_neighbours_are_not(value: bytes) -> None:
    assert verdicts(envelope(), value, envelope(id="2")) == [Verdict.ACCEPTED, Verdict.INVALID, Verdict.ACCEPTED]


@pytest.mark.parametrize("data", [None, 1, "x", [], True])
def test_data_has_to_be_an_object(data: object) -> None:
    (item,) = judged(envelope(data=data))
    assert item.verdict is Verdict.INVALID
    assert item.reason.startswith("data: ")


def test_items_keep_their_index() -> None:
    assert [item.index for item in judged(envelope(), b"null", envelope(id="2"))] == [0, 1, 2]


WHOLE = json.dumps(envelope()).encode()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b" ", "not JSON"),
        (b"{", "not JSON"),
        (WHOLE + WHOLE, "not JSON"),
        (b"\xef\xbb\xbf" + WHOLE, "not JSON"),
        (WHOLE[:-10] + b"\xff" + WHOLE[-9:], "not UTF-8"),
        (WHOLE.replace(b"home", b"\xed\xa0\x80"), "not UTF-8"),
        (WHOLE.decode().encode("utf-16"), "not UTF-8"),
        (WHOLE.replace(b"home", b"ho\0me"), "not JSON"),
        (WHOLE.replace(b'"home"', b"NaN"), "not JSON"),
        (WHOLE.replace(b'"home"', b"Infinity"), "not JSON"),
        (WHOLE.replace(b'"home"', b"01"), "not JSON"),
        (WHOLE.replace(b"home", b"\\ud800"), "not JSON"),
        (WHOLE.replace(b"home", b"\\udc00\\ud800 and some more text"), "not JSON"),
        (WHOLE.replace(b'"home"', b"[" * 20_000 + b"]" * 20_000), "too deeply"),
    ],
)
@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(body: bytes, says: str, *, batch: bool) -> None:
    text = b"[" + body + b"]" if batch and body.strip() else body
    with pytest.raises(Malformed, match=says if not batch else says.replace("not JSON", "not a JSON array")):
        split(text, batch=batch, most=MOST)


def test_a_batch_has_one_to_a_thousand_items() -> None:
    with pytest.raises(Malformed, match="the batch is empty"):
        split(b"[]", batch=True, most=MOST)
    assert len(split(b"[" + b",".join([b"1"] * 1000) + b"]", batch=True, most=MOST)) == 1000
    with pytest.raises(Malformed, match="a batch may hold 1000 events, this one holds 1001"):
        split(b"[" + b",".join([b"1"] * 1001) + b"]", batch=True, most=MOST)


@pytest.mark.parametrize("body", [WHOLE, b"null", b"{}", b'"x"', b"1"])
def test_a_batch_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="not a JSON array of events"):
        split(body, batch=True, most=MOST)


def test_single_and_batch_read_an_event_alike() -> None:
    for text in (WHOLE, with_data('{"page":"a","x":1e400}'), with_data('{"page":"a","x":%s}' % (10**40))):
        (single,) = read(split(text, batch=False, most=MOST), KNOWN, sender=Sender.SERVER, currency="CNY", now=NOW)
        (item,) = judged(text)
        assert (single.verdict, single.data) == (item.verdict, item.data) == (Verdict.ACCEPTED, item.data)


@given(st.data())
def test_whatever_bytes_arrive_they_get_a_verdict_or_are_malformed(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(WHOLE)))
    end = data.draw(st.integers(start, len(WHOLE)))
    body = WHOLE[:start] + data.draw(st.binary(max_size=12)) + WHOLE[end:]
    try:
        raws = split(body, batch=data.draw(st.booleans()), most=MOST)
    except Malformed:
        pass
    else:
        for item in read(raws, KNOWN, sender=Sender.SERVER, currency="CNY", now=NOW):
            assert (item.verdict is Verdict.ACCEPTED) is (item.reason == "")


def test_the_corpus_of_senders_would_notice_a_type_that_is_opened_by_mistake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    paid: Callable[..., list[Verdict]] = lambda: verdicts(  # noqa: E731 - asked twice
        envelope("order.paid", data=PAID), sender=Sender.MEMBER
    )
    assert paid() == [Verdict.INVALID]
    monkeypatch.setattr(KNOWN.classes["order.paid"], "senders", BEHAVIOUR)
    assert paid() == [Verdict.ACCEPTED]


def test_the_envelope_has_no_field_that_core_fills() -> None:
    fields = {field.name for field in msgspec.structs.fields(CloudEvent)}
    assert fields.isdisjoint({"position", "member", "member_id", "depth", "received_at", "tenant_id"})


@pytest.mark.parametrize("event", CLASSES, ids=lambda event: event.type)
def test_a_fact_about_a_member_needs_its_subject(event: type[Event]) -> None:
    sender = next(iter(event.senders))
    (item,) = judged(without(envelope(event.type, data=data_of(event)), "subject"), sender=sender)
    if event.about_member:
        assert item.verdict is Verdict.INVALID
        assert item.reason == f"subject: {event.type} is about a member, and none is named"
    else:
        assert item.verdict is Verdict.ACCEPTED
