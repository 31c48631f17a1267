"""Files that upstream's loader was asked about (k8s.io/apiserver v0.37.2, LoadEncryptionConfig).

``config_vectors.jsonl`` has each file's ``text`` and, where it is refused, upstream's ``error``
(``reload`` where automatic reload changes it), with the file called FILE, and REDACTED for keys
and whole files that upstream prints. With ``words`` only the refusal is compared: the words differ.
The answers are upstream's own, written by ``python -m tests.oracle.refresh``.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from apiserver_shim.encryption.live import verify
from apiserver_shim.encryption.runtime import Runtime
from apiserver_shim.errors import EncryptionConfigError
from tests.oracle.refresh import CONFIGS, data_of, read

VECTORS = read(CONFIGS)


async def said(path: Path, *, reload: bool) -> str | None:
    try:
        await verify(path, Runtime(lambda: datetime.now(UTC)), reload=reload)
    except EncryptionConfigError as error:
        return error.message.replace(str(path), "FILE")
    return None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: repr(data_of(vector)[-40:]))
async def test_a_file_is_taken_or_refused_as_upstream_does(
    vector: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "encryption.yaml"
    path.write_bytes(data_of(vector))
    once, again = vector.get("error"), vector.get("reload", vector.get("error"))
    here = await said(path, reload=False), await said(path, reload=True)
    if "words" not in vector:
        assert here == (once, again)
        return
    assert None not in here
    assert here != (once, again), "the words agree: the vector need not be excused"


def test_the_vectors_are_many_and_few_are_excused() -> None:
    assert len(VECTORS) > 900
    assert sum("error" not in vector for vector in VECTORS) > 200
    assert sum("words" in vector for vector in VECTORS) < 20
