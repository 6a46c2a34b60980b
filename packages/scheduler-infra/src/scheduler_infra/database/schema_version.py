"""Which schema this version works with. Read by lean processes, which do not import Alembic."""

REQUIRED_SCHEMA_VERSION = "0006"
"""The newest migration that this version needs; a test compares it with Alembic's head.

Migrations only expand within a minor release, so a newer schema works as well.
"""
