"""Splits, metrics, intervals, segments and the report."""
