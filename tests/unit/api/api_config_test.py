"""The table [api]."""

import pytest

from scheduler_api.api_config import ApiConfig


def test_problems_is_empty_for_the_defaults() -> None:
    """The defaults can be used."""
    assert ApiConfig().problems() == []


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (ApiConfig(bind_address="nowhere"), "bind_address"),
        (ApiConfig(cors_origins=["example.com"]), "cors_origins"),
        (ApiConfig(cors_origins=["https://example.com/"]), "cors_origins"),
        (ApiConfig(cors_origins=["https://example.com:port"]), "cors_origins"),
    ],
)
def test_problems_begins_with_the_key(config: ApiConfig, key: str) -> None:
    """Each problem begins with its key, by which the loader finds where the value comes from."""
    (problem,) = config.problems()
    assert problem.startswith(f"{key} ")
