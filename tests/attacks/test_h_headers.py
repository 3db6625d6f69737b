"""H: what a response says, and what configuration can make it say.

H9, caches, is in test_h_caching.py; H14, what errors and logs show, in test_h_exposure.py.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from attacks.harness import DAY, Answer, Desk, Site, session_object
from flask import Response, make_response, render_template_string, stream_with_context
from werkzeug.middleware.proxy_fix import ProxyFix

from coatcheck import Settings, UsageError
from coatcheck.flask import session

HOST = "__Host-session"
BREAKERS = [
    "\r",
    "\n",
    "\r\n",
    "\x00",
    ";",
    ",",
    "\r\nSet-Cookie: evil=1",
    "; Domain=evil.example",
    "\x7f",
    "\x1f",
    "\x85",
    "\u2028",
]


def refused(**policy: Any) -> bool:
    """Says whether both ways of setting a policy refuse it, without quoting what was wrong."""
    for make in (Settings, Site):
        try:
            make(**policy)
        except UsageError as error:
            quoted = "evil" in str(error)
        else:
            return False
        assert not quoted
    return True


@pytest.mark.parametrize("breaker", BREAKERS, ids=ascii)
@pytest.mark.parametrize("place", ["{}x", "x{}", "x{}y"])
def test_h1_what_ends_an_attribute_is_refused_in_every_attribute(breaker: str, place: str) -> None:
    spoilt = place.format(breaker)
    assert refused(cookie_name=spoilt)
    assert refused(earlier_cookie_names=[spoilt])
    assert refused(cookie_path="/" + spoilt)
    assert refused(cookie_path=spoilt)
    assert refused(cookie_domain=spoilt)
    assert refused(cookie_domain=place.format(breaker).replace("x", "example.com"))
    assert refused(cookie_samesite="Lax" + spoilt)
    assert refused(cookie_samesite=spoilt + "Lax")


@pytest.mark.parametrize("breaker", BREAKERS, ids=ascii)
def test_h1_what_ends_an_attribute_is_refused_behind_a_port_too(breaker: str) -> None:
    assert refused(cookie_domain=f"example.com:{breaker}")
    assert refused(cookie_domain=f"example.com:80{breaker}")


@pytest.mark.parametrize("character", ' "(),/:;<=>?@[\\]{}\t\xe9\u0131')
def test_h1_a_name_that_is_no_token_is_refused(character: str) -> None:
    assert refused(cookie_name=f"a{character}b")
    assert refused(cookie_name=character)


@pytest.mark.parametrize("name", ["", " ", None, 5, b"session", "=", "é"])
def test_h1_no_name_is_refused(name: Any) -> None:
    with pytest.raises(UsageError):
        Settings(cookie_name=name)


@pytest.mark.parametrize(
    "domain", ["exa mple.com", "a..b", ".", "-a.com", "a-.com", "*", "*.example.com", "http://a.com", "a/b", 5, ["a"]]
)
def test_h1_a_domain_that_is_no_host_name_is_refused(domain: Any) -> None:
    assert refused(cookie_domain=domain)


@pytest.mark.parametrize("path", ["", "x", "x/", "*", None, 5, b"/", "\\", "/é", "//\n"])
def test_h1_a_path_that_is_no_path_is_refused(path: Any) -> None:
    with pytest.raises(UsageError):
        Settings(cookie_path=path)


@pytest.mark.parametrize("same_site", ["", "lax ", "Sloppy", True, 1, "None;", b"Lax", ["Lax"]])
def test_h1_a_same_site_that_browsers_do_not_know_is_refused(same_site: Any) -> None:
    assert refused(cookie_samesite=same_site)


def test_h2_an_attribute_of_1025_octets_is_refused_and_one_of_1024_is_sent() -> None:
    path = "/" + "p" * 1023
    domain = ".".join(["d" * 63] * 15 + ["d" * 62, "d"])
    site = Site(cookie_path=path, cookie_domain=domain)
    assert f"; Domain={domain}; Path={path};" in site.get("/write").cookies[0]
    assert (len(path), len(domain)) == (1024, 1024)
    assert refused(cookie_path=path + "p")
    assert refused(cookie_domain=domain + "d")
    assert refused(cookie_name="n" * 1025)


@pytest.mark.parametrize("same_site", ["None", "none", "NONE"])
@pytest.mark.parametrize("secure", [False, None])
def test_h3_same_site_none_without_secure_is_refused(same_site: str, secure: bool | None) -> None:
    assert refused(cookie_samesite=same_site, cookie_secure=secure)


def test_h3_same_site_none_with_secure_is_sent() -> None:
    cookie = Site(cookie_samesite="none", cookie_secure=True).get("/write").cookies[0]
    assert "; Secure;" in cookie
    assert cookie.endswith("; SameSite=None")


def test_h3_a_partitioned_cookie_without_secure_is_refused() -> None:
    assert refused(cookie_partitioned=True)
    assert refused(cookie_partitioned=True, cookie_secure=False)


@pytest.mark.parametrize("prefix", ["__Host-", "__host-", "__HOST-", "__hOsT-"])
@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"cookie_secure": False},
        {"cookie_secure": True, "cookie_domain": "example.com"},
        {"cookie_secure": True, "cookie_path": "/app"},
        {"cookie_secure": True, "cookie_path": "/app/"},
        {"cookie_secure": None, "cookie_samesite": "Strict"},
    ],
    ids=range(6),
)
def test_h4_a_host_name_whose_rules_are_broken_is_refused(prefix: str, broken: dict[str, Any]) -> None:
    assert refused(cookie_name=prefix + "session", **broken)
    assert refused(cookie_name=prefix, **broken)
    assert not refused(cookie_name=prefix + "session", cookie_secure=True)


@pytest.mark.parametrize("prefix", ["__Secure-", "__SECURE-", "__Http-", "__http-", "__Host-Http-", "__HOST-http-"])
def test_h4_the_other_prefixes_are_held_to_their_rules(prefix: str) -> None:
    assert refused(cookie_name=prefix + "session")
    assert refused(cookie_name=prefix + "session", cookie_secure=False)
    assert not refused(cookie_name=prefix + "session", cookie_secure=True)
    without_http_only = refused(cookie_name=prefix + "session", cookie_secure=True, cookie_httponly=False)
    assert without_http_only is ("http" in prefix.lower())
    with_domain = refused(cookie_name=prefix + "session", cookie_secure=True, cookie_domain="example.com")
    assert with_domain is ("host" in prefix.lower())


def calling(method: str, *arguments: object) -> Callable[[], object]:
    return lambda: getattr(session, method)(*arguments)


def match_mapping() -> object:
    match session_object():
        case {"user": user}:
            return user
    return None


LOOKS: dict[str, Callable[[], object]] = {
    "in": lambda: "user" in session,
    "not in": lambda: "nothing" not in session,
    "len": lambda: len(session),
    "iter": lambda: list(session),
    "first": lambda: next(iter(session)),
    "reversed": lambda: list(reversed(session)),
    "bool": lambda: bool(session),
    "if": lambda: "yes" if session else "no",
    "==": lambda: session == {},
    "!=": lambda: session != {},
    "== from the other side": lambda: session == {},
    "|": lambda: session | {"a": 1},
    "| from the other side": lambda: {"a": 1} | session,
    "copy": calling("copy"),
    "copy.copy": lambda: copy.copy(session_object()),
    "copy.deepcopy": lambda: copy.deepcopy(session_object()),
    "keys": calling("keys"),
    "items": calling("items"),
    "values": calling("values"),
    "get": lambda: session.get("user"),
    "get of nothing": lambda: session.get("nothing"),
    "[]": lambda: session["user"],
    "dict": lambda: dict(session),
    "**": lambda: dict(**session),
    "match": match_mapping,
    "setdefault": lambda: session.setdefault("user", 1),
    "pop of nothing": lambda: session.pop("nothing", None),
    "new": lambda: session.new,
    "permanent": lambda: session.permanent,
    "created_at": lambda: session.created_at,
    "handle": lambda: session.handle,
    "template": lambda: render_template_string("{{ session.user }}"),
    "template, if": lambda: render_template_string("{% if session.nothing %}x{% endif %}"),
}
CHANGES: dict[str, Callable[[], object]] = {
    "[]=": calling("__setitem__", "k", 1),
    "del": calling("__delitem__", "user"),
    "pop": lambda: session.pop("user"),
    "popitem": calling("popitem"),
    "update": lambda: session.update(k=1),
    "|=": calling("__ior__", {"k": 1}),
    "clear": calling("clear"),
    "setdefault": lambda: session.setdefault("k", 1),
    "permanent": lambda: setattr(session, "permanent", True),
    "modified": lambda: setattr(session, "modified", True),
    "regenerate": calling("regenerate"),
    "destroy": calling("destroy"),
    "deep inside": lambda: session["list"].append(1),
}


def site_with(view: Callable[[], object], **options: Any) -> Site:
    site = Site(**options)

    def run() -> str:
        view()
        return "done"

    site.app.add_url_rule("/run", view_func=run)
    return site


@pytest.mark.parametrize("name", LOOKS)
def test_h5_every_way_of_looking_says_vary_cookie(name: str) -> None:
    site = site_with(LOOKS[name])
    good = f"session={Desk().seal({'user': 'ann'})}"
    # An empty session has no first key and no user.
    cookies = [good] if name in ("[]", "first") else [good, "session=rubbish", None]
    for cookie in cookies:
        answer = site.get("/run", cookie)
        assert answer.all("Vary") == ["Cookie"]
        assert name == "setdefault" or answer.cookies == []


@pytest.mark.parametrize("name", CHANGES)
def test_h5_every_way_of_changing_says_vary_cookie_and_no_store(name: str) -> None:
    site = site_with(CHANGES[name])
    answer = site.get("/run", f"session={Desk().seal({'user': 'ann', 'list': []})}")
    assert answer.all("Vary") == ["Cookie"]
    assert answer.all("Cache-Control") == ["no-store"]
    assert len(answer.cookies) == 1


def test_h5_a_look_that_fails_says_vary_cookie() -> None:
    """The error page depends on the session as much as the page would have."""
    site = site_with(lambda: session["nothing"])
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = site.get("/run", f"session={Desk().seal()}")
    assert (answer.status, answer.all("Vary")) == ("500 INTERNAL SERVER ERROR", ["Cookie"])


@pytest.mark.parametrize("problem", ["too large", "of a wrong type"])
def test_h5_the_error_page_of_a_session_that_cannot_be_kept_says_vary_cookie(problem: str) -> None:
    value: object = "x" * 5000 if problem == "too large" else object()
    site = site_with(lambda: session.__setitem__("k", value))
    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    site.app.register_error_handler(500, lambda error: (f"sorry, {session['user']}", 500))
    answer = site.get("/run", f"session={Desk().seal({'user': 'ann'})}")
    assert answer.text == "sorry, ann"
    assert answer.cookies == []
    assert answer.all("Vary") == ["Cookie"]


PRESENT_VARY = {
    "Accept": "Accept, Cookie",
    "Accept, Accept-Encoding": "Accept, Accept-Encoding, Cookie",
    "cookie": "cookie",
    "COOKIE, Accept": "COOKIE, Accept",
    "*": "*",
    "Accept, *": "Accept, *",
    "X-Cookie": "X-Cookie, Cookie",
    "": "Cookie",
    " , ": "Cookie",
}


@pytest.mark.parametrize("present", PRESENT_VARY)
def test_h5_what_the_application_varies_on_is_kept(present: str) -> None:
    site = Site()

    def varied() -> Response:
        response = make_response(str(len(session)))
        response.headers["Vary"] = present
        return response

    site.app.add_url_rule("/varied", view_func=varied)
    assert site.get("/varied").all("Vary") == [PRESENT_VARY[present]]


def test_h5_several_headers_become_one() -> None:
    site = Site()

    def varied() -> Response:
        response = make_response(str(len(session)))
        response.headers.extend([("Vary", "Accept"), ("Vary", "Origin")])
        return response

    site.app.add_url_rule("/varied", view_func=varied)
    assert site.get("/varied").all("Vary") == ["Accept, Origin, Cookie"]


def test_h6_a_refresh_without_a_look_says_vary_cookie_and_no_store() -> None:
    site = Site(refresh_interval=0)
    cookie = f"session={Desk().seal({'user': 'ann', '_permanent': True})}"
    answer = site.get("/untouched", cookie)
    assert len(answer.cookies) == 1
    assert answer.all("Vary") == ["Cookie"]
    assert answer.all("Cache-Control") == ["no-store"]


def test_h6_a_refresh_by_a_look_says_vary_cookie_and_no_store() -> None:
    site = Site(permanent_lifetime=DAY)
    cookie = site.get("/write").pair
    site.now += DAY // 2
    answer = site.get("/read", cookie)
    assert len(answer.cookies) == 1
    assert answer.all("Vary") == ["Cookie"]
    assert answer.all("Cache-Control") == ["no-store"]


@pytest.mark.parametrize(
    "said",
    [
        "public, max-age=600",
        "max-age=600",
        "s-maxage=600",
        "private",
        "no-cache",
        "immutable",
        "PUBLIC",
        "x-no-store",
        'x="no-store"',
    ],
)
@pytest.mark.parametrize("path", ["/write", "/login", "/escalate", "/logout"])
def test_h8_every_cookie_of_ours_says_no_store_whatever_the_application_said(path: str, said: str) -> None:
    site = Site()

    @site.app.after_request
    def cached(response: Response) -> Response:
        response.headers["Cache-Control"] = said
        return response

    answer = site.get(path, f"session={Desk().seal()}")
    assert len(answer.cookies) == 1
    assert answer.all("Cache-Control") == ["no-store"]
    assert site.get("/read", f"session={Desk().seal()}").all("Cache-Control") == [said]


@pytest.mark.parametrize(
    "said", ["no-store", "No-Store", "private, no-store", "no-cache,no-store,must-revalidate", "max-age=0, no-store"]
)
def test_h8_a_no_store_of_the_application_s_own_stays_as_it_is(said: str) -> None:
    site = Site()

    @site.app.after_request
    def uncached(response: Response) -> Response:
        response.headers["Cache-Control"] = said
        return response

    assert site.get("/write").all("Cache-Control") == [said]


def test_h8_a_quoted_no_store_is_none() -> None:
    """A comma within quotes parts nothing (RFC 9110, section 5.6.4)."""
    site = Site()

    @site.app.after_request
    def quoted(response: Response) -> Response:
        response.headers["Cache-Control"] = 'public, max-age=600, note="a, no-store, b"'
        return response

    assert site.get("/write").all("Cache-Control") == ["no-store"]


def test_h8_there_is_never_more_than_one_cookie_of_ours_in_a_response() -> None:
    def busy() -> None:
        for number in range(3):
            session["k"] = number
            session.regenerate()
            session.destroy()
            session.permanent = True
            session["k"] = number

    site = site_with(busy)
    assert len(site.get("/run", f"session={Desk().seal()}").cookies) == 1
    assert len(site.get("/run").cookies) == 1


def streamed(before: Callable[[], object], change: Callable[[], object]) -> Site:
    site = Site()

    def stream() -> Response:
        before()

        def body() -> Iterator[str]:
            yield "first "
            change()
            yield "second"

        return Response(stream_with_context(body()))

    site.app.add_url_rule("/stream", view_func=stream)
    return site


BEFORE: dict[str, Callable[[], object]] = {
    "a change": lambda: session.__setitem__("before", 1),
    "a look": lambda: session.get("user"),
    "nothing": lambda: None,
    "a logout": calling("destroy"),
}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("change", ["[]=", "update", "|=", "permanent", "modified", "regenerate", "setdefault"])
def test_h11_a_change_after_the_headers_went_out_is_an_error(before: str, change: str) -> None:
    """Else it would be lost without a word."""
    site = streamed(BEFORE[before], CHANGES[change])
    with pytest.raises(UsageError, match="headers of this response are gone"):
        site.get("/stream", f"session={Desk().seal({'user': 'ann', 'list': []})}")


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("look", ["in", "len", "iter", "get", "handle", "created_at", "new"])
def test_h11_a_look_after_the_headers_went_out_is_none(before: str, look: str) -> None:
    site = streamed(BEFORE[before], LOOKS[look])
    assert site.get("/stream", f"session={Desk().seal({'user': 'ann'})}").text == "first second"


ATTRIBUTES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "host": {"cookie_name": HOST, "cookie_secure": True},
    "domain": {"cookie_domain": "example.com"},
    "path": {"cookie_path": "/app"},
    "secure": {"cookie_secure": True},
    "not secure": {"cookie_secure": False},
    "strict": {"cookie_samesite": "Strict"},
    "none": {"cookie_samesite": "None", "cookie_secure": True},
    "no same site": {"cookie_samesite": False},
    "partitioned": {"cookie_partitioned": True, "cookie_secure": True},
    "scripts": {"cookie_httponly": False},
    "all": {
        "cookie_name": "__Secure-s",
        "cookie_domain": "example.com",
        "cookie_path": "/a/b",
        "cookie_secure": True,
        "cookie_samesite": "None",
        "cookie_partitioned": True,
    },
}


def attributes(answer: Answer) -> set[str]:
    (cookie,) = answer.cookies
    return {part for part in cookie.split("; ")[1:] if not part.startswith(("Expires=", "Max-Age="))}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_h12_a_deletion_has_the_attributes_of_the_cookie_it_deletes(name: str, scheme: str) -> None:
    """Browsers delete only the cookie that a new one would replace: same name, domain, path and jar."""
    site = Site(**ATTRIBUTES[name])
    wsgi = {"wsgi.url_scheme": scheme}
    written = site.get("/write", **wsgi)
    deleted = site.get("/logout", written.pair, **wsgi)
    assert attributes(deleted) == attributes(written)
    assert deleted.pair == written.pair.partition("=")[0] + "="
    assert "Max-Age=0" in deleted.cookies[0]
    assert "Expires=Thu, 01 Jan 1970 00:00:00 GMT" in deleted.cookies[0]
    assert deleted.all("Vary") == ["Cookie"]
    assert deleted.all("Cache-Control") == ["no-store"]


def test_h12_what_a_browser_does_not_have_is_not_deleted() -> None:
    answer = Site().get("/logout")
    assert (answer.cookies, answer.all("Cache-Control")) == ([], [])


@pytest.mark.parametrize("cookie", [None, "session=rubbish", "session=" + "A" * 5000, "other=1"])
def test_h13_a_route_that_never_touches_the_session_says_nothing_of_it(cookie: str | None) -> None:
    site = Site()
    answer = site.get("/untouched", cookie)
    assert [name for name, _ in answer.headers] == ["Content-Type", "Content-Length"]
    assert site.events == []


def test_h13_a_valid_session_that_nobody_touches_is_not_even_opened() -> None:
    site = Site(permanent_lifetime=DAY)
    cookie = site.get("/write").pair
    site.events.clear()
    for _ in range(3):
        site.now += DAY
        assert site.get("/untouched", cookie) == site.get("/untouched")
    assert site.events == []


SPOOFS: dict[str, dict[str, str]] = {
    "http": {"HTTP_X_FORWARDED_PROTO": "http"},
    "https": {"HTTP_X_FORWARDED_PROTO": "https"},
    "list": {"HTTP_X_FORWARDED_PROTO": "http, https"},
    "ssl": {"HTTP_X_FORWARDED_SSL": "off"},
    "forwarded": {"HTTP_FORWARDED": "proto=http"},
    "front end": {"HTTP_FRONT_END_HTTPS": "on"},
    "port": {"HTTP_X_FORWARDED_PORT": "80"},
    "scheme": {"HTTP_X_FORWARDED_SCHEME": "https", "HTTP_X_URL_SCHEME": "https"},
}


@pytest.mark.parametrize("name", SPOOFS)
def test_h15_a_forwarded_scheme_from_an_untrusted_hop_changes_nothing(name: str) -> None:
    site = Site()
    for scheme in ("http", "https"):
        wsgi = {"wsgi.url_scheme": scheme}
        assert site.get("/write", **wsgi, **SPOOFS[name]).masked() == site.get("/write", **wsgi).masked()
        assert ("; Secure" in site.get("/write", **wsgi, **SPOOFS[name]).cookies[0]) is (scheme == "https")


def test_h15_with_a_trusted_proxy_the_scheme_that_it_says_counts() -> None:
    site = Site()
    site.app.wsgi_app = ProxyFix(site.app.wsgi_app, x_proto=1)  # type: ignore[method-assign]
    assert "; Secure" in site.get("/write", HTTP_X_FORWARDED_PROTO="https").cookies[0]
    assert "; Secure" not in site.get("/write", HTTP_X_FORWARDED_PROTO="http").cookies[0]
    # The visitor wrote the first, the proxy the last.
    assert "; Secure" in site.get("/write", HTTP_X_FORWARDED_PROTO="http, https").cookies[0]
    assert "; Secure" not in site.get("/write", HTTP_X_FORWARDED_PROTO="https, http").cookies[0]


@pytest.mark.parametrize("name", SPOOFS)
def test_h15_a_cookie_that_is_always_secure_stays_so(name: str) -> None:
    for site in (Site(cookie_secure=True), Site(cookie_name=HOST, cookie_secure=True)):
        assert "; Secure" in site.get("/write", **SPOOFS[name]).cookies[0]
