"""Tokens that only we can have made."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from acksim.account.database import Database
from acksim.account.seals import Seals

SEALS = Seals(bytes(32))
purposes = st.sampled_from(["page", "metadata", "page\0", ""])


@given(purpose=purposes, content=st.binary(max_size=64))
def test_what_was_sealed_opens(purpose: str, content: bytes) -> None:
    assert SEALS.open(purpose, SEALS.seal(purpose, content)) == content


@given(purpose=purposes, other=purposes, content=st.binary(max_size=64))
def test_a_token_is_for_one_purpose_and_of_one_key(
    purpose: str, other: str, content: bytes
) -> None:
    token = SEALS.seal(purpose, content)
    assert (SEALS.open(other, token) == content) == (purpose == other)
    assert Seals(b"k" * 32).open(purpose, token) is None


@given(content=st.binary(max_size=64), data=st.data())
def test_a_token_with_one_other_character_does_not_open(
    content: bytes, data: st.DataObject
) -> None:
    token = SEALS.seal("page", content)
    place = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters())
    spoilt = token[:place] + character + token[place + 1 :]
    assert (SEALS.open("page", spoilt) == content) == (spoilt == token)


@given(token=st.text(max_size=100))
def test_whatever_comes_is_no_token(token: str) -> None:
    assert SEALS.open("page", token) is None


async def test_every_process_of_a_database_has_one_key(tmp_path: Path) -> None:
    databases = [Database(tmp_path / "account.db") for _ in range(2)]
    here, there = [await Seals.of(database) for database in databases]
    for database in databases:
        database.close()
    assert there.open("page", here.seal("page", b"x")) == b"x"
