"""One account's KMS, for commands and tests: signed calls, as any client's."""

from typing import Any

from acksim.clients.alibaba import KMS_VERSION, ApiClient, ApiRefusedError, Signer

_PAGE_SIZE = 100

KmsRefusedError = ApiRefusedError


class Kms(ApiClient):
    """The KMS at `endpoint`, such as http://127.0.0.1:8700."""

    def __init__(self, endpoint: str, access_key_id: str, access_key_secret: str) -> None:
        super().__init__(endpoint, Signer(access_key_id, access_key_secret), version=KMS_VERSION)

    @classmethod
    def of_root(cls, endpoint: str) -> "Kms":
        """With the documented root credential."""
        signer = Signer.of_root()
        return cls(endpoint, signer.access_key_id, signer.access_key_secret)

    def create_key(self, *, description: str = "") -> dict[str, Any]:
        """The new key's KeyMetadata."""
        metadata: dict[str, Any] = self.call("CreateKey", Description=description)["KeyMetadata"]
        return metadata

    def describe_key(self, key_id: str) -> dict[str, Any]:
        """KeyMetadata by id, alias or ARN."""
        metadata: dict[str, Any] = self.call("DescribeKey", KeyId=key_id)["KeyMetadata"]
        return metadata

    def key_ids(self) -> list[str]:
        """Every key of the account in the region."""
        found: list[str] = []
        while True:
            page = self.call(
                "ListKeys", PageNumber=len(found) // _PAGE_SIZE + 1, PageSize=_PAGE_SIZE
            )
            rows = page["Keys"]["Key"]
            found += [row["KeyId"] for row in rows]
            if len(rows) < _PAGE_SIZE:
                return found
