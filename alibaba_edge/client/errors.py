"""What a call to Alibaba Cloud can end in, as its caller sees it."""


class KmsError(Exception):
    """Alibaba Cloud KMS refused, or answered what cannot be used.

    ``code`` is Alibaba's error code and ``status`` the HTTP status, "" and 0 when it gave none.
    """

    def __init__(self, code: str, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


class KmsUnreachableError(KmsError):
    """Alibaba Cloud KMS, or the source of its credentials, could not be reached."""
