"""Counts in sentences."""


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """`1 class`, `2 classes`: nouns: the plural, where it is not the noun and an s."""
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
