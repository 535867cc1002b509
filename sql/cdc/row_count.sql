-- How many rows has a table?
-- :table identifier     database.table
SELECT count(*) AS row_count
FROM :table
