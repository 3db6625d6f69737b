"""The words of the page, and which language a browser gets."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from coatcheck.devices import Device
from coatcheck.pages.words import CHINESE, ENGLISH, choose_language, say_ago, say_device, say_instant


def test_both_languages_say_the_same_things() -> None:
    assert list(ENGLISH) == list(CHINESE)
    fields = re.compile(r"{(\w+)")
    for key in ("device", "minutes", "hours", "days"):
        assert set(fields.findall(ENGLISH[key])) == set(fields.findall(CHINESE[key]))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("ZH-hant-TW", "zh"),
        ("zh_CN", "zh"),
        ("en-GB,en;q=0.9,zh;q=0.8", "en"),
        ("de,fr;q=0.9", "en"),
        ("de,zh;q=0.5,en;q=0.4", "zh"),
        ("zh;q=0", "en"),
        ("zh;q=2", "en"),
        ("zh;q=nan", "en"),
        ("zh;q=", "en"),
        ("en;q=0.5, zh ; q=0.7", "zh"),
        ("zhx", "en"),
        ("*", "en"),
        ("de," * 400 + "zh", "en"),
    ],
)
def test_a_browser_gets_the_language_that_it_wants_most(header: str, language: str) -> None:
    assert choose_language(header) == language


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (-5, "just now", "刚刚"),
        (59.9, "just now", "刚刚"),
        (60, "1 minute ago", "1 分钟前"),
        (3599, "59 minutes ago", "59 分钟前"),
        (3600, "1 hour ago", "1 小时前"),
        (86399, "23 hours ago", "23 小时前"),
        (86400, "1 day ago", "1 天前"),
        (40 * 86400, "40 days ago", "40 天前"),
    ],
)
def test_how_long_ago(seconds: float, english: str, chinese: str) -> None:
    assert (say_ago(ENGLISH, seconds), say_ago(CHINESE, seconds)) == (english, chinese)


@pytest.mark.parametrize(
    ("device", "english", "chinese"),
    [
        (Device("Firefox", "Windows"), "Firefox on Windows", "Windows 上的 Firefox"),
        (Device("curl", ""), "curl", "curl"),
        (Device("", "Windows"), "Windows", "Windows"),
        (Device("", ""), "Unknown device", "未知设备"),
        (Device("{lang}", "{0.__class__}"), "{lang} on {0.__class__}", "{0.__class__} 上的 {lang}"),
    ],
)
def test_a_device_is_named(device: Device, english: str, chinese: str) -> None:
    assert (say_device(ENGLISH, device), say_device(CHINESE, device)) == (english, chinese)


def test_an_instant_is_written_out() -> None:
    instant = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert say_instant(ENGLISH, instant) == "3 Feb 2026, 04:05 UTC"
    assert say_instant(CHINESE, instant) == "2026年2月3日 04:05 UTC"
