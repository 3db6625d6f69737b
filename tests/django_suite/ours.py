"""Django's tests of a session engine and of its middleware, for coatcheck's. Runs beside Django's own tests."""

from __future__ import annotations

from django.test import SimpleTestCase, override_settings
from sessions_tests import tests  # type: ignore[import-not-found]  # from the source package

from coatcheck.django import SessionMiddleware, SessionStore


@override_settings(SESSION_STORE=None)
class SealedTests(tests.SessionTestsMixin, SimpleTestCase):  # type: ignore[misc]
    backend = SessionStore


@override_settings(SESSION_STORE="memory:")
class OnServerTests(tests.SessionTestsMixin, SimpleTestCase):  # type: ignore[misc]
    backend = SessionStore


@override_settings(SESSION_STORE=None)
class SealedMiddlewareTests(tests.SessionMiddlewareTests):  # type: ignore[misc]
    """With Django's own middleware."""


@override_settings(SESSION_STORE="memory:")
class OnServerMiddlewareTests(tests.SessionMiddlewareTests):  # type: ignore[misc]
    """With Django's own middleware."""


@override_settings(SESSION_STORE="memory:")
class OurMiddlewareTests(tests.SessionMiddlewareTests):  # type: ignore[misc]
    """With ours, which `run` puts in the place of Django's."""


MIDDLEWARE = {"OurMiddlewareTests": SessionMiddleware}
