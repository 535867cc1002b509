"""The way to AWS of one lake: its boto3 session and the clients made from it.

Credentials come from the ordinary AWS chain; none is kept here or shown.
"""

from __future__ import annotations

from typing import Any

from datalake_kit.config import AthenaSettings
from datalake_kit.errors import ConfigError


class AwsSession:
    """The boto3 session of a lake, made when first needed, and one client a service.

    Attributes
    ----------
    settings
        The settings of the lake.
    """

    def __init__(self, settings: AthenaSettings) -> None:
        self.settings = settings
        self._boto: Any = None
        self._clients: dict[str, Any] = {}

    @property
    def boto(self) -> Any:
        """The boto3 session; ConfigError where no region is named or the profile is not there."""
        if self._boto is None:
            import boto3
            from botocore.exceptions import BotoCoreError

            try:
                self._boto = boto3.Session(profile_name=self.settings.profile, region_name=self.settings.region)
            except BotoCoreError as error:
                raise ConfigError(
                    f"AWS session: {error}. Set profile and region of this lake, or AWS_PROFILE."
                ) from None
            if self._boto.region_name is None:
                raise ConfigError(
                    "No AWS region. Give region= in the address or in datalake.toml, or set AWS_DEFAULT_REGION."
                )
        return self._boto

    def client(self, service: str) -> Any:
        """Return the client of a service: "athena", "glue", "s3" or "sts"."""
        if service not in self._clients:
            self._clients[service] = self.boto.client(service, endpoint_url=self.settings.endpoint)
        return self._clients[service]


def aws_errors() -> tuple[type[Exception], ...]:
    """Return the classes of everything that botocore raises."""
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
