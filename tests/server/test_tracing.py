"""Traces of requests: what is in them, and when there are any."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from swipewise.config import ServerConfig
from swipewise.errors import ConfigError, MissingExtraError
from swipewise.feed.engine import FeedEngine
from swipewise.server import create_app
from swipewise.server.logs import REQUESTS, JsonFormatter
from swipewise.server.tracing import Traces, exporter_wanted, open_traces
from swipewise.workspace import Workspace

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def client(workspace: Workspace, exporter: InMemorySpanExporter) -> Iterator[TestClient]:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with TestClient(create_app(workspace, traces=Traces(provider)), raise_server_exceptions=False) as opened:
        yield opened


def spans(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    found = {span.name: span for span in exporter.get_finished_spans()}
    assert len(found) == len(exporter.get_finished_spans())
    return found


def test_a_feed_is_a_span_with_one_below_it_for_each_stage(
    client: TestClient, exporter: InMemorySpanExporter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=REQUESTS.name)
    headers = {"traceparent": f"00-{PARENT[0]}-{PARENT[1]}-01", "x-request-id": "r1"}
    trace = client.get("/v1/feed?viewer_id=ann&trace=true", headers=headers).json()["trace"]
    found = spans(exporter)
    request = found.pop("GET /v1/feed")
    assert request.kind is SpanKind.SERVER
    assert dict(request.attributes or {}) == {
        "http.request.method": "GET",
        "http.route": "/v1/feed",
        "http.response.status_code": 200,
        "swipewise.request_id": "r1",
    }
    assert request.parent is not None
    assert (f"{request.context.trace_id:032x}", f"{request.parent.span_id:016x}") == PARENT
    assert list(found) == [f"feed: {step['stage']}" for step in trace]
    ended = request.start_time
    for span, step in zip(found.values(), trace, strict=True):
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert (span.attributes or {})["swipewise.count"] == step["count"]
        # One after the other, each as long as it took, all within the request.
        assert span.end_time - span.start_time == round(1e6 * step["milliseconds"])
        assert span.start_time >= ended
        ended = span.end_time
    assert ended <= request.end_time
    (line,) = (json.loads(JsonFormatter().format(each)) for each in caplog.records if each.name == REQUESTS.name)
    assert line["trace_id"] == PARENT[0]


def test_an_error_is_one_in_the_trace_without_its_words(
    client: TestClient, exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("about ann")

    monkeypatch.setattr(FeedEngine, "feed", fails)
    assert client.get("/v1/feed?viewer_id=ann").status_code == 500
    assert client.get("/v1/jobs/ann").status_code == 404
    found = spans(exporter)
    assert found["GET /v1/feed"].status.status_code is StatusCode.ERROR
    assert found["GET /v1/jobs/{job_id}"].status.status_code is StatusCode.UNSET
    assert not any("ann" in span.to_json() for span in found.values())


@pytest.mark.parametrize(
    ("traces", "environment", "expected"),
    [
        (False, {}, None),
        (True, {}, "otlp"),
        (False, ENDPOINT, "otlp"),
        (False, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x/v1/traces"}, "otlp"),
        (False, {"OTEL_TRACES_EXPORTER": "console"}, "console"),
        (True, {"OTEL_TRACES_EXPORTER": "none"}, None),
        (True, {**ENDPOINT, "OTEL_SDK_DISABLED": "true"}, None),
    ],
)
def test_who_asks_for_traces(traces: bool, environment: dict[str, str], expected: str | None) -> None:
    assert exporter_wanted(replace(ServerConfig(), traces=traces), environment) == expected


def test_what_there_is_not_is_said() -> None:
    with pytest.raises(ConfigError, match=r"OTEL_TRACES_EXPORTER='zipkin' .*valid are otlp, console, none"):
        exporter_wanted(ServerConfig(), {"OTEL_TRACES_EXPORTER": "zipkin"})
    with pytest.raises(ConfigError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL='grpc' .*http/protobuf"):
        exporter_wanted(ServerConfig(traces=True), {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("opentelemetry.exporter")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    assert open_traces(ServerConfig(), None) is None
    with pytest.raises(MissingExtraError, match=r"pip install 'swipewise\[otel\]'"):
        open_traces(ServerConfig(traces=True), None)


def test_a_collector_that_is_away_stops_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with TestClient(create_app(workspace)) as client:
        assert client.get("/v1/feed?viewer_id=ann").status_code == 200
