"""One way to list, read and write files: a local folder or s3://.

`place` turns a location into a `pathlib.Path` or an `S3Path`, which has what this package uses of a `Path`; the other
functions take either, or text. Files are written under a temporary name, then moved (S3: one put), so that a reader
sees the old file or the new one, never a part. Datasets (partitioned Parquet with its table in the Glue catalog) are
written by `write_dataset`, read by `read_dataset` and `dataset_batches`, registered by `register_dataset`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from datalake_kit.storage.datasets import WrittenDataset, dataset_batches, read_dataset, write_dataset
    from datalake_kit.storage.registering import RegisteredDataset, register_dataset

__all__ = [
    "PARQUET_MAGIC",
    "TEMPORARY_PREFIX",
    "FilesLike",
    "FoundFile",
    "Place",
    "RegisteredDataset",
    "S3Path",
    "WrittenDataset",
    "check_parquet",
    "copy_to",
    "dataset_batches",
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
    "read_dataset",
    "read_footer",
    "read_many",
    "read_schema",
    "refuse_dangling",
    "register_dataset",
    "use_client",
    "use_profile",
    "write_atomically",
    "write_dataset",
    "write_folder_atomically",
]

_LATER = {  # they load when first used: this package is imported by all that reads a file
    "RegisteredDataset": "registering",
    "WrittenDataset": "datasets",
    "dataset_batches": "datasets",
    "read_dataset": "datasets",
    "register_dataset": "registering",
    "write_dataset": "datasets",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f"datalake_kit.storage.{_LATER[name]}"), name)
    raise AttributeError(f"module 'datalake_kit.storage' has no attribute {name!r}")
