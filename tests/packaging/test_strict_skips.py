"""The option --no-skips, which continuous integration sets: a test that was left out counts as failed."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

LEFT_OUT = {
    "test_mark": "import pytest\n@pytest.mark.skip(reason='no browser')\ndef test_a(): pass",
    "test_call": "import pytest\ndef test_a(): pytest.skip('no browser')",
    "test_fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no browser')\ndef test_a(f): pass",
    "test_import": "import pytest\npytest.importorskip('no_browser')\ndef test_a(): pass",
    "test_module": "import pytest\npytest.skip('no browser', allow_module_level=True)\ndef test_a(): pass",
    "test_unittest": "import unittest\nclass T(unittest.TestCase):\n  def test_a(self): self.skipTest('no browser')",
    "test_xfail": "import pytest\n@pytest.mark.xfail(reason='no browser')\ndef test_a(): assert 0",
    "test_xpass": "import pytest\n@pytest.mark.xfail(reason='no browser')\ndef test_a(): pass",
}


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makepyfile(**LEFT_OUT, test_run="def test_a(): pass\ndef test_b(): assert 0")
    return pytester


def run(pytester: pytest.Pytester, *options: str) -> pytest.RunResult:
    return pytester.runpytest("-p", "strict_skips", "--continue-on-collection-errors", *options)


def assert_each_fails(result: pytest.RunResult) -> None:
    for name in LEFT_OUT:
        result.stdout.fnmatch_lines(f"{name}.py*was left out, and --no-skips forbids it: *browser*")
    # What fails before a test's own body counts as an error: the mark, the fixture and the two modules.
    result.assert_outcomes(passed=1, failed=5, errors=4)


def test_each_test_that_is_left_out_fails(pytester: pytest.Pytester) -> None:
    assert_each_fails(run(pytester, "--no-skips"))


def test_ci_sets_the_option(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert_each_fails(run(pytester))


def test_without_the_option_they_may_be_left_out(pytester: pytest.Pytester) -> None:
    run(pytester).assert_outcomes(passed=1, failed=1, skipped=6, xfailed=1, xpassed=1)
