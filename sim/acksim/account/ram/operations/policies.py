"""Rows about policies and their versions."""

from typing import Any

from acksim.account.ram.errors import EntityNotExistError
from acksim.account.ram.operations.rows import Row, named_policy, policy_resource, row
from acksim.account.ram.policy_rows import POLICY_TYPES, Policy
from acksim.account.ram.ram import Ram
from acksim.account.ram.schemas import answers
from acksim.account.ram.schemas import requests as asked
from acksim.account.ram.schemas.fields import PolicyNameRequest, PolicyRequest, paged, tagged
from alibaba_edge.gateway.product import Call, Resource


def about_own(call: Call, request: PolicyNameRequest) -> tuple[Resource, ...]:
    return (policy_resource(call, request.policy_name),)


def about_policy(call: Call, request: PolicyRequest) -> tuple[Resource, ...]:
    return (named_policy(call, request),)


def about_all(call: Call, _request: asked.ListPoliciesRequest) -> tuple[Resource, ...]:
    return (policy_resource(call, "*"),)


async def create_policy(ram: Ram, request: asked.CreatePolicyRequest, call: Call) -> dict[str, Any]:
    policy = Policy(
        "Custom",
        request.policy_name,
        request.policy_document,
        request.description,
        tags=request.tag,
    )
    made = await ram.policies.create(call.caller.account_id, policy)
    return {"Policy": answers.policy(made)}


async def get_policy(ram: Ram, request: PolicyRequest, call: Call) -> dict[str, Any]:
    named = (call.caller.account_id, request.policy_type, request.policy_name)
    policy = await ram.policies.get(*named)
    versions = await ram.policies.versions(*named)
    return answers.policy_alone(policy, next(version for version in versions if version.default))


async def list_policies(ram: Ram, request: asked.ListPoliciesRequest, call: Call) -> dict[str, Any]:
    types = (request.policy_type,) if request.policy_type else POLICY_TYPES
    policies = await ram.policies.all(call.caller.account_id, types)
    wanted = [policy for policy in policies if tagged(policy.tags, request.tag)]
    part, more = paged(wanted, request, lambda policy: f"{policy.name} {policy.type}")
    return {"Policies": {"Policy": [answers.policy_in_list(policy) for policy in part]}, **more}


async def update_policy_description(
    ram: Ram, request: asked.UpdatePolicyDescriptionRequest, call: Call
) -> dict[str, Any]:
    policy = await ram.policies.describe_as(
        call.caller.account_id, request.policy_name, request.new_description
    )
    return {"Policy": answers.policy(policy)}


async def delete_policy(ram: Ram, request: asked.DeletePolicyRequest, call: Call) -> dict[str, Any]:
    await ram.policies.delete(
        call.caller.account_id, request.policy_name, cascading=request.cascading_delete
    )
    return {}


async def create_policy_version(
    ram: Ram, request: asked.CreatePolicyVersionRequest, call: Call
) -> dict[str, Any]:
    version = await ram.policies.create_version(
        call.caller.account_id,
        request.policy_name,
        request.policy_document,
        default=request.set_as_default,
        rotate=request.rotate_strategy.startswith("DeleteOldest"),
    )
    return {"PolicyVersion": answers.policy_version(version)}


async def get_policy_version(
    ram: Ram, request: asked.GetVersionRequest, call: Call
) -> dict[str, Any]:
    versions = await ram.policies.versions(
        call.caller.account_id, request.policy_type, request.policy_name
    )
    for version in versions:
        if version.number == request.version_id:
            return {"PolicyVersion": answers.policy_version(version)}
    raise EntityNotExistError("Policy.Version")


async def list_policy_versions(ram: Ram, request: PolicyRequest, call: Call) -> dict[str, Any]:
    versions = await ram.policies.versions(
        call.caller.account_id, request.policy_type, request.policy_name
    )
    return {"PolicyVersions": {"PolicyVersion": [answers.policy_version(v) for v in versions]}}


async def set_default_policy_version(
    ram: Ram, request: asked.VersionRequest, call: Call
) -> dict[str, Any]:
    await ram.policies.set_default_version(
        call.caller.account_id, request.policy_name, request.version_id
    )
    return {}


async def delete_policy_version(
    ram: Ram, request: asked.VersionRequest, call: Call
) -> dict[str, Any]:
    await ram.policies.delete_version(
        call.caller.account_id, request.policy_name, request.version_id
    )
    return {}


ROWS: tuple[Row, ...] = (
    row(asked.CreatePolicyRequest, about_own, create_policy, name="CreatePolicy", access="Write"),
    row(PolicyRequest, about_policy, get_policy, name="GetPolicy", access="Read"),
    row(asked.ListPoliciesRequest, about_all, list_policies, name="ListPolicies", access="Read"),
    row(
        asked.UpdatePolicyDescriptionRequest,
        about_own,
        update_policy_description,
        name="UpdatePolicyDescription",
        access="Write",
    ),
    row(asked.DeletePolicyRequest, about_own, delete_policy, name="DeletePolicy", access="Write"),
    row(
        asked.CreatePolicyVersionRequest,
        about_own,
        create_policy_version,
        name="CreatePolicyVersion",
        access="Write",
    ),
    row(
        asked.GetVersionRequest,
        about_policy,
        get_policy_version,
        name="GetPolicyVersion",
        access="Read",
    ),
    row(
        PolicyRequest,
        about_policy,
        list_policy_versions,
        name="ListPolicyVersions",
        access="Read",
    ),
    row(
        asked.VersionRequest,
        about_own,
        set_default_policy_version,
        name="SetDefaultPolicyVersion",
        access="Write",
    ),
    row(
        asked.VersionRequest,
        about_own,
        delete_policy_version,
        name="DeletePolicyVersion",
        access="Write",
    ),
)
