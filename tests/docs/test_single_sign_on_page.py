"""The page about OpenID Connect and the program that goes with it, against a provider on this machine."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from flask import Flask
from joserfc.jwk import ECKey
from kit import SECRET
from servers.openid import CLIENT, CLIENT_SECRET, LOGOUT, Provider, providing

from coatcheck.flask import session
from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/single-sign-on.md"
EXAMPLE = ROOT / "examples/single_sign_on_flask.py"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r'name=.csrf. value=.([^\'"]+)')


@pytest.fixture
def provider() -> Iterator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(params=["page", "example"])
def app(request: pytest.FixtureRequest, provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Flask:
    """The program of the page, put together of its blocks, and the whole program."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "SECRET_KEY": SECRET,
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "FLASK_SECRET_KEY": SECRET,
        "FLASK_PROVIDER_CLIENT_ID": CLIENT,
        "FLASK_PROVIDER_CLIENT_SECRET": CLIENT_SECRET,
        "FLASK_PROVIDER_SERVER_METADATA_URL": f"{provider.issuer}/.well-known/openid-configuration",
    }.items():
        monkeypatch.setenv(name, value)
    module = ModuleType("single_sign_on")
    monkeypatch.setitem(sys.modules, "single_sign_on", module)
    source = EXAMPLE.read_text() if request.param == "example" else "\n".join(BLOCK.findall(PAGE.read_text()))
    exec(compile(source, request.param, "exec", dont_inherit=True), vars(module))
    app: Flask = module.app

    @app.get("/put/<key>")
    def put(key: str) -> str:
        session[key] = "full"
        return ""

    @app.get("/renew")
    def renew() -> str:
        session.regenerate()
        return session.handle

    @app.get("/content")
    def content() -> list[str]:
        return sorted(key for key in session if not key.startswith("_"))

    return app


class Browser:
    """Has cookies of the application and of the provider."""

    def __init__(self, app: Flask) -> None:
        self.here = app.test_client()
        # Nothing here speaks TLS, and to read the certificates takes longer than the rest.
        self.there = httpx.Client(verify=False)

    def go(self, address: str, name: str) -> str:
        """Follows the application to the provider, and signs in there if it asks. Gives where that leads back to."""
        answer = self.there.get(address)
        if answer.status_code == 200:
            answer = self.there.post(address, data={"name": name})
        assert answer.status_code == 302
        return answer.headers["Location"]

    def sign_in(self, name: str = "xiaoming", path: str = "/login") -> int:
        back = self.go(self.here.get(path).location, name)
        return self.here.get(back).status_code

    @property
    def user(self) -> str:
        found = re.search(r"Hello (\w+)!", self.here.get("/").text)
        assert found
        return found[1]

    @property
    def content(self) -> list[str]:
        found: Any = self.here.get("/content").json
        return list(found)

    def post(self, path: str) -> Any:
        found = FIELD.search(self.here.get("/logout").text) or FIELD.search(self.here.get("/").text)
        return self.here.post(path, data={"csrf": found[1]} if found else {})


@pytest.fixture
def browse(app: Flask) -> Iterator[Callable[[], Browser]]:
    with ExitStack() as stack:

        def start() -> Browser:
            browser = Browser(app)
            stack.callback(browser.there.close)
            return browser

        yield start


@pytest.fixture
def signed_in(browse: Callable[[], Browser]) -> Callable[[str], Browser]:
    def enter(name: str) -> Browser:
        browser = browse()
        assert browser.sign_in(name) == 302
        assert browser.user == name
        return browser

    return enter


def post_token(app: Flask, token: str) -> int:
    """Sends a logout token as the provider does: with no cookie."""
    answer = app.test_client(use_cookies=False).post("/backchannel-logout", data={"logout_token": token})
    assert answer.headers.get("Cache-Control") == "no-store"
    assert "Set-Cookie" not in answer.headers
    return answer.status_code


def sid_of(provider: Provider, number: int) -> str:
    return list(provider.guests)[number]


# Signing in


def test_a_guest_comes_back_as_a_user_and_keeps_the_cart(app: Flask, browse: Callable[[], Browser]) -> None:
    browser = browse()
    browser.here.get("/put/cart")
    assert browser.user == "stranger"
    assert browser.sign_in() == 302
    assert browser.user == "xiaoming"
    assert "cart" in browser.content


def test_another_user_finds_nothing_of_the_one_before(browse: Callable[[], Browser], provider: Provider) -> None:
    browser = browse()
    browser.sign_in("xiaoming")
    browser.here.get("/put/cart")
    provider.guests.clear()
    assert browser.sign_in("lihua") == 302
    assert browser.user == "lihua"
    assert "cart" not in browser.content


def test_who_is_sent_the_link_of_another_s_sign_in_is_not_signed_in(browse: Callable[[], Browser]) -> None:
    thief, victim = browse(), browse()
    back = thief.go(thief.here.get("/login").location, "thief")
    victim.here.get(victim.here.get("/login").location)
    assert victim.here.get(back).status_code == 403
    assert victim.user == "stranger"
    assert thief.here.get(back).status_code == 302
    assert thief.here.get(back).status_code == 403


@pytest.mark.parametrize(
    "claims",
    [{"nonce": "another"}, {"aud": "another"}, {"iss": "https://another.example"}, {"exp": 1_700_000_000}],
    ids=lambda claims: next(iter(claims)),
)
def test_a_token_that_is_not_for_this_sign_in_signs_nobody_in(
    browse: Callable[[], Browser], provider: Provider, claims: dict[str, Any]
) -> None:
    browser = browse()
    provider.claims = claims
    assert browser.sign_in() == 403
    assert browser.user == "stranger"
    provider.claims = {}
    assert browser.sign_in() == 302
    assert browser.user == "xiaoming"


def test_sign_ins_that_were_not_finished_do_not_pile_up(app: Flask, browse: Callable[[], Browser]) -> None:
    browser = browse()
    for _ in range(9):
        assert browser.here.get("/login").status_code == 302
    cookie = browser.here.get_cookie("session")
    assert cookie is not None
    assert 400 < len(cookie.value) < 1300, len(cookie.value)
    assert browser.sign_in() == 302


def test_an_answer_that_is_posted_is_taken_by_way_of_a_redirect(app: Flask, browse: Callable[[], Browser]) -> None:
    browser = browse()
    back = urlsplit(browser.go(browser.here.get("/login").location, "xiaoming"))
    fields = {name: values[0] for name, values in parse_qs(back.query).items()}
    # As browsers do with SameSite=Lax: a form of another site comes without the cookie.
    posted = app.test_client(use_cookies=False).post("/callback", data=fields)
    assert (posted.status_code, "Set-Cookie" in posted.headers) == (303, False)
    assert browser.here.get(posted.location).status_code == 302
    assert browser.user == "xiaoming"


# How long it lasts


def test_a_sign_in_that_is_too_old_there_is_asked_for_anew(browse: Callable[[], Browser], provider: Provider) -> None:
    browser = browse()
    browser.sign_in()
    assert provider.asked[-1]["max_age"] == str(12 * 3600)
    provider.guests[sid_of(provider, 0)].auth_time -= 11 * 3600
    here_again = browse()
    here_again.there.cookies.update(browser.there.cookies)
    assert here_again.sign_in("lihua") == 302
    assert here_again.user == "xiaoming"
    provider.guests[sid_of(provider, 0)].auth_time -= 2 * 3600
    assert here_again.sign_in("lihua") == 302
    assert here_again.user == "lihua"


def test_a_provider_that_does_not_care_about_max_age_is_not_believed(
    browse: Callable[[], Browser], provider: Provider
) -> None:
    browser = browse()
    for auth_time in (0, 1_700_000_000):
        provider.claims = {"auth_time": auth_time}
        assert browser.sign_in() == 403
        assert browser.user == "stranger"


def test_what_matters_wants_a_password_that_the_provider_has_just_seen(
    browse: Callable[[], Browser], provider: Provider
) -> None:
    browser = browse()
    assert browser.sign_in() == 302
    assert browser.post("/email").text.count("changed")
    # The provider knows the browser, and asked for no password: `login` is new, and what it stands for is not.
    provider.guests[sid_of(provider, 0)].auth_time -= 3600
    assert browser.sign_in() == 302
    asked_again = browser.post("/email")
    assert asked_again.status_code == 302
    wishes = parse_qs(urlsplit(asked_again.location).query)
    assert (wishes["prompt"], wishes["max_age"]) == (["login"], ["0"])
    back = browser.go(asked_again.location.replace("prompt=login", "").replace("max_age=0", "max_age=9999"), "xiaoming")
    assert browser.here.get(back).status_code == 302
    asked_again = browser.post("/email")
    assert asked_again.status_code == 302, "the user has taken the wish out of the address"
    assert browser.here.get(browser.go(asked_again.location, "xiaoming")).status_code == 302
    assert browser.post("/email").text.count("changed")


def test_a_guest_who_wants_what_matters_is_sent_to_the_sign_in(app: Flask) -> None:
    assert app.test_client().post("/email").location == "/login"


# When the provider says that somebody has signed out


def test_a_sid_ends_that_session_and_not_the_other_browser_s(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    here, there, other = signed_in("xiaoming"), signed_in("xiaoming"), signed_in("lihua")
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 0), sub="xiaoming")) == 200
    assert [browser.user for browser in (here, there, other)] == ["stranger", "xiaoming", "lihua"]
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 1))) == 200
    assert [browser.user for browser in (here, there, other)] == ["stranger", "stranger", "lihua"]


def test_a_sid_ends_a_session_that_nobody_has_used_since_the_sign_in(
    app: Flask, browse: Callable[[], Browser], provider: Provider
) -> None:
    browser = browse()
    assert browser.sign_in() == 302
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 0))) == 200
    assert browser.user == "stranger"


def test_a_sid_ends_a_session_that_has_got_another_id(
    app: Flask, browse: Callable[[], Browser], signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    there = signed_in("xiaoming")
    browser = browse()
    assert browser.sign_in() == 302
    # The page has a line for it that its sign-in leaves out, as most programs may.
    with browser.here.session_transaction() as stored:
        stored["sid"] = sid_of(provider, 1)
    assert len({browser.here.get("/renew").text for _ in range(3)}) == 3
    assert browser.user == "xiaoming"
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 1))) == 200
    assert (browser.user, there.user) == ("stranger", "xiaoming")


def test_both_sessions_end_that_one_of_the_provider_s_has_begun(
    app: Flask, browse: Callable[[], Browser], provider: Provider
) -> None:
    browser, again = browse(), browse()
    browser.sign_in()
    again.there.cookies.update(browser.there.cookies)
    again.sign_in()
    assert len(provider.guests) == 1
    assert (browser.user, again.user) == ("xiaoming", "xiaoming")
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 0))) == 200
    assert (browser.user, again.user) == ("stranger", "stranger")


def test_a_sub_alone_ends_all_sessions_of_that_user(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    browsers = [signed_in(name) for name in ("xiaoming", "xiaoming", "lihua")]
    assert post_token(app, provider.logout_token(sub="xiaoming")) == 200
    assert [browser.user for browser in browsers] == ["stranger", "stranger", "lihua"]


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def forged(provider: Provider, case: str) -> str:
    """Gives a token that would end the first session, but for one thing."""
    sid = sid_of(provider, 0)
    other = ECKey.generate_key("P-256", {"kid": provider.kid})
    good = provider.logout_token(sid=sid)
    head, body, signature = good.split(".")
    claims: dict[str, dict[str, Any]] = {
        "for another application": {"aud": "another"},
        "for nobody": {"aud": None},
        "of another provider": {"iss": "https://another.example"},
        "of no provider": {"iss": None},
        "with a nonce": {"nonce": "n"},
        "expired": {"exp": 1_700_000_000},
        "of the future": {"iat": 4_000_000_000},
        "without an end": {"exp": None},
        "without a time": {"iat": None},
        "without a jti": {"jti": None},
        "without an event": {"events": None},
        "of another event": {"events": {"http://schemas.openid.net/event/another": {}}},
        "with a list of events": {"events": [LOGOUT]},
        "with an event that is a text": {"events": {LOGOUT: "yes"}},
        "of neither session nor user": {"sid": None},
        "of a session that is a number": {"sid": 7},
    }
    if case in claims:
        return provider.logout_token(**{"sid": sid, "sub": None, **claims[case]})
    # By hand: the library makes neither of these two.
    unsigned, by_hash = (encode(b'{"alg":"%s"}' % name) + f".{body}" for name in (b"none", b"HS256"))
    public = provider.key.as_pem(private=False)
    return {
        "signed by another": provider.logout_token(sid=sid, key=other),
        "signed with a key that is not there": provider.logout_token(sid=sid, header={"kid": "another"}),
        "signed with the public key": f"{by_hash}.{encode(hmac.digest(public, by_hash.encode(), 'sha256'))}",
        "not signed": f"{unsigned}.",
        "cut off": good[:-1],
        "changed": f"{head}.{body[:-8]}{secrets.token_hex(4)}.{signature}",
        "empty": "",
        "rubbish": "小明.\0." + "a" * 9000,
    }[case]


CASES = re.findall(r'^ {8}"([^"]+)":', Path(__file__).read_text().partition("def forged")[2], re.MULTILINE)


@pytest.mark.parametrize("case", CASES)
def test_a_bad_logout_token_ends_nothing(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider, case: str
) -> None:
    browser = signed_in("xiaoming")
    assert post_token(app, forged(provider, case)) == 400
    assert browser.user == "xiaoming"
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 0))) == 200
    assert browser.user == "stranger"


def test_an_id_token_is_no_logout_token(app: Flask, signed_in: Callable[[str], Browser], provider: Provider) -> None:
    browser = signed_in("xiaoming")
    said = {"sid": sid_of(provider, 0), "sub": "xiaoming", "events": None, "auth_time": 1}
    for nonce in ("n", None):
        assert post_token(app, provider.logout_token(nonce=nonce, header={"typ": "JWT"}, **said)) == 400
    assert browser.user == "xiaoming"


def test_a_token_that_comes_again_ends_nothing(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    browser = signed_in("xiaoming")
    tokens = [provider.logout_token(sid=sid_of(provider, 0)), provider.logout_token(sub="xiaoming")]
    for token in tokens:
        assert post_token(app, token) == 200
    assert browser.sign_in() == 302
    assert len(provider.guests) == 1
    assert [post_token(app, token) for token in tokens] == [400, 400]
    assert browser.user == "xiaoming"


def test_a_token_of_a_new_key_is_good(app: Flask, signed_in: Callable[[str], Browser], provider: Provider) -> None:
    browser = signed_in("xiaoming")
    provider.renew_key()
    assert post_token(app, provider.logout_token(sid=sid_of(provider, 0))) == 200
    assert browser.user == "stranger"


def test_a_session_that_has_ended_already_is_no_error(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    browser = signed_in("xiaoming")
    browser.post("/logout")
    for name, value in (("sid", sid_of(provider, 0)), ("sid", "nobody's"), ("sub", "nobody")):
        claims: dict[str, Any] = {name: value}
        assert post_token(app, provider.logout_token(**claims)) == 200


def test_a_logout_that_could_not_be_kept_can_be_sent_again(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    store = FailingStore(MemoryStore())
    app.config["SESSION_REVOCATIONS"] = store
    browser = signed_in("xiaoming")
    tokens = [provider.logout_token(sid=sid_of(provider, 0)), provider.logout_token(sub="xiaoming")]
    store.down = True
    for token in tokens:
        answer = app.test_client(use_cookies=False).post("/backchannel-logout", data={"logout_token": token})
        assert answer.status_code == 503
    store.down = False
    assert browser.user == "xiaoming"
    assert post_token(app, tokens[0]) == 200
    assert browser.user == "stranger"
    assert post_token(app, tokens[1]) == 200


def test_what_is_noted_is_forgotten_when_it_is_of_no_use_any_more(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider, tmp_path: Path
) -> None:
    signed_in("xiaoming")
    post_token(app, provider.logout_token(sub="xiaoming"))
    db = sqlite3.connect(tmp_path / "single_sign_on.db")

    def count() -> list[int]:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("logins", "used")]

    before = count()
    with db:
        for table in ("logins", "used"):
            db.execute(f"UPDATE {table} SET ends = 1")
    post_token(app, provider.logout_token(sub="lihua"))
    after = count()
    db.close()
    assert before[0] > 0
    assert (before[1], after) == (1, [0, 1])


# When somebody signs out here


def test_signing_out_ends_the_session_and_leads_on_to_the_provider(
    app: Flask, signed_in: Callable[[str], Browser], provider: Provider
) -> None:
    browser = signed_in("xiaoming")
    cookie = browser.here.get_cookie("session")
    assert cookie is not None
    left = urlsplit(browser.post("/logout").location)
    asked = parse_qs(left.query)
    assert f"{left.scheme}://{left.netloc}{left.path}" == f"{provider.issuer}/end"
    assert (asked["client_id"], asked["post_logout_redirect_uri"]) == ([CLIENT], ["http://localhost/"])
    thief = app.test_client()
    thief.set_cookie("session", cookie.value)
    assert [each.get("/content").json for each in (browser.here, thief)] == [[], []]
    # The provider's own session goes on: nobody is asked for a name.
    assert browser.sign_in("lihua") == 302
    assert browser.user == "xiaoming"


def test_nobody_else_signs_a_user_out(app: Flask, signed_in: Callable[[str], Browser]) -> None:
    browser = signed_in("xiaoming")
    assert browser.here.post("/logout").status_code != 303
    assert browser.user == "xiaoming"


def test_a_session_ends_with_the_lifetime_that_the_page_sets(app: Flask) -> None:
    assert app.config["SESSION_ABSOLUTE_LIFETIME"] == timedelta(hours=12)
