"""Measures of sprints: reports, burndown, velocity."""
