"""The books of jobs that predict: rows, by what became of their prediction."""

from __future__ import annotations

from dfj_bootstrap.storage.ledger import Ledger, Unit

BOOKED = {"ok": "ok", "unparsable": "unparsable", "refused": "declined", "failed": "failed"}
"""A prediction's status → its word in the books, where rows that are *refused* are those of the input."""

PREDICTIONS = Ledger((Unit("rows", tuple(BOOKED.values())),), unsettled=("rows.failed",))
