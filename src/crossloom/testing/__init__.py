"""Conformance suites: whoever writes a device model or a backend subclasses one and gives `make`.

    from crossloom.testing import DeviceModelSuite

    class TestMyDevice(DeviceModelSuite):
        def make(self):
            return MyDevice(...)

pytest finds the laws by their names; nothing here needs pytest itself. Hypothesis strategies for specifications and
configurations are in `crossloom.testing.strategies`.
"""

from crossloom.testing.backends import BackendSuite
from crossloom.testing.device_models import DeviceModelSuite

__all__ = ["BackendSuite", "DeviceModelSuite"]
