"""Which function measures which workload."""

from collections.abc import Awaitable, Callable, Mapping

from benchmarks.peers import catalogue, costs, due, graphs, latency, throughput
from benchmarks.peers.measurement import Figure, Measurement

MEASURES: Mapping[str, Callable[[Measurement], Awaitable[list[Figure]]]] = {
    catalogue.W1_BULK: throughput.measure_bulk,
    catalogue.W1_ONE: throughput.measure_one_by_one,
    catalogue.W1_EIGHT: throughput.measure_by_eight,
    catalogue.W2_LATENCY: latency.measure,
    catalogue.W3_DUE: due.measure,
    catalogue.W4_CHAIN: graphs.measure_chain,
    catalogue.W4_FAN: graphs.measure_fan,
    catalogue.W5_IDLE: costs.measure,
}
