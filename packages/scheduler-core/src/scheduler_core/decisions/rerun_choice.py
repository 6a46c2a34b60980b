"""Which runs of a flow are made again when some of them are."""

from collections import defaultdict
from collections.abc import Collection, Sequence

from scheduler_core.decisions.trigger_rules import Ending, ending_of
from scheduler_core.models.rerun import FlowEdge, FlowRun


class RerunChoice:
    """The runs that are made again, from the seeds downstream.

    `whole` are groups that are expanded anew, so that none of their former runs is in `ids`; `partial` are groups of
    which single runs are.
    """

    def __init__(self, runs: Sequence[FlowRun], edges: Sequence[FlowEdge], seeds: Collection[int]) -> None:
        self._runs = {run.id: run for run in runs}
        self._downstream: dict[int, list[int]] = defaultdict(list)
        for edge in edges:
            self._downstream[edge.upstream_run_id].append(edge.run_id)
        self._direct: set[int] = set()
        self._through_member: set[int] = set()
        self._spread(seeds)
        self.whole = {run_id for run_id in self._direct if self._is_group(run_id)}
        chosen = self._direct | self._through_member
        self.ids = {run_id for run_id in chosen if not self._is_within(run_id, self.whole)}
        self.partial = {run_id for run_id in self._through_member - self.whole if run_id in self.ids}

    def members_of(self, group_id: int) -> list[FlowRun]:
        """The runs of a group that are made again, in ascending order."""
        return [run for run_id in sorted(self.ids) if (run := self._runs[run_id]).group_id == group_id]

    def kept_of(self, group_id: int) -> list[FlowRun]:
        """The other runs of that group."""
        return [run for run in self._runs.values() if run.group_id == group_id and run.id not in self.ids]

    def ending_in_group(self, member: FlowRun) -> Ending:
        """What a run is to the group that it belongs to: of a sub-flow only those that nothing waits for decide."""
        if member.shard_index is None and self._downstream[member.id]:
            return Ending.SUCCESS
        return ending_of(member.status, member.skip_reason)

    def _spread(self, seeds: Collection[int]) -> None:
        waiting = [(run_id, True) for run_id in seeds]
        while waiting:
            run_id, is_direct = waiting.pop()
            found = self._direct if is_direct else self._through_member
            if run_id in found or run_id not in self._runs:
                continue
            found.add(run_id)
            waiting.extend((downstream, True) for downstream in self._downstream[run_id])
            group_id = self._runs[run_id].group_id
            if group_id is not None:
                waiting.append((group_id, False))

    def _is_group(self, run_id: int) -> bool:
        return self._runs[run_id].group_size is not None

    def _is_within(self, run_id: int, groups: Collection[int]) -> bool:
        group_id = self._runs[run_id].group_id
        while group_id is not None and group_id in self._runs:
            if group_id in groups:
                return True
            group_id = self._runs[group_id].group_id
        return False
