"""The base of every typed section of the configuration."""

from typing import Any, ClassVar, NamedTuple, dataclass_transform, get_type_hints

import msgspec

from scheduler_core.config.secret_mask import mask


class Setting(NamedTuple):
    """What a section says about one key; `type` is the annotation, constraints included.

    A `live` key takes effect in a running process when the configuration is read again.
    """

    key: str
    type: Any
    default: Any
    effect: str
    secret: bool = False
    live: bool = False


class _Declaration(NamedTuple):
    default: Any
    effect: str
    secret: bool
    live: bool


@dataclass_transform(kw_only_default=True, frozen_default=True)
class _SectionMeta(msgspec.StructMeta):
    """Turns declarations made with `setting` into fields and keeps what they say about the key."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> "_SectionMeta":
        declarations: dict[str, _Declaration] = {}
        for base in reversed(bases):
            declarations.update(getattr(base, "__declarations__", {}))
        for key, value in namespace.items():
            if isinstance(value, _Declaration):
                declarations[key] = value
                namespace[key] = _field(value.default)
        namespace["__declarations__"] = declarations
        options.setdefault("frozen", True)
        options.setdefault("kw_only", True)
        options.setdefault("forbid_unknown_fields", True)
        return super().__new__(mcs, name, bases, namespace, **options)


def _field(default: Any) -> Any:
    if isinstance(default, dict | list | set):
        return msgspec.field(default_factory=lambda: default.copy())
    return msgspec.field(default=default)


class ConfigSection(msgspec.Struct, metaclass=_SectionMeta):
    """A frozen group of settings owned by the component that reads it.

    A subclass names its table in `section`, declares each field with `setting`, and may override `problems`.
    Its representation masks secrets.
    """

    section: ClassVar[str]
    __declarations__: ClassVar[dict[str, _Declaration]]

    @classmethod
    def settings(cls) -> tuple[Setting, ...]:
        """The keys of this section in the order of their declaration."""
        types = get_type_hints(cls, include_extras=True)
        return tuple(
            Setting(key, types[key], *cls.__declarations__[key])
            if key in cls.__declarations__
            else Setting(key, types[key], getattr(cls(), key), "")
            for key in cls.__struct_fields__
        )

    def problems(self) -> list[str]:
        """Sentences on values that cannot work together, each beginning with the key; empty when all is well."""
        return []

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{s.key}={mask(getattr(self, s.key), secret=s.secret, default=s.default)!r}" for s in self.settings()
        )
        return f"{type(self).__name__}({shown})"

    __str__ = __repr__


def setting(default: Any, effect: str, *, secret: bool = False, live: bool = False) -> Any:
    """Declare a key: its default and one sentence on its effect, from which the documentation is made.

    `secret` values are masked wherever settings are shown; `live` ones need no restart, for which the owning component
    has to be a ReloadableComponent. Constraints belong to the annotation, as in
    ``limit: Annotated[int, msgspec.Meta(ge=1)] = setting(10, "How many …")``.
    """
    return _Declaration(default, effect, secret, live)
