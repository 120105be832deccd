"""Traces of requests by OpenTelemetry, where they are asked for: one span a request, one for each stage of a feed.

Spans are made by hand from what is measured anyway, as instrumenting the framework costs several times as much.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import swipewise
from swipewise.config import ServerConfig
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.feed.stages import Step
from swipewise.server.exchange import Exchange

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# Any of them says that somebody wants traces.
ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTER: Final = "OTEL_TRACES_EXPORTER"
PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
DISABLED: Final = "OTEL_SDK_DISABLED"
_NAMES: Final = ("otlp", "console", "none")
_HTTP: Final = "http/protobuf"
_FLUSH_MILLISECONDS: Final = 3000
_SERVER_FAULT: Final = 500


def exporter_wanted(config: ServerConfig, environment: Mapping[str, str]) -> str | None:
    """The exporter that traces go to, ``otlp`` or ``console``; None where none are made.

    Raises:
        ConfigError: The environment asks for what there is not.
    """
    named = environment.get(EXPORTER, "")
    if named and named not in _NAMES:
        raise ConfigError(f"{EXPORTER}={named!r} is not known here: valid are {', '.join(_NAMES)}")
    asked = config.traces or named or any(environment.get(name) for name in ENDPOINTS)
    if not asked or named == "none" or environment.get(DISABLED, "").lower() == "true":
        return None
    for name in PROTOCOLS:
        if (protocol := environment.get(name, _HTTP)) != _HTTP:
            raise ConfigError(f"{name}={protocol!r} is not spoken here: set it to {_HTTP}, or leave it out")
    return named or "otlp"


def open_traces(config: ServerConfig, worker: int | None) -> Traces | None:
    """The traces that the configuration or the environment asks for, None where neither does.

    Args:
        config: Whether traces are wanted.
        worker: Which of several workers this is.

    Raises:
        MissingExtraError: They are, and OpenTelemetry is not installed.
        ConfigError: The environment asks for what there is not.
    """
    wanted = exporter_wanted(config, os.environ)
    if wanted is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ModuleNotFoundError as error:
        raise MissingExtraError("tracing with OpenTelemetry", "otel") from error
    named = os.environ.get("OTEL_SERVICE_NAME") or "swipewise"
    about = {"service.name": named, "service.version": swipewise.__version__}
    if worker is not None:
        about["service.instance.id"] = str(worker)
    provider = TracerProvider(resource=Resource.create(about))
    make: Callable[[], Any] = ConsoleSpanExporter if wanted == "console" else OTLPSpanExporter
    provider.add_span_processor(BatchSpanProcessor(make()))
    return Traces(provider)


class Traces:
    """Makes the spans of a server.

    Args:
        provider: Samples and exports them.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("swipewise", swipewise.__version__)
        self._propagator = TraceContextTextMapPropagator()

    @contextmanager
    def request(self, exchange: Exchange, headers: Mapping[str, str]) -> Iterator[None]:
        """The span of a request, a child of the client's where it sent ``traceparent``; its route, never its path."""
        from opentelemetry.trace import SpanKind, Status, StatusCode

        carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
        name = f"{exchange.method} {exchange.route}" if exchange.route else exchange.method
        facts = {
            "http.request.method": exchange.method,
            "swipewise.request_id": exchange.request_id,
            **({"http.route": exchange.route} if exchange.route else {}),
        }
        with self._tracer.start_as_current_span(
            name,
            context=self._propagator.extract(carrier),
            kind=SpanKind.SERVER,
            attributes=facts,
            # What went wrong is for the log: an error's words may name a viewer.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            traced = span.get_span_context()
            exchange.trace_id = f"{traced.trace_id:032x}" if traced.trace_flags.sampled else None
            try:
                yield
            finally:
                span.set_attribute("http.response.status_code", exchange.status)
                if exchange.status >= _SERVER_FAULT:
                    span.set_status(Status(StatusCode.ERROR))

    def feed(self, steps: Iterable[Step], began: int) -> None:
        """The spans of a feed's stages, below that of the request that is answered here.

        Args:
            steps: The stages; they follow each other, and each tells how long it took.
            began: When the first one did, nanoseconds since 1970.
        """
        for step in steps:
            ended = began + round(1e6 * step.milliseconds)
            span = self._tracer.start_span(
                f"feed: {step.stage}", start_time=began, attributes={"swipewise.count": step.count}
            )
            span.end(ended)
            began = ended

    def close(self) -> None:
        """Send what is left, within a few seconds."""
        self._provider.force_flush(_FLUSH_MILLISECONDS)
        self._provider.shutdown()
