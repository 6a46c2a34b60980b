"""Benchmarks: whole systems of installed console scripts, measured from outside and recounted by SQL."""
