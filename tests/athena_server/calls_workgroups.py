"""Workgroups and tags."""

from __future__ import annotations

import time
from typing import Any

from tests.athena_server.errors import ApiError, invalid
from tests.athena_server.pages import page

_VERSION = {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": "Athena engine version 3"}
_REMOVED = {
    "RemoveOutputLocation": "OutputLocation",
    "RemoveEncryptionConfiguration": "EncryptionConfiguration",
    "RemoveExpectedBucketOwner": "ExpectedBucketOwner",
    "RemoveAclConfiguration": "AclConfiguration",
}


class WorkgroupCalls:
    """Workgroups; `primary` is always there."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self._add(
            {"Name": "primary", "Configuration": {"ResultConfiguration": {"OutputLocation": "s3://results/primary/"}}}
        )

    def get(self, name: str) -> dict[str, Any]:
        """Return a workgroup; the API's error where there is none."""
        if name not in self.groups:
            raise invalid(f"WorkGroup {name} is not found.")
        return self.groups[name]

    def _add(self, request: dict[str, Any]) -> None:
        settings: dict[str, Any] = {"EnforceWorkGroupConfiguration": False, "PublishCloudWatchMetricsEnabled": False}
        settings |= {"RequesterPaysEnabled": False, **request.get("Configuration", {})}
        settings["EngineVersion"] = _VERSION
        self._check(settings)
        name = request["Name"]
        self.groups[name] = {
            "Name": name,
            "State": "ENABLED",
            "Description": request.get("Description", ""),
            "CreationTime": time.time(),
            "Configuration": settings,
        }
        tags = {t["Key"]: t["Value"] for t in request.get("Tags", [])}
        self.tags[f"arn:aws:athena:us-east-1:123456789012:workgroup/{name}"] = tags

    def _check(self, settings: dict[str, Any]) -> None:
        least = settings.get("BytesScannedCutoffPerQuery")
        if least is not None and least < 10_000_000:
            raise invalid("BytesScannedCutoffPerQuery must be at least 10000000")
        place = settings.get("ResultConfiguration", {}).get("OutputLocation")
        if place and not place.startswith("s3://"):
            raise invalid(f"outputLocation is not a valid S3 path: {place}")

    def do_CreateWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["Name"] in self.groups:
            raise invalid(f"WorkGroup {request['Name']} is already created")
        # Athena enforces a workgroup's settings unless it is told not to
        settings = {"EnforceWorkGroupConfiguration": True, **request.get("Configuration", {})}
        self._add({**request, "Configuration": settings})
        return {}

    def do_GetWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"WorkGroup": self.get(request["WorkGroup"])}

    def do_ListWorkGroups(self, request: dict[str, Any]) -> dict[str, Any]:
        shown = ("Name", "State", "Description", "CreationTime")
        found = [{**{k: g[k] for k in shown}, "EngineVersion": _VERSION} for g in self.groups.values()]
        return page(found, request, "WorkGroups", 50)

    def do_DeleteWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        self.get(request["WorkGroup"])
        if request["WorkGroup"] == "primary":
            raise invalid("The primary workgroup cannot be deleted.")
        del self.groups[request["WorkGroup"]]
        return {}

    def do_UpdateWorkGroup(self, request: dict[str, Any]) -> dict[str, Any]:
        group = self.get(request["WorkGroup"])
        group["State"] = request.get("State", group["State"])
        group["Description"] = request.get("Description", group["Description"])
        settings = dict(group["Configuration"])
        for key, value in request.get("ConfigurationUpdates", {}).items():
            if key == "ResultConfigurationUpdates":
                settings["ResultConfiguration"] = _updated(settings.get("ResultConfiguration", {}), value)
            elif key == "RemoveBytesScannedCutoffPerQuery":
                settings.pop("BytesScannedCutoffPerQuery", None)
            elif key != "EngineVersion":
                settings[key] = value
        self._check(settings)
        group["Configuration"] = settings
        return {}

    # --- tags

    def _tags(self, request: dict[str, Any]) -> dict[str, str]:
        arn = request["ResourceARN"]
        if arn not in self.tags:
            raise ApiError("ResourceNotFoundException", f"Resource {arn} was not found", ResourceName=arn)
        return self.tags[arn]

    def do_TagResource(self, request: dict[str, Any]) -> dict[str, Any]:
        self._tags(request).update({t["Key"]: t["Value"] for t in request["Tags"]})
        return {}

    def do_UntagResource(self, request: dict[str, Any]) -> dict[str, Any]:
        for key in request["TagKeys"]:
            self._tags(request).pop(key, None)
        return {}

    def do_ListTagsForResource(self, request: dict[str, Any]) -> dict[str, Any]:
        tags = [{"Key": k, "Value": v} for k, v in self._tags(request).items()]
        return page(tags, request, "Tags", 75)


def _updated(kept: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    made = {**kept, **{k: v for k, v in changes.items() if not k.startswith("Remove")}}
    for flag, key in _REMOVED.items():
        if changes.get(flag):
            made.pop(key, None)
    return made
