"""A KMS plugin alone, for a Kubernetes API server of the user's own."""

from datetime import UTC, datetime
from pathlib import Path

from acksim.settings import AlibabaCredentials
from acksim.world.serving import end_requested
from alibaba_edge.client.credentials import Credentials
from alibaba_kms_plugin.server import KmsPlugin, KmsPluginSettings
from alibaba_kms_plugin.services import StatusOfDeadKey


async def run_kms_plugin(
    *,
    socket: Path,
    endpoint: str,
    key_id: str,
    credentials: AlibabaCredentials,
    status_of_dead_key: StatusOfDeadKey,
) -> None:
    """One plugin for a Kubernetes API server of the user's own."""
    given = credentials.uri or Credentials(
        credentials.access_key_id, credentials.access_key_secret, credentials.security_token
    )
    plugin = KmsPlugin(
        KmsPluginSettings(
            socket=socket,
            endpoint=endpoint,
            key_id=key_id,
            credentials=given,
            status_of_dead_key=status_of_dead_key,
        ),
        now=lambda: datetime.now(UTC),
    )
    await plugin.start()
    try:
        await end_requested()
    finally:
        await plugin.stop()
