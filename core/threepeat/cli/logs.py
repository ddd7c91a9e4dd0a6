"""Structured logs: one JSON object a line, or readable text at a terminal."""

import logging
import sys

import structlog
import typer

from threepeat.database.redact import brief, trail


def without_values(_logger: object, _method: str, entry: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put in the place of an exception what it is and where, for its message may hold people's data."""
    given = entry.pop("exc_info", None)
    if given is True:
        given = sys.exc_info()
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
            causes.append(cause)
        entry.setdefault("error", " from ".join(map(brief, causes)))
        entry["trail"] = trail(error)
    return entry


def configure(log_format: str, log_level: str) -> None:
    """Send structlog's and the standard library's records to standard error in one format.

    Args:
        log_format: `json`, `text`, or `auto`: text at a terminal, else JSON.
        log_level: Least level that is written.
    """
    level = logging.getLevelNamesMapping().get(log_level.upper())
    if level is None:
        raise typer.BadParameter("choose debug, info, warning or error", param_hint="--log-level")
    if log_format not in {"auto", "json", "text"}:
        raise typer.BadParameter("choose json, text or auto", param_hint="--log-format")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        without_values,
    ]
    renderer: list[structlog.typing.Processor]
    if log_format == "json" or (log_format == "auto" and not sys.stderr.isatty()):
        renderer = [structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer()]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("alembic", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
