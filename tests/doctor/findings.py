"""Findings of the doctor, for the tests."""
from typing import Dict, List

from mmvideomamba.doctor.finding import Finding


def by_name(found: List[Finding]) -> Dict[str, Finding]:
    """Return the findings by name."""
    return {finding.name: finding for finding in found}
