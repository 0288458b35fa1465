"""Which strategy is taken when none is named."""

from crossloom.hardware import Backend, OnChipSet
from crossloom.programming.strategies.direct import DirectSet
from crossloom.programming.strategies.strategy import Strategy
from crossloom.programming.strategies.write_verify import WriteVerify
from crossloom.spec import IdealDeviceSpec


def usual_strategy(backend: Backend) -> Strategy:
    """Write-verify; but where cells are ideal, or nothing is known of their pulses, the chip sets them itself."""
    cell = backend.spec.macro.cell
    is_direct = cell.pulse is None or isinstance(cell.device, IdealDeviceSpec)
    return DirectSet() if is_direct and isinstance(backend, OnChipSet) else WriteVerify()
