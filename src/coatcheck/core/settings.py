"""What an application may set, checked once, when it is built."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from coatcheck.core.merge import MergeRule
from coatcheck.errors import UsageError

SameSite: TypeAlias = Literal["Lax", "Strict", "None", False]
Preset: TypeAlias = Literal["aal1", "aal2", "aal3"]
Mode: TypeAlias = Literal["cookie", "store", "hybrid"]

# NIST SP 800-63B-4, sections 2.1.3, 2.2.3 and 2.3.3: how long at most, and how long unseen.
PRESETS: dict[str, tuple[timedelta, timedelta | None]] = {
    "aal1": (timedelta(days=30), None),
    "aal2": (timedelta(hours=24), timedelta(hours=1)),
    "aal3": (timedelta(hours=12), timedelta(minutes=15)),
}

# RFC 6265bis, section 5.5: browsers cap a cookie's life here.
LONGEST_COOKIE = timedelta(days=400)
# RFC 6265bis, section 5.6: a longer attribute value is ignored by browsers.
_ATTRIBUTE_BYTES = 1024
# Browsers take cookies with these names only with Secure, whatever the case (RFC 6265bis, section 4.1.3).
SECURE_PREFIXES = ("__host-", "__secure-", "__http-")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PATH = re.compile(r"/[^\x00-\x1f\x7f-\U0010ffff;,]*")
_SWITCHES = (
    *("cookie_httponly", "cookie_partitioned", "permanent", "refresh_each_request", "allow_weak_key"),
    "move_cookies",
)
_WORDS: dict[str, tuple[str | None, ...]] = {
    "store_down": ("error", "empty"),
    "over_limit": ("end_oldest", "refuse"),
    "revocations_down": ("closed", "open"),
    "preset": (*PRESETS, None),
    "mode": ("cookie", "store", "hybrid", None),
}
# A minute is long for a session that somebody wants dead.
_LONGEST_DELAY = 3600
_DOMAIN = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]*[0-9A-Za-z_])?(\.[0-9A-Za-z_]([0-9A-Za-z_-]*[0-9A-Za-z_])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How sessions of one application behave. Raises `UsageError` for what cannot be right.

    Durations are `timedelta` or a number of seconds.

    Attributes:
        cookie_name: the cookie's name. `__Host-` and `__Secure-` names are held to their rules.
        earlier_cookie_names: names that the cookie had before; their sessions are taken over.
        cookie_path: where the browser sends it.
        cookie_domain: None for the host that set it alone, which is safer.
        cookie_httponly: keep it from scripts.
        cookie_secure: True, False, or None for Secure exactly when the request came by https.
        cookie_samesite: "Lax", "Strict", "None", or False to leave the attribute out. None means "Lax".
        cookie_partitioned: a jar of its own for each embedding site (CHIPS).
        permanent: whether a session outlives the browser that the application has not said it of
            (`session.permanent`).
        permanent_lifetime: how long a session lives unseen, enforced by the
            server for permanent and browser sessions alike (ASVS 7.3.1).
        refresh_each_request: whether being looked at makes a session live longer.
        refresh_interval: how old a seal must be to be renewed; None for a
            hundredth of the lifetime, at most an hour. 0 is Flask's behaviour: a
            permanent session is sent anew with every response.
        absolute_lifetime: how long a session lives at most, whatever happens (ASVS 7.3.2), from its
            beginning or from `login` on; None for no limit.
        idle: how long a session lives unseen at most, where that is less than `permanent_lifetime`
            says (ASVS 7.3.1); None for that alone.
        preset: "aal1", "aal2" or "aal3": the `absolute_lifetime` and `idle` that NIST SP 800-63B-4 names
            for this level of assurance, where they are not given.
        rotate_every: how often a session that somebody is signed in with gets a new id; None for never.
        max_sessions_per_user: at how many places a user may be signed in; None for no limit.
        over_limit: what a `login` beyond that does: "end_oldest" ends the session of the
            earliest login, "refuse" raises `TooManySessions`.
        bind: gets the address and the user agent of a request, and gives a text: what of them stays the same
            as long as a user is signed in. Where it does not, an event says so (`Kind.ELSEWHERE`) and
            `session.elsewhere` is True; the request goes on. None for nothing.
        mode: where sessions are kept: "cookie"; "store"; or "hybrid" for guests in the cookie, and in the store who
            is signed in or has too much for a cookie. None for the store where there is one.
        revocation_delay: how old may be what a process knows of sessions that have been ended on other
            machines, in seconds; 0 asks at every request. On one machine it is known at the next request.
        revocations_down: what happens while that cannot be read: "closed" raises `StoreError`
            for who is signed in, "open" goes on with what is known.
        allow_weak_key: take a weak secret with a warning.
        store_down: what a request gets that looks at its session while the store does not
            answer: "error" for `StoreError`, "empty" for an empty session that cannot be saved.
        move_cookies: whether a session that came sealed in its cookie is moved to the store. False
            refuses it: then a stolen secret key makes no session.
        merge: by key, what becomes of a value that two requests changed at the same time, in
            place of the later one: a callable that gets the value before, this one's and the other's.
        audience: a word for who may open the cookies. Two applications or stages
            that share a secret and a cookie name tell each other apart by it.
    """

    cookie_name: str = "session"
    earlier_cookie_names: tuple[str, ...] = ()
    cookie_path: str = "/"
    cookie_domain: str | None = None
    cookie_httponly: bool = True
    cookie_secure: bool | None = None
    cookie_samesite: SameSite | None = "Lax"
    cookie_partitioned: bool = False
    permanent: bool = False
    permanent_lifetime: timedelta = timedelta(days=31)
    refresh_each_request: bool = True
    refresh_interval: timedelta | None = None
    absolute_lifetime: timedelta | None = None
    idle: timedelta | None = None
    preset: Preset | None = None
    rotate_every: timedelta | None = None
    max_sessions_per_user: int | None = None
    over_limit: Literal["end_oldest", "refuse"] = "end_oldest"
    bind: Callable[[str, str], str] | None = None
    mode: Mode | None = None
    revocation_delay: float = 1
    revocations_down: Literal["closed", "open"] = "closed"
    allow_weak_key: bool = False
    store_down: Literal["error", "empty"] = "error"
    move_cookies: bool = True
    merge: Mapping[str, MergeRule] = field(default_factory=dict)
    audience: str = ""

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> tuple[Settings, dict[str, Any]]:
        """Gives the policy in a set of options, and the options that are no part of it."""
        others = normalize(options)
        policy = {field.name: others.pop(field.name) for field in fields(cls) if field.name in others}
        return cls(**policy), others

    def __post_init__(self) -> None:
        def put(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} must be True or False")
        if self.cookie_secure is not None and not isinstance(self.cookie_secure, bool):
            raise UsageError("cookie_secure must be True, False or None")
        if not isinstance(self.audience, str) or len(self.audience.encode(errors="replace")) > _ATTRIBUTE_BYTES:
            raise UsageError(f"audience must be text of at most {_ATTRIBUTE_BYTES} bytes")
        if self.audience.encode(errors="replace").decode() != self.audience:
            raise UsageError("audience holds a lone surrogate, which is not Unicode")
        self._check_words()
        if not isinstance(self.merge, Mapping) or not all(map(callable, self.merge.values())):
            raise UsageError("merge must be a dict from keys of the session to callables")
        if not isinstance(self.earlier_cookie_names, (tuple, list)):
            raise UsageError("earlier_cookie_names must be a list of names")
        for name in ("permanent_lifetime", "refresh_interval", "absolute_lifetime", "idle", "rotate_every"):
            put(name, _duration(name, getattr(self, name)))
        if self.preset is not None:
            absolute, idle = PRESETS[self.preset]
            put("absolute_lifetime", absolute if self.absolute_lifetime is None else self.absolute_lifetime)
            put("idle", idle if self.idle is None else self.idle)
        put("earlier_cookie_names", tuple(self.earlier_cookie_names))
        put("merge", dict(self.merge))
        if isinstance(self.revocation_delay, timedelta):
            put("revocation_delay", self.revocation_delay.total_seconds())
        put("cookie_domain", _domain(self.cookie_domain))
        put("cookie_samesite", _same_site(self.cookie_samesite))
        self._check_cookie()
        self._check_times()
        put("earlier_cookie_names", tuple(dict.fromkeys(self.earlier_cookie_names)))

    def _check_words(self) -> None:
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                *most, last = (repr(word) for word in words)
                raise UsageError(f"{name} must be {', '.join(most)} or {last}")
        if self.bind is not None and not callable(self.bind):
            raise UsageError("bind must be a callable that takes an address and a user agent")

    def _check_cookie(self) -> None:
        for name in (self.cookie_name, *self.earlier_cookie_names):
            if not isinstance(name, str) or not _TOKEN.fullmatch(name) or len(name) > _ATTRIBUTE_BYTES:
                raise UsageError("cookie_name must be an RFC 6265 token: letters, digits and !#$%&'*+-.^_`|~")
        if self.cookie_name in self.earlier_cookie_names:
            raise UsageError("earlier_cookie_names holds the cookie's present name")
        if not isinstance(self.cookie_path, str) or not _PATH.fullmatch(self.cookie_path):
            raise UsageError(
                "cookie_path must begin with / and hold no control character, comma, semicolon or non-ASCII"
            )
        if len(self.cookie_path) > _ATTRIBUTE_BYTES or len(self.cookie_domain or "") > _ATTRIBUTE_BYTES:
            raise UsageError(
                f"cookie_path and cookie_domain have at most {_ATTRIBUTE_BYTES} bytes: browsers ignore more"
            )
        prefix = self.cookie_name.lower()
        needs_secure = {
            "cookie_samesite 'None'": self.cookie_samesite == "None",
            "cookie_partitioned": self.cookie_partitioned,
            f"a cookie_name like {self.cookie_name}": prefix.startswith(SECURE_PREFIXES),
        }
        for what, used in needs_secure.items():
            if used and self.cookie_secure is not True:
                raise UsageError(f"{what} needs cookie_secure=True: browsers refuse the cookie otherwise")
        if prefix.startswith("__host-") and (self.cookie_domain is not None or self.cookie_path != "/"):
            raise UsageError("a __Host- cookie must have the path / and no domain: browsers refuse it otherwise")
        if prefix.startswith(("__http-", "__host-http-")) and not self.cookie_httponly:
            raise UsageError("an __Http- cookie must be HttpOnly: browsers refuse it otherwise")

    def _check_times(self) -> None:
        second = timedelta(seconds=1)
        if not second <= self.permanent_lifetime <= LONGEST_COOKIE:
            raise UsageError(
                "permanent_lifetime must be from 1 second to 400 days, the longest that browsers keep a cookie"
            )
        for name in ("absolute_lifetime", "idle", "rotate_every"):
            value = getattr(self, name)
            if value is not None and value < second:
                raise UsageError(f"{name} must be at least 1 second, or None")
        if self.refresh_interval is not None and self.refresh_interval < timedelta(0):
            raise UsageError("refresh_interval must not be negative")
        most = self.max_sessions_per_user
        if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
            raise UsageError("max_sessions_per_user must be a number from 1 on, or None")
        delay = self.revocation_delay
        if isinstance(delay, bool) or not isinstance(delay, (int, float)) or not 0 <= delay <= _LONGEST_DELAY:
            raise UsageError(f"revocation_delay must be from 0 to {_LONGEST_DELAY} seconds")

    @property
    def unseen_seconds(self) -> int:
        """How long a session lives unseen, in seconds."""
        lifetime = self.permanent_lifetime if self.idle is None else min(self.permanent_lifetime, self.idle)
        return int(lifetime.total_seconds())


# The options that are no part of the policy.
_OTHERS = ("secret_key", "secret_key_fallbacks", "store", "earlier_store", "revocations", "clock", "on_event")
OPTIONS: tuple[str, ...] = (*(field.name for field in fields(Settings)), *_OTHERS)


def config_key(option: str) -> str:
    """Gives the key that Flask's configuration has for an option."""
    special = {
        "secret_key": "SECRET_KEY",
        "secret_key_fallbacks": "SECRET_KEY_FALLBACKS",
        "permanent_lifetime": "PERMANENT_SESSION_LIFETIME",
    }
    return special.get(option, f"SESSION_{option.upper()}")


def normalize(options: Mapping[str, Any]) -> dict[str, Any]:
    """Gives options under their one name; `session_` in a name may stand or not, and None stands for not given.

    Raises `UsageError` for one that does not exist, or comes twice.
    """
    normal: dict[str, Any] = {}
    for given, value in options.items():
        option = given.lower().replace("session_", "")
        if option not in OPTIONS:
            close = get_close_matches(option, OPTIONS, 1)
            raise UsageError(f"there is no option {given!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
        if option in normal:
            raise UsageError(f"the option {option!r} is given twice")
        if value is not None:
            normal[option] = value
    for option in ("clock", "on_event"):
        if option in normal and not callable(normal[option]):
            raise UsageError(f"{option} must be callable")
    return normal


def _duration(name: str, value: Any) -> timedelta | None:
    if value is None and name != "permanent_lifetime":
        return None
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except (OverflowError, ValueError):
            pass
    raise UsageError(f"{name} must be a timedelta or a number of seconds")


def _domain(value: Any) -> str | None:
    if value is None or value is False or value == "":
        return None
    if isinstance(value, str):
        # Browsers drop a leading dot; a port has never meant anything here.
        host, _, port = value.partition(":")
        try:
            ascii_host = host.removeprefix(".").encode("idna").decode("ascii") if not port or port.isdigit() else ""
        except UnicodeError:
            ascii_host = ""
        if _DOMAIN.fullmatch(ascii_host):
            return ascii_host
    raise UsageError("cookie_domain must be a host name")


def _same_site(value: Any) -> SameSite:
    if value is None:
        return "Lax"
    if value is False:
        return False
    known: dict[str, SameSite] = {"lax": "Lax", "strict": "Strict", "none": "None"}
    if isinstance(value, str) and value.lower() in known:
        return known[value.lower()]
    raise UsageError("cookie_samesite must be 'Lax', 'Strict', 'None', or False to leave the attribute out")
