"""Secrets over a world's TLS port: requests as bytes, and what they are measured with."""

import base64
import json
import ssl
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from urllib.parse import quote, urlsplit

import yaml

from acksim.clients.world import World
from benchmarks.ceiling import PAGE, secret
from benchmarks.load import Answer, Connection, Target

MERGE_PATCH = "application/merge-patch+json"


class SecretRequests:
    """The bytes of requests to one cluster, as its administrator."""

    def __init__(self, world: World, cluster: dict[str, str]) -> None:
        address = urlsplit(world.facts.kubernetes)
        self._root = cluster["path"]
        self._base = f"{self._root}/api/v1/namespaces/default/secrets"
        self._host = f" HTTP/1.1\r\nHost: {address.netloc}\r\n"
        self._place = address.hostname or "", address.port or 0
        self._tls = _client_tls(world, cluster["cluster_id"])

    async def connect(self) -> Connection:
        return await Connection.open(self.target(lambda _: b""))

    def target(self, make: Callable[[int], bytes]) -> Target:
        """Where the requests go that `make` makes of a number."""
        return Target(*self._place, make, self._tls)

    def create(self, name: str) -> bytes:
        return self._with_body("POST", self._base, "application/json", secret(name))

    def get(self, name: str) -> bytes:
        return self._without_body(f"{self._base}/{name}")

    def page(self, token: str = "", limit: int = PAGE) -> bytes:
        more = f"&continue={quote(token)}" if token else ""
        return self._without_body(f"{self._base}?limit={limit}{more}")

    def annotate(self, name: str, **annotations: str) -> bytes:
        patch = {"metadata": {"annotations": annotations}}
        return self._with_body("PATCH", f"{self._base}/{name}", MERGE_PATCH, patch)

    def watch(self, revision: str) -> bytes:
        return self._without_body(f"{self._base}?watch=1&resourceVersion={revision}")

    def _without_body(self, path: str) -> bytes:
        return f"GET {path}{self._host}\r\n".encode()

    def _with_body(self, method: str, path: str, kind: str, content: object) -> bytes:
        body = json.dumps(content).encode()
        head = f"{method} {path}{self._host}Content-Type: {kind}\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Served:
    """A cluster of a world as a subject of measurement; a connection for each call under way."""

    def __init__(self, how: str, world: World, cluster: dict[str, str]) -> None:
        self.how = how
        self.requests = SecretRequests(world, cluster)
        self._idle: list[Connection] = []

    async def create(self, name: str) -> None:
        await self.ask(self.requests.create(name), 201)

    async def get(self, name: str) -> None:
        await self.ask(self.requests.get(name))

    async def page(self) -> None:
        await self.ask(self.requests.page())

    async def watch(self, ready: Callable[[], None], seen: Callable[[int], bool]) -> None:
        found = json.loads((await self.ask(self.requests.page(limit=1))).body)
        connection = await self.requests.connect()
        watch = self.requests.watch(found["metadata"]["resourceVersion"])
        async with aclosing(connection.follow(watch)) as chunks:
            async for chunk in chunks:
                if not chunk:
                    ready()
                elif seen(chunk.count(b"\n") - 1):  # of them one ends the chunk
                    break
        connection.close()

    async def ask(self, request: bytes, expected: int = 200) -> Answer:
        """Raises SystemExit for another status: what is refused is not worth measuring."""
        connection = self._idle.pop() if self._idle else await self.requests.connect()
        answer = await connection.ask(request)
        self._idle.append(connection)
        if answer.status != expected:
            raise SystemExit(f"{self.how}: {answer.status} {answer.body.decode()}")
        return answer

    async def close(self) -> None:
        for connection in self._idle:
            connection.close()


def _client_tls(world: World, cluster_id: str) -> ssl.SSLContext:
    config = yaml.safe_load(world.kubeconfig(cluster_id))
    user = config["users"][0]["user"]
    context = ssl.create_default_context(cafile=world.facts.ca)
    with tempfile.TemporaryDirectory() as folder:
        pair = Path(folder) / "client.pem"
        pair.touch(mode=0o600)
        pair.write_bytes(
            base64.b64decode(user["client-certificate-data"])
            + base64.b64decode(user["client-key-data"])
        )
        context.load_cert_chain(pair)
    return context
