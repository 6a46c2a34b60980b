"""Long runs under faults; none of them is part of `make test`."""
