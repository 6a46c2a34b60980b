"""How many columns of a terminal a text takes, and texts of a given width."""

import unicodedata


def text_width(text: str) -> int:
    """East Asian letters take two columns, combining marks none.

    >>> text_width("abc"), text_width("日本"), text_width("e\u0301")
    (3, 4, 1)
    """
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def padded_text(text: str, width: int) -> str:
    """The text, filled up with blanks; a wider one as it is."""
    return text + " " * (width - text_width(text))


def cut_text(text: str, width: int) -> str:
    """The text, or as much of it as leaves room for an ellipsis.

    >>> cut_text("extract", 7), cut_text("extract", 5)
    ('extract', 'extr…')
    """
    if text_width(text) <= width:
        return text
    while text and text_width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"
