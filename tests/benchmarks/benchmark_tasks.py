"""The bodies that benchmarks run."""


async def no_op() -> None:
    """Do nothing, in the worker's loop."""
