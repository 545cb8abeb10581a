"""What is measured: for Prometheus at /metrics, and for CloudWatch as embedded metric format in the log."""

from __future__ import annotations

import time
from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from app.drift import Baseline, Drift, Seen
from app.logs import write

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1)
PREDICTING = ("/predict", "/invocations", "/infer")
"""How the routes end that answer with predictions."""
MOST = 100
"""Values that one metric may have in a document of the embedded metric format."""


class Metrics:
    """Counts since the process began, and the values since the last `flush`."""

    def __init__(self, model: str, namespace: str | None) -> None:
        """Without a `namespace`, nothing is written for CloudWatch."""
        self._model = model
        self._namespace = namespace
        self._values: dict[str, list[float]] = {}
        self._shares: dict[str, list[float]] = {}
        self._drift: Drift | None = None
        self.version = ""
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter("http_requests", "Requests", ("route", "status"), registry=registry)
        self._latency = Histogram(
            "http_request_duration_seconds", "Time to answer", ("route",), buckets=SECONDS, registry=registry
        )
        self._waiting = Gauge("queue_depth", "Texts that wait", registry=registry)
        self._batches = Histogram(
            "batch_texts", "Texts run together", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
        )
        self._compute = Counter("compute_seconds", "Time in the model", registry=registry)
        self._tokens = Counter("tokens", "Tokens that went through the model", registry=registry)
        self._refused = Counter("refused", "Requests refused under overload", registry=registry)
        self._truncated = Counter("truncated_texts", "Texts longer than the model reads", registry=registry)
        self._predictions = Counter("predictions", "Predictions", ("label",), registry=registry)
        self._confidence = Histogram(
            "confidence", "Probability of the predicted label", buckets=SHARES, registry=registry
        )
        self._index = Gauge(
            "drift_psi", "Population stability index of the last texts", ("measure",), registry=registry
        )
        self._loaded = Gauge("model_loaded", "Whether a model answers", registry=registry)
        self._failing = Gauge("model_failing", "Whether the wanted model cannot be used", registry=registry)
        self._about = Info("model", "The model in use", registry=registry)

    def render(self, depth: int) -> bytes:
        """The text that Prometheus reads, while `depth` texts wait."""
        self._waiting.set(depth)
        for measure, index in self._indices().items():
            self._index.labels(measure).set(index)
        return generate_latest(self.registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, status).inc()
        self._latency.labels(route).observe(seconds)
        if route.endswith(PREDICTING) and status == 200:
            self._record("PredictionLatency", round(seconds * 1000, 2))

    def queued(self, depth: int) -> None:
        """A request joined the queue, in which `depth` texts wait."""
        self._record("QueueDepth", depth)

    def refused(self) -> None:
        """A request was refused under overload."""
        self._refused.inc()

    def batch(self, texts: int, tokens: int, seconds: float) -> None:
        """A batch was run."""
        self._batches.observe(texts)
        self._tokens.inc(tokens)
        self._compute.inc(seconds)

    def predicted(self, seen: Seen, labels: tuple[str, ...], *, truncated: bool = False) -> None:
        """A text got its labels; `truncated`: of its beginning alone."""
        if self._drift:
            self._drift.add(seen)
        if truncated:
            self._truncated.inc()
        for each in seen.labels:
            self._predictions.labels(each).inc()
        self._confidence.observe(seen.confidence)
        self._record("Confidence", round(seen.confidence, 4))
        for each in labels:
            self._share(each, float(each in seen.labels))

    def model(
        self, version: str | None, precision: str, failing: bool, baseline: Baseline | None = None
    ) -> None:
        """Another model answers, or the wanted one cannot."""
        if version != self.version:
            self._drift = Drift(baseline) if baseline else None
            self._index.clear()
        self.version = version or ""
        self._loaded.set(version is not None)
        self._failing.set(failing)
        if version:
            self._about.info({"name": self._model, "version": version, "precision": precision})

    def flush(self) -> None:
        """Write what was recorded since the last time, and how far the texts have drifted."""
        self._flush()
        if self._namespace:
            for measure, index in self._indices().items():
                self._write({"Drift": [round(index, 4)]}, {"Measure": measure})

    def _flush(self) -> None:
        values, self._values = self._values, {}
        shares, self._shares = self._shares, {}
        if values:
            self._write(values, {})
        for label, each in shares.items():
            self._write({"PredictionShare": each}, {"Label": label})

    def _indices(self) -> Mapping[str, float]:
        return self._drift.indices() if self._drift else {}

    def _record(self, name: str, value: float) -> None:
        self._append(self._values, name, value)

    def _share(self, label: str, value: float) -> None:
        self._append(self._shares, label, value)

    def _append(self, to: dict[str, list[float]], name: str, value: float) -> None:
        if not self._namespace:
            return
        values = to.setdefault(name, [])
        values.append(value)
        if len(values) >= MOST:
            self._flush()

    def _write(self, values: Mapping[str, list[float]], more: Mapping[str, str]) -> None:
        dimensions = {"Model": self._model} | dict(more)
        directive = {
            "Namespace": self._namespace,
            "Dimensions": [list(dimensions)],
            "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in values],
        }
        document: dict[str, object] = {
            "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]},
            "ModelVersion": self.version,
        }
        write(document | dimensions | dict(values))


UNITS = {
    "PredictionLatency": "Milliseconds",
    "QueueDepth": "Count",
    "Confidence": "None",
    "PredictionShare": "None",
    "Drift": "None",
}
