"""What CS 2015-12-15 is asked with. Names are Alibaba Cloud's; what nothing acts on is kept."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

_NAME = r"\A[^\W_][\w.-]*\Z"  # letters of any script, digits, hyphens; not a hyphen first
_VERSION = r"\A(?:1\.[0-9]{1,2}(?:\.[0-9]{1,3}(?:-aliyun\.[0-9]{1,3})?)?)?\Z"
_UID = r"\A[0-9]{1,31}(?:-[0-9]{1,32})?\Z"

Text = Annotated[str, StringConstraints(max_length=255)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=_NAME)]
Uid = Annotated[str, StringConstraints(pattern=_UID)]
PageNumber = Annotated[int, Field(ge=1, lt=2**31)]
PageSize = Annotated[int, Field(ge=1, le=100)]
ClusterSpec = Literal[
    "ack.standard", "ack.pro.small", "ack.pro.xlarge", "ack.pro.2xlarge", "ack.pro.4xlarge"
]
Standard = Annotated[ClusterSpec, BeforeValidator(lambda text: text or "ack.standard")]
OptionalSpec = Annotated[ClusterSpec | None, BeforeValidator(lambda text: text or None)]


class CsRequest(BaseModel):
    model_config = ConfigDict(frozen=True, regex_engine="python-re")


class ClusterRequest(CsRequest):
    cluster_id: Id


class Tag(CsRequest):
    key: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    value: Annotated[str, StringConstraints(max_length=128)] = ""


class ClusterOptions(CsRequest):
    """What answers repeat and nothing here acts on: there are no nodes and no network."""

    timezone: Text | None = None
    security_group_id: Text | None = None
    resource_group_id: Text | None = None
    vswitch_ids: Annotated[list[Text], Field(max_length=20)] | None = None
    maintenance_window: dict[str, Any] | None = None
    operation_policy: dict[str, Any] | None = None

    def given(self, fields: type["ClusterOptions"]) -> dict[str, Any]:
        """The options of `fields` that the request sets."""
        names = set(fields.model_fields)
        return self.model_dump(include=names, exclude_none=True)


class NetworkOptions(ClusterOptions):
    vpcid: Text | None = None
    zone_id: Text | None = None
    service_cidr: Text | None = None
    container_cidr: Text | None = None
    node_cidr_mask: Text | None = None
    proxy_mode: Text | None = None
    cluster_domain: Text | None = None
    ip_stack: Text | None = None
    endpoint_public_access: bool | None = None
    client_token: Text | None = None


class CreateClusterRequest(NetworkOptions):
    name: Name
    region_id: Text = ""
    cluster_type: Literal["ManagedKubernetes", "Kubernetes", "ExternalKubernetes"] = (
        "ManagedKubernetes"
    )
    profile: Literal["Default", "Edge", "Serverless", "Lingjun"] = "Default"
    cluster_spec: Standard = "ack.standard"
    kubernetes_version: Annotated[str, StringConstraints(pattern=_VERSION)] = ""
    deletion_protection: bool = False
    tags: Annotated[tuple[Tag, ...], Field(max_length=20)] = ()
    encryption_provider_key: Text = ""


class ModifyClusterRequest(ClusterOptions):
    cluster_id: Id
    cluster_name: Name | None = None
    cluster_spec: OptionalSpec = None
    deletion_protection: bool | None = None


class UpdateKMSEncryptionRequest(ClusterRequest):
    kms_key_id: Text = ""
    disable_encryption: bool = False


class ListClustersRequest(CsRequest):
    name: Text = ""
    cluster_id: Text = ""
    cluster_type: Text = ""
    cluster_spec: Text = ""
    profile: Text = ""
    region_id: Text = ""
    page_number: PageNumber = 1
    page_size: PageSize = 10


class DescribeClustersRequest(CsRequest):
    model_config = ConfigDict(frozen=True, regex_engine="python-re", populate_by_name=True)

    name: Text = ""
    cluster_type: Text = Field(default="", alias="clusterType")
    resource_group_id: Text = ""


class KubeconfigRequest(ClusterRequest):
    PrivateIpAddress: bool = False
    TemporaryDurationMinutes: Annotated[
        Annotated[int, Field(ge=15, le=4320)] | None, BeforeValidator(lambda text: text or None)
    ] = None


class RoleName(CsRequest):
    name: Id


class CheckServiceRoleRequest(CsRequest):
    roles: Annotated[tuple[RoleName, ...], Field(min_length=1, max_length=20)]


class OpenAckServiceRequest(CsRequest):
    type: Literal["propayasgo", "edgepayasgo"] = "propayasgo"


class TaskRequest(CsRequest):
    task_id: Id


class EventsRequest(CsRequest):
    cluster_id: Text = ""
    type: Text = ""
    task_id: Text = ""
    region: Text = ""
    page_number: PageNumber = 1
    page_size: PageSize = 50
    max_results: Annotated[PageSize | None, BeforeValidator(lambda text: text or None)] = None
    next_token: Annotated[str, StringConstraints(pattern=r"\A[0-9]{0,9}\Z")] = ""

    @property
    def limit(self) -> int:
        return self.max_results or self.page_size

    @property
    def start(self) -> int:
        return int(self.next_token) if self.next_token else (self.page_number - 1) * self.limit


class ClusterEventsRequest(EventsRequest):
    cluster_id: Id


class GrantItem(CsRequest):
    cluster: Text = ""
    role_type: Literal["cluster", "namespace", "all-clusters"]
    role_name: Annotated[
        str, StringConstraints(min_length=1, max_length=253, pattern=r"\A[A-Za-z0-9:._-]+\Z")
    ]
    namespace: Annotated[str, StringConstraints(max_length=63, pattern=r"\A[a-z0-9-]*\Z")] = ""
    is_custom: bool = False
    is_ram_role: bool = False


class UserRequest(CsRequest):
    uid: Uid


class GrantPermissionsRequest(UserRequest):
    body: Annotated[tuple[GrantItem, ...], Field(max_length=500)] = ()


class UpdateUserPermissionsRequest(GrantPermissionsRequest):
    mode: Annotated[
        Literal["apply", "delete", "patch"], BeforeValidator(lambda text: text or "apply")
    ] = "apply"


class CleanPermissionsRequest(UserRequest):
    cluster_id: Id
    Force: bool = False
