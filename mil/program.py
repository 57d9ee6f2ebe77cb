"""Runs the main function of an ML Program, one operation after the other, in PyTorch on the CPU.

Every result is stored in the type that the program declares, and must have the declared shape. What
depends on constants alone, such as compressed weights, is computed once, when a program is opened.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from deimv2.mil.operations import OPERATIONS, UnsupportedError
from deimv2.model.ports import Port

Values = dict[str, Tensor]
DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "int32": torch.int32,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "bool": torch.bool,
}


@dataclass(frozen=True)
class Step:
    """One operation.

    tensors:  by parameter, the name of a value, or names for a parameter that takes several
    settings: the other parameters
    outputs:  of each result: name, shape, dtype
    """

    operation: str
    compute: Callable[..., Tensor | tuple[Tensor, ...]]
    tensors: Mapping[str, str | list[str]]
    settings: Mapping[str, Any]
    outputs: tuple[Port, ...]

    @property
    def needs(self) -> Iterator[str]:
        for names in self.tensors.values():
            yield from [names] if isinstance(names, str) else names

    def run(self, values: Values) -> Values:
        tensors = {
            key: wide(values[names])
            if isinstance(names, str)
            else [wide(values[name]) for name in names]
            for key, names in self.tensors.items()
        }
        try:
            results = self.compute(**tensors, **self.settings)
        except UnsupportedError as error:
            raise UnsupportedError(f"{self}: {error}") from error
        if isinstance(results, Tensor):
            results = (results,)
        stored = {}
        for port, result in zip(self.outputs, results, strict=True):
            if result.shape != port.shape:
                found = list(result.shape)
                raise UnsupportedError(f"{self}: gives {found}, expected {list(port.shape)}")
            stored[port.name] = result.to(DTYPES[port.dtype])
        return stored

    def __str__(self) -> str:
        return f"operation '{self.operation}' ('{self.outputs[0].name}')"


class Program:
    """Call it with the inputs by name; it gives the outputs by name.

    function: `main` of a program as coremltools rebuilds it (`coremltools.converters.mil.mil`)

    Raises UnsupportedError, here or when it is called, for an operation, a type or a setting that
    is not computed here.
    """

    def __init__(self, function: Any) -> None:
        self.inputs = tuple(port_of(variable) for variable in function.inputs.values())
        self.outputs = tuple(port_of(variable) for variable in function.outputs)
        constants: Values = {}
        steps = []
        for operation in function.operations:
            if operation.op_type == "const":
                continue
            step = step_of(operation)
            constants |= constants_of(operation, step)
            if all(name in constants for name in step.needs):
                constants |= step.run(constants)
            else:
                steps.append(step)
        needed = {name for step in steps for name in step.needs} | {p.name for p in self.outputs}
        self._constants = {n: wide(value) for n, value in constants.items() if n in needed}
        self._steps = list(zip(steps, self._last_uses(steps), strict=True))

    def _last_uses(self, steps: list[Step]) -> list[list[str]]:
        """For each step, the names of values that no later step needs."""
        seen = {port.name for port in self.outputs}
        unneeded = []
        for step in reversed(steps):
            unneeded.append([name for name in dict.fromkeys(step.needs) if name not in seen])
            seen.update(step.needs)
        return unneeded[::-1]

    def __call__(self, inputs: Mapping[str, Tensor]) -> Values:
        with torch.inference_mode():
            values = {**self._constants, **inputs}
            for step, unneeded in self._steps:
                values |= step.run(values)
                for name in unneeded:
                    del values[name]
            return {port.name: values[port.name] for port in self.outputs}


def wide(value: Tensor) -> Tensor:
    """float16 as float32, any other type as it is."""
    return value.float() if value.dtype == torch.float16 else value


def step_of(operation: Any) -> Step:
    """Raises UnsupportedError for an operation or a parameter that is not computed here."""
    name = operation.op_type
    if name not in OPERATIONS:
        raise UnsupportedError(f"operation '{name}'")
    compute = OPERATIONS[name]
    kinds = {key: p.annotation for key, p in inspect.signature(compute).parameters.items()}
    tensors: dict[str, str | list[str]] = {}
    settings = {}
    for key, given in operation.inputs.items():
        if given is None:
            continue
        if key not in kinds:
            raise UnsupportedError(f"operation '{name}' with {key}")
        if kinds[key] == list[Tensor]:
            tensors[key] = [variable.name for variable in given]
        elif kinds[key] in (Tensor, Tensor | None):
            tensors[key] = given.name
        elif given.val is None:
            raise UnsupportedError(f"operation '{name}' with a computed {key}")
        else:
            settings[key] = given.val.tolist() if isinstance(given.val, NUMBERS) else given.val
    outputs = tuple(port_of(variable) for variable in operation.outputs)
    return Step(name, compute, tensors, settings, outputs)


NUMBERS = np.ndarray, np.generic


def constants_of(operation: Any, step: Step) -> Values:
    """The constants among the tensors that an operation takes."""
    found = {}
    for key in step.tensors:
        given = operation.inputs[key]
        for variable in given if isinstance(given, list | tuple) else [given]:
            if variable.op is not None and variable.op.op_type == "const":
                value = torch.from_numpy(np.array(variable.val))
                found[variable.name] = value.to(DTYPES[port_of(variable).dtype])
    return found


def port_of(variable: Any) -> Port:
    """Name, shape and type of a variable. Raises UnsupportedError for a type that no tensor has
    here, or a shape that is not fixed."""
    from coremltools.converters.mil.mil import types
    from coremltools.converters.mil.mil.types.symbolic import any_symbolic

    dtype = np.dtype(types.nptype_from_builtin(variable.dtype)).name
    shape = tuple(variable.shape)
    if dtype not in DTYPES:
        raise UnsupportedError(f"'{variable.name}' of type {dtype}")
    if any_symbolic(shape):
        raise UnsupportedError(f"'{variable.name}' of shape {list(shape)}")
    return Port(variable.name, tuple(map(int, shape)), dtype)
