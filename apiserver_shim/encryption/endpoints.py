"""Addresses of KMS plugins, read as Go reads a URL (net/url, Parse)."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote

from apiserver_shim.go_syntax import quoted

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_BAD_HOST_ESCAPE = re.compile(r"%(?!25)[0-7][0-9A-Fa-f]")
_BAD_HOST_CHAR = re.compile(r"[ \\^`{|}]")
_BAD_USER_CHAR = re.compile(r"[^A-Za-z0-9\-._:~!$&'()*+,;=%@]")
_PORT = re.compile(r"(:[0-9]*)?")


class Endpoint(NamedTuple):
    """Scheme in lower case, and decoded path, of an endpoint."""

    scheme: str
    path: str


def parse(endpoint: str) -> Endpoint:
    """Read an endpoint; raises ValueError in Go's words."""
    before, _, fragment = endpoint.partition("#")
    try:
        parsed = _parse(before)
    except ValueError as error:
        raise ValueError(f"parse {quoted(before)}: {error}") from None
    try:
        _check_escapes(fragment)
    except ValueError as error:
        raise ValueError(f"parse {quoted(endpoint)}: {error}") from None
    return parsed


def _parse(url: str) -> Endpoint:
    if any(char < " " or char == "\x7f" for char in url):
        raise ValueError("net/url: invalid control character in URL")
    if url == "*":
        return Endpoint("", url)
    if url.startswith(":"):
        raise ValueError("missing protocol scheme")
    match = _SCHEME.match(url)
    scheme = match[1].lower() if match else ""
    rest = (url[match.end() :] if match else url).partition("?")[0]
    if not rest.startswith("/"):
        if scheme:
            return Endpoint(scheme, "")
        if ":" in rest.partition("/")[0]:
            raise ValueError("first path segment in URL cannot contain colon")
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        _check_authority(authority, strict_colons=scheme in {"http", "https"})
        rest = slash + path
    _check_escapes(rest)
    return Endpoint(scheme, unquote(rest))


def _check_authority(authority: str, *, strict_colons: bool) -> None:
    user, at, host = authority.rpartition("@")
    _check_host(host, strict_colons=strict_colons)
    if at:
        if _BAD_USER_CHAR.search(user):
            raise ValueError("net/url: invalid userinfo")
        _check_escapes(user)


def _check_host(host: str, *, strict_colons: bool) -> None:
    if host.startswith("[") and host.rfind("[") == 0:
        inner, bracket, port = host[1:].rpartition("]")
        if not bracket:
            raise ValueError("missing ']' in host")
        _check_port(port)
        _check_address(inner)
        return
    if "[" in host:
        raise ValueError("invalid IP-literal")
    if ":" in host:
        at = host.index(":") if strict_colons else host.rindex(":")
        _check_port(host[at:])
    _check_host_chars(host)


def _check_port(port: str) -> None:
    if not _PORT.fullmatch(port):
        raise ValueError(f"invalid port {quoted(port)} after host")


def _check_address(address: str) -> None:
    name, percent, zone = address.partition("%25")
    _check_host_chars(name)
    _check_escapes(zone)
    if percent and not zone:
        raise ValueError(f"invalid host: ParseAddr({quoted(name + '%')}): zone must be non-empty")
    try:
        version = ipaddress.ip_address(name).version
    except ValueError:
        raise ValueError(f"invalid host: ParseAddr({quoted(name)}): unable to parse IP") from None
    if version == 4:
        raise ValueError("invalid IP-literal")


def _check_host_chars(host: str) -> None:
    _check_escapes(host)
    if bad := _BAD_HOST_ESCAPE.search(host):
        raise ValueError(f"invalid URL escape {quoted(bad[0])}")
    if bad := _BAD_HOST_CHAR.search(host):
        raise ValueError(f"invalid character {quoted(bad[0])} in host name")


def _check_escapes(text: str) -> None:
    if bad := _BAD_ESCAPE.search(text):
        raise ValueError(f"invalid URL escape {quoted(bad[0])}")
