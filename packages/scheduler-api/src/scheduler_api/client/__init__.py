"""The client commands: what a person or a script types to speak to the HTTP API.

Nothing here imports server code. JSON is passed on as the API gave it, so that `-o json` is the API's own object.
"""
