"""Sealed bytes that were altered: CiphertextBlobs of the KMS, and values in etcd."""

import asyncio
import base64
import json
from random import Random
from typing import ClassVar
from urllib.parse import urlsplit

from acksim.clients.kms import Kms, KmsRefusedError
from acksim.clients.kubernetes import kubernetes_access
from acksim.testing import ClusterUnderTest
from apiserver_shim.storage.etcd import EtcdClient
from tests.fuzz.door import Case, ViolationError, mutated, pick
from tests.fuzz.lab import Lab
from tests.fuzz.wire import NoAnswerError, Wire, request_bytes

_PLAINTEXT = b"the plaintext of a campaign"


class BlobDoor:
    """A CiphertextBlob that was altered opens to nothing; nor does one under another context."""

    name: ClassVar[str] = "blob"
    share: ClassVar[int] = 3
    alone: ClassVar[bool] = False
    in_process: ClassVar[bool] = False

    async def open(self, lab: Lab) -> None:
        cluster = lab.v1
        signer = cluster.signer
        self._kms = Kms(lab.world.facts.endpoint, signer.access_key_id, signer.access_key_secret)
        key_id = self._kms.create_key(description="of a campaign")["KeyId"]
        text = base64.b64encode(_PLAINTEXT).decode()
        answer = self._kms.call(
            "Encrypt", KeyId=key_id, Plaintext=text, EncryptionContext='{"a":"b"}'
        )
        self._blob = base64.b64decode(answer["CiphertextBlob"])
        self._check(self._blob, '{"a":"b"}', expected=True)

    def new_case(self, random: Random) -> Case:
        context = pick(random, ('{"a":"b"}',) * 9 + ('{"a":"c"}', "{}", '{"ab":""}', '{"b":"a"}'))
        return {"seed": int(random.random() * 2**31), "context": context}

    async def attempt(self, case: Case, worker: int) -> str:
        blob = mutated(Random(case["seed"]), self._blob)
        unchanged = blob == self._blob and case["context"] == '{"a":"b"}'
        return await asyncio.to_thread(self._check, blob, case["context"], expected=unchanged)

    def _check(self, blob: bytes, context: str, *, expected: bool) -> str:
        text = base64.b64encode(blob).decode()
        try:
            self._kms.call("Decrypt", CiphertextBlob=text, EncryptionContext=context)
        except KmsRefusedError as error:
            if expected:
                raise ViolationError(f"a blob that nobody altered is refused: {error}") from None
            if error.code in {"InternalFailure", "Unreachable", ""}:
                raise ViolationError(f"an unnamed error: {error}") from None
            return error.code
        if not expected:
            raise ViolationError("an altered blob was opened")
        return "opened"

    async def close(self) -> None:
        """Nothing to check."""


class EtcdDoor:
    """An altered value in etcd opens to the right plaintext or to a named error, never another."""

    name: ClassVar[str] = "etcd"
    share: ClassVar[int] = 3
    alone: ClassVar[bool] = True
    in_process: ClassVar[bool] = False

    async def open(self, lab: Lab) -> None:
        self._etcd = EtcdClient(lab.world.facts.etcd)
        self._targets = {}
        for version, cluster in (("v1", lab.v1), ("v2", lab.v2)):
            await asyncio.to_thread(cluster.create_secret, "sealed", k="plaintext of a campaign")
            await asyncio.to_thread(cluster.create_secret, "another", k="another plaintext")
            self._targets[version] = await _Target.of(self._etcd, cluster)

    def new_case(self, random: Random) -> Case:
        how = pick(random, ("mutate", "mutate", "mutate", "mutate", "swap", "prefix", "plain"))
        return {
            "kms": pick(random, ("v1", "v2")),
            "how": how,
            "seed": int(random.random() * 2**31),
        }

    async def attempt(self, case: Case, worker: int) -> str:
        return await self._targets[case["kms"]].attempt(case)

    async def close(self) -> None:
        for target in self._targets.values():
            await target.close()
        await self._etcd.close()


class _Target:
    """One Secret whose stored value is replaced, read and put back."""

    def __init__(self, etcd: EtcdClient, cluster: ClusterUnderTest) -> None:
        self._etcd = etcd
        prefix = f"{cluster.facts['etcd_prefix']}/secrets/default/".encode()
        self._key, self._other_key = prefix + b"sealed", prefix + b"another"
        access = kubernetes_access(cluster.world.kubeconfig(cluster.id))
        parts = urlsplit(access.server)
        self._wire = Wire(parts.hostname or "", parts.port or 0, access.context)
        path = f"{parts.path}/api/v1/namespaces/default/secrets/sealed"
        headers = [("host", parts.netloc), ("accept", "application/json")]
        self._request = request_bytes("GET", path, headers)

    @classmethod
    async def of(cls, etcd: EtcdClient, cluster: ClusterUnderTest) -> "_Target":
        target = cls(etcd, cluster)
        target.value = await target.stored(target._key)
        target.other = await target.stored(target._other_key)
        target.data = json.loads((await target._wire.exchange(target._request)).body)["data"]
        return target

    value: bytes
    other: bytes
    data: dict[str, str]

    async def stored(self, key: bytes) -> bytes:
        found = (await self._etcd.get(key)).kv
        assert found is not None
        return bytes(found.value)

    async def attempt(self, case: Case) -> str:
        random = Random(case["seed"])
        match case["how"]:
            case "swap":
                at = int(random.random() * min(len(self.value), len(self.other)))
                value = self.value[:at] + self.other[at:]
            case "prefix":
                value = mutated(random, self.value[:40]) + self.value[40:]
            case "plain":
                value = mutated(random, b"k8s\0" + self.value)
            case _:
                value = mutated(random, self.value)
        await self._put(value)
        try:
            answer = await self._wire.exchange(self._request)
        except (NoAnswerError, TimeoutError) as error:
            raise ViolationError(f"no answer: {error!r}") from None
        finally:
            await self._put(self.value)
        content = json.loads(answer.body)
        if answer.status == 200:
            if content["data"] != self.data:
                raise ViolationError(f"another plaintext: {value!r}")
            return "200"
        message = content.get("message", "")
        if not message or "unexpected error" in message:
            raise ViolationError(f"status {answer.status} without a name: {answer.body[:300]!r}")
        return str(answer.status)

    async def close(self) -> None:
        await self._wire.close()

    async def _put(self, value: bytes) -> None:
        found = (await self._etcd.get(self._key)).kv
        assert found is not None
        await self._etcd.update(self._key, value, revision=found.mod_revision)
