"""Fields that are known beforehand: Jira's own, the types of custom fields, and the keys of usual objects."""

from __future__ import annotations

from datalake_kit.jira.fields import desk_rules, rules
from datalake_kit.jira.fields.rules import Rule

# Jira's own fields, in the order of their columns: id (any letters) -> (base name, rule; None: by shape)
SYSTEM: dict[str, tuple[str, Rule | None]] = {
    "project": ("project", rules.PROJECT),
    "issuetype": ("issue_type", rules.ISSUE_TYPE),
    "summary": ("summary", rules.TEXT),
    "status": ("status", rules.STATUS),
    "statuscategory": ("current_status_category", rules.STATUS_CATEGORY),
    "priority": ("priority", rules.NAMED),
    "resolution": ("resolution", rules.NAMED),
    "assignee": ("assignee", rules.USER),
    "reporter": ("reporter", rules.USER),
    "creator": ("creator", rules.USER),
    "created": ("created", rules.DATETIME),
    "updated": ("updated", rules.DATETIME),
    "statuscategorychangedate": ("status_category_changed", rules.DATETIME),
    "resolutiondate": ("resolution_date", rules.DATETIME),
    "duedate": ("due_date", rules.DATE),
    "lastviewed": ("last_viewed", rules.DATETIME),
    "parent": ("parent", rules.PARENT),
    "epic": ("agile_epic", rules.EPIC),
    "sprint": ("agile_sprint", rules.SPRINT),
    "closedsprints": ("closed_sprints", rules.COUNTED),
    "flagged": ("flagged", rules.BOOLEAN),
    "labels": ("labels", rules.TEXTS),
    "components": ("components", rules.NAMES),
    "fixversions": ("fix_versions", rules.NAMES),
    "versions": ("affects_versions", rules.NAMES),
    "security": ("security_level", rules.NAMED),
    "environment": ("environment", rules.TEXT),
    "description": ("description", rules.TEXT),
    "timeoriginalestimate": ("original_estimate_seconds", rules.NUMBER),
    "timeestimate": ("remaining_estimate_seconds", rules.NUMBER),
    "timespent": ("time_spent_seconds", rules.NUMBER),
    "aggregatetimeoriginalestimate": ("aggregate_original_estimate_seconds", rules.NUMBER),
    "aggregatetimeestimate": ("aggregate_remaining_estimate_seconds", rules.NUMBER),
    "aggregatetimespent": ("aggregate_time_spent_seconds", rules.NUMBER),
    "timetracking": ("time_tracking", rules.TIME_TRACKING),
    "progress": ("progress", rules.PROGRESS),
    "aggregateprogress": ("aggregate_progress", rules.PROGRESS),
    "workratio": ("work_ratio", rules.NUMBER),
    "votes": ("votes", rules.VOTES),
    "watches": ("watches", rules.WATCHES),
    "subtasks": ("subtasks", rules.COUNTED),
    "issuelinks": ("issue_links", rules.COUNTED),
    "attachment": ("attachments", rules.COUNTED),
    "comment": ("comments", rules.PAGE),
    "worklog": ("worklogs", rules.PAGE),
    "issuerestriction": ("issue_restriction", rules.JSON),
}

# Columns that a frame has whether they hold anything or not, where the documents have the field.
CORE = frozenset(list(SYSTEM)[:16]) | {"parent", "labels", "components", "fixversions", "versions", "description"}

BY_CUSTOM_TYPE = {
    "gh-sprint": rules.SPRINT, "gh-epic-link": rules.TEXT, "gh-epic-label": rules.TEXT, "gh-lexo-rank": rules.TEXT,
    "gh-epic-color": rules.TEXT, "gh-epic-status": rules.OPTION, "jsw-story-points": rules.NUMBER,
    "float": rules.NUMBER, "datepicker": rules.DATE, "datetime": rules.DATETIME, "url": rules.TEXT,
    "textfield": rules.TEXT, "textarea": rules.TEXT, "readonlyfield": rules.TEXT, "timeinstatus": rules.TEXT,
    "firstresponsedate": rules.DATETIME, "select": rules.OPTION, "radiobuttons": rules.OPTION,
    "cascadingselect": rules.CASCADING, "multiselect": rules.NAMES, "multicheckboxes": rules.NAMES,
    "labels": rules.TEXTS, "userpicker": rules.USER, "multiuserpicker": rules.USERS, "people": rules.USERS,
    "grouppicker": rules.NAMED, "multigrouppicker": rules.NAMES, "version": rules.NAMED, "multiversion": rules.NAMES,
    "project": rules.PROJECT, "sd-sla-field": desk_rules.SLA, "vp-origin": desk_rules.REQUEST_TYPE,
    "sd-customer-organizations": rules.NAMES, "sd-request-participants": rules.USERS,
    "sd-approvals": desk_rules.APPROVALS, "sd-request-feedback": desk_rules.RATING,
    "sd-request-feedback-date": rules.DATETIME, "sd-request-lang": desk_rules.LANGUAGE,
    "atlassian-team": desk_rules.TEAM, "rm-teams-custom-field-team": desk_rules.TEAM,
    "cmdb-object-cftype": desk_rules.ASSETS, "devsummarycf": desk_rules.DEVELOPMENT, "checklist": desk_rules.CHECKLIST,
    "jpo-custom-field-parent": desk_rules.PARENT_LINK, "jpo-custom-field-baseline-start": rules.DATE,
    "jpo-custom-field-baseline-end": rules.DATE,
}  # fmt: skip
BY_TYPE = {
    "user": rules.USER, "option": rules.OPTION, "option-with-child": rules.CASCADING, "number": rules.NUMBER,
    "date": rules.DATE, "datetime": rules.DATETIME, "project": rules.PROJECT, "priority": rules.NAMED,
    "version": rules.NAMED, "group": rules.NAMED, "resolution": rules.NAMED, "string": rules.TEXT,
}  # fmt: skip
BY_ITEMS = {
    "option": rules.NAMES, "version": rules.NAMES, "component": rules.NAMES, "group": rules.NAMES,
    "user": rules.USERS,
}  # fmt: skip

# Keys that such objects have in Jira; an object with others says more than a name, and is kept as JSON.
OPTION_KEYS = frozenset({"self", "id", "value", "name", "disabled", "child", "optionId"})
NAMED_KEYS = OPTION_KEYS | {
    "key", "description", "iconUrl", "avatarUrls", "avatarId", "archived", "released", "releaseDate", "userReleaseDate",
    "startDate", "userStartDate", "projectId", "overdue", "groupId", "colorName", "statusCategory", "subtask",
    "hierarchyLevel", "expand", "scope", "entityId", "_links", "uuid", "created", "scimManaged",
}  # fmt: skip
