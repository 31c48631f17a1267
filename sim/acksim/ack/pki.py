"""One local certificate authority for a world: server certificates and kubeconfig users.

A client certificate names its user in CN, its groups in O, as Kubernetes reads them, and its
cluster in OU, so that no other cluster accepts it. Keys are EC P-256, files 0600.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from acksim.data_dir.layout import write_private

SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "127.0.0.1",
    "::1",
)
# Certificates live by the wall clock: TLS libraries do not travel with the simulated one.
_LIFETIME = timedelta(days=3650)
_BACKDATED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    private_key: bytes = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """Where a TLS server finds its certificate, its key and the authority of its clients."""

    certificate: Path
    private_key: Path
    authority: Path


class LocalAuthority:
    """The certificate authority kept in `directory`, made at first use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.certificate_path = directory / "ca.crt"
        key_path = directory / "ca.key"
        if not self.certificate_path.exists():
            _make_authority(self.certificate_path, key_path)
        self._certificate = x509.load_pem_x509_certificate(self.certificate_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"{key_path} is not an EC key; remove {directory} to have it made anew")
        self._key = key

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate_path.read_bytes()

    def server_files(self, names: Sequence[str] = ()) -> ServerFiles:
        """A server certificate for loopback, the in-cluster names and `names`."""
        files = ServerFiles(
            self.directory / "server.crt", self.directory / "server.key", self.certificate_path
        )
        wanted = (*SERVER_NAMES, *names)
        if not (files.certificate.exists() and _covers(files.certificate, wanted)):
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acksim")])
            alternatives = x509.SubjectAlternativeName([_general_name(name) for name in wanted])
            pair = self._issue(subject, ExtendedKeyUsageOID.SERVER_AUTH, alternatives)
            write_private(files.private_key, pair.private_key)
            write_private(files.certificate, pair.certificate + self.certificate_pem)
        return files

    def client(
        self, user: str, groups: Sequence[str], cluster_id: str, *, lifetime: timedelta = _LIFETIME
    ) -> KeyPair:
        """A certificate by which one cluster knows `user` of `groups`."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, user),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, cluster_id),
                *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups),
            ]
        )
        return self._issue(subject, ExtendedKeyUsageOID.CLIENT_AUTH, None, lifetime)

    def _issue(
        self,
        subject: x509.Name,
        usage: x509.ObjectIdentifier,
        alternatives: x509.SubjectAlternativeName | None,
        lifetime: timedelta = _LIFETIME,
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _dated(x509.CertificateBuilder(), lifetime)
        builder = (
            builder.subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        if alternatives is not None:
            builder = builder.add_extension(alternatives, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        return KeyPair(pem, _pem(key), certificate.not_valid_after_utc)


def signing_key() -> bytes:
    """A new private key, PEM, for a cluster's account tokens."""
    return _pem(ec.generate_private_key(ec.SECP256R1()))


def _make_authority(certificate_path: Path, key_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acksim local authority")])
    certificate = (
        _dated(x509.CertificateBuilder())
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_SIGNING_ONLY, critical=True)
        .sign(key, hashes.SHA256())
    )
    write_private(key_path, _pem(key))
    write_private(certificate_path, certificate.public_bytes(serialization.Encoding.PEM))


_SIGNING_ONLY = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _dated(
    builder: x509.CertificateBuilder, lifetime: timedelta = _LIFETIME
) -> x509.CertificateBuilder:
    today = datetime.now(UTC)
    return (
        builder.serial_number(x509.random_serial_number())
        .not_valid_before(today - _BACKDATED)
        .not_valid_after(today + lifetime)
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _covers(certificate_path: Path, names: Sequence[str]) -> bool:
    certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return all(_general_name(name) in alternatives.value for name in names)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
