"""Structured logs: one JSON object a line, or readable text at a terminal."""

import logging
import sys

import structlog
import typer

# Local variables stay out of the logs: they hold secrets and people's data.
BRIEF = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)


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
    ]
    renderer: list[structlog.typing.Processor]
    if log_format == "json" or (log_format == "auto" and not sys.stderr.isatty()):
        renderer = [structlog.processors.ExceptionRenderer(BRIEF), structlog.processors.JSONRenderer()]
    else:
        renderer = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
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
