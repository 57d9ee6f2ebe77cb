"""Runs a command in this process."""

import pytest

from deimv2.cli.main import main

Capture = pytest.CaptureFixture[str]


def complaint(capsys: Capture, *arguments: object, code: int = 2) -> str:
    """The one line on standard error that a failing command ends with."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == code
    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("deimv2: error: ")]
    assert captured.err.splitlines()[-1:] == errors
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return errors[0]


def output(capsys: Capture, *arguments: object) -> str:
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out
