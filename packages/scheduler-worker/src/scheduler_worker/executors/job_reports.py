"""What a job of any language tells through its report channel: lines of JSON."""

from typing import Annotated

import msgspec

from scheduler_core.interfaces import RunOutcome, RunOutput
from scheduler_core.models import RunProgress, TaskRunStatus
from scheduler_worker.error_text import described, storable, too_large

_REFUSALS_TOLD_MAX = 10
_SHOWN_CHARS_MAX = 100
_BESIDE_RESULT_BYTES = 65_536
"""How much longer than the longest result a line may be."""
_RETRY_AFTER_SECONDS_MAX = 366 * 86_400.0
_FORM = 'Write one JSON object a line, such as {"progress": 0.5, "text": "half done"}.'


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    progress: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    text: str | None = None
    metrics: dict[str, float] = {}
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    retry_after: Annotated[float, msgspec.Meta(ge=0, le=_RETRY_AFTER_SECONDS_MAX)] | None = None
    skip: str | None = None
    fail: str | None = None
    reason: str | None = None


class JobReports:
    """Reads the report channel of one attempt: progress goes on to `output` at once, the rest is kept for the end.

    Afterwards `result` is the last result that was told, `outcome` the end that the job asked for last (to be tried
    again, to be skipped, to fail for good), and `problem` why the result cannot be kept, all None where there is none.
    Lines that are not understood are told in the run's output and change nothing.
    """

    def __init__(self, output: RunOutput, result_limit_bytes: int) -> None:
        self.result: msgspec.Raw | None = None
        self.outcome: RunOutcome | None = None
        self.problem: str | None = None
        self._output = output
        self._result_limit_bytes = result_limit_bytes
        self._line_limit_bytes = result_limit_bytes + _BESIDE_RESULT_BYTES
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._lines = 0
        self._refusals = 0

    def feed(self, data: bytes) -> None:
        """Take what was read, whole lines or not; never raises."""
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._keep(piece)
            self._end_line()
        if rest:
            self._keep(rest)

    def close(self) -> None:
        """Nothing more comes: a last line without an end counts, too."""
        if self._open_bytes:
            self._end_line()

    def _keep(self, piece: bytes) -> None:
        """Of a line that is too long only the beginning is kept."""
        self._open_bytes += len(piece)
        if self._open_bytes <= self._line_limit_bytes or not self._open:
            self._open.append(piece[: self._line_limit_bytes])

    def _end_line(self) -> None:
        line, size = b"".join(self._open).strip(), self._open_bytes
        self._open, self._open_bytes = [], 0
        self._lines += 1
        if not line:
            return
        if size > self._line_limit_bytes:
            if line[:200].replace(b" ", b"").startswith(b'{"result":'):
                self.result, self.problem = None, too_large(size, self._result_limit_bytes)
            else:
                self._refuse(line, f"it has {size} bytes, of which at most {self._line_limit_bytes} are read")
            return
        try:
            self._take(_decode(line))
        except (ValueError, RecursionError, msgspec.MsgspecError) as error:
            self._refuse(line, storable(str(error)) if isinstance(error, ValueError) else described(error))

    def _take(self, told: _Line) -> None:
        asks = [name for name in ("retry_after", "skip", "fail") if getattr(told, name) is not None]
        if len(asks) > 1:
            raise ValueError(f"it asks for {' and '.join(asks)} at once, and only one of them can be done")
        if told.reason is not None and asks != ["retry_after"]:
            raise ValueError("a reason belongs to retry_after; skip and fail are themselves the reason")
        if isinstance(told.result, msgspec.Raw):
            self._take_result(told.result)
        if told.progress is not None or told.text is not None or told.metrics:
            self._output.report(RunProgress(share=told.progress, text=told.text, metrics=told.metrics))
        if asks:
            self.outcome = _asked(told)

    def _take_result(self, result: msgspec.Raw) -> None:
        encoded = bytes(result)
        if len(encoded) > self._result_limit_bytes:
            self.result, self.problem = None, too_large(len(encoded), self._result_limit_bytes)
            return
        # Raw is not looked into: what is no JSON is told here, where the line is known.
        msgspec.json.decode(encoded)
        self.result, self.problem = msgspec.Raw(encoded), None

    def _refuse(self, line: bytes, reason: str) -> None:
        self._refusals += 1
        if self._refusals > _REFUSALS_TOLD_MAX:
            return
        shown = line[: 4 * _SHOWN_CHARS_MAX].decode("utf-8", "replace")
        shown = shown if len(shown) <= _SHOWN_CHARS_MAX else f"{shown[:_SHOWN_CHARS_MAX]}…"
        text = f"[report line {self._lines} is not understood: {reason.rstrip('.')}. It was: {shown} {_FORM}]\n"
        if self._refusals == _REFUSALS_TOLD_MAX:
            text += "[further report lines that are not understood are not told]\n"
        self._output.write("log", text.encode("utf-8", "replace"))


_decode = msgspec.json.Decoder(_Line).decode


def _asked(told: _Line) -> RunOutcome:
    if told.skip is not None:
        return RunOutcome(status=TaskRunStatus.SKIPPED, error=told.skip.strip() or "The job had nothing to do.")
    if told.fail is not None:
        error = told.fail.strip() or "The job asked to fail without another attempt."
        return RunOutcome(status=TaskRunStatus.FAILED, error=error, retryable=False)
    error = f"The job asked to be tried again in {told.retry_after:g} s"
    error += f": {told.reason.strip()}" if told.reason and told.reason.strip() else "."
    return RunOutcome(status=TaskRunStatus.FAILED, error=error, retry_after_seconds=told.retry_after)
