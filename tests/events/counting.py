"""What the SDK of OpenTelemetry has counted. A process has one provider, for all tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader


@cache
def reader() -> InMemoryMetricReader:
    """Gives the reader of the one provider that a process may have."""
    found = InMemoryMetricReader(preferred_temporality={Counter: AggregationTemporality.DELTA})
    set_meter_provider(MeterProvider(metric_readers=[found], shutdown_on_exit=False))
    return found


def collect() -> list[Any]:
    """Gives the metrics that have counted something since the last time."""
    data = reader().get_metrics_data()
    if data is None:
        return []
    return [
        (scope.scope, metric)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    ]
