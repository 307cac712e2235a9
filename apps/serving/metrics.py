"""What Prometheus can read of a server."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from .models.versions import Model

CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096)


class Metrics:
    """The metrics of one server.

    Args:
        models: Gives the models by name, as they are when asked.
    """

    def __init__(self, models: Callable[[], dict[str, Model]]):
        self._registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self._registry)
        self._registry.register(_OfModels(models))
        labels = ("model", "api", "method")
        self._requests = prometheus_client.Counter(
            "recurra_serving_requests",
            "Requests that were answered, by the gRPC name of the outcome.",
            (*labels, "code"),
            registry=self._registry,
        )
        self._seconds = prometheus_client.Histogram(
            "recurra_serving_request_seconds",
            "From a request's headers to its answer.",
            labels,
            buckets=_SECONDS,
            registry=self._registry,
        )
        # By the names and units that dashboards for TensorFlow Serving ask for.
        self._counts = prometheus_client.Gauge(
            ":tensorflow:serving:request_count",
            "Requests that were answered, as TensorFlow Serving counts them.",
            ("model_name", "status"),
            registry=self._registry,
        )
        self._microseconds = prometheus_client.Histogram(
            ":tensorflow:serving:request_latency",
            "Microseconds from a request's headers to its answer.",
            ("model_name", "API", "entrypoint"),
            buckets=[seconds * 1e6 for seconds in _SECONDS],
            registry=self._registry,
        )
        self._rows = prometheus_client.Histogram(
            "recurra_serving_batch_rows",
            "Rows of the batches that a model ran, after requests were joined.",
            ("model",),
            buckets=_ROWS,
            registry=self._registry,
        )

    def answered(
        self, model: str, api: str, method: str, code: str, begun: float
    ) -> None:
        """A request was answered that began at that `time.perf_counter()`."""
        self._requests.labels(model, api, method, code).inc()
        seconds = time.perf_counter() - begun
        self._seconds.labels(model, api, method).observe(seconds)
        self._counts.labels(model, code).inc()
        entry = "GRPC" if api == "grpc" else "REST"
        latency = self._microseconds.labels(model, method.capitalize(), entry)
        latency.observe(seconds * 1e6)

    def ran(self, model: str, rows: int) -> None:
        """A model ran a batch of so many rows."""
        self._rows.labels(model).observe(rows)

    def page(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return prometheus_client.generate_latest(self._registry)


class _OfModels(Collector):
    """What is counted where it stands, when Prometheus asks."""

    def __init__(self, models: Callable[[], dict[str, Model]]):
        self._models = models

    def collect(self) -> Iterator[Any]:
        queue = GaugeMetricFamily(
            "recurra_serving_queue_length",
            "Requests that wait for their model or are being run.",
            labels=("model", "version"),
        )
        state = GaugeMetricFamily(
            "recurra_serving_model_version",
            "1 for the state that a version of a model is in.",
            labels=("model", "version", "state"),
        )
        for name, model in list(self._models().items()):
            for number, version in model.known.items():
                state.add_metric((name, str(number), version.state.name), 1)
                if version.loaded is not None:
                    queue.add_metric((name, str(number)), version.requests)
        yield queue
        yield state
