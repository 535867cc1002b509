-- Which keys does a table have more than once, the most frequent first?
-- :table identifier     database.table
-- :key identifier       the column that identifies a record
SELECT :key AS key_value, count(*) AS row_count
FROM :table
GROUP BY :key
HAVING count(*) > 1
ORDER BY row_count DESC, key_value
