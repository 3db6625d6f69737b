"""Runs Django's tests of sessions in this process, and writes what became of each. Arguments: a file, the engine."""

from __future__ import annotations

import json
import sys
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.sessions", "sessions_tests"],
    SECRET_KEY="9f3c1b7ad0e84c52b6e1f70a2d95c8437be00f6a1c24d98e5b37a6f0c1d2e394",
    USE_TZ=False,
    SESSION_ENGINE=sys.argv[2],
)
django.setup()

from django.test.runner import DiscoverRunner  # noqa: E402


class Outcomes(unittest.TextTestResult):
    seen: dict[str, str] = {}  # noqa: RUF012  # one run in a process

    def startTest(self, test: unittest.TestCase) -> None:  # noqa: N802
        super().startTest(test)
        self.seen[_name(test)] = "passed"

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.seen[_name(test)] = "failed"

    def addError(self, test: unittest.TestCase, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.seen[_name(test)] = "failed"


def _name(test: unittest.TestCase) -> str:
    return ".".join(test.id().split(".")[-2:])


class Runner(DiscoverRunner):
    def get_resultclass(self) -> type[Outcomes]:
        return Outcomes

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        if sys.argv[2] != "coatcheck.django":
            return super().run_suite(suite, **kwargs)
        import ours  # type: ignore[import-not-found]  # beside this file
        from sessions_tests import tests  # type: ignore[import-not-found]  # from the source package

        kinds = [each for each in vars(ours).values() if isinstance(each, type) and each.__module__ == "ours"]
        cases: list[Any] = [unittest.defaultTestLoader.loadTestsFromTestCase(kind) for kind in kinds]
        for group in cases:
            for test in group:
                middleware = ours.MIDDLEWARE.get(type(test).__name__)
                if middleware is not None:
                    patch = mock.patch.object(tests, "SessionMiddleware", middleware)
                    test.addCleanup(patch.stop)
                    setup = test.setUp

                    def begin(patch: Any = patch, setup: Any = setup) -> None:
                        patch.start()
                        setup()

                    test.setUp = begin
        return super().run_suite(unittest.TestSuite(cases), **kwargs)


Runner(verbosity=0, interactive=False).run_tests(["sessions_tests"])
Path(sys.argv[1]).write_text(json.dumps(Outcomes.seen))
