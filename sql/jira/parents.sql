-- The parent of each issue in its newest version, and the parent's parent: one row an issue that has one.
--
-- parent_key and parent_type are those of the parent's own newest row where it is in the table (keys change when issues
-- move), else what the issue says of it; parent_here tells which. grandparent_id is what the parent's row says. For
-- chains of any depth, epics by the epic link and cycles: dk.jira.parents.
-- :table identifier    database.table
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
),
issues AS (
    SELECT id, key,
           json_extract_scalar(element_at(f, 'issuetype'), '$.name') AS issue_type,
           json_extract_scalar(element_at(f, 'parent'), '$.id') AS parent_id,
           json_extract_scalar(element_at(f, 'parent'), '$.key') AS parent_key,
           json_extract_scalar(element_at(f, 'parent'), '$.fields.issuetype.name') AS parent_type
    FROM parsed
    WHERE f IS NOT NULL
)
SELECT i.id, i.key, i.issue_type, i.parent_id,
       coalesce(p.key, i.parent_key) AS parent_key,
       coalesce(p.issue_type, i.parent_type) AS parent_type,
       p.id IS NOT NULL AS parent_here,
       p.parent_id AS grandparent_id
FROM issues AS i
LEFT JOIN issues AS p ON p.id = i.parent_id
WHERE i.parent_id IS NOT NULL
ORDER BY i.id
