"""Warning headers: each text once, and never more than a client reads."""

from apiserver_shim.api.answers import warning_headers
from apiserver_shim.objects.decoding import FieldValidation


def _texts(*texts: str) -> list[str]:
    return [value.decode("latin-1") for _, value in warning_headers(texts)]


def test_each_text_is_told_once() -> None:
    assert _texts("one", "", "two", "one") == ['299 - "one"', '299 - "two"']


def test_a_long_text_alone_is_whole() -> None:
    assert _texts("x" * 4096) == [f'299 - "{"x" * 4096}"']


def test_texts_that_are_too_long_together_are_cut() -> None:
    told = _texts("x" * 4000, "y" * 90, "é" * 300)
    assert told == [f'299 - "{"x" * 256}"', f'299 - "{"y" * 90}"', f'299 - "{"é" * 256}"']


def test_what_does_not_fit_is_left_out() -> None:
    told = _texts(*(f"{number:05}" + "z" * 300 for number in range(1000)))
    assert len(told) == 16
    assert sum(map(len, told)) < 5000


def test_a_body_is_told_a_hundred_complaints_at_most() -> None:
    validation = FieldValidation(duplicates=[f"d{number}" for number in range(20_000)])
    assert validation.judge([f"u{number}" for number in range(60)] * 2) is None
    assert len(validation.warnings) == 100
    assert validation.warnings[60] == 'duplicate field "d0"'
    strict = FieldValidation("Strict", repeated="yaml: unmarshal errors:\n  line 2: twice")
    assert strict.judge([]) == "strict decoding error: yaml: unmarshal errors:\n  line 2: twice"
