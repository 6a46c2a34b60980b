"""What is wrong with the composites of a configuration."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from scheduler_core.decisions.label_rules import label_problem
from scheduler_core.decisions.nearest import hint
from scheduler_core.models import SHARED_STRATEGY

Composites = Mapping[str, Sequence[str]]


def composite_problems(composites: Composites, installed: Collection[str]) -> Iterator[str]:
    """Sentences on names, on members that cannot be asked, and on circles; `installed` are the installed strategies.

    >>> list(composite_problems({"mine": ["random", "mine"]}, ["random"]))
    ["'mine' leads back to itself (mine, mine). Take one of these names out of a list."]
    """
    for name, members in composites.items():
        yield from _name_problems(name, installed)
        if not members:
            yield f"'{name}' is empty. List the strategies that it tries, one after another, or remove it."
        for member in dict.fromkeys(members):
            yield from _member_problems(name, member, installed, composites)
    for circle in _circles(composites, installed):
        yield f"'{circle[0]}' leads back to itself ({', '.join(circle)}). Take one of these names out of a list."


def _name_problems(name: str, installed: Collection[str]) -> Iterator[str]:
    if name in installed:
        yield f"'{name}' is the name of an installed strategy, which nobody could use any more. Choose another name."
    elif (problem := label_problem("name", name)) is not None:
        yield problem


def _member_problems(name: str, member: str, installed: Collection[str], composites: Composites) -> Iterator[str]:
    if member == SHARED_STRATEGY:
        yield f"'{name}' lists '{member}', which chooses nobody. List 'least_loaded' to take whoever is free."
    elif member not in installed and member not in composites:
        known = {*installed, *composites} - {SHARED_STRATEGY, name}
        yield f"'{name}' lists '{member[:50]}', which is no strategy.{hint(member, known)}"


def _circles(composites: Composites, installed: Collection[str]) -> Iterator[list[str]]:
    """Each circle once, as the names on the way from one of its composites back to that."""
    done: set[str] = set(installed)
    for start in composites:
        way: list[str] = []
        # What is left to follow at each name of the way.
        open_members = [iter([start])]
        while open_members:
            member = next(open_members[-1], None)
            if member is None:
                open_members.pop()
                if way:
                    done.add(way.pop())
            elif member in way:
                yield [*way[way.index(member) :], member]
            elif member in composites and member not in done:
                way.append(member)
                open_members.append(iter(dict.fromkeys(composites[member])))
