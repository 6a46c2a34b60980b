"""What travels over HTTP: bodies as they are read, answers as they are written, and queries."""
