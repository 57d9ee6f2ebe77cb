"""The two errors that end a command: bad input (exit code 2) and a failed check (exit code 1).

Every message is one line that names the value, what was expected, and the fix.
"""


class InputError(ValueError):
    """Bad usage or bad input."""


class MissingExtraError(InputError):
    """A package of an optional extra is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(
            f"the package '{package}' is not installed; "
            f"it comes with the extra '{extra}': pip install 'deimv2[{extra}]'"
        )


class CheckError(RuntimeError):
    """A check that was asked for did not hold."""


def first_line(error: object) -> str:
    """The first line of an error's text, or its type's name if it has no text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
