-- How many rows of each version has a table? Rows of the full load have no version.
-- :table identifier     database.table
-- :version identifier   the column that orders changes
SELECT :version AS version, count(*) AS row_count
FROM :table
GROUP BY :version
