"""What the page says, in the languages it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from coatcheck.devices import Device
from coatcheck.errors import UsageError

ENGLISH: dict[str, str] = {
    "lang": "en",
    "title": "Where you are signed in",
    "intro": "These browsers are signed in to your account. Sign out any that you do not know or no longer use.",
    "this": "This device",
    "device": "{browser} on {system}",
    "unknown_device": "Unknown device",
    "place": "Place",
    "address": "Address",
    "seen": "Last seen",
    "since": "Signed in",
    "now": "just now",
    "minute": "1 minute ago",
    "minutes": "{count} minutes ago",
    "hour": "1 hour ago",
    "hours": "{count} hours ago",
    "day": "1 day ago",
    "days": "{count} days ago",
    "instant": "{day} {month} {year}, {hour:02}:{minute:02} {zone}",
    "months": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "end": "Sign out",
    "end_others": "Sign out all others",
    "end_others_note": "All sessions in this list end but the one on this device.",
    "alone": "You are signed in nowhere else.",
    "ended_one": "The session is signed out.",
    "ended_others": "All other sessions are signed out.",
    "back": "Back to the list",
    "400": "The request cannot be understood.",
    "401": "You are not signed in.",
    "403": "This form is too old, or does not come from this site. Nothing was signed out. Please try again.",
    "404": "There is no such session: it was signed out, or its time was over. Please look at the list again.",
    "405": "This page cannot be asked for in this way.",
}

CHINESE: dict[str, str] = {
    "lang": "zh-CN",
    "title": "已登录的设备",
    "intro": "您的账号已在以下浏览器登录。如有不认识或不再使用的，请将其退出。",
    "this": "当前设备",
    "device": "{system} 上的 {browser}",
    "unknown_device": "未知设备",
    "place": "地点",
    "address": "地址",
    "seen": "上次使用",
    "since": "登录时间",
    "now": "刚刚",
    "minute": "1 分钟前",
    "minutes": "{count} 分钟前",
    "hour": "1 小时前",
    "hours": "{count} 小时前",
    "day": "1 天前",
    "days": "{count} 天前",
    "instant": "{year}年{month_number}月{day}日 {hour:02}:{minute:02} {zone}",
    "months": "",
    "end": "退出登录",
    "end_others": "退出其他所有设备",
    "end_others_note": "除当前设备外，列表中的所有登录都将结束。",
    "alone": "您没有在其他地方登录。",
    "ended_one": "该设备已退出登录。",
    "ended_others": "其他设备已全部退出登录。",
    "back": "返回列表",
    "400": "无法理解该请求。",
    "401": "您尚未登录。",
    "403": "表单已过期，或并非来自本站。没有退出任何登录，请重试。",
    "404": "没有这个登录：它已退出或已过期。请重新查看列表。",
    "405": "不能以这种方式访问此页面。",
}

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "zh": CHINESE}

_MINUTE, _HOUR, _DAY = 60, 60 * 60, 24 * 60 * 60
# Browsers send less. Whoever sends more is no reader of the page.
_HEADER_CHARS = 500


def choose_language(header: str) -> str:
    """Gives the language of `LANGUAGES` that an `Accept-Language` header wants most; English if it wants none."""
    best, weight = "en", 0.0
    for choice in header[:_HEADER_CHARS].split(","):
        tag, _, rest = choice.partition(";")
        language = known_language(tag)
        quality = _quality(rest)
        if language and quality > weight:
            best, weight = language, quality
    return best


def known_language(tag: str) -> str:
    """Gives the language of `LANGUAGES` for a tag such as "zh-Hant-TW"; "" for another one."""
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    return primary if primary in LANGUAGES else ""


def check_language(tag: str) -> str:
    """As `known_language`; raises `UsageError` for another one."""
    language = known_language(tag)
    if not language:
        raise UsageError(f"the page speaks {', '.join(LANGUAGES)}, and no {tag!r}")
    return language


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        quality = float(value)
    except ValueError:
        return 0.0
    return quality if 0 <= quality <= 1 else 0.0


def say_device(words: Mapping[str, str], device: Device) -> str:
    if device.browser and device.system:
        return words["device"].format(browser=device.browser, system=device.system)
    return device.browser or device.system or words["unknown_device"]


def say_ago(words: Mapping[str, str], seconds: float) -> str:
    """Says how long ago something was; less than a minute, or a clock that is behind, is now."""
    for name, length in (("day", _DAY), ("hour", _HOUR), ("minute", _MINUTE)):
        count = int(seconds // length)
        if count > 0:
            return words[name] if count == 1 else words[f"{name}s"].format(count=count)
    return words["now"]


def say_instant(words: Mapping[str, str], instant: datetime) -> str:
    months = words["months"].split()
    return words["instant"].format(
        day=instant.day,
        month=months[instant.month - 1] if months else "",
        month_number=instant.month,
        year=instant.year,
        hour=instant.hour,
        minute=instant.minute,
        zone=instant.tzname(),
    )
