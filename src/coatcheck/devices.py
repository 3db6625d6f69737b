"""What a user agent says of a browser and its device, in words: "Firefox on Windows".

With `pip install 'coatcheck[devices]'` it knows what the rules of uap-core know, which are
brought up to date every month or two. Without, it knows the browsers that most people have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Device", "name_device", "read_device"]

# No browser sends more, but for apps that append what they are. Some of the rules take time
# that grows with the square of the length.
_READ_CHARS = 300
# The rules copy parts of what they read.
_NAME_CHARS = 40
_REMEMBERED = 1024

_Words = tuple[tuple[str, str], ...]

# An app that shows pages says so beside the name of the engine that it uses, which is all that most rules see.
_APPS: _Words = (
    ("MicroMessenger/", "WeChat"),
    ("AlipayClient/", "Alipay"),
    ("DingTalk/", "DingTalk"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("UCBrowser/", "UC Browser"),
    ("Quark/", "Quark"),
    ("YaBrowser/", "Yandex Browser"),
    ("Vivaldi/", "Vivaldi"),
)
# In this order: most browsers say that they are others too.
_BROWSERS: _Words = (
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
# As above. The first three are what people call the device itself, and no rule does.
_DEVICES: _Words = (("iPhone", "iPhone"), ("iPad", "iPad"), ("HarmonyOS", "HarmonyOS"))
_SYSTEMS: _Words = (
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Ubuntu", "Ubuntu"),
    ("Linux", "Linux"),
)
# What the rules call by other names than people do.
_FAMILIES = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS", "HeadlessChrome": "Chrome", "Other": ""}
_VARIANT = re.compile(r"^Mobile (?=Safari$)| (?:Mobile(?: WebView)?(?: iOS)?|iOS)$")


class Device(NamedTuple):
    """A browser and where it runs. Either may be "", where nothing is known."""

    browser: str
    system: str

    def __str__(self) -> str:
        return " on ".join(filter(None, self))


def name_device(user_agent: str) -> str:
    """Gives the words for a user agent, "Firefox on Windows"; "" where it says nothing that is known.

    A browser may say whatever it likes: the words are short and printable, but they are no
    proof of anything, and have to be escaped in a page.
    """
    return str(read_device(user_agent))


def read_device(user_agent: str) -> Device:
    """As `name_device`, for words in another order or language."""
    return _read(user_agent[:_READ_CHARS])


@lru_cache(_REMEMBERED)
def _read(user_agent: str) -> Device:
    browser, system = _find(user_agent, _APPS), _find(user_agent, _DEVICES)
    if not (browser and system):
        by_rules = _rules()(user_agent)
        browser = browser or by_rules.browser or _find(user_agent, _BROWSERS)
        system = system or by_rules.system or _find(user_agent, _SYSTEMS)
    return Device(browser, system)


def _find(user_agent: str, words: _Words) -> str:
    return next((word for mark, word in words if mark in user_agent), "")


@lru_cache(1)
def _rules() -> Callable[[str], Device]:
    try:
        # They take longer to import than all of coatcheck.
        from ua_parser import Domain  # noqa: PLC0415
        from ua_parser.basic import Resolver  # noqa: PLC0415
        from ua_parser.loaders import load_lazy_builtins  # noqa: PLC0415
    except ImportError:
        return lambda _: Device("", "")
    # Without the rules for models of devices, of which there are more than of all else.
    find = Resolver(load_lazy_builtins())

    def read(user_agent: str) -> Device:
        found = find(user_agent, Domain.USER_AGENT | Domain.OS)
        return Device(
            _word(found.user_agent.family if found.user_agent else ""), _word(found.os.family if found.os else "")
        )

    return read


def _word(family: str) -> str:
    printable = "".join(char if char.isprintable() else " " for char in family)
    plain = _VARIANT.sub("", " ".join(printable.split()))
    return _FAMILIES.get(plain, plain)[:_NAME_CHARS].rstrip()
