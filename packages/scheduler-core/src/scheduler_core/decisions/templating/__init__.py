"""How templates are read, checked and carried out; the door to it is `scheduler_core.decisions.templates`."""
