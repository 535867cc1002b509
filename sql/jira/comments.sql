-- Comments in the newest version of each issue: one row a comment.
--
-- Jira puts a page of them into an issue: total is how many there are, which can be more than the rows here. The body is
-- text in API version 2 and a document in version 3; a document is given as JSON, its keys in the order of their names
-- (dk.jira.text makes text of it).
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
    SELECT id, key, json_extract(fields, '$.comment') AS page
    FROM versions
    WHERE version = 1
)
SELECT id, key, position,
       json_extract_scalar(entry, '$.id') AS comment_id,
       json_extract_scalar(entry, '$.author.displayName') AS author,
       json_extract_scalar(entry, '$.author.accountId') AS author_account_id,
       TRY(from_iso8601_timestamp(regexp_replace(
           json_extract_scalar(entry, '$.created'), '([+-][0-9]{2})([0-9]{2})$', '$1:$2'
       ))) AS created,
       coalesce(json_extract_scalar(entry, '$.body'),
                json_format(json_parse(json_format(json_extract(entry, '$.body'))))) AS body,
       TRY_CAST(json_extract_scalar(page, '$.total') AS bigint) AS total
FROM pages
CROSS JOIN UNNEST(TRY(CAST(json_extract(page, '$.comments') AS ARRAY(JSON)))) WITH ORDINALITY AS t(entry, position)
ORDER BY id, position
