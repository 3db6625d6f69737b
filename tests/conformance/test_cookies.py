"""RFC 6265bis, its successor and the OWASP cheat sheet on what a cookie is, and on what it cannot be trusted with."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from conformance.rows import NO_LIST, row
from conformance.site import FlaskSite, StarletteSite, Visitor, login, refused
from starlette.testclient import TestClient

from coatcheck import Kind, Settings, UsageError
from coatcheck.core.text import decode

Make = Callable[..., FlaskSite]
ONE_WRITER = dict.fromkeys(
    ("cookie", "cookie with list"),
    "what is in the browser is replaced as a whole: of two responses at once the last wins",
)
# What a value may consist of; without quotes, which readers treat in several ways.
OCTETS = re.compile(r"[!#-+\--:<-\[\]-~]+")


@row("RFC 6265bis: grammar", "Names are tokens, values are octets for cookies, no attribute comes twice", "fulfils")
def test_what_is_sent_is_what_the_grammar_says(make: Make) -> None:
    for number in range(50):

        def fill(current: Any, number: int = number) -> None:
            current.login("ann")
            current["text"] = '",;\\ \r\n' * number

        visitor = Visitor(make())
        visitor.do(fill)
        pair, *attributes = visitor.set[0].split("; ")
        name, _, value = pair.partition("=")
        names = [attribute.partition("=")[0].lower() for attribute in attributes]
        assert name == "session" and OCTETS.fullmatch(value) and len(names) == len(set(names))
    for name in ("", "a b", "a=b", "a;b", "a\r\nb", "ä"):
        with pytest.raises(UsageError):
            Settings(cookie_name=name)


@row("RFC 6265bis: limits", "Attributes have at most 1024 octets, or browsers ignore them", "enforces")
def test_an_attribute_that_browsers_ignore_is_refused(make: Make) -> None:
    visitor = Visitor(make(cookie_path="/" + "a" * 1023))
    visitor.do(login("ann"))
    assert f"Path=/{'a' * 1023}" in visitor.set[0]
    with pytest.raises(UsageError):
        Settings(cookie_path="/" + "a" * 1024)


@row("RFC 6265bis: clear text", "The content of cookies is encrypted and authenticated", "fulfils")
def test_no_bit_of_a_cookie_can_be_changed_or_read(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(lambda current: (current.login("ann-the-user"), current.update(card="4111-1111"))[0])
    name, _, value = visitor.cookie.partition("=")
    raw = decode(value)
    assert b"ann-the-user" not in raw and b"4111" not in raw
    for at in range(0, len(value), 5):
        for letter in "Az_":
            if value[at] != letter:
                assert Visitor(site, f"{name}={value[:at]}{letter}{value[at + 1 :]}").user is None


@row("RFC 6265bis: prefixes", "`__Host-` and `__Secure-` in any case, as browsers see them", "fulfils")
@pytest.mark.parametrize("spell", [str, str.lower, str.upper])
def test_a_prefix_is_kept_to_in_any_case(make: Make, spell: Callable[[str], str]) -> None:
    for options in ({}, {"cookie_secure": False}, {"cookie_secure": True, "cookie_path": "/app"}):
        with pytest.raises(UsageError):
            Settings(cookie_name=spell("__Host-id"), **options)
    visitor = Visitor(make(cookie_name=spell("__Secure-id"), cookie_secure=True))
    visitor.do(login("ann"))
    assert "; Secure" in visitor.set[0]


@row("RFC 6265bis: successor", "`__Http-` and `__Host-Http-` are held to their rules too", "enforces")
@pytest.mark.parametrize("name", ["__Http-id", "__Host-Http-id"])
def test_the_prefixes_to_come_need_httponly(make: Make, name: str) -> None:
    with pytest.raises(UsageError):
        Settings(cookie_name=name, cookie_secure=True, cookie_httponly=False)
    visitor = Visitor(make(cookie_name=name, cookie_secure=True))
    visitor.do(login("ann"))
    assert {"Secure", "HttpOnly", "Path=/"} <= set(visitor.set[0].split("; "))


@row("RFC 6265bis: SameSite", "None needs Secure", "enforces")
@pytest.mark.parametrize("value", ["Lax", "Strict", "None"])
def test_each_value_of_samesite_is_sent_and_none_only_with_secure(make: Make, value: Any) -> None:
    visitor = Visitor(make(cookie_samesite=value, cookie_secure=True))
    visitor.do(login("ann"))
    assert {f"SameSite={value}", "Secure"} <= set(visitor.set[0].split("; "))
    if value == "None":
        with pytest.raises(UsageError):
            Settings(cookie_samesite=value, cookie_secure=False)


@row("RFC 6265bis: order", "Nothing relies on which of two cookies comes first", "fulfils")
def test_the_order_of_cookies_says_nothing(make: Make) -> None:
    site = make()
    ann, eve = Visitor(site), Visitor(site)
    ann.do(login("ann"))
    eve.do(login("eve"))
    for one, two in ((ann, eve), (eve, ann)):
        assert Visitor(site, f"{one.cookie}; {two.cookie}").user is None
        assert Visitor(site, f"{one.cookie}; session=rubbish").user == one.user
        assert Visitor(site, f"session=rubbish; {one.cookie}").user == one.user


@row("RFC 6265bis: several headers", "HTTP/2 may split the `Cookie` header", "fulfils")
def test_a_cookie_in_any_of_several_headers_is_found(mode: str) -> None:
    site = StarletteSite(mode)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    fields = [("Cookie", "a=1"), ("Cookie", visitor.cookie), ("Cookie", "b=2")]
    for turn in range(3):
        site.job, site.result = lambda current: current.user_id, None
        client = TestClient(site.calls, base_url="https://site.example")
        client.get("/", headers=fields[turn:] + fields[:turn])
        assert site.result == "ann"


@row("RFC 6265bis: eviction", "A cookie may be gone at any time", "fulfils")
def test_a_browser_that_has_lost_its_cookie_is_a_guest(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    visitor.cookie = ""
    assert visitor.user is None and visitor.status == 200 and visitor.set == []
    visitor.do(login("ann"))
    assert visitor.user == "ann"


@row("RFC 6265bis: weak integrity", "Others of the domain can set cookies of any name", "fulfils")
def test_what_a_neighbour_plants_is_nothing_here(make: Make) -> None:
    site, neighbour = make(audience="shop"), make(audience="forum")
    planted = Visitor(neighbour)
    planted.do(login("mallory"))
    assert Visitor(site, planted.cookie).user is None
    victim = Visitor(site)
    victim.do(login("ann"))
    victim.cookie += "; " + planted.cookie
    assert victim.user == "ann"


@row("RFC 6265bis: racing responses", "Two responses at once leave what both have changed", "enforces", ONE_WRITER)
def test_what_two_requests_change_at_once_is_both_there(make: Make, able: bool) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    other = visitor.copy()

    def work(current: Any) -> None:
        current["one"] = 1
        job = site.job
        other.do(lambda current: current.update(two=2))
        site.job = job

    visitor.do(work)
    assert visitor.do(sorted) == (["one", "two"] if able else ["one"])


@row("RFC 6265bis: header total", "Servers stop at 8 KiB of `Cookie` header", "helps")
def test_a_site_has_one_cookie_of_half_of_that_at_most(make: Make) -> None:
    visitor = Visitor(make())
    visitor.do(lambda current: (current.login("ann"), current.update(text="x" * 2500))[0])
    visitor.do(lambda current: current.update(more=1))
    assert len(visitor.set) <= 1
    assert visitor.cookie.count(";") == 0 and len(visitor.cookie) <= 4096


@row("SMCS: used mechanisms", "A session id comes in a cookie and in no other way", "fulfils")
def test_a_token_is_taken_from_the_cookie_alone(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    value = visitor.cookie.partition("=")[2]
    for path, headers in (
        (f"/?session={value}", {}),
        (f"/;session={value}", {}),
        ("/", {"X-Session": value}),
        ("/", {"Cookie2": visitor.cookie}),
    ):
        assert Visitor(site).do(lambda current: current.user_id, path, **headers) is None


@row("SMCS: TLS", "The cookie travels by https alone", "enforces")
def test_a_site_of_https_marks_its_cookies_so_even_on_plain_http(make: Make) -> None:
    site = make(cookie_secure=True)
    site.job = login("ann")
    answer = site.app.test_client(use_cookies=False).get("/", base_url="http://site.example")
    (line,) = answer.headers.getlist("Set-Cookie")
    assert "; Secure" in line


@row("SMCS: caching", "A response with an id is in no cache", "fulfils")
def test_every_response_that_sets_the_cookie_is_kept_out_of_caches(make: Make) -> None:
    visitor = Visitor(make())
    for job in (login("ann"), lambda current: current.regenerate(), lambda current: current.logout()):
        visitor.do(job)
        assert visitor.set
        assert "no-store" in dict(visitor.headers)["Cache-Control"]


@row("SMCS: client data", "Where a session is used from can be looked at", "helps", {"cookie": NO_LIST})
def test_a_user_sees_the_address_and_the_browser_of_a_session(make: Make, able: bool) -> None:
    site = make()
    visitor = Visitor(site, agent="Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
    visitor.do(login("ann"))
    if not able:
        with pytest.raises(UsageError):
            site.sessions_of("ann")
        return
    (info,) = site.sessions_of("ann")
    assert (info.ip, info.device) == ("127.0.0.1", "Firefox on Linux")


@row("SMCS: binding", "A session that is used from another client is noticed", "helps")
def test_another_client_is_told_and_not_ended(make: Make) -> None:
    site = make(bind=lambda _, agent: agent)
    visitor = Visitor(site)
    visitor.do(login("ann"))
    for other, told in ((visitor, []), (visitor.copy(), [Kind.ELSEWHERE])):
        site.events.clear()
        assert other.do(lambda current: (current.user_id, current.elsewhere)) == ("ann", bool(told))
        assert [event.kind for event in site.events] == told


@row("NIST 5.1: forged requests", "An identifier bound to the session is verified", "helps")
def test_a_form_without_the_token_of_this_session_is_refused(make: Make) -> None:
    site = make()
    visitor = Visitor(site)
    visitor.do(login("ann"))
    token = visitor.do(lambda current: current.csrf_token())
    assert [visitor.do(refused(text)) for text in (token, None, token[:-2], token.swapcase())] == [False] + [True] * 3
    assert Visitor(site).do(refused(token))
