"""Build the demo lake: real Hudi tables, Jira issues made from real documents, a synthetic sky in NetCDF."""

from datalake_kit.demo.build import TABLES, build_demo

__all__ = ["TABLES", "build_demo"]
