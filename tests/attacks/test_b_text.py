"""B: the text of a token, spelt in every other way.

White space around a whole `name=value` pair belongs to the `Cookie` header and
not to the value, so B4 puts it inside the value, and at its ends only where the
token is opened without a header.
"""

from __future__ import annotations

import os
import string
from collections.abc import Callable
from urllib.parse import quote

import pytest
from attacks.harness import CONTENT, NOW, SECRET, Desk, Site

from coatcheck import Keyring, Reason
from coatcheck.core.events import Rejected
from coatcheck.core.text import decode, encode
from coatcheck.core.token import TokenSealer

# In the order of their values.
ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"

Check = Callable[..., None]


@pytest.fixture(params=[0, 1, 2], ids=["no bits over", "four bits over", "two bits over"])
def token(request: pytest.FixtureRequest, desk: Desk) -> str:
    """A token for each of the ways in which its last group of four characters can be filled."""
    for length in range(0, 97, 32):
        token = desk.seal(CONTENT | {"filling": "x" * length})
        if len(decode(token)) % 3 == request.param:
            return token
    raise AssertionError("tokens grow by 32 bytes, so three lengths in turn leave 0, 1 and 2 over")


@pytest.fixture
def long_token(desk: Desk) -> str:
    """A token that has every character of the alphabet."""
    while True:
        token = desk.seal(CONTENT | {"filling": "x" * 900})
        if set(token) == set(ALPHABET):
            return token


def test_the_tokens_that_are_attacked_open(desk: Desk, token: str, long_token: str) -> None:
    assert (desk.refusal(token), desk.refusal(long_token)) == (None, None)
    assert encode(decode(token)) == token


def test_b1_no_other_last_character_spells_the_same_token(desk: Desk, token: str) -> None:
    others = {desk.refusal(token[:-1] + last) for last in ALPHABET if last != token[-1]}
    assert others <= {Reason.MALFORMED, Reason.FORGED}
    same_bits = {0: 1, 1: 16, 2: 4}[len(decode(token)) % 3]
    at = ALPHABET.index(token[-1])
    spellings = [ALPHABET[at // same_bits * same_bits + other] for other in range(same_bits)]
    for last in set(spellings) - {token[-1]}:
        assert desk.refusal(token[:-1] + last) is Reason.MALFORMED


def test_b1_a_token_has_one_spelling_among_all_changes_of_one_character(desk: Desk, token: str) -> None:
    for at in range(0, len(token), 7):
        for other in ALPHABET:
            assert other == token[at] or desk.refusal(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize("padding", ["=", "==", "===", "====", "%3D", "A===", "A=", "AA=="])
def test_b2_padding_gives_an_empty_session(desk: Desk, token: str, padding: str) -> None:
    assert desk.refusal(token + padding) in (Reason.MALFORMED, Reason.FORGED)
    if padding[0] == "=":
        assert desk.refusal(token + padding) is Reason.MALFORMED
        assert desk.refusal(padding + token) is Reason.MALFORMED


def test_b2_padding_inside_gives_an_empty_session(desk: Desk, token: str) -> None:
    for at in range(len(token)):
        assert desk.refusal(token[:at] + "=" + token[at:]) is Reason.MALFORMED
        assert desk.refusal(token[:at] + "=" + token[at + 1 :]) is Reason.MALFORMED


def test_b3_the_other_alphabet_gives_an_empty_session(desk: Desk, long_token: str) -> None:
    for ours, other in (("-", "+"), ("_", "/")):
        assert desk.refusal(long_token.replace(ours, other)) is Reason.MALFORMED
        assert desk.refusal(long_token.replace(ours, other, 1)) is Reason.MALFORMED
    assert desk.refusal(long_token.translate(str.maketrans("-_", "+/"))) is Reason.MALFORMED


@pytest.mark.parametrize("blank", ["\n", "\r", "\r\n", "\t", " ", "\x00", "\v", "\f", "\x1c", "\x85", "\xa0"])
def test_b4_blanks_inside_give_an_empty_session(desk: Desk, token: str, blank: str) -> None:
    for at in range(len(token)):
        assert desk.refusal(token[:at] + blank + token[at:]) is Reason.MALFORMED


@pytest.mark.parametrize("blank", ["\n", "\r\n", "\t", " ", "\x00", "\v", "\x1c", "\x85", "\xa0", "\u2000", "\ufeff"])
def test_b4_blanks_at_the_ends_of_a_token_are_refused(token: str, blank: str) -> None:
    sealer = TokenSealer(Keyring(SECRET), "", "session", os.urandom)
    for text in (blank + token, token + blank):
        with pytest.raises(Rejected) as rejected:
            sealer.open(text, NOW)
        assert rejected.value.reason is Reason.MALFORMED


@pytest.mark.parametrize("blank", ["\n", "\r", "\x00", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0"])
def test_b4_what_python_strips_and_http_does_not_gives_an_empty_session(desk: Desk, token: str, blank: str) -> None:
    assert desk.refusal(token + blank) is Reason.MALFORMED
    assert desk.refusal(blank + token) is Reason.MALFORMED


@pytest.mark.parametrize("tail", ["x", "=x", "==x", "= x", "==\nx", "=" * 64, "\x00" * 64])
def test_b4_text_after_the_token_gives_an_empty_session(desk: Desk, token: str, tail: str) -> None:
    assert desk.refusal(token + tail) in (Reason.MALFORMED, Reason.FORGED)


def test_b5_a_length_of_one_more_than_a_multiple_of_four_gives_an_empty_session(desk: Desk, token: str) -> None:
    for length in range(1, len(token), 4):
        assert desk.refusal(token[:length]) is Reason.MALFORMED
    whole = token[: len(token) // 4 * 4]
    assert {desk.refusal(whole + last) for last in ALPHABET} == {Reason.MALFORMED}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_b7_percent_encoding_gives_an_empty_session(desk: Desk, long_token: str, times: int) -> None:
    percent_encoded = {
        "all": "".join(f"%{ord(each):02X}" for each in long_token[:300]),
        "one": f"%{ord(long_token[0]):02x}" + long_token[1:],
        "punctuation": long_token.replace("-", "%2D").replace("_", "%5F"),
    }
    for once in percent_encoded.values():
        value = once
        for _ in range(times - 1):
            value = quote(value)
        assert desk.refusal(value[:4000]) is Reason.MALFORMED


def test_b8_quotes_and_escapes_give_an_empty_session(desk: Desk, token: str) -> None:
    octal = "".join(f"\\{ord(each):03o}" for each in token)
    for value in (
        f'"{token}"',
        f'"{token}',
        f'{token}"',
        f"'{token}'",
        f'"{octal}"',
        f'"\\{ord(token[0]):03o}{token[1:]}"',
        octal,
        f'"\\{token}"',
        "\\" + token,
    ):
        assert desk.refusal(value) is Reason.MALFORMED


def test_b9_another_case_gives_an_empty_session(desk: Desk, token: str) -> None:
    for value in (token.upper(), token.lower(), token.swapcase()):
        assert desk.refusal(value)
    for at, character in enumerate(token):
        changed = token[:at] + character.swapcase() + token[at + 1 :]
        assert changed == token or desk.refusal(changed)


@pytest.mark.parametrize(
    "odd",
    [
        chr(0xD800),
        chr(0xDC80),
        chr(0xDFFF),
        "\x80",
        "\xe9",
        "\xff",
        "\xc3\xa9",
        "\xed\xa0\x80",
        "\xc0\xaf",
        "\u2212",
        "\uff21",
        "\U0001f36a",
    ],
    ids=ascii,
)
def test_b10_text_that_is_not_ascii_gives_an_empty_session(desk: Desk, token: str, odd: str) -> None:
    for at in (0, 1, len(token) // 2, len(token) - 1, len(token)):
        assert desk.refusal(token[:at] + odd + token[at:]) is Reason.MALFORMED
        assert desk.refusal(token[:at] + odd + token[at + 1 :]) is Reason.MALFORMED
    assert desk.refusal(odd) is Reason.MALFORMED
    assert desk.refusal(odd * len(token)) is Reason.MALFORMED


def test_b10_letters_that_look_alike_give_an_empty_session(desk: Desk, long_token: str) -> None:
    """Full-width forms, which NFKC folds into ASCII, and digits that `str.isdigit` takes."""
    wide = "".join(chr(ord(each) + 0xFEE0) for each in long_token)
    assert desk.refusal(wide) is Reason.MALFORMED
    for digit in "0123456789":
        assert desk.refusal(long_token.replace(digit, chr(0x0660 + int(digit)))) is Reason.MALFORMED
    assert desk.refusal(long_token.replace("K", "\u212a")) is Reason.MALFORMED
    assert desk.refusal(long_token.replace("s", "\u017f")) is Reason.MALFORMED


def test_b11_a_semicolon_or_comma_inside_gives_an_empty_session(desk: Desk, token: str) -> None:
    for at in range(len(token)):
        assert desk.refusal(token[:at] + "," + token[at:]) is Reason.MALFORMED
        assert desk.refusal(token[:at] + ";" + token[at:]) is not None
        assert desk.refusal(token[:at] + "; " + token[at:]) is not None
        assert desk.refusal(token[:at] + ";" + token[at + 1 :]) is not None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token + "=",
        lambda token: token + "A",
        lambda token: token.swapcase(),
        lambda token: token[:50] + "\n" + token[50:],
        lambda token: token[:50] + "\x00" + token[50:],
        lambda token: token[:50] + "+" + token[51:],
        lambda token: token[:50] + "," + token[50:],
        lambda token: token[:50] + "\xff\xe9" + token[50:],
        lambda token: token[:50] + "%2D" + token[50:],
        lambda token: '"' + token + '"',
        lambda token: "",
        lambda token: "=",
        lambda token: "\\",
        lambda token: "{}",
    ],
    ids=range(14),
)
def test_b_spoilt_text_in_a_whole_application(
    site: Site, desk: Desk, token: str, spoil: Callable[[str], str], gives_an_empty_session: Check
) -> None:
    value = spoil(token)
    reason = desk.refusal(value)
    assert reason is not None
    gives_an_empty_session(site, f"session={value}", reason)
