import secrets
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr, create_model

from threepeat import __version__
from threepeat.plugins import Registry
from threepeat.plugins.registry import GROUP
from threepeat.sdk import (
    Context,
    Invariant,
    Manifest,
    Plugin,
    PluginError,
    PluginSettings,
    Provided,
    Reaction,
    Route,
    get,
    hookimpl,
    message_kind,
    provide_orders,
    when,
)
from threepeat.sdk.events import CATALOGUE, PLUGIN, SERVER, Event, OrderPaid, RefundRequested, Sender
from threepeat.sdk.orders import Orders


class Toy(Plugin[PluginSettings]):
    """A plugin that declares nothing; the bad ones differ in one thing."""

    settings_model = PluginSettings

    def __init__(self, name: str = "bad", requires: tuple[str, ...] = (), kind: Any = "tactic") -> None:
        self.manifest = Manifest(id=name, kind=kind, title=name, summary="A toy.", requires=requires)


class Rang(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.rang"
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class RangAgain(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.rang"
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class Requested(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "refund.requested"
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class Paid(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "order.paid"
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class Untyped(Event, frozen=True, kw_only=True):
    senders: ClassVar[frozenset[Sender]] = PLUGIN


class FromTheShop(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.shop"
    senders: ClassVar[frozenset[Sender]] = SERVER


class FromMembersToo(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.member"
    senders: ClassVar[frozenset[Sender]] = PLUGIN | {Sender.MEMBER}


class Undecodable(Event, frozen=True, kw_only=True):
    type: ClassVar[str] = "toy.undecodable"
    senders: ClassVar[frozenset[Sender]] = PLUGIN
    both: list[int] | tuple[str, ...] = ()


class NoEvent:
    type = "toy.none"
    senders = PLUGIN


def emitting(*events: Any, name: str = "bad") -> Toy:
    class Emits(Toy):
        @hookimpl
        def events(self) -> Iterable[type[Event]]:
            return events

    return Emits(name)


class Forgot(Toy):
    def reactions(self) -> Iterable[Reaction]:
        return ()


class AsksForMore(Toy):
    @hookimpl
    def on_enabled(self, ctx: Context[Any], more: int) -> None: ...


class UnknownHook(Toy):
    @hookimpl
    def on_enbaled(self, ctx: Context[Any]) -> None: ...


class UnknownHookAndAsksForMore(Toy):
    @hookimpl
    def a_hook_of_its_own(self) -> None: ...

    @hookimpl
    def on_enabled(self, ctx: Context[Any], more: int) -> None: ...


class WrongRecord(Toy):
    @hookimpl
    def reactions(self) -> Iterator[Any]:
        yield (OrderPaid, print)


class RouteAmongReactions(Toy):
    @hookimpl
    def reactions(self) -> Iterator[Any]:
        yield get("/x", print, summary="x")


class WrongMessage(Toy):
    @hookimpl
    def message_kinds(self) -> Iterator[Any]:
        yield "Your points expire"


class SpeaksTwice(Toy):
    @hookimpl
    def message_kinds(self) -> Iterator[Any]:
        yield message_kind("expiring", title="Expiring", text="Soon.")
        yield message_kind("expiring", title="Expiring", text="Now.")


class SpeaksOfNothing(Toy):
    @hookimpl
    def message_kinds(self) -> Iterator[Any]:
        yield message_kind("expiring", title="Expiring", text="{points.__class__}", variables={"points": "Points"})


class NotIterable(Toy):
    @hookimpl
    def routes(self) -> Any:
        return None


class WrongInvariant(Toy):
    @hookimpl
    def invariants(self) -> Iterator[Any]:
        yield "SELECT 1"


class WrongProvision(Toy):
    @hookimpl
    def provides(self) -> Iterator[Any]:
        yield Orders


class Raises(Toy):
    @hookimpl
    def routes(self) -> Iterable[Route]:
        raise OSError("no file")


class RaisesHalfWay(Toy):
    @hookimpl
    def invariants(self) -> Iterator[Invariant]:
        yield Invariant("one", "One.", "one")
        raise ZeroDivisionError("half way")


class Exits(Toy):
    @hookimpl
    def events(self) -> Iterable[type[Event]]:
        raise SystemExit("bye")


class Asynchronous(Toy):
    async def handle(self, ctx: Context[Any], events: list[OrderPaid]) -> None: ...

    @hookimpl
    def reactions(self) -> Iterator[Reaction]:
        yield when(OrderPaid, self.handle)


class NeedsAValue(PluginSettings):
    rate: int


class WrongDefault(PluginSettings):
    rate: int = "many"  # type: ignore[assignment]


class SettingWithoutDefault(Toy):
    settings_model = NeedsAValue


class SettingWithWrongDefault(Toy):
    settings_model = WrongDefault


class SettingsOfAnotherKind(Toy):
    settings_model = dict  # type: ignore[assignment]


class SettingsThatAreNoClass(Toy):
    settings_model = PluginSettings()  # type: ignore[assignment]


class NoSettings(Plugin[PluginSettings]):
    manifest = Manifest(id="bad", kind="tactic", title="Bad", summary="Bad.")


class NoManifest(Plugin[PluginSettings]):
    settings_model = PluginSettings


class Bells(Toy):
    """A good plugin with one of each record."""

    def handle(self, ctx: Context[Any], events: list[OrderPaid]) -> None: ...

    def factory(self, ctx: Context[Any]) -> Any: ...

    @hookimpl
    def events(self) -> Iterator[type[Event]]:
        yield Rang

    @hookimpl
    def reactions(self) -> Iterator[Reaction]:
        yield when(OrderPaid, self.handle)
        yield when(Rang, self.handle, always=True)

    @hookimpl
    def routes(self) -> Iterator[Route]:
        yield get("/x", self.handle, summary="x")

    @hookimpl
    def provides(self) -> Iterator[Provided]:
        yield provide_orders(self.factory)

    @hookimpl
    def invariants(self) -> Iterator[Invariant]:
        yield Invariant("one", "One.", "one")


def loaded(*plugins: Any) -> Registry:
    return Registry.load((getattr(plugin, "manifest", Toy("bad").manifest).id, plugin) for plugin in plugins)


BAD: list[tuple[Any, str]] = [
    (Forgot(), "Forgot.reactions overrides a hook without @hookimpl"),
    (AsksForMore(), "more"),
    (UnknownHook(), "on_enbaled"),
    (UnknownHookAndAsksForMore(), "more"),
    (WrongRecord(), "reactions must yield Reaction records, not (<class"),
    (RouteAmongReactions(), "reactions must yield Reaction records, not Route"),
    (WrongMessage(), "message_kinds must yield MessageKind records, not 'Your points expire'"),
    (SpeaksTwice(), "message_kinds: two have the name 'expiring'"),
    (SpeaksOfNothing(), "the message 'expiring': {points.__class__} is not the name of a variable"),
    (NotIterable(), "TypeError: 'NoneType' object is not iterable"),
    (WrongInvariant(), "invariants must yield Invariant records, not 'SELECT 1'"),
    (WrongProvision(), "provides must yield Provided records"),
    (Raises(), "OSError: no file"),
    (RaisesHalfWay(), "ZeroDivisionError: half way"),
    (Exits(), "SystemExit: bye"),
    (Asynchronous(), "must be a plain def"),
    (SettingWithoutDefault(), "every setting needs a default that is valid"),
    (SettingWithWrongDefault(), "every setting needs a default that is valid"),
    (SettingsOfAnotherKind(), "settings_model dict must derive from PluginSettings"),
    (SettingsThatAreNoClass(), "lacks the attribute 'settings_model'"),
    (NoSettings(), "NoSettings lacks the attribute 'settings_model'"),
    (NoManifest(), "NoManifest lacks the attribute 'manifest'"),
    (Toy, "must name an instance of Plugin, not <class"),
    (None, "must name an instance of Plugin, not None"),
    (emitting(Paid), "the SDK already declares the event type 'order.paid'"),
    (emitting(Requested), "the SDK already declares the event type 'refund.requested'"),
    (emitting(Rang), "good already declares the event type 'toy.rang'"),
    (emitting(RangAgain), "good already declares the event type 'toy.rang'"),
    (emitting(Untyped), "the event class Untyped needs a type, and senders = PLUGIN"),
    (emitting(FromTheShop), "the event class FromTheShop needs a type, and senders = PLUGIN"),
    (emitting(FromMembersToo), "the event class FromMembersToo needs a type, and senders = PLUGIN"),
    (emitting(Undecodable), "TypeError: Type unions"),
    (emitting(NoEvent), "events must yield subclasses of Event, not <class"),
    (emitting("toy.rang"), "events must yield subclasses of Event, not 'toy.rang'"),
    (Toy(requires=("nothing",)), "it requires 'nothing', which is not installed or quarantined"),
    (Toy(requires=("bad",)), "its requirements go in a circle: bad → bad"),
]


@pytest.mark.parametrize(
    ("bad", "reason"), BAD, ids=[f"{number} {reason[:30]}" for number, (_, reason) in enumerate(BAD)]
)
def test_a_bad_plugin_is_quarantined_with_its_reason_and_the_others_load(bad: Any, reason: str) -> None:
    good = [("good", Bells("good")), ("bad", bad), ("later", Toy("later"))]
    registry = Registry.load(good)
    assert [plugin.id for plugin in registry] == ["good", "later"]
    assert registry.quarantined.keys() == {"bad"}
    found = registry.quarantined["bad"]
    assert (found.id, found.distribution) == ("bad", "")
    assert reason in found.reason, found.reason
    assert "bad" not in registry
    assert [event.type for event in registry["good"].events] == ["toy.rang"]


def test_all_bad_plugins_together_do_no_harm_either() -> None:
    candidates = [(f"bad{number}", bad) for number, (bad, _) in enumerate(BAD)]
    registry = Registry.load(
        [*candidates[:15], ("good", Bells("good")), *candidates[15:], ("later", Toy("later"))]
    )
    assert [plugin.id for plugin in registry] == ["good", "later"]
    assert len(registry.quarantined) == len(BAD)


def test_a_good_plugin_is_installed_with_all_that_it_declares() -> None:
    registry = loaded(Bells("good"))
    assert not registry.quarantined
    good = registry["good"]
    assert (good.events, good.manifest.title) == ((Rang,), "good")
    assert [record.event for record in good.reactions] == [OrderPaid, Rang]
    assert [record.path for record in good.routes] == ["/x"]
    assert [record.name for record in good.invariants] == ["one"]
    assert registry.events().keys() == {*(event.type for event in CATALOGUE), "toy.rang"}
    found = registry.provider(Orders)
    assert found is not None
    assert found[0] is good


def test_several_plugins_may_send_what_the_sdk_lets_any_of_them_send() -> None:
    registry = loaded(*(emitting(RefundRequested, name=name) for name in ("one", "two")))
    assert (len(list(registry)), registry.quarantined) == (2, {})
    assert registry.events()["refund.requested"] is RefundRequested


def test_two_event_classes_of_one_plugin_may_not_share_a_type() -> None:
    registry = loaded(emitting(Rang, RangAgain), Toy("later"))
    assert "two of its event classes have the type 'toy.rang'" in registry.quarantined["bad"].reason
    assert "later" in registry


def test_an_entry_point_has_to_bear_the_name_of_its_plugin() -> None:
    registry = Registry.load([("other", Toy("bad")), ("good", Toy("good"))])
    assert registry.quarantined["other"].reason == "the entry point 'other' differs from the manifest's id 'bad'"
    assert "bad" not in registry
    assert "good" in registry


def test_of_two_plugins_with_one_name_the_first_stands() -> None:
    first, second = Toy("twin"), Toy("twin")
    registry = Registry.load([("twin", first), ("twin", second)])
    assert registry["twin"].plugin is first
    assert registry.quarantined["twin"].reason == "another already installs a plugin 'twin'"


def test_of_two_providers_of_one_protocol_the_first_stands() -> None:
    class Rival(Toy):
        @hookimpl
        def provides(self) -> Iterator[Provided]:
            yield provide_orders(lambda _: None)  # type: ignore[arg-type,return-value]

    registry = loaded(Bells("good"), Rival())
    assert registry.quarantined["bad"].reason == "good already provides Orders"
    found = registry.provider(Orders)
    assert found is not None
    assert found[0].id == "good"


@pytest.mark.parametrize(
    "name", ["core", "public", "information_schema", "threepeat", "me", "offers", "export", "pg_catalog", "pg_x"]
)
def test_a_reserved_id_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match=rf"the id '{name}' is reserved"):
        Manifest(id=name, kind="tactic", title="x", summary="x")


@pytest.mark.parametrize(
    "name", ["", "a", "A", "1a", "_a", "a-b", "a b", "a" * 32, "ä", 'a"b', "a;b", "a\n", "ab\n", "ab\0"]
)
def test_a_malformed_id_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="must match"):
        Manifest(id=name, kind="tactic", title="x", summary="x")


class Door(BaseModel):
    lock: SecretStr | None = None
    others: "list[Door]" = Field(default_factory=list)


class Gate(BaseModel):
    lock: SecretStr = SecretStr("")
    name: str = ""


@pytest.mark.parametrize(
    ("kind", "well"),
    [
        (SecretStr | None, True),
        (Gate, True),
        (Gate | None, True),
        (list[str], True),
        (dict[str, int] | None, True),
        (list[SecretStr], False),
        (list[SecretStr] | None, False),
        (dict[str, SecretStr], False),
        (tuple[SecretStr, ...], False),
        (list[Gate], False),
        (dict[str, list[Gate]] | None, False),
        (Annotated[SecretStr, Field(min_length=1)] | None, False),
    ],
)
def test_a_secret_where_core_would_not_seal_it_is_quarantined(kind: Any, *, well: bool) -> None:
    class Secretive(Toy):
        settings_model = create_model("Model", __base__=PluginSettings, field=(kind | None, None))

    registry = loaded(Secretive(), Toy("later"))
    assert ("bad" in registry) is well
    assert "later" in registry
    if not well:
        assert "a secret setting must stand in a field of its own" in registry.quarantined["bad"].reason


def test_a_settings_model_that_holds_itself_is_quarantined_and_not_an_endless_loop() -> None:
    class Endless(Toy):
        settings_model = create_model("Model", __base__=PluginSettings, field=(Door, Door()))

    registry = loaded(Endless(), Toy("later"))
    assert "bad" in registry.quarantined
    assert "later" in registry


# Order


def test_providers_are_served_before_their_users_however_they_come() -> None:
    plugins = [
        Toy("tier", ("points", "orders")),
        Toy("points", ("orders",)),
        Toy("orders", kind="service"),
        Toy("alone"),
    ]
    for shuffled in permutations(plugins):
        order = [plugin.id for plugin in loaded(*shuffled)]
        assert set(order) == {"tier", "points", "orders", "alone"}
        assert order.index("orders") < order.index("points") < order.index("tier")


def test_the_order_does_not_depend_on_how_they_come() -> None:
    plugins = [Toy(name) for name in ("dd", "aa", "cc", "bb")]
    assert len({tuple(plugin.id for plugin in loaded(*shuffled)) for shuffled in permutations(plugins)}) == 1


def test_what_stands_on_a_bad_plugin_falls_with_it_and_no_more() -> None:
    registry = loaded(Forgot(), Toy("user", ("bad",)), Toy("users_user", ("user",)), Toy("alone"))
    assert [plugin.id for plugin in registry] == ["alone"]
    assert registry.quarantined.keys() == {"bad", "user", "users_user"}
    assert registry.quarantined["users_user"].reason == "it requires 'user', which is not installed or quarantined"


def test_a_circle_is_named_and_so_is_what_stands_on_it() -> None:
    registry = loaded(
        Toy("aa", ("bb",)), Toy("bb", ("cc",)), Toy("cc", ("aa",)), Toy("onto", ("aa",)), Toy("alone")
    )
    assert [plugin.id for plugin in registry] == ["alone"]
    for name in ("aa", "bb", "cc"):
        assert "in a circle: " in registry.quarantined[name].reason
        assert registry.quarantined[name].reason.count("→") == 3
    assert "requires 'aa'" in registry.quarantined["onto"].reason


def test_two_circles_are_both_found() -> None:
    registry = loaded(Toy("aa", ("bb",)), Toy("bb", ("aa",)), Toy("cc", ("dd",)), Toy("dd", ("cc",)), Toy("alone"))
    assert [plugin.id for plugin in registry] == ["alone"]
    assert all("in a circle" in found.reason for found in registry.quarantined.values())


def test_a_later_quarantine_takes_along_what_stands_on_it_and_leaves_the_old_registry_alone() -> None:
    before = loaded(Toy("orders", kind="service"), Toy("points", ("orders",)), Toy("alone"), Forgot())
    after = before.quarantine({"orders": "its schema is pending"})
    assert [plugin.id for plugin in after] == ["alone"]
    assert {name: found.reason for name, found in after.quarantined.items() if name != "bad"} == {
        "orders": "its schema is pending",
        "points": "it requires 'orders', which is not installed or quarantined",
    }
    assert "overrides a hook" in after.quarantined["bad"].reason
    assert {plugin.id for plugin in before} == {"orders", "points", "alone"}
    assert {plugin.id for plugin in before.quarantine({})} == {"orders", "points", "alone"}


def test_the_table_holds_the_handlers_of_the_enabled_plugins_only() -> None:
    registry = loaded(Bells("good"), Toy("alone"))
    table = registry.table(frozenset({"good", "unknown"}))
    assert [(found.number, found.event, found.always) for found in table.handlers["good"]] == [
        (0, OrderPaid, False),
        (1, Rang, True),
    ]
    assert table.unread == {"order.paid": frozenset(), "toy.rang": frozenset()}
    assert registry.table(frozenset({"good", "unknown"})) is table
    assert registry.table(frozenset({"alone"})).unread == {}


# Entry points, as distributions bring them


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes a module and a distribution that names its `plugin`."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, body: str, *requires: str) -> None:
        # A module is imported once in a process, so each test's has a name of its own.
        package = tmp_path / f"toy_{name}_{secrets.token_hex(4)}"
        package.mkdir()
        (package / "__init__.py").write_text(
            "from threepeat.sdk import *\n"
            f"class Toy(Plugin[PluginSettings]):\n    settings_model = PluginSettings\n{body}\nplugin = Toy()\n"
        )
        info = tmp_path / f"toy_{name}-1.2.dist-info"
        info.mkdir()
        needs = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy-{name}\nVersion: 1.2\n{needs}")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {package.name}:plugin\n")

    return make


def label(name: str) -> str:
    return f"    manifest = Manifest(id={name!r}, kind='tactic', title='T', summary='S')"


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("me", label("me"), "the id 'me' is reserved"),
        ("bad", label("other"), "the entry point 'bad' differs from the manifest's id 'other'"),
        ("bad", "    import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("bad", "    this is no python", "SyntaxError"),
        ("bad", label("bad") + "\nraise SystemExit(3)", "SystemExit: 3"),
        ("bad", label("bad") + "\ndel Toy", "NameError"),
    ],
)
def test_a_distribution_that_cannot_be_loaded_is_quarantined_by_name(
    install: Callable[..., None], name: str, body: str, reason: str
) -> None:
    install(name, body)
    install("fine", label("fine"))
    registry = Registry.discover()
    assert reason in registry.quarantined[name].reason
    assert registry.quarantined[name].distribution == f"toy-{name}"
    assert (registry["fine"].distribution, registry["fine"].version) == ("toy-fine", "1.2")
    assert registry["fine"].package.joinpath("__init__.py").is_file()


def test_a_distribution_for_another_threepeat_is_quarantined_before_its_code_runs(
    install: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    install("new", label("new") + "\nprint('it ran')", "rich>=1", "threepeat-core<9,>=7")
    install("fine", label("fine"), "threepeat-core>=0.1", "threepeat-core>=7; extra == 'later'")
    registry = Registry.discover()
    assert registry.quarantined["new"].reason == (
        f"it needs threepeat-core<9,>=7, and {__version__} is installed:"
        f" install a version of toy-new for Threepeat {__version__}, or the Threepeat it needs"
    )
    assert "it ran" not in capsys.readouterr().out
    assert "fine" in registry


def test_the_installed_plugins_are_all_well() -> None:
    registry = Registry.discover()
    assert not registry.quarantined
    assert {"orders", "points"} <= {plugin.id for plugin in registry}
    order = [plugin.id for plugin in registry]
    assert order.index("orders") < order.index("points")


def test_registries_are_loaded_independently_of_each_other() -> None:
    plugin = Bells("good")
    registries: list[Registry] = []
    threads = [threading.Thread(target=lambda: registries.append(loaded(plugin))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(registries) == 4
    assert all("good" in registry for registry in registries)
