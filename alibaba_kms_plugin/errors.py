"""What keeps a KMS plugin from serving."""


class KmsSocketError(Exception):
    """The socket of a KMS plugin cannot be listened on."""
