"""Engines that run a statement."""
