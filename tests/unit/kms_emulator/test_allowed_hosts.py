"""Which requests may be answered: by the name they use, and by the page that sent them."""

from __future__ import annotations

import pytest

from alibaba_edge.allowed_hosts import ALIBABA_CLOUD, AllowedHosts

HOSTS = AllowedHosts((ALIBABA_CLOUD, "emulator", "*.shop.example"))


def code(*headers: tuple[str, str], hosts: AllowedHosts = HOSTS) -> str | None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    refusal = hosts.refusal({"scheme": "http", "headers": encoded})
    return refusal.code if refusal else None


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8700",
        "192.168.7.1:8700",
        "[::1]",
        "[::1]:8700",
        "[fe80::1%eth0]:8700",
        "localhost",
        "LocalHost:8700",
        "localhost.:8700",
        "kms.cn-beijing.localhost:8700",
        "kms.cn-hangzhou.aliyuncs.com",
        "kst-1.cryptoservice.kms.aliyuncs.com:443",
        "emulator:8700",
        "Emulator",
        "host.docker.internal:8700",
        "till.shop.example",
        "http://127.0.0.1:8700",
        "http://127.0.0.1:8700/",
        "https://kms.cn-hangzhou.aliyuncs.com/",
    ],
)
def test_known_names(host: str) -> None:
    assert code(("host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":8700",
        "evil.example",
        "evil.example:8700",
        "evil",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "aliyuncs.com.evil.example",
        "evilaliyuncs.com",
        "shop.example",
        "evilshop.example",
        "127.0.0.1:8700.evil.example",
        "127.0.0.1:8700@evil.example",
        "evil.example:80@localhost",
        "[::1].evil.example",
        "[::1]evil.example",
        "[evil.example]",
        "127.0.0.1 evil.example",
        "http://evil.example",
        "http://evil.example/127.0.0.1",
        "127.0.0.1/evil.example",
        "2130706433",
        "0x7f000001",
        "127.1",
        "l\xf6calhost",
    ],
)
def test_unknown_names(host: str) -> None:
    assert code(("host", host)) == "InvalidHost"


def test_one_host_no_more_and_no_less() -> None:
    assert code() == "InvalidHost"
    assert code(("host", "localhost"), ("host", "localhost")) == "InvalidHost"


def test_a_name_of_another_port_is_none_of_this_one() -> None:
    assert code(("host", "emulator"), hosts=AllowedHosts()) == "InvalidHost"
    assert code(("host", "kms.cn-hangzhou.aliyuncs.com"), hosts=AllowedHosts()) == "InvalidHost"


def test_a_star_is_for_who_wants_no_check_of_names() -> None:
    everyone = AllowedHosts(("*",))
    assert code(("host", "evil.example"), hosts=everyone) is None
    elsewhere = ("origin", "http://evil.example")
    assert code(("host", "localhost"), elsewhere, hosts=everyone) == "Forbidden.WebPage"


@pytest.mark.parametrize("origin", ["http://localhost:8700", "https://LOCALHOST:8700"])
def test_a_page_of_the_port_itself_may(origin: str) -> None:
    own = ("sec-fetch-site", "same-origin")
    assert code(("host", "localhost:8700"), ("origin", origin), own) is None


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "localhost:8700",
        "http://localhost",
        "http://localhost:8780",
        "http://127.0.0.1:8700",
        "http://evil.example",
        "http://localhost:8700.evil.example",
        "http://evil.example://localhost:8700",
        "file://",
    ],
)
def test_any_other_page_may_not(origin: str) -> None:
    assert code(("host", "localhost:8700"), ("origin", origin)) == "Forbidden.WebPage"


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "None"])
def test_an_image_or_a_link_of_another_page_has_no_origin(site: str) -> None:
    """Browsers send no Origin with a plain GET, and a whole signed call fits into one."""
    assert code(("host", "localhost:8700"), ("sec-fetch-site", site)) == "Forbidden.WebPage"


def test_who_types_the_address_may() -> None:
    assert code(("host", "localhost:8700"), ("sec-fetch-site", "none")) is None


def test_a_refusal_says_what_to_do() -> None:
    refusal = HOSTS.refusal({"scheme": "http", "headers": [(b"host", b"kms" * 99)]})
    assert refusal is not None
    assert "ACKSIM_ALLOWED_HOSTS" in refusal.message
    assert len(refusal.message) < 400
