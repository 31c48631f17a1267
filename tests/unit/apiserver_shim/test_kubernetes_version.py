"""Which release does what."""

import pytest

from apiserver_shim.kubernetes_version import KubernetesVersion


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.32", "v1.32.0"),
        ("v1.32", "v1.32.0"),
        ("v1.32.5", "v1.32.5"),
        ("1.32.1-aliyun.1", "v1.32.1-aliyun.1"),
    ],
)
def test_versions_are_read(text: str, told: str) -> None:
    version = KubernetesVersion.parse(text)
    assert (version.minor, version.git_version) == (32, told)


@pytest.mark.parametrize(
    "text", ["", "1", "1.26", "1.38", "2.30", "1.32-beta", "1.32.1-a\n", "1.\u0663\u0662"]
)
def test_other_versions_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.27 to 1\.37"):
        KubernetesVersion.parse(text)


@pytest.mark.parametrize(
    ("minor", "kms_v1", "unsafe", "livez", "versions"),
    [
        (28, True, False, True, ("v2beta1",)),
        (29, False, False, False, ("v2", "v2beta1")),
        (32, False, False, False, ("v2", "v2beta1")),
        (37, False, True, False, ("v2", "v2beta1")),
    ],
)
def test_defaults_follow_the_release(
    minor: int, kms_v1: bool, unsafe: bool, livez: bool, versions: tuple[str, ...]
) -> None:
    version = KubernetesVersion(minor)
    assert version.allows_kms_v1 is kms_v1
    assert version.allows_unsafe_deletion is unsafe
    assert version.kms_in_livez is livez
    assert version.plugin_versions == versions


def test_gates_decide_where_they_exist() -> None:
    assert KubernetesVersion(37, kms_v1=True).allows_kms_v1
    assert KubernetesVersion(32, unsafe_deletion=True).allows_unsafe_deletion
    assert not KubernetesVersion(37, unsafe_deletion=False).allows_unsafe_deletion
    assert not KubernetesVersion(31, unsafe_deletion=True).allows_unsafe_deletion
