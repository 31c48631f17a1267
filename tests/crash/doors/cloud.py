"""Signed calls of the Alibaba Cloud APIs: keys, blobs, aliases, tags, users and policies."""

import base64
import json
import secrets
from dataclasses import replace
from typing import Any

from acksim.clients.alibaba import ApiClient, ApiRefusedError
from tests.crash.doors.door import Door, Receipt, RefusedError, UnansweredError
from tests.crash.ledger import Value

# Codes of answers after which nobody can say what was done.
_UNCERTAIN = frozenset({"Unreachable", "InternalFailure", "ServiceUnavailable", ""})

_TAGS_OF_A_KEY = 8


def call(client: ApiClient, action: str, **parameters: object) -> dict[str, Any]:
    """Raises UnansweredError or RefusedError."""
    try:
        return client.call(action, **parameters)
    except ApiRefusedError as error:
        kind = UnansweredError if error.code in _UNCERTAIN else RefusedError
        raise kind(str(error)) from None


class CloudDoor(Door):
    def __init__(self, client: ApiClient, *keys: str) -> None:
        self._client = client
        self._keys = keys  # that exist and stay enabled

    def value(self, number: int) -> str:
        return secrets.token_hex(16)

    def _write(self, action: str, **parameters: object) -> Receipt:
        answer = call(self._client, action, **parameters)
        return Receipt(action, answer["RequestId"])

    def _look(self, missing: str, action: str, **parameters: object) -> dict[str, Any] | None:
        """The answer, or None where the code of the refusal is `missing`."""
        try:
            return call(self._client, action, **parameters)
        except RefusedError as error:
            if str(error).startswith(f"{missing}:"):
                return None
            raise


class Blobs(CloudDoor):
    """What KMS encrypted: the blob is the name, its plaintext the value."""

    kind = "KMS blob"
    probed = True
    server_named = True
    removable = False

    def create(self, name: str, value: str) -> Receipt:
        text = base64.b64encode(value.encode()).decode()
        answer = call(self._client, "Encrypt", KeyId=self._keys[0], Plaintext=text)
        return Receipt("Encrypt", answer["RequestId"], answer["CiphertextBlob"], billed=True)

    def read(self, name: str) -> Value:
        answer = call(self._client, "Decrypt", CiphertextBlob=name)
        return base64.b64decode(answer["Plaintext"]).decode()


class Keys(CloudDoor):
    """Keys and their states."""

    kind = "KMS key"
    server_named = True
    changes = 6
    removable = False

    def value(self, number: int) -> str:
        return ("Enabled", "Disabled")[number % 2]

    def create(self, name: str, value: str) -> Receipt:
        answer = call(self._client, "CreateKey", Description=name)
        key_id: str = answer["KeyMetadata"]["KeyId"]
        return Receipt("CreateKey", answer["RequestId"], key_id)

    def change(self, name: str, value: str) -> Receipt:
        return self._write(f"{value.removesuffix('d')}Key", KeyId=name)

    def read(self, name: str) -> Value:
        answer = self._look("Forbidden.KeyNotFound", "DescribeKey", KeyId=name)
        return None if answer is None else str(answer["KeyMetadata"]["KeyState"])


class Aliases(CloudDoor):
    """Aliases and the keys that they name."""

    kind = "KMS alias"
    changes = 3

    def value(self, number: int) -> str:
        return self._keys[number % len(self._keys)]

    def create(self, name: str, value: str) -> Receipt:
        return self._write("CreateAlias", AliasName=f"alias/{name}", KeyId=value)

    def change(self, name: str, value: str) -> Receipt:
        return self._write("UpdateAlias", AliasName=f"alias/{name}", KeyId=value)

    def remove(self, name: str) -> Receipt:
        return self._write("DeleteAlias", AliasName=f"alias/{name}")

    def read(self, name: str) -> Value:
        found = self._look("Forbidden.AliasNotFound", "DescribeKey", KeyId=f"alias/{name}")
        return None if found is None else str(found["KeyMetadata"]["KeyId"])


class Tags(CloudDoor):
    """Tags of keys, a few of each key; a name is a key's id and a tag's."""

    kind = "KMS tag"
    server_named = True
    changes = 3

    def __init__(self, client: ApiClient) -> None:
        super().__init__(client)
        self._made = 0
        self._key_id = ""

    def create(self, name: str, value: str) -> Receipt:
        if self._made % _TAGS_OF_A_KEY == 0:
            self._key_id = call(self._client, "CreateKey")["KeyMetadata"]["KeyId"]
        self._made += 1
        return self.change(f"{self._key_id} {name}", value)

    def change(self, name: str, value: str) -> Receipt:
        key_id, _, tag = name.partition(" ")
        tags = json.dumps([{"TagKey": tag, "TagValue": value}])
        return replace(self._write("TagResource", KeyId=key_id, Tags=tags), name=name)

    def remove(self, name: str) -> Receipt:
        key_id, _, tag = name.partition(" ")
        return self._write("UntagResource", KeyId=key_id, TagKeys=json.dumps([tag]))

    def read(self, name: str) -> Value:
        key_id, _, wanted = name.partition(" ")
        tags = call(self._client, "ListResourceTags", KeyId=key_id)["Tags"]["Tag"]
        return next((tag["TagValue"] for tag in tags if tag["TagKey"] == wanted), None)


class Users(CloudDoor):
    """RAM users and their comments."""

    kind = "RAM user"
    changes = 1
    most_kept = 300
    pause = 0.1

    def create(self, name: str, value: str) -> Receipt:
        return self._write("CreateUser", UserName=name, Comments=value)

    def change(self, name: str, value: str) -> Receipt:
        return self._write("UpdateUser", UserName=name, NewComments=value)

    def remove(self, name: str) -> Receipt:
        return self._write("DeleteUser", UserName=name)

    def read(self, name: str) -> Value:
        answer = self._look("EntityNotExist.User", "GetUser", UserName=name)
        return None if answer is None else str(answer["User"]["Comments"])


class Policies(CloudDoor):
    """RAM policies and what they allow."""

    kind = "RAM policy"
    changes = 1
    most_kept = 300
    pause = 0.1

    def create(self, name: str, value: str) -> Receipt:
        return self._write("CreatePolicy", PolicyName=name, PolicyDocument=_document(value))

    def change(self, name: str, value: str) -> Receipt:
        return self._write(
            "CreatePolicyVersion",
            PolicyName=name,
            PolicyDocument=_document(value),
            SetAsDefault="true",
        )

    def remove(self, name: str) -> Receipt:
        return self._write("DeletePolicy", PolicyName=name, CascadingDelete="true")

    def read(self, name: str) -> Value:
        answer = self._look(
            "EntityNotExist.Policy", "GetPolicy", PolicyName=name, PolicyType="Custom"
        )
        if answer is None:
            return None
        document = json.loads(answer["DefaultPolicyVersion"]["PolicyDocument"])
        resource: str = document["Statement"][0]["Resource"]
        return resource.rpartition("/")[2]


def _document(value: str) -> str:
    statement = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": f"acs:kms:*:*:key/{value}"}
    return json.dumps({"Version": "1", "Statement": [statement]})
