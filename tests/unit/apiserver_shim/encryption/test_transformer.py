"""The prefix chain: first writes, all read."""

import pytest
from nacl.secret import SecretBox

from apiserver_shim.encryption.local_keys import AesCbc, AesGcm, key_chain
from apiserver_shim.encryption.transformer import (
    Identity,
    PrefixChain,
    Prefixed,
    Transformer,
    TransformerSet,
    joined,
)
from apiserver_shim.errors import TransformError

PATH = b"/registry/secrets/default/app1"
UNMATCHED = "no matching prefix found"


class Broken:
    """A transformer that always fails with its own words."""

    def __init__(self, message: str) -> None:
        self._message = message

    async def to_storage(self, data: bytes, authenticated_data: bytes) -> bytes:
        raise TransformError(self._message)

    async def from_storage(self, data: bytes, authenticated_data: bytes) -> tuple[bytes, bool]:
        raise TransformError(self._message)


def zeros(size: int) -> bytes:
    return bytes(size)


def gcm(*keys: tuple[str, bytes]) -> Prefixed:
    return key_chain("aesgcm", keys, zeros)


def chain(*links: Prefixed) -> PrefixChain:
    return PrefixChain(links, unmatched=UNMATCHED)


IDENTITY = Prefixed(b"", Identity())
ONE, TWO = b"1" * 32, b"2" * 32


async def test_the_first_writes_and_all_read() -> None:
    old = chain(gcm(("one", ONE)), IDENTITY)
    stored = await old.to_storage(b"value", PATH)
    assert stored.startswith(b"k8s:enc:aesgcm:v1:one:")
    assert await old.from_storage(stored, PATH) == (b"value", False)
    # A new key before the old one makes the value stale, as does moving the provider down.
    assert await chain(gcm(("two", TWO), ("one", ONE))).from_storage(stored, PATH) == (
        b"value",
        True,
    )
    assert await chain(IDENTITY, gcm(("one", ONE))).from_storage(stored, PATH) == (b"value", True)


async def test_plaintext_below_a_new_provider_is_stale() -> None:
    assert await chain(gcm(("one", ONE)), IDENTITY).from_storage(b"k8s\0", PATH) == (
        b"k8s\0",
        True,
    )


async def test_identity_refuses_ciphertext() -> None:
    with pytest.raises(TransformError, match="identity transformer tried to read encrypted data"):
        await Identity().from_storage(b"k8s:enc:kms:v1:x:", PATH)


async def test_nothing_that_matches_is_said_so() -> None:
    with pytest.raises(TransformError, match=f"^{UNMATCHED}$"):
        await chain(gcm(("one", ONE)), IDENTITY).from_storage(b"k8s:enc:kms:v1:x:", PATH)
    with pytest.raises(
        TransformError, match=r"^no matching key was found for the provided AES transformer$"
    ):
        await chain(gcm(("one", ONE))).from_storage(b"k8s:enc:aesgcm:v1:two:x", PATH)


async def test_errors_of_all_that_matched_are_joined() -> None:
    prefix = b"k8s:enc:kms:v1:a:"
    first, second = Prefixed(prefix, Broken("one")), Prefixed(prefix, Broken("two"))
    with pytest.raises(TransformError, match=r"^\[one, two\]$"):
        await chain(first, second, IDENTITY).from_storage(prefix + b"x", PATH)
    with pytest.raises(TransformError, match=r"^one$"):
        await chain(first, first).from_storage(prefix + b"x", PATH)


async def test_a_later_provider_with_the_same_prefix_gets_its_try() -> None:
    prefix = b"k8s:enc:aesgcm:v1:one:"
    working: Transformer = AesGcm(ONE, token_bytes=zeros)
    both = chain(Prefixed(prefix, AesGcm(TWO, token_bytes=zeros)), Prefixed(prefix, working))
    stored = prefix + await working.to_storage(b"value", PATH)
    assert await both.from_storage(stored, PATH) == (b"value", True)


async def test_cbc_values_may_be_moved_but_gcm_values_may_not() -> None:
    cbc, sealed_gcm = AesCbc(ONE, token_bytes=zeros), AesGcm(ONE, token_bytes=zeros)
    elsewhere = b"/registry/secrets/default/app2"
    moved = await cbc.to_storage(b"value", PATH)
    assert await cbc.from_storage(moved, elsewhere) == (b"value", False)
    moved = await sealed_gcm.to_storage(b"value", PATH)
    with pytest.raises(TransformError, match="message authentication failed"):
        await sealed_gcm.from_storage(moved, elsewhere)


def test_distinct_errors_are_joined_once() -> None:
    assert joined(["a", "b", "a"]) == "[a, b]"
    assert joined(["a", "a"]) == "a"


async def test_secretbox_values_have_nacls_layout_and_may_be_moved() -> None:
    sealed = key_chain("secretbox", [("one", ONE), ("two", TWO)], lambda size: b"n" * size)
    secrets = chain(sealed)
    stored = await secrets.to_storage(b"k8s\0value", PATH)
    head, nonce = b"k8s:enc:secretbox:v1:one:", b"n" * 24
    assert stored == head + nonce + SecretBox(ONE).encrypt(b"k8s\0value", nonce).ciphertext
    assert await secrets.from_storage(stored, b"/other") == (b"k8s\0value", False)
    second = b"k8s:enc:secretbox:v1:two:" + SecretBox(TWO).encrypt(b"k8s\0value", nonce)
    assert await secrets.from_storage(second, PATH) == (b"k8s\0value", True)


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"one:" + bytes(39), "the stored data was shorter than the required size"),
        (b"one:" + bytes(40), "output array was not large enough for encryption"),
        (b"gone:x", "no matching key was found for the provided Secretbox transformer"),
    ],
)
async def test_secretbox_fails_in_upstreams_words(tail: bytes, message: str) -> None:
    secrets = chain(key_chain("secretbox", [("one", ONE)], zeros), IDENTITY)
    with pytest.raises(TransformError) as caught:
        await secrets.from_storage(b"k8s:enc:secretbox:v1:" + tail, PATH)
    assert caught.value.message == message


def test_resources_are_looked_up_from_the_exact_to_the_wild() -> None:
    exact, core, everything = (AesGcm(ONE, token_bytes=zeros) for _ in range(3))
    transformers = TransformerSet({"secrets": exact, "*.": core, "*.*": everything})
    assert transformers.for_resource("secrets") is exact
    assert transformers.for_resource("configmaps") is core
    transformers.swap({"*.*": everything})
    assert transformers.for_resource("secrets") is everything
    transformers.swap({})
    assert isinstance(transformers.for_resource("secrets"), Identity)


def test_resources_of_other_groups_are_looked_up_with_their_group() -> None:
    exact, group, core = (AesGcm(ONE, token_bytes=zeros) for _ in range(3))
    rbac = "rbac.authorization.k8s.io"
    transformers = TransformerSet({f"roles.{rbac}": exact, f"*.{rbac}": group, "*.": core})
    assert transformers.for_resource("roles") is exact
    assert transformers.for_resource("clusterroles") is group
    assert transformers.for_resource("secrets") is core
