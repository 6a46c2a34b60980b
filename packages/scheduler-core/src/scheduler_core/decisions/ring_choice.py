"""Whom to ring for runs that anybody may claim."""

from collections.abc import Mapping, Sequence

import msgspec

from scheduler_core.models import Lane


class FreeSession(msgspec.Struct, frozen=True):
    """A live session with free places that can take some of the lanes asked for."""

    session_id: int
    places: int
    lanes: frozenset[Lane]


def choose_sessions(wanted: Mapping[Lane, int], sessions: Sequence[FreeSession]) -> list[int]:
    """Which sessions to ring for that many runs of each lane: each once, and no more of them than there are runs.

    Each run is thought of as taking a place of a session that can take it: of one that is not rung yet while there is
    one, the one with the most places left first, the earlier of equals. So the runs of a burst, and those of different
    lanes, go to different sessions as long as there are any, and a run for which no place is left rings nobody. Lanes
    with the least choice choose first.
    """
    left = {session.session_id: session.places for session in sessions}
    able = {lane: [each.session_id for each in sessions if lane in each.lanes] for lane in wanted}
    chosen: dict[int, None] = {}
    for lane in sorted(wanted, key=lambda each: sum(left[session_id] for session_id in able[each]) - wanted[each]):
        free = sorted((each for each in able[lane] if left[each] > 0), key=lambda each: -left[each])
        runs = wanted[lane]
        # Those not rung yet come first: a second ring to a session would wake nobody.
        for session_id in [each for each in free if each not in chosen][:runs]:
            chosen[session_id] = None
            left[session_id] -= 1
            runs -= 1
        for session_id in free:
            taken = min(runs, left[session_id]) if session_id in chosen else 0
            left[session_id] -= taken
            runs -= taken
    return list(chosen)
