"""Rules that propose points: grid, random, Sobol, and those that learn from what came before."""

from crossloom.registry import Registry
from crossloom.search.samplers.continuous_fidelity import ContinuousFidelity
from crossloom.search.samplers.gaussian_process import GaussianProcess
from crossloom.search.samplers.genetic import Genetic
from crossloom.search.samplers.grid import Grid
from crossloom.search.samplers.random import Random
from crossloom.search.samplers.sampler import Proposal, Sampler, finished
from crossloom.search.samplers.seen import Seen
from crossloom.search.samplers.sobol import Sobol
from crossloom.search.samplers.tpe import Tpe

SAMPLERS: Registry[type[Sampler]] = Registry("sampler", "crossloom.samplers")
SAMPLERS.register("grid", Grid)
SAMPLERS.register("random", Random)
SAMPLERS.register("sobol", Sobol)
SAMPLERS.register("tpe", Tpe)
SAMPLERS.register("genetic", Genetic)
SAMPLERS.register("gaussian_process", GaussianProcess)
SAMPLERS.register("continuous_fidelity", ContinuousFidelity)

__all__ = [
    "SAMPLERS",
    "ContinuousFidelity",
    "GaussianProcess",
    "Genetic",
    "Grid",
    "Proposal",
    "Random",
    "Sampler",
    "Seen",
    "Sobol",
    "Tpe",
    "finished",
]
