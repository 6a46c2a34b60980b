"""The load per minute as a picture, SVG or PNG; written by hand, as a few bars need no library."""

import struct
import zlib
from pathlib import Path

from scheduler_api.client.client_error import UsageError
from scheduler_api.client.load_columns import Columns, show_minutes
from scheduler_core.errors import Problem

COLUMNS_MAX = 900

_WIDTH, _HEIGHT = 960, 320
_LEFT, _TOP, _BOTTOM = 48, 32, 40
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_BAR, _LINE, _PAPER = (47, 111, 178), (150, 150, 150), (255, 255, 255)
_INK = (60, 60, 60)
_STYLE = 'role="img" font-family="sans-serif" font-size="12"'
# Three by five points a character, row by row from the top; the highest bit is the left one.
_GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71122",
    "8": "75757", "9": "75717", "-": "00700", ":": "02020", " ": "00000",
}  # fmt: skip


def check_chart_path(file: str) -> str:
    """The kind of picture that a file's name asks for; raises UsageError for any other than svg and png."""
    kind = Path(file).suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise UsageError([Problem("--chart", f"'{file}' ends neither in .svg nor in .png. Give it one of them.")])
    return kind


def write_chart(file: str, columns: Columns) -> None:
    """Write the picture; raises UsageError when the file cannot be written."""
    content = svg(columns).encode() if check_chart_path(file) == "svg" else png(columns)
    try:
        Path(file).write_bytes(content)
    except OSError as error:
        told = f"'{file}' cannot be written: {(error.strerror or str(error)).lower()}. Name another file."
        raise UsageError([Problem("--chart", told)]) from error


def svg(columns: Columns) -> str:
    """One bar for each column, with its time and load as a tooltip, and the peak and the range at the axes."""
    bars = []
    width = (_WIDTH - _LEFT) / max(len(columns.peaks), 1)
    for index, load in enumerate(columns.peaks):
        if load:
            height = _bar_height(load, columns.peak)
            bars.append(
                f'<rect x="{_LEFT + index * width:.2f}" y="{_TOP + _PLOT_HEIGHT - height}" width="{width:.2f}" '
                f'height="{height}"><title>{columns.start_of(index):%Y-%m-%d %H:%M}: {load}</title></rect>'
            )
    title = f"Runs that start in a minute (each bar: the busiest minute of every {show_minutes(columns.minutes)})"
    floor = _TOP + _PLOT_HEIGHT
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {_STYLE}>',
            f"<title>{title}</title>",
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="{_colour(_PAPER)}"/>',
            f'<g fill="{_colour(_BAR)}">',
            *bars,
            "</g>",
            f'<path d="M{_LEFT} {_TOP}V{floor}H{_WIDTH}" fill="none" stroke="{_colour(_LINE)}"/>',
            f'<g fill="{_colour(_INK)}">',
            f'<text x="{_LEFT}" y="20">{title}</text>',
            f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{columns.peak}</text>',
            f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">0</text>',
            f'<text x="{_LEFT}" y="{floor + 20}">{columns.start:%Y-%m-%d %H:%M} UTC</text>',
            f'<text x="{_WIDTH - 4}" y="{floor + 20}" text-anchor="end">{columns.end:%Y-%m-%d %H:%M} UTC</text>',
            "</g>",
            "</svg>\n",
        ]
    )


def png(columns: Columns) -> bytes:
    """The same bars in points, with the peak and the range in figures (UTC)."""
    canvas = _Canvas()
    count = max(len(columns.peaks), 1)
    plot_width = _WIDTH - _LEFT
    for index, load in enumerate(columns.peaks):
        left = index * plot_width // count
        right = max((index + 1) * plot_width // count, left + 1)
        height = _bar_height(load, columns.peak) if load else 0
        canvas.fill(_LEFT + left, _TOP + _PLOT_HEIGHT - height, right - left, height, _BAR)
    floor = _TOP + _PLOT_HEIGHT
    canvas.fill(_LEFT, _TOP, 1, _PLOT_HEIGHT, _LINE)
    canvas.fill(_LEFT, floor, plot_width, 1, _LINE)
    peak, end = str(columns.peak), f"{columns.end:%Y-%m-%d %H:%M}"
    canvas.write(_LEFT - 6 - _Canvas.text_width(peak), _TOP, peak)
    canvas.write(_LEFT, floor + 10, f"{columns.start:%Y-%m-%d %H:%M}")
    canvas.write(_WIDTH - 4 - _Canvas.text_width(end), floor + 10, end)
    return canvas.encoded()


def _bar_height(load: int, peak: int) -> int:
    return max(1, load * _PLOT_HEIGHT // peak)


def _colour(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


class _Canvas:
    """Points in rows, and just enough of PNG to write them down."""

    _SCALE = 2

    def __init__(self) -> None:
        self._rows = [bytearray(_PAPER * _WIDTH) for _ in range(_HEIGHT)]

    def fill(self, left: int, top: int, width: int, height: int, colour: tuple[int, int, int]) -> None:
        right = min(left + width, _WIDTH)
        for row in self._rows[top : top + height]:
            row[3 * left : 3 * right] = bytes(colour * (right - left))

    def write(self, left: int, top: int, text: str) -> None:
        for character in text:
            for y, bits in enumerate(_GLYPHS[character]):
                for x in range(3):
                    if int(bits) >> (2 - x) & 1:
                        self.fill(left + x * self._SCALE, top + y * self._SCALE, self._SCALE, self._SCALE, _INK)
            left += 4 * self._SCALE

    @classmethod
    def text_width(cls, text: str) -> int:
        return 4 * cls._SCALE * len(text)

    def encoded(self) -> bytes:
        header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, 8, 2, 0, 0, 0)
        points = zlib.compress(b"".join(b"\0" + row for row in self._rows))
        parts = (_chunk(b"IHDR", header), _chunk(b"IDAT", points), _chunk(b"IEND", b""))
        return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
