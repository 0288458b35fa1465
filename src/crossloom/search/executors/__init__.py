"""Where points are run: in this process, in several, or on a Ray cluster."""

from crossloom.registry import Registry
from crossloom.search.executors.executor import Executor, Finished, Pool, Task
from crossloom.search.executors.in_process import InProcess
from crossloom.search.executors.processes import Processes
from crossloom.search.executors.ray import Ray

EXECUTORS: Registry[type[Executor]] = Registry("executor", "crossloom.executors")
EXECUTORS.register("in_process", InProcess)
EXECUTORS.register("processes", Processes)
EXECUTORS.register("ray", Ray)

__all__ = ["EXECUTORS", "Executor", "Finished", "InProcess", "Pool", "Processes", "Ray", "Task"]
