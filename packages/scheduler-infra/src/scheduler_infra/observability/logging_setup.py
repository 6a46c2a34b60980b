"""One stream of log lines: structlog's and the standard library's, rendered alike, to stderr."""

import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor

from scheduler_infra.observability.observability_config import ObservabilityConfig
from scheduler_infra.observability.secret_filter import mask_fields, mask_text

_CHATTY_LOGGERS = ("amqp", "kombu", "alembic", "psycopg", "httpx2", "httpcore2", "urllib3", "asyncio", "opentelemetry")


@contextmanager
def logging_set_up(
    config: ObservabilityConfig, component: str, stream: TextIO | None = None
) -> Iterator[Callable[[ObservabilityConfig], None]]:
    """Write log lines to `stream`, stderr by default, until the context is left; then all is as it was.

    Never to stdout, which belongs to data. Gives a function that changes level and format.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    chatty = {name: logging.getLogger(name).level for name in _CHATTY_LOGGERS}

    def apply(config: ObservabilityConfig) -> None:
        handler.setFormatter(_SafeFormatter(component, is_json=_is_json(config, stream), has_colors=stream.isatty()))
        root.setLevel(config.log_level)
        for name, before in chatty.items():
            quiet = before if config.log_level == "DEBUG" else max(logging.WARNING, root.level)
            logging.getLogger(name).setLevel(quiet)

    apply(config)
    root.handlers[:] = [handler]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    try:
        yield apply
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        for name, before in chatty.items():
            logging.getLogger(name).setLevel(before)
        structlog.reset_defaults()


def _is_json(config: ObservabilityConfig, stream: TextIO) -> bool:
    return config.log_format == "json" or (config.log_format == "auto" and not stream.isatty())


class _SafeFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record and masks secrets in the result, tracebacks included."""

    def __init__(self, component: str, *, is_json: bool, has_colors: bool) -> None:
        super().__init__(
            foreign_pre_chain=[structlog.contextvars.merge_contextvars, structlog.stdlib.ExtraAdder()],
            processors=[
                _named(component),
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                _add_trace,
                mask_fields,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_json_renderer() if is_json else _console_renderer(has_colors)),
            ],
        )

    def format(self, record: logging.LogRecord) -> str:
        return mask_text(super().format(record))


def _json_renderer() -> list[Processor]:
    encoder = msgspec.json.Encoder(enc_hook=str)

    def encode(event: Any, **_options: Any) -> str:
        try:
            return encoder.encode(event).decode()
        except (TypeError, ValueError, UnicodeError):
            # A log line is written whatever somebody put into it.
            return encoder.encode(
                {key: str(value).encode(errors="replace").decode() for key, value in event.items()}
            ).decode()

    return [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=encode),
    ]


def _console_renderer(has_colors: bool) -> list[Processor]:
    return [structlog.dev.ConsoleRenderer(colors=has_colors, exception_formatter=structlog.dev.plain_traceback)]


def _named(component: str) -> Callable[[Any, str, EventDict], EventDict]:
    def add_component(_logger: Any, _method: str, event: EventDict) -> EventDict:
        # Several components may share a process: their loggers are named scheduler.{component}.
        name = _logger.name if _logger is not None else event["_record"].name
        family, _, speaker = name.partition(".")
        event.setdefault("component", speaker.partition(".")[0] if family == "scheduler" and speaker else component)
        return event

    return add_component


def _add_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
