"""`ram create-user`, `create-policy`, `attach`, `detach`, `authorize`: signed calls to RAM."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from acksim.cli.output import say, say_json
from acksim.cli.ram import ram_client
from acksim.clients.alibaba import ApiClient, ApiRefusedError
from acksim.settings import SettingsError

_ROLE = "AliyunCSManagedSecurityRole"
_TRUST = {
    "Statement": [
        {
            "Action": "sts:AssumeRole",
            "Effect": "Allow",
            "Principal": {"Service": ["cs.aliyuncs.com"]},
        }
    ],
    "Version": "1",
}
_KINDS = ("User", "Group", "Role")


def authorize(arguments: argparse.Namespace) -> int:
    """What is there already is left as it is."""
    ram = ram_client(arguments)
    trust = json.dumps(_TRUST, separators=(",", ":"))
    about = "CS will use this role to access your resources in other services."
    with _unless("EntityAlreadyExists.Role"):
        ram.call("CreateRole", RoleName=_ROLE, AssumeRolePolicyDocument=trust, Description=about)
    with _unless("EntityAlreadyExists.Role.Policy"):
        _attach(ram, f"role/{_ROLE}", f"{_ROLE}Policy")
    return _done(arguments, f"Container Service may use keys by the role {_ROLE}", role=_ROLE)


def create_user(arguments: argparse.Namespace) -> int:
    ram = ram_client(arguments)
    ram.call("CreateUser", UserName=arguments.name)
    for policy in arguments.policy:
        _attach(ram, arguments.name, policy)
    key = ram.call("CreateAccessKey", UserName=arguments.name)["AccessKey"]
    if arguments.json:
        say_json({"user": arguments.name, **key})
        return 0
    say(f"# user {arguments.name}; its secret is shown this once")
    say(f"export ALIBABA_CLOUD_ACCESS_KEY_ID={key['AccessKeyId']}")
    say(f"export ALIBABA_CLOUD_ACCESS_KEY_SECRET={key['AccessKeySecret']}")
    return 0


def create_policy(arguments: argparse.Namespace) -> int:
    document = _document(arguments.file)
    ram_client(arguments).call("CreatePolicy", PolicyName=arguments.name, PolicyDocument=document)
    text = f"policy {arguments.name} v1; acksim ram attach USER {arguments.name} gives it to a user"
    return _done(arguments, text, policy=arguments.name)


def attach(arguments: argparse.Namespace) -> int:
    _attach(ram_client(arguments), arguments.entity, arguments.policy)
    text = f"{arguments.entity} has {arguments.policy}"
    return _done(arguments, text, entity=arguments.entity, policy=arguments.policy)


def detach(arguments: argparse.Namespace) -> int:
    ram = ram_client(arguments)
    kind, name = _entity(arguments.entity)
    ram.call(f"DetachPolicyFrom{kind}", **name, **_policy(ram, arguments.policy))
    text = f"{arguments.entity} has {arguments.policy} no more"
    return _done(arguments, text, entity=arguments.entity, policy=arguments.policy)


def _attach(ram: ApiClient, entity: str, policy: str) -> None:
    kind, name = _entity(entity)
    ram.call(f"AttachPolicyTo{kind}", **name, **_policy(ram, policy))


def _entity(text: str) -> tuple[str, dict[str, str]]:
    """alice, user/alice, group/devs or role/Ops."""
    for kind in _KINDS:
        prefix = f"{kind.lower()}/"
        if text.startswith(prefix):
            return kind, {f"{kind}Name": text.removeprefix(prefix)}
    return "User", {"UserName": text}


def _policy(ram: ApiClient, name: str) -> dict[str, str]:
    """One's own comes before a system policy of the same name."""
    own = {"PolicyName": name, "PolicyType": "Custom"}
    try:
        ram.call("GetPolicy", **own)
    except ApiRefusedError as error:
        if error.code != "EntityNotExist.Policy":
            raise
        return {**own, "PolicyType": "System"}
    return own


def _document(file: str) -> str:
    """As it stands, or around the statements that stand alone, as documentation shows them."""
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    with suppress(ValueError):  # RAM says what is wrong with what is not JSON
        content = json.loads(text)
        if isinstance(content, dict) and "Effect" in content:
            content = [content]
        if isinstance(content, list):
            return json.dumps({"Version": "1", "Statement": content})
    return text


@contextmanager
def _unless(code: str) -> Iterator[None]:
    """Passes over one refusal."""
    try:
        yield
    except ApiRefusedError as error:
        if error.code != code:
            raise


def _done(arguments: argparse.Namespace, text: str, **facts: str) -> int:
    if arguments.json:
        say_json(facts)
    else:
        say(text)
    return 0
