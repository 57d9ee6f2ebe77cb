"""Counts and names in sentences."""

ONE = {"boxes": "box", "classes": "class", "slashes": "slash"}


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 class`, `2 classes`. nouns: the plural, where it is not the noun with an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def shortened(name: str, most: int = 30) -> str:
    """The name, cut to `most` characters with an ellipsis at the end."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def shown(value: object) -> str:
    """A given value as its repr, on one line and shortened, for a message."""
    return shortened(" ".join(repr(value).split()), 60)


def counted(count: int, nouns: str) -> str:
    """`1 box without area` from 1 and "boxes without area": `nouns` starts with a plural."""
    first, _, rest = nouns.partition(" ")
    singular = ONE.get(first, first.removesuffix("s"))
    return f"{count:,} {singular if count == 1 else first}{' ' if rest else ''}{rest}"
