"""What keeps jobs together and ends them: the supervisor, its program and the marks it leaves."""
