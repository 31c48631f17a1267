"""Base64 as Go's StdEncoding reads it; the bytes in the messages are those of Go 1.26."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver_shim import go_base64


@given(st.binary(max_size=200), st.integers(1, 80))
def test_lines_of_any_length_are_read(data: bytes, width: int) -> None:
    text = base64.b64encode(data).decode()
    lines = [text[at : at + width] for at in range(0, len(text), width)]
    assert go_base64.decode("\r\n".join([*lines, ""])) == data


def test_bits_that_nobody_sees_do_not_matter() -> None:
    assert go_base64.decode("AB==") == go_base64.decode("AA==")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("A", 0),
        ("AAA", 0),
        ("AAAAA", 4),
        ("=", 0),
        ("A=", 1),
        ("AA=", 3),
        ("AA=A", 2),
        ("AA==A", 4),
        ("AAA=A", 4),
        ("AAAA=", 4),
        ("AAAA====", 4),
        ("AA\n=\nA", 4),
        ("AA=\n", 4),
        ("A\n\nA A", 4),
        ("AAA\n", 1),
        ("AAAAA-_A", 5),
        ("ÄAAA", 0),
        ("“AAAA”", 0),
        ("AAA…", 3),
    ],
)
def test_what_is_refused_is_told_by_its_byte(text: str, at: int) -> None:
    with pytest.raises(go_base64.CorruptInputError) as refused:
        go_base64.decode(text)
    assert str(refused.value) == f"illegal base64 data at input byte {at}"
