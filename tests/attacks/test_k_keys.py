"""K: keys that are missing, weak, doubled, old, foreign, shown or stolen.

Absent on purpose:
    K9's `revoke_all`: there is no list that a sealed cookie could be struck off; taking the key away ends forged ones.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations
from logging import DEBUG
from typing import Any

import pytest
from attacks.harness import (
    CONTENT,
    EARLIER_SECRET,
    FOREIGN_SECRET,
    NOW,
    SECRET,
    Desk,
    Site,
    locals_shown,
    purpose_sealer,
)
from flask import Flask

from coatcheck import Event, Keyring, Reason, UsageError
from coatcheck.core.engine import Engine
from coatcheck.core.events import Kind
from coatcheck.core.text import decode
from coatcheck.core.token import TokenSealer
from coatcheck.flask import Coatcheck

Check = Callable[..., None]


def key_id(token: str) -> bytes:
    return decode(token)[1:5]


@pytest.mark.parametrize("secret", [None, "", b"", 0, False, 12345, ["x" * 32], bytearray(32), object()], ids=range(9))
def test_k1_no_key_is_refused_at_construction(secret: Any) -> None:
    with pytest.raises(UsageError):
        Keyring(secret)


@pytest.mark.parametrize("secret", [12345, True, ["x" * 32], bytearray(32), {"key": "x"}], ids=range(5))
def test_k1_a_key_of_a_wrong_type_is_refused_by_the_application(secret: Any) -> None:
    app = Flask("site")
    app.config["SECRET_KEY"] = secret
    with pytest.raises(UsageError):
        Coatcheck(app)


@pytest.mark.parametrize("missing", [None, "", b""])
def test_k1_without_a_key_an_application_reads_nothing_and_cannot_write(missing: str | bytes | None) -> None:
    """Flask's own behaviour, and its own error, whether the visitor has a cookie or not."""
    site = Site(secret_key=None)
    site.app.config["SECRET_KEY"] = missing
    assert site.get("/read", f"session={Desk().seal()}").text == "user: nobody"
    assert site.get("/read").cookies == []
    with pytest.raises(RuntimeError, match="secret key"):
        site.get("/write")
    assert site.events == []


@pytest.mark.parametrize("empty", ["", b""])
def test_k1_an_empty_key_that_is_passed_on_purpose_is_refused_at_construction(empty: str | bytes) -> None:
    with pytest.raises(UsageError, match="empty"):
        Site(secret_key=empty)


WEAK: dict[str, str | bytes] = {
    "empty": "",
    "short": "x7Kq9",
    "of 15 bytes": "k8Zq2-wX5vB7nM1",
    "a byte of zero": "\x00" * 32,
    "one letter": "a" * 64,
    "two letters": "ab" * 32,
    "a short word many times": "k8Zq2wX5" * 8,
    "ascending": "0123456789abcdefghijklmnopqrstuvwxyz",
    "digits in order": "01234567890123456789012345678901",
    "a pass-phrase": "correct horse battery staple",
    "a pass-phrase with hyphens": "correct-horse-battery-staple",
    "a pass-phrase with capitals": "Correct Horse Battery Staple",
    "a pass-phrase with a number": "Correct-Horse-7-Battery-Staple",
    "a sentence": "My dog likes to eat in the garden.",
    "changeme": "changeme",
    "changeme twice": "changemechangeme",
    "CHANGE_ME": "CHANGE_ME_BEFORE_GOING_LIVE",
    "secret": "my-super-secret-key-2024",
    "secret with digits": "s3cr3tk3ys3cr3tk3y",
    "password": "MyPassword123456789",
    "qwerty": "qwertyuiopasdfghjklzxcvbnm",
    "example": "this-is-an-example-key-0001",
    "development": "development-key-0123456789",
    "Flask's documentation": "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    "Flask's documentation, as bytes": b'_5#y2L"F4Q8z\n\xec]/',
    "Flask's documentation, earlier": "A0Zr98j/3yX R~XHH!jmN]LWX/,?RT",
    "Superset up to 1.4": "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
    "Superset from 1.4": "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "Superset's template": "thisISaSECRET_1234",
    "Superset's documentation": "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "Superset's containers": "TEST_NON_DEV_SECRET",
    "Airflow": "temporary_key",
    "Airflow, doubled": "temporary_key_temporary_key",
    "Django's start": "django-insecure-8x!k2#v0@m5&q9$w3^z7*b1(c6)d4-e",
}


@pytest.mark.parametrize("name", WEAK)
def test_k2_a_weak_key_is_refused_at_construction(name: str) -> None:
    secret = WEAK[name]
    rings: list[tuple[Any, list[Any]]] = [(secret, []), (SECRET, [secret]), (SECRET, [(secret, AWARE)])]
    for primary, fallbacks in rings:
        with pytest.raises(UsageError) as error:
            Keyring(primary, fallbacks)
        assert not secret or str(secret) not in str(error.value)
    if secret:
        app = Flask("site")
        app.config["SECRET_KEY"] = secret
        with pytest.raises(UsageError):
            Coatcheck(app)


AWARE = datetime.fromtimestamp(NOW + 3600, UTC)


@pytest.mark.parametrize("name", [name for name, secret in WEAK.items() if secret])
def test_k2_a_weak_key_that_is_allowed_is_warned_of_once_and_not_shown(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = WEAK[name]
    with caplog.at_level(DEBUG):
        site = Site(secret_key=secret, allow_weak_key=True)
        site.get("/write")
        site.get("/read")
    warnings = [record for record in caplog.records if record.levelname == "WARNING" and "key" in record.message]
    assert len(warnings) == 1
    text = secret if isinstance(secret, str) else secret.decode("latin-1")
    assert text not in caplog.text
    assert "the secret key" in warnings[0].message


@pytest.mark.parametrize("mode", ["testing", "debug"])
def test_k2_a_weak_key_is_allowed_where_nobody_visits(mode: str) -> None:
    app = Flask("site")
    setattr(app, mode, True)
    app.secret_key = "dev"
    Coatcheck(app)
    assert not Keyring("dev", allow_weak=True).primary.id.startswith(b"dev")


def test_k2_an_empty_key_is_refused_even_where_weak_ones_are_allowed() -> None:
    with pytest.raises(UsageError, match="empty"):
        Keyring("", allow_weak=True)
    with pytest.raises(UsageError, match="empty"):
        Keyring(SECRET, [""], allow_weak=True)


@pytest.mark.parametrize(
    "secret",
    [
        os.urandom(16),
        os.urandom(32),
        os.urandom(24).hex(),
        os.urandom(32).hex(),
        "".join(map(chr, range(0x4E00, 0x4E40))),
    ],
    ids=["16 bytes", "32 bytes", "48 digits", "64 digits", "not ASCII"],
)
def test_k2_a_random_key_is_taken(secret: str | bytes) -> None:
    assert Keyring(secret).weaknesses == ()


def test_k2_a_key_of_ill_formed_text_is_refused_and_not_shown() -> None:
    secret = SECRET + "\udc80"
    with pytest.raises(UsageError) as error:
        Keyring(secret)
    assert SECRET not in locals_shown(error.value)


# Two secrets whose ids, four bytes of HKDF each, are the same.
CLASHING = (
    "c96a7d9579b384cf53f73c9e9d425bdc1bf027b07b35c0501b654736507b448b",
    "c799db2e01cd4ab83e91d58371aa8ca0c820292231f82213fdd3201e88432c12",
)


@pytest.mark.parametrize(
    ("secret", "fallbacks"),
    [
        (SECRET, [SECRET]),
        (SECRET, [SECRET.encode()]),
        (SECRET, [(SECRET, AWARE)]),
        (SECRET, [EARLIER_SECRET, EARLIER_SECRET]),
        (SECRET, [EARLIER_SECRET, (EARLIER_SECRET.encode(), AWARE)]),
        (CLASHING[0], [CLASHING[1]]),
        (SECRET, list(CLASHING)),
    ],
    ids=range(7),
)
def test_k3_a_doubled_key_or_two_with_one_id_are_refused_at_construction(secret: str, fallbacks: list[Any]) -> None:
    assert Keyring(CLASHING[0]).primary.id == Keyring(CLASHING[1]).primary.id
    with pytest.raises(UsageError) as error:
        Keyring(secret, fallbacks)
    assert secret not in str(error.value)


def test_k4_after_a_rotation_the_old_cookie_opens_and_is_sealed_anew_by_the_primary_key() -> None:
    old = Site(secret_key=EARLIER_SECRET).get("/write").pair
    site = Site(secret_key=SECRET, secret_key_fallbacks=[EARLIER_SECRET])
    answer = site.get("/read", old)
    assert answer.text == "user: ann"
    assert [event.kind for event in site.events] == [Kind.RESEALED]
    assert key_id(answer.token) == Keyring(SECRET).primary.id
    assert key_id(old.partition("=")[2]) == Keyring(EARLIER_SECRET).primary.id
    assert site.get("/read", answer.pair).cookies == []

    assert Site(secret_key=SECRET).get("/read", answer.pair).text == "user: ann"


def test_k4_when_a_key_is_removed_its_cookies_give_empty_sessions(gives_an_empty_session: Check) -> None:
    old = Site(secret_key=EARLIER_SECRET).get("/write").pair
    gives_an_empty_session(Site(secret_key=SECRET), old, Reason.UNKNOWN_KEY)


def test_k4_a_key_that_leaves_the_configuration_of_a_running_application_is_gone() -> None:
    fallbacks = [EARLIER_SECRET]
    site = Site()
    site.app.extensions["coatcheck"].options.pop("secret_key")
    site.app.config.update(SECRET_KEY=SECRET, SECRET_KEY_FALLBACKS=fallbacks)
    old = Site(secret_key=EARLIER_SECRET).get("/write").pair
    assert site.get("/read", old).text == "user: ann"
    fallbacks.clear()
    assert site.get("/read", old).text == "user: nobody"
    assert site.events[-1] == Event(Kind.REJECTED, Reason.UNKNOWN_KEY)


def test_k5_the_order_of_the_ring_means_nothing() -> None:
    others = [EARLIER_SECRET, FOREIGN_SECRET, os.urandom(32).hex()]
    rings = [Keyring(SECRET, order) for order in permutations(others)]
    assert {ring.primary.id for ring in rings} == {Keyring(SECRET).primary.id}
    for ring in rings:
        desk = Desk(ring)
        assert key_id(desk.seal()) == Keyring(SECRET).primary.id
        for secret in (SECRET, *others):
            assert desk.refusal(Desk(Keyring(secret)).seal()) is None


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=13)), timezone(timedelta(hours=-11))], ids=str)
def test_k6_a_key_opens_until_its_time_and_not_a_second_longer(zone: timezone) -> None:
    until = datetime.fromtimestamp(NOW + 3600, zone)
    token = Desk(Keyring(EARLIER_SECRET)).seal()
    desk = Desk(Keyring(SECRET, [(EARLIER_SECRET, until)]))
    assert desk.refusal(token, NOW) is None
    assert desk.refusal(token, NOW + 3600) is None
    assert desk.refusal(token, NOW + 3601) is Reason.KEY_EXPIRED


def test_k6_a_cookie_of_an_expired_key_in_a_whole_application(gives_an_empty_session: Check) -> None:
    until = datetime.fromtimestamp(NOW - 1, UTC)
    site = Site(secret_key=SECRET, secret_key_fallbacks=[(EARLIER_SECRET, until)])
    gives_an_empty_session(site, f"session={Desk(Keyring(EARLIER_SECRET)).seal()}", Reason.KEY_EXPIRED)


def test_k6_a_time_without_a_zone_is_refused_at_construction() -> None:
    """It would mean another instant on every machine that is set to another zone."""
    with pytest.raises(UsageError):
        Keyring(SECRET, [(EARLIER_SECRET, datetime(2030, 1, 1))])


@pytest.mark.parametrize(
    "entry",
    [
        None,
        5,
        {},
        (),
        (EARLIER_SECRET,),
        (EARLIER_SECRET, AWARE, 1),
        (EARLIER_SECRET, "2030-01-01"),
        (EARLIER_SECRET, NOW),
        (EARLIER_SECRET, timedelta(days=1)),
        (EARLIER_SECRET, date(2030, 1, 1)),
        [EARLIER_SECRET, AWARE],
        (AWARE, EARLIER_SECRET),
    ],
    ids=range(12),
)
def test_k6_a_fallback_of_another_form_is_refused_at_construction(entry: Any) -> None:
    with pytest.raises(UsageError) as error:
        Keyring(SECRET, [entry])
    assert EARLIER_SECRET not in str(error.value)


@pytest.mark.parametrize("allow_weak", [False, True])
@pytest.mark.parametrize(
    "fallbacks", ["kQ7-xZ2_mW9+pR4=", b"kQ7-xZ2_mW9+pR4=", 5, AWARE], ids=["text", "bytes", "number", "time"]
)
def test_k6_one_secret_in_place_of_a_list_is_refused_at_construction(fallbacks: Any, *, allow_weak: bool) -> None:
    """Each letter of it would be a key."""
    with pytest.raises(UsageError):
        Keyring(SECRET, fallbacks, allow_weak=allow_weak)


def test_k7_a_worker_that_lacks_the_newest_key_takes_no_session_and_deletes_none(
    gives_an_empty_session: Check, caplog: pytest.LogCaptureFixture
) -> None:
    newest = Site(secret_key=SECRET, secret_key_fallbacks=[EARLIER_SECRET])
    behind = Site(secret_key=EARLIER_SECRET)
    cookie = newest.get("/write").pair
    assert behind.get("/read", cookie).cookies == []
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert ["SECRET_KEY_FALLBACKS" in record.message for record in warnings if "plain http" not in record.message] == [
        True
    ]
    gives_an_empty_session(behind, cookie, Reason.UNKNOWN_KEY)
    assert newest.get("/read", cookie).text == "user: ann"


def test_k8_neither_repr_nor_str_shows_a_key() -> None:
    ring = Keyring(SECRET, [EARLIER_SECRET, (FOREIGN_SECRET, AWARE)])
    desk = Desk(ring)
    site = Site(secret_key=SECRET, secret_key_fallbacks=[EARLIER_SECRET])
    site.get("/write")
    shown = [ring, ring.keys, ring.primary, list(ring.keys.values()), purpose_sealer(ring), desk.engine, desk.settings]
    shown += [TokenSealer(ring, "", "session", os.urandom), site.app.session_interface, site.app.extensions]
    for thing in shown:
        for text in (repr(thing), str(thing), f"{thing}"):
            assert_no_key(text.encode())


def assert_no_key(data: bytes) -> None:
    for secret in (SECRET, EARLIER_SECRET, FOREIGN_SECRET):
        purpose = Keyring(secret).primary.derive("cookie", "", "session")
        for key in (
            secret.encode(),
            bytes.fromhex(secret),
            purpose,
            purpose.hex().encode(),
            repr(purpose)[2:-1].encode(),
        ):
            assert key not in data


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_k8_pickling_what_holds_a_key_shows_none(protocol: int) -> None:
    ring = Keyring(SECRET, [EARLIER_SECRET])
    engine = Engine(Desk().settings, ring, random=os.urandom, emit=print)
    for holder in (ring, ring.primary, purpose_sealer(ring), TokenSealer(ring, "", "session", os.urandom), engine):
        try:
            pickled = pickle.dumps(holder, protocol)
        except TypeError:
            continue
        assert_no_key(pickled)


def test_k8_the_log_at_its_most_talkative_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(DEBUG):
        site = Site(secret_key=SECRET, secret_key_fallbacks=[EARLIER_SECRET])
        old = Site(secret_key=EARLIER_SECRET).get("/write").pair
        foreign = Site(secret_key=FOREIGN_SECRET).get("/write").pair
        for cookie in (old, foreign, "session=x", f"session={Desk().seal()}"):
            for path in ("/read", "/write", "/login", "/logout", "/escalate"):
                site.get(path, cookie)
    assert "resealed" in caplog.text
    assert_no_key(caplog.text.encode())


@pytest.mark.parametrize(
    ("secret", "fallbacks"),
    [
        ("changeme-" + SECRET, []),
        (SECRET, ["changeme-" + EARLIER_SECRET]),
        (SECRET, [EARLIER_SECRET, EARLIER_SECRET]),
        (SECRET, [EARLIER_SECRET, FOREIGN_SECRET[:12]]),
        (SECRET, [EARLIER_SECRET, 5]),
    ],
    ids=["weak", "weak fallback", "doubled fallback", "short fallback", "number"],
)
def test_k8_the_traceback_of_a_refused_ring_shows_no_key(secret: str, fallbacks: list[Any]) -> None:
    with pytest.raises(UsageError) as error:
        Keyring(secret, fallbacks)
    shown = locals_shown(error.value)
    assert "secret key" in shown
    assert_no_key(shown.encode())


def test_k9_forged_tokens_die_when_the_stolen_key_leaves_the_ring(gives_an_empty_session: Check) -> None:
    forged = f"session={Desk(Keyring(EARLIER_SECRET)).seal(CONTENT | {'user': 'admin'})}"
    assert Site(secret_key=EARLIER_SECRET).get("/read", forged).text == "user: admin"
    assert Site(secret_key=SECRET, secret_key_fallbacks=[EARLIER_SECRET]).get("/read", forged).text == "user: admin"
    gives_an_empty_session(Site(secret_key=SECRET), forged, Reason.UNKNOWN_KEY)


def test_k9_a_stolen_key_makes_no_token_under_the_id_of_the_next() -> None:
    forged = decode(Desk(Keyring(EARLIER_SECRET)).seal())
    ring = Keyring(SECRET)
    assert Desk(ring).refusals([forged[:1] + ring.primary.id + forged[5:]]) == {Reason.FORGED}
