"""From a kubeconfig with a client certificate to what a Python HTTPS client needs."""

import base64
import ssl
import tempfile
from dataclasses import dataclass, field
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class KubernetesAccess:
    """`server`: the API's address; `context` trusts it and presents the certificate."""

    server: str
    context: ssl.SSLContext = field(repr=False)


def kubernetes_access(kubeconfig: str) -> KubernetesAccess:
    """By the one cluster and the one user of a kubeconfig that acksim wrote."""
    document = yaml.safe_load(kubeconfig)
    cluster = document["clusters"][0]["cluster"]
    trust = base64.b64decode(cluster["certificate-authority-data"]).decode()
    context = ssl.create_default_context(cadata=trust)
    load_user(context, document)
    return KubernetesAccess(cluster["server"], context)


def load_user(context: ssl.SSLContext, kubeconfig: Any) -> None:
    """Present the client certificate of a parsed kubeconfig."""
    user = kubeconfig["users"][0]["user"]
    fields = ("client-certificate-data", "client-key-data")
    load_pem(context, b"".join(base64.b64decode(user[name]) for name in fields))


def load_pem(context: ssl.SSLContext, certificate_and_key: bytes) -> None:
    """Present a certificate; ssl takes it from a file alone, here a private one for a moment."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate_and_key)
        file.flush()
        context.load_cert_chain(file.name)
