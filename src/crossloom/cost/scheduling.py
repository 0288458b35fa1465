"""The verb that puts times on a placement: a pipelined schedule of samples that follow one another."""

import torch

from crossloom.cost.actions import LayerWork
from crossloom.cost.digital import digital_work
from crossloom.cost.estimate import Table, resolve_table
from crossloom.cost.making import Work, operations_by_layer
from crossloom.cost.timeline import pipeline_times
from crossloom.errors import ConfigError
from crossloom.mapping import vectors_per_sample
from crossloom.placement import PipelineSchedule, PipelineTimes, Placement, schedule_pipeline
from crossloom.programming import LayerCorrection
from crossloom.runtime import LayerActivity, count_layer


def schedule(placement: Placement, table: Table | None = None, num_samples: int = 8) -> PipelineSchedule:
    """When every macro, link and the digital unit works for samples that follow one another.

    `table` is as for `estimate`, whose interval and latency are those of this schedule. What the table and the system
    do not know takes no time. Raises ConfigError for what is no placement or no samples, and for several rounds.
    """
    return schedule_pipeline(placement, stage_times(placement, table), num_samples)


def stage_times(placement: Placement, table: Table | None = None) -> PipelineTimes:
    """How long MVMs, conversions, links and the digital unit take for one sample. No conductance is looked at."""
    if not isinstance(placement, Placement):
        raise ConfigError(f"need a Placement, got {type(placement).__name__}; make one with compile or place")
    found, mapped = resolve_table(table, placement), placement.mapped
    vectors, nothing = vectors_per_sample(mapped.quantized.graph), torch.zeros(0)
    works = {
        name: LayerWork(
            placement,
            name,
            count_layer(placement, name, vectors[name], 1),
            LayerActivity(nothing, nothing),
            1,
            {},
            LayerCorrection(),
        )
        for name in mapped.schemes
    }
    operations = operations_by_layer(Work(placement, "estimate", works, 1), digital_work(mapped))
    return pipeline_times(placement, works, operations, found)
