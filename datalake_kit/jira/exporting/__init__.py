"""Frames to CSV, Excel and Parquet."""
