"""The control API's token: private, new when asked for, and one for all who share a folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from acksim.data_dir import control_token
from acksim.settings import SettingsError


def test_a_new_one_replaces_the_old(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first, second = control_token.renew(path), control_token.renew(path)
    assert first != second
    assert control_token.read(path) == second == control_token.ensure(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_many_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    for turn in range(50):
        path = tmp_path / str(turn) / "token"
        path.parent.mkdir()
        with ThreadPoolExecutor(4) as pool:
            tokens = set(pool.map(control_token.ensure, [path] * 4))
        assert len(tokens) == 1
        assert list(path.parent.iterdir()) == [path]


def test_a_mounted_secret_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("chosen-by-the-operator\n")
    assert control_token.ensure(path) == "chosen-by-the-operator"


@pytest.mark.parametrize("content", ["", "\n", "short", "two words of some length", "ключ" * 9])
def test_what_is_no_token_is_never_asked_for(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(SettingsError, match="holds no token"):
        control_token.ensure(path)
