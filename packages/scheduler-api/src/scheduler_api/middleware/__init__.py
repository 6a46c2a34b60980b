"""What happens to every request before and after its handler. Plain ASGI, around Litestar: routing errors too."""
