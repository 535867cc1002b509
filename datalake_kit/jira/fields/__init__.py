"""Fields of issues as typed, named columns."""
