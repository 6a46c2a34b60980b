"""What a worker can do with a run, one module for each task type. A new type: a module here and one entry point."""
