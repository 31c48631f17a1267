"""The words of `acksim ram`."""

import argparse

from acksim.cli.command import Commands, command, data_dir, group, json_option

_ENTITY = "a user's name, or group/NAME, or role/NAME"


def add_ram(commands: Commands) -> None:
    ram = group(commands, "ram", "users, roles and policies, and why somebody may")
    lists = []
    for name in ("users", "roles", "policies"):
        one = command(ram, name, f"acksim.cli.ram:{name}", f"the {name} of the root account")
        one.epilog = f"example: acksim ram {name}"
        lists.append(one)
    for one in (_add_explain(ram), *lists, *_add_changes(ram)):
        data_dir(one)
        json_option(one)


def _add_explain(ram: Commands) -> argparse.ArgumentParser:
    explain = command(ram, "explain", "acksim.cli.ram:explain", "why: the statement that decides")
    explain.epilog = (
        "example: acksim ram explain alice cs:UpdateKMSEncryption '*' "
        "(exit code 0 means allowed, 1 denied)"
    )
    explain.add_argument("user", help="a user's name, or role/NAME")
    explain.add_argument("action", help="such as kms:Decrypt")
    explain.add_argument("resource", help="an ARN, or * for any")
    explain.add_argument(
        "--condition",
        metavar="KEY=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="what the request would have, such as acs:SourceIp=192.0.2.1",
    )
    explain.add_argument("--account", metavar="ID", help="whose user (default: the root account)")
    return explain


def _add_changes(ram: Commands) -> tuple[argparse.ArgumentParser, ...]:
    handlers = "acksim.cli.ram_change"
    authorize = command(
        ram, "authorize", f"{handlers}:authorize", "let Container Service use the account's keys"
    )
    authorize.description = (
        "make the role AliyunCSManagedSecurityRole and attach its policy, as the console's "
        "authorization page does"
    )
    authorize.epilog = "example: acksim ram authorize"
    user = command(ram, "create-user", f"{handlers}:create_user", "a user with an access key")
    user.epilog = "example: acksim ram create-user alice --policy AliyunKMSCryptoAdminAccess"
    user.add_argument("name")
    user.add_argument(
        "--policy", metavar="NAME", action="append", default=[], help="attach it (repeatable)"
    )
    policy = command(ram, "create-policy", f"{handlers}:create_policy", "a policy of one's own")
    policy.epilog = "example: acksim ram create-policy no-switching deny.json"
    policy.add_argument("name")
    policy.add_argument(
        "file", help="a policy document, or only its statements; - for standard input"
    )
    attach = command(ram, "attach", f"{handlers}:attach", "give somebody a policy")
    attach.epilog = "example: acksim ram attach alice no-switching"
    detach = command(ram, "detach", f"{handlers}:detach", "take a policy away again")
    detach.epilog = "example: acksim ram detach role/Ops AliyunKMSFullAccess"
    for one in (attach, detach):
        one.add_argument("entity", help=_ENTITY)
        one.add_argument("policy", help="the name of one's own policy, or of a system policy")
    return authorize, user, policy, attach, detach


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE")
    return name, value
