"""What tests of connectors and sinks need: a clock to turn, a context, stand-ins, and the contract suites.

`ConnectorContract` and `SinkContract` (in `allears_sdk.testing.connectors` and `.sinks`) give any connector or sink
the whole suite in about ten lines.
"""

from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryTokens, RecordingLog, make_context

__all__ = ["FakeClock", "MemoryTokens", "RecordingLog", "make_context"]
