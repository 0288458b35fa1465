"""Pipelining: what every macro, link and the digital unit does when, for samples that follow one another."""

from crossloom.placement.pipelining.operations import SHARED, Operation, PipelineSchedule, PipelineTimes
from crossloom.placement.pipelining.scheduling import schedule_pipeline

__all__ = ["SHARED", "Operation", "PipelineSchedule", "PipelineTimes", "schedule_pipeline"]
