"""A child process that calls sync python functions for a worker, one after another.

Run as ``python -P -m scheduler_worker.executors.python_child DESCRIPTOR PATH``: a socket to the worker, and a JSON
list of directories to import from. It ends when the worker closes the socket, or is gone.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import socket
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from scheduler_worker.current_run import enter_run
from scheduler_worker.error_text import described, storable, too_large
from scheduler_worker.executors.callable_loader import CallableError, add_to_path, is_async, load_callable
from scheduler_worker.executors.python_protocol import LENGTH, Answer, Call, Question, framed

_decode = msgspec.json.Decoder(Question | Call).decode


def main() -> None:
    """Answer until the worker hangs up."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    # What the functions start must not hold the line open.
    channel.set_inheritable(False)
    directories: list[str] = msgspec.json.decode(sys.argv[2])
    del sys.argv[1:]
    add_to_path(directories)
    own, surroundings = os.getpid(), _surroundings()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    while (request := _received(channel)) is not None:
        answer = _looked_at(request) if isinstance(request, Question) else _called(request)
        if os.getpid() != own:
            # A fork that the function made and let return: the answer is its parent's to give.
            _flush()
            os._exit(0)
        if _surroundings() != surroundings:
            # The next function would print into nothing, or look for its files elsewhere.
            answer = msgspec.structs.replace(answer, is_worn=True)
        # Before the answer, so that the worker finds all output in the pipes when it has it.
        _flush()
        channel.sendall(framed(answer))


def _received(channel: socket.socket) -> Question | Call | None:
    header = _exactly(channel, LENGTH.size)
    body = None if header is None else _exactly(channel, LENGTH.unpack(header)[0])
    return None if body is None else _decode(body)


def _exactly(channel: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        try:
            part = channel.recv(size - len(data))
        except ConnectionError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)


def _looked_at(question: Question) -> Answer:
    try:
        return Answer(is_async=is_async(load_callable(question.callable)))
    except CallableError as error:
        return _not_loaded(error)


def _called(call: Call) -> Answer:
    with _environment(call.environment):
        try:
            function = load_callable(call.callable)
        except CallableError as error:
            return _not_loaded(error)
        enter_run(call.context)
        try:
            result = function(*call.args, **call.kwargs)
            if inspect.iscoroutine(result):
                result = asyncio.run(result)
        except BaseException as error:
            _print_traceback(error)
            return _failed(raised(error))
    try:
        encoded = msgspec.json.encode(result)
    except BaseException as error:
        return _failed(not_json(result, error), retryable=False)
    # Here, so that the worker never has to hold it.
    if len(encoded) > call.result_limit_bytes:
        return _failed(too_large(len(encoded), call.result_limit_bytes), retryable=False)
    return Answer(result=msgspec.Raw(encoded))


def _not_loaded(error: CallableError) -> Answer:
    if error.__cause__ is not None:
        _print_traceback(error.__cause__)
    # What was imported half or before a correction would stay in this process.
    return _failed(str(error), is_worn=True)


def _failed(error: str, *, retryable: bool = True, is_worn: bool = False) -> Answer:
    return Answer(error=storable(error), retryable=retryable, is_worn=is_worn)


def raised(error: BaseException) -> str:
    """What an exception says of the function that raised it."""
    if isinstance(error, SystemExit):
        return f"The function ended itself with sys.exit({error.code!r})."
    return f"{described(error)}."


def not_json(result: Any, error: BaseException) -> str:
    """Why a result cannot be kept."""
    return f"The function returned a {type(result).__name__} that cannot be written as JSON: {described(error)}."


def _print_traceback(error: BaseException) -> None:
    # The frames of this module and of the loader say nothing to the function's author.
    skipped = error.__traceback__.tb_next if error.__traceback__ is not None else None
    with contextlib.suppress(Exception):
        traceback.print_exception(type(error), error, skipped)


def _surroundings() -> list[object]:
    """What functions share in this process and should leave as it was: standard streams and working directory."""
    found: list[object] = [sys.stdin, sys.stdout, sys.stderr]
    for descriptor in range(3):
        try:
            status = os.fstat(descriptor)
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    try:
        found.append(os.getcwd())  # noqa: PTH109 - compared as text
    except OSError:
        found.append(None)
    return found


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


if __name__ == "__main__":
    main()
