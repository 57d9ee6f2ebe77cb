"""Functions whose arguments are the fields of a dataclass.

The dataclass says once what can be chosen, with its defaults; the function, the command line and
what is stored to go on later all take it from there.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from numbers import Number
from os import PathLike
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_args, get_origin

from deimv2.model.errors import InputError
from deimv2.model.numbers import require_given
from deimv2.model.progress import SILENT, Progress
from deimv2.model.words import shown

Pathish = str | PathLike[str]
Given = ParamSpec("Given")
Options = TypeVar("Options")
Result = TypeVar("Result")


def takes(
    options: Callable[Given, Options],
) -> Callable[[Callable[[Options], Result]], Callable[Given, Result]]:
    """Lets a function of a dataclass be called with the dataclass's own arguments. Values that mean
    nothing raise InputError."""

    def decorate(function: Callable[[Options], Result]) -> Callable[Given, Result]:
        @functools.wraps(function)
        def call(*args: Given.args, **given: Given.kwargs) -> Result:
            try:
                chosen = options(*args, **given)
            except TypeError as error:  # an unknown or missing argument
                name = getattr(options, "__qualname__", "")
                said = str(error).replace(f"{name}.__init__", function.__name__)
                raise TypeError(said) from None
            require_values(chosen)
            require_progress(getattr(chosen, "progress", SILENT))
            from deimv2.model.defaults import own_defaults  # with PyTorch, which takes seconds

            with own_defaults():
                return function(plain_numbers(chosen))

        call.__doc__ = "\n\n".join(map(documented, (function, *parents(options))))
        signature = inspect.signature(options)
        call.__signature__ = signature.replace(  # type: ignore[attr-defined]
            return_annotation=inspect.signature(function).return_annotation
        )
        return call

    return decorate


def require_values(options: Any) -> None:
    """Raises InputError for a field of a dataclass with a number, path, name, switch or function
    that is none."""
    for each in fields(options):
        value, kinds = getattr(options, each.name), set(get_args(each.type)) or {each.type}
        if value is None and type(None) in kinds:
            continue
        require_given(**{each.name: value})
        kinds -= {type(None)}
        if kinds == set(get_args(Pathish)):
            require_path(value, f"{each.name} ")
        elif kinds == {str, Sequence[str]}:
            as_names(value, each.name)
        elif kinds == {str} and not isinstance(value, str) and each.name != "device":
            # A torch.device is one too.
            raise InputError(f"{each.name} is {shown(value)}, expected a name")
        elif bool in kinds and not isinstance(value, bool):
            raise InputError(f"{each.name} is {shown(value)}, expected True or False")
        elif any(get_origin(kind) is Callable for kind in kinds) and not callable(value):
            raise InputError(f"{each.name} is {shown(value)}, expected a function")


def plain_numbers(options: Any) -> Any:
    """The dataclass with Python's own numbers in place of NumPy's, which are refused in a
    checkpoint that is read to go on."""

    def plain(value: Any) -> Any:
        if type(value) in (tuple, list):
            return type(value)(map(plain, value))
        return value.item() if isinstance(value, Number) and hasattr(value, "item") else value

    return replace(
        options, **{each.name: plain(getattr(options, each.name)) for each in fields(options)}
    )


def parents(options: object) -> list[type]:
    """A dataclass, and those that it has more fields than."""
    assert isinstance(options, type)
    return [each for each in options.__mro__ if is_dataclass(each)]


def documented(what: object) -> str:
    return inspect.cleandoc(what.__doc__ or "")


def fields_in(options: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Of a command's arguments, those that are fields of a dataclass of options."""
    return {each.name: given[each.name] for each in fields(options) if each.name in given}


def flag(name: str, value: object = None) -> str:
    """An option as the command line has it, with this value."""
    return f"--{'no-' if value is False else ''}{name.replace('_', '-')}"


def changed(options: Any, names: Collection[str]) -> dict[str, Any]:
    """Those fields of a dataclass, of these names, that are not as by default."""
    return {
        each.name: value
        for each in fields(options)
        if each.name in names and (value := getattr(options, each.name)) != each.default
    }


def flags_given(options: Any, names: Collection[str]) -> list[str]:
    """The same, as on the command line."""
    return [flag(name, value) for name, value in changed(options, names).items()]


def require_as_started(options: Any, names: Collection[str], again: str) -> None:
    """Raises InputError where any of these is given to go on with what was started with others.

    again: the option to start anew with.
    """
    if given := flags_given(options, names):
        raise InputError(
            f"{', '.join(given)} cannot be given with --resume, which continues as it was started; "
            f"leave it out, or start again with {again}"
        )


def as_path(path: Pathish | None, what: str = "") -> Path | None:
    return None if path is None else to_path(path, what)


def to_path(path: Pathish, what: str = "") -> Path:
    require_path(path, what)
    return Path(path)


def require_path(path: object, what: str = "") -> None:
    """Raises InputError for anything else. what: the option's name and a blank."""
    if not isinstance(path, str | PathLike):
        raise InputError(f"{what}{shown(path)} is no path, expected a str or a Path")
    if path == "":
        raise InputError(f"{what}'' is no path, expected one; name a file or a folder")


def as_paths(given: Pathish | Iterable[Pathish], what: str) -> list[Path]:
    """Several, or one alone. Raises InputError for anything else. what: the option's name."""
    several = [given] if isinstance(given, str | PathLike) else given
    if not isinstance(several, Iterable) or isinstance(several, bytes | Mapping):
        raise InputError(f"{what} is {shown(given)}, expected a path or several")
    return [to_path(each, f"{what} ") for each in several]


def as_names(given: str | Iterable[str], what: str) -> list[str]:
    """As `as_paths`, of names."""
    several = [given] if isinstance(given, str) else given
    found = list(several) if isinstance(several, Iterable) else [several]
    if not all(isinstance(each, str) for each in found):
        raise InputError(f"{what} is {shown(given)}, expected a name or several")
    return found


def require_progress(progress: object) -> None:
    """Raises InputError for anything else."""
    if not isinstance(progress, Progress):
        raise InputError(
            f"progress is {shown(progress)}, expected a deimv2.Progress; leave it out for silence"
        )
