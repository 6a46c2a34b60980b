"""What the system decides, as pure functions: no clock, no store, no randomness that was not passed in."""
