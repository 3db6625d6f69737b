"""A site with the page, on one framework or another."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.core.handlers.asgi import ASGIHandler
from kit import NOON
from pages.guest import FIREFOX, Caller, Guest, call_wsgi, calling_asgi
from pages.sites import django_site, fastapi_site, flask_site

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import Clock


class Site:
    """The page on one framework, and the store below it."""

    def __init__(self, kind: str, stack: ExitStack) -> None:
        self.kind = kind
        self.clock = Clock(NOON)
        self.memory = MemoryStore(clock=self.clock)
        self._stack = stack
        self._call: Caller | None = None

    def start(self, page: dict[str, Any] | None = None, **options: Any) -> None:
        """Starts the site, in place of the one before: with these options of the page, and of the sessions."""
        page = {"login_url": "/hello"} if page is None else page
        options = {"store": self.memory, "clock": self.clock, **options}
        if self.kind == "fastapi":
            self._call = self._stack.enter_context(calling_asgi(fastapi_site.make(page, **options)))
        elif self.kind == "django":
            self._call = call_wsgi(self._stack.enter_context(django_site.making(page, **options)))
        elif self.kind == "django-asgi":
            self._stack.enter_context(django_site.making(page, **options))
            self._call = self._stack.enter_context(calling_asgi(ASGIHandler(), lifespan=False))
        else:
            self._call = call_wsgi(flask_site.make(page, **options))

    def open(self, agent: str = FIREFOX, language: str = "en", address: str = "203.0.113.7") -> Guest:
        """Gives a browser that nobody has used."""
        if self._call is None:
            self.start()
        assert self._call is not None
        return Guest(self._call, agent, language, address)
