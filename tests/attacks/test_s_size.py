"""S: tokens and headers that are too large or too many.

Absent on purpose:
    S2's time: what is shown is that nothing is decoded. benchmarks/refusals.py has the times.
    S6: ids stand in test_r_on_server.py.
    S7: nothing is compressed, so nothing can inflate.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from attacks import million_tokens, refused_tokens
from attacks.harness import CONTENT, HEAD_BYTES, Desk, Site
from attacks.refused_tokens import random_tokens

from coatcheck import Event, Reason, SessionTooLarge
from coatcheck.core.cookie import HEADER_BYTES, LIMIT_BYTES
from coatcheck.core.events import Kind
from coatcheck.core.text import decode, encode

Check = Callable[..., None]


def name_for(total: int) -> tuple[str, str]:
    """A cookie name, and what makes a session whose cookie has so many bytes of name and value."""
    token = Desk().seal({"user": "x" * 2900})
    return "s" * (total - len(token)), "x" * 2900


def test_s1_a_cookie_of_4096_bytes_is_sent_and_comes_back() -> None:
    name, user = name_for(LIMIT_BYTES)
    site = Site(cookie_name=name)
    answer = site.get(f"/write?user={user}")
    assert len(answer.pair) == LIMIT_BYTES + len("=")
    assert site.get("/read", answer.pair).text == f"user: {user}"
    assert site.reasons == []


def test_s1_a_cookie_of_4097_bytes_is_an_error_and_the_old_cookie_stays() -> None:
    name, user = name_for(LIMIT_BYTES + 1)
    site = Site(cookie_name=name)
    old = site.get("/write?user=ann").pair
    with pytest.raises(SessionTooLarge) as error:
        site.get(f"/write?user={user}", old)
    assert (error.value.size, error.value.limit) == (4097, 4096)
    assert error.value.largest == (("user", len(user) + 8),)
    assert user not in str(error.value)

    site.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = site.get(f"/write?user={user}", old)
    assert (answer.status, answer.cookies) == ("500 INTERNAL SERVER ERROR", [])
    assert site.get("/read", old).text == "user: ann"


def test_s1_a_genuine_cookie_of_4097_bytes_is_not_opened() -> None:
    name, user = name_for(LIMIT_BYTES + 1)
    desk = Desk(cookie_name=name)
    assert desk.refusal(desk.seal({"user": user})) is Reason.TOO_LONG
    shorter = Desk(cookie_name=name[1:])
    assert shorter.refusal(shorter.seal({"user": user})) is None


@pytest.mark.parametrize("size", [4097, 8 << 10, 64 << 10])
def test_s2_an_oversized_cookie_is_refused_before_it_is_decoded(
    desk: Desk, site: Site, size: int, gives_an_empty_session: Check
) -> None:
    """Had they been decoded, the first would be MALFORMED, the second UNKNOWN_KIND, and the last FORGED."""
    genuine = encode(decode(desk.seal())[:HEAD_BYTES])
    for filling in ("!", "A", genuine):
        value = (filling * size)[:size]
        assert desk.refusal(value) is Reason.TOO_LONG
    gives_an_empty_session(site, f"session={value}", Reason.TOO_LONG)


def test_s2_a_header_beyond_what_servers_pass_on_is_not_searched(site: Site, gives_an_empty_session: Check) -> None:
    good = site.get("/write").pair
    for header in (f"session={'A' * (1 << 20)}", f"{good}; other={'x' * HEADER_BYTES}", "; " * HEADER_BYTES + good):
        gives_an_empty_session(site, header, Reason.TOO_LONG)
    assert site.get("/read", f"other={'x' * (HEADER_BYTES - len(good) - 8)}; {good}").text == "user: ann"


def test_s2_a_header_of_many_small_cookies_still_finds_ours(site: Site) -> None:
    good = site.get("/write").pair
    header = "; ".join([f"c{number}=x" for number in range(5000)] + [good])
    assert site.get("/read", header).text == "user: ann"
    assert site.reasons == []


def test_s5_many_cookies_of_our_name_cost_at_most_four_openings(desk: Desk) -> None:
    header = "; ".join(f"session={number:x}" for number in range(5000))
    assert desk.load(header).content == {}
    assert desk.events == [Event(Kind.REJECTED, Reason.MALFORMED)] * 4


def test_s5_ten_thousand_random_tokens_leave_no_memory_behind() -> None:
    script = Path(refused_tokens.__file__)
    run = subprocess.run([sys.executable, script, "10000"], capture_output=True, text=True, check=True, timeout=300)
    figures = json.loads(run.stdout)
    # Two bytes for each would be more.
    assert figures["kept"] < 20_000, figures
    assert figures["most"] < 200_000, figures


def test_s5_ten_thousand_random_tokens_get_one_response(site: Site, desk: Desk) -> None:
    tokens = random_tokens(desk, 10_000)
    assert {site.get("/read", f"session={token}") for token in tokens[::10]} == {site.get("/read")}
    assert None not in {desk.refusal(token) for token in tokens}
    assert set(site.reasons) <= {Reason.UNKNOWN_KIND, Reason.UNKNOWN_KEY, Reason.FORGED}


def test_s5_memory_is_constant_under_a_million_different_tokens() -> None:
    """25 000 prefixes that the opening side has not seen, each with an AES-GCM object of about a kilobyte."""
    script = Path(million_tokens.__file__)
    run = subprocess.run([sys.executable, script, "1000000"], capture_output=True, text=True, check=True, timeout=300)
    figures = json.loads(run.stdout)
    warm, end = figures["peak"]
    assert end - warm < 4096, figures
    warm, end = figures["blocks"]
    # The opening cache is emptied when it is full, so it may hold 512 objects more or less than at the first look.
    assert end - warm < 3000, figures


def test_s5_sealing_hundreds_of_sessions_leaves_no_memory_behind(site: Site) -> None:
    cookie = site.get("/write").pair
    for number in range(200):
        site.get(f"/write?user={number % 10}", cookie)
    tracemalloc.start()
    try:
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(500):
            site.get(f"/write?user={number % 10}", cookie)
            site.events.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 32768


def test_s_the_reference_session_fits_many_times_over(desk: Desk) -> None:
    assert len(desk.seal(CONTENT)) < LIMIT_BYTES / 8
