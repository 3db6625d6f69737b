from __future__ import annotations

import pytest

from coatcheck.core.settings import OPTIONS, config_key
from coatcheck.core.spelling import misspelt


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("SESSION_STOR", "SESSION_STORE"),
        ("SESSION_REVOCATION", "SESSION_REVOCATIONS"),
        ("SESSION_MAX_SESSION_PER_USER", "SESSION_MAX_SESSIONS_PER_USER"),
        ("SESSION_ABSOLUTE_LIFE", "SESSION_ABSOLUTE_LIFETIME"),
        ("SESSION_REVOKATIONS", "SESSION_REVOCATIONS"),
        ("SESSION_COOKIE_SAMSITE", "SESSION_COOKIE_SAMESITE"),
    ],
)
def test_a_key_that_is_nearly_an_option_is_found_with_what_was_meant(written: str, meant: str) -> None:
    assert list(misspelt(["SHOP_NAME", written, "SECRET_KEY"])) == [(written, meant)]


def test_every_option_is_spelt_as_it_is() -> None:
    assert list(misspelt(map(config_key, OPTIONS))) == []


@pytest.mark.parametrize(
    "key",
    [
        # Flask-Session's and Flask-Login's
        *("SESSION_TYPE", "SESSION_USE_SIGNER", "SESSION_KEY_PREFIX", "SESSION_ID_LENGTH", "SESSION_REDIS"),
        *("SESSION_MEMCACHED", "SESSION_FILE_DIR", "SESSION_FILE_MODE", "SESSION_SQLALCHEMY", "SESSION_MONGODB"),
        *("SESSION_CLEANUP_N_REQUESTS", "SESSION_SERIALIZATION_FORMAT", "SESSION_DYNAMODB", "SESSION_PROTECTION"),
        # Django's
        *("SESSION_COOKIE_AGE", "SESSION_ENGINE", "SESSION_FILE_PATH", "SESSION_SERIALIZER", "SESSION_CACHE_ALIAS"),
        *("SESSION_SAVE_EVERY_REQUEST", "SESSION_EXPIRE_AT_BROWSER_CLOSE"),
        # No session's
        *("STORE", "STOR", "SESSION", "SESSION_", "session_stor", ""),
    ],
)
def test_the_keys_of_others_are_left_alone(key: str) -> None:
    assert list(misspelt([key])) == []
