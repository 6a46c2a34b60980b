"""What is said of what keeps a gated run: its keys, its worker, its limits, and whose turn it is."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from scheduler_core.decisions.admission import is_full, is_stranded_by, is_used_up
from scheduler_core.decisions.explain_case import RunCase
from scheduler_core.decisions.explain_words import amount, counted, show, typed
from scheduler_core.decisions.rate_text import rate_text
from scheduler_core.models.dispatch import WorkerView
from scheduler_core.models.explanation import BlockerCode, BlockerView
from scheduler_core.models.situation import RunSituation
from scheduler_core.models.turn import LimitTurn, ToldTurn

_SHOWN_MAX: Final = 5


def _not_sorted(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    options = case.run.dispatch_options
    names = ", ".join(turn.situation.limit_names)
    keys = [f"the keys of its limits {names}"] if names else []
    keys += [f"its fairness_key {options.fairness_key}"] if options.fairness_key is not None else []
    keys += [f"its hash_key {options.hash_key}"] if options.hash_key is not None else []
    todo = f"evaluate {' and '.join(keys)}" if keys else "decide on its turn"
    return [
        BlockerView(
            code=BlockerCode.NOT_SORTED,
            message=f"A dispatcher has yet to {todo}; what else keeps it is known then.",
            clears="A dispatcher's next look.",
            # It is released in the same look, when nothing keeps it.
            blocks=False,
            since=_since(case.run),
        )
    ]


def _strategy_unknown(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    known = ", ".join(sorted(case.system.dispatchers.strategies)) or "none"
    return [
        BlockerView(
            code=BlockerCode.STRATEGY_UNKNOWN,
            message=f"No live dispatcher has the strategy '{turn.strategy}' (they have: {known}).",
            clears="A dispatcher that has it, or another strategy: "
            f"`scheduler task update {_task(case)} --strategy …`.",
            since=_since(case.run),
        )
    ]


def _no_tagged_worker(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    key = turn.key
    nearest = sorted(turn.workers, key=lambda view: (len(_amiss(view, turn)), view.session_id))
    told = "; ".join(f"{view.worker_id} {' and '.join(_amiss(view, turn))}" for view in nearest[:_SHOWN_MAX])
    more = f"; and {len(nearest) - _SHOWN_MAX} more" if len(nearest) > _SHOWN_MAX else ""
    wanted = [f"with {', '.join(key.required_tags)}"] if key.required_tags else []
    wanted += [f"without {', '.join(key.forbidden_tags)}"] if key.forbidden_tags else []
    return [
        BlockerView(
            code=BlockerCode.NO_TAGGED_WORKER,
            message=f"It needs a worker {' and '.join(wanted)}; of queue '{case.run.queue}' and type "
            f"'{case.run.task_type}' there is none: {told}{more}.",
            clears="A worker with such tags (worker.tags), or other tags of the task.",
        )
    ]


def _amiss(view: WorkerView, turn: ToldTurn) -> list[str]:
    lacking = [tag for tag in turn.key.required_tags if tag not in view.tags]
    unwanted = [tag for tag in turn.key.forbidden_tags if tag in view.tags]
    return ([f"lacks {', '.join(lacking)}"] if lacking else []) + ([f"has {', '.join(unwanted)}"] if unwanted else [])


def _no_resources(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    tagged = [view for view in turn.workers if not _amiss(view, turn)]
    short, is_owned = [], True
    for name, wanted in turn.key.resources:
        most, free = (
            max((view.resources.get(name, 0.0) for view in tagged), default=0.0),
            max((_left(view, name) for view in tagged), default=0.0),
        )
        if free < wanted:
            is_owned &= most >= wanted
            told = f"most left on one worker: {amount(name, max(free, 0.0))} of {amount(name, most)}"
            none = f"most that a worker has: {amount(name, most)}"
            short.append(f"{name} {amount(name, wanted)} ({told if most >= wanted else none})")
    wanted_all = ", ".join(f"{name} {amount(name, wanted)}" for name, wanted in turn.key.resources)
    message = f"Of what it requests there is not enough: {', '.join(short)}."
    if not short:
        message = f"No single worker has all of what it requests left: {wanted_all}."
    return [
        BlockerView(
            code=BlockerCode.NO_RESOURCES,
            message=message,
            clears="The end of runs there, or a worker with more (worker.resources)."
            if is_owned
            else "A worker with more (worker.resources), or a smaller request of the task.",
            since=_since(case.run),
        )
    ]


def _left(view: WorkerView, name: str) -> float:
    return view.resources.get(name, 0.0) - view.used.get(name, 0.0)


def _strategy_undecided(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    return [
        BlockerView(
            code=BlockerCode.STRATEGY_UNDECIDED,
            message=f"Strategy '{turn.strategy}' names nobody, though {counted(turn.facts.fitting, 'worker')} could "
            "take it.",
            clears="A change among the workers, or another strategy: "
            f"`scheduler task update {_task(case)} --strategy …`; the dispatchers' logs tell of one that fails.",
            since=_since(case.run),
        )
    ]


def _limit_full(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    return [_full(case, limit) for limit in turn.facts.limits if is_full(limit)]


def _full(case: RunCase, limit: LimitTurn) -> BlockerView:
    standing = limit.standing
    state = standing.state
    held = ", ".join(f"run {holder.run_id} of '{holder.task_name}'" for holder in standing.holders)
    more = state.running - len(standing.holders)
    named = f" ({held}{f' and {more} more' if more > 0 else ''})" if held else ""
    parts = [f"{state.running} {'runs' if state.running == 1 else 'run'} now{named}"]
    parts += [f"{state.claimable} {'is' if state.claimable == 1 else 'are'} about to start"] if state.claimable else []
    parts += [f"{limit.before} {'comes' if limit.before == 1 else 'come'} before it"] if limit.before else []
    key = "" if standing.key is None else f" of key '{standing.key}'"
    first = standing.holders[0] if standing.holders else None
    return BlockerView(
        code=BlockerCode.LIMIT_FULL,
        message=f"Limit '{standing.limit}' allows {counted(state.concurrent or 0, 'run')}{key} at once: "
        f"{', '.join(parts)}.",
        clears="The end of one of them, or a greater number: "
        f"`scheduler limit update {typed(standing.limit, standing.namespace)} --concurrent …`.",
        since=_since(case.run),
        run_id=first.run_id if first else None,
        task=first.task_name if first else None,
    )


def _rate_limited(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    return [_used_up(case, limit) for limit in turn.facts.limits if is_used_up(limit)]


def _used_up(case: RunCase, limit: LimitTurn) -> BlockerView:
    standing, state = limit.standing, limit.standing.state
    burst = f" ({state.burst} together)" if state.burst is not None else ""
    next_at = limit.next_at
    ahead = state.claimable + limit.before
    before = f", and {counted(ahead, 'run')} {_comes(ahead)} before it" if ahead else ""
    key = "" if standing.key is None else f" for key '{standing.key}'"
    rate = rate_text(state.rate or 0, state.rate_seconds)
    return BlockerView(
        code=BlockerCode.RATE_LIMITED,
        message=f"Limit '{standing.limit}' has a rate of {rate}{burst}{key}: the next run may start "
        f"{f'at {show(next_at)}' if next_at else 'now'}{before}.",
        clears="Time, or a greater rate: "
        f"`scheduler limit update {typed(standing.limit, standing.namespace)} --rate …`.",
        since=_since(case.run),
        estimate=limit.own_at,
    )


def _fair_turn(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    ahead = turn.situation.ahead
    others = (
        f", and {counted(turn.others, 'other key')} {'has' if turn.others == 1 else 'have'} runs that wait"
        if turn.others
        else ", and no other key has runs that wait"
    )
    return [
        BlockerView(
            code=BlockerCode.FAIR_TURN,
            message=f"It is the turn of others: of its fairness key '{turn.key.fairness_key}' (weight "
            f"{turn.key.weight:g}) {counted(ahead, 'run')} {_comes(ahead)} before it{others}.",
            clears="Starts of those before it; a greater fairness_weight brings its key's turn more often.",
            since=_since(case.run),
        )
    ]


def _background(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    before = turn.facts.before
    ahead = f" {counted(before, 'other of them', 'others of them')} {_comes(before)} before it." if before else ""
    return [
        BlockerView(
            code=BlockerCode.BACKGROUND,
            message="It is a background run: all others of its queue and type go first, but for a guaranteed share of "
            f"the places.{ahead}",
            clears="The end of runs there; dispatcher.background_share is what is guaranteed.",
            since=_since(case.run),
        )
    ]


def _window_full(case: RunCase, turn: ToldTurn) -> list[BlockerView]:
    before, room = turn.facts.before, turn.facts.room or 0
    own = f", {turn.situation.ahead} of them of its own keys" if turn.situation.ahead else ""
    waiting = f"{counted(before, 'run')} {_comes(before)} before it{own}" if before else "it is the next one"
    return [
        BlockerView(
            code=BlockerCode.WINDOW_FULL,
            message=f"Of queue '{case.run.queue}' and type '{case.run.task_type}' few runs are claimable at a time, so "
            f"that whose turn it is stays open: {room} more may be now, and {waiting}.",
            clears="Starts of those before it.",
            since=_since(case.run),
        )
    ]


def _assigned(case: RunCase) -> list[BlockerView]:
    run = case.run
    is_stranded = is_stranded_by(run.assigned_to, case.system.sessions)
    now = "which takes no more runs" if is_stranded else "which has not taken it yet"
    since = f" at {show(run.offered_at)}" if run.offered_at is not None else ""
    return [
        BlockerView(
            code=BlockerCode.ASSIGNED,
            message=f"It was given to worker '{run.assigned_worker_id}'{since}, {now}.",
            clears="A dispatcher's next look gives it to another one."
            if is_stranded
            else "That worker's next look; if it does not take it within dispatcher.dispatch_timeout_seconds, the run "
            "goes to another one.",
            blocks=is_stranded,
            since=run.offered_at,
        )
    ]


def _comes(count: int) -> str:
    return "comes" if count == 1 else "come"


def _since(run: RunSituation) -> datetime | None:
    return max(run.created_at, run.not_before) if run.is_due and not run.waiting_on else None


def _task(case: RunCase) -> str:
    return typed(case.run.task_name, case.run.namespace)


def _of(words: Callable[[RunCase, ToldTurn], list[BlockerView]]) -> Callable[[RunCase], list[BlockerView]]:
    def told(case: RunCase) -> list[BlockerView]:
        return [] if case.turn is None else words(case, case.turn)

    return told


TURN_WORDS: Final[Mapping[BlockerCode, Callable[[RunCase], list[BlockerView]]]] = {
    BlockerCode.NOT_SORTED: _of(_not_sorted),
    BlockerCode.STRATEGY_UNKNOWN: _of(_strategy_unknown),
    BlockerCode.NO_TAGGED_WORKER: _of(_no_tagged_worker),
    BlockerCode.NO_RESOURCES: _of(_no_resources),
    BlockerCode.STRATEGY_UNDECIDED: _of(_strategy_undecided),
    BlockerCode.LIMIT_FULL: _of(_limit_full),
    BlockerCode.RATE_LIMITED: _of(_rate_limited),
    BlockerCode.FAIR_TURN: _of(_fair_turn),
    BlockerCode.BACKGROUND: _of(_background),
    BlockerCode.WINDOW_FULL: _of(_window_full),
    BlockerCode.ASSIGNED: _assigned,
}
