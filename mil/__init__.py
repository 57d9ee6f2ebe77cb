"""Reference execution of Core ML packages, from the saved files alone: no Mac is needed.

It says what a package computes by the definitions of its operations. What a device makes of it,
in which order its units add and where they round on the way, only that device can say.
"""

from deimv2.mil.operations import OPERATIONS, UnsupportedError
from deimv2.mil.package import open_package
from deimv2.mil.program import Program

__all__ = ["OPERATIONS", "Program", "UnsupportedError", "open_package"]
