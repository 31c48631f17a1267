"""The standalone server's static token file."""

from pathlib import Path

import pytest

from apiserver_shim.__main__ import read_tokens
from apiserver_shim.clusters import StaticToken


def test_token_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text('t1,alice,1,"system:masters,dev"\n\nt2,bob,2\n')
    assert read_tokens(path) == (
        StaticToken("t1", "alice", "1", ("system:masters", "dev")),
        StaticToken("t2", "bob", "2", ()),
    )


@pytest.mark.parametrize("line", ["t1,alice", ",alice,1"])
def test_bad_token_file(tmp_path: Path, line: str) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text(line)
    with pytest.raises(ValueError, match=r"tokens\.csv, line 1: expected token,user,uid"):
        read_tokens(path)
