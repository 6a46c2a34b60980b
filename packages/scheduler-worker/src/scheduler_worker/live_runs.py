"""What this session really holds, and how that compares with what the database says."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from scheduler_core.models import ClaimedRun, HeldRun, RunKey
from scheduler_worker.live_run import LiveRun


class Differences(NamedTuple):
    """What a renewal's answer asks for."""

    to_cancel: list[LiveRun]
    to_kill: list[LiveRun]
    to_hand_back: list[RunKey]
    to_pause: list[LiveRun]
    to_resume: list[LiveRun]


class LiveRuns:
    """All runs of one session that are not yet reported, by id; belongs to one event loop.

    A claim is bracketed by `claim_started` and `claim_ended`, so that a row whose claim is still under way is not
    taken for one whose reply was lost.
    """

    def __init__(self) -> None:
        self._runs: dict[int, LiveRun] = {}
        self._executing = 0
        self._claims_started = 0
        self._claims_ended = 0
        self._claims_settled = 0
        self._unknown: dict[RunKey, int] = {}
        self.granted_left = 0
        """How many runs more are granted to this session, after its newest claim, which it can take by its next one."""

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[LiveRun]:
        return iter(list(self._runs.values()))

    def get(self, run_id: int) -> LiveRun | None:
        """The held attempt of this run, if there is one."""
        return self._runs.get(run_id)

    @property
    def executing(self) -> int:
        """How many of them have no outcome yet."""
        return self._executing

    @property
    def is_claiming(self) -> bool:
        """Whether a claim is under way, so that a row may be there that is not held here yet."""
        return self._claims_started > self._claims_ended

    @property
    def claims_started(self) -> int:
        """How many claims have been sent so far."""
        return self._claims_started

    @property
    def claims_settled(self) -> int:
        """So many of them, the first ones, are known to be over; claims may overlap."""
        return self._claims_settled

    def executes_since(self, moment: float) -> bool:
        """Whether a run that has no outcome yet has been held since then or longer."""
        return any(live.is_executing and live.held_since <= moment for live in self._runs.values())

    def executes_of(self, claims: int) -> bool:
        """Whether a run that has no outcome yet may be of the first `claims` claims."""
        return any(live.is_executing and live.claim <= claims for live in self._runs.values())

    def claim_started(self) -> None:
        """A claim is being sent."""
        self._claims_started += 1

    def claim_ended(self) -> None:
        """The claim's reply has been taken in, or will never come."""
        self._claims_ended += 1
        if self._claims_ended == self._claims_started:
            self._claims_settled = self._claims_started

    def add(self, claimed: ClaimedRun, now: float) -> LiveRun:
        """Hold a run from now on; an older attempt of it that is still held counts no more."""
        before = self._runs.get(claimed.id)
        if before is not None:
            self.ended(before)
        live = LiveRun(claimed, now, self._claims_settled + 1)
        self._runs[claimed.id] = live
        self._executing += 1
        return live

    def ended(self, live: LiveRun) -> None:
        """The run has an outcome, which is still to be reported."""
        if live.is_executing:
            live.is_executing = False
            self._executing -= 1

    def remove(self, key: RunKey) -> None:
        """The attempt is reported, handed back or lost."""
        live = self._runs.get(key.run_id)
        if live is not None and live.claimed.attempt == key.attempt:
            self.ended(live)
            del self._runs[key.run_id]

    def compare(self, rows: Sequence[HeldRun], requested_at: float, *, at_once: bool = False) -> Differences:
        """Compare with the session's RUNNING rows as a renewal requested at `requested_at` saw them.

        A row that is not held here is handed back at its second sighting, if every claim that was under way at the
        first has ended since; `at_once` when the caller knows that no claim is under way.
        """
        to_cancel: list[LiveRun] = []
        to_pause: list[LiveRun] = []
        to_resume: list[LiveRun] = []
        to_hand_back: list[RunKey] = []
        unknown: dict[RunKey, int] = {}
        listed = set()
        for row in rows:
            live = self._runs.get(row.run_id)
            if live is not None and live.claimed.attempt == row.attempt:
                listed.add(row.run_id)
                if live.is_executing and live.stop_reason is None:
                    if row.cancel_requested:
                        to_cancel.append(live)
                    elif row.pause_requested != live.is_paused:
                        (to_pause if row.pause_requested else to_resume).append(live)
                continue
            key = RunKey(row.run_id, row.attempt)
            started_before = self._unknown.get(key)
            if at_once or (started_before is not None and self._claims_ended >= started_before):
                to_hand_back.append(key)
            unknown[key] = self._claims_started if started_before is None else started_before
        self._unknown = unknown
        # A run claimed after the renewal was sent cannot be in its answer; one without need of a place may be gone.
        to_kill = [
            live
            for run_id, live in self._runs.items()
            if run_id not in listed and live.is_executing and live.held_since < requested_at
        ]
        return Differences(to_cancel, to_kill, to_hand_back, to_pause, to_resume)
