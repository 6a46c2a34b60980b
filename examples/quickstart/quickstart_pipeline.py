"""The Python steps of the quickstart: from the time zone tables that `tzdata` ships to a table of countries.

Each step replaces its file as a whole (written under another name, then renamed), so runs of neighbouring minutes may
overlap: a reader finds the old file or the new one, never a half. The steps print what they did, which
`scheduler run logs` shows, and return numbers, which become the run's result.
"""

import csv
import io
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

DEFAULT_DIRECTORY = ".state/quickstart"

# A table with fewer lines than this was cut off: no release of the last ten years has had so few.
COUNTRIES_MIN = 240
ZONES_MIN = 300
ZONES_BY_COUNTRY_MIN = 400

_Entry = TypeVar("_Entry")
_COUNTRY_CODE = re.compile(r"[A-Z]{2}")
# ISO 6709 without a height: degrees and minutes, or degrees, minutes and seconds, for latitude and longitude alike.
_COORDINATES = re.compile(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?")


class BrokenTableError(ValueError):
    """A table does not say what it must; the text names the table, the line and what is wrong with it."""


class Zone(NamedTuple):
    """A time zone of zone1970.tab: where it is and which countries keep its time, the most populous first."""

    name: str
    countries: tuple[str, ...]
    latitude: float
    longitude: float
    comment: str


def extract(directory: str | None = None, tables: str | None = None) -> dict[str, Any]:
    """Read and check the zone tables, and write what they say to zones.json in `directory`.

    `tables` is a directory to read instead of the one that tzdata ships. Raises BrokenTableError, and then writes
    nothing.
    """
    source = files("tzdata") / "zoneinfo" if tables is None else Path(tables)
    texts = {name: (source / name).read_text(encoding="utf-8") for name in ("iso3166.tab", "zone.tab", "zone1970.tab")}
    countries = read_countries(texts["iso3166.tab"])
    zones = read_zones(texts["zone1970.tab"], countries)
    by_country = read_zones_by_country(texts["zone.tab"], countries)
    check_agreement(zones, by_country)
    for zone in zones:
        check_compiled(zone.name, source.joinpath(*zone.name.split("/")))
    version = _version(source)
    target = output_directory(directory) / "zones.json"
    write_whole(
        target,
        json.dumps(
            {"tzdata": version, "countries": countries, "zones": [zone._asdict() for zone in zones]},
            indent=1,
            ensure_ascii=False,
        ),
    )
    print(f"tzdata {version}: {len(zones)} zones in {len(countries)} countries and territories, all checked")
    print(f"wrote {target}")
    return {"tzdata": version, "zones": len(zones), "countries": len(countries)}


def countries(directory: str | None = None) -> dict[str, Any]:
    """Count the zones of each country in zones.json, and write them to countries.csv, most zones first."""
    source = output_directory(directory) / "zones.json"
    try:
        document = json.loads(source.read_text(encoding="utf-8"))
        names: dict[str, str] = document["countries"]
        zones_of: dict[str, list[str]] = {code: [] for code in names}
        for zone in document["zones"]:
            for code in zone["countries"]:
                zones_of[code].append(zone["name"])
    except FileNotFoundError as error:
        raise BrokenTableError(f"{source} does not exist: extract has to run first.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenTableError(f"{source} is not what extract writes ({type(error).__name__}: {error}).") from error
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["zones", "code", "country", "zone_names"])
    for code in sorted(zones_of, key=lambda code: (-len(zones_of[code]), code)):
        table.writerow([len(zones_of[code]), code, names[code], " ".join(zones_of[code])])
    target = source.with_name("countries.csv")
    write_whole(target, text.getvalue())
    without = sorted(code for code, zones in zones_of.items() if not zones)
    most = max(zones_of, key=lambda code: len(zones_of[code]))
    print(f"{len(zones_of)} countries and territories; {names[most]} has most zones, {len(zones_of[most])}")
    print(f"without a zone of their own: {', '.join(names[code] for code in without) or 'none'}")
    print(f"wrote {target}")
    return {"countries": len(zones_of), "most_zones": most, "without_zone": without}


def read_countries(text: str) -> dict[str, str]:
    """Names by code of iso3166.tab."""
    found: dict[str, str] = {}
    for line, columns in _lines("iso3166.tab", text, columns=(2, 2)):
        code, name = columns
        if not _COUNTRY_CODE.fullmatch(code):
            raise BrokenTableError(f"iso3166.tab, line {line}: '{code}' is no country code of two capitals.")
        if code in found:
            raise BrokenTableError(f"iso3166.tab, line {line}: the code {code} is there twice.")
        if not name.strip():
            raise BrokenTableError(f"iso3166.tab, line {line}: {code} has no name.")
        found[code] = name
    return _enough("iso3166.tab", found, COUNTRIES_MIN)


def read_zones(text: str, countries: Iterable[str]) -> list[Zone]:
    """The zones of zone1970.tab, in its order; their countries must be among `countries`."""
    known = set(countries)
    found: dict[str, Zone] = {}
    for line, columns in _lines("zone1970.tab", text, columns=(3, 4)):
        codes = tuple(columns[0].split(","))
        for code in codes:
            if code not in known:
                raise BrokenTableError(f"zone1970.tab, line {line}: iso3166.tab does not know the country '{code}'.")
        if len(set(codes)) != len(codes):
            raise BrokenTableError(f"zone1970.tab, line {line}: a country is there twice in '{columns[0]}'.")
        name = columns[2]
        if name in found:
            raise BrokenTableError(f"zone1970.tab, line {line}: the zone {name} is there twice.")
        latitude, longitude = parse_coordinates(columns[1], f"zone1970.tab, line {line}")
        found[name] = Zone(name, codes, latitude, longitude, columns[3] if len(columns) == 4 else "")
    return list(_enough("zone1970.tab", found, ZONES_MIN).values())


def read_zones_by_country(text: str, countries: Iterable[str]) -> dict[str, str]:
    """The country of each zone of the older zone.tab, which gives every zone to one country."""
    known = set(countries)
    found: dict[str, str] = {}
    for line, columns in _lines("zone.tab", text, columns=(3, 4)):
        code, coordinates, name = columns[:3]
        if code not in known:
            raise BrokenTableError(f"zone.tab, line {line}: iso3166.tab does not know the country '{code}'.")
        if name in found:
            raise BrokenTableError(f"zone.tab, line {line}: the zone {name} is there twice.")
        parse_coordinates(coordinates, f"zone.tab, line {line}")
        found[name] = code
    return _enough("zone.tab", found, ZONES_BY_COUNTRY_MIN)


def check_agreement(zones: Iterable[Zone], by_country: dict[str, str]) -> None:
    """Raise BrokenTableError unless the two zone tables tell the same story."""
    for zone in zones:
        country = by_country.get(zone.name)
        if country is None:
            raise BrokenTableError(f"zone1970.tab knows the zone {zone.name}, which zone.tab lacks.")
        if country not in zone.countries:
            raise BrokenTableError(
                f"zone.tab puts {zone.name} into {country}, zone1970.tab into {', '.join(zone.countries)}."
            )


def check_compiled(name: str, compiled: Any) -> None:
    """Raise BrokenTableError unless the zone's own file is there and is a TZif file."""
    try:
        magic = compiled.read_bytes()[:4]
    except OSError as error:
        raise BrokenTableError(f"zone1970.tab names the zone {name}, whose file cannot be read.") from error
    if magic != b"TZif":
        raise BrokenTableError(f"The file of the zone {name} is no TZif file.")


def parse_coordinates(text: str, place: str = "coordinates") -> tuple[float, float]:
    """Latitude and longitude in degrees, north and east positive; raises BrokenTableError that begins with `place`.

    >>> parse_coordinates("-0848+01314")
    (-8.8, 13.2333)
    """
    match = _COORDINATES.fullmatch(text)
    if match is None or (match[4] is None) != (match[8] is None):
        raise BrokenTableError(f"{place}: '{text}' are no ISO 6709 coordinates such as +4230+00131.")
    if any(int(part or 0) > 59 for part in (match[3], match[4], match[7], match[8])):
        raise BrokenTableError(f"{place}: '{text}' has more than 59 minutes or seconds.")
    latitude = _degrees(match[1], match[2], match[3], match[4])
    longitude = _degrees(match[5], match[6], match[7], match[8])
    if abs(latitude) > 90 or abs(longitude) > 180:
        raise BrokenTableError(f"{place}: '{text}' is off the globe.")
    return latitude, longitude


def _degrees(sign: str, degrees: str, minutes: str, seconds: str | None) -> float:
    value = int(degrees) + int(minutes) / 60 + int(seconds or 0) / 3600
    return round(-value if sign == "-" else value, 4)


def output_directory(directory: str | None) -> Path:
    """The directory for the results, made if it is missing: the argument, else SCHEDULER_QUICKSTART_DIR."""
    path = Path(directory or os.environ.get("SCHEDULER_QUICKSTART_DIR") or DEFAULT_DIRECTORY)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_whole(target: Path, text: str) -> None:
    """Replace a file by new content at once; a failure on the way leaves the old one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o644)
        fresh.replace(target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise


def _lines(table: str, text: str, *, columns: tuple[int, int]) -> Iterator[tuple[int, list[str]]]:
    """Number and columns of each line that is no comment."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        found = line.split("\t")
        if not columns[0] <= len(found) <= columns[1]:
            expected = f"{columns[0]}" if columns[0] == columns[1] else f"{columns[0]} to {columns[1]}"
            raise BrokenTableError(f"{table}, line {number}: {len(found)} columns instead of {expected}.")
        yield number, found


def _enough(table: str, found: dict[str, _Entry], least: int) -> dict[str, _Entry]:
    if len(found) < least:
        raise BrokenTableError(f"{table} has {len(found)} entries where at least {least} are expected: it was cut off.")
    return found


def _version(source: Any) -> str:
    """The release that tzdata.zi names in its first line, such as 2026f."""
    first = source.joinpath("tzdata.zi").read_text(encoding="utf-8").partition("\n")[0]
    match = re.fullmatch(r"# version (\S+)", first)
    if match is None:
        raise BrokenTableError(f"tzdata.zi begins with '{first[:60]}' instead of its version.")
    return match[1]
