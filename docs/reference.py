"""Writes the reference pages from the code, so that what is not documented cannot be there; and the promises.

The page about the requirements of security is written from the files of its chapters in `docs/security/asvs/`.

`python docs/reference.py` writes them; with `--check` it exits 1 if one of them is not what the code says.
"""

import ast
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, cast, get_args, get_type_hints

import msgspec
import typer
from fastapi import FastAPI
from pydantic_settings import BaseSettings
from sqlalchemy import make_url

from threepeat import sdk
from threepeat.cli.app import app as command_line
from threepeat.database.config import DatabaseConfig, Urls
from threepeat.database.engine import Database
from threepeat.events.platform import KeyConfig, Platform
from threepeat.http.app import HttpConfig, create_app
from threepeat.plugins import Installed, Registry
from threepeat.sdk.events import CATALOGUE, Event, Sender
from threepeat.sdk.migrations import Roles
from threepeat.tenancy.keyring import Keyring
from threepeat.worker.loop import WorkerConfig

sys.path.insert(0, str(Path(__file__).resolve().parent))

import promises

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs"
REQUIREMENTS = ROOT / "docs" / "security" / "asvs"
NOTE = "<!-- Written by docs/reference.py from the code. Change the code, then run `make docs`. -->"
LISTED = "<!-- Written by docs/reference.py from docs/security/asvs. Change that, then run `make docs`. -->"
SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Example):$", re.MULTILINE)
COMPLETION = {"install_completion", "show_completion"}
WORDS = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}
FORMATS = {"path": "path", "date": "date", "date-time": "instant with a time zone", "password": "secret text"}
CLI_TYPES = {str: "text", int: "integer", bool: "switch", Path: "path"}
KEYS = "an API key with the scope"
BY_PATH = {
    "/v1/members/lookup": {"*": f"{KEYS} `read` or `manage`"},
    "/v1/me": {"*": "a member token"},
    "/v1/me/export": {"*": "a member token"},
    "/v1/receipt-keys": {"*": "anyone"},
    "/v1/quotes/{quote_id}/confirm": {"*": f"{KEYS} `ingest` or `manage`"},
    "/v1/quotes/{quote_id}/refund": {"*": f"{KEYS} `ingest` or `manage`"},
}
"""Who may call routes whose callers their tag does not tell."""
RECORDS = (
    sdk.when,
    sdk.when_any,
    sdk.timer,
    sdk.schedule,
    sdk.outbound,
    sdk.get,
    sdk.post,
    sdk.fact,
    sdk.multiplier,
    sdk.reward,
    sdk.price_rule,
    sdk.collection,
    sdk.action,
    sdk.metric,
    sdk.provide_orders,
    sdk.provide_checkout,
    sdk.Invariant,
)
OBJECTS = (
    sdk.Context,
    sdk.Store,
    sdk.Sql,
    sdk.Due,
    sdk.Occurrence,
    sdk.Call,
    sdk.AsOf,
    sdk.Audience,
    sdk.Grant,
    sdk.Granted,
    sdk.Revocation,
    sdk.Revoked,
    sdk.Spend,
    sdk.Orders,
    sdk.OrderSummary,
    sdk.PluginSettings,
    sdk.RewardChoice,
    sdk.Stage,
    sdk.Asked,
    sdk.Reduction,
    sdk.Declined,
    sdk.Gift,
    sdk.Hold,
    sdk.Returned,
    sdk.Basket,
    sdk.BasketLine,
    sdk.Quote,
    sdk.Applied,
    sdk.LeftOut,
    sdk.Item,
    sdk.Once,
    sdk.Query,
    sdk.Period,
)
ERRORS = (sdk.Refused, sdk.PluginError, sdk.GiveUp, sdk.RetryAfter)


@dataclass(frozen=True)
class Sources:
    """What the pages describe."""

    commands: typer.Typer
    configuration: Sequence[type[BaseSettings]]
    plugins: Sequence[Installed]
    events: Sequence[type[Event]]
    contract: type[Any]
    http: FastAPI

    @classmethod
    def installed(cls) -> "Sources":
        """The code of this repository; plugins from elsewhere are left out."""
        registry = Registry.discover()
        if registry.quarantined:
            raise SystemExit(f"quarantined: {registry.quarantined}")
        ours = [plugin for plugin in registry if _in_repository(type(plugin.plugin))]
        url = make_url("postgresql+psycopg://nobody@localhost/nothing")
        urls = Urls(url, url, url, Roles.prefixed("threepeat"))
        keyring = Keyring({"none": bytes(32)})
        return cls(
            command_line,
            (DatabaseConfig, KeyConfig, HttpConfig, WorkerConfig),
            ours,
            CATALOGUE,
            sdk.Plugin,
            create_app(Platform(Database(urls), Registry(ours), keyring, {}, Path("erasures.jsonl"))),
        )


def pages(sources: Sources | None = None) -> dict[str, str]:
    """The text of every page by its name in `docs/`."""
    found = sources or Sources.installed()
    written = {
        "cli.md": cli(found.commands),
        "configuration.md": configuration(found.configuration, found.commands),
        "settings.md": settings(found.plugins),
        "events.md": events(found.events, found.plugins),
        "hooks.md": hooks(found.contract),
        "http.md": http(found.http, [plugin.id for plugin in found.plugins]),
    }
    described = {f"reference/{name}": f"{NOTE}\n\n{text.strip()}\n" for name, text in written.items()}
    asked = f"{LISTED}\n\n{requirements(REQUIREMENTS).strip()}\n"
    return {**described, "security/asvs.md": asked, "explanation/promises.md": promises.page()}


def stale(wanted: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """The pages of a folder that are missing or differ from the wanted text."""
    return [
        name
        for name, text in wanted.items()
        if not (folder / name).is_file() or (folder / name).read_text("utf-8") != text
    ]


# --- The command line ---------------------------------------------------------------------------------------


def cli(app: typer.Typer) -> str:
    """Every command with its arguments and options."""
    text = "# Command line\n\nEvery command takes `--help`. Options of `threepeat` stand before the command.\n"
    for path, command in _commands(app):
        text += f"\n## `{path}`\n\n{inspect.cleandoc(command.help or '')}\n"
        rows = []
        for parameter in _parameters(command):
            kind, bounds = _cli_type(command, parameter)
            argument = parameter.param_type_name == "argument"
            name = f"`{parameter.metavar or parameter.name.upper()}`" if argument else _code(parameter.opts)
            default = "required" if parameter.required else _default(parameter.default)
            where = f"`{parameter.envvar}`" if parameter.envvar else ""
            rows.append((name, f"{kind}{bounds}", default, where, parameter.help or ""))
        text += _table(("argument or option", "type", "default", "environment", "meaning"), rows)
    return text


def _commands(app: typer.Typer) -> Iterator[tuple[str, Any]]:
    waiting: list[tuple[str, Any]] = [("threepeat", typer.main.get_command(app))]
    while waiting:
        path, command = waiting.pop(0)
        inner = getattr(command, "commands", {})
        if not inner or _parameters(command):
            yield path, command
        found = [(f"{path} {name}", one) for name, one in inner.items() if _is_ours(one)]
        waiting = found + waiting


def _is_ours(command: Any) -> bool:
    inner = getattr(command, "commands", {})
    return any(map(_is_ours, inner.values())) if inner else _in_repository(command.callback)


def _parameters(command: Any) -> list[Any]:
    return [one for one in command.params if one.name not in COMPLETION and not one.hidden]


def _cli_type(command: Any, parameter: Any) -> tuple[str, str]:
    kinds = {parameter.name: str, **get_type_hints(inspect.unwrap(command.callback))}
    inner = [
        one
        for kind in (kinds[parameter.name],)
        for one in (kind, *get_args(kind))
        for one in (one, *get_args(one))
    ]
    kind = next((word for known, word in CLI_TYPES.items() if known in inner), "text")
    low, high = parameter.min, parameter.max
    bounds = "" if low is None and high is None else f", at least {low}" if high is None else f", {low} to {high}"
    return kind, bounds + (", repeatable" if parameter.multiple or parameter.nargs == -1 else "")


# --- Configuration and settings -----------------------------------------------------------------------------


def configuration(classes: Sequence[type[BaseSettings]], app: typer.Typer) -> str:
    """Every environment variable."""
    text = "# Configuration\n\nEverything is read from the environment when a process starts.\n"
    for config in classes:
        schema = config.model_json_schema()
        prefix = config.model_config["env_prefix"]
        rows = [
            (f"`{prefix}{name}`".upper(), _type(field), _default(field.get("default")), field["description"])
            for name, field in schema["properties"].items()
        ]
        text += f"\n## {config.__name__}\n" + _table(("variable", "type", "default", "meaning"), rows)
    found = [(path, one) for path, command in _commands(app) for one in _parameters(command) if one.envvar]
    rows = [(f"`{one.envvar}`", f"`{path} {one.opts[0]}`", _default(one.default), one.help) for path, one in found]
    return f"{text}\n## Options of commands\n" + _table(("variable", "stands for", "default", "meaning"), rows)


def settings(plugins: Sequence[Installed]) -> str:
    """What a merchant can set, plugin by plugin."""
    text = (
        "# Settings of plugins\n\nWhat a merchant sets: `threepeat tactic set`, `PUT /v1/tactics/{id}/settings`.\n"
    )
    for plugin in plugins:
        manifest = plugin.manifest
        schema = plugin.plugin.settings_model.model_json_schema()
        group = "a comparison group" if manifest.holdout == "member" else "no comparison group"
        text += f"\n## {manifest.title}\n\n`{plugin.id}`, a {manifest.kind} with {group}. {manifest.summary}\n"
        rows = [
            (f"`{name}`", _type(field), _default(field.get("default")), field.get("description", ""))
            for name, field in schema.get("properties", {}).items()
        ]
        text += _table(("setting", "type", "default", "meaning"), rows) or "\nIt has nothing to set.\n"
        text += _parts(schema.get("$defs", {}))
    return text


# --- Events -------------------------------------------------------------------------------------------------


def events(catalogue: Sequence[type[Event]], plugins: Sequence[Installed]) -> str:
    """Every event class, with who may send it."""
    text = textwrap.dedent("""\
        # Events

        The fields below are the `data` of a CloudEvents 1.0 envelope. Amounts are integers of minor units
        (fen, pence, yen); a currency must be the store's own. Fields that are not listed are kept and ignored.
        [Connect your shop](../howto/connect-your-shop.md) shows the envelope.
        """)
    owned = [(event, "") for event in catalogue]
    owned += [(event, plugin.id) for plugin in plugins for event in plugin.events]
    parts: dict[str, Any] = {}
    for event, owner in owned:
        (_, found) = msgspec.json.schema_components([event], schema_hook=lambda _: {"type": "object"})
        own = found.pop(event.__name__)
        own["properties"].pop("envelope")
        parts.update(found)
        text += f"\n## `{event.type}`\n\n{_event_doc(event)}\n\n{_senders(event, owner)}\n"
        text += _fields(own) or "\nIt has no fields.\n"
    return text + _parts(parts)


def _event_doc(event: type[Event]) -> str:
    """The docstring, and what the base classes say after their own first line."""
    bases = [base for base in event.__mro__[1:] if issubclass(base, Event) and base is not Event]
    more = [inspect.cleandoc(base.__doc__ or "").partition("\n\n")[2] for base in bases]
    return "\n\n".join(filter(None, (inspect.cleandoc(event.__doc__ or ""), *more)))


def _senders(event: type[Event], owner: str) -> str:
    names = {
        Sender.SERVER: f"{KEYS} `ingest`",
        Sender.MEMBER: "a member token, about its own member",
        Sender.PLUGIN: f"the plugin `{owner}`" if owner else "a plugin",
    }
    return f"Sent by: {' or '.join(names[one] for one in Sender if one in event.senders)}."


# --- The SDK ------------------------------------------------------------------------------------------------


def hooks(contract: type[Any]) -> str:
    """The contract of a plugin, the records it returns and what it is given."""
    text = (
        f"# Hooks and the SDK\n\nAll of it is imported from `threepeat.sdk`.\n\n## `Plugin`\n\n{_doc(contract)}\n"
    )
    for title, acting in (("Declaring hooks", False), ("Acting hooks", True)):
        text += f"\n## {title}\n"
        for name, function in _hooks(contract):
            if ("ctx" in inspect.signature(function).parameters) is acting:
                text += f"\n### `{name}`\n\n{_function(function)}\n"
    text += "\n## Manifest\n" + _class(sdk.Manifest, "###").partition("\n\n")[2].join(("\n", ""))
    for title, things in (("Records", RECORDS), ("What plugin code is given", OBJECTS), ("Errors", ERRORS)):
        text += f"\n## {title}\n"
        for thing in things:
            if isinstance(thing, type):
                text += "\n" + _class(thing, "###")
            else:
                text += f"\n### `{thing.__name__}`\n\n{_function(thing)}\n"
    return text


def _hooks(contract: type[Any]) -> Iterator[tuple[str, FunctionType]]:
    for kind in reversed(contract.__mro__):
        for name, value in vars(kind).items():
            if isinstance(value, FunctionType) and hasattr(value, "threepeat_spec"):
                yield name, value


def _class(kind: type[Any], level: str) -> str:
    body = cast("ast.ClassDef", _source(kind))
    meaning = _sections(kind.__doc__ or "").get("Attributes", {})
    rows = [
        (
            f"`{node.target.id}`",
            f"`{ast.unparse(node.annotation)}`",
            f"`{ast.unparse(node.value)}`" if node.value else "",
            meaning.get(node.target.id, ""),
        )
        for node in body.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    text = f"{level} `{kind.__name__}`\n\n{_doc(kind, without='Attributes' if rows else '')}\n"
    text += _table(("field", "type", "default", "meaning"), rows)
    for name, value in vars(kind).items():
        function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
        if isinstance(function, FunctionType) and (not name.startswith("_") or name == "__call__"):
            text += f"\n{level}# `{kind.__name__}.{name}`\n\n{_function(function)}\n"
    return text


def _function(function: Any) -> str:
    node = cast("ast.FunctionDef", _source(function))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    attribute = any(ast.unparse(one) == "property" for one in node.decorator_list)
    shape = f"{node.name}: {returns[4:]}" if attribute else f"{node.name}({ast.unparse(node.args)}){returns}"
    return f"```python\n{shape}\n```\n\n{_doc(function)}"


def _source(thing: Any) -> ast.stmt:
    return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]


def _sections(text: str) -> dict[str, dict[str, str]]:
    """The named parts of a Google-style docstring; what stands before them is the part ''."""
    head, *rest = SECTION.split(inspect.cleandoc(text))
    found = {"": {"": head.strip()}}
    for name, body in zip(rest[::2], rest[1::2], strict=True):
        lines = re.split(r"\n(?=\S)", textwrap.dedent(body).strip())
        entries = (line.partition(": ") if name not in {"Returns", "Yields"} else ("", "", line) for line in lines)
        found[name] = {key: " ".join(value.split()) for key, _, value in entries}
    return found


def _doc(thing: Any, *, without: str = "") -> str:
    found = _sections(thing.__doc__ or "")
    text = found.pop("")[""]
    for name, entries in found.items():
        if name != without:
            listed = (f"- `{key}`: {value}" if key else f"- {value}" for key, value in entries.items())
            text += f"\n\n{name}:\n\n" + "\n".join(listed)
    return text


# --- HTTP ---------------------------------------------------------------------------------------------------


def http(app: FastAPI, plugins: Sequence[str]) -> str:
    """Every route, with who may call it."""
    schema = app.openapi()
    parts: dict[str, Any] = schema["components"]["schemas"]
    text = textwrap.dedent("""\
        # HTTP API

        The same as OpenAPI: `GET /v1/openapi.json` of a running server. Bodies are JSON. Every error is an
        RFC 9457 problem; [Connect your shop](../howto/connect-your-shop.md) lists them.
        """)
    for path, methods in schema["paths"].items():
        for method, found in methods.items():
            caller = who_may(path, method, found["tags"][0], plugins)
            text += f"\n## `{method.upper()} {path}`\n\n{found['summary']}. For {caller}.\n"
            if found.get("description"):
                text += f"\n{found['description']}\n"
            given = [
                (
                    f"`{one['name']}`",
                    one["in"],
                    _type(one["schema"]),
                    "yes" if one["required"] else "no",
                    one.get("description", ""),
                )
                for one in found.get("parameters", ())
            ]
            text += _table(("parameter", "in", "type", "required", "meaning"), given)
            text += _bodies(found)
    return text + _parts(parts)


def who_may(path: str, method: str, tag: str, plugins: Iterable[str]) -> str:
    """Who may call a route, in words."""
    callers = BY_PATH.get(path) or _who(plugins)["collections" if path.startswith("/v1/plugins/") else tag]
    return callers.get(method, callers["*"])


def _who(plugins: Iterable[str]) -> dict[str, dict[str, str]]:
    """Who may call, by the route's tag and its method; a new tag has to be told here."""
    keys = {"*": f"{KEYS} `manage`", "get": f"{KEYS} `read` or `manage`"}
    members = {"*": "a member token"}
    return {
        "events": {"*": f"{KEYS} `ingest`, or a member token"},
        "members": keys,
        "tactics": keys,
        **dict.fromkeys(("collections", "keys", "trails"), keys),
        "metrics": {"*": f"{KEYS} `read` or `manage`"},
        "privacy": {"*": f"{KEYS} `manage`"},
        "quotes": {"*": f"{KEYS} `ingest` or `manage`, or a member token"},
        "member": members,
        "operator": {"*": "an operator's key"},
        "health": {"*": "anyone"},
        **dict.fromkeys(plugins, members),
    }


def _bodies(found: Mapping[str, Any]) -> str:
    text = ""
    for kind, content in found.get("requestBody", {}).get("content", {}).items():
        text += f"\n- takes `{kind}`: {_type(content['schema'])}"
    for status, answer in sorted(found["responses"].items()):
        schemas = [content["schema"] for content in answer.get("content", {}).values() if content.get("schema")]
        own = (
            answer["description"] if answer["description"].endswith(".") else ""
        )  # the others are the status's name
        text += ": ".join(filter(None, (f"\n- {status}", *map(_type, schemas[:1]), own)))
    return text + "\n"


# --- Requirements of security -------------------------------------------------------------------------------


def requirements(folder: Path) -> str:
    """What a standard asks, and what there is: one file for each chapter."""
    chapters = [tomllib.loads(file.read_text("utf-8")) for file in sorted(folder.glob("v*.toml"))]
    reasons: dict[str, str] = tomllib.loads((folder / "reasons.toml").read_text("utf-8"))
    every = {name: one for chapter in chapters for name, one in chapter["requirements"].items()}
    kinds = ("tests", "pages", "reason", "unmet")
    counts = {kind: sum(kind in one for one in every.values()) for kind in kinds}
    text = textwrap.dedent(f"""\
        # Requirements of security

        What the OWASP Application Security Verification Standard 5.0.0 asks on its levels 1 and 2, in our words
        and under its numbers, `5.0.0-` being left out. Each requirement names **the tests that prove it**, the
        page that it asks for, the reason why it does not apply, or what is missing. The list of numbers and
        levels is that of the standard's own English edition; level 3 is not looked at.

        Of {len(every)} requirements tests prove {counts["tests"]}, pages answer {counts["pages"]},
        {counts["reason"]} do not apply and {counts["unmet"]} are **not met**.

        ## Not met
        """)
    text += "".join(
        f"\n- **{name}** {one['asks']}. {one['unmet']}" for name, one in every.items() if "unmet" in one
    )
    text += "\n\n## Does not apply\n"
    for key, reason in reasons.items():
        names = [name for name, one in every.items() if one.get("reason") == key]
        text += f"\n- {reason} ({', '.join(names)})"
    for number, chapter in enumerate(chapters, 1):
        rows = [
            (name, _level(chapter["levels"], name), one["asks"], _answer(one, reasons))
            for name, one in chapter["requirements"].items()
        ]
        text += f"\n\n## V{number} {chapter['title']}\n" + _table(("number", "level", "asks", "answer"), rows)
    return text


def _level(levels: Mapping[str, str], name: str) -> str:
    """A requirement's level: its section's digits stand for the section's requirements in their order."""
    section, _, number = name.rpartition(".")
    return levels[section][int(number) - 1]


def _answer(one: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    pages = (page.removeprefix("docs/").partition("#") for page in one.get("pages", ()))
    found = [
        *(f"`{test}`" for test in one.get("tests", ())),
        *(f"[{name.removesuffix('.md')}](../{name})" + (f", {part}" if part else "") for name, _, part in pages),
        *([f"does not apply: {reasons[one['reason']]}"] if "reason" in one else []),
        *([f"**not met**: {one['unmet']}"] if "unmet" in one else []),
    ]
    return "; ".join(found) + (f". {one['note']}" if "note" in one else "")


# --- JSON Schema and Markdown -------------------------------------------------------------------------------


def _parts(parts: Mapping[str, Any]) -> str:
    text = ""
    for name, part in sorted(parts.items()):
        values = f"\n{_type(part).capitalize()}.\n" if "enum" in part else ""
        text += f"\n## {name}\n\n{_sections(part.get('description', ''))['']['']}\n{values}{_fields(part)}"
    return text


def _fields(schema: Mapping[str, Any]) -> str:
    required = schema.get("required", ())
    meaning = _sections(schema.get("description", "")).get("Attributes", {})
    rows = [
        (
            f"`{name}`",
            _type(field),
            "required" if name in required else _default(field.get("default")),
            field.get("description", meaning.get(name, "")),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return _table(("field", "type", "default", "meaning"), rows)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "enum" in schema:
        return "one of " + _code(schema["enum"])
    if schema.get("type") == "array":
        most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
        return f"list of {_type(schema.get('items', {}))}{most}"
    word = FORMATS.get(schema.get("format", ""), WORDS.get(schema.get("type", ""), "object"))
    limits = [schema.get(f"{name}imum", schema.get(f"{name}Length")) for name in ("min", "max")]
    low, high = (None if one is None else int(one) for one in limits)
    unit = " characters" if schema.get("type") == "string" else ""
    if low is not None and high is not None:
        word += f", {low} to {high}{unit}"
    elif low is not None or high is not None:
        word += f", at least {low}{unit}" if high is None else f", at most {high}{unit}"
    return word + (f", `{schema['pattern']}`" if "pattern" in schema else "")


def _default(value: object) -> str:
    return "" if value is None or value is False or value == [] else f"`{value}`" if value != "" else "empty"


def _code(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    kept = [at for at, _ in enumerate(head) if any(row[at] for row in rows)]
    lines = [
        [head[at] for at in kept],
        ["---"] * len(kept),
        *([" ".join(row[at].split()) for at in kept] for row in rows),
    ]
    return "\n" + "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _in_repository(thing: Any) -> bool:
    return Path(inspect.getfile(inspect.unwrap(thing))).resolve().is_relative_to(ROOT)


def main() -> int:
    """Write the pages, or check them."""
    wanted = pages()
    differing = stale(wanted, FOLDER)
    if "--check" in sys.argv[1:]:
        for name in differing:
            print(f"docs/{name} is not what the code says: run `make docs`", file=sys.stderr)
        return 1 if differing else 0
    for name in differing:
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(wanted[name], "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
