"""A small, honest Athena for tests: one HTTP port that is S3, Glue, STS (moto) and Athena.

Statements run on a real Trino over that same S3 and Glue (see tests/trino/launch.py), so a bad statement fails here;
where Java 25 or Maven is missing, SELECTs run on the local engine instead and `engine_name` says so.

    with serve() as server:
        ...                                   # server.environment goes into os.environ; any AWS client speaks to it
    python -m tests.athena_server --port 5555 # until killed; prints the variables to export
"""

from tests.athena_server.server import Faults, Server, serve

__all__ = ["Faults", "Server", "serve"]
