-- The newest version of each issue in a table that AppFlow fills, as it came: one row an issue.
--
-- An issue is its id. Of its rows the newest has the latest instant of fields.updated (none comes last). Versions with
-- the same instant cannot be told apart here, for which file a row came from is no column of the table: of these the
-- same one is always taken, by its text. dk.jira.load takes the one that landed last. Rows without id, or whose fields
-- are no JSON, are left out; dk.jira.load lists them. Jira writes offsets without a colon: one is put in.
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
)
SELECT id, key, fields
FROM versions
WHERE version = 1
ORDER BY id
