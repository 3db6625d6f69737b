"""What Django's error reports show of coatcheck's settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import RequestFactory
from django.views.debug import ExceptionReporter, get_default_exception_reporter_filter

CHOICE: Any = get_default_exception_reporter_filter
PAGES = type("pages", (), {"urlpatterns": []})
URLS = {
    name: f"postgresql://ann:mallard@127.0.0.1/{name.lower()}"
    for name in ("SESSION_STORE", "SESSION_EARLIER_STORE", "SESSION_REVOCATIONS")
}


def report() -> str:
    """Gives what a page, and a mail, say of an error."""
    try:
        _ = 1 // 0
    except ZeroDivisionError:
        kind, error, trace = sys.exc_info()
    # Django asks its settings once which filter there is.
    CHOICE.cache_clear()
    reporter = ExceptionReporter(RequestFactory().get("/"), kind, error, trace, is_email=True)
    return reporter.get_traceback_text() + reporter.get_traceback_html()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    yield
    CHOICE.cache_clear()


def test_no_report_shows_the_password_of_a_store(settled: Callable[..., None]) -> None:
    settled(DEBUG=True, ROOT_URLCONF=PAGES, **URLS)
    assert "mallard" in report()
    settled(DEFAULT_EXCEPTION_REPORTER_FILTER="coatcheck.django.ReportFilter")
    shown = report()
    assert "mallard" not in shown
    assert all(name in shown for name in URLS)


def test_the_filter_hides_and_shows_what_django_s_own_does_beside(settled: Callable[..., None]) -> None:
    settled(
        DEBUG=True,
        ROOT_URLCONF=PAGES,
        DEFAULT_EXCEPTION_REPORTER_FILTER="coatcheck.django.ReportFilter",
        SESSION_STORE_DOWN="empty",
        PAYMENT_TOKEN="wigeon",
        SHOP_NAME="teal",
    )
    shown = report()
    assert "wigeon" not in shown
    assert "teal" in shown and "empty" in shown
