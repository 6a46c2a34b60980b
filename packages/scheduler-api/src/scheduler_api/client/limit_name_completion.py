"""Names of limits for the shell's completion: from the server, cached for 30 seconds, silent when it is away."""

from typing import Any

from scheduler_api.client.task_name_completion import cached_names, typed_flag


def complete_limit_names(context: Any) -> list[tuple[str, str]]:
    """Names of limits with what they allow as hints; empty when nothing can be found out within a second."""
    from scheduler_api.client.limit_view import limit_words

    server, api_key = typed_flag(context, "--server"), typed_flag(context, "--api-key")
    return cached_names("limits", limit_words, server, api_key)
