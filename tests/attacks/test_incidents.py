"""What went wrong elsewhere, replayed here. Each name says whose incident it was.

Those of stores stand with the attacks that they were: test_d_store.py has the unpickling
of rows, test_w_races.py the rows that came back, test_dump.py the raw ids as keys, and
test_r_on_server.py ids as file names, adopted ids and rows for anonymous visitors.

Absent on purpose, since they need revocation: sessions that outlive a change of
password, and refreshes that undo a concurrent logout.
"""

from __future__ import annotations

import ast
import os
import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from attacks.harness import (
    CIPHERTEXT_AT,
    CONTENT,
    DAY,
    EARLIER_SECRET,
    FOREIGN_SECRET,
    PACKAGE,
    SECRET,
    TAG_BYTES,
    Desk,
    Site,
)
from flask import Response, request, stream_with_context
from itsdangerous import URLSafeTimedSerializer

from coatcheck import Keyring, Reason, Settings, UsageError
from coatcheck.core.text import decode
from coatcheck.flask import session

Check = Callable[..., None]


def imports_and_calls(tree: ast.AST) -> Iterator[str]:
    """Names every module that is imported and every function that is called by its name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield f"{node.func.id}()"


def sources() -> dict[Path, ast.AST]:
    return {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def test_flask_cve_2023_30861_a_cookie_that_is_only_refreshed_says_vary_and_no_store() -> None:
    site = Site(permanent_lifetime=DAY)
    cookie = site.get("/write").pair
    site.now += DAY // 2
    answer = site.get("/read", cookie)
    assert len(answer.cookies) == 1
    assert (answer.all("Vary"), answer.all("Cache-Control")) == (["Cookie"], ["no-store"])


@pytest.mark.parametrize(
    "look", [lambda: "user" in session, lambda: len(session), lambda: list(session)], ids=["in", "len", "iter"]
)
def test_flask_cve_2026_27205_looking_at_keys_alone_says_vary(site: Site, look: Callable[[], object]) -> None:
    site.app.add_url_rule("/keys", view_func=lambda: f"{look()}")
    assert site.get("/keys", f"session={Desk().seal()}").all("Vary") == ["Cookie"]
    assert site.get("/keys").all("Vary") == ["Cookie"]


def test_django_cve_2026_35192_a_cookie_that_goes_with_every_response_says_vary_and_no_store() -> None:
    site = Site(refresh_interval=0)
    answer = site.get("/untouched", f"session={Desk().seal(CONTENT)}")
    assert len(answer.cookies) == 1
    assert (answer.all("Vary"), answer.all("Cache-Control")) == (["Cookie"], ["no-store"])


def test_django_cve_2026_6907_a_star_in_vary_stays_alone(site: Site) -> None:
    @site.app.after_request
    def star(response: Response) -> Response:
        response.headers["Vary"] = "*"
        return response

    assert site.get("/read").all("Vary") == ["*"]
    assert site.get("/write").all("Vary") == ["*"]


def test_django_cve_2026_8404_directives_are_written_in_lower_case_and_read_in_any(site: Site) -> None:
    assert Site().get("/write").all("Cache-Control") == ["no-store"]

    @site.app.after_request
    def shouted(response: Response) -> Response:
        response.headers["Cache-Control"] = "PUBLIC, MAX-AGE=600"
        return response

    assert site.get("/write").all("Cache-Control") == ["no-store"]


def test_flask_cve_2025_47278_after_a_rotation_the_primary_key_seals() -> None:
    for fallbacks in ([EARLIER_SECRET, FOREIGN_SECRET], [FOREIGN_SECRET, EARLIER_SECRET]):
        site = Site(secret_key=SECRET, secret_key_fallbacks=fallbacks)
        assert decode(site.get("/write").token)[1:5] == Keyring(SECRET).primary.id


def test_rack_cve_2026_39324_what_does_not_decrypt_is_not_read_in_any_other_way(
    site: Site, gives_an_empty_session: Check
) -> None:
    plain = URLSafeTimedSerializer(SECRET, salt="cookie-session").dumps({"user": "mallory"})
    gives_an_empty_session(site, f"session={plain}", Reason.MALFORMED)
    gives_an_empty_session(site, "session=eyJ1c2VyIjoibWFsbG9yeSJ9", Reason.MALFORMED)


def test_asp_net_cve_2026_40372_no_bit_of_a_tag_can_differ() -> None:
    desk = Desk()
    raw = decode(desk.seal())
    for bit in range(8 * TAG_BYTES):
        tag = (int.from_bytes(raw[-TAG_BYTES:], "big") ^ 1 << bit).to_bytes(TAG_BYTES, "big")
        assert desk.refusals([raw[:-TAG_BYTES] + tag]) == {Reason.FORGED}


def test_asp_net_ms10_070_bad_padding_and_a_bad_tag_look_the_same_from_outside(site: Site, desk: Desk) -> None:
    bad_tag = f"session={desk.seal()[:-1]}"
    bad_padding = f"session={desk.seal_plaintext(b'x' * 64)}"
    answers = {site.get("/look", cookie) for cookie in (bad_tag, bad_padding, "session=")}
    assert answers == {site.get("/look")}


PUBLISHED = [
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    b'_5#y2L"F4Q8z\n\xec]/',
    "\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "thisISaSECRET_1234",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    "TEST_NON_DEV_SECRET",
    "temporary_key",
]


@pytest.mark.parametrize("secret", PUBLISHED, ids=range(len(PUBLISHED)))
def test_superset_cve_2023_27524_a_published_key_is_refused(secret: str | bytes) -> None:
    with pytest.raises(UsageError):
        Site(secret_key=secret)


def test_superset_cve_2023_27524_there_is_no_default_key() -> None:
    with pytest.raises(TypeError):
        Keyring()  # type: ignore[call-arg]
    site = Site(secret_key=None)
    with pytest.raises(RuntimeError):
        site.get("/write")


def test_asp_net_machine_keys_no_document_of_ours_shows_a_key_that_would_be_taken() -> None:
    """Whatever is long and looks like a key in the package's own text is refused, or is no key at all."""
    found: list[str] = []
    for path in PACKAGE.rglob("*.py"):
        if path.name == "strength.py":
            continue
        found += re.findall(r"(?<![\w/])[0-9a-fA-F]{32,}(?!\w)", path.read_text())
        found += re.findall(r"secret_key\s*=\s*[\"']([^\"']{16,})[\"']", path.read_text(), re.IGNORECASE)
    for key in found:
        with pytest.raises(UsageError):
            Keyring(key)


def test_airflow_cve_2020_17526_a_cookie_is_bound_to_audience_and_name(gives_an_empty_session: Check) -> None:
    token = Site(audience="one").get("/write").token
    gives_an_empty_session(Site(audience="two"), f"session={token}", Reason.FORGED)
    gives_an_empty_session(Site(audience="one", cookie_name="other"), f"other={token}", Reason.FORGED)


@pytest.mark.parametrize(
    "secret", ["aaaaaaaaaaaaaaaaaaaaaaaa", "password123password", "my name is my secret", "1234567890123456"]
)
def test_flask_unsign_a_key_that_can_be_guessed_offline_is_refused(secret: str) -> None:
    with pytest.raises(UsageError):
        Site(secret_key=secret)


def test_laravel_cve_2018_15133_a_known_key_makes_data_and_runs_nothing() -> None:
    """Whoever has the key can forge any session, and no more than that."""
    forbidden = {
        "pickle",
        "cPickle",
        "marshal",
        "shelve",
        "dill",
        "yaml",
        "jsonpickle",
        "eval()",
        "exec()",
        "compile()",
    }
    forbidden |= {"__import__()", "importlib", "subprocess", "os.system", "builtins", "copyreg"}
    for path, tree in sources().items():
        # The driver of a database is imported by a name that stands in a table there.
        allowed = {"importlib"} if path == PACKAGE / "stores" / "sql" / "drivers.py" else set()
        assert forbidden & set(imports_and_calls(tree)) <= allowed, path


def test_flask_session_0_8_the_package_imports_no_pickle_and_the_scan_would_see_it() -> None:
    guilty = ast.parse("import pickle\nfrom os import system\neval('1')")
    assert set(imports_and_calls(guilty)) == {"pickle", "os", "os.system", "eval()"}
    assert not [path for path, tree in sources().items() if "pickle" in set(imports_and_calls(tree))]
    assert len(sources()) > 10


def test_beaker_cve_2012_3458_equal_blocks_of_content_give_no_equal_blocks(desk: Desk) -> None:
    content = {"k": "A" * 1600}
    raw = decode(desk.seal(content))
    ciphertext = raw[CIPHERTEXT_AT:-TAG_BYTES]
    for offset in range(16):
        blocks = [ciphertext[at : at + 16] for at in range(offset, len(ciphertext) - 16, 16)]
        assert len(set(blocks)) == len(blocks)


def test_beaker_cve_2012_3458_two_seals_of_one_session_have_nothing_in_common(desk: Desk) -> None:
    tokens = [decode(desk.seal(CONTENT))[CIPHERTEXT_AT:] for _ in range(200)]
    windows = [token[at : at + 8] for token in tokens for at in range(len(token) - 8)]
    assert len(set(windows)) == len(windows)


def test_rack_cve_2013_0263_the_sealing_compares_nothing_itself() -> None:
    """Tags are compared inside AES-GCM, in constant time; a comparison here would not be."""
    tree = sources()[PACKAGE / "core" / "seal.py"]
    compared = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops)
    ]
    assert compared == []


def test_werkzeug_cve_2023_23934_a_nameless_cookie_is_no_cookie_of_ours(gives_an_empty_session: Check) -> None:
    site = Site(cookie_name="__Host-session", cookie_secure=True)
    evil = Desk(cookie_name="__Host-session", cookie_secure=True).seal({"user": "mallory"})
    gives_an_empty_session(site, f"=__Host-session={evil}")


def test_rack_cve_2020_8184_a_percent_encoded_name_is_no_name_of_ours(gives_an_empty_session: Check) -> None:
    site = Site(cookie_name="__Host-session", cookie_secure=True)
    evil = Desk(cookie_name="__Host-session", cookie_secure=True).seal({"user": "mallory"})
    gives_an_empty_session(site, f"__%48ost-session={evil}")


@pytest.mark.parametrize("blank", ["\u2000", "\xa0", "\x85", "\x1c", "\xe2\x80\x80", "\xc2\xa0", "\xc2\x85"], ids=ascii)
def test_prefix_smuggling_a_unicode_space_before_our_name_makes_another_name(
    blank: str, gives_an_empty_session: Check
) -> None:
    site = Site(cookie_name="__Host-session", cookie_secure=True)
    good = site.get("/write").pair
    evil = Desk(cookie_name="__Host-session", cookie_secure=True).seal({"user": "mallory"})
    gives_an_empty_session(site, f"{blank}__Host-session={evil}")
    assert site.get("/read", f"{good}; {blank}__Host-session={evil}").text == "user: ann"


def test_python_cve_2024_7592_no_parser_of_others_reads_our_cookies(site: Site) -> None:
    """The quadratic one, and those that un-escape: not imported, and not asked through the framework."""
    for path, tree in sources().items():
        # Django's responses take a cookie as the `Morsel` that they write, which reads nothing.
        found = set(imports_and_calls(tree)) - (
            {"http.cookies", "http.cookies.Morsel"} if "Morsel" in ast.dump(tree) else set()
        )
        assert not {name for name in found if name.startswith(("http.cookie", "werkzeug.http.", "flask.helpers"))}, path
        read = {
            ast.unparse(node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and node.attr in {"cookies", "COOKIES"}
        }
        # What a response sets, and not what a request brings.
        assert read <= {"decision", "response"}, path
    escapes = "\\012" * 15_000
    assert site.get("/read", f'session="{escapes}"').text == "user: nobody"
    assert site.reasons == [Reason.TOO_LONG]


def test_starlette_178_every_token_has_a_time_and_ends(site: Site, gives_an_empty_session: Check) -> None:
    cookie = site.get("/write").pair
    site.now += 31 * DAY + 1
    gives_an_empty_session(site, cookie, Reason.EXPIRED)


@pytest.mark.parametrize(
    "packed", [b"", b"\xc1", b"not msgpack", b"\x93\x01\x02\x03", b"\xc0", b'{"a": 1}'], ids=range(6)
)
def test_starlette_1_10_sealed_garbage_gives_an_empty_session_and_no_500(
    site: Site, desk: Desk, packed: bytes, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(site, f"session={desk.seal_packed(packed)}", Reason.UNREADABLE)


def test_aiohttp_session_cve_2018_1000814_expiry_is_the_server_s(gives_an_empty_session: Check) -> None:
    site = Site(permanent_lifetime=60)
    pair = site.get("/write").pair
    site.now += 61
    gives_an_empty_session(site, pair, Reason.EXPIRED)


def test_aiohttp_session_cve_2018_1000519_an_id_of_the_client_s_is_not_adopted(site: Site) -> None:
    site.app.add_url_rule("/handle", view_func=lambda: session.handle)
    chosen = "6d" * 16
    for cookie in (
        f"session={chosen}",
        f"session={Desk(Keyring(FOREIGN_SECRET)).seal(session_id=bytes.fromhex(chosen))}",
    ):
        assert site.get("/handle", cookie).text != chosen
        assert chosen not in str(site.get("/write", cookie).headers)


def test_starsessions_87_the_policy_wins_over_what_a_token_was_sealed_under(gives_an_empty_session: Check) -> None:
    cookie = Site(permanent_lifetime=400 * DAY).get("/write").pair
    site = Site(permanent_lifetime=60, absolute_lifetime=30)
    site.now += 31
    gives_an_empty_session(site, cookie, Reason.TOO_OLD)


def test_django_cve_2015_5143_visitors_who_do_nothing_leave_nothing(site: Site) -> None:
    for number in range(1000):
        answer = site.get(("/read", "/look", "/logout", "/untouched")[number % 4])
        assert answer.cookies == []
    assert site.events == []


def interleave(site: Site, users: int, requests: int) -> list[str]:
    """Runs visitors in threads of their own, each of whom must see only what is theirs."""
    wrong: list[str] = []
    start = threading.Barrier(users)

    def visitor(name: str) -> None:
        start.wait()
        cookie = site.get(f"/write?user={name}").pair
        for _ in range(requests):
            answer = site.get("/slowly", cookie)
            if answer.text != f"{name} {name} {name}":
                wrong.append(answer.text)

    threads = [threading.Thread(target=visitor, args=(f"user{number}",)) for number in range(users)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_frankenphp_cve_2026_24894_a_worker_that_lives_long_keeps_no_visitor_s_session() -> None:
    site = Site()

    def slowly() -> Response:
        first = session["user"]

        def body() -> Iterator[str]:
            yield first + " "
            # Another request runs in this thread meanwhile, as in a worker of an event loop.
            other = site.get("/look", f"session={Desk().seal({'user': 'between'})}")
            assert "between" in other.text
            yield session["user"] + " "
            yield str(session.get("user"))

        return Response(stream_with_context(body()))

    site.app.add_url_rule("/slowly", view_func=slowly)
    assert interleave(site, users=8, requests=25) == []
    assert site.get("/read").text == "user: nobody"


def test_frankenphp_cve_2026_24894_an_error_leaves_no_session_behind() -> None:
    site = Site()
    site.app.add_url_rule("/fail", view_func=lambda: session.get("user") and session["nothing"])
    cookie = site.get("/write").pair
    for _ in range(20):
        with pytest.raises(KeyError):
            site.get("/fail", cookie)
        assert site.get("/read").text == "user: nobody"


def test_django_cve_2014_0482_a_session_that_changes_its_user_by_beginning_anew_keeps_nothing(site: Site) -> None:
    admin = f"session={Desk().seal({'user': 'admin', 'rights': ['all']})}"
    assert site.get("/look", site.get("/login?user=guest", admin).pair).text == "False [('user', 'guest')]"


def test_express_session_the_defaults_are_safe() -> None:
    site = Site()
    over_http = site.get("/write").masked().cookies[0]
    over_https = site.get("/write", **{"wsgi.url_scheme": "https"}).masked().cookies[0]
    assert over_http == "session=(sealed); HttpOnly; Path=/; SameSite=Lax"
    assert over_https == "session=(sealed); Secure; HttpOnly; Path=/; SameSite=Lax"
    settings = Settings()
    assert settings.permanent_lifetime == timedelta(days=31)
    assert (settings.cookie_httponly, settings.cookie_secure, settings.cookie_samesite) == (True, None, "Lax")
    assert (settings.cookie_domain, settings.allow_weak_key) == (None, False)
    assert not any(word in settings.cookie_name for word in ("flask", "python", "coatcheck", "connect"))


def test_rails_cve_2019_5420_debug_mode_makes_up_no_key() -> None:
    site = Site(secret_key=None)
    site.app.debug = True
    with pytest.raises(RuntimeError):
        site.get("/write")


def test_iron_session_a_seal_is_bound_to_its_name_and_no_lifetime_is_infinite() -> None:
    token = Site(cookie_name="one").get("/write").token
    desk = Desk(cookie_name="two")
    assert desk.refusal(token) is Reason.FORGED
    for lifetime in (0, -1, None, float("inf")):
        with pytest.raises(UsageError):
            Settings(permanent_lifetime=lifetime)  # type: ignore[arg-type]


def test_rack_session_61_no_character_of_a_token_means_anything_to_a_cookie_parser(site: Site) -> None:
    """`+` came back as a space there. Through Werkzeug's client and parser, too."""
    site.app.add_url_rule("/jar", view_func=lambda: request.cookies["session"])
    client = site.app.test_client()
    for number in range(300):
        client.get(f"/write?user={number}")
        cookie = client.get_cookie("session")
        assert cookie is not None
        assert re.fullmatch(r"[A-Za-z0-9_-]+", cookie.value)
        assert client.get("/jar").text == cookie.value
        assert client.get("/read").text == f"user: {number}"


def test_no_compression_the_length_says_nothing_of_repetition(desk: Desk) -> None:
    """As CRIME and BREACH read secrets beside reflected text from visible lengths."""
    lengths = {
        len(desk.seal({"secret": "5f2a9c", "reflected": guess})) for guess in ("5f2a9c" * 4, os.urandom(12).hex())
    }
    assert len(lengths) == 1
    steps = sorted({len(decode(desk.seal({"k": "x" * count}))) for count in range(200)})
    assert {after - before for before, after in pairwise(steps)} == {32}
