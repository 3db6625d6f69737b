"""C: the `Cookie` header, as browsers, neighbours and attackers write it.

Headers are given as WSGI does: text of Latin-1 characters, several `Cookie`
headers joined by the server.

Absent on purpose:
    C13 for ASGI: this version has no ASGI; the joining that WSGI servers do is here.
    C16's login call: `regenerate` and `destroy`, with which an application logs in, are here.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations

import pytest
from attacks.harness import CONTENT, NOW, Desk, Site

from coatcheck import Reason, Settings, UsageError
from coatcheck.core.cookie import find_values
from coatcheck.core.events import Kind

Check = Callable[..., None]

HOST = "__Host-session"
MALFORMED, AMBIGUOUS = Reason.MALFORMED, Reason.AMBIGUOUS


@pytest.fixture
def good(desk: Desk) -> str:
    return desk.seal()


@pytest.fixture
def evil(desk: Desk) -> str:
    """A valid session of the attacker's own."""
    return desk.seal({"user": "mallory"}, session_id=b"m" * 16)


@pytest.fixture
def host_site() -> Site:
    return Site(cookie_name=HOST, cookie_secure=True)


@pytest.fixture
def host_evil() -> str:
    return Desk(cookie_name=HOST, cookie_secure=True).seal({"user": "mallory"}, session_id=b"m" * 16)


RUBBISH = ["", "x", "garbage", '"quoted"', "a=b", "%41", "\xe9", "A" * 120, "A" * 5000]


@pytest.mark.parametrize("rubbish", RUBBISH, ids=range(len(RUBBISH)))
def test_c1_a_good_cookie_beside_rubbish_of_our_name_is_used(site: Site, good: str, rubbish: str) -> None:
    expected = site.get("/look", f"session={good}")
    assert "xiaoming" in expected.text
    for header in (f"session={good}; session={rubbish}", f"session={rubbish}; session={good}"):
        site.events.clear()
        assert site.get("/look", header) == expected
        assert len(site.reasons) == 1
        answer = site.get("/write", header)
        assert site.events[-1].kind is Kind.CHANGED
        assert site.get("/read", answer.pair).text == "user: ann"


def test_c1_a_good_cookie_is_found_behind_three_that_are_rubbish_and_not_behind_four(site: Site, good: str) -> None:
    for count in range(8):
        rubbish = [f"session=rubbish{number}" for number in range(count)]
        site.events.clear()
        found = site.get("/read", "; ".join([*rubbish, f"session={good}"])).text == "user: xiaoming"
        assert found is (count < 4)
        assert site.reasons == [MALFORMED] * min(count, 4)


def test_c1_the_same_cookie_twice_is_one(site: Site, good: str) -> None:
    assert site.get("/read", f"session={good}; session={good}; session={good}").text == "user: xiaoming"
    assert site.reasons == []


def test_c1_of_two_seals_of_one_session_the_later_counts(site: Site, desk: Desk) -> None:
    older = desk.seal({"user": "before"}, sealed_at=NOW - 10)
    newer = desk.seal({"user": "after"}, sealed_at=NOW)
    for first, second in permutations([older, newer]):
        assert site.get("/read", f"session={first}; session={second}").text == "user: after"
    assert site.reasons == []


def test_c2_two_different_valid_sessions_give_an_empty_one(
    site: Site, good: str, evil: str, gives_an_empty_session: Check
) -> None:
    for first, second in permutations([good, evil]):
        gives_an_empty_session(site, f"session={first}; session={second}", AMBIGUOUS)
        gives_an_empty_session(site, f"session=x; session={first}; session={second}", MALFORMED, AMBIGUOUS)
        gives_an_empty_session(site, f"session={first}; session=x; session={second}", MALFORMED, AMBIGUOUS)


def test_c2_an_ambiguous_header_is_warned_of_once(
    site: Site, good: str, evil: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        site.get("/read", f"session={good}; session={evil}")
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "two different sessions" in warning.message


def test_c3_a_cookie_tossed_from_a_sibling_never_replaces_the_visitor_s(
    site: Site, good: str, evil: str, gives_an_empty_session: Check
) -> None:
    """One with a longer path comes first and one with a shorter path last; the header does not say which is which."""
    gives_an_empty_session(site, f"session={evil}; session={good}", AMBIGUOUS)
    gives_an_empty_session(site, f"session={good}; session={evil}", AMBIGUOUS)
    assert site.get("/read", f"session={good}; session=tossed").text == "user: xiaoming"
    assert site.get("/read", f"session=tossed; session={good}").text == "user: xiaoming"


def test_c3_a_tossed_cookie_of_another_name_cannot_stand_for_a_host_cookie(
    host_site: Site, evil: str, host_evil: str, gives_an_empty_session: Check
) -> None:
    """A sibling can set anything but a name that begins with __Host-."""
    good = host_site.get("/write").pair
    for name in ("session", "__Secure-session", "host-session", "_Host-session", "Host-session"):
        gives_an_empty_session(host_site, f"{name}={host_evil}")
        assert host_site.get("/read", f"{name}={host_evil}; {good}").text == "user: ann"
    gives_an_empty_session(host_site, f"{HOST}={evil}", Reason.FORGED)


@pytest.mark.parametrize("start", ["=", " =", "\t=", "==", "= ", "=x; =", "; =", "=\xa0"])
def test_c4_a_nameless_cookie_is_ignored(
    host_site: Site, host_evil: str, start: str, gives_an_empty_session: Check
) -> None:
    header = f"{start}{HOST}={host_evil}"
    gives_an_empty_session(host_site, header)
    good = host_site.get("/write").pair
    for whole in (f"{header}; {good}", f"{good}; {header}"):
        assert host_site.get("/read", whole).text == "user: ann"
    assert host_site.reasons == []


@pytest.mark.parametrize(
    "header", [HOST, f"{HOST};", f"; {HOST} ;", f"a=b; {HOST}; c=d", f"{HOST}-={'x'}", f"x{HOST}=x"]
)
def test_c5_our_name_without_an_equals_sign_is_ignored(
    host_site: Site, header: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(host_site, header)
    good = host_site.get("/write").pair
    assert host_site.get("/read", f"{header}; {good}").text == "user: ann"
    assert host_site.get("/read", f"{good}; {header}").text == "user: ann"


ENCODED = ["%5F%5FHost-session", "%5f%5fHost-session", "__Host%2Dsession", "%255F%255FHost-session"]
ENCODED += ["".join(f"%{ord(each):02X}" for each in HOST), "__Host-sessio%6E", "__Host-session%00", "__Host-session%3D"]


@pytest.mark.parametrize("name", ENCODED)
def test_c7_a_percent_encoded_name_is_another_name(
    host_site: Site, host_evil: str, name: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(host_site, f"{name}={host_evil}")


@pytest.mark.parametrize(
    "name", ["__HOST-session", "__host-session", "__Host-Session", "__HOST-SESSION", "__Host-\u017fession"]
)
def test_c8_a_name_in_another_case_is_another_name(
    host_site: Site, host_evil: str, name: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(host_site, f"{name}={host_evil}")


LEGACY = [
    '$Version=1; session="{good}"; $Path="/"; $Domain="example.com"',
    "$Version=1; $session={good}",
    '$Version="1"; session="{good}"; $Port="80"',
]


@pytest.mark.parametrize("header", LEGACY)
def test_c9_dollar_names_are_ordinary_names_and_switch_no_mode(
    site: Site, good: str, header: str, gives_an_empty_session: Check
) -> None:
    reasons = () if "$session" in header else (MALFORMED,)
    gives_an_empty_session(site, header.format(good=good), *reasons)
    assert site.get("/read", f"$Version=1; session={good}; $Path=/").text == "user: xiaoming"
    assert site.get("/read", f'$Version="1", session={good}').text == "user: nobody"


def test_c9_a_dollar_name_of_our_own_is_a_name() -> None:
    site = Site(cookie_name="$Version")
    assert site.get("/read", site.get("/write").pair).text == "user: ann"


# What Python's `str.strip` drops, other Unicode blanks, and what stands for them as bytes of UTF-8 read as Latin-1.
BLANKS = [
    "\x0b",
    "\x0c",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x1f",
    "\x85",
    "\xa0",
    "\u2000",
    "\u2003",
    "\u3000",
    "\ufeff",
    "\u200b",
]
BLANKS += [
    "\x00",
    "\r",
    "\n",
    "\r\n",
    "\xc2\xa0",
    "\xe2\x80\x80",
    "\xe3\x80\x80",
    "\xef\xbb\xbf",
    '"',
    "\\",
    "+",
    ",",
    "/",
    ".",
]


@pytest.mark.parametrize("blank", BLANKS, ids=ascii)
def test_c4_no_blank_but_space_and_tab_is_dropped_from_a_name(
    host_site: Site, host_evil: str, blank: str, gives_an_empty_session: Check
) -> None:
    for name in (blank + HOST, blank + blank + HOST, HOST + blank, "__Host" + blank + "-session", f"a{blank}{HOST}"):
        gives_an_empty_session(host_site, f"{name}={host_evil}")
    good = host_site.get("/write").pair
    assert host_site.get("/read", f"{blank}{HOST}={host_evil}; {good}").text == "user: ann"
    assert host_site.get("/read", f"{good}; {blank}{HOST}={host_evil}").text == "user: ann"
    assert host_site.reasons == []


@pytest.mark.parametrize("blank", [" ", "\t", "  ", " \t "])
def test_c4_spaces_and_tabs_around_a_pair_are_the_header_s(site: Site, good: str, evil: str, blank: str) -> None:
    for header in (
        f"{blank}session={good}",
        f"session={good}{blank}",
        f"a=b;{blank}session={good}{blank};c=d",
        f"a=b{blank};session={good}",
    ):
        assert site.get("/read", header).text == "user: xiaoming"
    assert site.get("/read", f"{blank}session={good};{blank}session={evil}").text == "user: nobody"
    assert site.reasons == [AMBIGUOUS]


@pytest.mark.parametrize("blank", [" ", "\t"])
def test_c4_a_name_with_a_blank_before_its_equals_sign_is_another_name(
    site: Site, good: str, blank: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(site, f"session{blank}={good}")
    gives_an_empty_session(site, f"session={blank}{good}", MALFORMED)


@pytest.mark.parametrize("separator", [";", "; ", ";  ", " ; ", ";\t", ";;", "; ; ", ";;;;"])
def test_c13_pairs_are_found_between_separators_of_every_kind(site: Site, good: str, separator: str) -> None:
    for parts in (("a=1", f"session={good}", "b=2"), (f"session={good}", "a=1"), ("a=1", f"session={good}")):
        assert site.get("/read", separator.join(parts)).text == "user: xiaoming"
        assert site.get("/read", separator + separator.join(parts) + separator).text == "user: xiaoming"
    assert site.reasons == []


def test_c13_several_headers_that_a_server_joins_by_semicolons_are_read(site: Site, good: str, evil: str) -> None:
    assert site.get("/read", f"a=1; b=2; session={good}; c=3").text == "user: xiaoming"
    assert site.get("/read", f"session={evil}; a=1; session={good}").text == "user: nobody"
    assert site.reasons == [AMBIGUOUS]


def test_c13_several_headers_that_a_server_joins_by_commas_give_empty_sessions_or_their_own(
    site: Site, good: str, gives_an_empty_session: Check
) -> None:
    """As WSGI servers join doubled headers; HTTP/1.1 forbids a browser to send two (RFC 6265, section 5.4)."""
    gives_an_empty_session(site, f"session={good},a=1", MALFORMED)
    gives_an_empty_session(site, f"a=1,session={good}")
    gives_an_empty_session(site, f"session={good},session={good}", MALFORMED)
    assert site.get("/read", f"a=1,b=2; session={good}").text == "user: xiaoming"


def test_c14_an_empty_value_gives_an_empty_session(site: Site, gives_an_empty_session: Check) -> None:
    for header in ("session=", "session=;", "session= ", "session=; a=b", "a=b; session="):
        gives_an_empty_session(site, header, MALFORMED)
    gives_an_empty_session(site, 'session=""', MALFORMED)


@pytest.mark.parametrize(
    "header", ["", " ", ";", "=", "; ; ;", "other=1", "a=1; b=2; c=3", "sessio=x", "sessions=x", "session"]
)
def test_c15_a_cookie_that_the_browser_has_dropped_gives_an_empty_session(
    site: Site, header: str, gives_an_empty_session: Check
) -> None:
    gives_an_empty_session(site, header)


def test_c15_a_name_that_ends_or_begins_like_ours_is_not_ours(
    site: Site, good: str, gives_an_empty_session: Check
) -> None:
    for name in (
        "xsession",
        "my session",
        "my;xsession",
        "session2",
        "session.",
        "a=session",
        "a; b=session",
        "sess\x00ion",
    ):
        gives_an_empty_session(site, f"{name}={good}")


def test_c16_a_login_that_begins_anew_drops_a_planted_session(site: Site, evil: str) -> None:
    answer = site.get("/login?user=victim", f"session={evil}")
    assert answer.text != ("6d" * 16)
    assert site.get("/look", answer.pair).text == "False [('user', 'victim')]"
    assert len(answer.cookies) == 1
    assert site.get("/read", f"session={evil}").text == "user: mallory"


def test_c16_a_login_that_regenerates_gets_another_id(site: Site, evil: str) -> None:
    answer = site.get("/escalate?user=victim", f"session={evil}")
    assert answer.text != ("6d" * 16)
    assert site.get("/read", answer.pair).text == "user: victim"
    assert site.get("/read", f"session={evil}").text == "user: mallory"


def test_c16_a_planted_session_beside_the_new_one_is_ambiguous_and_never_the_attacker_s(
    site: Site, evil: str, gives_an_empty_session: Check
) -> None:
    victim = site.get("/login?user=victim", f"session={evil}").pair
    gives_an_empty_session(site, f"{victim}; session={evil}", AMBIGUOUS)
    gives_an_empty_session(site, f"session={evil}; {victim}", AMBIGUOUS)


@pytest.fixture
def renamed() -> Site:
    return Site(cookie_name="sid", earlier_cookie_names=("session",))


def test_c17_after_a_rename_the_old_cookie_is_taken_over_and_expired(renamed: Site, good: str) -> None:
    answer = renamed.get("/read", f"session={good}")
    assert answer.text == "user: xiaoming"
    set_new, delete_old = answer.cookies
    assert set_new.startswith("sid=")
    assert delete_old.startswith("session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0;")
    assert [event.kind for event in renamed.events] == [Kind.RESEALED]
    again = renamed.get("/look", set_new.partition(";")[0])
    assert (again.text, again.cookies) == (f"False {sorted(CONTENT.items(), key=str)}", [])


def test_c17_of_an_old_and_a_new_cookie_the_new_one_wins(renamed: Site, good: str) -> None:
    new = Site(cookie_name="sid").get("/write?user=new").pair
    for header in (f"{new}; session={good}", f"session={good}; {new}"):
        assert renamed.get("/read", header).text == "user: new"
        set_new, delete_old = renamed.get("/write?user=newer", header).cookies
        assert set_new.startswith("sid=")
        assert delete_old.startswith("session=;")
    assert renamed.reasons == []


def test_c17_rubbish_under_the_new_name_leaves_the_old_one_good(renamed: Site, good: str) -> None:
    answer = renamed.get("/read", f"sid=rubbish; session={good}")
    assert answer.text == "user: xiaoming"
    assert [cookie.partition("=")[0] for cookie in answer.cookies] == ["sid", "session"]


def test_c17_logging_out_deletes_both(renamed: Site, good: str) -> None:
    new = Site(cookie_name="sid").get("/write").pair
    answer = renamed.get("/logout", f"{new}; session={good}")
    assert [cookie.partition(";")[0] for cookie in answer.cookies] == ["sid=", "session="]
    assert all("Max-Age=0" in cookie for cookie in answer.cookies)


def test_c17_the_token_of_one_name_does_not_open_under_the_other(renamed: Site, good: str) -> None:
    new = Site(cookie_name="sid").get("/write").token
    assert renamed.get("/read", f"sid={good}").text == "user: nobody"
    assert renamed.get("/read", f"session={new}").text == "user: nobody"
    assert renamed.reasons == [Reason.FORGED, Reason.FORGED]


def test_c17_two_sessions_under_the_new_name_do_not_fall_back_to_the_old_one(renamed: Site, good: str) -> None:
    """Else a sibling that sets one cookie of each name would choose the session that the visitor is in."""
    one = Site(cookie_name="sid").get("/write?user=one").pair
    two = Site(cookie_name="sid").get("/write?user=two").pair
    assert renamed.get("/read", f"{one}; {two}; session={good}").text == "user: nobody"


@pytest.mark.parametrize("names", ["session", "old", "__Host-session", b"old"])
def test_c17_one_name_in_place_of_a_list_is_refused_at_construction(names: str | bytes) -> None:
    """Each letter of it would be a name."""
    with pytest.raises(UsageError):
        Settings(cookie_name="sid", earlier_cookie_names=names)  # type: ignore[arg-type]


def test_c_the_two_ways_of_finding_a_value_agree(good: str) -> None:
    """A header as browsers send it is read faster than one with anything odd in it."""
    values = {"first": f"session={good}; a=1", "middle": f"a=1; session={good}; b=2", "last": f"a=1; session={good}"}
    for header in values.values():
        assert find_values(header, "session") == (good,)
        for odd in (f"{header}; session={good}", f" {header}", header.replace("; ", ";"), f"{header}; xsession=x"):
            assert find_values(odd, "session") == (good,)
    for value in ("", "a=b", "session=x", " x", 'x"y"', "x session=y"):
        assert find_values(f"session={value}", "session") == find_values(f" session={value}", "session")
        assert find_values(f"a=1; session={value}; b=2", "session") == find_values(
            f"a=1;session={value};b=2", "session"
        )
