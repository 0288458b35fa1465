"""Reports, each as one HTML page, as JSON, and on a terminal: what became of a model on its chips, what a sample costs,
what tuning did, what a search found."""

from crossloom.report.document import Document
from crossloom.report.report import Report
from crossloom.report.views import CostView, StudyView, TuningView, report_of

__all__ = ["CostView", "Document", "Report", "StudyView", "TuningView", "report_of"]
