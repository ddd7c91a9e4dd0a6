"""A member's export holds everything that the plugin keeps about the member."""

import base64
import json
from collections.abc import Iterator
from typing import Any

from threepeat.testing.canaries import Canaries, Planter, search
from threepeat.testing.conformance import lives
from threepeat.testing.conformance.bench import Bench, NotApplicable

TITLE = "A member's export holds every word that the plugin keeps about the member."
FIX = (
    "Give every table that holds something about a member the member's column and mark it with personal(…): core"
    " exports it. What stands elsewhere is added by export_member, which may not raise."
)


def check(bench: Bench) -> Iterator[str]:
    """Export a member who has lived and has a canary in each column."""
    plugin = bench.installed
    canaries, stand = Canaries(), bench.store()
    planter = Planter(bench.admin_url, stand.platform.database, canaries, schemas=[plugin.id])
    if not planter.tables and not plugin.reactions:
        raise NotApplicable("it keeps nothing about members")
    lives.live(stand, canaries)
    planter.try_to_plant(stand.tenant.id, stand.member(lives.PLANTED))
    mine, missing = "", set[str]()
    for name in (lives.NAME, lives.PLANTED):
        answer = stand.call("GET", f"/v1/members/{name}/export")
        if answer.status_code != 200:
            yield f"the export fails: {answer.text}"
            return
        export = answer.json()
        missing |= set(export.get("missing", ()))
        tables = {table: rows for table, rows in export["tables"].items() if table.startswith(f"{plugin.id}.")}
        mine += json.dumps([tables, export["plugins"].get(plugin.id)], ensure_ascii=False)
    if plugin.id in missing:
        yield "export_member fails"
    for table in sorted(one for one in missing if one.startswith(f"{plugin.id}.")):
        yield f"{table} is left out of the export: the app role may not read it"
    lacking = {
        (one.table, column)
        for one in search(bench.admin_url, tenant=stand.tenant.id, schemas=[plugin.id])
        for column in one.columns
        if not _stands_in(mine, one.row[column])
    }
    for table, column in sorted(lacking):
        yield f"{table}, column {column} holds a word about the member that the export lacks"


def _stands_in(export: str, value: Any) -> bool:
    if isinstance(value, str) and value.startswith("\\x"):
        value = base64.b64encode(bytes.fromhex(value[2:])).decode()
    return json.dumps(value, ensure_ascii=False) in export
