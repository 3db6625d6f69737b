"""What Pyramid asks of a session and of a factory of sessions."""

from __future__ import annotations

from typing import Any

import pytest
from kit import NOON, SECRET
from pyramid.csrf import LegacySessionCSRFStoragePolicy, SessionCSRFStoragePolicy
from pyramid.interfaces import ISession, ISessionFactory
from pyramid.request import Request
from pyramid.response import Response
from pyramid.testing import DummyRequest
from zope.interface.verify import verifyObject

from coatcheck.pyramid import PyramidSession, session_factory
from coatcheck.testing import Clock


def open_session(request: Any = None, **options: Any) -> PyramidSession:
    return session_factory(SECRET, clock=Clock(NOON), **options)(request or Request.blank("/"))


def test_a_session_is_what_pyramid_calls_one() -> None:
    assert verifyObject(ISession, open_session())


def test_a_factory_takes_a_request() -> None:
    assert isinstance(session_factory(SECRET)(DummyRequest()), PyramidSession)
    assert list(ISessionFactory) == ["__call__"]


def test_it_says_when_it_began_and_whether_it_is_new() -> None:
    session = open_session()
    assert (session.created, session.new) == (NOON, True)


def test_it_lasts_to_the_next_request() -> None:
    request, response = Request.blank("/"), Response("text")
    session = open_session(request)
    session["user"] = "ann"
    request._process_response_callbacks(response)  # noqa: SLF001  # as the router does
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    after = open_session(Request.blank("/", headers={"Cookie": cookie}))
    assert (dict(after), after.new, after.created) == ({"user": "ann"}, False, NOON)


def test_an_invalidated_session_is_empty_new_and_can_be_filled() -> None:
    session = open_session()
    session["user"] = "ann"
    handle = session.handle
    session.invalidate()
    assert (dict(session), session.new) == ({}, True)
    session["user"] = "bob"
    assert session.handle != handle


def test_a_session_that_changed_sends_its_cookie() -> None:
    request, response = Request.blank("/"), Response("text")
    session = open_session(request)
    session["user"] = "ann"
    request._process_response_callbacks(response)  # noqa: SLF001
    again = Request.blank("/", headers={"Cookie": response.headers["Set-Cookie"].partition(";")[0]})
    open_session(again).changed()
    answer = Response("text")
    again._process_response_callbacks(answer)  # noqa: SLF001
    assert "Set-Cookie" in answer.headers


def test_messages_wait_in_their_queues() -> None:
    session = open_session()
    session.flash("one")
    session.flash("two")
    session.flash("two", allow_duplicate=False)
    session.flash("two", allow_duplicate=True)
    session.flash("other", "errors")
    assert session.peek_flash() == ["one", "two", "two"]
    assert session.pop_flash() == ["one", "two", "two"]
    assert session.pop_flash() == session.peek_flash() == []
    assert session.pop_flash(queue="errors") == ["other"]


@pytest.mark.parametrize("policy", [LegacySessionCSRFStoragePolicy(), SessionCSRFStoragePolicy()])
def test_a_token_against_forged_requests_stays_until_a_new_one_is_made(policy: Any) -> None:
    request = DummyRequest()
    request.session = open_session()
    token = policy.get_csrf_token(request)
    assert len(token) >= 32
    assert policy.get_csrf_token(request) == token
    assert policy.check_csrf_token(request, token)
    assert policy.new_csrf_token(request) != token
    assert not policy.check_csrf_token(request, token)


def test_both_policies_have_one_token() -> None:
    request = DummyRequest()
    request.session = open_session()
    assert LegacySessionCSRFStoragePolicy().get_csrf_token(request) == SessionCSRFStoragePolicy().get_csrf_token(
        request
    )
