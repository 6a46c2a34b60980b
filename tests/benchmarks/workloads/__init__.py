"""The workloads that `make bench` knows by name."""
