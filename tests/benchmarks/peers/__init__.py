"""Other systems doing the same work as ours: `make bench-compare`.

Two sides. `__main__` and what it imports runs in the project's environment and gives one system its servers. `drive`
and what it imports runs in that system's own environment, with nothing but the standard library and that system: it
starts the workers, creates the jobs and says what it saw. A job of every system does the same: it writes the time into
its slot of a file that all processes share.
"""
