"""Every error that crossloom raises on purpose: what was wanted, what came, what to do."""


class CrossloomError(Exception):
    """The root of crossloom's own errors; catch it to catch them all."""


class SpecError(CrossloomError):
    """A hardware description is unknown, incomplete or impossible."""


class ConfigError(CrossloomError):
    """A choice (quantisation, mapping, placement, programming) cannot be."""


class GraphError(CrossloomError):
    """A model cannot become a graph, or a graph cannot be run."""


class UnsupportedOperationError(GraphError):
    """An operation that crossloom cannot take over; the message names it and its node."""


class DataError(CrossloomError):
    """Inputs, labels or calibration data are empty, of the wrong shape, or not finite."""


class CapacityError(CrossloomError):
    """The system is too small; the message says how much is missing."""


class ProgramError(CrossloomError):
    """Programming cannot start or cannot go on."""


class BackendError(CrossloomError):
    """A chip, simulated or real, refused a command or answered out of turn."""


class RunError(CrossloomError):
    """A run was asked for something that it cannot do."""


class ConvergenceError(CrossloomError):
    """An iteration did not reach the accuracy that was asked for; nothing is returned in its place."""


class TrainingError(CrossloomError):
    """A training met NaN or infinity; the message names step and layer, and what was kept."""


class ArtefactError(CrossloomError):
    """A file is no artefact of crossloom's, is damaged, or comes from a newer version."""


class MissingDependencyError(CrossloomError):
    """An optional library is not installed; the message says which extra brings it."""


class SearchError(CrossloomError):
    """A search space, its goals, its objective or its store cannot be, or do not fit together."""
