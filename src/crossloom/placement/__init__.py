"""Placement: tiles on the macros of several chips, and the schedule of their MVMs."""

from crossloom.placement.config import ForbiddenRegion, PlacementConfig
from crossloom.placement.place import Placement, Site, place
from crossloom.placement.schedule import Step, matrix_dependencies

__all__ = ["ForbiddenRegion", "Placement", "PlacementConfig", "Site", "Step", "matrix_dependencies", "place"]
