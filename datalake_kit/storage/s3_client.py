"""The way to S3: one client for each way of reaching it, and what its refusals mean.

Credentials, region and endpoint are those of botocore's own chain: environment, profile, role. They are never shown.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from datalake_kit.errors import UnreadableFileError

_CONNECTIONS = 32
_profiles: dict[str, tuple[str | None, str | None]] = {}
_clients: dict[str, tuple[Any, int]] = {}

_DENIED = "AWS refused access. Its credentials need s3:GetObject and s3:ListBucket on the bucket, s3:PutObject to write"
_EXPIRED = "the AWS credentials have expired or are not valid. Log in again (aws sso login), or renew them"
_REGION = "the bucket lies in another region. Set AWS_DEFAULT_REGION to the bucket's region"
_CODES = {
    "NoSuchBucket": "there is no such bucket. Correct the address, or the endpoint (AWS_ENDPOINT_URL_S3)",
    "AccessDenied": _DENIED,
    "AllAccessDisabled": _DENIED,
    "AccountProblem": _DENIED,
    "Forbidden": _DENIED,
    "403": _DENIED,
    "401": _DENIED,
    "InvalidAccessKeyId": "AWS does not know the access key. Set AWS_PROFILE or the AWS_ variables",
    "SignatureDoesNotMatch": "the secret key is not that of the access key. Set AWS_PROFILE or the AWS_ variables",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestExpired": _EXPIRED,
    "RequestTimeTooSkewed": "the clock of this machine is wrong. Set it",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "301": _REGION,
    "400": "AWS refused: the region or the credentials are wrong. Set AWS_DEFAULT_REGION, or log in again",
    "InvalidObjectState": "the object is archived (Glacier). Restore it first",
    "SlowDown": "S3 is asked too often. Wait, then try again",
}


def use_profile(bucket: str, *, profile: str | None, region: str | None) -> None:
    """Reach a bucket with a profile and region of its lake, not with the ones that the environment names."""
    _clients.pop(bucket, None)
    _profiles[bucket] = (profile, region)


def use_client(bucket: str, client: Any) -> None:
    """Reach a bucket by a client of boto3 that is given: one with an assumed role, or of another endpoint.

    It counts until the AWS variables of the environment change.
    """
    _clients[bucket] = client, _environment()


def profiles() -> dict[str, tuple[str | None, str | None]]:
    """Return (profile, region) of the buckets that are reached with one of their own; for another process to do so."""
    return dict(_profiles)


def client_of(bucket: str) -> Any:
    """Return the client through which a bucket is reached; it may be used by several threads."""
    if bucket in _clients:
        client, made_in = _clients[bucket]
        if made_in == _environment():
            return client
        del _clients[bucket]
    profile, region = _profiles.get(bucket, (None, None))
    return _client(profile, region, os.getpid(), _environment())


def _environment() -> int:
    """What botocore looks at, as a number: a client is made anew when it changes."""
    return hash(
        frozenset((k, v) for k, v in os.environ.items() if k.startswith("AWS_") or k in ("HOME", "BOTO_CONFIG"))
    )


@functools.lru_cache(maxsize=16)
def _client(profile: str | None, region: str | None, _process: int, _environment: int) -> Any:
    import boto3
    import botocore.session
    from botocore.config import Config

    core = botocore.session.get_session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_time_of)
    session = boto3.Session(botocore_session=core, profile_name=profile, region_name=region)
    return session.client("s3", config=Config(max_pool_connections=_CONNECTIONS, connect_timeout=10))


def _time_of(text: Any) -> Any:
    """Return a time of an answer; botocore's own way takes longer than all else of a long listing."""
    from botocore.utils import parse_timestamp

    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return parse_timestamp(text)


@contextlib.contextmanager
def asked(address: object) -> Iterator[None]:
    """Turn what botocore raises in this block into an UnreadableFileError that names the address and the way out."""
    import botocore.exceptions as aws
    from boto3.exceptions import Boto3Error

    try:
        yield
    except (aws.ClientError, aws.BotoCoreError, Boto3Error) as problem:
        code = code_of(problem) or code_of(problem.__context__)  # boto3 wraps what refused an upload
        why = _CODES.get(code) or (f"S3 answered {code}" if code else _explained(problem))
        raise UnreadableFileError(f"Cannot use {address}: {why}.") from None


def is_missing(problem: Exception) -> bool:
    """Whether an error of botocore says that there is no such object."""
    return code_of(problem) in ("NoSuchKey", "404", "NotFound")


def code_of(problem: BaseException | None) -> str:
    """Return the code that S3 answered, empty when the error of botocore holds none."""
    answer = getattr(problem, "response", None) or {}  # some hold one that is None
    return str(answer.get("Error", {}).get("Code", ""))


def is_broken_off(problem: Exception) -> bool:
    """Whether an error of botocore says that the connection broke while bytes arrived."""
    import botocore.exceptions as aws

    return isinstance(problem, (aws.IncompleteReadError, aws.ResponseStreamingError, aws.ReadTimeoutError))


def _explained(problem: Exception) -> str:
    """Say what an error of botocore means; its own text is not shown, for it may hold the endpoint's password."""
    import botocore.exceptions as aws

    name = type(problem).__name__
    if isinstance(problem, aws.ProfileNotFound):
        return f"{str(problem).rstrip('.')}. Set AWS_PROFILE to one that there is"
    if "Credential" in name or "Token" in name or "SSO" in name:
        return (
            f"there are no AWS credentials ({name}). Set AWS_PROFILE or the AWS_ variables, or log in (aws sso login)"
        )
    if isinstance(problem, (aws.HTTPClientError, aws.EndpointConnectionError)):
        return f"S3 cannot be reached ({name}). Look at the network, the proxy and the endpoint (AWS_ENDPOINT_URL_S3)"
    return f"the AWS client failed ({name}). Look at the AWS_ variables and the profile"


def credentials_of(bucket: str) -> Any:
    """Return frozen credentials for a bucket: access_key, secret_key, token."""
    with asked(f"s3://{bucket}"):
        from botocore.exceptions import NoCredentialsError

        found = client_of(bucket)._request_signer._credentials
        if found is None:
            raise NoCredentialsError
        return found.get_frozen_credentials()


def region_of(bucket: str) -> str:
    """Return the region of a bucket as S3 tells it, else the client's own."""
    client = client_of(bucket)
    return _region(bucket, client) or str(client.meta.region_name or "us-east-1")


@functools.lru_cache(maxsize=256)
def _region(bucket: str, client: Any) -> str:
    from botocore.exceptions import ClientError

    with asked(f"s3://{bucket}"):
        try:
            answer = client.head_bucket(Bucket=bucket)
        except ClientError as problem:  # even a refusal tells the region
            answer = problem.response
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("x-amz-bucket-region", ""))


def endpoint_of(bucket: str) -> str | None:
    """Return the address of an S3 server that is not Amazon's own, with its scheme; None for Amazon's."""
    url = str(client_of(bucket).meta.endpoint_url)
    host = urlsplit(url).hostname or ""
    return None if host.endswith((".amazonaws.com", ".amazonaws.com.cn")) and "vpce" not in host else url


def arrow_filesystem(bucket: str) -> Any:
    """Return pyarrow's file system for a bucket, with the credentials as they are now."""
    keys = credentials_of(bucket)
    return _arrow_filesystem(keys.access_key, keys.secret_key, keys.token, region_of(bucket), endpoint_of(bucket))


@functools.lru_cache(maxsize=16)
def _arrow_filesystem(key: str, secret: str, token: str | None, region: str, endpoint: str | None) -> Any:
    from pyarrow.fs import S3FileSystem

    own = (
        {}
        if endpoint is None
        else {"scheme": urlsplit(endpoint).scheme, "endpoint_override": urlsplit(endpoint).netloc}
    )
    return S3FileSystem(access_key=key, secret_key=secret, session_token=token, region=region, **own)
