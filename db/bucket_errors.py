"""Reasons and remedies for the errors of an S3 server and of the libraries that talk to it."""

from collections.abc import Mapping
from typing import Any

WAITS = "a run waits, and resumes by itself."
RESTART = "start the command or the worker again; nothing is lost."
CREATE = f"Create the bucket, or correct image_store_url; {WAITS}"
KEYS = (
    "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and their permissions for the bucket "
    f"(read, write, delete, list); {WAITS}"
)
TOKEN = f"Renew AWS_SESSION_TOKEN and its two keys, and {RESTART}"
CLOCK = f"Correct the clock of this machine (NTP); {WAITS}"
REGION = f"Set AWS_DEFAULT_REGION to the region of the bucket, and {RESTART}"
SPACE = f"Free some space in the bucket, or raise its quota; {WAITS}"
BUSY = f"The server answers and cannot serve this now: it is overloaded or has a fault; {WAITS}"
OTHER = f"Check that image_store_endpoint is an S3 server, and image_store_url; {WAITS}"
START = f"Start the server, or correct image_store_endpoint; {WAITS}"
BROKEN_OFF = f"The connection broke off in the middle of the content; {WAITS}"
PROFILE = f"Correct AWS_PROFILE, or the files ~/.aws/config and ~/.aws/credentials, and {RESTART}"
CERTIFICATE = (
    "Correct image_store_endpoint, or name the certificate of its authority with AWS_CA_BUNDLE, "
    f"and {RESTART}"
)
ENDPOINT = f"Correct image_store_endpoint and AWS_ENDPOINT_URL, and {RESTART}"

SERVER_ERROR = 500
REFUSED = (401, 403)
NO_SUCH_BUCKET, NO_SUCH_KEY = "NoSuchBucket", "NoSuchKey"
REMEDIES: Mapping[str, str] = {
    NO_SUCH_BUCKET: CREATE,
    "InvalidBucketName": CREATE,
    "ExpiredToken": TOKEN,
    "InvalidToken": TOKEN,
    "TokenRefreshRequired": TOKEN,
    "RequestTimeTooSkewed": CLOCK,
    "AuthorizationHeaderMalformed": REGION,
    "IllegalLocationConstraintException": REGION,
    "PermanentRedirect": REGION,
    "301": REGION,
    "QuotaExceeded": SPACE,
    "InsufficientStorage": SPACE,
    "XMinioStorageFull": SPACE,
    "NotImplemented": OTHER,
    "501": OTHER,
}
"""What to do, by the server's own error code."""


def client_errors() -> tuple[type[Exception], ...]:
    """Return the errors that a request to an S3 server raises, besides those of programming."""
    from aiohttp import ClientError
    from botocore.exceptions import BotoCoreError
    from botocore.parsers import ResponseParserError

    # ValueError: botocore finds no host or port in the endpoint.
    return (OSError, BotoCoreError, ResponseParserError, ClientError, ValueError)


def code_of(error: BaseException) -> str | None:
    """Return the server's own error code, None if no server answered with an error."""
    code: str | None = _response_of(error).get("Error", {}).get("Code")
    return code


def cause_of(error: Exception) -> str:
    """Return what went wrong, in one line, with the server's own error code if it sent one."""
    answer, status = _response_of(error).get("Error", {}), _status_of(error)
    code, message = answer.get("Code"), answer.get("Message", "").rstrip(".")
    if code and message:
        text = f"{message} ({code})"
    else:  # an answer that is not S3's
        text = str(error).rstrip(".") if status is None else f"the server answered HTTP {status}"
    return " ".join(text.split()) or type(error).__name__


def remedy_of(error: Exception) -> str:
    """Return what to do about an error."""
    known = REMEDIES.get(code_of(error) or "")
    if known:
        return known
    status = _status_of(error)
    if status in REFUSED or "credentials" in str(error):
        return KEYS
    if status is not None:
        return BUSY if status >= SERVER_ERROR else OTHER
    return _remedy_of_client(error)


def _remedy_of_client(error: Exception) -> str:
    """Return what to do about an error that no server answered with."""
    from aiohttp import ClientPayloadError
    from botocore import exceptions, parsers

    kinds: Mapping[type[Exception] | tuple[type[Exception], ...], str] = {
        ClientPayloadError: BROKEN_OFF,
        parsers.ResponseParserError: OTHER,
        exceptions.ParamValidationError: CREATE,
        exceptions.SSLError: CERTIFICATE,
        (exceptions.ProfileNotFound, exceptions.ConfigNotFound, exceptions.ConfigParseError): (
            PROFILE
        ),
        ValueError: ENDPOINT,
    }
    return next((kinds[kind] for kind in kinds if isinstance(error, kind)), START)


def _status_of(error: BaseException) -> int | None:
    status: int | None = _response_of(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _response_of(error: BaseException) -> dict[str, Any]:
    """Return the server's answer as botocore parsed it, empty if it did not answer."""
    response: dict[str, Any] = getattr(error.__cause__, "response", {})
    return response
