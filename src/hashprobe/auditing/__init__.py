"""Audits of a search that runs: evasion, collisions and false positives at a distance threshold, beside what benign edits do."""

from hashprobe.auditing.edits import EDITS, Edit
from hashprobe.auditing.findings import Findings
from hashprobe.auditing.page import write_audit_report
from hashprobe.auditing.photos import find_photos
from hashprobe.auditing.run import audit
from hashprobe.auditing.settings import AuditSettings, Budget
from hashprobe.auditing.text import audit_lines

__all__ = [
    "EDITS",
    "AuditSettings",
    "Budget",
    "Edit",
    "Findings",
    "audit",
    "audit_lines",
    "find_photos",
    "write_audit_report",
]
