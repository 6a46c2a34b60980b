"""Gives the client's tests a scripted server."""

from fixtures.fake_api import fake_api

__all__ = ["fake_api"]
