"""Who exported traces and metrics come from."""

import os
import socket
import uuid
from importlib.metadata import PackageNotFoundError, version

from opentelemetry.sdk.resources import Resource

from scheduler_infra.observability.observability_config import ObservabilityConfig


def process_resource(config: ObservabilityConfig, component: str) -> Resource:
    """The resource of this process; OTEL_RESOURCE_ATTRIBUTES adds to it."""
    distribution = f"scheduler-{component}"
    return Resource.create(
        {
            "service.namespace": "scheduler",
            "service.name": config.service_name or distribution,
            "service.version": _version(distribution),
            "service.instance.id": str(uuid.uuid4()),
            "host.name": socket.gethostname(),
            "process.pid": os.getpid(),
        }
    )


def _version(distribution: str) -> str:
    for name in (distribution, "scheduler-core"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "unknown"
