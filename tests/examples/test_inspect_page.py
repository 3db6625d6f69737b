"""The page of the demo that shows a session from both ends: what it shows."""

from __future__ import annotations

from base64 import urlsafe_b64decode

from examples.page import Page, look, token
from flask import Flask

from coatcheck.flask import session
from coatcheck.testing import Clock

# The two languages


def test_the_head_in_english(demo: Flask) -> None:
    page = look(demo.test_client())
    assert page.all("html")[0].attributes == {"lang": "en"}
    assert page.texts("title", "h1") == ["What is in the cookie?"] * 2
    assert page.texts("h2") == ["Try it", "What the browser holds", "What the server sees"]


def test_the_head_in_chinese(demo: Flask) -> None:
    page = look(demo.test_client(), "zh-CN,zh;q=0.9,en;q=0.8")
    assert page.all("html")[0].attributes == {"lang": "zh-CN"}
    assert page.texts("title", "h1") == ["Cookie 里有什么？"] * 2
    assert page.texts("h2") == ["试一试", "浏览器保存的", "服务器看到的"]


def test_what_one_can_do_in_english(demo: Flask) -> None:
    texts = look(demo.test_client()).texts("li")
    assert texts == [
        "Visit / keeps a name in the session",
        "Visit /username/ reads the name; Back returns here",
        "Visit /delete_user/ deletes the name",
        "Change one character of the cookie, as an attacker would",
    ]


def test_what_one_can_do_in_chinese(demo: Flask) -> None:
    texts = look(demo.test_client(), "zh-CN").texts("li")
    assert texts == [
        "访问 / 把用户名存入会话",
        "访问 /username/ 读取用户名；按“后退”返回这里",
        "访问 /delete_user/ 删除用户名",
        "改动一个字符 像攻击者那样改动 Cookie",
    ]


# What it shows


def test_the_left_side_holds_our_cookie_and_what_anyone_can_read_out_of_it(demo: Flask, clock: Clock) -> None:
    client = demo.test_client()
    (cookie,) = client.get("/").headers.getlist("Set-Cookie")
    # Its attributes are those that it came with, not those that a cookie would have now.
    clock.advance(60)
    value = token(client)
    page = look(client)
    facts = page.facts()
    assert facts["Name"] == ["session"]
    assert facts["Value"][0] == value
    assert facts["Length"][0] == f"{len(value)} characters"
    assert page.texts("li")[4:] == cookie.split("; ")[1:]
    raw = urlsafe_b64decode(value + "=" * (-len(value) % 4))
    rows = [text for text in page.texts("tr") if not text.startswith(("Part ", "Key ", "username ", "_permanent "))]
    assert rows == [
        "Version 1 01",
        f"Nonce 24 {raw[5:29].hex()}",
        f"Sealed session {len(raw) - 45} {raw[29:-16].hex()}",
        f"Tag 16 {raw[-16:].hex()}",
    ]
    assert f"Key id 4 {raw[1:5].hex()}" in page.texts("tr")


def test_below_it_is_the_cookie_of_flask_which_is_read_without_a_key(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/")
    page = look(client)
    value = page.facts()["Value"][1]
    payload = value.partition(".")[0]
    assert b'"username":"xiaoming"' in urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    assert page.facts()["Length"][1] == f"{len(value)} characters"
    assert page.texts("pre") == ['{ "_permanent": true, "username": "xiaoming" }']


def test_a_compressed_cookie_of_flask_is_read_too(demo: Flask) -> None:
    client = demo.test_client()
    with client.session_transaction() as own:
        own["text"] = "小明" * 300
    page = look(client)
    assert page.facts()["Value"][1].startswith(".")
    assert page.texts("pre") == [f'{{ "text": "{"小明" * 300}" }}']


def test_content_that_flask_cannot_keep_is_said_to_be_such(demo: Flask) -> None:
    client = demo.test_client()
    with client.session_transaction() as own:
        own["seats"] = {7}
    page = look(client)
    assert "Flask’s own session cannot keep a value of one of these types." in page.texts("p")
    assert "seats {7}" in page.texts("tr")


def test_the_right_side_is_what_the_server_sees(demo: Flask, clock: Clock) -> None:
    client = demo.test_client()
    client.get("/")
    clock.advance(90)
    client.get("/delete_user/")
    clock.advance(3600)
    page = look(client)
    assert page.texts("tr")[-1] == "_permanent True"
    facts = page.facts()
    key_id = urlsafe_b64decode(token(client)[:8])[1:5].hex()
    assert facts["Sealed with"] == [f"{key_id} the present key"]
    assert facts["Created"] == ["2027-01-15 08:00:00 UTC 1 hour 1 minute ago"]
    assert facts["Sealed"] == ["2027-01-15 08:01:30 UTC 1 hour ago"]
    assert facts["Ends"] == ["2027-01-22 08:01:30 UTC in 6 days 23 hours, unless it is used before"]
    assert facts["Outlives the browser"] == ["yes"]
    size = len("session") + len(token(client))
    assert facts["Size"] == [f"{size} of the 4096 bytes that browsers keep"]
    (meter,) = page.all("meter")
    assert (meter.attributes["max"], meter.attributes["value"]) == ("4096", str(size))
    with demo.test_request_context(headers={"Cookie": f"session={token(client)}"}):
        assert facts["Handle"] == [f"{session.handle} safe to log, useless as a cookie"]


def test_the_right_side_in_chinese(demo: Flask, clock: Clock) -> None:
    client = demo.test_client()
    client.get("/")
    clock.advance(61)
    facts = look(client, "zh-CN").facts()
    assert facts["创建时间"] == ["2027-01-15 08:00:00 UTC 1 分钟 1 秒前"]
    assert facts["结束时间"] == ["2027-01-22 08:00:00 UTC 6 天 23 小时后，期间有访问则顺延"]
    assert facts["关闭浏览器后保留"] == ["是"]


def test_a_session_that_ends_with_the_browser_has_no_max_age(demo: Flask) -> None:
    client = demo.test_client()
    with client.session_transaction() as own:
        own["a"] = 1
    page = look(client)
    assert page.texts("li")[4:] == ["HttpOnly", "Path=/", "SameSite=Lax"]
    assert page.facts()["Outlives the browser"] == ["no"]


def test_over_https_the_cookie_is_said_to_be_secure(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/", base_url="https://localhost")
    page = Page(client.get("/inspect/", base_url="https://localhost").text)
    assert "Secure" in page.texts("li")


def test_a_session_of_a_fallback_key_says_so(demo: Flask) -> None:
    client = demo.test_client()
    client.get("/")
    demo.config["SECRET_KEY_FALLBACKS"] = [demo.config["SECRET_KEY"]]
    demo.config["SECRET_KEY"] = bytes(range(7, 240, 5))
    key_id = urlsafe_b64decode(token(client)[:8])[1:5].hex()
    assert look(client).facts()["Sealed with"] == [f"{key_id} an earlier key, a fallback"]
    assert look(client, "zh-CN").facts()["封装密钥"] == [f"{key_id} 以前的密钥（备用）"]
