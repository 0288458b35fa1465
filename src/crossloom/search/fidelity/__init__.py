"""The mathematics of search at continuous fidelity: what an evaluation tells of the Pareto front, and costs."""

from crossloom.search.fidelity.proposing import initial, propose, recommend

__all__ = ["initial", "propose", "recommend"]
