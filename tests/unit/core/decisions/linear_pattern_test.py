"""Regular expressions that are matched in linear time."""

import re

from hypothesis import given
from hypothesis import strategies as st

from scheduler_core.decisions.linear_pattern import LinearPattern

_ATOMS = st.sampled_from(
    ["a", "b", "A", ".", "[ab]", "[^a]", r"\w", r"\d", r"\s", "^", "$", r"\b", r"\B", "(?i:a)", "(?s:.)", "é", r"\Z"]
)
_REPEATS = st.sampled_from(["*", "+", "?", "*?", "+?", "??", "{2}", "{0,2}", "{1,}", "{2,3}?"])


def _more(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda both: f"(?:{both[0]}|{both[1]})")
        | st.tuples(inner, _REPEATS).map(lambda both: f"(?:{both[0]}){both[1]}")
        | inner.map(lambda text: f"({text}|)")
        | inner.map(lambda text: f"(?i:{text})")
        | inner.map(lambda text: f"(?i:b(?-i:{text}))")
    )


_PATTERNS = st.tuples(
    st.sampled_from(["", "", "(?i)", "(?s)", "(?m)", "(?a)"]), st.recursive(_ATOMS, _more, max_leaves=8)
)


@given(_PATTERNS, st.text("abAB1 é\n", max_size=12))
def test_core_unit_linear_pattern_finds_what_re_finds(pattern: tuple[str, str], text: str) -> None:
    """Users know Python's regular expressions: whether one is in a text is the same here."""
    written = "".join(pattern)

    assert LinearPattern(written, 100_000).is_in(text) == (re.search(written, text) is not None)
