"""Reading a list of reviews or posts that is newest first, shifts while it is read, and may hide edits of what is old.

Each poll reads from the top to a page that holds nothing but what is known and older than the newest, less an overlap.
At a slow interval it goes on from there, deeper, and finds the edits that the order hides. The first sweep only notes
(baseline) what is older than the look-back. A sweep that was interrupted goes on where it was, after the top.
"""

from allears_sdk.sweep.place import Listed, Page, digest_of, raw_of, unreadable
from allears_sdk.sweep.settings import SweepSettings
from allears_sdk.sweep.walk import OVERLAP, Sweep

__all__ = ["OVERLAP", "Listed", "Page", "Sweep", "SweepSettings", "digest_of", "raw_of", "unreadable"]
