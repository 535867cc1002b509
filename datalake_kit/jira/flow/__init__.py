"""Measures of flow: times, work that is open, throughput, forecast."""
