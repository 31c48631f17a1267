"""Continue tokens are upstream's."""

import base64
import json

import pytest

from apiserver_shim.errors import ContinueTokenError
from apiserver_shim.storage import continue_token
from apiserver_shim.storage.continue_token import ContinueToken


def encoded(**fields: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")


def test_a_token_is_unpadded_base64_of_upstreams_json() -> None:
    token = ContinueToken("default/app1\x00", 42).encode()
    assert "=" not in token
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert text == b'{"v":"meta.k8s.io/v1","rv":42,"start":"default/app1\\u0000"}'
    assert continue_token.decode(token) == ("default/app1\x00", 42)


def test_minus_one_resumes_at_the_newest_revision() -> None:
    token = encoded(v="meta.k8s.io/v1", rv=-1, start="a\0")
    assert continue_token.decode(token).revision == -1


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("!", "continue key is not valid"),
        ("é", "continue key is not valid"),
        (encoded(v="v2", rv=1, start="a"), "does not recognize this encoded version"),
        (encoded(v="meta.k8s.io/v1", start="a"), "incorrect encoded start resourceVersion"),
        (encoded(v="meta.k8s.io/v1", rv=-2, start="a"), "incorrect encoded start resourceVersion"),
        (encoded(v="meta.k8s.io/v1", rv=1), "encoded start key empty"),
        (encoded(v="meta.k8s.io/v1", rv=1, start="../secrets/a"), "continue key is not valid"),
        (encoded(v="meta.k8s.io/v1", rv=1, start="/../x"), "continue key is not valid"),
    ],
)
def test_other_tokens_are_refused(token: str, message: str) -> None:
    with pytest.raises(ContinueTokenError, match=message) as caught:
        continue_token.decode(token)
    assert caught.value.message.startswith("invalid continue token: continue key is not valid")
