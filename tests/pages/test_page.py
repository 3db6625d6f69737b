"""The page "where you are signed in", on each framework that it can be mounted in."""

from __future__ import annotations

from datetime import timedelta, timezone
from typing import Any

import pytest
from kit import NOON
from pages.guest import IPHONE, LIST
from pages.site import Site

from coatcheck.stores.memory import MemoryStore
from coatcheck.testing import FailingStore

ANDROID = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Mobile Safari/537.36"
)


def test_it_shows_each_session_of_the_user_and_no_other(site: Site) -> None:
    site.open(IPHONE).sign_in()
    site.open(ANDROID).sign_in("grace")
    page = site.open().sign_in().get().page
    assert [card.device for card in page.cards] == ["Firefox on Windows", "Safari on iPhone"]
    assert page.texts("h1") == ["Where you are signed in"]


def test_a_card_says_what_is_known_of_a_session(site: Site) -> None:
    phone = site.open(IPHONE, address="198.51.100.20").sign_in()
    site.clock.advance(3 * 60 * 60)
    phone.get("/")
    site.clock.advance(2 * 24 * 60 * 60)
    laptop = site.open().sign_in()
    site.clock.advance(60)
    here, elsewhere = laptop.get().page.cards
    assert here.text == (
        "Firefox on Windows This device Last seen just now Signed in 17 Jan 2027, 11:00 UTC"
        " Address 203.0.113.7 Sign out"
    )
    assert elsewhere.text == (
        "Safari on iPhone Last seen 2 days ago Signed in 15 Jan 2027, 08:00 UTC Address 198.51.100.20 Sign out"
    )


def test_it_says_so_where_the_user_is_signed_in_nowhere_else(site: Site) -> None:
    page = site.open().sign_in().get().page
    assert [card.device for card in page.cards] == ["Firefox on Windows"]
    assert "You are signed in nowhere else." in page.texts("p")
    assert page.texts("button") == ["Sign out"]


def test_one_button_signs_out_one_session(site: Site) -> None:
    phone, tablet, laptop = site.open(IPHONE).sign_in(), site.open(ANDROID).sign_in(), site.open().sign_in()
    answer = laptop.press(laptop.get().page.handle_of("Safari on iPhone"))
    assert (answer.status, answer["Location"]) == (303, LIST)
    assert (phone.greeting, tablet.greeting, laptop.greeting) == (
        "nobody has nothing",
        "ada has nothing",
        "ada has nothing",
    )
    page = laptop.get().page
    assert page.notice == "The session is signed out."
    assert [card.device for card in page.cards] == ["Firefox on Windows", "Chrome on Android"]
    assert laptop.get().page.notice == ""


def test_one_button_signs_out_all_others(site: Site) -> None:
    others = [site.open(agent).sign_in() for agent in (IPHONE, ANDROID)]
    stranger, laptop = site.open().sign_in("grace"), site.open().sign_in()
    laptop.get("/buy")
    assert laptop.press("others").status == 303
    assert [other.greeting for other in others] == ["nobody has nothing"] * 2
    assert (laptop.greeting, stranger.greeting) == ("ada has figs", "grace has nothing")
    page = laptop.get().page
    assert page.notice == "All other sessions are signed out."
    assert len(page.cards) == 1


def test_the_button_of_this_device_signs_out_here(site: Site) -> None:
    phone, laptop = site.open(IPHONE).sign_in(), site.open().sign_in()
    laptop.get("/buy")
    copied = dict(laptop.cookies)
    answer = laptop.press(laptop.get().page.handle_of("Firefox on Windows"))
    assert (answer.status, answer["Location"]) == (303, "/hello")
    assert laptop.cookies == {}
    laptop.cookies = copied
    assert laptop.greeting == "nobody has nothing"
    assert phone.greeting == "ada has nothing"


def test_the_application_can_sign_out_here_in_its_own_way(site: Site) -> None:
    methods: list[Any] = []
    site.start({"logout": lambda request: methods.append(request.method)})
    laptop = site.open().sign_in()
    laptop.press(laptop.get().page.handle_of("Firefox on Windows"))
    assert methods == ["POST"]
    # It has done nothing about the session, which ends all the same.
    assert laptop.greeting == "nobody has nothing"


def test_a_guest_is_led_to_where_one_signs_in(site: Site) -> None:
    guest = site.open()
    for answer in (guest.get(), guest.post({"end": "others"})):
        assert (answer.status, answer["Location"], answer["Cache-Control"]) == (303, "/hello", "no-store")
    assert guest.cookies == {}


def test_where_to_sign_in_may_depend_on_the_request(site: Site) -> None:
    site.start({"login_url": lambda request: f"/hello?by={request.method}"})
    assert site.open().get()["Location"] == "/hello?by=GET"


def test_a_guest_without_a_place_to_go_gets_a_page_that_says_so(site: Site) -> None:
    site.start({"login_url": None})
    answer = site.open().get()
    assert (answer.status, answer.page.notice) == (401, "You are not signed in.")


def test_the_page_is_for_this_user_alone_and_for_no_frame_script_or_cache(site: Site) -> None:
    answer = site.open().sign_in().get()
    assert answer.status == 200
    assert "no-store" in answer["Cache-Control"]
    assert answer["Content-Type"] == "text/html; charset=utf-8"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Content-Language"] == "en"
    assert answer["Referrer-Policy"] == "same-origin"
    vary = {field.strip().lower() for value in answer.all("Vary") for field in value.split(",")}
    assert {"cookie", "accept-language"} <= vary
    ((style, _),) = answer.page.find("style")
    assert answer["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'nonce-{style['nonce']}'; img-src data:; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    )
    assert len(style["nonce"]) >= 32
    assert not answer.page.find("script")
    assert not [
        name for _, attributes in answer.page.elements for name in attributes if name.startswith(("on", "style"))
    ]


def test_each_answer_has_a_nonce_and_a_token_of_its_own(site: Site) -> None:
    laptop = site.open().sign_in()
    pages = [laptop.get().page for _ in range(2)]
    assert len({page.csrf for page in pages}) == 2
    assert len({page.find("style")[0][0]["nonce"] for page in pages}) == 2
    # And both are good.
    assert laptop.post({"csrf": pages[0].csrf, "end": "others"}).status == 303


def test_it_speaks_chinese(site: Site) -> None:
    site.open(IPHONE).sign_in()
    answer = site.open(language="zh-CN,zh;q=0.9,en;q=0.8").sign_in().get()
    page = answer.page
    assert page.find("html")[0][0]["lang"] == answer["Content-Language"] == "zh-CN"
    assert page.texts("h1") == ["已登录的设备"]
    assert [card.device for card in page.cards] == ["Windows 上的 Firefox", "iPhone 上的 Safari"]
    assert page.cards[0].text.startswith("Windows 上的 Firefox 当前设备 上次使用 刚刚 登录时间 2027年1月15日 08:00 UTC")


def test_the_application_chooses_the_language(site: Site) -> None:
    site.start({"language": "zh"})
    assert site.open().sign_in().get().page.texts("h1") == ["已登录的设备"]
    site.start({"language": lambda request: "zh-Hant" if request.headers["User-Agent"] == IPHONE else "en"})
    assert site.open(IPHONE).sign_in().get().page.texts("h1") == ["已登录的设备"]
    assert site.open(language="zh").sign_in().get().page.texts("h1") == ["Where you are signed in"]


def test_the_time_of_the_sign_in_is_that_of_a_zone(site: Site) -> None:
    site.start({"timezone": timezone(timedelta(hours=8), "CST")})
    (card,) = site.open().sign_in().get().page.cards
    assert "Signed in 15 Jan 2027, 16:00 CST" in card.text


def test_the_application_says_where_an_address_is(site: Site) -> None:
    asked: list[str] = []

    def place(address: str) -> str:
        asked.append(address)
        return {"198.51.100.20": "Leipzig, Germany"}.get(address, "")

    site.start({"place": place})
    for _ in range(2):
        site.open(IPHONE, address="198.51.100.20").sign_in()
    here, *elsewhere = site.open().sign_in().get().page.cards
    assert "Place" not in here.text
    assert ["Place Leipzig, Germany Address 198.51.100.20" in card.text for card in elsewhere] == [True, True]
    # Once for each address.
    assert sorted(asked) == ["198.51.100.20", "203.0.113.7"]


def test_a_resolver_that_fails_keeps_nobody_from_signing_out_a_thief(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def place(address: str) -> str:
        raise OSError(f"no database for {address}")

    site.start({"place": place})
    thief, laptop = site.open(IPHONE).sign_in(), site.open().sign_in()
    laptop.press(laptop.get().page.handle_of("Safari on iPhone"))
    assert thief.greeting == "nobody has nothing"
    warnings = {record.getMessage() for record in caplog.records if record.name == "coatcheck"}
    assert warnings == {"place= raised OSError: the page shows no place"}


@pytest.mark.parametrize("end", ["others", "one"])
def test_a_store_that_fails_is_an_error_and_no_shorter_list(site: Site, end: str) -> None:
    # The list alone: the session is in its cookie.
    revocations = FailingStore(MemoryStore(clock=site.clock))
    site.start(store=None, revocations=revocations)
    phone, laptop = site.open(IPHONE).sign_in(), site.open().sign_in()
    page = laptop.get().page
    wanted = "others" if end == "others" else page.handle_of("Safari on iPhone")
    revocations.down = True
    assert laptop.get().status == 503
    assert laptop.post({"csrf": page.csrf, "end": wanted}).status == 503
    revocations.down = False
    assert phone.greeting == "ada has nothing"
    assert laptop.get().page.notice == ""


def test_it_works_for_sealed_cookies_with_a_list_of_what_has_ended(site: Site) -> None:
    site.start(store=None, revocations=MemoryStore(clock=site.clock))
    phone, laptop = site.open(IPHONE).sign_in(), site.open().sign_in()
    assert [card.device for card in laptop.get().page.cards] == ["Firefox on Windows", "Safari on iPhone"]
    laptop.press(laptop.get().page.handle_of("Safari on iPhone"))
    assert (phone.greeting, laptop.greeting) == ("nobody has nothing", "ada has nothing")


def test_it_works_where_guests_are_in_the_cookie_and_users_in_the_store(site: Site) -> None:
    site.start(mode="hybrid")
    phone, laptop = site.open(IPHONE).sign_in(), site.open().sign_in()
    laptop.press("others")
    assert (phone.greeting, laptop.greeting) == ("nobody has nothing", "ada has nothing")


def test_what_asks_for_headers_alone_gets_them(site: Site) -> None:
    answer = site.open().sign_in().ask("HEAD", LIST)
    assert (answer.status, answer["X-Frame-Options"]) == (200, "DENY")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_no_other_method_does_anything(site: Site, method: str) -> None:
    answer = site.open().sign_in().ask(method, LIST)
    assert answer.status == 405
    assert {"GET", "HEAD", "POST"} <= {each.strip() for each in answer["Allow"].split(",")}


def test_it_is_the_clock_of_the_application_that_it_goes_by(site: Site) -> None:
    laptop = site.open().sign_in()
    ((time, _), *_) = laptop.get().page.find("time")
    assert site.clock() == NOON
    assert time["datetime"] == "2027-01-15T08:00:00+00:00"
