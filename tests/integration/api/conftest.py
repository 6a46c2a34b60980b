"""Fixtures of the API on a real store."""

from fixtures.api_app import api, open_api, rings

__all__ = ["api", "open_api", "rings"]
