"""What tests of connectors and sinks need: a clock to turn, a context, stand-ins, and the contract suites.

`ConnectorContract` and `SinkContract` (in `allears_sdk.testing.connectors` and `.sinks`) give any connector or sink
the whole suite in about ten lines.
"""

from allears_sdk.testing.clock import FakeClock
from allears_sdk.testing.context import MemoryLedger, MemoryTokens, RecordingLog, make_context
from allears_sdk.testing.memory import Fault, MemorySettings, MemorySink, MemoryStore, memory_sink
from allears_sdk.testing.records import make_complaint, make_event
from allears_sdk.testing.scripted import Script, ScriptedConnector, ScriptedSettings

__all__ = [
    "FakeClock",
    "Fault",
    "MemoryLedger",
    "MemorySettings",
    "MemorySink",
    "MemoryStore",
    "MemoryTokens",
    "RecordingLog",
    "Script",
    "ScriptedConnector",
    "ScriptedSettings",
    "make_complaint",
    "make_context",
    "make_event",
    "memory_sink",
]
