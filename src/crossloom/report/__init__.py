"""Reports: what became of a model on its chips, as one HTML page, as JSON, and on a terminal."""

from crossloom.report.report import Report

__all__ = ["Report"]
