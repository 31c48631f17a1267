"""The local authority: one for a world, whose clients name their cluster."""

from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from acksim.ack.pki import LocalAuthority


def test_a_client_certificate_names_user_groups_and_cluster(tmp_path: Path) -> None:
    pair = LocalAuthority(tmp_path / "pki").client("alice", ["dev", "ops"], "c1")
    certificate = x509.load_pem_x509_certificate(pair.certificate)

    def values(oid: x509.ObjectIdentifier) -> set[str | bytes]:
        return {attribute.value for attribute in certificate.subject.get_attributes_for_oid(oid)}

    assert values(NameOID.COMMON_NAME) == {"alice"}
    assert values(NameOID.ORGANIZATION_NAME) == {"dev", "ops"}
    assert values(NameOID.ORGANIZATIONAL_UNIT_NAME) == {"c1"}


def test_the_authority_is_made_once_and_its_files_are_private(tmp_path: Path) -> None:
    first = LocalAuthority(tmp_path / "pki")
    files = first.server_files(["emulator"])
    second = LocalAuthority(tmp_path / "pki")
    assert first.certificate_pem == second.certificate_pem
    assert (
        second.server_files(["emulator"]).certificate.read_bytes() == files.certificate.read_bytes()
    )
    assert [p for p in (tmp_path / "pki").iterdir() if p.stat().st_mode & 0o077] == []


def test_a_new_name_gets_a_new_server_certificate(tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path / "pki")
    before = authority.server_files().certificate.read_bytes()
    after = authority.server_files(["apiserver", "10.0.0.7"]).certificate.read_bytes()
    assert before != after
    names = x509.load_pem_x509_certificate(after).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert "apiserver" in names.value.get_values_for_type(x509.DNSName)


def test_a_private_key_is_in_no_representation(tmp_path: Path) -> None:
    pair = LocalAuthority(tmp_path / "pki").client("alice", [], "c1")
    assert "PRIVATE" not in repr(pair)
