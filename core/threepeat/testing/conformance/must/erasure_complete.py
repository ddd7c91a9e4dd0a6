"""Nothing of a member is left once the member is erased."""

from collections.abc import Collection, Iterator

from threepeat.database.personal import personal_tables
from threepeat.testing.canaries import Canaries, Planter, search
from threepeat.testing.conformance import lives
from threepeat.testing.conformance.bench import Bench, NotApplicable, Stand

TITLE = "An erasure leaves nothing of a member: no word, and no number that leads to the member."
FIX = (
    "Name the member in a column of every table that holds something about one, mark the table with personal(…),"
    " and put nothing of a member into tables, payloads and keys that name nobody."
)


def check(bench: Bench) -> Iterator[str]:
    """Erase a member who has lived and has a canary in each column, and look for what is left."""
    if not bench.installed.reactions and not _has_tables(bench):
        raise NotApplicable("it keeps nothing about members")
    canaries, stand = Canaries(), lives.far_away(bench)
    numbers = stand.members([lives.NAME, lives.PLANTED])
    lives.live(stand, canaries)
    planter = Planter(bench.admin_url, stand.platform.database, canaries, schemas=[bench.installed.id])
    planter.try_to_plant(stand.tenant.id, numbers[1])
    asked = [stand.call("DELETE", f"/v1/members/{name}").json() for name in (lives.NAME, lives.PLANTED)]
    stand.drain()
    for one in asked:
        done = stand.call("GET", f"/v1/erasures/{one['id']}").json()
        if not done.get("completed_at"):
            yield f"an erasure does not end: {', '.join(done.get('outstanding', ())) or 'erase_member'} fails"
            return
    kept = {str(table) for table in planter.tables if table.action == "keep"}
    yield from dict.fromkeys(_left(bench, stand, canaries, numbers, kept))


def _left(
    bench: Bench, stand: Stand, canaries: Canaries, numbers: Collection[int], kept: Collection[str]
) -> Iterator[str]:
    for one in search(bench.admin_url, tenant=stand.tenant.id):
        if one.table not in kept:
            where, origin = f"{one.table}, column {', '.join(one.columns)}", _origin(one.row, canaries)
            yield f"{where} still holds a word about an erased member, which came from {origin}"
    for number in map(str, numbers):
        for one in search(bench.admin_url, number, tenant=stand.tenant.id, schemas=[bench.installed.id]):
            if one.table not in kept:
                yield f"{one.table}, column {', '.join(one.columns)} still holds the number of an erased member"


def _has_tables(bench: Bench) -> bool:
    with bench.platform.database.ops.connect() as connection:
        return bool(personal_tables(connection, schemas=[bench.installed.id]))


def _origin(row: dict[str, object], canaries: Canaries) -> str:
    said = str(row)
    places = (place for word, place in canaries.places.items() if word in said)
    return next(places, "the member's name in the shop")
