"""One way to list, read and write files: a local folder or s3://.

`place` turns a location into a `pathlib.Path` or an `S3Path`, which has what this package uses of a `Path`; the other
functions take either, or text. Files are written under a temporary name, then moved (S3: one put), so that a reader
sees the old file or the new one, never a part.
"""

from __future__ import annotations

from datalake_kit.storage.finding import FilesLike, FoundFile, find_files
from datalake_kit.storage.listing import (
    TEMPORARY_PREFIX,
    Place,
    copy_to,
    files_in,
    fingerprint,
    for_each,
    list_files,
    listing,
    local_copy,
    local_path,
    place,
    read_many,
    refuse_dangling,
)
from datalake_kit.storage.parquet import PARQUET_MAGIC, check_parquet, open_parquet, read_footer, read_schema
from datalake_kit.storage.s3 import S3Path, use_client, use_profile
from datalake_kit.storage.writing import write_atomically, write_folder_atomically

__all__ = [
    "PARQUET_MAGIC",
    "TEMPORARY_PREFIX",
    "FilesLike",
    "FoundFile",
    "Place",
    "S3Path",
    "check_parquet",
    "copy_to",
    "files_in",
    "find_files",
    "fingerprint",
    "for_each",
    "list_files",
    "listing",
    "local_copy",
    "local_path",
    "open_parquet",
    "place",
    "read_footer",
    "read_many",
    "read_schema",
    "refuse_dangling",
    "use_client",
    "use_profile",
    "write_atomically",
    "write_folder_atomically",
]
