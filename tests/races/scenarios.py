"""What must come of requests at the same time, on every store; a subclass says whether they are threads or tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from races.crowd import Crowd
from races.steps import View

from coatcheck import Kind, Session

# By the fixture that has the server; the first two need none.
STORES = (
    "memory",
    "sqlite",
    "redis_server",
    "redis_cluster",
    "redis_sentinels",
    "postgresql",
    "mariadb",
    "memcached",
)
WRITERS = 16
# What happens by chance is tried so often.
ROUNDS = 5


def put(**items: Any) -> View:
    return lambda session: session.update(items)


def login(session: Session) -> None:
    session["user"] = "ada"
    session.regenerate()


def destroy(session: Session) -> None:
    session.destroy()


def look(session: Session) -> None:
    session.get("start")


def count(session: Session) -> None:
    session["count"] += 1


def add(was: int, mine: int, theirs: int) -> int:
    return theirs + mine - was


def url_of(request: pytest.FixtureRequest, name: str) -> str:
    """Gives the URL of a store of a kind."""
    if name == "memory":
        return "memory:"
    if name == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/sessions.db"
    url: str = request.getfixturevalue(name).url()
    return url


class Races:
    """Each test holds for every store."""

    crowd_class: type[Crowd]

    @pytest.fixture(params=STORES)
    def crowd(self, request: pytest.FixtureRequest) -> Iterator[Crowd]:
        crowd = self.crowd_class(url_of(request, request.param))
        yield crowd
        crowd.close()

    # Writers

    def test_a_slow_reader_does_not_undo_a_fast_writer(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        reader, _ = crowd.together(site, (header, look), (header, put(colour="red")), last=0)
        assert reader.seen == {"start": 0}
        assert crowd.read(site, header) == {"start": 0, "colour": "red"}

    def test_a_slow_writer_does_not_undo_a_fast_one(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        crowd.together(site, (header, put(size="L")), (header, put(colour="red")), last=0)
        assert crowd.read(site, header) == {"start": 0, "colour": "red", "size": "L"}

    def test_of_sixteen_writers_of_other_keys_each_is_kept(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        crowd.together(site, *((header, put(**{f"key {number}": number})) for number in range(WRITERS)))
        assert crowd.read(site, header) == {"start": 0} | {f"key {number}": number for number in range(WRITERS)}

    def test_of_sixteen_writers_of_one_key_one_is_kept(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        crowd.together(site, *((header, put(key=number)) for number in range(WRITERS)))
        found = crowd.read(site, header)
        assert found.pop("key") in range(WRITERS)
        assert found == {"start": 0}

    def test_of_two_writers_of_one_key_the_later_save_counts(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        crowd.together(site, (header, put(key="late")), (header, put(key="early")), last=0)
        assert crowd.read(site, header) == {"start": 0, "key": "late"}

    def test_a_rule_lets_sixteen_count_at_once(self, crowd: Crowd) -> None:
        site = crowd.site(merge={"count": add})
        header = crowd.begin(site, count=0)
        crowd.together(site, *[(header, count)] * WRITERS)
        assert crowd.read(site, header) == {"count": WRITERS}

    def test_those_who_take_a_key_away_and_those_who_bring_one_agree(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, **{f"old {number}": number for number in range(WRITERS // 2)})
        takers = [
            (header, lambda session, number=number: session.pop(f"old {number}")) for number in range(WRITERS // 2)
        ]
        bringers = [(header, put(**{f"new {number}": number})) for number in range(WRITERS // 2)]
        crowd.together(site, *takers, *bringers)
        assert crowd.read(site, header) == {f"new {number}": number for number in range(WRITERS // 2)}

    # Logout

    def test_a_logout_wins_over_a_writer(self, crowd: Crowd) -> None:
        site = crowd.site()
        for _round in range(ROUNDS):
            header = crowd.begin(site, user="ada")
            logout, writer = crowd.together(site, (header, destroy), (header, put(colour="red")))
            assert (logout.header, writer.header) == ("", "")
            assert crowd.read(site, header) == {}

    def test_a_slow_writer_does_not_undo_a_logout(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, user="ada")
        site.events.clear()
        crowd.together(site, (header, put(colour="red")), (header, destroy), last=0)
        assert [event.kind for event in site.events] == [Kind.DESTROYED, Kind.DROPPED]
        assert crowd.read(site, header) == {}

    def test_a_logout_wins_over_a_refresh(self, crowd: Crowd) -> None:
        site = crowd.site()
        for _round in range(ROUNDS):
            header = crowd.begin(site, user="ada", _permanent=True)
            crowd.clock.advance(3700)
            crowd.together(site, (header, look), (header, destroy))
            assert crowd.read(site, header) == {}

    def test_a_slow_refresh_does_not_undo_a_logout(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, user="ada", _permanent=True)
        crowd.clock.advance(3700)
        refresh, _ = crowd.together(site, (header, look), (header, destroy), last=0)
        assert refresh.decision.cookies == ()
        assert crowd.read(site, header) == {}

    def test_a_logout_wins_over_a_new_id(self, crowd: Crowd) -> None:
        site = crowd.site()
        for _round in range(ROUNDS):
            header = crowd.begin(site, start=0)
            _, renewed = crowd.together(site, (header, destroy), (header, login))
            assert crowd.read(site, renewed.header) == {}
            assert crowd.read(site, header) == {}

    # New ids

    def test_a_new_id_keeps_what_writers_keep_and_none_of_them_learns_of_it(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        writers = [(header, put(**{f"key {number}": number})) for number in range(WRITERS)]
        renewed, *answers = crowd.together(site, (header, login), *writers)
        kept = {"start": 0, "user": "ada"} | {f"key {number}": number for number in range(WRITERS)}
        assert crowd.read(site, renewed.header) == kept
        assert {answer.header for answer in answers} == {""}
        assert "user" not in crowd.read(site, header)
        crowd.clock.advance(11)
        assert crowd.read(site, header) == {}

    def test_a_slow_writer_finds_the_new_id_by_itself(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)
        writer, renewed = crowd.together(site, (header, put(colour="red")), (header, login), last=0)
        assert writer.header == ""
        assert crowd.read(site, renewed.header) == {"start": 0, "user": "ada", "colour": "red"}

    def test_of_two_new_ids_each_has_its_own_session(self, crowd: Crowd) -> None:
        site = crowd.site()
        header = crowd.begin(site, start=0)

        def renew(key: str) -> View:
            return lambda session: (session.update({key: True}), session.regenerate())

        one, other = crowd.together(site, (header, renew("one")), (header, renew("other")))
        assert crowd.read(site, one.header) == {"start": 0, "one": True}
        assert crowd.read(site, other.header) == {"start": 0, "other": True}

    # Moves

    @pytest.mark.parametrize("sealed", [True, False], ids=["from the cookie", "from another store"])
    def test_all_who_bring_one_session_from_elsewhere_meet(self, crowd: Crowd, sealed: bool) -> None:
        before, site = crowd.site_before(sealed=sealed), crowd.site(earlier=not sealed)
        header = crowd.begin(before, start=0)
        writers = [(header, put(**{f"key {number}": number})) for number in range(WRITERS)]
        answers = crowd.together(site, *writers, (header, look))
        (moved,) = {answer.header for answer in answers}
        kept = {"start": 0} | {f"key {number}": number for number in range(WRITERS)}
        assert crowd.read(site, moved) == crowd.read(site, header) == kept

    @pytest.mark.parametrize("sealed", [True, False], ids=["from the cookie", "from another store"])
    def test_a_logout_wins_over_a_move(self, crowd: Crowd, sealed: bool) -> None:
        before, site = crowd.site_before(sealed=sealed), crowd.site(earlier=not sealed)
        for _round in range(ROUNDS):
            header = crowd.begin(before, user="ada")
            mover, _ = crowd.together(site, (header, put(colour="red")), (header, destroy))
            assert crowd.read(site, header) == {}
            assert crowd.read(site, mover.header) == {}

    @pytest.mark.parametrize("sealed", [True, False], ids=["from the cookie", "from another store"])
    def test_a_new_id_wins_over_a_move(self, crowd: Crowd, sealed: bool) -> None:
        before, site = crowd.site_before(sealed=sealed), crowd.site(earlier=not sealed)
        for _round in range(ROUNDS):
            header = crowd.begin(before, start=0)
            renewed, _ = crowd.together(site, (header, login), (header, put(colour="red")))
            assert crowd.read(site, renewed.header) == {"start": 0, "user": "ada", "colour": "red"}
            assert "user" not in crowd.read(site, header)
