"""A real PostgreSQL that comes with the installation: its programs, its data directory and its life as our child.

Other processes find it through `connection_file`. Everything else here is for the process that runs it.
"""
