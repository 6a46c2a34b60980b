"""What a task says about its place in a flow: when it runs there, and as how many runs."""

import msgspec

ALL_SUCCESS = "all_success"

FLOW_TASK_TYPE = "flow"
"""The type of a task that runs nothing itself but a sub-flow."""


class FlowOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a task behaves in a flow. At most one of `sub_flow`, `shards`, `map_over` and `broadcast` is set.

    `trigger_rule` is text that `scheduler_core.decisions.trigger_rules` reads; `when` and `map_over` are expressions
    that `scheduler_core.decisions.templates` evaluates. `continue_on_failure` lets downstream runs take this task's
    failure for a success. `sub_flow` names the task whose whole flow is run in this task's place. Of the runs of a
    group at most `max_parallel` are claimable or running at once (None: all), and it fails when more than
    `tolerated_failures` of them have not completed.
    """

    trigger_rule: str = ALL_SUCCESS
    when: str | None = None
    continue_on_failure: bool = False
    sub_flow: str | None = None
    shards: int | None = None
    map_over: str | None = None
    broadcast: bool = False
    max_parallel: int | None = None
    tolerated_failures: int = 0

    @property
    def is_group(self) -> bool:
        """Whether a run of this task is a group: it stands for other runs and executes nothing itself."""
        return self.sub_flow is not None or self.shards is not None or self.map_over is not None or self.broadcast

    @property
    def expands(self) -> bool:
        """Whether a dispatcher has to look at a run before it may start: a condition, or a group's runs to be made."""
        return self.when is not None or self.is_group
