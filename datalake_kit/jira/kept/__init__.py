"""The newest version of each issue kept as Parquet, brought up to date from new files only."""
