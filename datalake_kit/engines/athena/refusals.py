"""What AWS refuses before a query runs, or of its result: permissions, credentials, settings, the network.

Each function returns the class of our error and its message without the statement, or None where the case is not known
here.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from datalake_kit.engines.athena.session import THROTTLED
from datalake_kit.errors import AccessDeniedError, ConfigError, CredentialsError, EngineError, did_you_mean

if TYPE_CHECKING:
    from datalake_kit.engines.athena.session import AwsSession

Refusal = tuple[type[Exception], str]

_LOG_IN = "Log in again (aws sso login), renew them, or set AWS_PROFILE or profile= of this lake"
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_UNKNOWN_KEY = {
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidToken",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
}
_SIGNATURE = frozenset({"SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed"})
_DENIED = {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "Forbidden", "403", "UnauthorizedOperation"}
_THROTTLED = {*THROTTLED, "503"}
_ACTION = re.compile(r"not authorized to perform:? ?\[?((?:athena|glue|s3|kms|lakeformation|sts):\w+)", re.IGNORECASE)
_RESOURCE = re.compile(r"on resource:? ?\"?(arn:[^\s\"),]+)")


def refused(error: Exception, session: AwsSession, about: str) -> Refusal | None:
    """Say what an error of botocore means.

    Parameters
    ----------
    error
        The error, of botocore itself or an answer of AWS.
    session
        The way to AWS, by which the names of workgroups are looked up.
    about
        Query id and file, for the message.
    """
    response = getattr(error, "response", None)
    if not isinstance(response, dict) or "Error" not in response:
        return _of_client(error, about)
    code, message = str(response["Error"].get("Code", "")), str(response["Error"].get("Message", ""))
    operation = str(getattr(error, "operation_name", "a request"))
    asked = f"{operation}, {about}"
    if code in _EXPIRED or "token included in the request is expired" in message:
        return CredentialsError, f"The AWS credentials have expired ({asked}). {_LOG_IN}."
    if code in _SIGNATURE:
        return _of_signature(code, message, asked)
    if code in _UNKNOWN_KEY:
        return CredentialsError, f"AWS does not know these credentials ({code}; {asked}). {_LOG_IN}."
    if code in _DENIED or _ACTION.search(message):
        return AccessDeniedError, _denied(message, asked, operation)
    if code in _THROTTLED:
        return EngineError, (
            f"AWS is asked too often ({code}; {asked}); it was tried again for about a minute. Wait, run fewer queries "
            "at a time, or have the quota raised."
        )
    return _of_request(code, message, session, about) or _of_result(code, message, asked)


def denied(reason: str, about: str) -> Refusal | None:
    """Say which permission is missing by the reason of a failed query; None where it failed otherwise."""
    if _ACTION.search(reason) or re.search(
        r"access denied|insufficient (permissions|lake formation)|permission denied|status code: 403",
        reason,
        re.IGNORECASE,
    ):
        return AccessDeniedError, _denied(reason, about, "")
    return None


# --- permissions


def _denied(message: str, asked: str, operation: str) -> str:
    action, resource = _missing(message, operation)
    on = f" on {resource}" if resource else ""
    return (
        f"AWS refuses access: the permission {action}{on} is missing ({asked}). Ask for it, or use another profile or "
        f"role. AWS says: {message.rstrip('. ')}."
    )


def _missing(message: str, operation: str) -> tuple[str, str]:
    """The permission that is missing and what it is missing on, as far as they can be told."""
    said = _ACTION.search(message)
    resource = _RESOURCE.search(message)
    place = re.search(r"s3a?n?://[^\s'\"),]+", message)
    on = resource[1].rstrip(".") if resource else place[0].rstrip(".") if place else ""
    if said:
        return said[1], on
    if "lake formation" in message.lower():
        return "lakeformation:GetDataAccess (and SELECT in Lake Formation)", on
    if place or "Amazon S3" in message or "s3" in message.lower().split():
        writes = re.search(r"writing|write|PutObject|output", message, re.IGNORECASE)
        return ("s3:PutObject" if writes else "s3:GetObject (and s3:ListBucket)"), on
    if "glue" in message.lower():
        return "glue:GetTable (and glue:GetDatabase, glue:GetPartitions)", on
    return _permission_of(operation), on


def _permission_of(operation: str) -> str:
    """The permission that a request needs."""
    if operation == "AssumeRole":
        return "sts:AssumeRole"
    if operation in ("HeadObject", "GetObject"):
        return "s3:GetObject"
    if operation in ("ListObjectsV2", "ListObjects", "HeadBucket"):
        return "s3:ListBucket"
    if operation in ("PutObject", "DeleteObject", "DeleteObjects", "CreateMultipartUpload", "UploadPart"):
        return "s3:PutObject" if operation[0] in "PCU" else "s3:DeleteObject"
    if re.search(r"Quer|WorkGroup|DataCatalog|TableMetadata|PreparedStatement", operation):
        return f"athena:{operation}"
    return f"glue:{operation}" if operation else "of reading this"


# --- credentials and the clock


def _of_signature(code: str, message: str, asked: str) -> Refusal:
    skewed = code == "RequestTimeTooSkewed" or re.search(r"expired|not yet current|too (large|skewed)", message)
    if skewed:
        return CredentialsError, (
            f"The clock of this machine differs too much from that of AWS ({code}; {asked}). Set it (ntp), then try "
            f"again. AWS says: {message.rstrip('. ')}."
        )
    return CredentialsError, (
        f"The secret key is not that of the access key ({code}; {asked}), or the machine's clock is wrong. {_LOG_IN}."
    )


def _of_client(error: Exception, about: str) -> Refusal | None:
    import botocore.exceptions as aws

    name = type(error).__name__
    if isinstance(error, aws.NoRegionError):
        return ConfigError, "No AWS region. Give region= in the address or datalake.toml, or set AWS_DEFAULT_REGION."
    if "Credential" in name or "Token" in name or "SSO" in name or isinstance(error, aws.ProfileNotFound):
        expired = "expired" in str(error).lower()
        what = "The AWS credentials have expired" if expired else "There are no AWS credentials"
        return CredentialsError, f"{what} ({name}; {about}). {_LOG_IN}."
    network = (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError, aws.ResponseStreamingError)
    if isinstance(error, network):
        where = getattr(error, "kwargs", {}).get("endpoint_url", "")
        at = f" at {_without_password(str(where)).split('?')[0]}" if where else ""
        return EngineError, (
            f"The network to AWS broke off{at} ({name}; {about}); it was tried again in vain. Look at the network, the "
            "proxy and the endpoint, then run it again."
        )
    return EngineError, f"The AWS client failed ({name}; {about}): {_without_password(str(error))}."


def _without_password(text: str) -> str:
    return re.sub(r"//[^/@\s]*@", "//", text)


# --- settings and results


def _of_request(code: str, message: str, session: AwsSession, about: str) -> Refusal | None:
    """Refusals of StartQueryExecution: workgroup, output location, catalog."""
    settings = session.settings
    if re.search(r"work ?group.{0,200}(not found|does not exist|is not found)", message, re.IGNORECASE | re.DOTALL):
        hint = did_you_mean(settings.workgroup, names) if (names := _workgroups(session)) else ""
        return ConfigError, f"No workgroup {settings.workgroup!r} in region {session.boto.region_name}. {hint}".rstrip()
    if re.search(r"work ?group.{0,100}disabled", message, re.IGNORECASE):
        return ConfigError, f"Workgroup {settings.workgroup!r} is disabled. Take another, or have it enabled."
    if re.search(r"no output location|output location.{0,40}required", message, re.IGNORECASE):
        return ConfigError, (
            f"Workgroup {settings.workgroup!r} names no place for results. Give output_location=s3://… of this lake, "
            "or set it in the workgroup."
        )
    if re.search(r"(verify/create|access|find).{0,20}output (bucket|location)", message, re.IGNORECASE):
        where = settings.output_location or f"the output location of workgroup {settings.workgroup!r}"
        return AccessDeniedError, (
            f"Athena cannot use {where} ({about}). The bucket must exist, lie in {session.boto.region_name}, and "
            f"s3:GetBucketLocation, s3:ListBucket and s3:PutObject be allowed on it. AWS says: {message.rstrip('. ')}."
        )
    return None


def _workgroups(session: AwsSession) -> list[str]:
    with contextlib.suppress(Exception):  # a hint need not be allowed
        answer: Any = session.client("athena").list_work_groups()
        return [group["Name"] for group in answer.get("WorkGroups", [])]
    return []


def _of_result(code: str, message: str, asked: str) -> Refusal | None:
    gone = code in ("NoSuchKey", "404") or re.search(r"could not find results|result.{0,30}not found", message, re.I)
    if gone:
        return EngineError, (
            f"The result of the query is gone from S3 ({code}; {asked}): removed by a rule of the bucket, or by "
            "someone. Run the statement again."
        )
    if code == "NoSuchBucket":
        return EngineError, f"There is no such bucket ({asked}): {message.rstrip('. ')}. Correct output_location."
    if code in ("InternalServerException", "InternalServerError", "500", "ServiceUnavailable"):
        return EngineError, f"AWS failed inside ({code}; {asked}); it was tried again in vain. Run it again later."
    return None
