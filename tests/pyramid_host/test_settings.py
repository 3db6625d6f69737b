"""`config.include("coatcheck.pyramid")`, and the settings that it reads."""

from __future__ import annotations

import traceback
from datetime import timedelta
from typing import Any

import pytest
from kit import OTHER_SECRET, SECRET
from pyramid.config import Configurator
from pyramid.request import Request

from coatcheck import Settings, UsageError
from coatcheck.pyramid import session_factory
from coatcheck.stores.memory import MemoryStore


def settings_of(**settings: Any) -> Settings:
    """Gives what an application comes to with these settings."""
    config = Configurator(settings={"session.secret_key": SECRET, **settings})
    config.include("coatcheck.pyramid")
    app = config.make_wsgi_app()
    request = Request.blank("/")
    request.registry = app.registry
    found: Settings = request.session._sessions.settings  # noqa: SLF001
    return found


def test_text_is_read_as_what_it_is() -> None:
    assert settings_of(
        **{
            "coatcheck.cookie_name": "__Host-shop",
            "coatcheck.cookie_secure": "true",
            "coatcheck.permanent": "yes",
            "coatcheck.refresh_each_request": "off",
            "coatcheck.permanent_lifetime": "3600",
            "coatcheck.earlier_cookie_names": "session\n  old",
            "coatcheck.cookie_samesite": "Strict",
            "coatcheck.cookie_domain": "",
            "coatcheck.secret_key_fallbacks": OTHER_SECRET,
            "other.cookie_name": "ignored",
        }
    ) == Settings(
        cookie_name="__Host-shop",
        cookie_secure=True,
        permanent=True,
        refresh_each_request=False,
        permanent_lifetime=timedelta(hours=1),
        earlier_cookie_names=("session", "old"),
        cookie_samesite="Strict",
    )


def test_what_is_no_text_is_taken_as_it_is() -> None:
    store = MemoryStore()
    found = settings_of(**{"coatcheck.store": store, "coatcheck.permanent_lifetime": timedelta(days=1)})
    assert found.permanent_lifetime == timedelta(days=1)


def test_same_site_can_be_left_out() -> None:
    assert settings_of(**{"coatcheck.cookie_samesite": "false"}).cookie_samesite is False


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("cookie_secure", "auto"),
        ("cookie_httponly", "maybe"),
        ("permanent_lifetime", "a week"),
        ("cookie_nmae", "shop"),
        ("store", "nowhere://"),
    ],
)
def test_what_cannot_be_right_is_refused_without_keys(option: str, text: str) -> None:
    config = Configurator(settings={"session.secret_key": OTHER_SECRET, f"coatcheck.{option}": text})
    with pytest.raises(UsageError) as caught:
        config.include("coatcheck.pyramid")
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame for frame in shown.stack if "/coatcheck/" in frame.filename]
    assert ours
    assert not [frame for frame in ours if OTHER_SECRET in str(frame.locals)]


@pytest.mark.parametrize("settings", [{}, {"session.secret_key": ""}])
def test_a_key_is_required(settings: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="a secret_key is required"):
        Configurator(settings=settings).include("coatcheck.pyramid")
    with pytest.raises(UsageError, match="a secret_key is required"):
        session_factory()
