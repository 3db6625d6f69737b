"""What somebody may try on the page: from another site, from another account, or with what a browser says of itself."""

from __future__ import annotations

import secrets
from urllib.parse import urlencode

import pytest
from pages.guest import IPHONE, LIST, Guest
from pages.site import Site

HOSTILE = "<script>alert(1)</script>\"'>&{{ 7 * 7 }}{% raw %}%s\u202e Firefox/<b>1"


@pytest.fixture
def phone(site: Site) -> Guest:
    return site.open(IPHONE).sign_in()


@pytest.fixture
def laptop(site: Site, phone: Guest) -> Guest:
    return site.open().sign_in()


@pytest.mark.parametrize("token", [None, "", "A" * 86, "no base64 at all", "é" * 86, "A" * 5000, "\x00"])
def test_a_form_without_the_token_of_this_session_ends_nothing(laptop: Guest, phone: Guest, token: str | None) -> None:
    laptop.get()
    answer = laptop.post({"end": "others"} | ({} if token is None else {"csrf": token}))
    assert answer.status == 403
    assert answer.page.notice.startswith("This form is too old, or does not come from this site.")
    assert answer.page.find("a")[0][0]["href"] == LIST
    assert phone.greeting == "ada has nothing"


def test_the_token_of_an_attacker_is_not_good_for_the_victim(site: Site, laptop: Guest, phone: Guest) -> None:
    attacker = site.open().sign_in("mallory")
    answer = laptop.post({"csrf": attacker.get().page.csrf, "end": "others"})
    assert answer.status == 403
    assert phone.greeting == "ada has nothing"


def test_the_token_of_another_session_of_the_user_is_not_good_here(laptop: Guest, phone: Guest) -> None:
    assert laptop.post({"csrf": phone.get().page.csrf, "end": "others"}).status == 403
    assert phone.greeting == "ada has nothing"


def test_a_token_from_before_the_sign_in_is_not_good_after_it(laptop: Guest, phone: Guest) -> None:
    token = laptop.get().page.csrf
    laptop.sign_in()
    assert laptop.post({"csrf": token, "end": "others"}).status == 403
    assert phone.greeting == "ada has nothing"


def test_a_token_in_the_address_is_none(laptop: Guest, phone: Guest) -> None:
    query = urlencode({"csrf": laptop.get().page.csrf, "end": "others"})
    for method in ("GET", "POST", "HEAD"):
        laptop.ask(method, f"{LIST}?{query}")
    assert phone.greeting == "ada has nothing"


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "application/xml"])
def test_what_is_no_form_ends_nothing(laptop: Guest, phone: Guest, kind: str) -> None:
    assert laptop.post({"csrf": laptop.get().page.csrf, "end": "others"}, kind).status == 403
    assert phone.greeting == "ada has nothing"


def test_the_handle_of_another_user_is_refused(site: Site, laptop: Guest) -> None:
    victim = site.open(IPHONE).sign_in("grace")
    answer = laptop.press(victim.get().page.handle_of("Safari on iPhone"))
    assert answer.status == 404
    assert answer.page.notice.startswith("There is no such session: it was signed out, or its time was over.")
    assert victim.greeting == "grace has nothing"


@pytest.mark.parametrize("handle", ["0", secrets.token_hex(32), "é", "../..", "\x00", "a" * 3000, "OTHERS", "None"])
def test_a_handle_that_there_is_not_is_refused(laptop: Guest, phone: Guest, handle: str) -> None:
    assert laptop.press(handle).status == 404
    assert (laptop.greeting, phone.greeting) == ("ada has nothing", "ada has nothing")


def test_a_form_that_asks_for_nothing_is_refused(laptop: Guest) -> None:
    token = laptop.get().page.csrf
    assert laptop.post({"csrf": token}).status == 400
    assert laptop.post({"csrf": token, "end": ""}).status == 400


def test_a_button_that_is_pressed_twice_says_that_the_session_is_gone(laptop: Guest) -> None:
    handle = laptop.get().page.handle_of("Safari on iPhone")
    assert [laptop.press(handle).status for _ in range(2)] == [303, 404]


def test_a_session_that_was_ended_can_end_none(laptop: Guest, phone: Guest) -> None:
    token = phone.get().page.csrf
    laptop.press("others")
    answer = phone.post({"csrf": token, "end": "others"})
    assert (answer.status, answer["Location"]) == (303, "/hello")
    assert laptop.greeting == "ada has nothing"


def test_a_handle_of_the_page_is_worth_nothing_as_a_cookie(site: Site, laptop: Guest) -> None:
    thief = site.open()
    (name,) = laptop.cookies
    for card in laptop.get().page.cards:
        thief.cookies = {name: card.handle}
        assert thief.greeting == "nobody has nothing"


def test_what_a_browser_says_of_itself_is_text(site: Site) -> None:
    site.open(HOSTILE.encode().decode("latin-1")).sign_in()
    site.open("<img src=x onerror=alert(1)>").sign_in()
    answer = site.open().sign_in().get()
    assert len(answer.page.cards) == 3
    assert "<script" not in answer.text
    assert "<img" not in answer.text
    assert "<b>" not in answer.text
    assert "\u202e" not in answer.text
    assert "49" not in {card.device for card in answer.page.cards}


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "\"><b onclick='x'>", "{{ 7 * 7 }}", "&lt;"])
def test_what_the_resolver_says_is_text(site: Site, words: str) -> None:
    site.start({"place": lambda _: words})
    (card,) = site.open().sign_in().get().page.cards
    assert f"Place {words} Address" in card.text


def test_a_browser_that_says_very_much_is_one_line(site: Site) -> None:
    site.open(f"Firefox/{'1' * 40_000} Windows").sign_in()
    answer = site.open().sign_in().get()
    assert len(answer.page.cards) == 2
    assert len(answer.text) < 10_000


@pytest.mark.parametrize("language", ["zh" * 100_000, "en;q=" + "9" * 10_000, ",;=q,;;", "zh;q=nan", "\xff\xfe"])
def test_a_strange_list_of_languages_gives_a_page(site: Site, language: str) -> None:
    assert site.open(language=language).sign_in().get().status == 200


def test_a_link_cannot_say_that_something_was_signed_out(laptop: Guest) -> None:
    for query in ("notice=ended_others", "done=others", "_signed_out=ended_others"):
        assert laptop.get(f"{LIST}?{query}").page.notice == ""


def test_no_answer_holds_a_cookie(laptop: Guest) -> None:
    answers = [laptop.get(), laptop.press("0"), laptop.post({}), laptop.press("others"), laptop.get()]
    for answer in answers:
        assert not [value for value in laptop.cookies.values() if value in answer.text]


def test_a_large_body_is_not_read_as_a_form(laptop: Guest, phone: Guest) -> None:
    fields = {"filler": "x" * 100_000, "csrf": laptop.get().page.csrf, "end": ""}
    assert laptop.post(fields).status in (400, 403)
    assert laptop.post({f"f{number}": "" for number in range(2000)}).status in (400, 403, 413)
    assert phone.greeting == "ada has nothing"
