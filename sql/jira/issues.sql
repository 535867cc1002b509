-- The newest version of each issue with Jira's own fields as columns: one row an issue, each document parsed once.
--
-- Which version is the newest is chosen as in jira/newest_issues. The columns are named as dk.jira.load names them.
-- What has no value is NULL; an instant is a timestamp with its offset. dk.jira.load unpacks custom fields too, by their names:
-- add them here by their ids, as points :points does for one number field. Rows whose fields are no JSON object are left
-- out.
-- :table identifier                             database.table
-- :points text = 'customfield_10016'            id of a number field, for the column points
WITH dated AS (
    SELECT id, key, fields,
           TRY(from_iso8601_timestamp(regexp_replace(
               json_extract_scalar(fields, '$.updated'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
           ))) AS updated
    FROM :table
    WHERE id IS NOT NULL AND TRY(json_parse(fields)) IS NOT NULL
),
versions AS (
    SELECT id, key, fields,
           row_number() OVER (PARTITION BY id ORDER BY updated DESC NULLS LAST, fields DESC) AS version
    FROM dated
),
parsed AS (
    SELECT id, key, TRY(CAST(json_parse(fields) AS MAP(VARCHAR, JSON))) AS f
    FROM versions
    WHERE version = 1
)
SELECT id, key,
       json_extract_scalar(element_at(f, 'project'), '$.key') AS project,
       json_extract_scalar(element_at(f, 'issuetype'), '$.name') AS issue_type,
       json_extract_scalar(element_at(f, 'summary'), '$') AS summary,
       json_extract_scalar(element_at(f, 'status'), '$.name') AS status,
       json_extract_scalar(element_at(f, 'status'), '$.id') AS status_id,
       CASE json_extract_scalar(element_at(f, 'status'), '$.statusCategory.key')
           WHEN 'new' THEN 'To Do' WHEN 'indeterminate' THEN 'In Progress' WHEN 'done' THEN 'Done'
           WHEN 'undefined' THEN 'No Category'
           ELSE coalesce(json_extract_scalar(element_at(f, 'status'), '$.statusCategory.name'),
                         json_extract_scalar(element_at(f, 'status'), '$.statusCategory.key'))
       END AS status_category,
       json_extract_scalar(element_at(f, 'priority'), '$.name') AS priority,
       json_extract_scalar(element_at(f, 'resolution'), '$.name') AS resolution,
       coalesce(json_extract_scalar(element_at(f, 'assignee'), '$.displayName'),
                json_extract_scalar(element_at(f, 'assignee'), '$.name')) AS assignee,
       coalesce(json_extract_scalar(element_at(f, 'assignee'), '$.accountId'),
                json_extract_scalar(element_at(f, 'assignee'), '$.key'),
                json_extract_scalar(element_at(f, 'assignee'), '$.name')) AS assignee_account_id,
       coalesce(json_extract_scalar(element_at(f, 'reporter'), '$.displayName'),
                json_extract_scalar(element_at(f, 'reporter'), '$.name')) AS reporter,
       TRY(from_iso8601_timestamp(regexp_replace(
           json_extract_scalar(element_at(f, 'created'), '$'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
       ))) AS created,
       TRY(from_iso8601_timestamp(regexp_replace(
           json_extract_scalar(element_at(f, 'updated'), '$'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
       ))) AS updated,
       TRY(from_iso8601_timestamp(regexp_replace(
           json_extract_scalar(element_at(f, 'resolutiondate'), '$'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
       ))) AS resolution_date,
       TRY_CAST(json_extract_scalar(element_at(f, 'duedate'), '$') AS date) AS due_date,
       json_extract_scalar(element_at(f, 'parent'), '$.key') AS parent_key,
       json_extract_scalar(element_at(f, 'parent'), '$.id') AS parent_id,
       nullif(array_join(TRY(CAST(element_at(f, 'labels') AS ARRAY(VARCHAR))), '; '), '') AS labels,
       nullif(array_join(transform(
           TRY(CAST(element_at(f, 'components') AS ARRAY(JSON))), c -> json_extract_scalar(c, '$.name')
       ), '; '), '') AS components,
       nullif(array_join(transform(
           TRY(CAST(element_at(f, 'fixVersions') AS ARRAY(JSON))), v -> json_extract_scalar(v, '$.name')
       ), '; '), '') AS fix_versions,
       TRY_CAST(json_extract_scalar(element_at(f, 'timeoriginalestimate'), '$') AS double)
           AS original_estimate_seconds,
       TRY_CAST(json_extract_scalar(element_at(f, 'timespent'), '$') AS double) AS time_spent_seconds,
       TRY_CAST(json_extract_scalar(element_at(f, :points), '$') AS double) AS points
FROM parsed
WHERE f IS NOT NULL
ORDER BY id
