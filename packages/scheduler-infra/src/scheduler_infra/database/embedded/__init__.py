"""A real PostgreSQL that comes with the installation: its programs, its data directory and its life as our child."""
