"""Read a file of order lines into whole orders and refunds; what cannot be used goes to a rejects file.

Nothing is guessed: a row is used exactly as it stands or rejected with a reason. When a row has several
faults, one reason wins: first a row that cannot be split into cells, then a rejected order id prefix, then
"no member", then the rest. White space around a cell is not part of it.
"""

import csv
import gzip
import json
import lzma
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Context, Decimal, InvalidOperation, localcontext
from functools import lru_cache, partial
from io import TextIOWrapper
from itertools import chain
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import IO, Any, Literal, cast

FIELDS = (
    *("order_id", "member", "occurred_at", "sku", "name", "category"),
    *("quantity", "unit_price", "amount", "currency"),
)
MAX_MINOR = 10**15
MAX_QUANTITY = 10**9
MAX_ID = 128
MAX_LABEL = 200
MAX_NUMBER = 64

_CACHE = 2**16
# A line has at most 16 + 50 digits before it is multiplied by a quantity, so no sum is ever rounded.
_EXACT = Context(prec=150)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"([+-]?\d+)(\.0*)?", re.ASCII)
_FLOAT_ID = re.compile(r"(\d+)\.0", re.ASCII)
# Numbers stay text, so that no float comes between the file and its Decimal.
_JSON = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda word: "" if word == "NaN" else word)
_UNPACK: dict[str, Callable[[IO[bytes]], Any]] = {".gz": gzip.open, ".xz": lzma.open}

Kind = Literal["order", "refund"]
# Line number, cells, and why the row is unusable ("" if it is not).
_Row = tuple[int, list[str], str]
# The tenant and the order id.
_Key = tuple[str | None, str]
_Exact = Decimal | int
# Sku, name, category, quantity and exact value in minor units.
_Line = tuple[str, str, str, int, _Exact]


class ImportFileError(ValueError):
    """The file as a whole cannot be imported."""


class MappingError(ImportFileError):
    """A field is mapped to a column the file lacks, or the mapping itself is malformed."""


class _RowError(Exception):
    """Why one row is rejected."""


@dataclass(frozen=True, slots=True)
class ImportedLine:
    """One line of an order; the amount is its line total in minor units."""

    sku: str
    name: str
    category: str
    quantity: int
    amount: int


@dataclass(frozen=True, slots=True)
class ImportedOrder:
    """A whole order or refund; amounts are minor units and never negative, the time is in UTC."""

    tenant: str | None
    kind: Kind
    order_id: str
    member: str
    occurred_at: datetime
    total: int
    lines: tuple[ImportedLine, ...]


@dataclass
class ImportReport:
    """What became of the rows: ``rows == used + rejected``, and ``reasons`` adds up to ``rejected``.

    ``tenants`` holds every tenant that the file names, also one whose rows were all rejected.
    """

    rows: int = 0
    used: int = 0
    rejected: int = 0
    orders: int = 0
    refunds: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    tenants: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class _Source:
    columns: list[str]
    rows: Callable[[set[str]], Iterator[_Row]]
    position: Callable[[], int]


def parse_mapping(items: Iterable[str]) -> dict[str, str]:
    """Parse ``field=column`` items, as ``--map`` takes them.

    Raises:
        MappingError: An item has no ``=``, names no known field, or names a field twice.
    """
    mapping: dict[str, str] = {}
    for item in items:
        name, equals, column = item.partition("=")
        name = name.strip()
        if not equals or not column:
            raise MappingError(f"--map {item!r} is not of the form field=column")
        if name not in FIELDS:
            raise MappingError(f"--map {item!r}: no field {name!r}; the fields are {', '.join(FIELDS)}")
        if name in mapping:
            raise MappingError(f"--map {item!r}: {name} is already mapped to {mapping[name]!r}")
        mapping[name] = column
    return mapping


def split_total(values: Sequence[Decimal | int]) -> tuple[int, list[int]]:
    """Round exact line values to whole units that add up to their rounded sum.

    Args:
        values: Exact, non-negative line values in minor units.

    Returns:
        The sum rounded half-even once, and each value rounded half-even, then moved by at most one unit where
        its remainder is largest (the first of equals) until they add up to that sum.
    """
    total = round(sum(values))
    parts = [round(value) for value in values]
    short = total - sum(parts)
    if short:
        step = 1 if short > 0 else -1
        by_remainder = sorted(range(len(parts)), key=lambda at: (parts[at] - values[at]) * step)
        for at in by_remainder[: abs(short)]:
            parts[at] += step
    return total, parts


def _clean(text: str) -> str:
    if "\0" in text:
        raise _RowError("text holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _RowError("text is not valid Unicode") from None
    return text


def _identifier(text: str, what: str) -> str:
    if len(text) > MAX_ID:
        raise _RowError(f"{what} is longer than {MAX_ID} characters")
    return _clean(text)


def _moment(timezone: tzinfo, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text if len(text) <= MAX_NUMBER else "")
    except ValueError:
        raise _RowError("date cannot be read") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise _RowError("date is out of range") from None
    if moment.year < 1970:
        raise _RowError("date is out of range")
    return moment


def _quantity(text: str) -> int:
    match = _WHOLE.fullmatch(text) if len(text) <= MAX_NUMBER else None
    if not match:
        raise _RowError("quantity is not a whole number")
    quantity = int(match[1])
    if quantity == 0:
        raise _RowError("quantity is zero")
    if abs(quantity) > MAX_QUANTITY:
        raise _RowError("quantity is out of range")
    return quantity


def _value(minor_digits: int, text: str, quantity: int) -> _Exact:
    """The exact minor units of ``quantity`` times the amount in ``text``."""
    if len(text) > MAX_NUMBER or not _NUMBER.fullmatch(text):
        raise _RowError("amount is not a number")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise _RowError("amount is out of range") from None
    # Far exponents would make exact sums need more digits than the context has.
    if number.adjusted() > 20 or cast("int", number.as_tuple().exponent) < -50:
        raise _RowError("amount is out of range")
    value = number.scaleb(minor_digits) * quantity
    if abs(value) > MAX_MINOR:
        raise _RowError("amount is out of range")
    # An int takes a third of the memory, and becomes the line's amount as it is.
    whole = int(value)
    return whole if whole == value else value


@dataclass(slots=True)
class _Group:
    kind: Kind
    member: str
    occurred_at: datetime
    total: _Exact
    # The fields of every line end to end: a tuple per line costs a tenth more memory at the peak.
    lines: list[Any]


class _Orders:
    """Checks rows one by one and gathers the good ones by tenant and order id."""

    def __init__(
        self,
        columns: Mapping[str, int],
        absent: int,
        prefixes: tuple[str | None, Sequence[str]],
        minor_digits: int,
        timezone: tzinfo,
    ) -> None:
        self._per_unit = "unit_price" in columns
        price = "unit_price" if self._per_unit else "amount"
        picked = (*FIELDS[:7], price, "currency", "tenant")
        self._pick = itemgetter(*(columns.get(name, absent) for name in picked))
        self._has_quantity = "quantity" in columns
        self._has_currency = "currency" in columns
        self._has_tenant = "tenant" in columns
        self._refund_prefix = prefixes[0]
        self._reject_prefixes = [prefix for prefix in prefixes[1] if prefix]
        self._groups: dict[_Key, _Group] = {}
        self._currencies: dict[str | None, str] = {}
        self.tenants: set[str] = set()
        # The caches also share equal texts and numbers, which is most of what a large file holds.
        self._identifier = lru_cache(_CACHE)(_identifier)
        self._label = lru_cache(_CACHE)(_clean)
        self._moment = lru_cache(_CACHE)(partial(_moment, timezone))
        self._quantity = lru_cache(_CACHE)(_quantity)
        self._value = lru_cache(_CACHE)(partial(_value, minor_digits))

    def add(self, cells: Sequence[str]) -> None:
        """Take one row in, or raise the reason why not and leave everything as it was."""
        # The appended blank is the cell of every column that is not mapped.
        picked = [cell.strip() for cell in self._pick((*cells, ""))]
        order_id, member, when, sku, name, category, quantity, amount, currency, tenant = picked
        if tenant:
            self.tenants.add(self._identifier(tenant, "tenant"))
        for prefix in self._reject_prefixes:
            if order_id.startswith(prefix):
                raise _RowError(f"order id begins with {prefix}")
        if not member:
            raise _RowError("no member")
        key = self._key(tenant, order_id)
        member = self._identifier(member, "member")
        if member.endswith(".0") and (match := _FLOAT_ID.fullmatch(member)):
            member = self._identifier(match[1], "member")
        texts = self._identifier(sku, "sku"), self._label(name[:MAX_LABEL]), self._label(category[:MAX_LABEL])
        moment = self._moment(when)
        refund = bool(self._refund_prefix and order_id.startswith(self._refund_prefix))
        units = self._units(quantity, refund)
        line = (*texts, units, self._line_value(amount, units, refund))
        if self._has_currency and self._currencies.get(key[0], currency) != (currency or None):
            raise _RowError("currency differs from the tenant's first line" if currency else "no currency")
        group = self._groups.get(key)
        if group is None:
            kind: Kind = "refund" if refund else "order"
            self._groups[key] = _Group(kind, member, moment, line[-1], list(line))
        else:
            self._join(group, member, moment, line)
        self._currencies[key[0]] = currency

    def _key(self, tenant: str, order_id: str) -> _Key:
        if not order_id:
            raise _RowError("no order id")
        if self._has_tenant and not tenant:
            raise _RowError("no tenant")
        # Uncached, since mostly distinct order ids would crowd the members and skus out.
        order_id = _identifier(order_id, "order id")
        return (self._identifier(tenant, "tenant") if self._has_tenant else None), order_id

    def _units(self, text: str, refund: bool) -> int:
        if not self._has_quantity:
            return 1
        quantity = self._quantity(text)
        if refund and quantity > 0:
            raise _RowError("quantity is positive in a refund")
        if not refund and quantity < 0:
            raise _RowError("quantity is negative outside a refund")
        return abs(quantity)

    def _line_value(self, text: str, units: int, refund: bool) -> _Exact:
        value = self._value(text, units if self._per_unit else 1)
        if value >= 0:
            return value
        # Line totals of a refund are negative like its quantities; a negative price would be a charge.
        if refund and not self._per_unit:
            return -value
        raise _RowError("amount is negative")

    @staticmethod
    def _join(group: _Group, member: str, moment: datetime, line: _Line) -> None:
        if group.member != member:
            raise _RowError("member differs from the order's first line")
        total = group.total + line[-1]
        if total > MAX_MINOR:
            raise _RowError("amount is out of range")
        group.total = total
        group.lines += line
        group.occurred_at = min(group.occurred_at, moment)

    def finish(self) -> list[ImportedOrder]:
        """Turn the groups into sorted orders, freeing each group on the way."""
        orders = []
        while self._groups:
            (tenant, order_id), group = self._groups.popitem()
            skus, names, categories, quantities, values = (group.lines[at::5] for at in range(5))
            total, amounts = split_total(values)
            lines = tuple(map(ImportedLine, skus, names, categories, quantities, amounts))
            head = (tenant, group.kind, order_id, group.member, group.occurred_at)
            orders.append(ImportedOrder(*head, total, lines))
        # Least significant first, and one by one to spare a tuple per order; "order" sorts before "refund".
        for name in ("tenant", "order_id", "kind", "occurred_at")[0 if self._has_tenant else 1 :]:
            orders.sort(key=attrgetter(name))
        return orders


def _csv_source(text: IO[str], raw: IO[bytes]) -> _Source:
    head = text.readline()
    delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([head], delimiter=mark), [])))
    # Strict, because the lenient reader glues `"a"b` together and ends an open quote at the end of the file.
    reader = csv.reader(chain([head], text), delimiter=delimiter, strict=True)
    try:
        columns = next(reader, [])
    except csv.Error as error:
        raise ImportFileError(f"the header is not well-formed CSV: {error}") from error

    def rows(_used: set[str]) -> Iterator[_Row]:
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield line, [], "the row is not well-formed CSV"
                continue
            if len(cells) == len(columns):
                yield line, cells, ""
            elif cells:
                yield line, cells, f"the row has {len(cells)} cells, the header has {len(columns)}"

    return _Source(columns, rows, raw.tell)


def _json_object(line: str) -> dict[str, object] | None:
    try:
        value = _JSON.decode(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _json_cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _json_source(text: IO[str], raw: IO[bytes]) -> _Source:
    # Objects may leave keys out, so only the whole file tells which columns there are.
    columns: dict[str, None] = {}
    for line in text:
        columns.update(dict.fromkeys(_json_object(line) or ()))
    text.seek(0)

    def rows(used: set[str]) -> Iterator[_Row]:
        for number, line in enumerate(text, 1):
            if not line.strip():
                continue
            row = _json_object(line)
            if row is None:
                yield number, [], "the line is not a JSON object"
                continue
            nested = any(isinstance(row.get(column), list | dict) for column in used)
            cells = [_json_cell(row.get(column)) for column in columns]
            yield number, cells, "a value is a list or an object" if nested else ""

    return _Source(list(columns), rows, raw.tell)


def _parquet_cells(column: Any, pa: Any) -> list[str]:
    kind = column.type
    try:
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            column = column.cast(pa.string())
        # Through bytes, because parquet promises but does not check that strings are UTF-8.
        values = column.cast(pa.large_binary()).to_pylist()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return ["" if value is None else str(value) for value in column.to_pylist()]
    blank = (None, b"nan") if pa.types.is_floating(kind) else (None,)
    return ["" if value in blank else value.decode("utf-8", "surrogateescape") for value in values]


def _parquet_source(raw: IO[bytes], size: int) -> _Source:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an optional dependency
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError as error:
        raise ImportFileError('reading parquet needs pyarrow: pip install "threepeat-core[parquet]"') from error
    try:
        file = pq.ParquetFile(raw)
    except (pa.ArrowException, OSError) as error:
        raise ImportFileError(f"the parquet file cannot be read: {error}") from error
    done = 0

    def rows(used: set[str]) -> Iterator[_Row]:
        nonlocal done
        for column in file.schema_arrow:
            if column.name in used and pa.types.is_nested(column.type):
                raise MappingError(f"column {column.name!r} holds lists or structs")
        try:
            for batch in file.iter_batches():
                for cells in zip(*(_parquet_cells(column, pa) for column in batch.columns), strict=True):
                    done += 1
                    yield done, list(cells), ""
        except (pa.ArrowException, OSError) as error:
            raise ImportFileError(f"the parquet file cannot be read: {error}") from error

    # Column chunks are read out of order, so rows tell the progress and not the file position.
    return _Source(file.schema_arrow.names, rows, lambda: size * done // max(1, file.metadata.num_rows))


@contextmanager
def _open(path: Path, size: int) -> Iterator[_Source]:
    *_, inner, outer = ("", "", *(suffix.lower() for suffix in path.suffixes))
    shape, packed = (inner, outer) if outer in _UNPACK else (outer, "")
    if shape not in {".csv", ".jsonl", ".ndjson"} and (shape, packed) != (".parquet", ""):
        raise ImportFileError(f"{path.name}: not .csv, .jsonl, .ndjson (plain, .gz or .xz) or .parquet")
    with path.open("rb") as raw:
        if shape == ".parquet":
            yield _parquet_source(raw, size)
            return
        stream = _UNPACK[packed](raw) if packed else raw
        # Bytes that are not UTF-8 become lone surrogates: they cost their row and not the whole file.
        newline = "" if shape == ".csv" else "\n"
        try:
            with TextIOWrapper(stream, "utf-8-sig", errors="surrogateescape", newline=newline) as text:
                yield _csv_source(text, raw) if shape == ".csv" else _json_source(text, raw)
        except (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile) as error:
            raise ImportFileError(f"{path.name} is damaged: {error}") from error


def _resolve(columns: list[str], mapping: Mapping[str, str], tenant_by: str | None) -> dict[str, int]:
    listing = f"the file's columns are: {', '.join(columns)}"
    prices = {"unit_price", "amount"}
    chosen = dict(mapping)
    for name in FIELDS:
        if name in columns and not (name in prices and prices & mapping.keys()):
            chosen.setdefault(name, name)
    if prices <= chosen.keys():
        raise MappingError(f"unit_price and amount are both there: map only one of them; {listing}")
    for names in ({"order_id"}, {"member"}, {"occurred_at"}, prices):
        if not names & chosen.keys():
            raise MappingError(f"nothing is mapped to {' or '.join(sorted(names))}; {listing}")
    if tenant_by is not None:
        chosen["tenant"] = tenant_by
    for name, column in chosen.items():
        if columns.count(column) != 1:
            fault = "more than one" if column in columns else "no"
            raise MappingError(f"the file has {fault} column {column!r} (for {name}); {listing}")
    return {name: columns.index(column) for name, column in chosen.items()}


class _Rejects:
    """The rejects file, which comes into being with the first rejected row."""

    def __init__(self, path: Path, columns: list[str]) -> None:
        self._header = ["line", "reason", *columns]
        self._path = path
        self._file: IO[str] | None = None
        path.unlink(missing_ok=True)

    def add(self, line: int, reason: str, cells: Sequence[str]) -> None:
        if self._file is None:
            self._file = self._path.open("w", encoding="utf-8", errors="surrogateescape", newline="")
            self._write = csv.writer(self._file).writerow
            self.add_row(self._header)
        self.add_row([str(line), reason, *cells])

    def add_row(self, row: list[str]) -> None:
        try:
            self._write(row)
        except UnicodeEncodeError:
            # A surrogate that stood in the file as an escape has no bytes of its own to go back to.
            self._write([cell.encode("utf-8", "backslashreplace").decode() for cell in row])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _silent(_done: int, _total: int) -> None:
    pass


def read_orders(
    path: Path,
    mapping: Mapping[str, str],
    *,
    tenant_by: str | None = None,
    refund_prefix: str | None = None,
    reject_prefixes: Sequence[str] = (),
    minor_digits: int = 2,
    timezone: tzinfo = UTC,
    rejects: Path,
    progress: Callable[[int, int], None] = _silent,
) -> tuple[list[ImportedOrder], ImportReport]:
    """Read a file of order lines into whole orders and refunds, in chronological order.

    Args:
        path: A .csv, .jsonl or .ndjson file (plain, .gz or .xz) or a .parquet file.
        mapping: The column of each field; a field without one uses the column of its own name, if any.
        tenant_by: The column that names the tenant; without it every order's tenant is None and the whole
            file counts as one tenant.
        refund_prefix: How the order ids of refunds begin; their quantities must be negative.
        reject_prefixes: How order ids begin that are not to be imported.
        minor_digits: How many decimal places the currency has.
        timezone: What times without an offset are in.
        rejects: Where rejected rows go, with line number and reason. An older file is replaced, and none is
            left if nothing is rejected.
        progress: Called about a hundred times with the bytes consumed and the size of the file on disk.

    Returns:
        The orders, sorted by time, kind and id, and the counts.

    Raises:
        ImportFileError: The file as a whole cannot be read; MappingError if the mapping is at fault.
    """
    size = path.stat().st_size
    if rejects.exists() and rejects.samefile(path):
        raise ImportFileError(f"{path} cannot be its own rejects file")
    report = ImportReport()
    due = step = max(1, size // 100)
    with localcontext(_EXACT), _open(path, size) as source:
        columns = _resolve(source.columns, mapping, tenant_by)
        prefixes = (refund_prefix, reject_prefixes)
        orders = _Orders(columns, len(source.columns), prefixes, minor_digits, timezone)
        with closing(_Rejects(rejects, source.columns)) as rejected:
            for line, cells, problem in source.rows({source.columns[at] for at in columns.values()}):
                report.rows += 1
                try:
                    if problem:
                        raise _RowError(problem)
                    orders.add(cells)
                except _RowError as error:
                    reason = str(error)
                    rejected.add(line, reason, cells)
                    report.reasons[reason] += 1
                if not report.rows % 256 and (done := source.position()) >= due:
                    progress(done, size)
                    due = done + step
        result = orders.finish()
    report.tenants = orders.tenants
    report.rejected = report.reasons.total()
    report.used = report.rows - report.rejected
    report.refunds = sum(order.kind == "refund" for order in result)
    report.orders = len(result) - report.refunds
    progress(size, size)
    return result, report
