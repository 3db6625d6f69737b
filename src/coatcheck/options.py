"""The keywords that every integration takes, for type checkers. `Settings` says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal, TypedDict

from coatcheck.core.events import Event
from coatcheck.core.merge import MergeRule
from coatcheck.core.settings import Mode, Preset, SameSite

__all__ = ["Options"]


class Options(TypedDict, total=False):
    """What may be given beside `secret_key`. None stands for not given."""

    secret_key_fallbacks: Iterable[Any] | None
    store: Any
    earlier_store: Any
    revocations: Any
    clock: Callable[[], float] | None
    on_event: Callable[[Event], object] | None

    cookie_name: str | None
    earlier_cookie_names: Iterable[str] | None
    cookie_path: str | None
    cookie_domain: str | None
    cookie_httponly: bool | None
    cookie_secure: bool | None
    cookie_samesite: SameSite | None
    cookie_partitioned: bool | None
    permanent: bool | None
    permanent_lifetime: timedelta | float | None
    refresh_each_request: bool | None
    refresh_interval: timedelta | float | None
    absolute_lifetime: timedelta | float | None
    idle: timedelta | float | None
    preset: Preset | None
    rotate_every: timedelta | float | None
    max_sessions_per_user: int | None
    over_limit: Literal["end_oldest", "refuse"] | None
    bind: Callable[[str, str], str] | None
    mode: Mode | None
    revocation_delay: timedelta | float | None
    revocations_down: Literal["closed", "open"] | None
    allow_weak_key: bool | None
    store_down: Literal["error", "empty"] | None
    move_cookies: bool | None
    merge: Mapping[str, MergeRule] | None
    audience: str | None
