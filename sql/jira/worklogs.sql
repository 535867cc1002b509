-- Logged work in the newest version of each issue: one row an entry.
--
-- Jira puts a page of them into an issue: total is how many there are, which can be more than the rows here.
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
pages AS (
    SELECT id, key, json_extract(fields, '$.worklog') AS page
    FROM versions
    WHERE version = 1
)
SELECT id, key, position,
       json_extract_scalar(entry, '$.id') AS worklog_id,
       json_extract_scalar(entry, '$.author.displayName') AS author,
       json_extract_scalar(entry, '$.author.accountId') AS author_account_id,
       TRY(from_iso8601_timestamp(regexp_replace(
           json_extract_scalar(entry, '$.started'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
       ))) AS started,
       TRY_CAST(json_extract_scalar(entry, '$.timeSpentSeconds') AS double) AS seconds,
       TRY_CAST(json_extract_scalar(page, '$.total') AS bigint) AS total
FROM pages
CROSS JOIN UNNEST(TRY(CAST(json_extract(page, '$.worklogs') AS ARRAY(JSON)))) WITH ORDINALITY AS t(entry, position)
ORDER BY id, position
