"""One function for each operation: reads the request, asks a service, writes the answer. No decision is made here."""
