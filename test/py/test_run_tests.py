"""tools/run-tests: what failed beside other tests runs once more, alone, and only a few of those that may."""
import importlib.machinery
import importlib.util
import pathlib
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def runner():
    loader = importlib.machinery.SourceFileLoader("run_tests", str(ROOT / "tools" / "run-tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def args(tmp_path):
    return types.SimpleNamespace(once=False, timeout=60, build=tmp_path)


def failing(runner, args, tmp_path, text):
    """The outcome of a file of tests with that text."""
    file = tmp_path / "test_planted.py"
    file.write_text(text)
    outcome = runner.call_pytest(args, "planted", [f"--rootdir={tmp_path}", str(file)], tmp_path)
    # a file below the project's root is named by its path; this one is not below it
    outcome.again = [([f"--rootdir={tmp_path}", f"{file}::{chosen[-1].split('::')[1]}"], build) for chosen, build in outcome.again]
    return outcome


UNSTEADY = """
import pathlib
HERE = pathlib.Path(__file__).parent

def test_steady():
    assert True

def test_unsteady():
    first = not (HERE / "ran").exists()
    (HERE / "ran").touch()
    assert not first

def test_broken():
    assert False
"""


def test_what_passes_alone_is_unsteady_and_what_fails_again_has_failed(runner, args, tmp_path, capsys):
    outcome = failing(runner, args, tmp_path, UNSTEADY)
    assert (outcome.passed, outcome.failed) == (1, 2)
    runner.run_again(args, [outcome])
    assert (outcome.passed, outcome.failed) == (2, 1)
    printed = capsys.readouterr().out
    assert "test_unsteady: failed beside other tests, passed alone" in printed and "test_broken: failed beside" not in printed


def test_nothing_runs_again_where_it_is_not_wanted_or_many_failed(runner, args, tmp_path):
    many = "import pytest\n@pytest.mark.parametrize('n', range(21))\ndef test_many(n):\n    assert False\n"
    outcome = failing(runner, args, tmp_path, many)
    assert outcome.failed == 21
    runner.call_pytest = None  # a call would end the test
    runner.run_again(args, [outcome])
    outcome.failed = 1
    args.once = True
    runner.run_again(args, [outcome])
    outcome.again, args.once = [], False  # a unit program, or the crash checker
    runner.run_again(args, [outcome])
    assert outcome.failed == 1
