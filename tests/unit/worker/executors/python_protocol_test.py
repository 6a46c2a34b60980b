"""Messages between a worker and its python children."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.models import RunProgress
from scheduler_worker.executors.python_protocol import (
    LENGTH,
    FrameBuffer,
    FrameTooLongError,
    LogText,
    Progress,
    framed,
)


@given(texts=st.lists(st.text(max_size=20), max_size=10), size=st.integers(1, 50))
def test_worker_unit_frames_are_cut_wherever_they_were_received(texts: list[str], size: int) -> None:
    """However the bytes arrive, the same messages come out, in their order."""
    sent = b"".join(framed(LogText(text)) for text in texts)
    buffer, taken = FrameBuffer(10_000), []

    for start in range(0, len(sent), size):
        buffer.feed(sent[start : start + size])
        while (body := buffer.take()) is not None:
            taken.append(body)

    assert taken == [framed(LogText(text))[LENGTH.size :] for text in texts]


def test_worker_unit_frames_of_any_length_are_not_believed() -> None:
    """A message that is announced longer than any legitimate one is refused before it is collected."""
    buffer = FrameBuffer(100)
    buffer.feed(framed(Progress(RunProgress(share=0.5))))
    buffer.feed(LENGTH.pack(101))

    assert buffer.take() is not None
    with pytest.raises(FrameTooLongError):
        buffer.take()
