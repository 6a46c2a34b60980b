"""How the worker of a run is chosen: one file for each strategy, and how they are found by name."""
