"""The kind `hl7v2`: a feed of HL7 v2 messages, as files and over MLLP."""

from adapters.hl7v2.adapter import Hl7v2
from adapters.hl7v2.build import build

__all__ = ["Hl7v2", "build"]
