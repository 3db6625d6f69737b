"""What a user agent says in words, with the library that knows most of them and without."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from textwrap import dedent

import pytest

from coatcheck.devices import Device, _read, name_device, read_device

KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{KHTML} Chrome/137.0.0.0"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
ANDROID = "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"

BROWSERS = [
    (f"{WINDOWS[:-1]}; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Windows"),
    (f"{WINDOWS} {CHROME} Safari/537.36", "Chrome on Windows"),
    (f"{WINDOWS} {CHROME} Safari/537.36 Edg/137.0.0.0", "Edge on Windows"),
    (f"{WINDOWS} {CHROME} Safari/537.36 OPR/120.0.0.0", "Opera on Windows"),
    (f"{WINDOWS} {CHROME} Safari/537.36 Vivaldi/7.4", "Vivaldi on Windows"),
    (f"{WINDOWS} {CHROME} YaBrowser/25.4 Safari/537.36", "Yandex Browser on Windows"),
    (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Safari on macOS"),
    (f"{MAC} {CHROME} Safari/537.36", "Chrome on macOS"),
    (f"{IPHONE} Version/18.5 Mobile/15E148 Safari/604.1", "Safari on iPhone"),
    (f"{IPHONE} CriOS/137.0 Mobile/15E148 Safari/604.1", "Chrome on iPhone"),
    (f"{IPHONE} FxiOS/140.0 Mobile/15E148 Safari/605.1.15", "Firefox on iPhone"),
    (f"{IPHONE} Version/18.0 EdgiOS/137.0 Mobile/15E148 Safari/605.1.15", "Edge on iPhone"),
    (f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.49", "WeChat on iPhone"),
    (f"{IPHONE.replace('iPhone', 'iPad')} CriOS/137.0 Mobile/15E148 Safari/604.1", "Chrome on iPad"),
    (f"{ANDROID} {CHROME} Mobile Safari/537.36", "Chrome on Android"),
    (f"{ANDROID} {CHROME} Mobile Safari/537.36 EdgA/137.0.0.0", "Edge on Android"),
    (f"{ANDROID} {KHTML} SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36", "Samsung Internet on Android"),
    ("Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox on Android"),
    (f"{ANDROID} {CHROME} Mobile Safari/537.36 XiaoMi/MiuiBrowser/18.0", "Mi Browser on Android"),
    (
        f"Mozilla/5.0 (Linux; Android 10; HarmonyOS; NOH-AN00) {KHTML} Chrome/114.0 HuaweiBrowser/15.0 Mobile",
        "Huawei Browser on HarmonyOS",
    ),
    (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36", "Chrome on Linux"),
    ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Ubuntu"),
    (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Chrome on ChromeOS"),
    ("curl/8.5.0", "curl"),
    ("", ""),
    ("no browser that anybody knows", ""),
]


@pytest.mark.parametrize(("agent", "words"), BROWSERS)
def test_a_browser_has_a_name(agent: str, words: str) -> None:
    assert name_device(agent) == words


def test_the_names_are_the_same_without_the_library() -> None:
    program = f"""
        import sys
        sys.modules["ua_parser"] = None
        from coatcheck.devices import name_device
        for agent, words in {BROWSERS!r}:
            assert name_device(agent) == words, agent
        assert name_device("Googlebot/2.1 (+http://www.google.com/bot.html)") == ""
    """
    subprocess.run([sys.executable, "-W", "error", "-c", dedent(program)], check=True, timeout=60)


def test_the_library_knows_more() -> None:
    assert name_device("Googlebot/2.1 (+http://www.google.com/bot.html)") == "Googlebot"
    assert read_device("python-requests/2.32.3") == Device("Python Requests", "")


def test_nothing_is_imported_before_a_device_has_to_be_named() -> None:
    program = "import sys, coatcheck.devices; assert not [name for name in sys.modules if name.startswith('ua_parser')]"
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(
    "unit",
    ["a", "Safari", " ", "Mozilla/5.0 (", "Android ", "1.", "; ", "(", "Windows NT 1", "VSE1a", "CFNetwork/1 Darwin/"],
)
def test_what_is_very_long_is_read_as_far_as_what_is_kept(unit: str) -> None:
    name_device(unit * 300)
    _read.cache_clear()
    # What follows costs nothing: a regular expression would take a minute for it, if not for ever.
    assert name_device(unit * 1_000_000) == name_device((unit * 300)[:300])
    assert _read.cache_info().misses == 1


@pytest.mark.parametrize(
    "agent",
    [
        "\x00\x1b[31mFirefox/1 Windows",
        "Firefox\u202e/1 Windows",
        "ArcGISRuntime-NET/100\u202e.1",
        "\ud800 Firefox/1 on Windows",
        "🦊" * 400,
        "(\u2028Collector)/1 CFNetwork",
    ],
)
def test_a_name_can_be_printed(agent: str) -> None:
    name = name_device(agent)
    assert name.isprintable() or not name
    assert len(name) <= 84


def test_no_number_of_agents_fills_the_memory() -> None:
    name_device("warm up")
    tracemalloc.start()
    try:
        for number in range(3000):
            name_device(f"MicroMessenger/ iPhone {number:<200}")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert _read.cache_info().currsize <= 1024
    assert peak < 3_000_000
