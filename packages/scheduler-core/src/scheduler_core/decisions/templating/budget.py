"""How much one rendering may do, so that no template can hold up the process that renders it."""

import time

STEPS_MAX = 10_000
TEXT_MAX = 1_048_576
PRODUCED_MAX = 16 * TEXT_MAX
SECONDS_MAX = 1.0
NESTING_MAX = 200

_LOOK_EVERY = 10_000
"""After how many elements the time is looked at, which is a system call."""


class LimitError(Exception):
    """A limit was met, or something is not allowed; the text is a sentence for the user."""


class Budget:
    """What is left to one rendering. Whatever grows with the data asks here before it is done.

    Time is processor time of the calling thread, so that a busy machine makes no template fail.
    """

    __slots__ = ("_deadline", "_next_look", "_produced_left", "_steps_left")

    def __init__(self) -> None:
        self._steps_left = STEPS_MAX
        self._produced_left = PRODUCED_MAX
        self._next_look = PRODUCED_MAX
        self._deadline = time.thread_time() + SECONDS_MAX

    def step(self, steps: int = 1) -> None:
        """Account for an operation, or for so many elements that are looked at one by one."""
        self._steps_left -= steps
        if self._steps_left < 0:
            raise LimitError(f"it takes more than {STEPS_MAX} steps. Do less in the template, or do it in the task.")
        self._look_at_time()

    def produce(self, size: int) -> None:
        """Account for a list or text that is about to be made: its elements or characters."""
        self._produced_left -= size
        if self._produced_left < 0:
            raise LimitError(
                f"it makes more than {PRODUCED_MAX} characters and elements in all. Pass a reference to the data "
                "instead."
            )

        if self._produced_left < self._next_look:
            self._next_look = self._produced_left - _LOOK_EVERY
            self._look_at_time()

    def text(self, size: int) -> None:
        """Account for one text that is about to be made."""
        if size > TEXT_MAX:
            raise LimitError(
                f"a text would have more than {TEXT_MAX} characters. Pass a reference to the data instead."
            )
        self.produce(size)

    def _look_at_time(self) -> None:
        if time.thread_time() > self._deadline:
            raise LimitError(f"it takes more than {SECONDS_MAX:g} s. Do less in the template, or do it in the task.")
