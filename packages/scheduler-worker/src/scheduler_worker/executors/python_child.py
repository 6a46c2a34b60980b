"""A child process that calls python functions for a worker, one after another.

Run as ``python -P -m scheduler_worker.executors.python_child DESCRIPTOR SETTINGS``: a socket to the worker, and
ChildSettings as JSON. It ends when the worker closes the socket, or is gone.
"""

import contextlib
import functools
import importlib
import inspect
import io
import os
import signal
import socket
import sys
from types import FrameType

import msgspec

from scheduler_core.decisions.size_text import size_text
from scheduler_worker.current_run import RunLink, enter_run_in_process
from scheduler_worker.error_text import described
from scheduler_worker.executors.callable_loader import (
    CallableError,
    CallableRefusedError,
    add_to_path,
    is_async,
    load_callable,
)
from scheduler_worker.executors.child_line import LineLogHandler, LineToken, WorkerLine, report_over
from scheduler_worker.executors.child_surroundings import (
    adopt_orphans,
    environment,
    flush,
    has_children,
    log_to,
    memory_cap,
    resident_bytes,
    surroundings,
)
from scheduler_worker.executors.function_end import failed, raised, returned, traceback_text
from scheduler_worker.executors.python_protocol import Answer, Call, ChildSettings, Question
from scheduler_worker.run_asks import RunStopped


def main() -> None:
    """Answer until the worker hangs up."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    # What the functions start must not hold the line open.
    channel.set_inheritable(False)
    settings = msgspec.json.decode(sys.argv[2], type=ChildSettings)
    del sys.argv[1:]
    # Followers are to see a line when it is printed.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    adopt_orphans()
    add_to_path(settings.python_path)
    line = WorkerLine(channel)
    log = LineLogHandler(line)
    log_to(log)
    untold = _warmed(settings.warm_modules)
    own, before = os.getpid(), surroundings()
    while (request := line.request()) is not None:
        line.is_in_call = True
        while untold:
            log.write(f"WARNING scheduler: {untold.pop(0)}\n")
        answer = _looked_at(request, settings) if isinstance(request, Question) else _called(request, line, settings)
        if os.getpid() != own:
            # A fork that the function made and let return: the answer is its parent's to give.
            flush()
            os._exit(0)
        # Before the answer, so that the worker finds all output in the pipes when it has it.
        flush()
        line.is_in_call = False
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # The next function would print into nothing, or look for its files elsewhere. What the one before has left
        # running ends with this process.
        is_worn = answer.is_worn or surroundings() != before or has_children()
        line.send(msgspec.structs.replace(answer, is_worn=is_worn, resident_bytes=resident_bytes()))


def _warmed(modules: tuple[str, ...]) -> list[str]:
    """Import what most functions need; what cannot be imported is told to the first run."""
    problems = []
    for module in modules:
        try:
            importlib.import_module(module)
        except BaseException as error:
            problems.append(f"Importing '{module}' of worker.python_warm_modules failed with {described(error)}.")
    return problems


def _looked_at(question: Question, settings: ChildSettings) -> Answer:
    try:
        return Answer(is_async=is_async(load_callable(question.callable, settings.modules)))
    except CallableError as error:
        return _not_loaded(error)


def _called(call: Call, line: WorkerLine, settings: ChildSettings) -> Answer:
    link = RunLink(call.context, LineToken(line), functools.partial(report_over, line))
    # Every time: the function before may have set another one.
    signal.signal(signal.SIGTERM, functools.partial(_on_term, link))
    with environment(call.environment):
        try:
            function = load_callable(call.callable, settings.modules)
        except CallableError as error:
            return _not_loaded(error)
        enter_run_in_process(link)
        try:
            with memory_cap(call.memory_bytes):
                result = function(*call.args, **call.kwargs)
                if inspect.iscoroutine(result):
                    # Here: most children call no coroutine, and asyncio doubles the time that one takes to start.
                    from scheduler_worker.executors.child_coroutine import run

                    result = run(result, link)
        except BaseException as error:
            with contextlib.suppress(Exception):
                sys.stderr.write(traceback_text(error))
            answer = raised(error, is_stop_requested=link.token.is_set())
            if isinstance(error, MemoryError) and call.memory_bytes is not None:
                reason = f"The function wanted more memory than caps.memory allows ({size_text(call.memory_bytes)})."
                answer = msgspec.structs.replace(answer, error=reason)
            return answer
        finally:
            enter_run_in_process(None)
    return returned(result, call.result_limit_bytes)


def _on_term(link: RunLink, number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
    # A function that asks whether it is to end shall end where it can; any other one is interrupted where it is.
    if not link.is_watched:
        raise RunStopped


def _not_loaded(error: CallableError) -> Answer:
    if error.__cause__ is not None:
        with contextlib.suppress(Exception):
            sys.stderr.write(traceback_text(error.__cause__))
    answer = failed(str(error), retryable=not isinstance(error, CallableRefusedError))
    # What was imported half or before a correction would stay in this process.
    return msgspec.structs.replace(answer, is_worn=True)


if __name__ == "__main__":
    main()
