-- Links between issues, as the newest version of each issue shows them: one row an issue and link.
--
-- words reads from this issue to the other ("is blocked by"); direction is outward where this issue does it. A link
-- between two issues of the table is shown by both. dk.jira.links gives each once.
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
    SELECT id, key, TRY(CAST(json_extract(fields, '$.issuelinks') AS ARRAY(JSON))) AS entries
    FROM versions
    WHERE version = 1
),
shown AS (
    SELECT id, key, link, position, json_extract_scalar(link, '$.outwardIssue.id') IS NOT NULL AS is_outward
    FROM parsed
    CROSS JOIN UNNEST(entries) WITH ORDINALITY AS t(link, position)
)
SELECT id, key, position,
       json_extract_scalar(link, '$.id') AS link_id,
       json_extract_scalar(link, '$.type.name') AS link_type,
       CASE WHEN is_outward THEN json_extract_scalar(link, '$.type.outward')
            ELSE json_extract_scalar(link, '$.type.inward') END AS words,
       CASE WHEN is_outward THEN 'outward' ELSE 'inward' END AS direction,
       CASE WHEN is_outward THEN json_extract_scalar(link, '$.outwardIssue.id')
            ELSE json_extract_scalar(link, '$.inwardIssue.id') END AS other_id,
       CASE WHEN is_outward THEN json_extract_scalar(link, '$.outwardIssue.key')
            ELSE json_extract_scalar(link, '$.inwardIssue.key') END AS other_key
FROM shown
ORDER BY id, position
